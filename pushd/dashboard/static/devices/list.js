/** Which devices there are; what is not well comes first. */
import { html } from "htm/preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { computed, useSignal } from "@preact/signals";
import { ApiProblem, NotReached, get, path } from "../api.js";
import { Button } from "../components/button.js";
import { Filters } from "../components/filters.js";
import { Card, Loaded, Page } from "../components/page.js";
import { Pager } from "../components/pager.js";
import { Table } from "../components/table.js";
import { devicePath } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t } from "../messages.js";
import { problems } from "../now/problems.js";
import { Refetcher } from "../refetch.js";
import { changeQuery, go } from "../route.js";
import { mayChange } from "../session.js";
import { visible } from "../text.js";
import { NameCell, OpenCell, SeenCell, SiteCell, StateCell, StripCell, TextCell, WaitingCell } from "./cells.js";
import { afterEvent, fits, rowsOf } from "./device-rows.js";
import { MODELS } from "./models.js";
import { SelectionBar } from "./selection.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {import("./device-rows.js").Row} Row
 * @typedef {{rows: Row[], next: string | null}} Listed
 */

/** Devices of a page. */
const PAGE = 100;

/** Most of those that are not well and come first; the filters have all of them. */
const FIRST = 50;

/** What a chip asks for. @type {Record<string, import("../api.js").Query>} */
const STATES = {
  offline: { admission: "approved", presence: "offline" },
  signed_off: { admission: "approved", presence: "signed_off" },
  pending: { admission: "pending" },
  blocked: { admission: "blocked" },
};

/** Events after which a device may be new in a list. */
const NEW = ["device.registered", "device.pending"];

/** What narrows the list, beside the state. */
const NARROW = ["site", "model", "tag", "q", "cursor"];

/** @param {import("../route.js").PageProps} props */
export default function DeviceList({ query }) {
  const selected = useSignal(/** @type {Set<string>} */ (new Set()));
  const { live, added, read } = useDevices(query);
  const rows = live.data?.rows ?? [];
  const chosen = rows.filter((row) => selected.value.has(row.id)).map((row) => row.device.peek());
  const misfits = useMisfits(query);
  const select = mayChange() ? (/** @type {Set<string>} */ keys) => (selected.value = keys) : undefined;
  return html`<${Page} title=${t("nav.devices")}>
    <${DeviceFilters} query=${query} rows=${rows} />
    <${Offer} added=${added} onTake=${read} />
    <${Card} label=${t("nav.devices")}>
      <${Loaded}
        live=${live}
        rows=${8}
        show=${(/** @type {Listed} */ data) => html`
          <${Table}
            label=${t("nav.devices")}
            class="devices"
            columns=${columns(selected, select)}
            rows=${data.rows}
            rowKey=${(/** @type {Row} */ row) => row.id}
            misfit=${misfits}
            onOpen=${(/** @type {Row} */ row) => go(devicePath(row.id))}
            selected=${selected.value}
            onSelect=${select}
            empty=${html`<${NoDevice} query=${query} />`}
          />
          <${Pager} next=${data.next} />`}
      />
    <//>
    ${chosen.length > 0 && html`<${SelectionBar} devices=${chosen} onClear=${() => (selected.value = new Set())} onChanged=${read} />`}
  <//>`;
}

/**
 * The devices of the address, kept true by events; new ones are counted, and not pushed in.
 * @param {URLSearchParams} query
 */
