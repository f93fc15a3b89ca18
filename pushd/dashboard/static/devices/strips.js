/**
 * Events of presence of the last 24 hours, by device: read for devices that are seen, some in one request, kept while the
 * page is open, and moved on by the stream.
 */
import { computed, signal } from "@preact/signals";
import { ApiProblem, NotReached, get } from "../api.js";
import { now, tick } from "../clock.js";
import { PRESENCE_TYPES, spansOf } from "../components/strip-spans.js";
import { subscribe } from "../feed.js";

/**
 * @typedef {import("../components/strip-spans.js").Span} Span
 * @typedef {import("../components/strip-spans.js").PresenceEvent} PresenceEvent
 * @typedef {object} History
 * @property {readonly PresenceEvent[]} events oldest first
 * @property {number} keptFrom when the oldest event happened that the server has
 * @property {number | null} cutAt when it was read, if there were too many events: what they tell ends before
 */

export const DAY = 24 * 3600_000;

/** Devices of one request. */
const AT_ONCE = 25;

/** Milliseconds between the beginnings of two requests, so that they take little of the server's time. */
const LEAST_BETWEEN = 100;

/** Most events of one page of the answer. */
const PAGE = 500;

/** Most pages that are read: a device that comes and goes all day has more events than a strip can show. */
const MOST_PAGES = 20;

/**
 * By device what is shown, undefined until it is read, and the events that are heard while it is read.
 * @typedef {{shown: import("@preact/signals").Signal<History | undefined>, heard: any[] | null}} Entry
 * @type {Map<string, Entry>}
 */
const histories = new Map();

/** Devices that are to be read next. @type {Set<string>} */
const wanted = new Set();

let isReading = false;
let isSubscribed = false;

/** When the oldest event happened that the server still has. @type {Promise<number> | null} */
let oldest = null;

/** Counts up each minute, so that strips move on. */
export const minute = computed(() => Math.floor(tick.value / 6));

/**
 * The history of a device, which is read if it was not.
 * @param {string} id
 */
export function historyOf(id) {
  let found = histories.get(id);
  if (found === undefined) {
    found = { shown: signal(/** @type {History | undefined} */ (undefined)), heard: null };
    histories.set(id, found);
    want(id, found);
    follow();
  }
  return found.shown;
}

/**
 * @param {string} id
 * @param {Entry} entry
 */
function want(id, entry) {
  wanted.add(id);
  entry.heard = [];
  if (isReading) return;
  isReading = true;
  queueMicrotask(readWanted); // those that are drawn together are read together
}

/**
 * The spans of the last 24 hours.
 * @param {Pick<import("../api.js").Device, "presence" | "created_at">} device
 * @param {History} history
 * @returns {Span[]}
 */
export function lastDay({ presence, created_at }, { events, keptFrom, cutAt }) {
  const end = now();
  const present = presence === "never_seen" ? "none" : presence;
  const cut = cutAt === null ? [] : [{ type: `device.${presence}`, at: new Date(cutAt).toISOString(), data: { suppressed: 1 } }];
  const isLater = (/** @type {PresenceEvent} */ event) => cutAt !== null && Date.parse(event.at) >= cutAt;
  const known = [...events.filter((event) => !isLater(event)), ...cut, ...events.filter(isLater)];
  return spansOf({ events: known, present, start: end - DAY, end, createdAt: Date.parse(created_at), keptFrom });
}

async function readWanted() {
  try {
    while (wanted.size > 0) {
      const devices = [...wanted].slice(0, AT_ONCE);
      for (const id of devices) wanted.delete(id);
      await Promise.all([readOrForget(devices), new Promise((resolve) => setTimeout(resolve, LEAST_BETWEEN))]);
    }
  } finally {
    isReading = false;
  }
}

/**
 * Read some devices; those that cannot be read are read again when they are next drawn.
 * @param {string[]} devices
 */
async function readOrForget(devices) {
  try {
    await readSome(devices);
  } catch (error) {
    for (const id of devices) histories.delete(id);
    if (!(error instanceof ApiProblem || error instanceof NotReached)) throw error;
  }
}

/** @param {string[]} devices */
async function readSome(devices) {
  const since = new Date(now() - DAY).toISOString();
  oldest ??= readOldest();
  const at = now();
  const [keptFrom, { events, isCut }] = await Promise.all([oldest, readEvents({ device: devices, type: PRESENCE_TYPES, since })]);
  for (const id of devices) {
    const found = histories.get(id);
    if (found === undefined) continue;
    found.shown.value = { keptFrom, cutAt: isCut ? at : null, events: joined(events.filter((event) => event.device === id), found.heard ?? []) };
    found.heard = null;
  }
}

/**
 * What was read, and after it what was heard meanwhile.
 * @param {readonly any[]} read
 * @param {readonly any[]} heard
 */
function joined(read, heard) {
  const known = new Set(read.map((event) => event.seq));
  return [...read, ...heard.filter((event) => !known.has(event.seq))];
}

/**
 * The events that match, oldest first; isCut: there are more.
 * @param {import("../api.js").Query} query
 * @returns {Promise<{events: any[], isCut: boolean}>}
 */
export async function readEvents(query) {
  const events = [];
  let after = null;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { items, next } = await get("/v1/events", { query: { ...query, limit: PAGE, ...(after === null ? {} : { after, since: null }) } });
    events.push(...items);
    if (items.length < PAGE) return { events, isCut: false };
    after = next;
  }
  return { events, isCut: true };
}

async function readOldest() {
  try {
    const { items } = await get("/v1/events", { query: { limit: 1 } });
    return items.length ? Date.parse(items[0].at) : -Infinity;
  } catch (error) {
    oldest = null;
    throw error;
  }
}

function follow() {
  if (isSubscribed) return;
  isSubscribed = true;
  subscribe({
    onEvents: (events) => {
      for (const event of events) {
        const found = event.device === null ? undefined : histories.get(event.device);
        if (found !== undefined && PRESENCE_TYPES.includes(event.type)) take(found, event);
      }
    },
    onReset: () => {
      for (const [id, entry] of histories) want(id, entry);
    },
  });
}

/**
 * @param {Entry} entry
 * @param {any} event
 */
function take({ shown, heard }, event) {
  heard?.push(event);
  const before = shown.peek();
  if (before !== undefined) shown.value = { ...before, events: [...before.events, event] };
}
