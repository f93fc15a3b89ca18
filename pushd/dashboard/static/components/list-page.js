/** A page that is a list of the API: a table of a page of it, kept true by events. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get } from "../api.js";
import { READ_AGAIN, useLive } from "../live.js";
import { go } from "../route.js";
import { t } from "../messages.js";
import { Card, Loaded, Page } from "./page.js";
import { Pager } from "./pager.js";
import { Table } from "./table.js";

/**
 * @template T
 * @param {object} props
 * @param {string} props.title
 * @param {string} props.path of the API
 * @param {import("../api.js").Query} [props.query] of the API, beside the cursor
 * @param {string | null} props.cursor
 * @param {readonly import("./table.js").Column<T>[]} props.columns
 * @param {(row: T) => string} props.rowKey
 * @param {(row: T) => string} [props.href] the page of a row
 * @param {RegExp} [props.events] the types of events after which the list is read again
 * @param {(data: {items: T[], next?: string | null}, event: import("../api.js").ApiEvent) => {items: T[], next?: string | null} | typeof READ_AGAIN} [props.apply]
 *   what an event does to the list, in place of `events`
 * @param {(row: T) => boolean} [props.fits] whether a row that has changed still fits the filter
 * @param {unknown} props.empty
 * @param {unknown} [props.filters]
 * @param {unknown} [props.acts]
 * @param {{current: (() => void) | null}} [props.reader] gets what reads the list again
 * @param {boolean} [props.holds] see Table
 * @param {unknown} [props.children] below the list
 */
export function ListPage({ title, path, query = {}, cursor, columns, rowKey, href, events, apply, fits, empty, filters, acts, reader, holds = true, children }) {
  const asked = { ...query, cursor };
  const live = useLive(JSON.stringify([path, asked]), {
    load: (signal) => get(path, { query: asked, signal }),
    apply: apply ?? ((data, event) => (events?.test(event.type) ? READ_AGAIN : data)),
  });
  if (reader) reader.current = live.read;
  const fresh = useFresh(live.data?.items, rowKey);
  const onOpen = href && ((/** @type {T} */ row) => go(href(row)));
  const misfit = fits && ((/** @type {T} */ row) => (fits(row) ? null : ""));
  return html`<${Page} title=${title} acts=${acts}>
    ${filters}
    <${Card} label=${title}>
      <${Loaded}
        live=${live}
        rows=${8}
        show=${(/** @type {{items: T[], next?: string | null}} */ data) => html`
          <${Table} label=${title} columns=${columns} rows=${data.items} rowKey=${rowKey} onOpen=${onOpen} fresh=${fresh} misfit=${misfit} holds=${holds} empty=${empty} />
          <${Pager} next=${data.next ?? null} />`}
      />
    <//>
    ${children}
  <//>`;
}

/** Milliseconds for which a row is marked that an event has changed. */
const FRESH = 1600;

/**
 * The rows that an event has just changed: those that are other objects, where others are the same. A list that was
 * read again has other objects only, and none of them is news.
 * @template T
 * @param {readonly T[] | undefined} items
 * @param {(row: T) => string} rowKey
 * @returns {ReadonlySet<string>}
 */
function useFresh(items, rowKey) {
  const before = useRef(/** @type {readonly T[] | undefined} */ (undefined));
  const fresh = useSignal(/** @type {ReadonlySet<string>} */ (new Set()));
  useEffect(() => {
    const changed = changedRows(before.current, items, rowKey);
    before.current = items;
    if (changed.size || fresh.peek().size) fresh.value = changed;
    const timer = changed.size ? setTimeout(() => (fresh.value = new Set()), FRESH) : 0;
    return () => clearTimeout(timer);
  }, [items]);
  return fresh.value;
}

/**
 * @template T
 * @param {readonly T[] | undefined} before
 * @param {readonly T[] | undefined} after
 * @param {(row: T) => string} rowKey
 * @returns {ReadonlySet<string>}
 */
export function changedRows(before, after, rowKey) {
  if (before === undefined || after === undefined) return new Set();
  const isSame = new Set(before);
  const others = after.filter((row) => !isSame.has(row));
  return new Set(others.length < after.length ? others.map(rowKey) : []);
}

/**
 * A page that is one object of the API: all its members.
 * @param {{title: string, path: string, events?: RegExp}} props
 */
export function ObjectPage({ title, path, events }) {
  const live = useLive(path, {
    load: (signal) => get(path, { signal }),
    apply: (data, event) => (events?.test(event.type) ? READ_AGAIN : data),
  });
  return html`<${Page} title=${title}>
    <${Card} label=${t("page.facts")}>
      <${Loaded}
        live=${live}
        show=${(/** @type {object} */ data) => html`<pre class="pad" translate="no" tabindex="0">${JSON.stringify(data, null, 2)}</pre>`}
      />
    <//>
  <//>`;
}