function useDevices(query) {
  const asked = filterOf(query);
  const cursor = query.get("cursor");
  const isFirst = cursor === null && !query.has("state");
  const added = useSignal(/** @type {ReadonlySet<string>} */ (new Set()));
  const rows = useRef(/** @type {Map<string, Row>} */ (new Map()));
  const refetcher = useRefetcher(rows);
  const live = useLive(JSON.stringify(["devices", asked, cursor]), {
    load: async (signal) => {
      const list = (/** @type {import("../api.js").Query} */ more) => get("/v1/devices", { query: { sort: "name", ...asked, ...more }, signal });
      const none = { items: [], next: null };
      const [offline, pending, page] = await Promise.all([
        isFirst ? list({ ...STATES["offline"], limit: FIRST }) : none,
        isFirst ? list({ ...STATES["pending"], limit: FIRST }) : none,
        list({ limit: PAGE, cursor }),
      ]);
      const found = rowsOf([offline.items, pending.items, page.items]);
      rows.current = new Map(found.map((row) => [row.id, row]));
      added.value = new Set();
      return /** @type {Listed} */ ({ rows: found, next: page.next ?? null });
    },
    apply: (data, event) => {
      const row = event.device === null ? undefined : rows.current.get(event.device);
      if (row !== undefined && event.type === "device.deleted") return READ_AGAIN;
      if (row !== undefined) change(row, event, refetcher);
      else if (event.device !== null && isNew(event.type, query)) added.value = new Set([...added.peek(), event.device]);
      return data;
    },
  });
  return { live, added, read: live.read };
}

/** New devices, which are shown when that is asked for.
 * @param {{added: import("@preact/signals").ReadonlySignal<ReadonlySet<string>>, onTake: () => void}} props
 */
function Offer({ added, onTake }) {
  const { size } = added.value;
  return size > 0 && html`<div class="offer"><${Button} onClick=${onTake}>${t("page.changed", { n: size })}<//></div>`;
}

/**
 * Tells of a row whether its device no longer fits the filter, as a signal: only the row's own mark is drawn anew.
 * @param {URLSearchParams} query
 */
function useMisfits(query) {
  const text = query.toString();
  return useMemo(() => {
    const narrowing = { state: query.get("state"), site: query.get("site"), model: query.get("model"), tags: query.getAll("tag") };
    /** @type {WeakMap<Row, import("@preact/signals").ReadonlySignal<"" | null>>} */
    const marks = new WeakMap();
    return (/** @type {Row} */ row) => {
      const mark = marks.get(row) ?? computed(() => (fits(row.device.value, narrowing) ? null : ""));
      marks.set(row, mark);
      return mark;
    };
  }, [text]);
}

/**
 * Whether an event may add a device to what is shown: to the first page, without a filter that leaves it out.
 * @param {string} type
 * @param {URLSearchParams} query
 */
function isNew(type, query) {
  if (NARROW.some((name) => query.has(name))) return false;
  return query.has("state") ? query.get("state") === "pending" && type === "device.pending" : NEW.includes(type);
}

/**
 * Reads single devices again, of which an event says too little.
 * @param {{current: Map<string, Row>}} rows
 */
function useRefetcher(rows) {
  const refetcher = useRef(/** @type {Refetcher | null} */ (null));
  refetcher.current ??= new Refetcher(async (id) => {
    try {
      const device = await get(path`/v1/devices/${id}`);
      const row = rows.current.get(id);
      if (row !== undefined) row.device.value = device;
    } catch (error) {
      if (!(error instanceof ApiProblem || error instanceof NotReached)) throw error;
      // what is shown stays; it is read again with the next event
    }
  });
  useEffect(() => () => refetcher.current?.stop(), []);
  return refetcher.current;
}

/**
 * @param {Row} row
 * @param {{type: string, at: string}} event
 * @param {Refetcher} refetcher
 */
function change(row, event, refetcher) {
  const device = afterEvent(row.device.peek(), event);
  if (device === null) refetcher.ask(row.id);
  else row.device.value = device;
}

/**
 * What the API is asked for.
 * @param {URLSearchParams} query
 * @returns {import("../api.js").Query}
 */
function filterOf(query) {
  const tags = query.getAll("tag");
  return { ...STATES[query.get("state") ?? ""], site: query.get("site"), model: query.get("model"), tag: tags.length ? tags : null, q: query.get("q") };
}

/**
 * @param {{query: URLSearchParams, rows: readonly Row[]}} props
 */
