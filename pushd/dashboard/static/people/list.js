/** People who use the dashboard, their invitations and their sessions. */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get, patch, path, post, remove } from "../api.js";
import { Act, Button } from "../components/button.js";
import { ConfirmDialog, FormDialog } from "../components/form-dialog.js";
import { ListPage } from "../components/list-page.js";
import { Once } from "../components/once.js";
import { Card, Loaded } from "../components/page.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { when } from "../format.js";
import { useLive } from "../live.js";
import { t, words } from "../messages.js";
import { visible } from "../text.js";
import { scopeBody, scopeFields, scopeInWords, scopeValues } from "../tokens/scope.js";

/**
 * @typedef {import("../api.js").Schemas["Person"]} Person
 * @typedef {import("../api.js").Schemas["Session"]} Session
 * @typedef {{act: "add" | "change" | "remove", person?: Person}} Asked
 */

const ROLES = /** @type {const} */ (["viewer", "operator", "admin"]);

/** Sessions that are listed. */
const MOST_SESSIONS = 200;

/** @param {import("../route.js").PageProps} props */
export default function PeopleList({ query }) {
  const asked = useSignal(/** @type {Asked | null} */ (null));
  const invited = useSignal(/** @type {{name: string, url: string, expires_at: string} | null} */ (null));
  const reader = useRef(/** @type {(() => void) | null} */ (null));
  const sessions = useLive("sessions", { load: (signal) => get("/v1/sessions", { query: { limit: MOST_SESSIONS }, signal }) });
  const close = () => (asked.value = null);
  const read = () => {
    reader.current?.();
    sessions.read();
  };
  const invite = async (/** @type {Person} */ person) => {
    const link = await post(path`/v1/people/${person.name}/invite`);
    invited.value = { name: person.name, ...link };
    read();
  };
  const done = async (/** @type {Person | undefined} */ added) => {
    close();
    read();
    if (added !== undefined) await invite(added);
  };
  return html`<${ListPage}
    title=${t("nav.people")}
    path="/v1/people"
    cursor=${query.get("cursor")}
    columns=${columns((next) => (asked.value = next), invite, countOf(sessions.data?.items ?? []))}
    rowKey=${(/** @type {Person} */ person) => person.name}
    reader=${reader}
    holds=${false}
    empty=${t("people.none")}
    acts=${html`<${Button} kind="main" onClick=${() => (asked.value = { act: "add" })}>${t("people.add")}<//>`}
  >
    <${Card} title=${t("people.sessions")}>
      <${Loaded}
        live=${sessions}
        show=${(/** @type {{items: Session[]}} */ { items }) => html`<${Table} label=${t("people.sessions")} columns=${sessionColumns(read)} rows=${byUse(items)} rowKey=${(/** @type {Session} */ session) => session.id} holds=${false} empty=${t("people.no_sessions")} />`}
      />
    <//>
    ${asked.value && html`<${DIALOGS[asked.value.act]} person=${asked.value.person} onDone=${done} onClose=${close} />`}
    ${invited.value &&
    html`<${Once}
      title=${t("people.link_for", { name: visible(invited.value.name) })}
      label=${t("people.link")}
      secret=${invited.value.url}
      hint=${t("people.valid_until", { time: when(invited.value.expires_at) })}
      onClose=${() => (invited.value = null)}
    />`}
  <//>`;
}

/**
 * How many sessions each person has; tokens have sessions, too.
 * @param {readonly Session[]} sessions
 * @returns {Map<string, number>}
 */
