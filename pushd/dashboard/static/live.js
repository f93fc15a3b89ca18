/** A hook for what a page shows: read it, keep it true by events, and say what goes wrong. */
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ready, subscribe } from "./feed.js";
import { LiveReader } from "./live-reader.js";

export { READ_AGAIN } from "./live-reader.js";

/**
 * @template T
 * @param {string} key what is read: another key reads anew, from nothing
 * @param {import("./live-reader.js").Live<T>} live
 * @returns {{data: T | undefined, fault: unknown, readAt: number, read: () => void}} data stays when a later reading
 *   fails; readAt: when it was read, in milliseconds of this browser
 */
export function useLive(key, live) {
  const shown = useSignal(/** @type {{key: string, data?: T, fault?: unknown, readAt?: number}} */ ({ key }));
  const latest = useRef(live);
  latest.current = live;
  const reader = useRef(/** @type {LiveReader<T> | null} */ (null));
  useEffect(() => {
    const present = new LiveReader(
      () => latest.current,
      (change) => {
        const before = shown.peek().key === key ? shown.peek() : { key };
        const { fault: _, ...known } = before;
        shown.value = "data" in change ? { ...known, ...change } : { ...before, fault: change.fault };
      },
      { ready, subscribe },
    );
    reader.current = present;
    present.start();
    return () => present.stop();
  }, [key]);
  const { data, fault, readAt = 0 } = shown.value.key === key ? shown.value : /** @type {typeof shown.value} */ ({ key });
  return { data, fault, readAt, read: () => void reader.current?.read() };
}
