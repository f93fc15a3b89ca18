/**
 * A table: one row is a tab stop, with what stands in it; `j` and `k` or arrows go through the rows, Enter opens one,
 * `x` selects it, `.` goes to its acts. It holds still while the pointer or the focus is in it.
 */
import { html } from "htm/preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { areKeysOn, isTyped } from "../keys.js";
import { t } from "../messages.js";
import { Button } from "./button.js";
import { heldRows } from "./held-rows.js";
import { Empty } from "./page.js";

/** Milliseconds for which a list still holds when the pointer or the focus has left it. */
const HELD = 2000;

/**
 * @template T
 * @typedef {object} Column
 * @property {string} name
 * @property {string} head "" for a column whose cells say what they are
 * @property {(row: T) => unknown} cell
 * @property {string} [class] of head and cells; below 860 px: "lead" is wide, "wide" has a line, "end" is at the right
 */

/**
 * @template T
 * @typedef {object} TableProps
 * @property {string} label what the rows are
 * @property {readonly Column<T>[]} columns
 * @property {readonly T[]} rows
 * @property {(row: T) => string} rowKey
 * @property {(row: T) => void} [onOpen]
 * @property {ReadonlySet<string>} [selected] keys; with onSelect, rows can be selected
 * @property {(keys: Set<string>) => void} [onSelect]
 * @property {(row: T) => string} [rowClass]
 * @property {(row: T) => "" | null | import("@preact/signals").ReadonlySignal<"" | null>} [misfit] "" for a row that no longer fits the
 *   filter: it stays, faded, until the list is read again
 * @property {boolean} [holds] whether it holds still; not if its rows change only by what is done here
 * @property {ReadonlySet<string>} [fresh] keys of rows that have just changed
 * @property {unknown} [empty] what stands in place of no rows
 * @property {string} [class]
 */

/**
 * @template T
 * @param {TableProps<T>} props
 */
