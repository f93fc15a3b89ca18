/** The frame around every page: navigation, search, the state of the stream, who is logged in, and the page itself. */
import { html } from "htm/preact";
import { useEffect, useErrorBoundary } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { LiveRegions, alarm } from "./announce.js";
import { offset, tick } from "./clock.js";
import { Act, Button } from "./components/button.js";
import { Dialog } from "./components/dialog.js";
import { Finder } from "./components/finder.js";
import { isSecretShown } from "./components/once.js";
import { Empty, Page } from "./components/page.js";
import { Toasts } from "./components/toast.js";
import { stream } from "./feed.js";
import { duration, when } from "./format.js";
import { Icon } from "./icons.js";
import { areKeysOn, isHelpShown, switchKeys } from "./keys.js";
import { LANGUAGES, chooseLanguage, language, t } from "./messages.js";
import { ROUTES, address, match } from "./route.js";
import { can, hasEnded, hasScope, logOut, session } from "./session.js";
import { toggleTheme } from "./theme.js";
import { visible } from "./text.js";
import { waiting } from "./waiting.js";
import { useProblems } from "./now/problems.js";
import { LogInForm } from "./login/form.js";

/** Milliseconds without the stream before it is said, and before it is said above the page. */
const LOST = 3000;
const LONG_LOST = 30_000;

/** A smaller difference of clocks, in milliseconds, is not shown. */
const CLOCK_DIFFERENCE = 5000;

/** How many pages have a tab at the foot of a phone; the others stand behind "More". */
const TABS = 3;

/** @typedef {import("./route.js").Route} Route */

/** The dashboard, after the log-in. */
export function Frame() {
  const found = match(address.value.pathname);
  return html`<${ProblemsReader} />
    <a class="skip" href="#main">${t("frame.skip")}</a>
    <div class="frame">
      <${Side} current=${found?.route} />
      <div>
        <header class="top">
          <a class="brand only-s" href="/"><${Icon} name="logout" /><span>pushd</span></a>
          <${Finder} />
          <div class="tools">
            <span class="small muted only-s"><${StreamState} isShort /></span>
            <${Button} kind="bare" icon="theme" label=${t("frame.theme")} onClick=${toggleTheme} />
          </div>
        </header>
        <${LostLine} />
        <main id="main">${found ? html`<${Shown} key=${found.route.path} found=${found} />` : html`<${NotFound} />`}</main>
      </div>
    </div>
    <${Tabs} current=${found?.route} />
    <${Toasts} />
    <${LiveRegions} />
    ${isHelpShown.value && html`<${KeyHelp} />`} ${hasEnded.value && !isSecretShown.value && html`<${LogInAgain} />`}`;
}

/** Reads what is wrong, for all pages: apart, as a component that reads is drawn anew with all that is in it. */
function ProblemsReader() {
  useProblems();
  return null;
}

/** The routes to which the navigation leads this person. */
function menu() {
  return ROUTES.filter((route) => route.inMenu && isFor(route));
}

/** @param {Route} route */
function isFor(route) {
  return can(route.role) && !(route.unscoped && hasScope());
}

/** @param {{current: Route | undefined}} props */
function Side({ current }) {
  return html`<aside class="side">
    <a class="brand" href="/"><${Icon} name="logout" /><span class="cut">pushd<small class="cut">${location.host}</small></span></a>
    <${Menu} current=${current} routes=${menu()} />
    <div class="side-foot"><${Foot} /></div>
  </aside>`;
}

/** @param {{current: Route | undefined, routes: Route[]}} props */
function Menu({ current, routes }) {
  const isForAll = (/** @type {Route} */ route) => route.role === "viewer" && !route.unscoped;
  const links = (/** @type {Route[]} */ some) =>
    some.map((route) => html`<${MenuLink} route=${route} current=${current} />`);
  return html`<nav class="menu" aria-label=${t("frame.menu")}>
    ${links(routes.filter(isForAll))}
    ${routes.some((route) => !isForAll(route)) && html`<hr />`}
    ${links(routes.filter((route) => !isForAll(route)))}
  </nav>`;
}

