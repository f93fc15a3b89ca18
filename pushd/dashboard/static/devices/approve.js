/** Let a device in: its serial number is compared with the label, and what an operator knows of it is written down. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { ApiProblem, patch, path, post } from "../api.js";
import { announce } from "../announce.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Field } from "../components/field.js";
import { t } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";
import { DeviceFields, useDeviceFields } from "./device-fields.js";

/** @typedef {import("../api.js").Device} Device */

/**
 * @param {{device: Device, onClose: () => void}} props
 */
export function ApproveDialog({ device, onClose }) {
  const fields = useDeviceFields(device);
  const mustAsk = useSignal(device.dialect === "controlid");
  const act = useAct(async () => {
    fields.errors.value = {};
    try {
      await patch(path`/v1/devices/${device.id}`, { admission: "approved", ...(can("admin") && fields.changes()) });
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.errors.length === 0) throw error;
      fields.refuse(error.errors);
      return;
    }
    if (mustAsk.value) await askModel(device);
    announce(t("approve.done", { name: fields.typed.peek().name || device.id }));
    onClose();
  });
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void act.start();
  };
  return html`<${Dialog} title=${t("approve.title")} onClose=${onClose}>
    <form class="form" onSubmit=${onSubmit} novalidate>
      <p class="soft">${t("approve.compare")}</p>
      <p class="serial">${visible(device.facts["serial"] ?? device.id.replace(/^\w+:/, ""))}</p>
      ${can("admin") && html`<${DeviceFields} fields=${fields} autofocus />`}
      ${device.dialect === "controlid" &&
      html`<${Field} type="check" label=${t("approve.ask")} hint=${t("approve.ask_hint")} value=${mustAsk.value} onChange=${(/** @type {boolean} */ value) => (mustAsk.value = value)} />`}
      <div class="act"><${Button} kind="main" type="submit" busy=${act.busy}>${t("act.approve")}<//><${Outcome} act=${act} /></div>
    </form>
  <//>`;
}

/** Have the device say what it is; that this fails is no fault of the approval.
 * @param {Device} device
 */
async function askModel(device) {
  try {
    await post(path`/v1/devices/${device.id}/commands`, { payload: { endpoint: "system_information" } });
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
  }
}
