/** One alert: its devices, who was notified and who saw it, and the commands that ended while it was open. */
import { html } from "htm/preact";
import { get, path } from "../api.js";
import { endpointOfEvent } from "../commands/decide.js";
import { stateAfter } from "../commands/command-changes.js";
import { Card, Empty, Facts, Loaded, Page } from "../components/page.js";
import { Status, stateOf } from "../components/status.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { duration, exact } from "../format.js";
import { Icon } from "../icons.js";
import { deviceName, devicePath, knownDevice } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t, words } from "../messages.js";
import { go } from "../route.js";
import { can } from "../session.js";
import { visible } from "../text.js";
import { Acknowledge } from "./list.js";
import { ALERT_ICONS, alertKind, alertSentence, alertWhy } from "./words.js";

/**
 * @typedef {import("../api.js").Alert} Alert
 * @typedef {import("../api.js").ApiEvent} ApiEvent
 */

/** Devices that are listed, each of which is read. */
const MOST_DEVICES = 50;

/** Events that are read, of the commands that ended. */
const MOST_EVENTS = 100;
const ENDS = ["command.succeeded", "command.failed", "command.expired", "command.cancelled", "command.unknown"];

/** @param {import("../route.js").PageProps} props */
export default function AlertPage({ params }) {
  const id = params["id"] ?? "";
  const live = useLive(id, {
    load: (signal) => get(path`/v1/alerts/${id}`, { signal }),
    apply: (data, event) => (event.type.startsWith("alert.") && "alert" in event.data && event.data.alert === id ? READ_AGAIN : data),
  });
  /** @type {Alert | undefined} */
  const alert = live.data;
  if (alert === undefined) return html`<${Page} title=${t("alerts.alert")}><${Loaded} live=${live} show=${() => null} /><//>`;
  return html`<${Page}
    title=${t(...alertSentence(alert))}
    heading=${words(...alertSentence(alert))}
    crumb=${html`<a class="plain" href="/alerts">${t("nav.alerts")}</a>`}
    lead=${html`<span class="with-icon"><${Icon} name=${alert.cleared_at === null ? (ALERT_ICONS[alert.kind] ?? "warn") : "check"} kind=${alert.cleared_at === null ? alertKind(alert) : "ok"} /> ${alert.cleared_at === null ? t("alerts.is_open") : t("alerts.lasted", { duration: duration(alert.duration ?? 0) })}</span>`}
    acts=${html`<${Acknowledge} alert=${alert} />`}
  >
    <${Loaded} live=${live} show=${(/** @type {Alert} */ shown) => html`<${Body} alert=${shown} />`} />
  <//>`;
}

