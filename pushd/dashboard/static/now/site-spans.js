/** The strip of a site, from its outages. */

/**
 * @typedef {import("../components/strip-spans.js").Span} Span
 * @typedef {{raised_at: string, cleared_at: string | null}} Outage
 */

/**
 * The spans from `start` to `end`: offline while any of the outages lasted.
 * @param {readonly Outage[]} outages
 * @param {number} start
 * @param {number} end
 * @returns {Span[]}
 */
export function siteSpans(outages, start, end) {
  const times = outages
    .map(({ raised_at, cleared_at }) => ({
      from: Math.max(start, Date.parse(raised_at)),
      to: Math.min(end, cleared_at === null ? end : Date.parse(cleared_at)),
    }))
    .filter(({ from, to }) => from < to)
    .sort((one, other) => one.from - other.from);
  /** @type {Span[]} */
  const spans = [];
  let at = start;
  for (const { from, to } of times) {
    const last = spans.at(-1);
    if (from <= at && last?.kind === "offline") last.to = Math.max(last.to, to);
    else {
      if (from > at) spans.push({ kind: "online", from: at, to: from });
      spans.push({ kind: "offline", from, to });
    }
    at = Math.max(at, to);
  }
  if (at < end) spans.push({ kind: "online", from: at, to: end });
  return spans;
}
