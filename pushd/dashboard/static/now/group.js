/** A group of problems of one kind: the longest first, a few at first; one that cannot be read takes down itself alone. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { Button } from "../components/button.js";
import { FaultNote } from "../components/page.js";
import { t } from "../messages.js";
import { useLingering } from "./lingering.js";

const SHOWN = 5;

/**
 * @template T
 * @param {object} props
 * @param {string} props.title
 * @param {string} props.hint
 * @param {import("./problems.js").Reading<readonly T[] | undefined>} props.reading
 * @param {(row: T) => string} props.rowKey
 * @param {(row: T, isOver: boolean) => unknown} props.show
 */
export function Group({ title, hint, reading, rowKey, show }) {
  const isWhole = useSignal(false);
  const rows = useLingering(reading.data ?? [], rowKey);
  if (rows.length === 0 && reading.fault === undefined) return null;
  const shown = isWhole.value ? rows : rows.slice(0, SHOWN);
  const more = rows.length - shown.length;
  return html`<div>
    <h2 class="group">${title} <span>${hint}</span></h2>
    ${reading.fault !== undefined && html`<${FaultNote} fault=${reading.fault} read=${reading.read} />`}
    ${rows.length > 0 && html`<ul>${shown.map(({ row, isOver }) => show(row, isOver))}</ul>`}
    ${more > 0 && html`<p class="pad small"><${Button} kind="bare" onClick=${() => (isWhole.value = true)}>${t("now.more", { n: more })}<//></p>`}
  </div>`;
}
