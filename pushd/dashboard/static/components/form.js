/** A form for the parameters of an endpoint of the catalogue: it shows JSON, and writes it. */
import { html } from "htm/preact";
import { t } from "../messages.js";
import { Field } from "./field.js";
import { isCovered, readPath, writePath } from "./form-paths.js";

/**
 * @typedef {{name: string, type: string, required: boolean, meaning: string, values: readonly unknown[] | null}} Parameter
 */

/**
 * Whether a form shows all that a body has; if not, its JSON is in charge.
 * @param {readonly Parameter[]} schema
 * @param {unknown} value
 */
export function canShow(schema, value) {
  const empty = value === undefined || value === null || Object.keys(/** @type {object} */ (value)).length === 0;
  return (
    empty ||
    isCovered(
      value,
      leaves(schema).map((parameter) => parameter.name),
    )
  );
}

/**
 * @param {{schema: readonly Parameter[], value: unknown, onChange: (value: unknown) => void, errors?: Record<string, string>}} props
 *   errors: by the name of the parameter
 */
export function Form({ schema, value, onChange, errors = {} }) {
  return html`<div class="form">
    ${leaves(schema).map(
      (parameter) => html`<${ParameterField}
        key=${parameter.name}
        parameter=${parameter}
        value=${readPath(value, parameter.name)}
        error=${errors[parameter.name]}
        onChange=${(/** @type {unknown} */ member) => onChange(writePath(value, parameter.name, member))}
      />`,
    )}
  </div>`;
}

/** Those that have no parts of their own.
 * @param {readonly Parameter[]} schema
 */
function leaves(schema) {
  return schema.filter(
    ({ name }) => !schema.some((other) => other.name.startsWith(`${name}[]`) || other.name.startsWith(`${name}.`)),
  );
}

/**
 * @param {{parameter: Parameter, value: unknown, error?: string, onChange: (value: unknown) => void}} props
 */
function ParameterField({ parameter, value, error, onChange }) {
  const label = parameter.required ? parameter.name : t("form.optional", { name: parameter.name });
  const shared = { label, hint: parameter.meaning, error };
  const choices = parameter.values ?? (parameter.type === "boolean" ? [true, false] : null);
  if (choices !== null) {
    const options = [["", "–"], ...choices.map((each) => [JSON.stringify(each), String(each)])];
    const chosen = value === undefined ? "" : JSON.stringify(value);
    return html`<${Field} ...${shared} type="select" options=${options} value=${chosen} onChange=${(/** @type {string} */ text) => onChange(text === "" ? undefined : JSON.parse(text))} />`;
  }
  return html`<${Field}
    ...${shared}
    value=${asText(value)}
    onChange=${(/** @type {string} */ text) => onChange(fromText(text, parameter.type))}
    spellcheck="false"
  />`;
}

/**
 * A value as the text of a field.
 * @param {unknown} value
 */
export function asText(value) {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * The value that a text means: a string where only that is taken, else JSON if it is JSON.
 * @param {string} text
 * @param {string} type such as "integer" or "object|string"
 */
export function fromText(text, type) {
  if (text === "") return undefined;
  if (type === "string") return text;
  try {
    const value = JSON.parse(text);
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value; // it would become another number
  } catch {
    return text;
  }
}
