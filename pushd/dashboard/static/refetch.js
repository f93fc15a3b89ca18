/** Reads objects anew that an event names and does not describe: each at most once a second, four at a time. */

const AT_ONCE = 4;
const LEAST_BETWEEN = 1000;

export class Refetcher {
  /** @param {(key: string) => Promise<void>} read must not fail */
  constructor(read) {
    this._read = read;
    /** Those that wait, each with the earliest time. @type {Map<string, number>} */
    this._due = new Map();
    /** @type {Map<string, number>} */
    this._readAt = new Map();
    this._running = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
  }

  /**
   * An object has changed.
   * @param {string} key
   */
  ask(key) {
    if (this._due.has(key)) return;
    this._due.set(key, Math.max(Date.now(), (this._readAt.get(key) ?? -Infinity) + LEAST_BETWEEN));
    this._next();
  }

  /** Forget what waits. */
  stop() {
    clearTimeout(this._timer);
    this._due.clear();
  }

  _next() {
    clearTimeout(this._timer);
    for (const [key, at] of this._due) {
      if (this._running === AT_ONCE) return;
      if (at > Date.now()) continue;
      this._due.delete(key);
      this._readAt.set(key, Date.now());
      this._running += 1;
      void this._read(key).finally(() => {
        this._running -= 1;
        this._next();
      });
    }
    const soonest = Math.min(...this._due.values());
    if (soonest < Infinity) this._timer = setTimeout(() => this._next(), Math.max(0, soonest - Date.now()));
  }
}
