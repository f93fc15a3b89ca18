/** A secret that is shown only now: it is in no address, in no storage, and not in the page after it is closed. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { signal, useSignal } from "@preact/signals";
import { t } from "../messages.js";
import { Button } from "./button.js";
import { Dialog } from "./dialog.js";
import { Field } from "./field.js";

/** Whether a secret is shown: nothing may cover it, not even that the session has ended, as by a new secret of its token. */
export const isSecretShown = signal(false);

/**
 * @param {{title: string, label: string, secret: string, hint?: unknown, onClose: () => void}} props
 */
export function Once({ title, label, secret, hint, onClose }) {
  useEffect(() => {
    isSecretShown.value = true;
    return () => void (isSecretShown.value = false);
  }, []);
  return html`<${Dialog} title=${title} onClose=${onClose} locked>
    <div class="once">
      <p>${t("secret.once")}</p>
      <${Copyable} label=${label} value=${secret} />
      ${hint && html`<p class="small soft">${hint}</p>`}
      <div class="row"><${Button} kind="main" onClick=${onClose}>${t("secret.stored")}<//></div>
    </div>
  <//>`;
}

/**
 * A value with a button that copies it. Pages without TLS have no clipboard: the value is selected.
 * @param {{label: string, value: string}} props
 */
export function Copyable({ label, value }) {
  const said = useSignal("");
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      said.value = t("secret.copied");
    } catch {
      box.current?.querySelector("input")?.select();
      said.value = t("secret.press");
    }
  };
  return html`<div ref=${box} class="form">
    <${Field} label=${label} value=${value} onChange=${() => {}} readonly spellcheck="false" autocomplete="off" class="mono" translate="no" />
    <div class="act"><${Button} icon="copy" onClick=${copy}>${t("act.copy")}<//><span class="said" role="status">${said}</span></div>
  </div>`;
}
