/** The form of a webhook, for a new one and for changes. */
import { linesOf } from "../components/form-dialog.js";
import { t } from "../messages.js";

/**
 * @typedef {import("../api.js").Webhook} Webhook
 * @typedef {import("../components/form-dialog.js").Values} Values
 */

/** All types of events; none chosen means all. */
export const EVENT_TYPES = /** @type {const} */ ([
  "device.registered",
  "device.pending",
  "device.approved",
  "device.blocked",
  "device.deleted",
  "device.online",
  "device.offline",
  "device.signed_off",
  "device.changed",
  "device.conflict",
  "command.queued",
  "command.sent",
  "command.acknowledged",
  "command.succeeded",
  "command.failed",
  "command.expired",
  "command.cancelled",
  "command.unknown",
  "command.resolved",
  "result.orphaned",
  "alert.raised",
  "alert.cleared",
  "alert.acknowledged",
  "webhook.failed",
]);

const FORMATS = /** @type {const} */ (["standard", "slack", "ntfy"]);
const NARROWING = /** @type {const} */ (["devices", "sites", "tags"]);

/** @returns {import("../components/form-dialog.js").FormField[]} */
export function webhookFields() {
  return [
    { name: "url", label: t("webhooks.url"), hint: t("webhooks.url_hint"), control: { inputmode: "url", spellcheck: "false", autocomplete: "off" } },
    { name: "format", label: t("webhooks.format"), type: "select", options: FORMATS.map((each) => [each, t(`webhooks.${each}`)]) },
    { name: "types", label: t("webhooks.types"), hint: t("webhooks.types_hint"), type: "checks", options: EVENT_TYPES.map((each) => [each, each]) },
    ...NARROWING.map((name) => /** @type {import("../components/form-dialog.js").FormField} */ ({
      name,
      type: "textarea",
      label: t(`scope.${name}_label`),
      hint: t(`scope.${name}_hint`),
      control: { rows: 2, spellcheck: "false" },
    })),
    { name: "include_result", label: t("webhooks.result"), type: "check" },
    { name: "parallel", label: t("webhooks.parallel"), type: "number", control: { min: 1, max: 16 } },
  ];
}

/**
 * @param {Webhook} [webhook]
 * @returns {Values}
 */
export function webhookValues(webhook) {
  return {
    url: webhook?.url ?? "https://",
    format: webhook?.format ?? "standard",
    types: webhook?.types ?? [],
    include_result: webhook?.include_result ?? false,
    parallel: String(webhook?.parallel ?? 1),
    ...Object.fromEntries(NARROWING.map((name) => [name, (webhook?.[name] ?? []).join("\n")])),
  };
}

/** @param {Values} values */
export function webhookBody(values) {
  return {
    url: values["url"].trim(),
    format: values["format"],
    types: values["types"],
    include_result: values["include_result"],
    parallel: Number(values["parallel"]),
    ...Object.fromEntries(NARROWING.map((name) => [name, linesOf(values[name])])),
  };
}
