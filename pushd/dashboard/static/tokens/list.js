/** Tokens: which programs may do what. */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { path, patch, post, remove } from "../api.js";
import { Button } from "../components/button.js";
import { ConfirmDialog, FormDialog } from "../components/form-dialog.js";
import { ListPage } from "../components/list-page.js";
import { Once } from "../components/once.js";
import { Time } from "../components/time.js";
import { duration } from "../format.js";
import { t } from "../messages.js";
import { visible } from "../text.js";
import { fromLocal, toLocal } from "./local-time.js";
import { scopeBody, scopeFields, scopeInWords, scopeValues } from "./scope.js";

/**
 * @typedef {import("../api.js").Schemas["Token"]} Token
 * @typedef {{act: "make" | "change" | "rotate" | "revoke", token?: Token}} Asked
 */

const ROLES = /** @type {const} */ (["viewer", "operator", "admin", "device"]);

/** Seconds for which an old secret may stay valid. */
const OVERLAPS = [0, 3600, 86_400, 7 * 86_400];

/** @param {import("../route.js").PageProps} props */
export default function TokenList({ query }) {
  const asked = useSignal(/** @type {Asked | null} */ (null));
  const issued = useSignal(/** @type {{name: string, token: string} | null} */ (null));
  const reader = useRef(/** @type {(() => void) | null} */ (null));
  const close = () => (asked.value = null);
  const done = (/** @type {any} */ result) => {
    close();
    if (result?.token) issued.value = result;
    reader.current?.();
  };
  return html`<${ListPage}
    title=${t("nav.tokens")}
    path="/v1/tokens"
    cursor=${query.get("cursor")}
    columns=${columns((next) => (asked.value = next))}
    rowKey=${(/** @type {Token} */ token) => token.id}
    reader=${reader}
    holds=${false}
    empty=${t("tokens.none")}
    acts=${html`<${Button} kind="main" onClick=${() => (asked.value = { act: "make" })}>${t("tokens.make")}<//>`}
  >
    ${asked.value && html`<${DIALOGS[asked.value.act]} token=${asked.value.token} onDone=${done} onClose=${close} />`}
    ${issued.value &&
    html`<${Once}
      title=${t("tokens.secret_of", { name: visible(issued.value.name) })}
      label=${t("login.token")}
      secret=${issued.value.token}
      onClose=${() => (issued.value = null)}
    />`}
  <//>`;
}

/**
 * @param {(asked: Asked) => void} ask
 * @returns {import("../components/table.js").Column<Token>[]}
 */
function columns(ask) {
  return [
    {
      name: "name",
      head: t("tokens.name"),
      class: "lead",
      cell: (token) => html`<bdi>${visible(token.name)}</bdi> ${token.file && html`<span class="tag" title=${t("tokens.file_hint")}>admin.token</span>`}`,
    },
    { name: "role", head: t("tokens.role"), cell: (token) => t(`role.${token.role}`) },
    { name: "scope", head: t("tokens.scope"), class: "wide", cell: (token) => html`<bdi class="soft">${token.role === "admin" ? t("scope.all") : scopeInWords(token)}</bdi>` },
    { name: "used", head: t("tokens.used"), class: "num", cell: (token) => html`<span class="sr-wide">${t("tokens.used")} </span>${token.last_used_at ? html`<${Time} at=${token.last_used_at} />` : t("tokens.never")}` },
    { name: "expires", head: t("tokens.expires"), class: "num hide-s", cell: (token) => (token.expires_at ? html`<${Time} at=${token.expires_at} mode="when" />` : t("tokens.never")) },
    {
      name: "acts",
      head: "",
      class: "wide",
      cell: (token) => html`<div class="row-acts">
        <${Button} kind="bare" onClick=${() => ask({ act: "change", token })}>${t("act.change")}<//>
        <${Button} kind="bare" onClick=${() => ask({ act: "rotate", token })}>${t("tokens.rotate")}<//>
        <${Button} kind="bare" class="danger" onClick=${() => ask({ act: "revoke", token })}>${t("tokens.revoke")}<//>
      </div>`,
    },
  ];
}

