/**
 * The payload of a command as JSON that a person writes, and as a form for it: the JSON is what there is, the form shows
 * it and writes it. What a form cannot show leaves the JSON in charge.
 *
 * @typedef {import("../components/form.js").Parameter} Parameter
 * @typedef {object} Item an endpoint of the catalogue
 * @property {string} name
 * @property {"read" | "write" | "act"} class
 * @property {string} summary
 * @property {readonly Parameter[]} parameters
 * @property {number} ttl
 * @property {Record<string, any>} example
 *
 * @typedef {object} Draft
 * @property {Record<string, unknown> | null} payload null: the text is no JSON object
 * @property {Item | null} item what of the catalogue it calls
 * @property {unknown} value what the form shows: the parameters
 * @property {boolean} isShown whether the form shows all of it
 */
import { canShow, fromText } from "../components/form.js";
import { readJson } from "../components/json.js";

/** Members of a payload beside what has the parameters. */
const ENVELOPE = ["verb", "endpoint", "contentType", "queryString", "body"];

/** A number with so many digits may not fit into one of JavaScript, which a form would change. */
const LONG_NUMBER = /(?<!["\w.])-?\d{16,}/;

/**
 * The text with which a command begins.
 * @param {Item} item
 */
export function textOf(item) {
  return pretty(item.example);
}

/**
 * @param {string} text
 * @param {readonly Item[]} items of the catalogue
 * @returns {Draft}
 */
export function readDraft(text, items) {
  const { value: payload } = readJson(text);
  if (payload === null || typeof payload !== "object" || Array.isArray(payload)) {
    return { payload: null, item: null, value: undefined, isShown: false };
  }
  const members = /** @type {Record<string, unknown>} */ (payload);
  const name = members["endpoint"] ?? members["control"];
  const item = members["transactions"] === undefined ? items.find((each) => each.name === name) ?? null : null;
  if (item === null) return { payload: members, item, value: undefined, isShown: false };
  const value = readValue(members, item);
  return { payload: members, item, value, isShown: canShow(item.parameters, value) && isPlain(members, item) && !LONG_NUMBER.test(text) };
}

/**
 * The text when the form has changed what it shows.
 * @param {Draft} draft
 * @param {unknown} value
 */
export function withValue({ payload, item }, value) {
  if (payload === null || item === null) return "";
  switch (placeOf(item)) {
    case "":
      return pretty({ control: payload["control"], .../** @type {object} */ (value ?? {}) });
    case "queryString":
      return pretty({ ...payload, queryString: String(new URLSearchParams(Object.entries(value ?? {}).map(([name, each]) => [name, queryText(each)]))) });
    default: {
      const { body, ...rest } = payload;
      return pretty(value === undefined ? rest : { ...rest, body: value });
    }
  }
}

/**
 * Where the parameters of an endpoint stand: "" is the payload itself.
 * @param {Item} item
 * @returns {"" | "body" | "queryString"}
 */
function placeOf({ example }) {
  if (example["control"] !== undefined) return "";
  return example["queryString"] === undefined ? "body" : "queryString";
}

/**
 * @param {Record<string, unknown>} payload
 * @param {Item} item
 */
function readValue(payload, item) {
  const place = placeOf(item);
  if (place === "body") return payload["body"];
  if (place === "") {
    const { control, ...rest } = payload;
    return rest;
  }
  const types = new Map(item.parameters.map(({ name, type }) => [name, type]));
  const pairs = [...new URLSearchParams(String(payload["queryString"] ?? ""))];
  return Object.fromEntries(pairs.map(([name, text]) => [name, fromQuery(text, types.get(name) ?? "string")]));
}

/**
 * Whether beside its parameters a payload has only what the form leaves as it is.
 * @param {Record<string, unknown>} payload
 * @param {Item} item
 */
function isPlain(payload, item) {
  const place = placeOf(item);
  if (place === "") return true;
  const isText = place === "body" || typeof (payload["queryString"] ?? "") === "string";
  return isText && Object.keys(payload).every((name) => ENVELOPE.includes(name));
}

/**
 * @param {string} text
 * @param {string} type
 */
function fromQuery(text, type) {
  if (type === "boolean") return text === "1" || text === "true";
  return fromText(text, type);
}

/** @param {unknown} value */
function queryText(value) {
  if (typeof value === "boolean") return value ? "1" : "0";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** @param {unknown} payload */
function pretty(payload) {
  return JSON.stringify(payload, null, 2);
}
