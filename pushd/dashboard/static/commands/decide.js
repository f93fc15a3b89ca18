/** The decision about a command whose outcome is unknown. It has no default: both answers look alike. */
import { html } from "htm/preact";
import { path, post } from "../api.js";
import { Act } from "../components/button.js";
import { t } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";

/** @typedef {Pick<import("../api.js").CommandSummary, "id" | "endpoint" | "endpoints">} Decided */

/** The endpoint that opens something. */
export const OPENING = "execute_actions";

/**
 * What a command calls, in words of its dialect; of a batch all of it.
 * @param {{endpoint?: string | null, endpoints?: readonly string[] | null}} command
 */
export function endpointOf(command) {
  return visible(command.endpoint ?? (command.endpoints ?? []).join(", "));
}

/**
 * The same of an event about a command.
 * @param {import("../api.js").ApiEvent} event
 */
export function endpointOfEvent({ data }) {
  return endpointOf(/** @type {{endpoint?: string, endpoints?: string[]}} */ (data));
}

/**
 * Whether a command opens a door.
 * @param {Pick<Decided, "endpoint">} command
 */
export function isOpening(command) {
  return command.endpoint === OPENING;
}

/**
 * The two answers.
 * @param {{command: Decided, note?: string, kind?: "plain" | "firm", onDecided?: () => void}} props
 */
export function Decide({ command, note = "", kind = "plain", onDecided }) {
  if (!can("operator")) return null;
  const [yes, no] = isOpening(command)
    ? [t("decide.opened"), t("decide.not_opened")]
    : [t("decide.ran"), t("decide.not_ran")];
  const decide = (/** @type {"succeeded" | "failed"} */ state) => async () => {
    await post(path`/v1/commands/${command.id}/resolve`, { state, ...(note && { note }) });
    onDecided?.();
  };
  return html`<${Act} kind=${kind} run=${decide("succeeded")}>${yes}<//><${Act} kind=${kind} run=${decide("failed")}>${no}<//>`;
}
