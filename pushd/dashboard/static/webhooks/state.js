/** Whether a webhook delivers, and the test that shows what its receiver answers. */
import { html } from "htm/preact";
import { path, post } from "../api.js";
import { Act } from "../components/button.js";
import { duration, when } from "../format.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";
import { visible } from "../text.js";

/** @typedef {import("../api.js").Webhook} Webhook */

/** @param {{webhook: Pick<Webhook, "disabled_at" | "failing_since">}} props */
export function WebhookState({ webhook }) {
  const [kind, icon, text] = look(webhook);
  return html`<span class=${`pill ${kind}`}><${Icon} name=${icon} />${text}</span>`;
}

/**
 * @param {Pick<Webhook, "disabled_at" | "failing_since">} webhook
 * @returns {[string, import("../icons.js").IconName, string]}
 */
function look({ disabled_at: disabled, failing_since: failing }) {
  if (disabled !== null) return ["bad", "refused", t("webhooks.disabled", { time: when(disabled) })];
  if (failing !== null) return ["warn", "warn", t("webhooks.failing", { time: when(failing) })];
  return ["ok", "check", t("webhooks.delivers")];
}

/** Send a test message; what the receiver answered is said in its place.
 * @param {{webhook: Webhook, onTested?: () => void}} props
 */
export function TestAct({ webhook, onTested }) {
  const test = async () => {
    const { status, duration: seconds, error } = await post(path`/v1/webhooks/${webhook.id}/test`);
    onTested?.();
    if (status === null) return visible(error ?? "");
    const answered = t("now.tested", { status, duration: duration(seconds) });
    return error ? `${answered}: ${visible(error)}` : answered;
  };
  return html`<${Act} run=${test}>${t("act.test")}<//>`;
}
