/**
 * Calls of the admin API. The session's cookie goes with each by itself; a call that changes something carries the
 * CSRF token beside it.
 *
 * Types of what it answers are those of the OpenAPI document: `tests/dashboard/test_types.py` makes them of it.
 * @typedef {import("../api-types").components["schemas"]} Schemas
 * @typedef {Schemas["Device"]} Device
 * @typedef {Schemas["Command"]} Command
 * @typedef {Schemas["CommandSummary"]} CommandSummary
 * @typedef {Schemas["Event"]} ApiEvent
 * @typedef {Schemas["Alert"]} Alert
 * @typedef {Schemas["Rejection"]} Rejection
 * @typedef {Schemas["Webhook"]} Webhook
 * @typedef {Schemas["Site"]} Site
 * @typedef {Schemas["Counts"]} Counts
 * @typedef {{pointer: string, detail: string}} FieldError
 * @typedef {Record<string, string | number | boolean | null | undefined | readonly string[]>} Query
 * @typedef {object} CallOptions
 * @property {unknown} [body] sent as JSON
 * @property {string} [json] JSON that is sent as it is: a number beyond 2^53 stays what it is
 * @property {Query} [query] null and undefined are left out, a list repeats its name
 * @property {string} [key] the Idempotency-Key: a repetition with it is the same call
 * @property {AbortSignal} [signal]
 */
import { compareClocks } from "./clock.js";

/** The server refused a call, and said why (RFC 9457). */
export class ApiProblem extends Error {
  /**
   * @param {number} status
   * @param {{type?: string, detail?: string, errors?: FieldError[]}} body
   */
  constructor(status, body) {
    super(body.detail ?? `HTTP ${status}`);
    this.status = status;
    /** A word for programs, such as "device-signed-off". */
    this.type = body.type ?? "";
    /** Which fields are at fault. @type {FieldError[]} */
    this.errors = body.errors ?? [];
  }
}

/** The server did not answer: the call may have arrived, or not. */
export class NotReached extends Error {}

/** What calls need of the session; session.js sets it. */
export const access = {
  csrf: /** @type {string | null} */ (null),
  /**
   * Called when the session has ended; the call is repeated when it returns true.
   * @type {() => Promise<boolean>}
   */
  renew: async () => false,
  /**
   * Called when a change is refused; it is repeated when this returns true, as the CSRF token was that of an older
   * session.
   * @type {() => Promise<boolean>}
   */
  refresh: async () => false,
};

/**
 * Make a call; its answer, read from JSON.
 *
 * When the session has ended, the person logs in again, and the call is made then: it was refused before.
 * @param {string} method
 * @param {string} path below the origin, without query
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 * @throws {ApiProblem | NotReached} or an AbortError, if its signal aborts it
 */
export async function call(method, path, options = {}) {
  for (;;) {
    try {
      return await callOnce(method, path, options);
    } catch (error) {
      if (!(error instanceof ApiProblem) || !(await canRepeat(method, error))) throw error;
    }
  }
}

/**
 * Whether a call that was refused may be made again.
 * @param {string} method
 * @param {ApiProblem} problem
 */
async function canRepeat(method, { status }) {
  if (status === 401) return access.renew();
  return status === 403 && method !== "GET" && access.refresh();
}

/**
 * The same, without a new log-in.
 * @param {string} method
 * @param {string} path
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 */
export async function callOnce(method, path, { body, json, query = {}, key, signal } = {}) {
  const headers = new Headers();
  if (method !== "GET" && access.csrf !== null) headers.set("X-CSRF-Token", access.csrf);
  const content = json ?? (body === undefined ? undefined : JSON.stringify(body));
  if (content !== undefined) headers.set("Content-Type", "application/json");
  if (key !== undefined) headers.set("Idempotency-Key", key);
  const sentAt = Date.now();
  /** @type {RequestInit} */
  const request = { method, headers, signal: signal ?? null, redirect: "error", cache: "no-store" };
  if (content !== undefined) request.body = content;
  const response = await reached(fetch(withQuery(path, query), request));
  compareClocks(response.headers.get("Date"), sentAt);
  const text = await reached(response.text());
  const read = readJson(text);
  if (!response.ok) throw new ApiProblem(response.status, typeof read === "object" && read !== null ? read : {});
  return read;
}

/**
 * @param {string} path
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 */
export function get(path, options) {
  return call("GET", path, options);
}

/**
 * @param {string} path
 * @param {unknown} [body]
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 */
export function post(path, body, options = {}) {
  return call("POST", path, { ...options, body });
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 */
export function patch(path, body, options = {}) {
  return call("PATCH", path, { ...options, body });
}

/**
 * @param {string} path
 * @param {CallOptions} [options]
 * @returns {Promise<any>}
 */
export function remove(path, options) {
  return call("DELETE", path, options);
}

/**
 * An idempotency key: 128 random bits. `crypto.randomUUID` does not exist on pages without TLS.
 */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A path of the API with what names an object in it: path`/v1/devices/${id}`.
 * @param {TemplateStringsArray} strings
 * @param {...string} values
 */
export function path(strings, ...values) {
  return String.raw({ raw: strings }, ...values.map(encodeURIComponent));
}

/**
 * @param {string} path
 * @param {Query} query
 */
export function withQuery(path, query) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) found.append(name, String(each));
  }
  return found.size ? `${path}?${found}` : path;
}

/**
 * @template T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function reached(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new NotReached(String(error));
  }
}

/** @param {string} text */
function readJson(text) {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null; // a proxy's error page
  }
}