/** @param {{route: Route, current: Route | undefined}} props */
function MenuLink({ route, current }) {
  const isCurrent = current?.nav === route.nav;
  const count = countOf(route);
  return html`<a href=${route.path} aria-current=${isCurrent ? "page" : null}>
    <${Icon} name=${route.icon} />${t(route.nav)}
    ${count > 0 && html`<span class=${`count ${route.path === "/unknown" ? "doubt" : ""}`}>${count}</span>`}
  </a>`;
}

/** What waits for a person on a page.
 * @param {Route} route
 */
function countOf(route) {
  const { problems, unknown, alerts } = waiting.value;
  return { "/": problems, "/unknown": unknown, "/alerts": alerts }[route.path] ?? 0;
}

/** The state of the stream, who is logged in, and the language. */
function Foot() {
  const me = session.value;
  const behind = Math.abs(offset.value) > CLOCK_DIFFERENCE;
  return html`<${StreamState} />
    ${behind && html`<span>${t("frame.clock", { duration: duration(Math.abs(offset.value) / 1000) })}</span>`}
    <span class="cut"><bdi>${visible(me?.name ?? "")}</bdi> · ${t(`role.${me?.role ?? "viewer"}`)}${hasScope() && ` · ${t("frame.scope")}`}</span>
    <label><span class="sr">${t("frame.language")}</span>
      <select class="flat" onChange=${(/** @type {Event} */ event) => void chooseLanguage(/** @type {any} */ (event.target).value)}>
        ${Object.entries(LANGUAGES).map(([name, text]) => html`<option value=${name} lang=${name} selected=${name === language()}>${text}</option>`)}
      </select>
    </label>
    <${Act} kind="bare" icon="logout" run=${logOut}>${t("frame.logout")}<//>`;
}

/** Whether the page is live.
 * @param {{isShort?: boolean}} props
 */
function StreamState({ isShort = false }) {
  void tick.value;
  const { state, since, retryAt } = useStream();
  if (state === "live") return html`<span class="live-dot"><i />${t("stream.live")}</span>`;
  if (state !== "lost") return html`<span class="live-dot none"><i />${t("stream.connecting")}</span>`;
  if (isShort) return html`<span class="live-dot lost"><i />${t("stream.not_live")}</span>`;
  const retry = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  return html`<span class="live-dot lost"><i /><span>${t("stream.lost", { time: when(new Date(since).toISOString()) })}${retry > 0 && html`<br />${t("stream.retry", { n: retry })}`}</span></span>`;
}

/** The stream as it is shown: a short loss is not; while it is lost, the page is drawn each second. */
function useStream() {
  const shown = stream.value;
  const seconds = useSignal(0);
  void seconds.value;
  const isLost = shown.state === "lost";
  useEffect(() => {
    if (!isLost) return;
    const timer = setInterval(() => (seconds.value += 1), 1000);
    return () => clearInterval(timer);
  }, [isLost]);
  const isShort = isLost && Date.now() - shown.since < LOST;
  return isShort ? { ...shown, state: "live" } : shown;
}

/** A line above the page when the stream has been lost for long. */
function LostLine() {
  const { state, since } = useStream();
  const isLong = state === "lost" && Date.now() - since > LONG_LOST;
  const text = isLong ? t("stream.lost_long", { time: when(new Date(since).toISOString()) }) : "";
  useEffect(() => {
    if (text) alarm(text);
  }, [text]);
  return text && html`<p class="lost-line"><${Icon} name="warn" /> ${text}</p>`;
}

