/** What went wrong with a device lately: requests that were refused, a shared id, results that match no command. */
import { html } from "htm/preact";
import { get, path } from "../api.js";
import { now } from "../clock.js";
import { Card } from "../components/page.js";
import { Time } from "../components/time.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t, words } from "../messages.js";
import { problems } from "../now/problems.js";
import { session } from "../session.js";
import { visible } from "../text.js";
import { DAY, readEvents } from "./strips.js";

/** @typedef {import("../api.js").Schemas["Orphan"]} Orphan */

/** Orphans that are shown. */
const SHOWN = 5;

/** Shown only if there is something.
 * @param {{device: import("../api.js").Device}} props
 */
export function TroubleCard({ device }) {
  const conflicts = useConflicts(device.id);
  const orphans = useOrphans(device.id);
  const refused = (problems.value?.refused.data ?? []).filter((each) => each.device === device.id);
  const last = conflicts.at(-1);
  if (refused.length === 0 && last === undefined && orphans.length === 0) return null;
  return html`<${Card} title=${t("trouble.title")}>
    <ul class="pad form small">
      ${refused.map(
        (each) => html`<li>
          ${words("trouble.refused", { address: each.address ?? t("now.no_address"), n: each.count })} <${Time} at=${each.last_at} />
          <p class="soft" lang="en">${visible(each.remedy)}</p>
        </li>`,
      )}
      ${last !== undefined && html`<li>${t("trouble.conflict", { n: conflicts.length })} <${Time} at=${last.at} /><p class="soft">${t("trouble.conflict_more")}</p></li>`}
      ${orphans.map((each) => html`<li>${t("trouble.orphan", { size: each.size })} <${Time} at=${each.at} /><p class="soft" lang="en">${visible(each.reason)}</p></li>`)}
    </ul>
  <//>`;
}

/**
 * Signs of the last day that two devices share one id.
 * @param {string} device
 * @returns {any[]}
 */
function useConflicts(device) {
  const live = useLive(`conflicts ${device}`, {
    load: async () => {
      const since = new Date(now() - DAY).toISOString();
      return (await readEvents({ device: [device], type: ["device.conflict"], since })).events;
    },
    apply: (data, event) => (event.device === device && event.type === "device.conflict" ? [...data, event] : data),
  });
  return live.data ?? [];
}

/**
 * Results that match no command; those who see some commands alone do not see them.
 * @param {string} device
 * @returns {Orphan[]}
 */
function useOrphans(device) {
  const allowed = session.value?.endpoints == null;
  const live = useLive(`orphans ${device}`, {
    load: async (signal) => (allowed ? (await get(path`/v1/devices/${device}/orphans`, { query: { limit: SHOWN }, signal })).items : []),
    apply: (data, event) => (event.device === device && event.type === "result.orphaned" ? READ_AGAIN : data),
  });
  return live.data ?? [];
}
