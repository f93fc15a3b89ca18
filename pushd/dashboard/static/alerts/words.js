/** What an alert is about, and why, in words. */
import { when } from "../format.js";
import { deviceName, knownDevice } from "../known-devices.js";
import { paragraph, t, words } from "../messages.js";
import { visible } from "../text.js";

/** @typedef {import("../api.js").Alert} Alert */

/** @type {Record<string, import("../icons.js").IconName>} */
export const ALERT_ICONS = {
  offline: "offline",
  site_offline: "offline",
  fleet_offline: "offline",
  flapping: "flapping",
  webhook: "webhooks",
  restored: "warn",
  notification_queue: "warn",
};

/** The colour of state of an alert: an outage, or something that is about to be one.
 * @param {Alert} alert
 */
export function alertKind({ kind }) {
  return ["flapping", "webhook", "notification_queue"].includes(kind) ? "warn" : "bad";
}

/** The name of what it is about.
 * @param {Alert} alert
 */
export function alertName(alert) {
  const [device] = alert.devices;
  if (alert.count === 1 && device !== undefined) return deviceName(device);
  return visible(alert.site ?? alert.address ?? t("alert.devices", { n: alert.count }));
}

/**
 * What it is about, for `t` or `words`.
 * @param {Alert} alert
 * @returns {[import("../messages.js").Key, import("../messages.js").Holes]}
 */
export function alertSentence(alert) {
  const time = when(alert.raised_at);
  const name = alertName(alert);
  if (alert.kind === "offline") return ["alert.offline", { name, time }];
  if (alert.kind === "flapping") return ["alert.flapping", { name }];
  if (alert.kind === "webhook") return ["alert.webhook", {}];
  if (alert.kind === "restored") return ["alert.restored", {}];
  if (alert.kind === "notification_queue") return ["alert.notification_queue", {}];
  if (alert.kind === "fleet_offline") return ["alert.fleet", { n: alert.count, time }];
  return alert.site === null
    ? ["alert.address", { n: alert.count, address: alert.address, time }]
    : ["alert.site", { site: visible(alert.site), n: alert.count }];
}

/** Why, as far as is known, and who was notified.
 * @param {Alert} alert
 */
export function alertWhy(alert) {
  const [first] = alert.devices;
  const device = alert.kind === "offline" && alert.cleared_at === null && first !== undefined ? knownDevice(first) : null;
  return paragraph(
    device?.last_address && words("now.last_heard", { address: device.last_address }),
    device && device.queue > 0 && t("now.waiting", { n: device.queue }),
    alert.kind === "site_offline" && alert.address && words("now.behind", { address: alert.address }),
    alert.kind === "flapping" && t("now.flapping"),
    alert.mail_error && words("now.mail_error", { error: visible(alert.mail_error) }),
    !alert.mail_error && alert.mailed_at && t("now.mailed", { time: when(alert.mailed_at) }),
  );
}
