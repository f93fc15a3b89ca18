/**
 * The words of the dashboard, in the chosen language: whole sentences with named holes, in `messages/<language>.js`.
 *
 * A sentence that depends on a number is an object by plural category (`{one, other}`), chosen by the hole `n`.
 */
import { html } from "htm/preact";
import { signal } from "@preact/signals";
import en from "./messages/en.js";
import { load, save } from "./storage.js";
import { isolated } from "./text.js";

/** @typedef {keyof typeof en} Key */
/** @typedef {Record<string, unknown>} Holes */
/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Message */

/** The languages, each by its own name. */
export const LANGUAGES = { en: "English", "pt-BR": "Português (Brasil)", de: "Deutsch" };

/** @typedef {keyof typeof LANGUAGES} Language */

/** @type {Record<Language, () => Promise<{default: Record<Key, Message>}>>} */
const FILES = {
  en: async () => ({ default: en }),
  "pt-BR": () => import("./messages/pt-BR.js"),
  de: () => import("./messages/de.js"),
};

const chosen = signal({ language: /** @type {Language} */ ("en"), texts: /** @type {Record<Key, Message>} */ (en) });

/** The chosen language; a component that reads it is drawn again when it changes. */
export function language() {
  return chosen.value.language;
}

/** The same for `Intl`: English dates have the day first. */
export function locale() {
  return language() === "en" ? "en-GB" : language();
}

/** The language that was chosen here before, or else the first that the browser prefers. */
export function preferredLanguage() {
  const names = [load("language") ?? "", ...navigator.languages];
  for (const name of names) {
    const found = Object.keys(LANGUAGES).find((known) => known.split("-")[0] === name.split("-")[0]);
    if (found !== undefined) return /** @type {Language} */ (found);
  }
  return "en";
}

/**
 * Use a language from now on.
 * @param {Language} name
 */
export async function useLanguage(name) {
  const file = await FILES[name]();
  chosen.value = { language: name, texts: file.default };
  document.documentElement.lang = name;
}

/**
 * Choose a language, also for the next visit.
 * @param {Language} name
 */
export async function chooseLanguage(name) {
  save("language", name);
  await useLanguage(name);
}

/**
 * A sentence as text.
 * @param {Key} key
 * @param {Holes} [holes]
 */
export function t(key, holes = {}) {
  return parts(key, holes)
    .map((part) => (typeof part === "string" ? part : isolated(shown(part.value))))
    .join("");
}

/**
 * A sentence for the page: what fills its holes is isolated from it, and may be elements.
 * @param {Key} key
 * @param {Holes} [holes]
 */
export function words(key, holes = {}) {
  return parts(key, holes).map((part) => {
    if (typeof part === "string") return part;
    return typeof part.value === "object" ? part.value : html`<bdi>${isolated(shown(part.value))}</bdi>`;
  });
}

/**
 * Sentences, one behind another; those that are not there are left out.
 * @param {...unknown} sentences
 * @returns {unknown[]}
 */
export function paragraph(...sentences) {
  return sentences.filter(Boolean).flatMap((sentence, index) => (index ? [" ", sentence] : [sentence]));
}

/**
 * Several parts of a sentence, as a list in the language.
 * @param {string[]} items
 */
export function listed(items) {
  return new Intl.ListFormat(locale(), { type: "conjunction" }).format(items);
}

/**
 * A number in the language.
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export function number(value, options) {
  return new Intl.NumberFormat(locale(), options).format(value);
}

/**
 * @param {Key} key
 * @param {Holes} holes
 * @returns {(string | {value: unknown})[]}
 */
function parts(key, holes) {
  const { language: name, texts } = chosen.value;
  const message = texts[key] ?? en[key];
  const text = typeof message === "string" ? message : plural(name, message, Number(holes["n"]));
  return text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? { value: holes[part] ?? "" } : part));
}

/**
 * @param {string} name
 * @param {Partial<Record<Intl.LDMLPluralRule, string>>} forms
 * @param {number} n
 */
function plural(name, forms, n) {
  return forms[new Intl.PluralRules(name).select(n)] ?? forms.other ?? "";
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === "number" ? number(value) : value;
}
