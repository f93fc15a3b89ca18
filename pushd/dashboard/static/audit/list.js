/** Who changed what, from what to what: the newest first. */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get } from "../api.js";
import { Button } from "../components/button.js";
import { Filters } from "../components/filters.js";
import { Card, Loaded, Page } from "../components/page.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t } from "../messages.js";
import { clearQuery } from "../route.js";
import { visible } from "../text.js";
import { NOTHING, changesOf, pageOf, readOn } from "./log.js";

/**
 * @typedef {import("./log.js").Entry} Entry
 * @typedef {import("./log.js").AuditLog} AuditLog
 */

/** Rows that are shown at first, and that each press adds. */
const STEP = 100;

/** @param {import("../route.js").PageProps} props */
export default function AuditList({ query }) {
  const by = query.get("by");
  const object = query.get("object");
  const key = JSON.stringify([by, object]);
  const logs = useRef(/** @type {Record<string, AuditLog>} */ ({}));
  const shown = useSignal(STEP);
  const live = useLive(key, {
    load: async (signal) => {
      const log = await readOn(logs.current[key] ?? NOTHING, (after, limit) => get("/v1/audit", { query: { by, object, after, limit }, signal }));
      logs.current[key] = log;
      return log;
    },
    apply: (data, event) => (event.by === null ? data : READ_AGAIN),
  });
  const empty = by || object
    ? html`${t("audit.no_match")} <${Button} onClick=${() => clearQuery()}>${t("act.clear")}<//>`
    : t("audit.none");
  return html`<${Page} title=${t("nav.audit")} acts=${html`<${Button} onClick=${live.read}>${t("audit.read")}<//>`}>
    <${Filters} label=${t("commands.filters")} fields=${filters()} query=${query} />
    <${Card} label=${t("nav.audit")}>
      <${Loaded} live=${live} rows=${8} show=${(/** @type {AuditLog} */ log) => html`<${Entries} log=${log} shown=${shown} read=${live.read} empty=${empty} />`} />
    <//>
  <//>`;
}

/** @returns {import("../components/filters.js").Filter[]} */
function filters() {
  return [
    { name: "by", label: t("audit.by"), kind: "text" },
    { name: "object", label: t("audit.object"), kind: "text" },
  ];
}

/** @param {{log: AuditLog, shown: import("@preact/signals").Signal<number>, read: () => void, empty: unknown}} props */
function Entries({ log, shown, read, empty }) {
  const rows = log.items.slice(-shown.value).reverse();
  const more = () => (shown.value += STEP);
  return html`
    ${!log.isWhole && html`<div class="note acting"><p>${t("audit.unfinished")}</p><${Button} onClick=${read}>${t("audit.read_on")}<//></div>`}
    <${Table} label=${t("nav.audit")} class="entries" columns=${columns()} rows=${rows} rowKey=${(/** @type {Entry} */ entry) => entry.id} empty=${empty} />
    ${log.items.length > rows.length && html`<div class="pager"><${Button} onClick=${more}>${t("audit.older")}<//></div>`}`;
}

/** @returns {import("../components/table.js").Column<Entry>[]} */
function columns() {
  return [
    { name: "at", head: t("commands.when"), class: "num start", cell: (entry) => html`<${Time} at=${entry.at} mode="when" />` },
    { name: "by", head: t("audit.by"), class: "cut-cell", cell: (entry) => html`<bdi title=${entry.from ?? ""}>${visible(entry.by ?? "–")}</bdi>` },
    { name: "action", head: t("audit.action"), class: "end", cell: (entry) => html`<span class="mono small nowrap">${entry.action}</span>` },
    { name: "object", head: t("audit.object"), class: "wide object", cell: (entry) => html`<span class="mono small"><${AuditObject} object=${entry.object} /></span>` },
    { name: "changes", head: t("audit.changes"), class: "wide", cell: (entry) => html`<${Changes} entry=${entry} />` },
  ];
}

/** @param {{object: string}} props */
function AuditObject({ object }) {
  const page = pageOf(object);
  return page === null ? visible(object) : html`<a class="plain" href=${page}>${visible(object)}</a>`;
}

/** @param {{entry: Entry}} props */
function Changes({ entry }) {
  return html`<ul class="changes small">
    ${changesOf(entry).map(
      ({ field, before, after }) => html`<li><span class="muted">${visible(field)}</span> ${entry.before !== null && html`<del>${shown(before)}</del> → `}${entry.after === null ? "–" : html`<ins>${shown(after)}</ins>`}</li>`,
    )}
  </ul>`;
}

/** Characters of a value that are shown. */
const MOST_OF_VALUE = 80;

/** @param {unknown} value */
function shown(value) {
  const text = visible(Array.isArray(value) ? value.join(", ") || "–" : typeof value === "string" ? value : (JSON.stringify(value) ?? "–"));
  return html`<bdi title=${text}>${text.length > MOST_OF_VALUE ? `${text.slice(0, MOST_OF_VALUE)}…` : text}</bdi>`;
}
