/** Short words about something whose place has gone; never about errors. */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { announce } from "../announce.js";
import { t } from "../messages.js";
import { Button } from "./button.js";

const SHOWN = 6000;

/** @typedef {{id: number, text: string, undo?: (() => void) | undefined}} ToastItem */

const toasts = signal(/** @type {ToastItem[]} */ ([]));
let last = 0;

/**
 * @param {string} text
 * @param {() => void} [undo]
 */
export function toast(text, undo) {
  toasts.value = [...toasts.peek(), { id: ++last, text, undo }];
  announce(text);
}

/** @param {number} id */
function dismiss(id) {
  toasts.value = toasts.peek().filter((each) => each.id !== id);
}

/** All that are shown now. */
export function Toasts() {
  return html`<div class="toasts">${toasts.value.map((each) => html`<${Toast} key=${each.id} ...${each} />`)}</div>`;
}

/** @param {ToastItem} props */
function Toast({ id, text, undo }) {
  let timer = 0;
  const start = () => {
    clearTimeout(timer);
    timer = setTimeout(() => dismiss(id), SHOWN);
  };
  const stay = () => clearTimeout(timer);
  useEffect(() => {
    start();
    return stay;
  }, []);
  const onUndo = () => {
    dismiss(id);
    undo?.();
  };
  return html`<div class="toast" onMouseEnter=${stay} onMouseLeave=${start} onFocusIn=${stay} onFocusOut=${start}>
    <span>${text}</span>
    ${undo && html`<${Button} onClick=${onUndo}>${t("act.undo")}<//>`}
    <${Button} icon="cross" label=${t("act.close")} onClick=${() => dismiss(id)} />
  </div>`;
}
