/** What a person writes down of a device: its name, where it stands, its model, its tags. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Field, errorsByField } from "../components/field.js";
import { t } from "../messages.js";
import { MODELS } from "./models.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {{name: string, site: string, model: string, tags: string}} Typed
 */

/** The members of a device that the fields are about. */
const MEMBERS = ["name", "site", "facts/model", "tags"];

/**
 * What is typed, and what is wrong with it.
 * @param {Device} device
 */
export function useDeviceFields(device) {
  const typed = useSignal(
    /** @type {Typed} */ ({
      name: device.name ?? "",
      site: device.site ?? "",
      model: String(device.facts["model"] ?? ""),
      tags: device.tags.join(", "),
    }),
  );
  const errors = useSignal(/** @type {Record<string, string>} */ ({}));
  return {
    typed,
    errors,
    /** The merge patch of the device. */
    changes: () => changesOf(typed.peek(), device),
    /**
     * Say at the fields what the server refused.
     * @param {import("../api.js").FieldError[]} found
     * @param {readonly string[]} [others] members that have fields beside these
     */
    refuse: (found, others = []) => void (errors.value = errorsByField(found, [...MEMBERS, ...others])),
  };
}

/**
 * @param {{fields: ReturnType<typeof useDeviceFields>, autofocus?: boolean}} props autofocus: in a dialog, which then opens on it
 */
export function DeviceFields({ fields, autofocus = false }) {
  const { typed, errors } = fields;
  const field = (/** @type {keyof Typed} */ name, member = /** @type {string} */ (name)) => ({
    value: typed.value[name],
    error: errors.value[member],
    onChange: (/** @type {string} */ text) => (typed.value = { ...typed.peek(), [name]: text }),
  });
  return html`<${Field} label=${t("device.name")} ...${field("name")} autofocus=${autofocus} />
    <div class="pair">
      <${Field} label=${t("device.site")} ...${field("site")} />
      <${Field} label=${t("device.model")} hint=${t("approve.model")} list="models" ...${field("model", "facts/model")} />
    </div>
    <datalist id="models">${MODELS.map((each) => html`<option value=${each} />`)}</datalist>
    <${Field} label=${t("device.tags")} hint=${t("approve.tags")} ...${field("tags")} />
    ${errors.value[""] && html`<p class="bad small">${errors.value[""]}</p>`}`;
}

/**
 * @param {Typed} typed
 * @param {Device} device
 */
function changesOf({ name, site, model, tags }, device) {
  const hadModel = device.facts["model"] !== undefined;
  return {
    name: name.trim() || null,
    site: site.trim() || null,
    tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean),
    ...((model.trim() || hadModel) && { facts: { model: model.trim() || null } }),
  };
}