function DeviceFilters({ query, rows }) {
  const sites = useLive("site names", { load: async (signal) => (await get("/v1/sites", { signal })).items });
  const counts = problems.value?.info.data?.counts;
  const names = (sites.data ?? []).map((/** @type {import("../api.js").Site} */ each) => each.site).filter((/** @type {string | null} */ site) => site !== null);
  const models = rows.map((row) => row.device.peek().facts["model"]).filter((model) => model !== undefined);
  return html`<${Filters}
    query=${query}
    label=${t("devices.filters")}
    fields=${[
      {
        name: "state",
        label: t("devices.state"),
        kind: "chips",
        options: [
          ["", t("devices.all"), counts?.devices],
          ["offline", t("presence.offline"), counts?.offline],
          ["signed_off", t("presence.signed_off"), counts?.signed_off],
          ["pending", t("devices.pending"), counts?.pending],
          ["blocked", t("admission.blocked"), counts?.blocked],
        ],
      },
      { name: "site", label: t("device.site"), kind: "select", options: choices(t("devices.all_sites"), names, query.get("site")) },
      { name: "model", label: t("device.model"), kind: "select", options: choices(t("devices.all_models"), [...MODELS, ...models.map(String)], query.get("model")) },
      { name: "tag", label: t("devices.tag"), kind: "text" },
      { name: "q", label: t("devices.q"), kind: "text" },
    ]}
  />`;
}

/**
 * @param {string} all
 * @param {readonly string[]} values
 * @param {string | null} chosen which is one of them, wherever it comes from
 */
function choices(all, values, chosen) {
  const every = new Set([...values, ...(chosen ? [chosen] : [])]);
  return [["", all], ...[...every].map((value) => [value, visible(value)])];
}

/** @param {{query: URLSearchParams}} props */
function NoDevice({ query }) {
  const names = ["state", ...NARROW];
  if (!names.some((name) => query.has(name))) return html`${t("devices.none")} <a href="/">${t("devices.how")}</a>`;
  const clear = () => changeQuery(Object.fromEntries(names.map((name) => [name, null])));
  return html`${t("devices.no_match")} <${Button} onClick=${clear}>${t("act.clear")}<//>`;
}

/**
 * @param {import("@preact/signals").Signal<Set<string>>} selected
 * @param {((keys: Set<string>) => void) | undefined} select
 * @returns {import("../components/table.js").Column<Row>[]}
 */
function columns(selected, select) {
  const toggle = (/** @type {string} */ id) => () => {
    const next = new Set(selected.peek());
    if (!next.delete(id)) next.add(id);
    select?.(next);
  };
  const box = (/** @type {Row} */ { id, device }) =>
    html`<input type="checkbox" aria-label=${t("devices.select", { name: visible(device.peek().name || id) })} checked=${selected.value.has(id)} onChange=${toggle(id)} />`;
  return [
    ...(select ? [{ name: t("devices.selection"), head: "", class: "pick", cell: box }] : []),
    { name: t("commands.state"), head: "", class: "state", cell: (row) => html`<${StateCell} row=${row} />` },
    { name: t("device.name"), head: t("device.name"), class: "lead", cell: (row) => html`<${NameCell} row=${row} />` },
    { name: t("device.site"), head: t("device.site"), class: "site", cell: (row) => html`<${SiteCell} row=${row} />` },
    { name: t("device.day"), head: t("device.day"), class: "day hide-s", cell: (row) => html`<${StripCell} row=${row} />` },
    { name: t("device.model"), head: t("device.model"), class: "model hide-s", cell: (row) => html`<${TextCell} row=${row} text=${modelOf} />` },
    { name: t("devices.waiting"), head: t("devices.waiting"), class: "num waiting hide-s", cell: (row) => html`<${WaitingCell} row=${row} />` },
    { name: t("devices.seen"), head: t("devices.seen"), class: "num seen end", cell: (row) => html`<${SeenCell} row=${row} />` },
    { name: t("open.open"), head: "", class: "num opens", cell: (row) => html`<${OpenCell} row=${row} />` },
  ];
}

/** @param {Device} device */
function modelOf(device) {
  return String(device.facts["model"] ?? "");
}
