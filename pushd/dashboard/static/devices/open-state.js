/**
 * What is known of one opening of a door, and what follows from what is heard: events, the answer of the call, losses
 * of the connection. Nothing is guessed by time.
 *
 * @typedef {"idle" | "asking" | "waiting" | "sent" | "opened" | "not_opened" | "unknown" | "lost" | "refused"} Phase
 * @typedef {"stopped" | "not_sent" | "not_arrived" | "device_failed" | "device_offline" | "pending" | "busy"} Reason
 *   why it did not open; the last four are those of the API
 * @typedef {object} Opening
 * @property {Phase} phase
 * @property {string} trace by which its command is recognised
 * @property {string | null} command its id, when it is known
 * @property {string | null} acceptedAt
 * @property {Reason | null} reason
 * @property {string} detail in words of the reader, or of the server
 * @property {number | null} seconds from its acceptance to the answer of the reader
 * @property {boolean} canDecide whether a person may say what happened
 * @property {boolean} byPerson whether a person said what happened
 * @property {boolean} isStopping whether a person has asked to stop it
 * @property {boolean} isTooLate whether it was sent before it could be stopped
 *
 * @typedef {{type: string, at: string, command: string | null, data: Record<string, any>}} CommandEvent
 * @typedef {Pick<import("../api.js").Command, "id" | "state" | "created_at" | "finished_at" | "error" | "evidence">} Opened
 */
import { secondsBetween } from "../format.js";

/** Before the button is pressed. @type {Opening} */
export const IDLE = {
  phase: "idle",
  trace: "",
  command: null,
  acceptedAt: null,
  reason: null,
  detail: "",
  seconds: null,
  canDecide: false,
  byPerson: false,
  isStopping: false,
  isTooLate: false,
};

/**
 * The button was pressed.
 * @param {string} trace
 * @returns {Opening}
 */
export function asked(trace) {
  return { ...IDLE, phase: "asking", trace };
}

/**
 * Whether it is known what became of it, so that nothing more is expected.
 * @param {Opening} opening
 */
export function isSettled({ phase }) {
  return phase === "opened" || phase === "not_opened" || phase === "refused";
}

/**
 * An event was heard; those of other commands change nothing.
 * @param {Opening} opening
 * @param {CommandEvent} event
 * @returns {Opening}
 */
export function heard(opening, { type, at, command, data }) {
  const isOwn = command !== null && (command === opening.command || (opening.trace !== "" && data["trace"] === opening.trace));
  if (!isOwn || opening.phase === "idle" || isSettled(opening)) return opening;
  const acceptedAt = opening.acceptedAt ?? (type === "command.queued" ? at : null);
  const known = { ...opening, command, acceptedAt, canDecide: false };
  switch (type) {
    case "command.queued":
      return { ...known, phase: "waiting" };
    case "command.sent":
    case "command.acknowledged":
      return { ...known, phase: "sent" };
    case "command.succeeded":
      return { ...known, phase: "opened", seconds: acceptedAt === null ? null : secondsBetween(acceptedAt, at) };
    case "command.failed":
      return { ...known, phase: "not_opened", reason: "device_failed", detail: data["error"] ?? "" };
    case "command.unknown":
      return { ...known, phase: "unknown", canDecide: true };
    case "command.resolved":
      return { ...known, ...resolved(data["state"]) };
    case "command.cancelled":
      return opening.isStopping ? { ...known, phase: "not_opened", reason: "stopped" } : known; // else the answer says why
    default:
      return { ...known, canDecide: opening.canDecide }; // why it was not sent stands in the answer of the call
  }
}

/**
 * The call has answered.
 * @param {Opening} opening
 * @param {{outcome: string, reason: string, detail: string, command: Opened}} answer
 * @returns {Opening}
 */
export function answered(opening, { outcome, reason, detail, command }) {
  if (isSettled(opening)) return opening; // a later event was faster
  const known = { ...opening, command: command.id, acceptedAt: command.created_at, canDecide: false };
  if (outcome === "opened") return { ...known, ...openedBy(command) };
  if (outcome === "not_opened") {
    const isStopped = opening.isStopping && command.state === "cancelled";
    const why = isStopped ? "stopped" : /** @type {Reason} */ (reason);
    return { ...known, phase: "not_opened", reason: why, detail: (why === "device_failed" ? command.error : detail) ?? "" };
  }
  return { ...known, phase: "unknown", canDecide: opening.canDecide || command.state === "unknown" };
}

/**
 * Its command was looked up; undefined: there is none.
 * @param {Opening} opening
 * @param {Opened | undefined} command
 * @returns {Opening}
 */
export function lookedUp(opening, command) {
  if (isSettled(opening)) return opening;
  if (command === undefined) return { ...opening, phase: "not_opened", reason: "not_arrived" };
  const known = { ...opening, command: command.id, acceptedAt: command.created_at, canDecide: false };
  switch (command.state) {
    case "succeeded":
      return { ...known, ...openedBy(command) };
    case "failed":
      return { ...known, ...(command.evidence === "operator" ? resolved("failed") : { phase: "not_opened", reason: "device_failed", detail: command.error ?? "" }) };
    case "expired":
    case "cancelled":
      return { ...known, phase: "not_opened", reason: opening.isStopping ? "stopped" : "not_sent" };
    case "unknown":
      return { ...known, phase: "unknown", canDecide: true };
    case "queued":
      return { ...known, phase: "waiting" };
    default:
      return { ...known, phase: opening.phase === "unknown" ? "unknown" : "sent" };
  }
}

/**
 * Its command was looked up while the call still waits for its answer, as events were missed. The call says why it did
 * not open, and an event that was heard meanwhile is newer.
 * @param {Opening} opening
 * @param {Opened | undefined} command
 * @returns {Opening}
 */
export function caughtUp(opening, command) {
  if (command === undefined) return opening;
  const found = lookedUp(opening, command);
  const isOlder = opening.phase === "sent" && found.phase === "waiting";
  return isOlder || found.phase === "not_opened" ? opening : found;
}

/**
 * The connection was lost: what was asked may have arrived.
 * @param {Opening} opening
 * @returns {Opening}
 */
export function lost(opening) {
  return opening.phase === "asking" ? { ...opening, phase: "lost" } : opening;
}

/**
 * The server refused it: nothing was stored.
 * @param {Opening} opening
 * @param {string} detail
 * @returns {Opening}
 */
export function refused(opening, detail) {
  return isSettled(opening) ? opening : { ...opening, phase: "refused", detail };
}

/**
 * @param {Opened} command
 * @returns {Pick<Opening, "phase" | "seconds" | "byPerson">}
 */
function openedBy({ created_at, finished_at, evidence }) {
  const byPerson = evidence === "operator";
  return { phase: "opened", byPerson, seconds: finished_at === null || byPerson ? null : secondsBetween(created_at, finished_at) };
}

/**
 * A person said what happened.
 * @param {string} state
 * @returns {Pick<Opening, "phase" | "byPerson" | "reason" | "seconds" | "detail">}
 */
function resolved(state) {
  const phase = state === "succeeded" ? "opened" : "not_opened";
  return { phase, byPerson: true, reason: null, seconds: null, detail: "" };
}
