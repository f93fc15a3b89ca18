/** What happened to a command: a bar of the time that it waited and that the device had it, and the steps in words. */
import { html } from "htm/preact";
import { now, tick } from "../clock.js";
import { LOOKS } from "../components/status.js";
import { Timeline } from "../components/timeline.js";
import { duration } from "../format.js";
import { paragraph, t, words } from "../messages.js";
import { visible } from "../text.js";
import { partsOf, widths } from "./steps.js";

/**
 * @typedef {import("../api.js").Command} Command
 * @typedef {import("./steps.js").CommandStep} CommandStep
 */

const WIDTH = 960;

/** What the server says of a command whose time for an answer is over. */
const NO_ANSWER = "the lease ran out without a result";

/** @param {{command: Command, steps: readonly CommandStep[]}} props */
export function CommandTimeline({ command, steps }) {
  return html`<div class="pad form">
    <${Bar} steps=${steps} />
    <${Timeline} steps=${steps.map((step, index) => shownStep(command, step, steps[index + 1]))} />
    ${command.state === "unknown" && html`<p class="soft small">${t("timeline.decide")}</p>`}
  </div>`;
}

/** @param {{steps: readonly CommandStep[]}} props */
function Bar({ steps }) {
  void tick.value;
  const parts = partsOf(steps, now());
  if (parts.length === 0) return null;
  const shares = widths(parts);
  const sum = (/** @type {string} */ kind) => parts.filter((part) => part.kind === kind).reduce((all, part) => all + part.to - part.from, 0) / 1000;
  const waited = t("timeline.waited", { duration: duration(sum("waiting")) });
  const out = parts.some((part) => part.kind === "out") ? t("timeline.out", { duration: duration(sum("out")) }) : "";
  let x = 0;
  return html`<figure class="bar">
    <svg viewBox="0 0 ${WIDTH} 8" preserveAspectRatio="none" role="img" aria-label=${[waited, out].filter(Boolean).join(", ")}>
      ${parts.map((part, index) => {
        const width = (shares[index] ?? 0) * WIDTH;
        x += width;
        return html`<rect class=${part.kind === "waiting" ? "waiting" : colourOf(part.outcome)} x=${x - width} y="0" width=${Math.max(width - 2, 1)} height="8" />`;
      })}
    </svg>
    <figcaption class="axis"><span>${waited}</span><span>${out}</span></figcaption>
  </figure>`;
}

/** @param {CommandStep["kind"]} kind */
function colourOf(kind) {
  const colour = LOOKS[kind]?.[0] ?? "busy";
  return kind === "queued" ? "doubt" : colour;
}

/**
 * @param {Command} command
 * @param {CommandStep} step
 * @param {CommandStep | undefined} next
 * @returns {import("../components/timeline.js").Step}
 */
function shownStep(command, step, next) {
  const [kind, icon] = LOOKS[step.kind === "resolved" ? step.data["state"] : step.kind] ?? ["calm", "unknown"];
  return { at: step.at, icon, kind, title: title(command, step), text: text(command, step), isGap: step.kind === "sent" && next?.kind === "unknown" };
}

/**
 * @param {Command} command
 * @param {CommandStep} step
 */
function title(command, { kind, by, data }) {
  if (kind === "queued" && data["reason"] === "unsent") return t("timeline.unsent");
  if (kind === "queued" && data["reason"] === "lapsed") return t("timeline.lapsed");
  if (kind === "queued") return by === null ? t("timeline.queued") : words("timeline.queued_by", { by: visible(by) });
  if (kind === "sent") return t("timeline.sent", { attempt: data["attempt"] ?? command.attempts, most: command.delivery === "at_most_once" ? 1 : command.max_attempts });
  if (kind === "cancelled") return by === null ? t("timeline.cancelled") : words("timeline.cancelled_by", { by: visible(by) });
  if (kind === "resolved") {
    const key = data["state"] === "succeeded" ? "timeline.resolved_succeeded" : "timeline.resolved_failed";
    return words(key, { by: visible(by ?? "–") });
  }
  if (isReport(kind) && command.evidence === "operator") return t("timeline.resolved");
  return t(`timeline.${kind}`);
}

/**
 * @param {Command} command
 * @param {CommandStep} step
 */
function text(command, { kind, data }) {
  const isSilence = !data["error"] || data["error"] === NO_ANSWER;
  const parts = paragraph(
    kind === "queued" && !data["reason"] && t("timeline.valid_for", { duration: duration(command.ttl) }),
    kind === "queued" && data["resend_of"] && html`<a href=${`/commands/${data["resend_of"]}`}>${t("timeline.resend_of")}</a>`,
    kind === "resolved" && data["note"] && html`<bdi>${visible(data["note"])}</bdi>`,
    kind === "unknown" && isSilence && t("timeline.no_answer", { duration: duration(command.lease) }),
    data["error"] && !isSilence && html`<bdi lang="en">${visible(data["error"])}</bdi>`,
    isReport(kind) && data["late"] && t("explain.late"),
    isReport(kind) && command.matched_by === "order" && t("explain.by_order"),
  );
  return parts.length ? parts : null;
}

/** @param {CommandStep["kind"]} kind */
function isReport(kind) {
  return kind === "succeeded" || kind === "failed";
}
