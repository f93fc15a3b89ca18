/** What became of one command: in a sentence, step by step, with what was sent and what was answered. */
import { html } from "htm/preact";
import { get, path } from "../api.js";
import { Content } from "../components/content.js";
import { Card, Facts, Loaded, Page } from "../components/page.js";
import { Status } from "../components/status.js";
import { duration, exact } from "../format.js";
import { Icon } from "../icons.js";
import { deviceName, devicePath } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { paragraph, t, words } from "../messages.js";
import { visible } from "../text.js";
import { Around, NEAR } from "./around.js";
import { CommandActs, DecideCard } from "./acts.js";
import { ENDED } from "./command-changes.js";
import { endpointOf, isOpening } from "./decide.js";
import { explained } from "./explain.js";
import { stepsOf } from "./steps.js";
import { CommandTimeline } from "./timeline.js";

/**
 * @typedef {import("../api.js").ApiEvent} ApiEvent
 * @typedef {import("../api.js").Command} Command
 * @typedef {import("../api.js").Schemas["Explanation"]} Explanation
 * @typedef {{command: Command, explanation: Explanation, events: ApiEvent[]}} Shown
 */

/** Pages of events that are read at most: a command may wait for days while its device does other things. */
const EVENT_PAGES = 4;
const PAGE = 500;

/** @param {import("../route.js").PageProps} props */
export default function CommandPage({ params }) {
  const id = params["id"] ?? "";
  const live = useLive(id, { load: (signal) => loadCommand(id, signal), apply: applyToCommand });
  const command = live.data?.command;
  if (command === undefined) return html`<${Page} title=${t("command.title")}><${Loaded} live=${live} rows=${8} show=${() => null} /><//>`;
  const endpoint = endpointOf(command);
  const title = isOpening(command) ? t("command.open_door") : endpoint;
  return html`<${Page}
    title=${title}
    heading=${isOpening(command) ? html`${title} <span class="mono muted">${endpoint}</span>` : html`<span class="mono">${endpoint}</span>`}
    crumb=${html`<a class="plain" href=${devicePath(command.device)}><bdi>${deviceName(command.device)}</bdi></a> / <a class="plain" href=${`/commands?device=${encodeURIComponent(command.device)}`}>${t("nav.commands")}</a>`}
    lead=${html`<${Status} kind=${command.state} /> ${command.created_by && words("command.sent_by", { by: visible(command.created_by) })}
      ${command.trace && html`· ${words("command.trace", { trace: html`<span class="mono">${visible(command.trace)}</span>` })}`}`}
    acts=${html`<${CommandActs} command=${command} />`}
  >
    <${Loaded} live=${live} show=${(/** @type {Shown} */ shown) => html`<${Body} ...${shown} />`} />
  <//>`;
}

/** @param {Shown} props */
function Body({ command, explanation, events }) {
  const isUnknown = command.state === "unknown";
  return html`<section class=${`card ${isUnknown ? "decide" : ""}`} aria-label=${t("command.why")}>
      <${Sentences} command=${command} explanation=${explanation} />
      ${isUnknown && html`<${DecideCard} command=${command} />`}
    </section>
    <div class="two">
      <div class="col">
        <${Card} title=${t("command.what_happened")} more=${html`<span class="hide-s">${t("command.local_time")}</span>`}>
          <${CommandTimeline} command=${command} steps=${stepsOf(command, events)} />
        <//>
        <${Content} title=${t("command.payload")} value=${command.payload} name=${`${command.id}-payload.json`} none=${t("command.no_payload")} />
        <${Content} title=${t("command.result")} value=${command.result} name=${`${command.id}-result.json`} none=${t("command.no_result")} />
      </div>
      <div class="col">
        <${Card} title=${t("page.facts")}><div class="pad"><${Facts} items=${factsOf(command)} /></div><//>
        <${Around} command=${command} events=${events} />
      </div>
    </div>`;
}

