/**
 * The spans of a presence strip, from the events of a device.
 *
 * @typedef {"online" | "offline" | "signed_off" | "none"} Presence none: not known
 * @typedef {{kind: Presence, from: number, to: number}} Span milliseconds
 * @typedef {{type: string, at: string, data?: Record<string, unknown> | null}} PresenceEvent
 */

/** @type {Record<string, Presence>} */
const AFTER = { "device.online": "online", "device.offline": "offline", "device.signed_off": "signed_off" };

/** The types of events from which spans are made. */
export const PRESENCE_TYPES = Object.keys(AFTER);

/**
 * The spans from `start` to `end`, without gaps.
 *
 * Before the first event it was online if that event ends it, else it is not known; without events it is what it is now,
 * back to `createdAt`. Where events were left out (`suppressed`), or are not kept any more (before `keptFrom`), it
 * is not known either.
 * @param {object} known
 * @param {readonly PresenceEvent[]} known.events oldest first
 * @param {Presence} known.present what it is now
 * @param {number} known.start
 * @param {number} known.end
 * @param {number} [known.createdAt]
 * @param {number} [known.keptFrom]
 * @returns {Span[]}
 */
export function spansOf({ events, present, start, end, createdAt = -Infinity, keptFrom = -Infinity }) {
  const from = Math.max(start, createdAt, keptFrom);
  /** @type {Span[]} */
  const spans = [];
  let at = start;
  let kind = /** @type {Presence} */ ("none");
  const add = (/** @type {number} */ to) => {
    if (to <= at) return;
    const last = spans.at(-1);
    if (last?.kind === kind) last.to = to;
    else spans.push({ kind, from: at, to });
    at = to;
  };
  add(Math.min(from, end));
  const known = events.filter((event) => event.type in AFTER && Date.parse(event.at) < end);
  const first = known[0];
  if (first === undefined) kind = present;
  else kind = AFTER[first.type] === "online" ? "none" : "online";
  for (const event of known) {
    if (event.data?.["suppressed"]) kind = "none";
    add(Date.parse(event.at));
    kind = AFTER[event.type] ?? "none";
  }
  add(end);
  return spans;
}
