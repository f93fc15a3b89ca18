/** What can be done with the devices that are selected, one request each, with progress and Stop. */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { patch, path } from "../api.js";
import { announce } from "../announce.js";
import { Button } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Field } from "../components/field.js";
import { actFault } from "../faults.js";
import { t } from "../messages.js";
import { can, session } from "../session.js";
import { forAll } from "./bulk.js";
import { MuteDialog } from "./mute.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {"approve" | "mute" | "tag" | "site"} Name
 */

/**
 * @param {{devices: readonly Device[], onClear: () => void, onChanged: () => void}} props those that are selected
 */
export function SelectionBar({ devices, onClear, onChanged }) {
  const asked = useSignal(/** @type {Name | null} */ (null));
  const progress = useSignal(/** @type {{done: number, all: number} | null} */ (null));
  const said = useSignal("");
  const abort = useRef(new AbortController());
  const run = async (/** @type {(device: Device) => object} */ changes) => {
    asked.value = null;
    abort.current = new AbortController();
    progress.value = { done: 0, all: devices.length };
    const found = await forAll(devices, (device) => patch(path`/v1/devices/${device.id}`, changes(device)), {
      signal: abort.current.signal,
      onProgress: (done) => (progress.value = { done, all: devices.length }),
    });
    const failure = found.failures[0];
    const why = failure && actFault(failure.error, session.peek()?.role).text;
    said.value = [t("bulk.done", { n: found.done }), failure && t("bulk.failed", { n: found.failures.length, why })].filter(Boolean).join(" ");
    progress.value = null;
    announce(said.value);
    onChanged();
  };
  const ask = (/** @type {Name} */ name) => () => (asked.value = name);
  const close = () => (asked.value = null);
  const pending = devices.filter((device) => device.admission === "pending");
  if (progress.value !== null) {
    return html`<div class="selection" role="group" aria-label=${t("bulk.label")}>
      <span>${t("bulk.progress", { n: progress.value.done, all: progress.value.all })}</span>
      <${Button} onClick=${() => abort.current.abort()}>${t("act.stop")}<//>
    </div>`;
  }
  return html`<div class="selection" role="group" aria-label=${t("bulk.label")}>
      <span>${said.value || t("bulk.selected", { n: devices.length })}</span>
      ${pending.length === devices.length && html`<${Button} onClick=${() => run(() => ({ admission: "approved" }))}>${t("act.approve")}<//>`}
      <${Button} onClick=${ask("mute")}>${t("act.mute_dialog")}<//>
      ${can("admin") && html`<${Button} onClick=${ask("tag")}>${t("bulk.tag")}<//><${Button} onClick=${ask("site")}>${t("bulk.site")}<//>`}
      <${Button} kind="bare" onClick=${onClear}>${t("act.clear")}<//>
    </div>
    ${asked.value === "mute" && html`<${MuteDialog} devices=${devices.map((device) => device.id)} name=${t("alert.devices", { n: devices.length })} onClose=${close} />`}
    ${asked.value === "tag" && html`<${TextDialog} title=${t("bulk.tag_title", { n: devices.length })} label=${t("bulk.tag_label")} onClose=${close} onText=${(/** @type {string} */ tag) => run((device) => ({ tags: [...new Set([...device.tags, tag])] }))} />`}
    ${asked.value === "site" && html`<${TextDialog} title=${t("bulk.site_title", { n: devices.length })} label=${t("device.site")} onClose=${close} onText=${(/** @type {string} */ site) => run(() => ({ site }))} />`}`;
}

/** @param {{title: string, label: string, onClose: () => void, onText: (text: string) => void}} props */
function TextDialog({ title, label, onClose, onText }) {
  const text = useSignal("");
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (text.value.trim()) onText(text.value.trim());
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="form" onSubmit=${onSubmit} novalidate>
      <${Field} label=${label} value=${text.value} autofocus onChange=${(/** @type {string} */ value) => (text.value = value)} />
      <div class="act"><${Button} kind="main" type="submit">${t("act.save")}<//></div>
    </form>
  <//>`;
}
