/**
 * Follows the event stream: one coroutine that asks where the feed is, reads the stream until it ends, and begins
 * again behind the last event.
 *
 * @typedef {import("./api.js").ApiEvent} ApiEvent
 * @typedef {{state: "connecting" | "live" | "lost" | "ended", since: number, retryAt: number | null}} StreamState
 *   ended: the session has ended, and the stream is not read any more; since: milliseconds
 * @typedef {{kind: "events", events: ApiEvent[]} | {kind: "state", state: StreamState} | {kind: "reset"}} FeedMessage
 *   reset: what happened meanwhile is not known, so that all must be read anew
 */

/** The types of events; a stream names the type of each, and a browser hands over only those that are asked for. */
export const EVENT_TYPES = [
  "device.registered",
  "device.pending",
  "device.approved",
  "device.blocked",
  "device.deleted",
  "device.online",
  "device.offline",
  "device.signed_off",
  "device.changed",
  "device.conflict",
  "command.queued",
  "command.sent",
  "command.acknowledged",
  "command.succeeded",
  "command.failed",
  "command.expired",
  "command.cancelled",
  "command.unknown",
  "command.resolved",
  "result.orphaned",
  "alert.raised",
  "alert.cleared",
  "alert.acknowledged",
  "webhook.failed",
];

/** Milliseconds before the next attempt, by the number of attempts that failed. */
const BACKOFF = [1000, 2000, 4000, 8000, 16000, 30000];

export class FeedReader {
  /**
   * @param {(message: FeedMessage) => void} send
   * @param {object} [tools] replaced in tests
   * @param {(url: string) => EventSource} [tools.open]
   * @param {(url: string) => Promise<{status: number, next: string | null}>} [tools.ask]
   * @param {(milliseconds: number) => Promise<void>} [tools.wait]
   */
  constructor(send, { open = openStream, ask = askPosition, wait = sleep } = {}) {
    this._send = send;
    this._open = open;
    this._ask = ask;
    this._wait = wait;
    /** The last event that was handed over; null: not known. @type {string | null} */
    this._position = null;
    this._failures = 0;
    /** Which run is the present one: an older one ends by itself. */
    this._run = 0;
    /** @type {() => void} */
    this._close = () => {};
    /** @type {StreamState} */
    this.state = { state: "connecting", since: Date.now(), retryAt: null };
  }

  /** Begin, from now on; a reading that is going on ends. */
  start() {
    this.stop();
    this._position = null;
    this._failures = 0;
    this._become("connecting");
    void this._follow(this._run);
  }

  /** End the reading. */
  stop() {
    this._run += 1;
    this._close();
  }

  /** @param {number} run */
  async _follow(run) {
    while (run === this._run) {
      const status = await this._findPosition(run);
      if (run !== this._run) return;
      if (status === 401 || status === 403) {
        this._become("ended");
        return;
      }
      if (status === 200) await this._readStream(run);
      if (run !== this._run) return;
      if (status !== 410) await this._pause();
    }
  }

  /**
   * Ask for the position, and whether events behind it are there; the status of the answer, 0 if there is none.
   * @param {number} run
   */
  async _findPosition(run) {
    const { status, next } = await this._ask(`/v1/events?limit=1&after=${this._position ?? "now"}`);
    if (run !== this._run) return status;
    if (status === 410) this._position = null;
    if (status === 200 && this._position === null) {
      this._position = next;
      this._send({ kind: "reset" });
    }
    return status;
  }

  /**
   * Hand over events until the stream ends.
   * @param {number} run
   * @returns {Promise<void>}
   */
  _readStream(run) {
    const source = this._open(`/v1/events/stream?lastEventId=${this._position}`);
    return new Promise((resolve) => {
      this._close = () => {
        this._close = () => {};
        source.close();
        resolve();
      };
      source.onopen = () => {
        this._failures = 0;
        this._become("live");
      };
      source.onerror = () => this._close();
      for (const type of EVENT_TYPES) {
        source.addEventListener(type, (/** @type {MessageEvent} */ message) => {
          if (run !== this._run) return;
          this._position = message.lastEventId;
          this._send({ kind: "events", events: [JSON.parse(message.data)] });
        });
      }
    });
  }

  async _pause() {
    const delay = BACKOFF[Math.min(this._failures, BACKOFF.length - 1)] ?? 0;
    this._failures += 1;
    this._become("lost", Date.now() + delay);
    await this._wait(delay);
  }

  /**
   * @param {StreamState["state"]} state
   * @param {number | null} [retryAt]
   */
  _become(state, retryAt = null) {
    const since = state === this.state.state ? this.state.since : Date.now();
    this.state = { state, since, retryAt };
    this._send({ kind: "state", state: this.state });
  }
}

/** @param {string} url */
function openStream(url) {
  return new EventSource(url);
}

/** @param {string} url */
async function askPosition(url) {
  try {
    const response = await fetch(url, { cache: "no-store" });
    const next = response.ok ? (await response.json()).next : null;
    return { status: response.status, next };
  } catch {
    return { status: 0, next: null };
  }
}

/**
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
