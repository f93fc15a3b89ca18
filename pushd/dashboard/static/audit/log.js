/**
 * The audit log, which the API gives from its oldest entry on: it is read to its end once, then only what is new.
 *
 * @typedef {import("../api.js").Schemas["AuditEntry"]} Entry
 * @typedef {{items: readonly Entry[], after: string | null, isWhole: boolean}} AuditLog oldest first
 */

/** Entries of one request. */
const PAGE = 500;

/** Requests of one reading, and entries that are kept: the newest. */
const PAGES = 40;
const MOST = 5000;

export const NOTHING = /** @type {AuditLog} */ ({ items: [], after: null, isWhole: false });

/**
 * Read on from where a log ends.
 * @param {AuditLog} log
 * @param {(after: string | null, limit: number) => Promise<{items: Entry[], next: string}>} readPage
 * @returns {Promise<AuditLog>}
 */
export async function readOn(log, readPage) {
  let { items, after } = log;
  for (let page = 0; page < PAGES; page++) {
    const found = await readPage(after, PAGE);
    items = [...items, ...found.items].slice(-MOST);
    after = found.items.at(-1)?.id ?? after;
    if (found.items.length < PAGE) return { items, after, isWhole: true };
  }
  return { items, after, isWhole: false };
}

/**
 * What an entry has changed, field by field.
 * @param {Pick<Entry, "before" | "after">} entry
 * @returns {{field: string, before: unknown, after: unknown}[]} undefined: there was, or is, nothing
 */
export function changesOf({ before, after }) {
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return fields
    .map((field) => ({ field, before: before?.[field], after: after?.[field] }))
    .filter(({ before: old, after: now }) => !isNothing(old) || !isNothing(now));
}

/** @param {unknown} value */
function isNothing(value) {
  return value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
}

/**
 * The page of an object of the log; null: it has none.
 * @param {string} object such as device:controlid:7
 */
export function pageOf(object) {
  const [kind = "", id = ""] = split(object);
  const folder = { device: "/devices/", command: "/commands/", webhook: "/webhooks/", alert: "/alerts/" }[kind];
  if (folder !== undefined && id) return folder + encodeURIComponent(id);
  return { token: "/tokens", person: "/people", session: "/people" }[kind] ?? null;
}

/** @param {string} object */
function split(object) {
  const at = object.indexOf(":");
  return at < 0 ? [object] : [object.slice(0, at), object.slice(at + 1)];
}