/** @param {{current: Route | undefined}} props */
function Tabs({ current }) {
  const isOpen = useSignal(false);
  const isMore = !["nav.now", "nav.devices", "nav.commands"].includes(current?.nav ?? "");
  const { unknown, alerts } = waiting.value;
  useEffect(() => void (isOpen.value = false), [address.value]);
  return html`<nav class="tabs" aria-label=${t("frame.tabs")}>
    ${menu()
      .slice(0, TABS)
      .map((route) => {
        const count = countOf(route);
        return html`<a href=${route.path} aria-current=${current?.nav === route.nav ? "page" : null}>
          <${Icon} name=${route.icon} />${t(route.nav)}
          ${count > 0 && html`<span class="dot">${count}</span>`}
        </a>`;
      })}
    <button type="button" aria-haspopup="dialog" aria-current=${isMore ? "page" : null} onClick=${() => (isOpen.value = true)}>
      <${Icon} name="more" />${t("nav.more")} ${unknown + alerts > 0 && html`<span class="dot">${unknown + alerts}</span>`}
    </button>
  </nav>
  ${
    isOpen.value &&
    html`<${Dialog} title=${t("nav.more")} class="sheet" onClose=${() => (isOpen.value = false)}>
    <${Menu} current=${current} routes=${menu().slice(TABS)} />
    <div class="form small soft"><${Foot} /></div>
  <//>`
  }`;
}

/**
 * The page of the address; its module is loaded when it is first shown.
 * @param {{found: NonNullable<ReturnType<typeof match>>}} props
 */
function Shown({ found }) {
  const module = useSignal(/** @type {{default: import("./route.js").PageComponent} | null} */ (null));
  const isMissing = useSignal(false);
  const [failure] = useErrorBoundary((error) => reportError(error));
  const { route, params } = found;
  const allowed = isFor(route);
  useEffect(() => {
    if (!allowed) return;
    route.load().then(
      (loaded) => (module.value = loaded),
      () => (isMissing.value = true),
    );
  }, [allowed]);
  if (failure !== undefined) {
    const again = () => location.reload();
    return html`<${Page} title=${t(route.nav)}><${Empty}>${t("error.page")} <${Button} onClick=${again}>${t("act.reload")}<//><//><//>`;
  }
  if (!allowed) {
    const text = can(route.role) ? t("error.scope") : t("error.role", { role: session.value?.role ?? "" });
    return html`<${Page} title=${t(route.nav)}><${Empty}>${text}<//><//>`;
  }
  if (isMissing.value) {
    const again = () => location.reload();
    return html`<${Page} title=${t(route.nav)}><${Empty}>${t("error.module")} <${Button} onClick=${again}>${t("act.reload")}<//><//><//>`;
  }
  if (module.value === null) return html`<div aria-busy="true" />`;
  return html`<${module.value.default} key=${Object.values(params).join("/")} params=${params} query=${address.value.searchParams} />`;
}

function NotFound() {
  return html`<${Page} title=${t("error.no_page")}><p class="soft">${t("error.nothing")}</p><//>`;
}

/** The keys of the page, and whether they act. */
function KeyHelp() {
  /** @type {[string, import("./messages.js").Key][]} */
  const keys = [
    ["/ · Ctrl+K", "keys.find"],
    ["g n", "nav.now"],
    ["g d", "nav.devices"],
    ["g c", "nav.commands"],
    ["g u", "nav.unknown"],
    ["g a", "nav.alerts"],
    ["j · k", "keys.rows"],
    ["Enter", "keys.open"],
    ["x", "keys.select"],
    [".", "keys.acts"],
    ["o", "keys.door"],
    ["Esc", "keys.close"],
    ["?", "keys.help"],
  ];
  return html`<${Dialog} title=${t("keys.title")} onClose=${() => (isHelpShown.value = false)}>
    <dl class="keys">${keys.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${t(what)}</dd>`)}</dl>
    <div class="field check">
      <input id="keys-on" type="checkbox" checked=${areKeysOn.value} onChange=${() => switchKeys(!areKeysOn.value)} />
      <label for="keys-on">${t("keys.on")}</label>
    </div>
  <//>`;
}

/** The session has ended: what was typed stays, and goes on after the log-in. */
function LogInAgain() {
  return html`<${Dialog} title=${t("login.again")} onClose=${() => {}} locked><${LogInForm} /><//>`;
}
