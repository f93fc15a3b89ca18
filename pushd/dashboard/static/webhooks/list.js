/** Webhooks: which systems are notified of what, and whether that works. */
import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { path, post } from "../api.js";
import { Button } from "../components/button.js";
import { FormDialog } from "../components/form-dialog.js";
import { ListPage } from "../components/list-page.js";
import { Once } from "../components/once.js";
import { t } from "../messages.js";
import { go } from "../route.js";
import { visible } from "../text.js";
import { webhookBody, webhookFields, webhookValues } from "./form.js";
import { TestAct, WebhookState } from "./state.js";

/** @typedef {import("../api.js").Webhook} Webhook */

/** @returns {import("../components/table.js").Column<Webhook>[]} */
function columns() {
  return [
    { name: "url", head: t("webhooks.receiver"), class: "lead", cell: (webhook) => html`<a class="plain mono" href=${path`/webhooks/${webhook.id}`}>${visible(webhook.url)}</a>` },
    { name: "state", head: t("commands.state"), cell: (webhook) => html`<${WebhookState} webhook=${webhook} />` },
    { name: "types", head: t("webhooks.types"), cell: (webhook) => (webhook.types.length ? t("webhooks.n_types", { n: webhook.types.length }) : t("webhooks.all_types")) },
    { name: "format", head: t("webhooks.format"), class: "hide-s", cell: (webhook) => t(`webhooks.${webhook.format}`) },
    { name: "acts", head: "", class: "wide", cell: (webhook) => html`<div class="row-acts"><${TestAct} webhook=${webhook} /></div>` },
  ];
}

/** @param {import("../route.js").PageProps} props */
export default function WebhookList({ query }) {
  const isMaking = useSignal(false);
  const made = useSignal(/** @type {(Webhook & {secret: string}) | null} */ (null));
  const reader = useRef(/** @type {(() => void) | null} */ (null));
  const done = (/** @type {Webhook & {secret: string}} */ webhook) => {
    isMaking.value = false;
    made.value = webhook;
    reader.current?.();
  };
  return html`<${ListPage}
    title=${t("nav.webhooks")}
    path="/v1/webhooks"
    cursor=${query.get("cursor")}
    columns=${columns()}
    rowKey=${(/** @type {Webhook} */ webhook) => webhook.id}
    href=${(/** @type {Webhook} */ webhook) => path`/webhooks/${webhook.id}`}
    events=${/^(webhook|alert)\./}
    reader=${reader}
    empty=${t("webhooks.none")}
    acts=${html`<${Button} kind="main" onClick=${() => (isMaking.value = true)}>${t("webhooks.make")}<//>`}
  >
    ${isMaking.value &&
    html`<${FormDialog}
      title=${t("webhooks.make_title")}
      fields=${webhookFields}
      initial=${webhookValues()}
      submit=${t("webhooks.make_act")}
      run=${(/** @type {any} */ values) => post("/v1/webhooks", webhookBody(values))}
      onDone=${done}
      onClose=${() => (isMaking.value = false)}
    />`}
    ${made.value && html`<${SigningSecret} secret=${made.value.secret} onClose=${() => go(path`/webhooks/${made.value?.id ?? ""}`)} />`}
  <//>`;
}

/** The secret with which messages are signed, shown only now.
 * @param {{secret: string, onClose: () => void}} props
 */
export function SigningSecret({ secret, onClose }) {
  return html`<${Once} title=${t("webhooks.secret_title")} label=${t("webhooks.secret")} secret=${secret} hint=${t("webhooks.secret_hint")} onClose=${onClose} />`;
}
