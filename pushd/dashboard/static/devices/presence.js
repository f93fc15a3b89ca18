/** The last 24 hours of a device: its presence, and above it a tick for each command. */
import { html } from "htm/preact";
import { Card, Loading } from "../components/page.js";
import { Strip } from "../components/strip.js";
import { duration, when } from "../format.js";
import { number, t } from "../messages.js";
import { visible } from "../text.js";
import { stripLabel, summary } from "./strip-label.js";
import { DAY, historyOf, lastDay, minute } from "./strips.js";

const TICKS = { failed: "bad", unknown: "doubt" };
const QUARTERS = [0, 1, 2, 3];

/** @type {Intl.NumberFormatOptions} */
const PERCENT = { style: "percent", maximumFractionDigits: 1 };
const MINUTE = 60_000;

/**
 * @param {{device: import("../api.js").Device, commands: readonly import("../api.js").CommandSummary[], isMore: boolean}} props
 *   isMore: whether there are older commands
 */
export function PresenceCard({ device, commands, isMore }) {
  void minute.value;
  const history = historyOf(device.id).value;
  if (history === undefined) return html`<${Card} title=${t("device.day")}><${Loading} rows=${1} /><//>`;
  const spans = lastDay(device, history);
  const start = spans[0]?.from ?? 0;
  const ticks = commands
    .map((command) => ({ at: Date.parse(command.created_at), kind: /** @type {any} */ (TICKS)[command.state] ?? "" }))
    .filter((tick) => tick.at >= start);
  const isCut = isMore && ticks.length === commands.length;
  const name = visible(device.name || device.id);
  const label = `${stripLabel(name, spans)} ${t("device.n_commands", { n: ticks.length })}`;
  return html`<${Card} title=${t("device.day")} more=${more(spans, ticks.length, isCut)}>
    <div class="pad">
      <${Strip} spans=${spans} ticks=${ticks} label=${label} />
      <p class="hours" aria-hidden="true">
        ${QUARTERS.map((quarter) => html`<span>${hour(start + (quarter * DAY) / 4)}${quarter === 3 && html`<i>${t("time.now")}</i>`}</span>`)}
      </p>
    </div>
  <//>`;
}

/** The time of day, of the day that ends now.
 * @param {number} at
 */
function hour(at) {
  return when(new Date(at + MINUTE).toISOString());
}

/**
 * @param {readonly import("../components/strip-spans.js").Span[]} spans
 * @param {number} count
 * @param {boolean} isCut whether only the newest commands are counted
 */
function more(spans, count, isCut) {
  const { share, outages, seconds } = summary(spans);
  const isKnown = spans.every((span) => span.kind !== "none");
  return [
    share !== null && t(isKnown ? "device.share" : "device.share_known", { share: number(Math.floor(share * 1000) / 1000, PERCENT) }),
    outages > 0 && t("device.n_outages", { n: outages, duration: duration(seconds) }),
    isCut ? t("device.many_commands", { n: count }) : t("device.n_commands", { n: count }),
  ]
    .filter(Boolean)
    .join(" · ");
}
