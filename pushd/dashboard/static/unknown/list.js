/** The inbox: commands whose outcome is unknown, each to be decided in its place. */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ApiProblem, get, path } from "../api.js";
import { Note } from "../commands/acts.js";
import { Decide, endpointOf, isOpening } from "../commands/decide.js";
import { Card, Loaded, Page } from "../components/page.js";
import { Pager } from "../components/pager.js";
import { Status } from "../components/status.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { clockTime } from "../format.js";
import { areKeysOn } from "../keys.js";
import { deviceName } from "../known-devices.js";
import { useLive } from "../live.js";
import { paragraph, t, words } from "../messages.js";
import { go } from "../route.js";
import { can } from "../session.js";
import { visible } from "../text.js";
import { applyToInbox, withSettled } from "./inbox.js";

/**
 * @typedef {import("./inbox.js").Row} Row
 * @typedef {import("./inbox.js").Inbox} Inbox
 */

/** @param {import("../route.js").PageProps} props */
export default function UnknownList({ query }) {
  const cursor = query.get("cursor");
  const shown = useRef(/** @type {Record<string, readonly Row[]>} */ ({}));
  const key = cursor ?? "";
  const live = useLive(key, {
    load: async (signal) => {
      const { items, next } = await get("/v1/commands", { query: { state: "unknown", cursor }, signal });
      const rows = withSettled(shown.current[key] ?? [], items);
      return { items: await Promise.all(rows.map((row) => settled(row, items, signal))), next };
    },
    apply: applyToInbox,
  });
  shown.current[key] = live.data?.items ?? [];
  return html`<${Page} title=${t("nav.unknown")} lead=${can("operator") && html`<span class="hide-s">${t("unknown.keys")}</span>`}>
    <${Card} label=${t("nav.unknown")}>
      <${Loaded} live=${live} rows=${6} show=${(/** @type {Inbox} */ data) => html`<${Inbox} data=${data} read=${live.read} />`} />
    <//>
  <//>`;
}

/**
 * A row of which no event has said yet that it is unknown no more.
 * @param {Row} row
 * @param {readonly Row[]} unknown those that are
 * @param {AbortSignal} signal
 * @returns {Promise<Row>}
 */
async function settled(row, unknown, signal) {
  if (row.state !== "unknown" || unknown.includes(row)) return row;
  try {
    return await get(path`/v1/commands/${row.id}`, { signal });
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return row; // it is not kept any more
    throw error;
  }
}

/** @param {{data: Inbox, read: () => void}} props */
function Inbox({ data, read }) {
  return html`<div onKeyDown=${onAnswerKey}>
      <${Table}
        label=${t("nav.unknown")}
        class="inbox"
        columns=${columns(read)}
        rows=${data.items}
        rowKey=${(/** @type {Row} */ row) => row.id}
        rowClass=${(/** @type {Row} */ row) => (row.state === "unknown" ? "" : "over")}
        onOpen=${(/** @type {Row} */ row) => go(`/commands/${row.id}`)}
        empty=${t("unknown.none")}
      />
    </div>
    <${Pager} next=${data.next} />`;
}

/**
 * `1` is the first answer and `2` the second, of the row that has the focus itself.
 * @param {KeyboardEvent} event
 */
function onAnswerKey(event) {
  const isPlain = areKeysOn.value && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!isPlain || !(event.target instanceof HTMLTableRowElement) || !["1", "2"].includes(event.key)) return;
  const answers = event.target.querySelectorAll(".answers .btn");
  const answer = answers[Number(event.key) - 1];
  if (answer instanceof HTMLElement) {
    event.preventDefault();
    answer.click();
  }
}

/**
 * @param {() => void} read
 * @returns {import("../components/table.js").Column<Row>[]}
 */
function columns(read) {
  return [
    { name: "question", head: t("unknown.question"), class: "lead", cell: (row) => html`<${Question} row=${row} />` },
    { name: "when", head: t("commands.when"), class: "num", cell: (row) => html`<${Time} at=${row.finished_at ?? row.created_at} mode="since" />` },
    { name: "answer", head: t("unknown.answer"), class: "wide", cell: (row) => html`<${Answer} row=${row} read=${read} />` },
  ];
}

/** @param {{row: Row}} props */
function Question({ row }) {
  const name = deviceName(row.device);
  const what = isOpening(row) ? words("now.did_open", { name }) : words("now.did_run", { name, endpoint: endpointOf(row) });
  return html`<p class="what"><a class="plain" href=${`/commands/${row.id}`}>${what}</a></p>
    <p class="soft small">${paragraph(
      row.sent_at === null ? t("now.may_have_run") : words("now.no_answer", { time: clockTime(row.sent_at) }),
      row.created_by && words("now.sent_by", { by: visible(row.created_by) }),
      row.trace && words("unknown.trace", { trace: visible(row.trace) }),
    )}</p>`;
}

/** The two answers, or what was decided.
 * @param {{row: Row, read: () => void}} props
 */
function Answer({ row, read }) {
  const note = useSignal("");
  if (row.state !== "unknown") {
    const by = row.settledBy ? words("unknown.decided_by", { by: visible(row.settledBy) }) : t(row.evidence === "operator" ? "timeline.resolved" : "unknown.answered");
    return html`<div class="row"><${Status} kind=${row.state} /><span class="small soft">${by}</span></div>`;
  }
  if (!can("operator")) return null;
  return html`<div class="row answers"><${Decide} command=${row} note=${note.value.trim()} onDecided=${read} /><${Note} note=${note} /></div>`;
}
