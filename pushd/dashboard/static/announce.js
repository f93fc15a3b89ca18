/** What is said to screen readers: outcomes politely, losses of the stream at once; rows that change say nothing. */
import { html } from "htm/preact";
import { signal } from "@preact/signals";

const polite = signal("");
const assertive = signal("");

/**
 * Say the outcome of an act.
 * @param {string} text
 */
export function announce(text) {
  polite.value = polite.peek() === text ? `${text}\u00a0` : text; // the same words are news, too
}

/**
 * Say at once that something was lost.
 * @param {string} text
 */
export function alarm(text) {
  assertive.value = text;
}

/** The regions that are read. */
export function LiveRegions() {
  return html`<p class="sr" role="status">${polite}</p>
    <p class="sr" role="alert">${assertive}</p>`;
}
