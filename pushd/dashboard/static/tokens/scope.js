/** Scopes of tokens and people: in words, and as fields of a form. */
import { linesOf } from "../components/form-dialog.js";
import { deviceName } from "../known-devices.js";
import { listed, t } from "../messages.js";
import { visible } from "../text.js";

/**
 * @typedef {{devices: readonly string[] | null, sites: readonly string[] | null, tags: readonly string[] | null, endpoints: readonly string[] | null}} Scope
 * @typedef {import("../components/form-dialog.js").Values} Values
 */

/** @type {readonly (keyof Scope)[]} */
const SELECTORS = ["devices", "sites", "tags", "endpoints"];

/** More devices than this are counted, not named. */
const NAMED = 3;

/**
 * @param {Scope} scope
 * @returns {string}
 */
export function scopeInWords({ devices, sites, tags, endpoints }) {
  const shown = (/** @type {readonly string[]} */ names) => listed(names.map(visible));
  const parts = [
    devices && (devices.length > NAMED ? t("alert.devices", { n: devices.length }) : listed(devices.map(deviceName))),
    sites && shown(sites),
    tags && tags.length > 0 && t("scope.tags", { tags: shown(tags) }),
  ].filter(Boolean);
  const isNone = devices?.length === 0 || sites?.length === 0 || endpoints?.length === 0;
  const which = isNone ? t("scope.none") : parts.join(" · ") || t("scope.all");
  return endpoints && !isNone ? t("scope.only", { which, endpoints: shown(endpoints) }) : which;
}

/**
 * The fields of a scope; a role that takes none has none.
 * @param {string} role
 * @returns {import("../components/form-dialog.js").FormField[]}
 */
export function scopeFields(role) {
  if (role === "admin") return [];
  const names = role === "device" ? SELECTORS.slice(0, 3) : SELECTORS;
  return names.map((name) => ({
    name,
    type: "textarea",
    label: t(`scope.${name}_label`),
    hint: t(`scope.${name}_hint`),
    control: { rows: 2, spellcheck: "false" },
  }));
}

/**
 * @param {Scope} [scope]
 * @returns {Values}
 */
export function scopeValues(scope) {
  return Object.fromEntries(SELECTORS.map((name) => [name, (scope?.[name] ?? []).join("\n")]));
}

/**
 * As the API takes it: an empty field is no limit, not nothing at all.
 * @param {Values} values
 * @param {string} role
 */
export function scopeBody(values, role) {
  const names = scopeFields(role).map((field) => field.name);
  return Object.fromEntries(SELECTORS.map((name) => {
    const lines = names.includes(name) ? linesOf(values[name]) : [];
    return [name, lines.length ? lines : null];
  }));
}
