/** States: each has a colour, a shape and a word; the colour is never alone. */
import { html } from "htm/preact";
import { Icon } from "../icons.js";
import { t } from "../messages.js";

/** @typedef {[kind: string, icon: import("../icons.js").IconName, word: import("../messages.js").Key]} Look */

/** @type {Record<string, Look>} */
export const LOOKS = {
  online: ["ok", "online", "presence.online"],
  offline: ["bad", "offline", "presence.offline"],
  signed_off: ["calm", "signed_off", "presence.signed_off"],
  never_seen: ["calm", "pending", "presence.never_seen"],
  pending: ["warn", "pending", "admission.pending"],
  blocked: ["calm", "refused", "admission.blocked"],
  queued: ["busy", "clock", "state.queued"],
  sent: ["busy", "sent", "state.sent"],
  acknowledged: ["busy", "sent", "state.acknowledged"],
  succeeded: ["ok", "check", "state.succeeded"],
  failed: ["bad", "cross", "state.failed"],
  expired: ["calm", "clock", "state.expired"],
  cancelled: ["calm", "cross", "state.cancelled"],
  unknown: ["doubt", "unknown", "state.unknown"],
};

/**
 * The state of a device: its admission, until it is approved; then its presence.
 * @param {{admission: string, presence: string}} device
 */
export function stateOf(device) {
  return device.admission === "approved" ? device.presence : device.admission;
}

/**
 * A state: its icon and its word.
 * @param {{kind: string, word?: "shown" | "hidden", bare?: boolean}} props word hidden: for screen readers only
 */
export function Status({ kind, word = "shown", bare = false }) {
  const [colour, icon, key] = LOOKS[kind] ?? /** @type {Look} */ (["calm", "unknown", "state.unknown"]);
  const text = t(key);
  if (word === "hidden") {
    return html`<span class=${colour} title=${text}><${Icon} name=${icon} /><span class="sr">${text}</span></span>`;
  }
  return html`<span class=${`pill ${colour} ${bare ? "bare" : ""}`}><${Icon} name=${icon} />${text}</span>`;
}
