/** One webhook: whether it delivers, what it was sent and what it answered, and what can be done about it. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { get, patch, path, post, remove } from "../api.js";
import { Act, Button } from "../components/button.js";
import { ConfirmDialog, FormDialog } from "../components/form-dialog.js";
import { Card, Facts, Loaded, Page } from "../components/page.js";
import { Pager } from "../components/pager.js";
import { Table } from "../components/table.js";
import { Time } from "../components/time.js";
import { clockTime, duration, exact } from "../format.js";
import { Icon } from "../icons.js";
import { deviceName } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { listed, t } from "../messages.js";
import { usePolling } from "../polling.js";
import { go } from "../route.js";
import { visible } from "../text.js";
import { overlapField } from "../tokens/list.js";
import { webhookBody, webhookFields, webhookValues } from "./form.js";
import { SigningSecret } from "./list.js";
import { TestAct, WebhookState } from "./state.js";
import { maskedUrl } from "./url.js";

/**
 * @typedef {import("../api.js").Webhook} Webhook
 * @typedef {import("../api.js").Schemas["DeliveryAttempt"]} Attempt
 */

/** Milliseconds between two readings of the deliveries, which are no events. */
const POLLED = 5000;

/** @param {import("../route.js").PageProps} props */
export default function WebhookPage({ params, query }) {
  const id = params["id"] ?? "";
  const cursor = query.get("cursor");
  const live = useLive(id, { load: (signal) => get(path`/v1/webhooks/${id}`, { signal }), apply: (data, event) => (/^(webhook|alert)\./.test(event.type) ? READ_AGAIN : data) });
  const deliveries = useLive(`${id} ${cursor}`, {
    load: (signal) => get(path`/v1/webhooks/${id}/deliveries`, { query: { cursor }, signal }),
  });
  usePolling(deliveries.read, POLLED, cursor === null);
  /** @type {Webhook | undefined} */
  const webhook = live.data;
  if (webhook === undefined) return html`<${Page} title=${t("webhooks.webhook")}><${Loaded} live=${live} show=${() => null} /><//>`;
  const read = () => {
    live.read();
    deliveries.read();
  };
  return html`<${Page}
    title=${visible(maskedUrl(webhook.url))}
    heading=${html`<span class="mono">${visible(maskedUrl(webhook.url))}</span>`}
    crumb=${html`<a class="plain" href="/webhooks">${t("nav.webhooks")}</a>`}
    lead=${html`<${WebhookState} webhook=${webhook} />`}
    acts=${html`<${WebhookActs} webhook=${webhook} read=${read} />`}
  >
    ${isStopped(webhook) && html`<${Trouble} webhook=${webhook} read=${read} />`}
    <div class="two">
      <${Card} title=${t("now.deliveries")}>
        <${Loaded} live=${deliveries} rows=${6} show=${(/** @type {{items: Attempt[], next: string | null}} */ { items, next }) => html`
          <${Table} label=${t("now.deliveries")} columns=${columns(webhook, read)} rows=${items} rowKey=${(/** @type {Attempt} */ each) => `${each.seq} ${each.at}`} empty=${t("webhooks.no_deliveries")} />
          <${Pager} next=${next} />`} />
      <//>
      <${Card} title=${t("page.facts")}><div class="pad"><${Facts} items=${factsOf(webhook)} /></div><//>
    </div>
  <//>`;
}

/** @param {Webhook} webhook */
function isStopped({ disabled_at: disabled, failing_since: failing }) {
  return disabled !== null || failing !== null;
}

/** Why nothing is delivered, and the act that goes on.
 * @param {{webhook: Webhook, read: () => void}} props
 */
function Trouble({ webhook, read }) {
  const go = async () => {
    await post(path`/v1/webhooks/${webhook.id}/redeliver`, {});
    read();
  };
  const next = webhook.next_attempt_at && t("now.next_try", { time: clockTime(webhook.next_attempt_at) });
  return html`<div class="note acting"><${Icon} name="warn" />
    <p>${webhook.disabled_reason ? html`<bdi lang="en">${visible(webhook.disabled_reason)}</bdi>` : t("webhooks.waits")} ${next}</p>
    <${Act} run=${go}>${t("webhooks.continue")}<//>
  </div>`;
}

/**
 * @param {Webhook} webhook
 * @param {() => void} read
 * @returns {import("../components/table.js").Column<Attempt>[]}
 */
