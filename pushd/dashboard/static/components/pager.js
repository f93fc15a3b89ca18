/** The pages of a list: the API gives a cursor to the next one; the way back is the history of the browser. */
import { html } from "htm/preact";
import { t } from "../messages.js";
import { address } from "../route.js";

/**
 * @param {{next: string | null, children?: unknown}} props next: the cursor of the next page
 */
export function Pager({ next, children }) {
  const isFirst = !address.value.searchParams.has("cursor");
  if (isFirst && next === null && !children) return null;
  const to = (/** @type {string | null} */ cursor) => {
    const url = new URL(address.value);
    url.searchParams.delete("cursor");
    if (cursor !== null) url.searchParams.set("cursor", cursor);
    return url.pathname + url.search;
  };
  return html`<nav class="pager" aria-label=${t("page.pages")}>
    <span>${children}</span><span class="push" />
    ${!isFirst && html`<a class="btn" href=${to(null)}>${t("page.first")}</a>`}
    ${next !== null && html`<a class="btn" href=${to(next)}>${t("page.next")}</a>`}
  </nav>`;
}
