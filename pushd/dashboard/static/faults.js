/** What to say when a call fails: in the words of the person, never more than is known. */
import { ApiProblem, NotReached } from "./api.js";
import { t } from "./messages.js";

/**
 * @typedef {object} Fault
 * @property {string} text
 * @property {"fault" | "doubt"} kind doubt: it may have happened
 * @property {boolean} canRepeat whether the same call makes sense once more
 */

/** Whether a reading was given up on purpose.
 * @param {unknown} error
 */
export function isAborted(error) {
  return error instanceof DOMException && error.name === "AbortError";
}

/**
 * Of something that was to be read.
 * @param {unknown} error
 * @param {string} [role] of the person
 * @returns {Fault}
 */
export function readFault(error, role = "") {
  if (error instanceof NotReached) return fault(t("error.away_read"), true);
  if (!(error instanceof ApiProblem)) throw error;
  if (error.status === 403) return fault(t("error.role", { role }), false);
  if (error.status === 404) return fault(t("error.nothing"), false);
  return fault(t("error.read", { status: error.status }), true);
}

/**
 * Of something that was to be done.
 * @param {unknown} error
 * @param {string} [role] of the person
 * @returns {Fault}
 */
export function actFault(error, role = "") {
  if (error instanceof NotReached) return fault(t("error.away"), true);
  if (!(error instanceof ApiProblem)) throw error;
  if (error.type === "outcome-in-doubt") return { text: t("error.doubt"), kind: "doubt", canRepeat: true };
  if (error.status === 403 && error.type === "forbidden") return fault(t("error.role", { role }), false);
  if (error.status === 404) return fault(t("error.nothing"), false);
  return fault(error.message, error.status >= 500);
}

/**
 * @param {string} text
 * @param {boolean} canRepeat
 * @returns {Fault}
 */
function fault(text, canRepeat) {
  return { text, kind: "fault", canRepeat };
}
