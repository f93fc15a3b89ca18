/**
 * Reads something, and keeps it true by events: subscribe first and keep the events, then read, then apply them.
 *
 * @typedef {import("./api.js").ApiEvent} ApiEvent
 * @typedef {import("./feed.js").Subscriber} Subscriber
 */
import { isAborted } from "./faults.js";

/** What `apply` returns when an event says that something changed, and not to what. */
export const READ_AGAIN = Symbol("read again");

/** Milliseconds between the beginnings of two readings. */
const LEAST_BETWEEN = 1000;

/**
 * @template T
 * @typedef {object} Live
 * @property {(signal: AbortSignal) => Promise<T>} load
 * @property {(data: T, event: ApiEvent) => T | typeof READ_AGAIN} [apply] the same data: the event changes nothing
 */

/** @template T */
export class LiveReader {
  /**
   * @param {() => Live<T>} live
   * @param {(change: {data: T, readAt?: number} | {fault: unknown}) => void} publish readAt: when it was read, unless an
   *   event has changed it
   * @param {object} tools
   * @param {(subscriber: Subscriber) => () => void} tools.subscribe
   * @param {Promise<void>} tools.ready
   */
  constructor(live, publish, { subscribe, ready }) {
    this._live = live;
    this._publish = publish;
    this._subscribe = subscribe;
    this._ready = ready;
    /** @type {T | undefined} */
    this._data = undefined;
    /** Events that wait for the reading to end; null: none goes on. @type {ApiEvent[] | null} */
    this._kept = null;
    this._abort = new AbortController();
    this._readAt = -Infinity;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    this._unsubscribe = () => {};
  }

  /** Begin. */
  start() {
    this._unsubscribe = this._subscribe({
      onEvents: (events) => this._take(events),
      onReset: () => {
        if (this._readAt > -Infinity) void this.read();
      },
    });
    void this._ready.then(() => this.read());
  }

  /** End; what is being read is given up. */
  stop() {
    clearTimeout(this._timer);
    this._timer = undefined;
    this._unsubscribe();
    this._abort.abort();
  }

  /** Read anew. */
  async read() {
    this._abort.abort();
    const abort = new AbortController();
    this._abort = abort;
    this._kept = [];
    this._readAt = Date.now();
    try {
      const data = await this._live().load(abort.signal);
      if (abort.signal.aborted) return;
      const kept = this._kept ?? [];
      this._kept = null;
      this._data = data;
      this._publish({ data, readAt: this._readAt });
      this._take(kept);
    } catch (fault) {
      if (abort.signal.aborted || isAborted(fault)) return;
      this._kept = null;
      this._publish({ fault });
    }
  }

  /** @param {ApiEvent[]} events */
  _take(events) {
    if (this._kept !== null) {
      this._kept.push(...events);
      return;
    }
    const { apply } = this._live();
    if (apply === undefined || this._data === undefined) return;
    let data = /** @type {T} */ (this._data);
    for (const event of events) {
      const changed = apply(data, event);
      if (changed === READ_AGAIN) this._readSoon();
      else data = changed;
    }
    if (data !== this._data) {
      this._data = data;
      this._publish({ data });
    }
  }

  _readSoon() {
    if (this._timer !== undefined) return;
    const delay = Math.max(0, this._readAt + LEAST_BETWEEN - Date.now());
    this._timer = setTimeout(() => {
      this._timer = undefined;
      void this.read();
    }, delay);
  }
}
