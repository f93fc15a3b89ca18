/** A dialog, above everything else; it closes by Escape and by a click outside, unless it is locked. */
import { html } from "htm/preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../messages.js";
import { Button } from "./button.js";

/**
 * @param {{title: unknown, onClose: () => void, locked?: boolean, class?: string, children: unknown}} props
 *   locked: only its own buttons close it
 */
export function Dialog({ title, onClose, locked = false, class: name = "", children }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const onCancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!locked) onClose();
  };
  const onClick = (/** @type {MouseEvent} */ event) => {
    if (event.target === element.current && !locked) onClose();
  };
  return html`<dialog ref=${element} class=${name} aria-labelledby=${id} onCancel=${onCancel} onClick=${onClick}>
    <header>
      <h2 id=${id}>${title}</h2>
      ${!locked && html`<${Button} kind="bare" icon="cross" label=${t("act.close")} onClick=${onClose} />`}
    </header>
    <div class="body">${children}</div>
  </dialog>`;
}
