/** JSON that a person writes: a text area, and where it is wrong. */
import { html } from "htm/preact";
import { t } from "../messages.js";
import { Field } from "./field.js";

/**
 * Read JSON; where it is wrong, the line is said.
 * @param {string} text
 * @returns {{value: unknown, error: null} | {value: undefined, error: string}}
 */
export function readJson(text) {
  try {
    return { value: JSON.parse(text), error: null };
  } catch (error) {
    const line = lineOf(text, String(error));
    return { value: undefined, error: line === null ? t("json.wrong") : t("json.wrong_line", { line }) };
  }
}

/**
 * The line that a browser's message is about, counted from 1; null: it does not say.
 * @param {string} text
 * @param {string} message
 */
function lineOf(text, message) {
  const line = /line (\d+)/.exec(message);
  if (line) return Number(line[1]);
  const position = /position (\d+)/.exec(message);
  if (position) return text.slice(0, Number(position[1])).split("\n").length;
  return /end of JSON|unterminated/i.test(message) ? text.split("\n").length : null;
}

/**
 * @param {{label: string, value: string, onChange: (text: string) => void, error?: string, rows?: number}} props
 */
export function Json({ label, value, onChange, error = "", rows = 10 }) {
  const fault = error || (value.trim() === "" ? "" : readJson(value).error) || undefined;
  return html`<${Field}
    type="textarea"
    class="code"
    label=${label}
    value=${value}
    onChange=${onChange}
    error=${fault}
    rows=${rows}
    spellcheck="false"
    translate="no"
  />`;
}