export function Table({
  label,
  columns,
  rows,
  rowKey,
  onOpen,
  selected,
  onSelect,
  rowClass,
  misfit,
  holds = true,
  fresh,
  empty,
  class: name = "",
}) {
  const body = useRef(/** @type {HTMLElement | null} */ (null));
  const current = useSignal("");
  const lastSelected = useRef("");
  const { isHeld, release, ...holding } = useHolding();
  const shown = useRef(/** @type {readonly T[]} */ ([]));
  const held = heldRows({ rows, key: rowKey, shown: shown.current, isHeld: isHeld && holds });
  shown.current = held.rows;
  const keys = held.rows.map(rowKey);
  const tabKey = keys.includes(current.value) ? current.value : keys[0];
  useTabStops(body);
  if (keys.length === 0) return html`<${Empty}>${empty}<//>`;
  const select = (/** @type {string} */ key, /** @type {boolean} */ isRange) => {
    onSelect?.(selection(keys, selected ?? new Set(), key, isRange ? lastSelected.current : ""));
    lastSelected.current = key;
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) =>
    onRowKey(event, {
      keys,
      body: body.current,
      open: (index) => onOpen?.(/** @type {T} */ (held.rows[index])),
      select,
    });
  return html`${
    held.added > 0 && html`<${Empty}><${Button} onClick=${release}>${t("page.changed", { n: held.added })}<//><//>`
  }
    <table class=${`rows ${name}`} aria-label=${label} ...${holding}>
      <thead>
        <tr>${columns.map((column) => html`<th scope="col" class=${column.class}>${column.head || html`<span class="sr">${column.name}</span>`}</th>`)}</tr>
      </thead>
      <tbody ref=${body} onKeyDown=${onKeyDown} onFocusIn=${(/** @type {FocusEvent} */ event) => (current.value = keyOf(event.target))}>
        ${held.rows.map((row) => {
          const key = rowKey(row);
          const names = [fresh?.has(key) ? "fresh" : "", held.gone.has(key) ? "gone" : "", rowClass?.(row) ?? ""].join(
            " ",
          );
          return html`<tr
            key=${key}
            data-key=${key}
            class=${names}
            data-misfit=${misfit?.(row) ?? null}
            tabindex=${key === tabKey ? 0 : -1}
            aria-selected=${onSelect ? String(selected?.has(key) ?? false) : null}
          >
            ${columns.map((column) => html`<td class=${column.class}>${column.cell(row)}</td>`)}
          </tr>`;
        })}
      </tbody>
    </table>`;
}

/** Whether the pointer or the focus is in a list, or has just left it. */
function useHolding() {
  const isHeld = useSignal(false);
  const timer = useRef(0);
  const hold = () => {
    clearTimeout(timer.current);
    isHeld.value = true;
  };
  const release = () => {
    clearTimeout(timer.current);
    isHeld.value = false;
  };
  const releaseSoon = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(release, HELD);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    isHeld: isHeld.value,
    release,
    onPointerEnter: hold,
    onPointerLeave: releaseSoon,
    onFocusIn: hold,
    onFocusOut: releaseSoon,
  };
}

/**
 * What stands in a row is a tab stop only if the row is.
 * @param {{current: HTMLElement | null}} body
 */
function useTabStops(body) {
  useLayoutEffect(() => {
    for (const row of body.current?.querySelectorAll("tr") ?? []) {
      for (const control of row.querySelectorAll("a, button, input, select")) {
        if (row.tabIndex === 0) control.removeAttribute("tabindex");
        else control.setAttribute("tabindex", "-1");
      }
    }
  });
}

/** @param {EventTarget | null} target */
function keyOf(target) {
  const row = target instanceof Element ? target.closest("tr") : null;
  return row?.dataset["key"] ?? "";
}

/**
 * @param {readonly string[]} keys
 * @param {ReadonlySet<string>} selected
 * @param {string} key
 * @param {string} from the other end of a range; "" for a single row
 */
export function selection(keys, selected, key, from) {
  const next = new Set(selected);
  const start = keys.indexOf(from);
  if (start < 0) {
    if (!next.delete(key)) next.add(key);
    return next;
  }
  const end = keys.indexOf(key);
  for (const each of keys.slice(Math.min(start, end), Math.max(start, end) + 1)) next.add(each);
  return next;
}

/**
 * @param {KeyboardEvent} event
 * @param {object} list
 * @param {readonly string[]} list.keys
 * @param {HTMLElement | null} list.body
 * @param {(index: number) => void} list.open
 * @param {(key: string, isRange: boolean) => void} list.select
 */
function onRowKey(event, { keys, body, open, select }) {
  if (isTyped(event)) return;
  const index = keys.indexOf(keyOf(event.target));
  const isOnRow = event.target instanceof HTMLTableRowElement;
  const letter = areKeysOn.value ? event.key : event.key.length > 1 ? event.key : "";
  const to = { ArrowDown: index + 1, j: index + 1, ArrowUp: index - 1, k: index - 1, Home: 0, End: keys.length - 1 }[
    letter
  ];
  if (to !== undefined) focusRow(body, keys[Math.max(0, Math.min(keys.length - 1, to))]);
  else if (letter === "Enter" && isOnRow) open(index);
  else if (letter.toLowerCase() === "x") select(keys[index] ?? "", event.shiftKey);
  else if (letter === ".") rowOf(body, keys[index])?.querySelector("button, td:last-child a")?.focus();
  else return;
  event.preventDefault();
}

/**
 * @param {HTMLElement | null} body
 * @param {string | undefined} key
 */
function focusRow(body, key) {
  rowOf(body, key)?.focus();
}

/**
 * @param {HTMLElement | null} body
 * @param {string | undefined} key
 * @returns {any}
 */
function rowOf(body, key) {
  return [...(body?.querySelectorAll("tr") ?? [])].find((row) => row.dataset["key"] === key);
}
