/**
 * The events of the server, for this tab: gathered, and handed over once a frame; a hidden tab catches up when it is
 * seen. They come from a worker that all tabs share; where there is none, the tab reads the stream itself.
 *
 * @typedef {import("./api.js").ApiEvent} ApiEvent
 * @typedef {import("./feed-reader.js").FeedMessage} FeedMessage
 * @typedef {import("./feed-reader.js").StreamState} StreamState
 * @typedef {{onEvents: (events: ApiEvent[]) => void, onReset: () => void}} Subscriber
 */
import { signal } from "@preact/signals";
import { FeedReader } from "./feed-reader.js";

/** Whether the stream is read, and since when. */
export const stream = signal(/** @type {StreamState} */ ({ state: "connecting", since: Date.now(), retryAt: null }));

/** More events than this, gathered by a hidden tab, are dropped: it reads everything anew. */
const MOST_GATHERED = 2000;

/** A tab without a shared worker ends its stream when it was hidden for so many milliseconds. */
const HIDDEN = 60_000;

/** Pages are read after so many milliseconds at the latest, also without the stream. */
const LONGEST_START = 3000;

/** @type {Set<Subscriber>} */
const subscribers = new Set();

/** @type {ApiEvent[]} */
let gathered = [];
let mustReset = false;
let frame = 0;

/** @type {{start: () => void, restart: () => void} | null} */
let source = null;

/** @type {() => void} */
let becomeReady = () => {};

/** Resolves when events are gathered: what is read after it misses none. */
export const ready = /** @type {Promise<void>} */ (new Promise((resolve) => (becomeReady = resolve)));

/**
 * Be called with all events from now on.
 * @param {Subscriber} subscriber
 * @returns {() => void} ends it
 */
export function subscribe(subscriber) {
  subscribers.add(subscriber);
  return () => subscribers.delete(subscriber);
}

/** Begin to read the stream, or begin again with another session. */
export function restartFeed() {
  if (source === null) {
    source = "SharedWorker" in window ? shared() : alone();
    source.start();
    setTimeout(becomeReady, LONGEST_START);
  } else {
    source.restart();
  }
}

/** @param {FeedMessage} message */
function receive(message) {
  if (message.kind === "state") {
    stream.value = message.state;
    if (message.state.state === "lost") becomeReady(); // pages are read all the same
    return;
  }
  if (message.kind === "reset") {
    gathered = [];
    mustReset = true;
    becomeReady();
  } else if (gathered.length + message.events.length > MOST_GATHERED) {
    gathered = [];
    mustReset = true;
  } else {
    gathered.push(...message.events);
  }
  if (frame === 0) frame = requestAnimationFrame(handOver);
}

function handOver() {
  frame = 0;
  const events = gathered;
  gathered = [];
  if (mustReset) {
    mustReset = false;
    for (const subscriber of [...subscribers]) guarded(() => subscriber.onReset());
  }
  if (events.length) for (const subscriber of [...subscribers]) guarded(() => subscriber.onEvents(events));
}

/**
 * Call a subscriber, whose error must not keep events from the others.
 * @param {() => void} deliver
 */
function guarded(deliver) {
  try {
    deliver();
  } catch (error) {
    reportError(error);
  }
}

/** A tab of the worker. */
function shared() {
  const worker = new SharedWorker(/** @type {string} */ (workerUrl()), { type: "module", name: "pushd-feed" });
  worker.port.onmessage = ({ data }) => receive(data);
  worker.onerror = () => {
    source = alone(); // a browser that has such workers, and not of modules
    source.start();
  };
  const join = () => worker.port.postMessage("join");
  addEventListener("pagehide", () => worker.port.postMessage("leave"));
  addEventListener("pageshow", (event) => {
    if (event.persisted) join();
  });
  return { start: join, restart: () => worker.port.postMessage("restart") };
}

/** The URL of the worker, which Trusted Types let through only by this policy. */
function workerUrl() {
  const url = new URL("./feed-worker.js", import.meta.url).href;
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (types === undefined) return url;
  return types.createPolicy("pushd-worker", { createScriptURL: () => url }).createScriptURL("");
}

/** A tab by itself. */
function alone() {
  const reader = new FeedReader(receive);
  let timer = 0;
  let isStopped = false;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => {
        isStopped = true;
        reader.stop();
      }, HIDDEN);
    } else if (isStopped) {
      isStopped = false;
      reader.start();
    }
  });
  return { start: () => reader.start(), restart: () => reader.start() };
}
