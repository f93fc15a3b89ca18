/** What happened, step by step: an absolute time for the first, differences after. */
import { html } from "htm/preact";
import { duration, secondsBetween } from "../format.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";
import { Time } from "./time.js";

/**
 * @typedef {object} Step
 * @property {string} at
 * @property {import("../icons.js").IconName} icon
 * @property {string} [kind] a colour of state
 * @property {unknown} title
 * @property {unknown} [text]
 * @property {boolean} [isGap] whether it is not known what happened until the next step
 */

/** @param {{steps: readonly Step[]}} props */
export function Timeline({ steps }) {
  const first = steps[0];
  return html`<ol class="line">
    ${steps.map(
      (step) => html`<li class=${step.isGap ? "gap" : ""}>
        ${
          step === first || first === undefined
            ? html`<${Time} at=${step.at} mode="clock" />`
            : html`<span class="at">${t("time.later", { duration: duration(secondsBetween(first.at, step.at)) })}</span>`
        }
        <${Icon} name=${step.icon} kind=${step.kind ?? "muted"} />
        <div class="say"><b>${step.title}</b> ${step.text && html`<p class="soft">${step.text}</p>`}</div>
      </li>`,
    )}
  </ol>`;
}
