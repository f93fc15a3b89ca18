/** How a device proves that it is the one it says: secrets and keys are made here, and shown once. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { ApiProblem, patch, path, post } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Field, errorsByField } from "../components/field.js";
import { Once } from "../components/once.js";
import { Card } from "../components/page.js";
import { duration } from "../format.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {"secret" | "api_key"} Kind
 */

/** Seconds for which the old one may stay valid. */
const OVERLAPS = [0, 3600, 86400, 604800];

/** @param {{device: Device, onChanged: () => void}} props */
export function ProofCard({ device, onChanged }) {
  const asked = useSignal(/** @type {Kind | "allow_from" | null} */ (null));
  const close = () => {
    asked.value = null;
    onChanged();
  };
  const has = (/** @type {Kind} */ kind) => device.proof.includes(kind);
  const button = (/** @type {Kind} */ kind) => html`<${Button} onClick=${() => (asked.value = kind)}>${has(kind) ? t(`proof.replace_${kind}`) : t(`proof.make_${kind}`)}<//>`;
  return html`<${Card} title=${t("proof.title")}>
    <div class="pad form">
      <${Present} device=${device} />
      ${can("admin") &&
      html`<div class="row">
        ${button("secret")} ${device.dialect === "servereye" && button("api_key")}
        <${Button} kind="bare" onClick=${() => (asked.value = "allow_from")}>${t("proof.addresses")}<//>
      </div>`}
    </div>
    ${asked.value === "allow_from" && html`<${AddressesDialog} device=${device} onClose=${close} />`}
    ${asked.value !== null && asked.value !== "allow_from" && html`<${MakeDialog} device=${device} kind=${asked.value} isNew=${!has(asked.value)} onClose=${close} />`}
  <//>`;
}

/** What it has, or what follows from having none.
 * @param {{device: Device}} props
 */
function Present({ device }) {
  if (device.proof.length === 0) {
    return html`<div class="note"><${Icon} name="lock" /><p><b>${t("proof.none")}</b> ${t("proof.none_more")}</p></div>`;
  }
  return html`<ul class="form small">
    ${device.proof.includes("secret") && html`<li>${t("proof.has_secret")}</li>`}
    ${device.proof.includes("api_key") && html`<li>${t("proof.has_api_key")}</li>`}
    ${device.allow_from.length > 0 && html`<li>${t("proof.has_addresses")} ${device.allow_from.map((each) => html`<bdi class="mono">${visible(each)}</bdi> `)}</li>`}
  </ul>`;
}

/**
 * Make a secret or a key; what it replaces may stay valid for a while. It is in no address, and not in the page after the
 * dialog is closed.
 * @param {{device: Device, kind: Kind, isNew: boolean, onClose: () => void}} props
 */
function MakeDialog({ device, kind, isNew, onClose }) {
  const made = useSignal("");
  const overlap = useSignal(isNew ? "0" : "3600");
  const act = useAct(async () => {
    const call = kind === "secret" ? path`/v1/devices/${device.id}/secret` : path`/v1/devices/${device.id}/api-key`;
    const answer = await post(call, undefined, { query: { overlap: overlap.value } });
    made.value = kind === "secret" ? answer.path : answer.key;
  });
  if (made.value) {
    const hint = kind === "secret" ? t("proof.secret_hint") : t("proof.key_hint");
    return html`<${Once} title=${t(`proof.new_${kind}`)} label=${t(`proof.label_${kind}`)} secret=${made.value} hint=${hint} onClose=${onClose} />`;
  }
  return html`<${Dialog} title=${isNew ? t(`proof.make_${kind}`) : t(`proof.replace_${kind}`)} onClose=${onClose}>
    <p>${t(`proof.what_${kind}`)}</p>
    ${!isNew &&
    html`<${Field}
      type="select"
      label=${t("proof.overlap")}
      value=${overlap.value}
      options=${OVERLAPS.map((each) => [String(each), each === 0 ? t("proof.at_once") : duration(each)])}
      onChange=${(/** @type {string} */ value) => (overlap.value = value)}
    />`}
    <div class="act"><${Button} kind="main" busy=${act.busy} onClick=${act.start}>${t("proof.make")}<//><${Outcome} act=${act} /></div>
  <//>`;
}

/** The networks from which it may connect.
 * @param {{device: Device, onClose: () => void}} props
 */
function AddressesDialog({ device, onClose }) {
  const text = useSignal(device.allow_from.join("\n"));
  const error = useSignal("");
  const act = useAct(async () => {
    error.value = "";
    try {
      await patch(path`/v1/devices/${device.id}`, { allow_from: text.value.split(/[\s,]+/).filter(Boolean) });
    } catch (fault) {
      if (!(fault instanceof ApiProblem) || fault.errors.length === 0) throw fault;
      error.value = Object.values(errorsByField(fault.errors, ["allow_from"])).join(" ");
      return;
    }
    onClose();
  });
  return html`<${Dialog} title=${t("proof.addresses")} onClose=${onClose}>
    <${Field}
      type="textarea"
      class="code"
      rows="4"
      spellcheck="false"
      label=${t("proof.networks")}
      hint=${t("proof.networks_hint")}
      error=${error.value}
      value=${text.value}
      onChange=${(/** @type {string} */ value) => (text.value = value)}
    />
    <div class="act"><${Button} kind="main" busy=${act.busy} onClick=${act.start}>${t("act.save")}<//><${Outcome} act=${act} /></div>
  <//>`;
}
