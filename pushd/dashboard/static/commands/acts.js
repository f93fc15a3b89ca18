/** What can be done about a command, by its state. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { path, post } from "../api.js";
import { Act } from "../components/button.js";
import { t } from "../messages.js";
import { go } from "../route.js";
import { can } from "../session.js";
import { Decide } from "./decide.js";

/** @typedef {import("../api.js").Command} Command */

/** The states in which it can be sent again, as a new command. */
const REPEATABLE = ["unknown", "failed", "expired", "cancelled"];

/**
 * Cancel it, or send it again.
 * @param {{command: Command}} props
 */
export function CommandActs({ command }) {
  if (!can("operator")) return command.resent_as && html`<${ResentAs} command=${command} />`;
  return html`${canCancel(command) && html`<${Cancel} command=${command} />`}
    ${command.state !== "unknown" && html`<${Resend} command=${command} kind="plain" />`}`;
}

/** Whether cancelling changes anything: before it is sent, or while further attempts are allowed.
 * @param {Command} command
 */
function canCancel({ state, delivery, attempts, max_attempts: most }) {
  return state === "queued" || (["sent", "acknowledged"].includes(state) && delivery === "at_least_once" && attempts < most);
}

/** @param {{command: Command}} props */
function Cancel({ command }) {
  const cancel = async () => void (await post(path`/v1/commands/${command.id}/cancel`));
  return html`<${Act} run=${cancel}>${t(command.state === "queued" ? "act.cancel_command" : "command.no_further")}<//>`;
}

/** @param {{command: Command, kind: "plain" | "bare"}} props */
function Resend({ command, kind }) {
  if (command.resent_as) return html`<${ResentAs} command=${command} />`;
  if (!REPEATABLE.includes(command.state)) return null;
  const resend = async () => {
    const { id } = await post(path`/v1/commands/${command.id}/resend`, {});
    go(`/commands/${id}`);
  };
  return html`<${Act} kind=${kind} run=${resend}>${t("act.resend")}<//>`;
}

/** @param {{command: Command}} props */
function ResentAs({ command }) {
  return html`<a href=${`/commands/${command.resent_as}`}>${t("command.resent_as")}</a>`;
}

/**
 * The two answers about a command whose outcome is unknown, with a note, and the way to send it again.
 * @param {{command: Command}} props
 */
export function DecideCard({ command }) {
  const note = useSignal("");
  if (!can("operator")) return null;
  return html`<div class="row decide-acts">
    <${Decide} command=${command} note=${note.value.trim()} kind="firm" />
    <${Resend} command=${command} kind="bare" />
    <${Note} note=${note} />
  </div>`;
}

/** How that is known, beside the two answers.
 * @param {{note: import("@preact/signals").Signal<string>}} props
 */
export function Note({ note }) {
  return html`<div class="field note-in"><input
    aria-label=${t("decide.note")}
    placeholder=${t("decide.note")}
    maxlength="256"
    value=${note.value}
    onInput=${(/** @type {Event} */ event) => (note.value = /** @type {HTMLInputElement} */ (event.target).value)}
  /></div>`;
}
