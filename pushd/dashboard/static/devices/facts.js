/** What is known of a device, edited in place, and how it is polled, in words. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ApiProblem, patch, path } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Field } from "../components/field.js";
import { Card, Facts } from "../components/page.js";
import { Time } from "../components/time.js";
import { day, duration } from "../format.js";
import { number, paragraph, t } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";
import { DeviceFields, useDeviceFields } from "./device-fields.js";

/** @typedef {import("../api.js").Device} Device */

/** Facts that stand elsewhere on the page. */
const ELSEWHERE = ["serial", "model"];

/** @param {{device: Device, onChanged: () => void}} props */
export function FactsCard({ device, onChanged }) {
  const isEditing = useSignal(false);
  const edit = can("admin") && !isEditing.value && html`<${Button} kind="bare" onClick=${() => (isEditing.value = true)}>${t("act.edit")}<//>`;
  const close = () => {
    isEditing.value = false;
    onChanged();
  };
  return html`<${Card} title=${t("page.facts")} more=${edit}>
    <div class="pad">${isEditing.value ? html`<${FactsForm} device=${device} onClose=${close} />` : html`<${Facts} items=${known(device)} />`}</div>
  <//>`;
}

/**
 * @param {Device} device
 * @returns {[unknown, unknown][]}
 */
function known(device) {
  const mono = (/** @type {unknown} */ text) => html`<bdi class="mono">${visible(text)}</bdi>`;
  const others = Object.entries(device.facts).filter(([name]) => !ELSEWHERE.includes(name));
  return [
    [t("device.id"), mono(device.id)],
    [t("device.site"), device.site && html`<bdi>${visible(device.site)}</bdi>`],
    [t("device.model"), device.facts["model"] !== undefined ? html`<bdi>${visible(device.facts["model"])}</bdi>` : null],
    [t("device.tags"), device.tags.length ? device.tags.map((tag) => html`<bdi class="tag">${visible(tag)}</bdi> `) : null],
    [t("device.address"), device.last_address && mono(device.last_address)],
    ...others.map(([name, value]) => /** @type {[unknown, unknown]} */ ([html`<bdi>${visible(name)}</bdi>`, html`<bdi>${visible(value)}</bdi>`])),
    [t("device.queue"), queueOf(device)],
    [t("device.hold"), holdOf(device)],
    [t("device.gap"), device.poll_gap === null ? null : t("time.s", { n: number(device.poll_gap, { maximumSignificantDigits: 2 }) })],
    [t("device.silence"), duration(device.heartbeat_timeout)],
    [t("device.seen"), html`<${Time} at=${device.last_seen_at} />`],
    [t("device.since"), day(device.created_at)],
  ];
}

/** What waits, and what is out.
 * @param {Device} device
 */
function queueOf({ queue, in_flight }) {
  if (queue === 0 && in_flight === 0) return t("device.queue_empty");
  return paragraph(queue > 0 && t("device.queue_waiting", { n: queue }), in_flight > 0 && t("device.queue_out", { n: in_flight }));
}

/** For how long a poll of it is held.
 * @param {Device} device
 */
function holdOf({ hold, learned_hold }) {
  if (hold !== null) return t("device.hold_set", { duration: duration(hold) });
  return learned_hold === null ? t("device.hold_unknown") : t("device.hold_learned", { duration: duration(learned_hold) });
}

/** @type {readonly ["heartbeat_timeout", "hold"]} */
const TIMES = ["heartbeat_timeout", "hold"];

/** @param {{device: Device, onClose: () => void}} props */
function FactsForm({ device, onClose }) {
  const fields = useDeviceFields(device);
  const times = useSignal({ heartbeat_timeout: String(device.heartbeat_timeout), hold: device.hold === null ? "" : String(device.hold) });
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => form.current?.querySelector("input")?.focus(), []);
  const act = useAct(async () => {
    fields.errors.value = {};
    try {
      const { heartbeat_timeout, hold } = times.peek();
      await patch(path`/v1/devices/${device.id}`, { ...fields.changes(), heartbeat_timeout: seconds(heartbeat_timeout), hold: seconds(hold) });
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.errors.length === 0) throw error;
      fields.refuse(error.errors, TIMES);
      return;
    }
    onClose();
  });
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void act.start();
  };
  const time = (/** @type {typeof TIMES[number]} */ name) => ({
    value: times.value[name],
    error: fields.errors.value[name],
    inputmode: "decimal",
    onChange: (/** @type {string} */ text) => (times.value = { ...times.peek(), [name]: text }),
  });
  return html`<form ref=${form} class="form" onSubmit=${onSubmit} novalidate>
    <${DeviceFields} fields=${fields} />
    <${Field} label=${t("device.silence")} hint=${t("device.silence_hint")} ...${time("heartbeat_timeout")} />
    <${Field} label=${t("device.hold")} hint=${t("device.hold_hint")} ...${time("hold")} />
    <div class="act">
      <${Button} kind="main" type="submit" busy=${act.busy}>${t("act.save")}<//>
      <${Button} kind="bare" onClick=${onClose}>${t("act.cancel")}<//>
      <${Outcome} act=${act} />
    </div>
  </form>`;
}

/**
 * Seconds as they are typed; nothing is the default. What is no number is sent as it is, for the server says what it takes.
 * @param {string} text
 */
function seconds(text) {
  const typed = text.trim().replace(",", ".");
  if (typed === "") return null;
  return Number.isNaN(Number(typed)) ? typed : Number(typed);
}
