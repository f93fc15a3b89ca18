/** The newest commands of a device, live; the one that was just sent is opened in its place. */
import { html } from "htm/preact";
import { get, path } from "../api.js";
import { applyToCommands } from "../commands/command-changes.js";
import { endpointOf } from "../commands/decide.js";
import { explained } from "../commands/explain.js";
import { Card, Loaded } from "../components/page.js";
import { Status } from "../components/status.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { duration, secondsBetween } from "../format.js";
import { READ_AGAIN, useLive } from "../live.js";
import { paragraph, t } from "../messages.js";
import { go } from "../route.js";
import { visible } from "../text.js";

/**
 * @typedef {import("../commands/command-changes.js").CommandPage} CommandPage
 * @typedef {import("../commands/command-changes.js").CommandSummary} CommandRow
 */

/** Commands that are read, for the ticks of a day. */
const READ = 200;

/** Rows that are shown. */
const SHOWN = 10;

/** Letters of a result that are shown in a row. */
const RESULT = 600;

/**
 * The commands of a device.
 * @param {string} device its id
 */
export function useCommands(device) {
  return useLive(`commands ${device}`, {
    load: async (signal) => {
      return /** @type {CommandPage} */ (await get("/v1/commands", { query: { device, limit: READ }, signal }));
    },
    apply: (data, event) => (event.device === device ? applyToCommands(data, event, { state: null, isFirstPage: true }) : data),
  });
}

/** @param {CommandRow} command */
const href = (command) => `/commands/${command.id}`;

/**
 * @param {{device: string, live: ReturnType<typeof useCommands>, opened: string}} props opened: the id of a command
 */
export function CommandsCard({ device, live, opened }) {
  /** @type {import("../components/table.js").Column<CommandRow>[]} */
  const columns = [
    { name: t("commands.state"), head: t("commands.state"), class: "state", cell: (command) => html`<${Status} kind=${command.state} />` },
    {
      name: t("commands.command"),
      head: t("commands.command"),
      class: "lead",
      cell: (command) => html`<a class="plain mono" href=${href(command)}>${endpointOf(command)}</a>
        ${command.error && html`<span class="small muted error">${visible(command.error)}</span>`}
        ${command.id === opened && html`<${Opened} id=${opened} />`}`,
    },
    { name: t("commands.by"), head: t("commands.by"), class: "muted by", cell: (command) => html`<bdi>${visible(command.created_by ?? "")}</bdi>` },
    { name: t("commands.took"), head: t("commands.took"), class: "num hide-s", cell: (command) => took(command) },
    { name: t("commands.when"), head: t("commands.when"), class: "num end", cell: (command) => html`<${Time} at=${command.created_at} mode="when" />` },
  ];
  const all = html`<a class="plain" href=${`/commands?device=${encodeURIComponent(device)}`}>${t("device.all_commands")}</a>`;
  return html`<${Card} title=${t("nav.commands")} more=${all}>
    <${Loaded}
      live=${live}
      rows=${3}
      show=${(/** @type {CommandPage} */ { items }) => html`<${Table}
        label=${t("nav.commands")}
        class="commands"
        columns=${columns}
        rows=${items.slice(0, SHOWN)}
        rowKey=${(/** @type {CommandRow} */ command) => command.id}
        onOpen=${(/** @type {CommandRow} */ command) => go(href(command))}
        fresh=${new Set([opened])}
        empty=${t("commands.none")}
      />`}
    />
  <//>`;
}

/** @param {CommandRow} command */
function took({ created_at, finished_at }) {
  return finished_at === null ? "…" : duration(Math.max(0, secondsBetween(created_at, finished_at)));
}

/** What is known of a command, and the beginning of its result.
 * @param {{id: string}} props
 */
function Opened({ id }) {
  const live = useLive(`explain ${id}`, {
    load: async (signal) => {
      const [explanation, command] = await Promise.all([
        get(path`/v1/commands/${id}/explain`, { signal }),
        get(path`/v1/commands/${id}`, { signal }),
      ]);
      return { explanation, command };
    },
    apply: (data, event) => (event.command === id ? READ_AGAIN : data),
  });
  if (live.data === undefined) return null;
  const { explanation, command } = live.data;
  const sentences = explained(command, explanation);
  const result = command.result === null ? "" : visible(JSON.stringify(command.result));
  return html`<div class="opened">
    ${sentences === null
      ? html`<p lang="en">${visible(explanation.sentence)}</p>`
      : html`<p>${paragraph(...sentences.map(([key, holes]) => t(key, holes)))}</p>`}
    ${result && html`<p class="mono" translate="no">${result.slice(0, RESULT)}${result.length > RESULT && "…"}</p>`}
  </div>`;
}
