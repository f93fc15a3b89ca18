/** Single keys of the whole page (WCAG 2.1.4: off in fields, and they can be switched off). */
import { signal } from "@preact/signals";
import { load, save } from "./storage.js";
import { go } from "./route.js";

/** Whether single keys act. */
export const areKeysOn = signal(load("keys") !== "off");

/** Whether the list of keys is shown. */
export const isHelpShown = signal(false);

/** @type {Record<string, string>} */
const PLACES = { n: "/", d: "/devices", c: "/commands", u: "/unknown", a: "/alerts" };
const BETWEEN = 1500;

let goAt = -Infinity;

/** @param {boolean} on */
export function switchKeys(on) {
  save("keys", on ? "on" : "off");
  areKeysOn.value = on;
}

/**
 * Whether a key is meant as a letter, or as a part of a shortcut of the browser.
 * @param {KeyboardEvent} event
 */
export function isTyped(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const isField = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable;
  return isField || event.ctrlKey || event.metaKey || event.altKey;
}

/** Act on keys; `find` moves the focus to the search.
 * @param {() => void} find
 */
export function startKeys(find) {
  addEventListener("keydown", (event) => {
    const isSearch = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey;
    const isFree =
      areKeysOn.value && !event.defaultPrevented && !isTyped(event) && !document.querySelector("dialog[open]");
    if (isSearch || (isFree && event.key === "/")) {
      event.preventDefault();
      find();
    } else if (isFree) {
      act(event);
    }
  });
}

/** @param {KeyboardEvent} event */
function act(event) {
  const place = PLACES[event.key];
  const follows = event.timeStamp - goAt < BETWEEN;
  goAt = event.key === "g" ? event.timeStamp : -Infinity;
  if (event.key === "?") isHelpShown.value = true;
  else if (follows && place !== undefined) {
    event.preventDefault();
    go(place);
  }
}