/** @typedef {{token: Token, onDone: (result?: unknown) => void, onClose: () => void}} DialogProps */

/** @param {Omit<DialogProps, "token">} props */
function Make({ onDone, onClose }) {
  const make = async (/** @type {import("./scope.js").Values} */ values) =>
    post("/v1/tokens", { name: values["name"], role: values["role"], ...scopeBody(values, values["role"]), expires_at: fromLocal(values["expires_at"]) });
  return html`<${FormDialog}
    title=${t("tokens.make_title")}
    fields=${(/** @type {any} */ { role }) => [
      { name: "name", label: t("tokens.name") },
      { name: "role", label: t("tokens.role"), hint: t(`tokens.${/** @type {typeof ROLES[number]} */ (role)}_may`), type: "select", options: ROLES.map((each) => [each, t(`role.${each}`)]) },
      ...scopeFields(role),
      expiry(),
    ]}
    initial=${{ name: "", role: "operator", ...scopeValues(), expires_at: "" }}
    submit=${t("tokens.make_act")}
    run=${make}
    onDone=${onDone}
    onClose=${onClose}
  />`;
}

/** @returns {import("../components/form-dialog.js").FormField} */
function expiry() {
  return { name: "expires_at", label: t("tokens.expires"), hint: t("tokens.expires_hint"), type: "datetime-local" };
}

/** @param {DialogProps} props */
function Change({ token, onDone, onClose }) {
  const change = async (/** @type {import("./scope.js").Values} */ values) => {
    const body = { name: values["name"], ...scopeBody(values, token.role), expires_at: fromLocal(values["expires_at"]) };
    await patch(path`/v1/tokens/${token.id}`, body);
  };
  return html`<${FormDialog}
    title=${t("tokens.change_title", { name: visible(token.name) })}
    text=${t("tokens.change_text")}
    fields=${() => [{ name: "name", label: t("tokens.name"), control: { readonly: token.file } }, ...scopeFields(token.role), expiry()]}
    initial=${{ name: token.name, ...scopeValues(token), expires_at: toLocal(token.expires_at) }}
    submit=${t("act.save")}
    run=${change}
    onDone=${onDone}
    onClose=${onClose}
  />`;
}

/** @param {DialogProps} props */
function Rotate({ token, onDone, onClose }) {
  const rotate = (/** @type {import("./scope.js").Values} */ { overlap }) =>
    post(path`/v1/tokens/${token.id}/rotate`, undefined, { query: { overlap } });
  return html`<${FormDialog}
    title=${t("tokens.rotate_title", { name: visible(token.name) })}
    text=${token.file && t("tokens.rotate_file")}
    fields=${() => [overlapField()]}
    initial=${{ overlap: "0" }}
    submit=${t("tokens.rotate_act")}
    run=${rotate}
    onDone=${onDone}
    onClose=${onClose}
  />`;
}

/**
 * For how long an old secret stays valid.
 * @returns {import("../components/form-dialog.js").FormField}
 */
export function overlapField() {
  return {
    name: "overlap",
    label: t("tokens.overlap"),
    type: "select",
    options: OVERLAPS.map((each) => [String(each), each === 0 ? t("tokens.no_overlap") : duration(each)]),
  };
}

/** @param {DialogProps} props */
function Revoke({ token, onDone, onClose }) {
  return html`<${ConfirmDialog}
    title=${t("tokens.revoke_title", { name: visible(token.name) })}
    text=${t(token.file ? "tokens.revoke_file" : "tokens.revoke_text")}
    submit=${t("tokens.revoke_act")}
    run=${() => remove(path`/v1/tokens/${token.id}`)}
    onDone=${onDone}
    onClose=${onClose}
  />`;
}

const DIALOGS = { make: Make, change: Change, rotate: Rotate, revoke: Revoke };
