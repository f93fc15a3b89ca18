/** A field of a form: its label, a hint, and what is wrong with it, which is read with it. */
import { html } from "htm/preact";
import { useId } from "preact/hooks";
import { Icon } from "../icons.js";

/**
 * @typedef {object} FieldProps
 * @property {string} label
 * @property {string} [hint]
 * @property {string} [error]
 * @property {"text" | "number" | "password" | "search" | "datetime-local" | "textarea" | "select" | "check"} [type]
 * @property {readonly (readonly [value: string, text: string])[]} [options] of a select
 * @property {string | boolean} value
 * @property {(value: any) => void} onChange gets the text, or whether it is checked
 */

/** @param {FieldProps & Record<string, unknown>} props others go to the control */
export function Field({ label, hint, error, type = "text", options = [], value, onChange, ...rest }) {
  const id = useId();
  const shared = {
    ...rest,
    id,
    "aria-describedby": hint || error ? `${id}-about` : null,
    "aria-invalid": error ? "true" : null,
  };
  const isCheck = type === "check";
  const control = controlOf(type, { shared, options, value, onChange });
  return html`<div class=${`field ${isCheck ? "check" : ""}`}>
    ${isCheck && control}
    <label for=${id}>${label}</label>
    ${!isCheck && control}
    ${
      (hint || error) &&
      html`<div id=${`${id}-about`}>
      ${hint && html`<p class="hint">${hint}</p>`}
      ${error && html`<p class="fault"><${Icon} name="warn" />${error}</p>`}
    </div>`
    }
  </div>`;
}

/**
 * @param {NonNullable<FieldProps["type"]>} type
 * @param {{shared: Record<string, unknown>} & Required<Pick<FieldProps, "options" | "value" | "onChange">>} props
 */
function controlOf(type, { shared, options, value, onChange }) {
  const onText = (/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).value);
  if (type === "textarea") return html`<textarea ...${shared} value=${value} onInput=${onText} />`;
  if (type === "select") {
    return html`<select ...${shared} value=${value} onChange=${onText}>
      ${options.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}
    </select>`;
  }
  if (type === "check") {
    const onCheck = (/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).checked);
    return html`<input ...${shared} type="checkbox" checked=${value === true} onChange=${onCheck} />`;
  }
  return html`<input ...${shared} type=${type} value=${value} onInput=${onText} />`;
}

/**
 * Which field is at fault, by the JSON pointers of a 422; what no field has, stands under "".
 * @param {readonly {pointer: string, detail: string}[]} errors
 * @param {readonly string[]} fields pointers without "#/", such as "facts/model"
 * @returns {Record<string, string>}
 */
export function errorsByField(errors, fields) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const { pointer, detail } of errors) {
    const path = pointer.replace(/^#?\/?/, "");
    const field = fields.find((each) => path === each || path.startsWith(`${each}/`)) ?? "";
    found[field] = found[field] ? `${found[field]} ${detail}` : detail;
  }
  return found;
}
