/** What every page is made of: its heading, its cards, and what stands in their place while there is nothing. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { readFault } from "../faults.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";
import { address } from "../route.js";
import { session } from "../session.js";
import { waiting } from "../waiting.js";
import { Button } from "./button.js";

const SLOW = 300;

/** Where the page was that had the focus last. */
let shownPath = "";

/**
 * The heading of a page, its acts, and the page below. The heading gets the focus after a change of page.
 * @param {object} props
 * @param {string} props.title also of the document
 * @param {unknown} [props.heading] in place of the title, if it has elements
 * @param {unknown} [props.crumb] where the page belongs
 * @param {unknown} [props.lead] one line below the heading
 * @param {unknown} [props.acts]
 * @param {unknown} props.children
 */
export function Page({ title, heading = title, crumb, lead, acts, children }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  const path = address.value.pathname;
  const count = waiting.value.problems;
  useEffect(() => {
    document.title = `${count ? `(${count}) ` : ""}${title} · pushd`;
  }, [title, count]);
  useEffect(() => {
    const isTyping = document.activeElement?.matches("input, textarea, select");
    if (shownPath && shownPath !== path && !isTyping) element.current?.focus({ preventScroll: true });
    shownPath = path;
  }, [path]);
  return html`<div class="title">
      <div class="lead">
        ${crumb && html`<p class="crumb">${crumb}</p>`}
        <h1 ref=${element} tabindex="-1">${heading}</h1>
        ${lead && html`<div class="soft small">${lead}</div>`}
      </div>
      ${acts && html`<div class="acts">${acts}</div>`}
    </div>
    ${children}`;
}

/**
 * A box with a heading.
 * @param {{title?: unknown, label?: string, more?: unknown, class?: string, children: unknown}} props
 *   label: of a box without a heading; more: at the right of the heading
 */
export function Card({ title, label, more, class: name = "", children }) {
  return html`<section class=${`card ${name}`} aria-label=${label ?? (typeof title === "string" ? title : null)}>
    ${title && html`<header><h2>${title}</h2>${more && html`<span class="more">${more}</span>`}</header>`} ${children}
  </section>`;
}

/**
 * Grey bars of the final height, after a moment.
 * @param {{rows?: number}} props
 */
export function Loading({ rows = 3 }) {
  const isSlow = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => (isSlow.value = true), SLOW);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="wait" aria-busy="true" role="status" aria-label=${t("page.loading")}>
    ${isSlow.value && Array.from({ length: rows }, () => html`<i />`)}
  </div>`;
}

/**
 * One sentence, and the act that changes it.
 * @param {{children: unknown}} props
 */
export function Empty({ children }) {
  return html`<div class="empty">${children}</div>`;
}

/**
 * What could not be read, in the place of what it is.
 * @param {{fault: unknown, read: () => void}} props
 */
export function FaultNote({ fault, read }) {
  const said = readFault(fault, session.value?.role);
  return html`<div class="empty" role="alert">
    <span class="warn"><${Icon} name="warn" /></span><span>${said.text}</span>
    ${said.canRepeat && html`<${Button} onClick=${read}>${t("act.again")}<//>`}
  </div>`;
}

/**
 * Something that is read: bars, then itself, or why it cannot be read. What was read stays when a later reading fails.
 * @template T
 * @param {{live: {data: T | undefined, fault: unknown, read: () => void}, rows?: number, show: (data: T) => unknown}} props
 */
export function Loaded({ live, rows, show }) {
  if (live.data === undefined) {
    return live.fault === undefined
      ? html`<${Loading} rows=${rows} />`
      : html`<${FaultNote} fault=${live.fault} read=${live.read} />`;
  }
  return html`${live.fault !== undefined && html`<${FaultNote} fault=${live.fault} read=${live.read} />`} ${show(live.data)}`;
}

/**
 * Names and values.
 * @param {{items: [name: unknown, value: unknown][]}} props
 */
export function Facts({ items }) {
  return html`<dl class="facts">${items.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? "–"}</dd>`)}</dl>`;
}
