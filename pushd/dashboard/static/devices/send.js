/** Send a command: a form of the catalogue, and the same as JSON; what will happen is said before it is pressed. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { ApiProblem, get, path, post } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Field, errorsByField } from "../components/field.js";
import { Form } from "../components/form.js";
import { Json } from "../components/json.js";
import { Card, Loaded } from "../components/page.js";
import { duration } from "../format.js";
import { useLive } from "../live.js";
import { t } from "../messages.js";
import { readDraft, textOf, withValue } from "./payload-draft.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {import("./payload-draft.js").Item} Item
 * @typedef {import("./payload-draft.js").Draft} Draft
 */

/** Seconds for which a command is valid that the catalogue does not have. */
const USUAL_TTL = 300;

/** Where a fault of the parameters is said by the API. */
const PLACES = /^payload\/(?:body\/)?/;

/**
 * @param {{device: Device, onSent: (command: string) => void}} props
 */
export function SendCard({ device, onSent }) {
  const at = path`/v1/catalogue/${device.dialect}`;
  const live = useLive(at, { load: async (signal) => /** @type {Item[]} */ ((await get(at, { signal })).items) });
  return html`<${Card} title=${t("send.title")} more=${t("send.once")}>
    <${Loaded} live=${live} show=${(/** @type {Item[]} */ items) => html`<${SendForm} device=${device} items=${items} onSent=${onSent} />`} />
  <//>`;
}

/** @param {{device: Device, items: readonly Item[], onSent: (command: string) => void}} props */
function SendForm({ device, items, onSent }) {
  const text = useSignal("");
  const ttl = useSignal("");
  const trace = useSignal("");
  const mustQueue = useSignal(false);
  const errors = useSignal(/** @type {Record<string, string>} */ ({}));
  const draft = readDraft(text.value, items);
  const act = useAct(async (key) => {
    errors.value = {};
    const options = { ...(ttl.value.trim() && { ttl: readNumber(ttl.value) }), ...(trace.value.trim() && { trace: trace.value.trim() }) };
    const json = `{"payload": ${text.value || "null"}, ${JSON.stringify(options).slice(1)}`.replace(/, }$/, "}");
    try {
      const { id } = await post(path`/v1/devices/${device.id}/commands`, undefined, { json, key, query: { queue: mustQueue.value ? 1 : null } });
      onSent(id);
      return t("send.stored");
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.errors.length === 0) throw error;
      errors.value = faults(error.errors, draft.isShown ? draft.item : null);
    }
  });
  const choose = (/** @type {string} */ name) => {
    const item = items.find((each) => each.name === name);
    errors.value = {};
    text.value = item === undefined ? "" : textOf(item);
  };
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void act.start();
  };
  const isJson = text.value.trim() === "" || draft.payload !== null;
  const seconds = readNumber(ttl.value) || draft.item?.ttl || USUAL_TTL;
  return html`<form class="pad send" onSubmit=${onSubmit} novalidate>
    <div class="form">
      <${Field} type="select" label=${t("commands.command")} value=${draft.item?.name ?? ""} options=${options(items)} hint=${draft.item && html`<span lang="en">${draft.item.summary}</span>`} onChange=${choose} />
      <${Parameters} draft=${draft} isEmpty=${text.value.trim() === ""} errors=${errors.value} onText=${(/** @type {string} */ next) => (text.value = next)} />
      <div class="pair">
        <${Field} label=${t("send.ttl")} hint=${t("send.ttl_hint", { n: draft.item?.ttl ?? USUAL_TTL })} inputmode="decimal" value=${ttl.value} error=${errors.value["ttl"]} onChange=${(/** @type {string} */ next) => (ttl.value = next)} />
        <${Field} label=${t("send.trace")} hint=${t("send.trace_hint")} maxlength="128" value=${trace.value} error=${errors.value["trace"]} onChange=${(/** @type {string} */ next) => (trace.value = next)} />
      </div>
      ${device.presence === "signed_off" &&
      html`<${Field} type="check" label=${t("send.queue")} hint=${t("send.queue_hint")} value=${mustQueue.value} onChange=${(/** @type {boolean} */ next) => (mustQueue.value = next)} />`}
    </div>
    <${Json} label=${t("send.json")} value=${text.value} error=${errors.value["payload"]} rows=${12} onChange=${(/** @type {string} */ next) => (text.value = next)} />
    ${errors.value[""] && html`<p class="bad small wide">${errors.value[""]}</p>`}
    <div class="row wide">
      ${isJson && text.value.trim() !== "" && html`<${Button} kind="main" type="submit" busy=${act.busy}>${t("send.send")}<//>`}
      <span class="small muted">${forecast(device, seconds, mustQueue.value)}</span>
      <span class="act"><${Outcome} act=${act} /></span>
    </div>
  </form>`;
}

/** The form, or why there is none.
 * @param {{draft: Draft, isEmpty: boolean, errors: Record<string, string>, onText: (text: string) => void}} props
 */
function Parameters({ draft, isEmpty, errors, onText }) {
  if (draft.isShown && draft.item !== null) {
    const isAct = draft.item.class === "act";
    return html`${isAct && html`<p class="small soft">${t("send.act", { duration: duration(draft.item.ttl) })}</p>`}
      <${Form} schema=${draft.item.parameters} value=${draft.value} errors=${errors} onChange=${(/** @type {unknown} */ value) => onText(withValue(draft, value))} />`;
  }
  if (isEmpty) return html`<p class="small soft">${t("send.choose")}</p>`;
  return html`<p class="small soft">${draft.payload === null ? t("send.no_json") : t("send.json_only")}</p>`;
}

/** @param {readonly Item[]} items */
function options(items) {
  return [["", "–"], ...items.map((item) => [item.name, `${item.name} · ${t(`class.${item.class}`)}`])];
}

/** @param {string} text */
function readNumber(text) {
  const value = Number(text.trim().replace(",", "."));
  return Number.isNaN(value) ? text : value;
}

/**
 * What is wrong, by field; the parameters of a form have fields of their own.
 * @param {import("../api.js").FieldError[]} found
 * @param {Item | null} item of the form that is shown
 */
function faults(found, item) {
  const names = (item?.parameters ?? []).map(({ name }) => name);
  const pointers = found.map(({ pointer, detail }) => {
    const at = pointer.replace(/^#?\/?/, "");
    const name = at.replace(PLACES, "").replace(/\/0(?=\/|$)/g, "[]").replaceAll("/", ".");
    return { pointer: at !== name && names.includes(name) ? name : at, detail };
  });
  return errorsByField(pointers, ["payload", "ttl", "trace", ...names]);
}

/**
 * What will happen to a command, as far as the device is known.
 * @param {Device} device
 * @param {number | string} seconds for which it is valid
 * @param {boolean} isQueued whether it waits for a device that signed off
 */
function forecast(device, seconds, isQueued) {
  const valid = typeof seconds === "number" ? duration(seconds) : "";
  if (device.admission === "pending") return t("send.when_pending", { duration: valid });
  if (device.presence === "signed_off") return isQueued ? t("send.when_offline", { duration: valid }) : t("send.when_signed_off");
  if (device.presence !== "online") return t("send.when_offline", { duration: valid });
  if (device.dialect === "controlid" && device.in_flight > 0) return t("send.when_busy");
  return device.polling ? t("send.when_polling") : t("send.when_online");
}
