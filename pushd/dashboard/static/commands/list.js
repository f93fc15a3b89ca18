/** What was sent: the newest first, by state, device, endpoint and sender. */
import { html } from "htm/preact";
import { Filters } from "../components/filters.js";
import { ListPage } from "../components/list-page.js";
import { LOOKS, Status } from "../components/status.js";
import { Time } from "../components/time.js";
import { duration, secondsBetween } from "../format.js";
import { deviceName, devicePath } from "../known-devices.js";
import { t } from "../messages.js";
import { clearQuery } from "../route.js";
import { visible } from "../text.js";
import { Button } from "../components/button.js";
import { ENDED, applyToCommands } from "./command-changes.js";
import { endpointOf } from "./decide.js";

/** @typedef {import("../api.js").CommandSummary} Command */

/** What the list can be narrowed by: names of the API, and of the address. */
const FILTERS = ["state", "device", "endpoint", "by", "trace"];

/** @returns {import("../components/table.js").Column<Command>[]} */
function columns() {
  return [
    { name: "state", head: t("commands.state"), cell: (command) => html`<${Status} kind=${command.state} />` },
    {
      name: "command",
      head: t("commands.command"),
      class: "lead",
      cell: (command) => html`<a class="plain mono" href=${`/commands/${command.id}`} title=${endpointOf(command)}>${endpointOf(command)}</a>`,
    },
    {
      name: "device",
      head: t("commands.device"),
      class: "cut-cell",
      cell: (command) => html`<a class="plain" href=${devicePath(command.device)}><bdi>${deviceName(command.device)}</bdi></a>`,
    },
    { name: "by", head: t("commands.by"), class: "hide-s cut-cell", cell: (command) => html`<bdi>${visible(command.created_by ?? "–")}</bdi>` },
    { name: "trace", head: t("commands.trace"), class: "hide-s cut-cell", cell: (command) => html`<bdi>${visible(command.trace ?? "–")}</bdi>` },
    { name: "took", head: t("commands.took"), class: "num hide-s", cell: took },
    { name: "when", head: t("commands.when"), class: "num end", cell: (command) => html`<${Time} at=${command.created_at} mode="when" />` },
  ];
}

/** How long it took until it ended.
 * @param {Command} command
 */
function took({ created_at, finished_at, state }) {
  if (finished_at === null || !ENDED.includes(state)) return "–";
  return duration(secondsBetween(created_at, finished_at));
}

/** @param {import("../route.js").PageProps} props */
export default function CommandList({ query }) {
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
  const shown = { state: chosen["state"] ?? null, isFirstPage: !query.has("cursor") };
  const isNarrowed = FILTERS.some((name) => query.has(name));
  const empty = isNarrowed
    ? html`${t("commands.no_match")} <${Button} onClick=${() => clearQuery()}>${t("act.clear")}<//>`
    : t("commands.none");
  return html`<${ListPage}
    title=${t("nav.commands")}
    path="/v1/commands"
    query=${chosen}
    cursor=${query.get("cursor")}
    columns=${columns()}
    rowKey=${(/** @type {Command} */ command) => command.id}
    href=${(/** @type {Command} */ command) => `/commands/${command.id}`}
    apply=${(/** @type {import("./command-changes.js").CommandPage} */ data, /** @type {import("../api.js").ApiEvent} */ event) => applyToCommands(data, event, shown)}
    fits=${(/** @type {Command} */ command) => shown.state === null || command.state === shown.state}
    empty=${empty}
    filters=${html`<${Filters} label=${t("commands.filters")} fields=${filters()} query=${query} />`}
  />`;
}

/** @returns {import("../components/filters.js").Filter[]} */
function filters() {
  const states = Object.keys(LOOKS).filter((name) => LOOKS[name]?.[2].startsWith("state."));
  return [
    {
      name: "state",
      label: t("commands.state"),
      kind: "select",
      options: [["", t("commands.any_state")], ...states.map((name) => /** @type {const} */ ([name, t(LOOKS[name]?.[2] ?? "state.unknown")]))],
    },
    { name: "device", label: t("commands.device_id"), kind: "text" },
    { name: "endpoint", label: t("commands.endpoint"), kind: "text" },
    { name: "by", label: t("commands.by"), kind: "text" },
    { name: "trace", label: t("commands.trace"), kind: "text" },
  ];
}
