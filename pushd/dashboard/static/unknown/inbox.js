/**
 * The rows of the inbox: commands whose outcome is unknown, and those that were settled while the page is open, which
 * stay where they are until it is left.
 *
 * @typedef {import("../api.js").ApiEvent} ApiEvent
 * @typedef {import("../api.js").CommandSummary} CommandSummary
 * @typedef {CommandSummary & {settledBy?: string | null}} Row settledBy: who decided; null: the device answered
 * @typedef {{items: readonly Row[], next: string | null}} Inbox
 */
import { stateAfter } from "../commands/command-changes.js";
import { READ_AGAIN } from "../live-reader.js";

/**
 * What was read anew, with the rows that were shown and are unknown no more.
 * @param {readonly Row[]} shown
 * @param {readonly CommandSummary[]} read newest first
 * @returns {Row[]}
 */
export function withSettled(shown, read) {
  const present = new Set(read.map((command) => command.id));
  const gone = shown.filter((row) => !present.has(row.id));
  return [...read, ...gone].sort((one, other) => other.created_at.localeCompare(one.created_at));
}

/**
 * @param {Inbox} data
 * @param {ApiEvent} event
 * @returns {Inbox | typeof READ_AGAIN}
 */
export function applyToInbox(data, event) {
  const state = stateAfter(event);
  if (state === null) return data;
  const isShown = data.items.some((row) => row.id === event.command);
  if (!isShown) return state === "unknown" ? READ_AGAIN : data;
  const items = data.items.map((row) => (row.id === event.command ? { ...row, state, settledBy: event.by } : row));
  return { ...data, items };
}
