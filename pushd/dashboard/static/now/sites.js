/** All sites: how many of their devices are online, and their outages of the last day. Those in trouble come first. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { now, tick } from "../clock.js";
import { Card, Loaded } from "../components/page.js";
import { Strip } from "../components/strip.js";
import { duration } from "../format.js";
import { knownDevice } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t } from "../messages.js";
import { visible } from "../text.js";
import { problems } from "./problems.js";
import { siteSpans } from "./site-spans.js";

/**
 * @typedef {import("../api.js").Site} Site
 * @typedef {import("../api.js").Alert} Alert
 */

const DAY = 24 * 3600_000;
const MOST = 200;
const KINDS = ["offline", "site_offline", "fleet_offline"];

/** The card of all sites. */
export function Sites() {
  const live = useLive("/v1/sites", {
    load: async (signal) => {
      const since = new Date(now() - DAY).toISOString();
      const [sites, alerts] = await Promise.all([
        get("/v1/sites", { signal }),
        get("/v1/alerts", { query: { since, kind: KINDS, limit: MOST }, signal }),
      ]);
      return { sites: /** @type {Site[]} */ (sites.items), alerts: /** @type {Alert[]} */ (alerts.items) };
    },
    apply: (data, event) =>
      /^(alert\.(raised|cleared)|device\.(approved|deleted|changed|online|offline))$/.test(event.type)
        ? READ_AGAIN
        : data,
  });
  return html`<${Card} title=${t("now.sites")} more=${t("now.last_day")}>
    <${Loaded} live=${live} show=${(/** @type {{sites: Site[], alerts: Alert[]}} */ data) => html`<${SiteTable} ...${data} />`} />
  <//>`;
}

/** @param {{sites: Site[], alerts: Alert[]}} props */
function SiteTable({ sites, alerts }) {
  void tick.value;
  const older = (problems.value?.alerts.data ?? []).filter((alert) => KINDS.includes(alert.kind));
  const all = [...new Map([...older, ...alerts].map((alert) => [alert.id, alert])).values()];
  const trouble = (/** @type {Site} */ site) => site.offline > 0 || site.open_alerts > 0;
  const sorted = [...sites].sort(
    (one, other) =>
      Number(trouble(other)) - Number(trouble(one)) || (one.site ?? "\uffff").localeCompare(other.site ?? "\uffff"),
  );
  return html`<table class="sites">
    <thead>
      <tr><th scope="col">${t("now.site")}</th><th scope="col" class="num">${t("presence.online")}</th><th scope="col">${t("now.outages")}</th></tr>
    </thead>
    <tbody>${sorted.map((site) => html`<${SiteRow} key=${site.site ?? ""} site=${site} outages=${all.filter((alert) => isAt(alert, site.site))} />`)}</tbody>
  </table>`;
}

/** @param {{site: Site, outages: Alert[]}} props */
function SiteRow({ site, outages }) {
  const end = now();
  const isKnown = site.online + site.offline > 0 || outages.length > 0;
  const spans = isKnown
    ? siteSpans(outages, end - DAY, end)
    : [{ kind: /** @type {const} */ ("none"), from: end - DAY, to: end }];
  const name = site.site === null ? t("now.no_site") : visible(site.site);
  const lost = spans.filter((span) => span.kind === "offline");
  const seconds = lost.reduce((sum, span) => sum + (span.to - span.from) / 1000, 0);
  const none = isKnown ? t("now.no_outage", { site: name }) : t("now.not_known", { site: name });
  const label =
    lost.length === 0 ? none : t("now.outage_label", { site: name, n: lost.length, duration: duration(seconds) });
  return html`<tr>
    <td class="cut"><a title=${name} class=${`plain ${site.site === null ? "muted" : ""}`} href=${site.site === null ? "/devices" : `/devices?site=${encodeURIComponent(site.site)}`}><bdi>${name}</bdi></a></td>
    <td class=${`num ${site.online === 0 && site.offline > 0 ? "bad" : ""}`}>${t("now.of", { online: site.online, all: site.devices })}</td>
    <td><${Strip} spans=${spans} label=${label} /></td>
  </tr>`;
}

/**
 * Whether an alert is about devices of a site.
 * @param {Alert} alert
 * @param {string | null} site
 */
function isAt(alert, site) {
  if (alert.kind === "fleet_offline") return true;
  if (alert.kind === "site_offline" && alert.site !== null) return alert.site === site;
  const [device] = alert.devices;
  return device !== undefined && knownDevice(device)?.site === site;
}
