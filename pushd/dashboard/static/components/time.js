/** A time: relative, renewed while it is seen; the exact one, with the zone, stands in its title. */
import { html } from "htm/preact";
import { ago, clockTime, exact, since, when } from "../format.js";

const MODES = { ago, since, when, clock: clockTime, exact };

/**
 * @param {{at: string | null | undefined, mode?: keyof typeof MODES, class?: string}} props
 *   ago: "6 min"; since: how long; when: "14:31"; clock: "14:31:07"; nothing is a dash
 */
export function Time({ at, mode = "ago", class: name = "" }) {
  if (!at) return html`<span class=${name}>–</span>`;
  return html`<time class=${name} datetime=${at} title=${exact(at)}>${MODES[mode](at)}</time>`;
}
