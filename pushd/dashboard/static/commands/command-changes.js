/**
 * What events say about commands in a list: a row is changed from the event, without reading it again.
 *
 * @typedef {import("../api.js").ApiEvent} ApiEvent
 * @typedef {import("../api.js").CommandSummary} CommandSummary
 * @typedef {{items: CommandSummary[], next?: string | null}} CommandPage
 */
import { READ_AGAIN } from "../live-reader.js";

/** The states in which a command has ended. @type {readonly string[]} */
export const ENDED = ["succeeded", "failed", "expired", "cancelled", "unknown"];

/**
 * The state that a command has after an event; null: the event is not about a command.
 * @param {ApiEvent} event
 * @returns {CommandSummary["state"] | null}
 */
export function stateAfter(event) {
  if (event.type === "command.resolved") return event.data.state;
  const [about, state] = event.type.split(".");
  return about === "command" ? /** @type {CommandSummary["state"]} */ (state) : null;
}

/**
 * A list after an event. A row stays where it is also when it no longer fits the filter; a command that is not in the
 * list is only to be read if it may belong there.
 * @template {CommandPage} T
 * @param {T} data
 * @param {ApiEvent} event
 * @param {{state: string | null, isFirstPage: boolean}} shown
 * @returns {T | typeof READ_AGAIN}
 */
export function applyToCommands(data, event, { state: filter, isFirstPage }) {
  const state = stateAfter(event);
  if (state === null) return data;
  const index = data.items.findIndex((command) => command.id === event.command);
  const before = data.items[index];
  if (before === undefined) {
    const mayBelong = filter === null ? event.type === "command.queued" : filter === state;
    return isFirstPage && mayBelong ? READ_AGAIN : data;
  }
  const items = [...data.items];
  items[index] = changed(before, event, state);
  return { ...data, items };
}

/**
 * @param {CommandSummary} command
 * @param {ApiEvent} event
 * @param {CommandSummary["state"]} state
 * @returns {CommandSummary}
 */
function changed(command, event, state) {
  const error = "error" in event.data && event.data.error ? event.data.error : null;
  return {
    ...command,
    state,
    error,
    evidence: event.type === "command.resolved" ? "operator" : command.evidence,
    sent_at: state === "sent" ? event.at : command.sent_at,
    acknowledged_at: state === "acknowledged" ? event.at : command.acknowledged_at,
    finished_at: ENDED.includes(state) ? event.at : null,
  };
}
