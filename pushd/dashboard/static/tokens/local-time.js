/** Times of the API, and what a field for a local date and time has. */

/**
 * @param {string | null} at RFC 3339
 * @returns {string} such as 2027-01-15T18:00, in the zone of the browser; "" for none
 */
export function toLocal(at) {
  if (at === null) return "";
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * @param {string} local
 * @returns {string | null} RFC 3339 in UTC; null for none
 */
export function fromLocal(local) {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