/** The first sentence, and what else is known.
 * @param {{command: Command, explanation: Explanation}} props
 */
function Sentences({ command, explanation }) {
  const [first, ...others] = explained(command, explanation) ?? [];
  const isUnknown = command.state === "unknown";
  return html`<div class="stated pad">
    <${Icon} name=${isUnknown ? "unknown" : "commands"} kind=${isUnknown ? "doubt" : "muted"} />
    <div>
      <p class="big">${first === undefined ? html`<span lang="en">${explanation.sentence}</span>` : words(...first)}</p>
      ${others.length > 0 && html`<p class="soft small">${paragraph(...others.map(([key, holes]) => t(key, holes)))}</p>`}
    </div>
  </div>`;
}

/** @param {Command} command @returns {[unknown, unknown][]} */
function factsOf(command) {
  return [
    [t("commands.device"), html`<a href=${devicePath(command.device)}><bdi>${deviceName(command.device)}</bdi></a>`],
    [t("command.delivery"), t(`delivery.${command.delivery}`)],
    [t("command.attempts"), t("command.n_of_m", { n: command.attempts, most: command.delivery === "at_most_once" ? 1 : command.max_attempts })],
    [t("command.ttl"), duration(command.ttl)],
    [t("command.lease"), duration(command.lease)],
    [t("command.deadline"), duration(command.deadline)],
    [t("command.priority"), command.priority],
    [t("command.evidence"), command.evidence === null ? t("command.no_evidence") : t(`evidence.${command.evidence}`)],
    ...optionalFacts(command),
    [t("command.id"), html`<span class="mono" translate="no">${command.id}</span>`],
  ];
}

/** @param {Command} command @returns {[unknown, unknown][]} */
function optionalFacts(command) {
  /** @type {[unknown, unknown, unknown][]} */
  const facts = [
    [command.not_before, t("command.not_before"), command.not_before && exact(command.not_before)],
    [command.state === "queued", t("command.expires"), exact(command.expires_at)],
    [command.error, t("command.error"), html`<bdi lang="en">${visible(command.error)}</bdi>`],
    [command.resend_of, t("command.resend_of"), html`<a class="mono" href=${`/commands/${command.resend_of}`}>${command.resend_of}</a>`],
    [command.idempotency_key, t("command.key"), html`<span class="mono">${visible(command.idempotency_key)}</span>`],
  ];
  return facts.filter(([isThere]) => isThere).map(([, name, value]) => [name, value]);
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Shown>}
 */
async function loadCommand(id, signal) {
  const [command, explanation] = await Promise.all([
    get(path`/v1/commands/${id}`, { signal }),
    get(path`/v1/commands/${id}/explain`, { signal }),
  ]);
  return { command, explanation, events: await loadEvents(command, signal) };
}

/**
 * The events of the device from a little before the command to a little after it.
 * @param {Command} command
 * @param {AbortSignal} signal
 */
async function loadEvents(command, signal) {
  const since = new Date(Date.parse(command.created_at) - NEAR).toISOString();
  const until = Date.parse(command.finished_at ?? "") + NEAR;
  /** @type {ApiEvent[]} */
  const events = [];
  /** @type {string | undefined} */
  let after;
  for (let page = 0; page < EVENT_PAGES; page++) {
    const query = { device: command.device, limit: PAGE, ...(after === undefined ? { since } : { after }) };
    const { items, next } = await get("/v1/events", { query, signal });
    events.push(...items);
    after = next;
    if (items.length < PAGE || Date.parse(items.at(-1).at) > until) break;
  }
  return events;
}

/**
 * @param {Shown} data
 * @param {ApiEvent} event
 */
function applyToCommand(data, event) {
  if (event.command === data.command.id) return READ_AGAIN;
  if (event.device !== data.command.device) return data;
  if (!ENDED.includes(data.command.state)) return READ_AGAIN; // why it waits may be another reason now
  return { ...data, events: [...data.events, event] };
}
