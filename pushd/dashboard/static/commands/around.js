/** What else happened with the device within two minutes of a command. */
import { html } from "htm/preact";
import { Card } from "../components/page.js";
import { LOOKS } from "../components/status.js";
import { Time } from "../components/time.js";
import { t } from "../messages.js";
import { stateAfter } from "./command-changes.js";
import { endpointOfEvent } from "./decide.js";

/**
 * @typedef {import("../api.js").ApiEvent} ApiEvent
 * @typedef {import("../api.js").Command} Command
 */

/** Milliseconds before and after a command. */
export const NEAR = 120_000;

/** Most rows. */
const MOST = 20;

/**
 * The other events of the device near a command: those near its end, if there are many. Of another command the newest
 * alone, as its own page has all.
 * @param {Command} command
 * @param {readonly ApiEvent[]} events of the device, oldest first
 * @returns {ApiEvent[]}
 */
export function eventsAround(command, events) {
  const from = Date.parse(command.created_at) - NEAR;
  const to = Date.parse(command.finished_at ?? command.sent_at ?? command.created_at) + NEAR;
  const near = events.filter((event) => event.command !== command.id && Date.parse(event.at) >= from && Date.parse(event.at) <= to);
  const latest = new Map(near.filter((event) => event.command !== null).map((event) => [event.command, event]));
  return near.filter((event) => event.command === null || latest.get(event.command) === event).slice(-MOST);
}

/** @param {{command: Command, events: readonly ApiEvent[]}} props */
export function Around({ command, events }) {
  const near = eventsAround(command, events);
  return html`<${Card} title=${t("around.title")}>
    ${near.length === 0
      ? html`<p class="pad small soft">${t("around.none")}</p>`
      : html`<ol class="near pad small">${near.map((event) => html`<li><${Time} at=${event.at} mode="clock" /><span>${what(event)}</span></li>`)}</ol>`}
  <//>`;
}

/** @param {ApiEvent} event */
function what(event) {
  const state = stateAfter(event);
  if (state === null) return t(EVENTS[event.type] ?? "around.other", { type: event.type });
  const [kind, , word] = LOOKS[state] ?? ["calm", "unknown", "state.unknown"];
  return html`<a class="plain mono" href=${`/commands/${event.command}`}>${endpointOfEvent(event)}</a> <span class=${kind}>${t(word)}</span>`;
}

/** @type {Record<string, import("../messages.js").Key>} */
const EVENTS = {
  "device.online": "presence.online",
  "device.offline": "presence.offline",
  "device.signed_off": "presence.signed_off",
  "device.pending": "admission.pending",
  "device.blocked": "admission.blocked",
  "device.approved": "around.approved",
  "device.changed": "around.changed",
  "device.registered": "around.registered",
  "device.conflict": "around.conflict",
  "result.orphaned": "around.orphaned",
  "alert.raised": "around.raised",
  "alert.cleared": "around.cleared",
  "alert.acknowledged": "around.acknowledged",
};
