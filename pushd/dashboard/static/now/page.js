/** What is wrong now, and what can be done about it. The order of the groups is that of the consequences. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { announce } from "../announce.js";
import { Icon } from "../icons.js";
import { Card, Loading, Page } from "../components/page.js";
import { stream } from "../feed.js";
import { clockTime, when } from "../format.js";
import { listed, paragraph, t } from "../messages.js";
import { can } from "../session.js";
import { LastDoors } from "./doors.js";
import { Group } from "./group.js";
import { maySeeRejections, openOutages, problems } from "./problems.js";
import { AlertRow, PendingRow, RejectionRow, UnknownRow, WebhookRow } from "./rows.js";
import { Sites } from "./sites.js";
import { FirstSteps } from "./start.js";

/**
 * @typedef {import("./problems.js").Problems} Problems
 * @typedef {import("./problems.js").Alert} Alert
 * @typedef {import("./problems.js").CommandSummary} CommandSummary
 * @typedef {import("./problems.js").Device} Device
 * @typedef {import("./problems.js").Rejection} Rejection
 * @typedef {import("./problems.js").Webhook} Webhook
 */

/** The heading is said at most once in so many milliseconds. */
const SAID_EVERY = 10_000;

/** What is wrong now. */
export default function NowPage() {
  const found = problems.value;
  if (found === null) return html`<${Page} title=${t("nav.now")}><${Loading} /><//>`;
  const isRead = Object.values(found).every(
    (each) => each.data !== undefined || each.fault !== undefined || !isRequired(found, each),
  );
  const lostAt = stream.value.state === "lost" ? when(new Date(stream.value.since).toISOString()) : "";
  const title = isRead ? heading(found, lostAt) : t("nav.now");
  useSaid(isRead ? title : "");
  return html`<${LastDoors} />
    <${Page} title=${t("nav.now")} heading=${title} lead=${isRead && html`<${Rest} found=${found} />`}>
      ${isRead ? html`<${Groups} found=${found} />` : html`<${Card} label=${t("now.problems")}><${Loading} rows=${5} /><//>`}
      ${found.info.data && isNew(found) ? html`<${FirstSteps} info=${found.info.data} />` : html`<${Sites} />`}
    <//>`;
}

/** Whether a reading is one that this role has.
 * @param {Problems} found
 * @param {unknown} reading
 */
function isRequired(found, reading) {
  return reading !== found.webhooks || can("admin");
}

/** Whether no device was ever approved.
 * @param {Problems} found
 */
function isNew({ info }) {
  const counts = info.data?.counts;
  return counts !== undefined && counts.devices === counts.pending;
}

/** How many problems there are, in words.
 * @param {Problems} found
 * @param {string} lostAt since when the page is not live; "" if it is
 */
function heading(found, lostAt) {
  const counts = [
    t("now.n_decisions", { n: found.unknown.data?.length ?? 0 }),
    t("now.n_outages", { n: openOutages(found).length }),
    t("now.n_doors", { n: (found.pending.data?.length ?? 0) + (found.refused.data?.length ?? 0) }),
    t("now.n_webhooks", { n: found.webhooks.data?.length ?? 0 }),
  ];
  const numbers = [
    found.unknown.data,
    openOutages(found),
    [...(found.pending.data ?? []), ...(found.refused.data ?? [])],
    found.webhooks.data,
  ];
  const said = counts.filter((_, index) => (numbers[index]?.length ?? 0) > 0);
  if (said.length) return listed(said);
  if (hasFault(found)) return t("now.partly");
  return lostAt ? t("now.was_well", { time: lostAt }) : t("now.well");
}

/** @param {Problems} found */
function hasFault(found) {
  return Object.values(found).some((each) => each.fault !== undefined);
}

/** What else there is to say: that the rest is well, and what was acknowledged.
 * @param {{found: Problems}} props
 */
function Rest({ found }) {
  const counts = found.info.data?.counts;
  const acknowledged = (found.alerts.data ?? []).filter((alert) => alert.acknowledged_at !== null).length;
  const approved = counts === undefined ? 0 : counts.devices - counts.pending - counts.blocked;
  return html`<p>
    ${paragraph(
      counts && approved && !hasFault(found) && t("now.rest", { online: counts.online, all: approved }),
      acknowledged > 0 && html`<a href="/alerts">${t("now.acknowledged", { n: acknowledged })}</a>`,
    )}
  </p>`;
}

