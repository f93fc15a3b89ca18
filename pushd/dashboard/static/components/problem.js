/** A problem: what, since when, why as far as is known, and the one or two acts that help. */
import { html } from "htm/preact";
import { Icon } from "../icons.js";
import { Time } from "./time.js";

/**
 * @param {object} props
 * @param {import("../icons.js").IconName} props.icon
 * @param {string} props.kind a colour of state
 * @param {unknown} props.what
 * @param {unknown} props.why
 * @param {string | null} [props.since]
 * @param {unknown} props.acts
 * @param {boolean} [props.isOver] it has ended, and is shown for a moment
 */
export function Problem({ icon, kind, what, why, since, acts, isOver = false }) {
  return html`<li class=${`problem ${isOver ? "over" : ""}`}>
    <${Icon} name=${isOver ? "check" : icon} kind=${isOver ? "ok" : kind} />
    <p class="what">${what}</p>
    <${Time} class="age" at=${since} mode="since" />
    <p class="why">${why}</p>
    <div class="acts">${!isOver && acts}</div>
  </li>`;
}
