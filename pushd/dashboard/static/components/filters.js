/** Filters of a list; their values are the query of the address. */
import { html } from "htm/preact";
import { changeQuery } from "../route.js";

/**
 * @typedef {object} Filter
 * @property {string} name in the query
 * @property {string} label
 * @property {readonly (readonly [value: string, text: string, count?: number])[]} [options] "" is all
 * @property {"chips" | "select" | "text"} kind
 */

/**
 * @param {{fields: readonly Filter[], query: URLSearchParams, label: string}} props
 *   a change goes to the first page
 */
export function Filters({ fields, query, label }) {
  return html`<div class="filters" role="group" aria-label=${label}>
    ${fields.map((field) => {
      const value = query.get(field.name) ?? "";
      const set = (/** @type {string} */ next) => changeQuery({ [field.name]: next || null, cursor: null });
      return html`<${KINDS[field.kind]} key=${field.name} field=${field} value=${value} set=${set} />`;
    })}
  </div>`;
}

/** @typedef {{field: Filter, value: string, set: (value: string) => void}} OneProps */

/** @param {OneProps} props */
function Chips({ field, value, set }) {
  return field.options?.map(
    ([each, text, count]) => html`<button type="button" class="chip" aria-pressed=${String(each === value)} onClick=${() => set(each)}>
      ${text}${count !== undefined && html` <b>${count}</b>`}
    </button>`,
  );
}

/** @param {OneProps} props */
function Select({ field, value, set }) {
  const onChange = (/** @type {Event} */ event) => set(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`<select class="flat" aria-label=${field.label} value=${value} onChange=${onChange}>
    ${field.options?.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}
  </select>`;
}

/** @param {OneProps} props */
function Text({ field, value, set }) {
  const onChange = (/** @type {Event} */ event) => set(/** @type {HTMLInputElement} */ (event.target).value.trim());
  return html`<input type="search" aria-label=${field.label} placeholder=${field.label} value=${value} onChange=${onChange} />`;
}

const KINDS = { chips: Chips, select: Select, text: Text };