/** @param {{alert: Alert}} props */
function Body({ alert }) {
  const why = alertWhy(alert);
  return html`<div class="two">
    <div class="col">
      ${why.length > 0 && html`<p class="soft">${why}</p>`}
      ${alert.devices.length > 0 && html`<${Card} title=${t("alerts.devices", { n: alert.count })}><${Devices} alert=${alert} /><//>`}
      ${alert.devices.length > 0 && html`<${Ended} alert=${alert} />`}
    </div>
    <div class="col"><${Card} title=${t("page.facts")}><div class="pad"><${Facts} items=${factsOf(alert)} /></div><//></div>
  </div>`;
}

/** @param {Alert} alert @returns {[unknown, unknown][]} */
function factsOf(alert) {
  /** @type {[unknown, unknown][]} */
  const facts = [
    [t("alerts.kind"), t(`alerts.${alert.kind}`)],
    [t("alerts.raised"), exact(alert.raised_at)],
    [t("alerts.cleared"), alert.cleared_at && exact(alert.cleared_at)],
    [t("alerts.address"), alert.address],
    [t("device.site"), alert.site && html`<bdi>${visible(alert.site)}</bdi>`],
    [t("alerts.webhook_id"), alert.webhook && (can("admin") ? html`<a class="mono" href=${path`/webhooks/${alert.webhook}`}>${alert.webhook}</a>` : alert.webhook)],
    [t("alerts.acknowledged"), alert.acknowledged_at && exact(alert.acknowledged_at)],
    [t("alerts.seen_by"), alert.acknowledged_by && html`<bdi>${visible(alert.acknowledged_by)}</bdi>`],
    [t("alerts.mailed"), alert.mailed_at && exact(alert.mailed_at)],
    [t("alerts.mail_error"), alert.mail_error && html`<bdi lang="en">${visible(alert.mail_error)}</bdi>`],
  ];
  return facts.filter(([, value]) => value !== null && value !== "");
}

/** @param {{alert: Alert}} props */
function Devices({ alert }) {
  const shown = alert.devices.slice(0, MOST_DEVICES);
  return html`<${Table} label=${t("nav.devices")} columns=${deviceColumns()} rows=${shown} rowKey=${(/** @type {string} */ id) => id} onOpen=${(/** @type {string} */ id) => go(devicePath(id))} />
    ${alert.count > shown.length && html`<p class="pager">${t("now.more", { n: alert.count - shown.length })}</p>`}`;
}

/** @returns {import("../components/table.js").Column<string>[]} */
function deviceColumns() {
  const known = (/** @type {string} */ id) => knownDevice(id);
  return [
    { name: "state", head: t("commands.state"), cell: (id) => known(id) && html`<${Status} kind=${stateOf(/** @type {import("../api.js").Device} */ (known(id)))} />` },
    { name: "device", head: t("commands.device"), class: "lead", cell: (id) => html`<a class="plain" href=${devicePath(id)}><bdi>${deviceName(id)}</bdi></a>` },
    { name: "site", head: t("device.site"), class: "hide-s cut-cell", cell: (id) => html`<bdi>${visible(known(id)?.site ?? "")}</bdi>` },
    { name: "last_seen", head: t("alerts.last_seen"), class: "num end", cell: (id) => html`<${Time} at=${known(id)?.last_seen_at} />` },
  ];
}

/** The commands that ended while the alert was open.
 * @param {{alert: Alert}} props
 */
function Ended({ alert }) {
  const query = { device: alert.devices.slice(0, MOST_DEVICES), type: ENDS, since: alert.raised_at, limit: MOST_EVENTS };
  const live = useLive(`${alert.id} ${alert.cleared_at}`, {
    load: async (signal) => {
      const { items } = await get("/v1/events", { query, signal });
      return items.filter((/** @type {ApiEvent} */ event) => alert.cleared_at === null || event.at <= alert.cleared_at);
    },
    apply: (data, event) => (ENDS.includes(event.type) && alert.devices.includes(event.device ?? "") && alert.cleared_at === null ? READ_AGAIN : data),
  });
  return html`<${Card} title=${t("alerts.ended")}>
    <${Loaded}
      live=${live}
      show=${(/** @type {ApiEvent[]} */ events) =>
        events.length === 0
          ? html`<${Empty}>${t("alerts.none_ended")}<//>`
          : html`<${Table} label=${t("alerts.ended")} columns=${endedColumns()} rows=${events} rowKey=${(/** @type {ApiEvent} */ event) => event.seq} onOpen=${(/** @type {ApiEvent} */ event) => go(`/commands/${event.command}`)} />`}
    />
  <//>`;
}

/** @returns {import("../components/table.js").Column<ApiEvent>[]} */
function endedColumns() {
  return [
    { name: "state", head: t("commands.state"), cell: (event) => html`<${Status} kind=${stateAfter(event) ?? "unknown"} />` },
    {
      name: "command",
      head: t("commands.command"),
      class: "lead",
      cell: (event) => html`<a class="plain mono" href=${`/commands/${event.command}`}>${endpointOfEvent(event)}</a>`,
    },
    { name: "device", head: t("commands.device"), class: "cut-cell", cell: (event) => html`<bdi>${deviceName(event.device ?? "")}</bdi>` },
    { name: "when", head: t("commands.when"), class: "num end", cell: (event) => html`<${Time} at=${event.at} mode="clock" />` },
  ];
}
