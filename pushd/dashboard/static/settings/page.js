/** What this server runs with: read only, as options are given at the start; and a test mail. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { get, post } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Card, Facts, Loaded, Page } from "../components/page.js";
import { exact } from "../format.js";
import { Icon } from "../icons.js";
import { useLive } from "../live.js";
import { t } from "../messages.js";
import { can } from "../session.js";
import { visible } from "../text.js";

/**
 * @typedef {import("../api.js").Schemas["ServerInfo"]} ServerInfo
 * @typedef {import("../api.js").Schemas["RecipientReply"]} RecipientReply
 */

/** The server and its options. */
export default function SettingsPage() {
  const live = useLive("settings", { load: (signal) => get("/v1/info", { signal }) });
  return html`<${Page} title=${t("nav.settings")} lead=${t("settings.read_only")}>
    <${Loaded} live=${live} rows=${8} show=${(/** @type {ServerInfo} */ info) => html`<${Settings} info=${info} />`} />
  <//>`;
}

/** @param {{info: ServerInfo}} props */
function Settings({ info }) {
  return html`<div class="two">
    <${Card} title=${t("settings.options")}>
      <dl class="facts options pad">${Object.entries(info.options).map(([name, value]) => html`<dt class="mono">${name}</dt><dd><${Value} value=${value} /></dd>`)}</dl>
    <//>
    <div class="col">
      <${Card} title=${t("settings.server")}><div class="pad"><${Facts} items=${serverFacts(info)} /></div><//>
      ${can("admin") && html`<${TestMail} />`}
    </div>
  </div>`;
}

/** @param {{value: unknown}} props */
function Value({ value }) {
  const isNone = value === null || (typeof value === "object" && Object.keys(value).length === 0);
  if (isNone) return html`<span class="muted">${t("settings.not_set")}</span>`;
  if (typeof value === "boolean") return t(value ? "webhooks.yes" : "webhooks.no");
  if (Array.isArray(value)) return html`<ul class="mono">${value.map((each) => html`<li>${visible(each)}</li>`)}</ul>`;
  return html`<span class="mono">${visible(typeof value === "object" ? JSON.stringify(value) : value)}</span>`;
}

/** @param {ServerInfo} info @returns {[unknown, unknown][]} */
function serverFacts(info) {
  const ports = (/** @type {readonly string[]} */ endpoints) => html`<ul class="mono">${endpoints.map((each) => html`<li>${visible(each)}</li>`)}</ul>`;
  return [
    [t("settings.version"), info.version],
    [t("settings.schema"), info.schema],
    [t("settings.node"), html`<bdi>${visible(info.node)}</bdi>`],
    [t("settings.started"), exact(info.started_at)],
    [t("settings.dialects"), info.dialects.join(", ")],
    [t("settings.device_port"), ports(info.listen["devices"] ?? [])],
    [t("settings.admin_port"), ports(info.listen["admin"] ?? [])],
    [t("settings.polls"), info.counts.polls],
    [t("settings.api"), html`<a href="/docs">/docs</a>`],
  ];
}

/** Send a mail to all that are configured, and show what the mail server said about each. */
function TestMail() {
  const replies = useSignal(/** @type {readonly RecipientReply[]} */ ([]));
  const act = useAct(async () => {
    replies.value = [];
    replies.value = (await post("/v1/mail/test")).recipients;
  });
  return html`<${Card} title=${t("settings.mail")}>
    <div class="form pad">
      <p class="soft small">${t("settings.mail_text")}</p>
      <div class="act"><${Button} busy=${act.busy} onClick=${act.start}>${t("settings.mail_test")}<//><${Outcome} act=${act} /></div>
      <ul class="form small" aria-live="polite">
        ${replies.value.map(
          ({ address, accepted, reply }) => html`<li class="with-icon"><${Icon} name=${accepted ? "check" : "cross"} kind=${accepted ? "ok" : "bad"} />
            <span><bdi>${visible(address)}</bdi> <bdi class="soft" lang="en">${visible(reply)}</bdi></span></li>`,
        )}
      </ul>
    </div>
  <//>`;
}
