/**
 * The pages, by the path of their address, and the address itself: page, filters and sorting are in the URL, so that
 * every address can be sent to a colleague.
 *
 * A page is a module whose default export is a component; it is loaded when it is first shown.
 * To add one: a line in ROUTES, the module, its words in messages/, and its line in tests/dashboard/pages.py.
 */
import { signal } from "@preact/signals";

/**
 * @typedef {{params: Record<string, string>, query: URLSearchParams}} PageProps
 * @typedef {(props: PageProps) => any} PageComponent
 * @typedef {object} Route
 * @property {string} path with `:name` for a segment
 * @property {import("./messages.js").Key} nav its name in the navigation; of a page of an object, that of its list
 * @property {import("./icons.js").IconName} icon
 * @property {import("./session.js").Role} role the least that it is for
 * @property {boolean} [unscoped] whether it is for those alone who see all devices
 * @property {boolean} [inMenu] whether the navigation leads there
 * @property {() => Promise<{default: PageComponent}>} load
 */

/** @type {readonly Route[]} */
export const ROUTES = [
  { path: "/", nav: "nav.now", icon: "now", role: "viewer", inMenu: true, load: () => import("./now/page.js") },
  {
    path: "/devices",
    nav: "nav.devices",
    icon: "devices",
    role: "viewer",
    inMenu: true,
    load: () => import("./devices/list.js"),
  },
  {
    path: "/devices/:id",
    nav: "nav.devices",
    icon: "devices",
    role: "viewer",
    load: () => import("./devices/page.js"),
  },
  {
    path: "/devices/:id/open",
    nav: "nav.devices",
    icon: "door",
    role: "operator",
    load: () => import("./devices/open.js"),
  },
  {
    path: "/commands",
    nav: "nav.commands",
    icon: "commands",
    role: "viewer",
    inMenu: true,
    load: () => import("./commands/list.js"),
  },
  {
    path: "/commands/:id",
    nav: "nav.commands",
    icon: "commands",
    role: "viewer",
    load: () => import("./commands/page.js"),
  },
  {
    path: "/unknown",
    nav: "nav.unknown",
    icon: "unknown",
    role: "viewer",
    inMenu: true,
    load: () => import("./unknown/list.js"),
  },
  {
    path: "/alerts",
    nav: "nav.alerts",
    icon: "alerts",
    role: "viewer",
    inMenu: true,
    load: () => import("./alerts/list.js"),
  },
  { path: "/alerts/:id", nav: "nav.alerts", icon: "alerts", role: "viewer", load: () => import("./alerts/page.js") },
  {
    path: "/webhooks",
    nav: "nav.webhooks",
    icon: "webhooks",
    role: "admin",
    inMenu: true,
    load: () => import("./webhooks/list.js"),
  },
  {
    path: "/webhooks/:id",
    nav: "nav.webhooks",
    icon: "webhooks",
    role: "admin",
    load: () => import("./webhooks/page.js"),
  },
  {
    path: "/tokens",
    nav: "nav.tokens",
    icon: "tokens",
    role: "admin",
    inMenu: true,
    load: () => import("./tokens/list.js"),
  },
  {
    path: "/people",
    nav: "nav.people",
    icon: "people",
    role: "admin",
    inMenu: true,
    load: () => import("./people/list.js"),
  },
  {
    path: "/audit",
    nav: "nav.audit",
    icon: "audit",
    role: "admin",
    inMenu: true,
    load: () => import("./audit/list.js"),
  },
  {
    path: "/settings",
    nav: "nav.settings",
    icon: "settings",
    role: "viewer",
    unscoped: true,
    inMenu: true,
    load: () => import("./settings/page.js"),
  },
];

/** The present address. */
export const address = signal(new URL(location.href));

/**
 * The page of a path; null: there is none.
 * @param {string} path
 * @returns {{route: Route, params: Record<string, string>} | null}
 */
export function match(path) {
  const parts = segments(path);
  for (const route of ROUTES) {
    const names = segments(route.path);
    if (names.length !== parts.length) continue;
    if (names.every((name, index) => name.startsWith(":") || name === parts[index])) {
      const params = names.flatMap((name, index) =>
        name.startsWith(":") ? [[name.slice(1), parts[index] ?? ""]] : [],
      );
      return { route, params: Object.fromEntries(params) };
    }
  }
  return null;
}

/** @param {string} path */
function segments(path) {
  return path.split("/").filter(Boolean).map(decoded);
}

/** @param {string} segment */
function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a lone %
  }
}

/**
 * Go to an address of the dashboard.
 * @param {string} url
 * @param {{replace?: boolean}} [options] replace: the present one leaves the history
 */
export function go(url, { replace = false } = {}) {
  const next = new URL(url, location.href);
  const isSamePage = next.pathname === address.peek().pathname;
  if (replace) history.replaceState(null, "", next);
  else history.pushState(null, "", next);
  address.value = next;
  if (!isSamePage) scrollTo(0, 0);
}

/**
 * Change the query of the address; null takes a name out. Filters do not fill the history.
 * @param {Record<string, string | readonly string[] | null>} changes
 */
export function changeQuery(changes) {
  const next = new URL(address.peek());
  for (const [name, value] of Object.entries(changes)) {
    next.searchParams.delete(name);
    for (const each of value === null ? [] : [value].flat()) next.searchParams.append(name, each);
  }
  go(next.href, { replace: true });
}

/** Take all filters out of the address. */
export function clearQuery() {
  go(address.peek().pathname, { replace: true });
}

/** Follow the history, and clicks on links to the dashboard. */
export function startRouting() {
  addEventListener("popstate", () => {
    address.value = new URL(location.href);
  });
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || !isPlain(event) || !isPage(link)) return;
    event.preventDefault();
    go(link.href);
  });
}

/** @param {MouseEvent} event */
function isPlain(event) {
  return (
    event.button === 0 &&
    !event.defaultPrevented &&
    !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
  );
}

/** @param {HTMLAnchorElement} link */
function isPage(link) {
  const isOwn = link.origin === location.origin && !link.target && !link.hasAttribute("download");
  return isOwn && !link.getAttribute("href")?.startsWith("#") && match(link.pathname) !== null;
}