function countOf(sessions) {
  const counts = new Map();
  for (const { name, by } of sessions) if (by === "invitation") counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/**
 * The last used first.
 * @param {readonly Session[]} sessions
 */
function byUse(sessions) {
  return [...sessions].sort((one, other) => other.last_used_at.localeCompare(one.last_used_at));
}

/**
 * @param {(asked: Asked) => void} ask
 * @param {(person: Person) => Promise<void>} invite
 * @param {Map<string, number>} sessions
 * @returns {import("../components/table.js").Column<Person>[]}
 */
function columns(ask, invite, sessions) {
  return [
    { name: "name", head: t("people.name"), class: "lead", cell: (person) => html`<bdi>${visible(person.name)}</bdi>` },
    { name: "role", head: t("tokens.role"), cell: (person) => t(`role.${person.role}`) },
    { name: "scope", head: t("tokens.scope"), class: "wide", cell: (person) => html`<bdi class="soft">${person.role === "admin" ? t("scope.all") : scopeInWords(person)}</bdi>` },
    { name: "sessions", head: t("people.logged_in"), cell: (person) => stateOf(person, sessions.get(person.name) ?? 0) },
    {
      name: "acts",
      head: "",
      class: "wide",
      cell: (person) => html`<div class="row-acts">
        <${Act} kind="bare" run=${() => invite(person)}>${t("people.invite")}<//>
        <${Button} kind="bare" onClick=${() => ask({ act: "change", person })}>${t("act.change")}<//>
        <${Button} kind="bare" class="danger" onClick=${() => ask({ act: "remove", person })}>${t("act.remove")}<//>
      </div>`,
    },
  ];
}

/**
 * @param {Person} person
 * @param {number} sessions
 */
function stateOf(person, sessions) {
  if (person.invited_until !== null) return words("people.invited_until", { time: when(person.invited_until) });
  return sessions ? t("people.n_sessions", { n: sessions }) : html`<span class="muted">${t("people.not_logged_in")}</span>`;
}

/**
 * @param {() => void} read
 * @returns {import("../components/table.js").Column<Session>[]}
 */
function sessionColumns(read) {
  const end = (/** @type {Session} */ session) => async () => {
    await remove(path`/v1/sessions/${session.id}`);
    read();
  };
  return [
    { name: "name", head: t("people.name"), class: "lead", cell: (session) => html`<bdi>${visible(session.name)}</bdi> <span class="muted">${t(`people.by_${session.by}`)}</span>` },
    { name: "used", head: t("tokens.used"), class: "num", cell: (session) => html`<${Time} at=${session.last_used_at} />` },
    { name: "address", head: t("people.address"), cell: (session) => html`<span class="mono small">${session.address ?? "–"}</span>` },
    { name: "browser", head: t("people.browser"), class: "hide-s cut-cell", cell: (session) => html`<bdi title=${visible(session.user_agent ?? "")}>${visible(session.user_agent ?? "–")}</bdi>` },
    { name: "expires", head: t("people.ends"), class: "num hide-s", cell: (session) => html`<${Time} at=${session.expires_at} mode="when" />` },
    { name: "acts", head: "", class: "end", cell: (session) => html`<div class="row-acts"><${Act} kind="bare" run=${end(session)}>${t("people.end")}<//></div>` },
  ];
}

/** @typedef {{person: Person, onDone: (added?: Person) => void, onClose: () => void}} DialogProps */

/** @returns {import("../components/form-dialog.js").FormField} */
function roleField() {
  return { name: "role", label: t("tokens.role"), type: "select", options: ROLES.map((each) => [each, t(`role.${each}`)]) };
}

/** @param {Omit<DialogProps, "person">} props */
function Add({ onDone, onClose }) {
  const add = (/** @type {any} */ values) => post("/v1/people", { name: values.name.trim(), role: values.role, ...scopeBody(values, values.role) });
  return html`<${FormDialog}
    title=${t("people.add_title")}
    text=${t("people.add_text")}
    fields=${(/** @type {any} */ { role }) => [{ name: "name", label: t("people.name"), control: { autocomplete: "off" } }, roleField(), ...scopeFields(role)]}
    initial=${{ name: "", role: "operator", ...scopeValues() }}
    submit=${t("people.add_act")}
    run=${add}
    onDone=${onDone}
    onClose=${onClose}
  />`;
}

/** @param {DialogProps} props */
function Change({ person, onDone, onClose }) {
  const change = async (/** @type {any} */ values) => {
    await patch(path`/v1/people/${person.name}`, { role: values.role, ...scopeBody(values, values.role) });
  };
  return html`<${FormDialog}
    title=${t("tokens.change_title", { name: visible(person.name) })}
    fields=${(/** @type {any} */ { role }) => [roleField(), ...scopeFields(role)]}
    initial=${{ role: person.role, ...scopeValues(person) }}
    submit=${t("act.save")}
    run=${change}
    onDone=${onDone}
    onClose=${onClose}
  />`;
}

/** @param {DialogProps} props */
function Remove({ person, onDone, onClose }) {
  return html`<${ConfirmDialog}
    title=${t("people.remove_title", { name: visible(person.name) })}
    text=${t("people.remove_text")}
    submit=${t("people.remove_act")}
    run=${() => remove(path`/v1/people/${person.name}`)}
    onDone=${() => onDone()}
    onClose=${onClose}
  />`;
}

const DIALOGS = { add: Add, change: Change, remove: Remove };
