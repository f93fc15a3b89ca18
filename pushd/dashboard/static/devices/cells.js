/** The cells of a row of devices; each is drawn again when its device changes, and the table is not. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Status, stateOf } from "../components/status.js";
import { Strip } from "../components/strip.js";
import { Time } from "../components/time.js";
import { devicePath } from "../known-devices.js";
import { number, t } from "../messages.js";
import { mayOpen } from "../session.js";
import { visible } from "../text.js";
import { stripLabel } from "./strip-label.js";
import { historyOf, lastDay, minute } from "./strips.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {import("./device-rows.js").Row} Row
 * @typedef {{row: Row}} CellProps
 */

/** Milliseconds for which a row that changed is lit. */
const LIT = 1600;

/** The state; a change lights the row for a moment.
 * @param {CellProps} props
 */
export function StateCell({ row }) {
  const state = stateOf(row.device.value);
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const last = useRef(state);
  useEffect(() => {
    if (last.current === state) return;
    last.current = state;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    element.current?.closest("tr")?.animate([{ background: "var(--flash)" }, { background: "transparent" }], LIT);
  }, [state]);
  return html`<span ref=${element}><${Status} kind=${state} word="hidden" /></span>`;
}

/** @param {CellProps} props */
export function NameCell({ row }) {
  const device = row.device.value;
  const serial = device.facts["serial"] ?? device.id.replace(/^\w+:/, "");
  const name = visible(device.name || serial);
  return html`<span class="named">
    <a class="plain cut" href=${devicePath(device.id)} title=${name}><bdi>${name}</bdi></a>
    ${device.name && html`<bdi class="mono small muted cut">${visible(serial)}</bdi>`}
  </span>`;
}

/** @param {CellProps} props */
export function SiteCell({ row }) {
  return html`<${TextCell} row=${row} text=${(/** @type {Device} */ device) => device.site ?? ""} />`;
}

/** @param {CellProps & {text: (device: Device) => string}} props */
export function TextCell({ row, text }) {
  const shown = visible(text(row.device.value));
  return html`<bdi class="cut one-line" title=${shown}>${shown}</bdi>`;
}

/** @param {CellProps} props */
export function WaitingCell({ row }) {
  const { queue } = row.device.value;
  return queue > 0 ? number(queue) : "";
}

/** @param {CellProps} props */
export function SeenCell({ row }) {
  const device = row.device.value;
  if (device.presence === "online") return html`<span class="muted">${t("time.now")}</span>`;
  return html`<${Time} class=${stateOf(device) === "offline" ? "bad" : "muted"} at=${device.last_seen_at} />`;
}

/** The way to the door: seen on hover and on focus, always on touch.
 * @param {CellProps} props
 */
export function OpenCell({ row }) {
  const { id, dialect, admission } = row.device.value;
  if (dialect !== "controlid" || admission !== "approved" || !mayOpen()) return null;
  return html`<a class="btn reveal" href=${`${devicePath(id)}/open`}>${t("open.open")}</a>`;
}

/** The last 24 hours, read when the row is in view.
 * @param {CellProps} props
 */
export function StripCell({ row }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const isSeen = useSignal(false);
  useEffect(() => {
    const cell = element.current;
    if (cell === null) return;
    onceSeen(cell, () => (isSeen.value = true));
    return () => observer.unobserve(cell);
  }, []);
  return html`<span ref=${element} class="strip-place">${isSeen.value && html`<${DayStrip} row=${row} />`}</span>`;
}

/** @param {CellProps} props */
function DayStrip({ row }) {
  void minute.value;
  const device = row.device.value;
  const history = historyOf(device.id).value;
  if (history === undefined) return null;
  const spans = lastDay(device, history);
  return html`<${Strip} spans=${spans} label=${stripLabel(visible(device.name || device.id), spans)} />`;
}

/** @type {WeakMap<Element, () => void>} */
const seen = new WeakMap();

const observer = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    seen.get(target)?.();
  }
});

/**
 * @param {Element} element
 * @param {() => void} act
 */
function onceSeen(element, act) {
  seen.set(element, act);
  observer.observe(element);
}
