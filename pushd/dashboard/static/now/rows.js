/** The problems of Now, a row each: what, since when, why as far as is known, and the one or two acts that help. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { patch, path, post } from "../api.js";
import { Decide, endpointOf, isOpening } from "../commands/decide.js";
import { ALERT_ICONS, alertKind, alertName, alertSentence, alertWhy } from "../alerts/words.js";
import { Act, Button } from "../components/button.js";
import { Problem } from "../components/problem.js";
import { ApproveDialog } from "../devices/approve.js";
import { MuteDialog } from "../devices/mute.js";
import { clockTime } from "../format.js";
import { deviceName, devicePath } from "../known-devices.js";
import { paragraph, t, words } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";
import { TestAct } from "../webhooks/state.js";

/**
 * @typedef {import("./problems.js").Alert} Alert
 * @typedef {import("./problems.js").CommandSummary} CommandSummary
 * @typedef {import("./problems.js").Device} Device
 * @typedef {import("./problems.js").Rejection} Rejection
 * @typedef {import("./problems.js").Webhook} Webhook
 */

/** A command whose outcome is unknown.
 * @param {{command: CommandSummary, isOver: boolean}} props
 */
export function UnknownRow({ command, isOver }) {
  const name = deviceName(command.device);
  const page = `/commands/${command.id}`;
  const what = isOpening(command)
    ? words("now.did_open", { name })
    : words("now.did_run", { name, endpoint: endpointOf(command) });
  return html`<${Problem}
    icon=${isOpening(command) ? "door" : "commands"}
    kind="doubt"
    what=${html`<a href=${page}>${what}</a>`}
    why=${paragraph(
      command.sent_at === null ? t("now.may_have_run") : words("now.no_answer", { time: clockTime(command.sent_at) }),
      command.created_by && words("now.sent_by", { by: visible(command.created_by) }),
      t("command.once"),
    )}
    since=${command.finished_at}
    isOver=${isOver}
    acts=${html`<${Decide} command=${command} /><a class="btn bare" href=${page}>${t("act.details")}</a>`}
  />`;
}

/** An alert that is open, and that is not acknowledged.
 * @param {{alert: Alert, isOver: boolean}} props
 */
export function AlertRow({ alert, isOver }) {
  const isMuting = useSignal(false);
  const [device] = alert.devices;
  const page = alert.kind === "offline" && device !== undefined ? devicePath(device) : `/alerts/${alert.id}`;
  const acknowledge = async () => void (await post(path`/v1/alerts/${alert.id}/acknowledge`));
  const acts = html`<${Act} run=${acknowledge}>${t("act.acknowledge")}<//>
    ${alert.devices.length > 0 && html`<${Button} kind="bare" icon="mute" onClick=${() => (isMuting.value = true)}>${t("act.mute_dialog")}<//>`}`;
  return html`<${Problem}
      icon=${ALERT_ICONS[alert.kind] ?? "warn"}
      kind=${alertKind(alert)}
      what=${html`<a href=${page}>${words(...alertSentence(alert))}</a>`}
      why=${alertWhy(alert)}
      since=${alert.raised_at}
      isOver=${isOver}
      acts=${can("operator") && acts}
    />
    ${
      isMuting.value &&
      html`<${MuteDialog} devices=${alert.devices} name=${alertName(alert)} onClose=${() => (isMuting.value = false)} />`
    }`;
}

/** A device that waits for approval.
 * @param {{device: Device, isOver: boolean}} props
 */
export function PendingRow({ device, isOver }) {
  const isOpen = useSignal(false);
  const name = html`<span class="mono">${visible(device.facts["serial"] ?? device.id)}</span>`;
  const block = async () => void (await patch(path`/v1/devices/${device.id}`, { admission: "blocked" }));
  return html`<${Problem}
      icon="pending"
      kind="warn"
      what=${html`<a href=${devicePath(device.id)}>${words(device.dialect === "controlid" ? "now.new_reader" : "now.new_container", { name })}</a>`}
      why=${paragraph(
        t("now.compare"),
        device.last_address && words("now.from", { address: device.last_address }),
        device.polling && t("now.polling"),
      )}
      since=${device.created_at}
      isOver=${isOver}
      acts=${
        can("operator") &&
        html`<${Button} onClick=${() => (isOpen.value = true)}>${t("act.approve_dialog")}<//>
        <${Act} kind="bare" class="danger" run=${block}>${t("act.block")}<//>`
      }
    />
    ${isOpen.value && html`<${ApproveDialog} device=${device} onClose=${() => (isOpen.value = false)} />`}`;
}

/** Reasons for which only devices are refused that the server knows. */
const OF_KNOWN = ["missing_proof", "wrong_proof", "address_not_allowed"];

/** Requests that were refused.
 * @param {{rejection: Rejection, isOver: boolean}} props
 */
export function RejectionRow({ rejection, isOver }) {
  const address = rejection.address ?? t("now.no_address");
  const where = rejection.path === null ? "" : html` <span class="mono">${visible(rejection.path)}</span>`;
  return html`<${Problem}
    icon="refused"
    kind="warn"
    what=${html`${words("refused.times", { address, n: rejection.count })}${where}`}
    why=${html`<span lang="en">${rejection.remedy}</span> ${t("refused.by", { node: visible(rejection.node) })}`}
    since=${rejection.first_at}
    isOver=${isOver}
    acts=${rejection.device && OF_KNOWN.includes(rejection.reason) && html`<a class="btn bare" href=${devicePath(rejection.device)}>${t("act.details")}</a>`}
  />`;
}

/** A webhook that fails, or is disabled.
 * @param {{webhook: Webhook, isOver: boolean}} props
 */
export function WebhookRow({ webhook, isOver }) {
  const page = path`/webhooks/${webhook.id}`;
  const isDisabled = webhook.disabled_at !== null;
  return html`<${Problem}
    icon="webhooks"
    kind="warn"
    what=${html`<a href=${page}>${words(isDisabled ? "now.webhook_disabled" : "now.webhook_fails", { url: visible(webhook.url) })}</a>`}
    why=${
      isDisabled
        ? visible(webhook.disabled_reason ?? "")
        : webhook.next_attempt_at && t("now.next_try", { time: clockTime(webhook.next_attempt_at) })
    }
    since=${webhook.disabled_at ?? webhook.failing_since}
    isOver=${isOver}
    acts=${html`<${TestAct} webhook=${webhook} /><a class="btn bare" href=${page}>${t("now.deliveries")}</a>`}
  />`;
}
