/**
 * Why a command is in its state, as sentences in the chosen language, made from the reason and the facts that
 * `GET /v1/commands/{id}/explain` gives.
 *
 * @typedef {import("../api.js").Command} Command
 * @typedef {import("../api.js").Schemas["Explanation"]} Explanation
 * @typedef {[key: import("../messages.js").Key, holes?: import("../messages.js").Holes]} Sentence
 */
import { clockTime, duration, secondsBetween, when } from "../format.js";
import { isOpening } from "./decide.js";

/**
 * The sentences; null: the reason is one that this version does not know, and the server's own sentence is to be shown.
 * @param {Command} command
 * @param {Explanation} explanation
 * @returns {Sentence[] | null}
 */
export function explained(command, { reason, facts }) {
  const sentence = SENTENCES[reason]?.(command, facts);
  if (sentence === undefined) return null;
  return [sentence, ...more(command, reason, facts)];
}

/** @typedef {Record<string, any>} Facts */

/** @type {Record<string, (command: Command, facts: Facts) => Sentence>} */
const SENTENCES = {
  "device-unknown": () => ["explain.device_unknown"],
  "waits-for-approval": () => ["explain.waits_for_approval"],
  "device-blocked": () => ["explain.device_blocked"],
  "lacks-proof": () => ["explain.lacks_proof"],
  "not-yet-due": (command) => ["explain.not_yet_due", { time: when(command.not_before ?? command.created_at) }],
  "signed-off": (_command, facts) => {
    const at = facts["signed_off_at"] ?? facts["last_seen_at"];
    return at ? ["explain.signed_off", { time: when(at) }] : ["explain.signed_off_once"];
  },
  "never-polled": () => ["explain.never_polled"],
  "between-polls": (_command, facts) => ["explain.between_polls", { gap: duration(facts["poll_gap"]) }],
  "not-polling": (_command, facts) =>
    facts["last_seen_at"] ? ["explain.not_polling", { time: when(facts["last_seen_at"]) }] : ["explain.never_polled"],
  "others-ahead": (_command, facts) => ["explain.others_ahead", { n: facts["ahead"] }],
  "device-busy": () => ["explain.device_busy"],
  "about-to-be-sent": () => ["explain.about_to_be_sent"],
  "at-work": (_command, facts) => ["explain.at_work", { duration: duration(facts["lease_left"] ?? 0) }],
  "no-result-yet": (_command, facts) => ["explain.no_result_yet", { duration: duration(facts["lease_left"] ?? 0) }],
  resolved: (command) => [
    command.state === "succeeded" ? "explain.resolved_succeeded" : "explain.resolved_failed",
    { time: finished(command) },
  ],
  reported: (command) => [
    command.state === "succeeded" ? "explain.reported_succeeded" : "explain.reported_failed",
    { duration: duration(secondsBetween(command.created_at, command.finished_at ?? command.created_at)) },
  ],
  "expired-unsent": (command) => ["explain.expired", { time: when(command.expires_at) }],
  "cancelled-unsent": (command) => ["explain.cancelled", { time: finished(command) }],
  "outcome-unknown": (command) => [isOpening(command) ? "explain.unknown_door" : "explain.unknown"],
};

/**
 * What else is to be known.
 * @param {Command} command
 * @param {string} reason
 * @param {Facts} facts
 * @returns {Sentence[]}
 */
function more(command, reason, facts) {
  /** @type {(Sentence | false)[]} */
  const sentences = [
    reason === "outcome-unknown" && command.sent_at !== null && ["explain.handed_over", { time: clockTime(command.sent_at) }],
    reason === "outcome-unknown" && ["command.once"],
    reason === "reported" && command.late && ["explain.late"],
    reason === "reported" && command.matched_by === "order" && ["explain.by_order"],
    command.state === "queued" && facts["ahead"] > 0 && reason !== "others-ahead" && ["explain.also_ahead", { n: facts["ahead"] }],
    command.state === "queued" && command.attempts > 0 && ["explain.tried", { n: command.attempts }],
    ["sent", "acknowledged"].includes(command.state) && command.error !== null && ["explain.no_more_attempts"],
    isOpen(command) && facts["proven"] === false && reason !== "lacks-proof" && ["explain.no_proof"],
  ];
  return sentences.flatMap((sentence) => (sentence ? [sentence] : []));
}

/** @param {Command} command */
function isOpen(command) {
  return ["queued", "sent", "acknowledged"].includes(command.state);
}

/** @param {Command} command */
function finished(command) {
  return when(command.finished_at ?? command.created_at);
}
