/** A dialog with a form whose fields are those of a body of the API: what is wrong with one is said at it. */
import { html } from "htm/preact";
import { useId, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ApiProblem } from "../api.js";
import { Button, Outcome, useAct } from "./button.js";
import { Dialog } from "./dialog.js";
import { Field, errorsByField } from "./field.js";

/**
 * @typedef {Record<string, any>} Values by the names of the fields
 * @typedef {object} FormField
 * @property {string} name as the API has it
 * @property {string} label
 * @property {string} [hint]
 * @property {import("./field.js").FieldProps["type"] | "checks"} [type] checks: a list of which some are chosen
 * @property {readonly (readonly [value: string, text: string])[]} [options]
 * @property {Record<string, unknown>} [control] attributes of the control
 */

/**
 * @template T
 * @param {object} props
 * @param {string} props.title
 * @param {unknown} [props.text] above the fields
 * @param {(values: Values) => readonly FormField[]} props.fields which there are may depend on what is chosen
 * @param {Values} props.initial
 * @param {string} props.submit what the button says
 * @param {(values: Values, key: string) => Promise<T>} props.run
 * @param {(result: T) => void} props.onDone
 * @param {() => void} props.onClose
 */
export function FormDialog({ title, text, fields, initial, submit, run, onDone, onClose }) {
  const values = useSignal(initial);
  const errors = useSignal(/** @type {Record<string, string>} */ ({}));
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const shown = fields(values.value);
  const act = useAct(async (key) => {
    errors.value = {};
    try {
      onDone(await run(values.peek(), key));
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.errors.length === 0) throw error;
      errors.value = errorsByField(error.errors, shown.map((field) => field.name));
      requestAnimationFrame(() => focusFault(form.current));
    }
  });
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void act.start();
  };
  const set = (/** @type {string} */ name) => (/** @type {unknown} */ value) => (values.value = { ...values.peek(), [name]: value });
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form ref=${form} class="form" onSubmit=${onSubmit} novalidate>
      ${text && html`<p class="soft small">${text}</p>`}
      ${shown.map(({ name, type, control, ...field }, index) =>
        type === "checks"
          ? html`<${Checks} key=${name} ...${field} value=${values.value[name]} onChange=${set(name)} />`
          : html`<${Field} key=${name} ...${field} ...${control} type=${type} value=${values.value[name]} error=${errors.value[name]} onChange=${set(name)} autofocus=${index === 0} />`,
      )}
      ${errors.value[""] && html`<p class="bad small" role="alert">${errors.value[""]}</p>`}
      <div class="act"><${Button} kind="main" type="submit" busy=${act.busy}>${submit}<//><${Outcome} act=${act} /></div>
    </form>
  <//>`;
}

/** @param {HTMLElement | null} form */
function focusFault(form) {
  const control = form?.querySelector("[aria-invalid=true]");
  if (control instanceof HTMLElement) control.focus();
}

/** @param {{label: string, hint?: string, options?: FormField["options"], value: readonly string[], onChange: (value: string[]) => void}} props */
function Checks({ label, hint, options = [], value, onChange }) {
  const id = useId();
  const toggle = (/** @type {string} */ each) => onChange(value.includes(each) ? value.filter((other) => other !== each) : [...value, each]);
  return html`<fieldset class="field" aria-describedby=${hint ? id : null}>
    <legend>${label}</legend>
    ${hint && html`<p class="hint" id=${id}>${hint}</p>`}
    <div class="checks">
      ${options.map(([each, text]) => html`<label class="mono"><input type="checkbox" checked=${value.includes(each)} onChange=${() => toggle(each)} />${text}</label>`)}
    </div>
  </fieldset>`;
}

/**
 * A question before something that cannot be undone.
 * @param {{title: string, text: string, submit: string, run: (key: string) => Promise<unknown>, onDone: () => void, onClose: () => void}} props
 */
export function ConfirmDialog({ title, text, submit, run, onDone, onClose }) {
  const act = useAct(async (key) => {
    await run(key);
    onDone();
  });
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p class="soft">${text}</p>
    <div class="act"><${Button} class="danger" busy=${act.busy} onClick=${act.start}>${submit}<//><${Outcome} act=${act} /></div>
  <//>`;
}

/**
 * The lines of a text, without empty ones.
 * @param {string} text
 */
export function linesOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}
