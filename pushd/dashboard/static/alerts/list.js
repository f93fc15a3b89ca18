/** What was down: the open alerts, then past ones by day. */
import { html } from "htm/preact";
import { get, path, post } from "../api.js";
import { Act } from "../components/button.js";
import { Filters } from "../components/filters.js";
import { Card, Empty, Loaded, Page } from "../components/page.js";
import { Pager } from "../components/pager.js";
import { Problem } from "../components/problem.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { day, duration } from "../format.js";
import { Icon } from "../icons.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t, words } from "../messages.js";
import { go } from "../route.js";
import { can } from "../session.js";
import { visible } from "../text.js";
import { ALERT_ICONS, alertKind, alertSentence, alertWhy } from "./words.js";

/**
 * @typedef {import("../api.js").Alert} Alert
 * @typedef {{items: Alert[], next: string | null}} AlertPage
 */

/** Most open alerts that are listed. */
const MOST_OPEN = 100;

/** @param {import("../route.js").PageProps} props */
export default function AlertList({ query }) {
  const kind = query.get("kind");
  const open = useAlerts({ open: 1, kind, limit: MOST_OPEN });
  const past = useAlerts({ open: 0, kind, cursor: query.get("cursor") });
  return html`<${Page} title=${t("nav.alerts")}>
    <${Filters} label=${t("commands.filters")} fields=${filters()} query=${query} />
    <${Card} title=${t("alerts.open")}>
      <${Loaded} live=${open} rows=${2} show=${(/** @type {AlertPage} */ { items }) => html`<${OpenAlerts} alerts=${items} />`} />
    <//>
    <${Card} title=${t("alerts.past")}>
      <${Loaded} live=${past} rows=${5} show=${(/** @type {AlertPage} */ data) => html`<${PastAlerts} ...${data} />`} />
    <//>
  <//>`;
}

/**
 * @param {import("../api.js").Query} query
 * @returns {{data: AlertPage | undefined, fault: unknown, read: () => void}}
 */
function useAlerts(query) {
  return useLive(JSON.stringify(query), {
    load: (signal) => get("/v1/alerts", { query, signal }),
    apply: (data, event) => (event.type.startsWith("alert.") ? READ_AGAIN : data),
  });
}

/** @returns {import("../components/filters.js").Filter[]} */
function filters() {
  const kinds = /** @type {const} */ (["offline", "site_offline", "fleet_offline", "flapping", "webhook", "restored", "notification_queue"]);
  return [{ name: "kind", label: t("alerts.kind"), kind: "select", options: [["", t("alerts.any")], ...kinds.map((kind) => /** @type {const} */ ([kind, t(`alerts.${kind}`)]))] }];
}

/** @param {{alerts: readonly Alert[]}} props */
function OpenAlerts({ alerts }) {
  if (alerts.length === 0) return html`<${Empty}>${t("alerts.none_open")}<//>`;
  return html`<ul>${alerts.map((alert) => html`<${OpenAlert} key=${alert.id} alert=${alert} />`)}</ul>`;
}

/** @param {{alert: Alert}} props */
function OpenAlert({ alert }) {
  return html`<${Problem}
    icon=${ALERT_ICONS[alert.kind] ?? "warn"}
    kind=${alertKind(alert)}
    what=${html`<a href=${`/alerts/${alert.id}`}>${words(...alertSentence(alert))}</a>`}
    why=${alertWhy(alert)}
    since=${alert.raised_at}
    acts=${html`<${Acknowledge} alert=${alert} />`}
  />`;
}

/** The act, or who has done it.
 * @param {{alert: Alert}} props
 */
export function Acknowledge({ alert }) {
  if (alert.acknowledged_at !== null) {
    return html`<span class="small soft">${words("alerts.acknowledged_by", { by: visible(alert.acknowledged_by ?? "–") })}</span>`;
  }
  if (!can("operator") || alert.cleared_at !== null) return null;
  const acknowledge = async () => void (await post(path`/v1/alerts/${alert.id}/acknowledge`));
  return html`<${Act} run=${acknowledge}>${t("act.acknowledge")}<//>`;
}

/** @param {AlertPage} props */
function PastAlerts({ items, next }) {
  if (items.length === 0) return html`<${Empty}>${t("alerts.none_past")}<//>`;
  return html`${byDay(items).map(
      ([name, alerts]) => html`<h3 class="group">${name}</h3>
        <${Table}
          label=${name}
          class="no-head"
          columns=${pastColumns()}
          rows=${alerts}
          rowKey=${(/** @type {Alert} */ alert) => alert.id}
          onOpen=${(/** @type {Alert} */ alert) => go(`/alerts/${alert.id}`)}
        />`,
    )}
    <${Pager} next=${next} />`;
}

/**
 * @param {readonly Alert[]} alerts in the order of time
 * @returns {[day: string, alerts: Alert[]][]}
 */
export function byDay(alerts) {
  /** @type {Map<string, Alert[]>} */
  const days = new Map();
  for (const alert of alerts) {
    const name = day(alert.raised_at);
    days.set(name, [...(days.get(name) ?? []), alert]);
  }
  return [...days];
}

/** @returns {import("../components/table.js").Column<Alert>[]} */
function pastColumns() {
  return [
    { name: "from", head: t("alerts.from"), class: "num start", cell: (alert) => html`<${Time} at=${alert.raised_at} mode="clock" />` },
    {
      name: "what",
      head: t("alerts.what"),
      class: "lead",
      cell: (alert) => html`<span class="with-icon"><${Icon} name=${ALERT_ICONS[alert.kind] ?? "warn"} kind="muted" /><a class="plain" href=${`/alerts/${alert.id}`}>${words(...alertSentence(alert))}</a></span>`,
    },
    { name: "seen_by", head: t("alerts.seen_by"), class: "hide-s", cell: (alert) => html`<bdi class="soft">${visible(alert.acknowledged_by ?? "")}</bdi>` },
    { name: "duration", head: t("alerts.duration"), class: "num end", cell: (alert) => duration(alert.duration ?? 0) },
  ];
}
