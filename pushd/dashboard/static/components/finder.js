/** One search for everything: devices, commands, pages, and acts, which lead to where they are done. */
import { html } from "htm/preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get } from "../api.js";
import { isAborted, readFault } from "../faults.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";
import { ROUTES, go } from "../route.js";
import { can, hasScope } from "../session.js";
import { visible } from "../text.js";
import { LOOKS, stateOf } from "./status.js";

/**
 * @typedef {object} Hit
 * @property {string} url
 * @property {import("../icons.js").IconName} icon
 * @property {string} [kind]
 * @property {string} text
 * @property {string} [more]
 */

/** Milliseconds after the last key before the server is asked. */
const PAUSE = 150;
const DEVICES = 6;
const COMMANDS = 4;

/** @type {HTMLInputElement | null} */
let field = null;

/** Move the focus to the search. */
export function focusFinder() {
  field?.focus();
  field?.select();
}

/** The search above every page. */
export function Finder() {
  const id = useId();
  const text = useSignal("");
  const found = useSignal({ text: "", hits: /** @type {Hit[]} */ ([]), said: "" });
  const chosen = useSignal(0);
  const isOpen = useSignal(false);
  const q = text.value.trim();
  useSearch(q, (result) => {
    found.value = result;
    chosen.value = 0;
  });
  const hits = q === "" ? [] : found.value.hits;
  const isShown = isOpen.value && q !== "" && (hits.length > 0 || found.value.text === q);
  const close = () => {
    isOpen.value = false;
    text.value = "";
  };
  const open = (/** @type {Hit | undefined} */ hit) => {
    if (hit === undefined) return;
    close();
    go(hit.url);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && hits.length) chosen.value = (chosen.value + step + hits.length) % hits.length;
    else if (event.key === "Enter") open(hits[chosen.value]);
    else if (event.key === "Escape") {
      close();
      field?.blur();
    } else return;
    event.preventDefault();
  };
  return html`<div class="find-box">
    <label class="find">
      <${Icon} name="search" /><span class="sr">${t("find.label")}</span>
      <input
        ref=${(/** @type {HTMLInputElement | null} */ element) => (field = element)}
        type="search"
        role="combobox"
        aria-expanded=${String(isShown)}
        aria-controls=${`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant=${isShown && hits.length ? `${id}-${chosen.value}` : null}
        autocomplete="off"
        spellcheck="false"
        placeholder=${t("find.placeholder")}
        value=${text}
        onInput=${(/** @type {Event} */ event) => {
          text.value = /** @type {HTMLInputElement} */ (event.target).value;
          isOpen.value = true;
        }}
        onFocus=${() => (isOpen.value = true)}
        onBlur=${() => (isOpen.value = false)}
        onKeyDown=${onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
    <div class="found" hidden=${!isShown}>
      <div id=${`${id}-list`} role="listbox" aria-label=${t("find.results")}>
        ${hits.map(
          (hit, index) => html`<div
            id=${`${id}-${index}`}
            role="option"
            aria-selected=${String(index === chosen.value)}
            onMouseDown=${(/** @type {Event} */ event) => event.preventDefault()}
            onMouseMove=${() => (chosen.value = index)}
            onClick=${() => open(hit)}
          >
            <${Icon} name=${hit.icon} kind=${hit.kind ?? "muted"} /><bdi class="cut">${hit.text}</bdi>
            ${hit.more && html`<bdi class="small muted cut">${hit.more}</bdi>`}
          </div>`,
        )}
      </div>
      ${found.value.said && html`<p>${found.value.said}</p>`}
    </div>
  </div>`;
}

/**
 * Search while text is typed; an older search is given up.
 * @param {string} q
 * @param {(result: {text: string, hits: Hit[], said: string}) => void} publish
 */
function useSearch(q, publish) {
  const latest = useRef(publish);
  latest.current = publish;
  useEffect(() => {
    if (q === "") return;
    const abort = new AbortController();
    const search = async () => {
      try {
        const hits = await find(q, abort.signal);
        latest.current({ text: q, hits, said: hits.length ? "" : t("find.none", { q }) });
      } catch (error) {
        if (!isAborted(error)) latest.current({ text: q, hits: pagesFor(q), said: readFault(error).text });
      }
    };
    const timer = setTimeout(search, PAUSE);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [q]);
}

/**
 * @param {string} q
 * @param {AbortSignal} signal
 * @returns {Promise<Hit[]>}
 */
async function find(q, signal) {
  const [devices, commands] = await Promise.all([
    get("/v1/devices", { query: { q, limit: DEVICES }, signal }),
    get("/v1/commands", { query: { q, limit: COMMANDS }, signal }),
  ]);
  return [...devices.items.flatMap(deviceHits), ...commands.items.map(commandHit), ...pagesFor(q)];
}

/** @param {import("../api.js").Device} device */
function deviceHits(device) {
  const name = visible(device.name || device.id);
  const url = `/devices/${encodeURIComponent(device.id)}`;
  const [kind, icon] = LOOKS[stateOf(device)] ?? ["calm", "devices"];
  const hit = { url, icon, kind, text: name, more: visible(device.facts["serial"] ?? device.site ?? device.id) };
  const canOpen = device.dialect === "controlid" && device.admission === "approved" && can("operator");
  return canOpen ? [hit, { url: `${url}/open`, icon: "door", text: t("find.open", { name }) }] : [hit];
}

/** @param {import("../api.js").CommandSummary} command */
function commandHit(command) {
  const [kind, icon] = LOOKS[command.state] ?? ["calm", "commands"];
  const endpoint = command.endpoint ?? (command.endpoints ?? []).join(", ");
  return {
    url: `/commands/${command.id}`,
    icon,
    kind,
    text: visible(endpoint),
    more: visible(command.trace ?? command.device),
  };
}

/**
 * @param {string} q
 * @returns {Hit[]}
 */
function pagesFor(q) {
  const text = q.toLocaleLowerCase();
  return ROUTES.filter((route) => route.inMenu && can(route.role) && !(route.unscoped && hasScope()))
    .filter((route) => t(route.nav).toLocaleLowerCase().startsWith(text))
    .map((route) => ({ url: route.path, icon: route.icon, text: t(route.nav) }));
}
