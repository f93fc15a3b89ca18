/** Who is logged in, and what their role allows; the server decides, the page only leaves out what it would refuse. */
import { effect, signal } from "@preact/signals";
import { ApiProblem, access, call, callOnce } from "./api.js";
import { restartFeed, stream } from "./feed.js";

/**
 * @typedef {"viewer" | "operator" | "admin"} Role
 * @typedef {object} Session
 * @property {string} name
 * @property {Role} role
 * @property {string | null} csrf what changes must carry; null: nothing
 * @property {string[] | null} [devices]
 * @property {string[] | null} [sites]
 * @property {string[] | null} [tags]
 * @property {string[] | null} [endpoints]
 */

/** @type {import("@preact/signals").Signal<Session | null>} */
export const session = signal(null);

/** Whether the session ended while the page is open: a dialog asks to log in. */
export const hasEnded = signal(false);

const ROLES = ["viewer", "operator", "admin"];

/** @type {((isBack: boolean) => void)[]} */
let waiting = [];

access.renew = () => {
  if (session.peek() === null) return Promise.resolve(false);
  hasEnded.value = true;
  return new Promise((resolve) => waiting.push(resolve));
};

access.refresh = async () => {
  const before = access.csrf;
  return (await rejoin()) && access.csrf !== before;
};

effect(() => {
  const { state } = stream.value;
  if (session.peek() === null) return;
  if (state === "ended") hasEnded.value = true;
  if (state === "live" && hasEnded.peek()) void rejoin(); // another tab has logged in
});

/**
 * Whether the role includes another one.
 * @param {Role} role
 */
export function can(role) {
  return ROLES.indexOf(session.value?.role ?? "") >= ROLES.indexOf(role);
}

/** Whether everything is shown, or only some devices or commands. */
export function hasScope() {
  const me = session.value;
  return [me?.devices, me?.sites, me?.tags, me?.endpoints].some((selector) => selector != null);
}

/** Whether devices may be opened. */
export function mayOpen() {
  const endpoints = session.value?.endpoints;
  return can("operator") && (endpoints == null || endpoints.includes("open"));
}

/** Whether devices may be approved, blocked and muted: who may only send some commands may not. */
export function mayChange() {
  return can("operator") && session.value?.endpoints == null;
}

/** Ask who is logged in; false: there is no session. */
export async function resume() {
  try {
    begin(await callOnce("GET", "/v1/session"));
    return true;
  } catch (error) {
    if (error instanceof ApiProblem && [401, 403, 404].includes(error.status)) return false;
    throw error;
  }
}

/**
 * Log in with a token or an invitation.
 * @param {{token: string} | {invite: string}} proof
 */
export async function logIn(proof) {
  begin(await callOnce("POST", "/v1/session", { body: proof }));
}

/** Log out; the page is loaded anew, so that nothing of the session is left in memory. */
export async function logOut() {
  await call("DELETE", "/v1/session");
  location.assign("/login");
}

/** Go on with the session that the browser has now; false: it is another person's, whose page is loaded anew. */
async function rejoin() {
  const found = await callOnce("GET", "/v1/session");
  if (found.name !== session.peek()?.name) {
    location.reload();
    return false;
  }
  adopt(found);
  return true;
}

/** @param {Session} found */
function begin(found) {
  adopt(found);
  restartFeed();
}

/** @param {Session} found */
function adopt(found) {
  access.csrf = found.csrf;
  session.value = found;
  hasEnded.value = false;
  const resumed = waiting;
  waiting = [];
  for (const resolve of resumed) resolve(true);
}
