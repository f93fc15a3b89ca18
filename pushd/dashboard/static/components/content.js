/** JSON of a device or a person, as text: folded when it is long, and only to be saved when it is large. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { number, t } from "../messages.js";
import { visible } from "../text.js";
import { Button } from "./button.js";
import { Card } from "./page.js";

/** Lines that are shown of a text that is folded. */
const LINES = 40;

/** Characters of a text that is shown at all, and of one that is shown while it is folded. */
const MOST = 256 * 1024;
const FOLDED = 4096;

/**
 * How much of a text is shown.
 * @param {string} text
 * @param {boolean} isWhole
 * @returns {{text: string, isFolded: boolean, isTooLarge: boolean}}
 */
export function shownPart(text, isWhole) {
  const isTooLarge = text.length > MOST;
  const lines = text.split("\n", LINES + 1);
  const folded = lines.slice(0, LINES).join("\n").slice(0, FOLDED);
  if (isTooLarge || folded.length === text.length) return { text: isTooLarge ? "" : text, isFolded: false, isTooLarge };
  return { text: isWhole ? text : folded, isFolded: !isWhole, isTooLarge };
}

/**
 * @param {{title: string, value: unknown, name: string, none: string}} props
 *   value: null for none; name: of the file as which it is saved
 */
export function Content({ title, value, name, none }) {
  const isWhole = useSignal(false);
  if (value === null || value === undefined) return html`<${Card} title=${title}><p class="pad small soft">${none}</p><//>`;
  const json = JSON.stringify(value, null, 2);
  const part = shownPart(json, isWhole.value);
  const save = () => saveAs(json, name);
  const more = html`${t("content.size", { n: number(new Blob([json]).size) })} <${Button} kind="bare" onClick=${save}>${t("content.save")}<//>`;
  return html`<${Card} title=${title} more=${more}>
    ${part.isTooLarge
      ? html`<p class="pad small soft">${t("content.large")}</p>`
      : html`<pre class="pad small content" translate="no" tabindex="0" dir="ltr">${shownLines(part.text)}</pre>`}
    ${part.isFolded && html`<div class="pager"><${Button} onClick=${() => (isWhole.value = true)}>${t("content.all")}<//></div>`}
  <//>`;
}

/** Text with its line breaks, and all other control characters as pictures.
 * @param {string} text
 */
function shownLines(text) {
  return text.split("\n").map(visible).join("\n");
}

/**
 * @param {string} text
 * @param {string} name
 */
function saveAs(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
