/** A strip of presence as a sentence: when and for how long a device was not online. */
import { duration, when } from "../format.js";
import { listed, t } from "../messages.js";

/** @typedef {import("../components/strip-spans.js").Span} Span */

/** Most spans that are named; more are counted. */
const NAMED = 3;

/** @type {Record<string, import("../messages.js").Key>} */
const KEYS = { offline: "strip.offline", signed_off: "strip.signed_off", none: "strip.none" };

/**
 * @param {string} name of the device
 * @param {readonly Span[]} spans
 */
export function stripLabel(name, spans) {
  const others = spans.filter((span) => span.kind !== "online");
  if (others.length === 0) return t("strip.online", { name });
  if (others.length === spans.length && others.every((span) => span.kind === "none")) return t("strip.unknown", { name });
  const named = others.slice(-NAMED).map((span) => t(KEYS[span.kind] ?? "strip.none", { time: when(iso(span.from)), duration: length(span) }));
  if (others.length > NAMED) named.unshift(t("strip.earlier", { n: others.length - NAMED }));
  return t("strip.label", { name, spans: listed(named) });
}

/**
 * How much of the time that is known it was online, and its outages.
 * @param {readonly Span[]} spans
 */
export function summary(spans) {
  const total = (/** @type {readonly Span[]} */ some) => some.reduce((sum, span) => sum + (span.to - span.from) / 1000, 0);
  const known = total(spans.filter((span) => span.kind !== "none"));
  const outages = spans.filter((span) => span.kind === "offline");
  return {
    share: known === 0 ? null : total(spans.filter((span) => span.kind === "online")) / known,
    outages: outages.length,
    seconds: total(outages),
  };
}

/** @param {Span} span */
function length(span) {
  return duration((span.to - span.from) / 1000);
}

/** @param {number} at */
function iso(at) {
  return new Date(at).toISOString();
}