/** @param {{found: Problems}} props */
function Groups({ found }) {
  const { unknown, alerts, pending, refused, webhooks } = found;
  const outages = { ...alerts, data: openOutages(found) };
  const door = { ...refused, data: refused.data ?? [] };
  const readings = [unknown, alerts, pending, refused, webhooks];
  const isWell = readings.every(
    (each) => (each === alerts ? outages.data : (each.data ?? [])).length === 0 && each.fault === undefined,
  );
  return html`<${Card} label=${t("now.problems")}>
    ${isWell && html`<${Well} found=${found} />`}
    <${Group}
      title=${t("now.decide")}
      hint=${t("now.decide_hint")}
      reading=${unknown}
      rowKey=${(/** @type {CommandSummary} */ command) => command.id}
      show=${(/** @type {CommandSummary} */ command, /** @type {boolean} */ isOver) => html`<${UnknownRow} key=${command.id} command=${command} isOver=${isOver} />`}
    />
    <${Group}
      title=${t("now.outages")}
      hint=${t("now.outages_hint")}
      reading=${outages}
      rowKey=${(/** @type {Alert} */ alert) => alert.id}
      show=${(/** @type {Alert} */ alert, /** @type {boolean} */ isOver) => html`<${AlertRow} key=${alert.id} alert=${alert} isOver=${isOver} />`}
    />
    <${Group}
      title=${t("now.door")}
      hint=${t("now.door_hint")}
      reading=${pending}
      rowKey=${(/** @type {Device} */ device) => device.id}
      show=${(/** @type {Device} */ device, /** @type {boolean} */ isOver) => html`<${PendingRow} key=${device.id} device=${device} isOver=${isOver} />`}
    />
    <${Group}
      title=${t("now.refused")}
      hint=${t("now.refused_hint")}
      reading=${door}
      rowKey=${rejectionKey}
      show=${(/** @type {Rejection} */ each, /** @type {boolean} */ isOver) => html`<${RejectionRow} key=${rejectionKey(each)} rejection=${each} isOver=${isOver} />`}
    />
    <${Group}
      title=${t("now.undelivered")}
      hint=${t("now.undelivered_hint")}
      reading=${webhooks}
      rowKey=${(/** @type {Webhook} */ webhook) => webhook.id}
      show=${(/** @type {Webhook} */ webhook, /** @type {boolean} */ isOver) => html`<${WebhookRow} key=${webhook.id} webhook=${webhook} isOver=${isOver} />`}
    />
  <//>`;
}

/** That nothing is wrong, and of each group when that was last known.
 * @param {{found: Problems}} props
 */
function Well({ found }) {
  /** @type {[string, {readAt: number}][]} */
  const readings = [
    [t("now.decide"), found.unknown],
    [t("now.outages"), found.alerts],
    [t("now.door"), found.pending],
  ];
  if (maySeeRejections()) readings.push([t("now.refused"), found.refused]);
  if (can("admin")) readings.push([t("now.undelivered"), found.webhooks]);
  return html`<div class="well">
    <p class="with-icon"><span class="ok"><${Icon} name="check" /></span>${t("now.none")}</p>
    <p class="small soft">${t("now.last_true")} ${listed(readings.map(([group, reading]) => t("now.group_at", { group, time: knownAt(reading, reading === found.refused) })))}</p>
  </div>`;
}

/**
 * When something was known last, in words: what events keep true is so now, while they come.
 * @param {{readAt: number}} reading
 * @param {boolean} isPolled whether no event tells of it
 */
function knownAt({ readAt }, isPolled) {
  const { state, since } = stream.value;
  if (!isPolled && state === "live") return t("time.now");
  return clockTime(new Date(isPolled ? readAt : Math.max(readAt, since)).toISOString());
}

/** @param {Rejection} rejection */
function rejectionKey({ address, path, reason, device, node }) {
  return JSON.stringify([address, path, reason, device, node]);
}

/** Say a heading that has changed, politely.
 * @param {string} title
 */
function useSaid(title) {
  const last = useRef({ title, at: -Infinity });
  useEffect(() => {
    if (!title || title === last.current.title) return;
    const say = () => {
      last.current = { title, at: Date.now() };
      announce(title);
    };
    const timer = setTimeout(say, Math.max(0, last.current.at + SAID_EVERY - Date.now()));
    return () => clearTimeout(timer);
  }, [title]);
}