function columns(webhook, read) {
  const repeat = (/** @type {Attempt} */ { seq }) => async () => {
    await post(path`/v1/webhooks/${webhook.id}/redeliver`, { after: seq });
    read();
  };
  return [
    { name: "at", head: t("commands.when"), class: "num start", cell: (attempt) => html`<${Time} at=${attempt.at} mode="clock" />` },
    { name: "answer", head: t("webhooks.answer"), class: "lead", cell: (attempt) => html`<${Answer} attempt=${attempt} />` },
    { name: "took", head: t("commands.took"), class: "num", cell: (attempt) => duration(attempt.duration) },
    { name: "event", head: t("webhooks.event"), class: "hide-s", cell: (attempt) => html`<span class="mono small">${attempt.seq}</span>` },
    { name: "acts", head: "", class: "wide", cell: (attempt) => html`<div class="row-acts"><${Act} kind="bare" run=${repeat(attempt)}>${t("webhooks.repeat_after")}<//></div>` },
  ];
}

/** @param {{attempt: Attempt}} props */
function Answer({ attempt: { status, error } }) {
  const isOk = status !== null && status < 300 && error === null;
  return html`<span class="with-icon"><${Icon} name=${isOk ? "check" : "cross"} kind=${isOk ? "ok" : "bad"} />
    <span><span class="mono">${status ?? "–"}</span> ${error && html`<bdi class="soft small" lang="en">${visible(error)}</bdi>`}</span></span>`;
}

/** @param {Webhook} webhook @returns {[unknown, unknown][]} */
function factsOf(webhook) {
  const shown = (/** @type {readonly string[]} */ names) => (names.length ? listed(names.map(visible)) : t("webhooks.any"));
  return [
    [t("webhooks.format"), t(`webhooks.${webhook.format}`)],
    [t("webhooks.types"), webhook.types.length ? html`<span class="mono">${webhook.types.join(", ")}</span>` : t("webhooks.all_types")],
    [t("scope.devices_label"), webhook.devices.length ? listed(webhook.devices.map(deviceName)) : t("webhooks.any")],
    [t("scope.sites_label"), shown(webhook.sites)],
    [t("scope.tags_label"), shown(webhook.tags)],
    [t("webhooks.result"), t(webhook.include_result ? "webhooks.yes" : "webhooks.no")],
    [t("webhooks.parallel"), webhook.parallel],
    [t("webhooks.made"), exact(webhook.created_at)],
  ];
}

/** @param {{webhook: Webhook, read: () => void}} props */
function WebhookActs({ webhook, read }) {
  const asked = useSignal(/** @type {"change" | "secret" | "remove" | null} */ (null));
  const secret = useSignal("");
  const close = () => (asked.value = null);
  const done = (/** @type {any} */ result) => {
    close();
    secret.value = result?.secret ?? "";
    read();
  };
  const ask = (/** @type {NonNullable<typeof asked.value>} */ what) => () => (asked.value = what);
  return html`<${TestAct} webhook=${webhook} />
    <${Button} onClick=${ask("change")}>${t("act.change")}<//>
    <${Button} onClick=${ask("secret")}>${t("webhooks.new_secret")}<//>
    <${Button} class="danger" onClick=${ask("remove")}>${t("act.remove")}<//>
    ${asked.value === "change" &&
    html`<${FormDialog}
      title=${t("webhooks.change_title")}
      fields=${webhookFields}
      initial=${webhookValues(webhook)}
      submit=${t("act.save")}
      run=${(/** @type {any} */ values) => patch(path`/v1/webhooks/${webhook.id}`, webhookBody(values))}
      onDone=${done}
      onClose=${close}
    />`}
    ${asked.value === "secret" &&
    html`<${FormDialog}
      title=${t("webhooks.rotate_title")}
      fields=${() => [overlapField()]}
      initial=${{ overlap: "86400" }}
      submit=${t("webhooks.rotate_act")}
      run=${(/** @type {any} */ { overlap }) => post(path`/v1/webhooks/${webhook.id}/secret`, undefined, { query: { overlap } })}
      onDone=${done}
      onClose=${close}
    />`}
    ${asked.value === "remove" &&
    html`<${ConfirmDialog}
      title=${t("webhooks.remove_title")}
      text=${t("webhooks.remove_text")}
      submit=${t("webhooks.remove_act")}
      run=${() => remove(path`/v1/webhooks/${webhook.id}`)}
      onDone=${() => go("/webhooks")}
      onClose=${close}
    />`}
    ${secret.value && html`<${SigningSecret} secret=${secret.value} onClose=${() => (secret.value = "")} />`}`;
}
