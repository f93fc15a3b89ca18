/** On a phone, above all else: the doors that this browser opened last. */
import { html } from "htm/preact";
import { stateOf } from "../components/status.js";
import { recentDoors } from "../devices/recent.js";
import { elapsed } from "../format.js";
import { deviceName, devicePath, knownDevice } from "../known-devices.js";
import { t } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";

/** The last doors, if there are any, each with Open. */
export function LastDoors() {
  const doors = recentDoors().filter((id) => knownDevice(id) !== null);
  if (doors.length === 0 || !can("operator")) return null;
  return html`<section class="card pad only-s" aria-label=${t("now.doors")}>
    <ul class="doors">${doors.map((id) => html`<${Door} key=${id} id=${id} />`)}</ul>
  </section>`;
}

/** @param {{id: string}} props */
function Door({ id }) {
  const device = knownDevice(id);
  const isOffline = device ? stateOf(device) === "offline" : false;
  const state = device?.polling
    ? t("presence.polling")
    : isOffline && device?.last_seen_at
      ? t("now.offline_for", { duration: elapsed(device.last_seen_at) })
      : "";
  const about = [device?.site ? visible(device.site) : "", state].filter(Boolean).join(" · ");
  return html`<li>
    <span class="who"><b class="cut"><bdi>${deviceName(id)}</bdi></b><span class=${`small cut ${isOffline ? "bad" : "muted"}`}>${about}</span></span>
    <a class=${`btn ${isOffline ? "" : "main"}`} href=${`${devicePath(id)}/open`}>${t("open.open")}</a>
  </li>`;
}
