/** Problems that have ended stay for a moment, with a tick, so that the list does not jump while it is read. */
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";

const STAYS = 10_000;

/**
 * @template T
 * @param {readonly T[]} rows what there is now
 * @param {(row: T) => string} key
 * @returns {{row: T, isOver: boolean}[]} with those that have ended, each in its place
 */
export function useLingering(rows, key) {
  const shown = useRef(/** @type {{row: T, key: string, overAt: number}[]} */ ([]));
  const drawn = useSignal(0);
  void drawn.value;
  const time = Date.now();
  shown.current = linger(
    shown.current,
    rows.map((row) => ({ row, key: key(row) })),
    time,
  );
  const ends = shown.current.map((each) => each.overAt + STAYS).filter((end) => end > time && end < Infinity);
  const next = Math.min(...ends);
  useEffect(() => {
    if (next === Infinity) return;
    const timer = setTimeout(() => (drawn.value += 1), next - Date.now() + 10);
    return () => clearTimeout(timer);
  }, [next]);
  return shown.current.map(({ row, overAt }) => ({ row, isOver: overAt < Infinity }));
}

/**
 * @template T
 * @typedef {{row: T, key: string, overAt: number}} Lingering overAt: when it ended; Infinity: it has not
 */

/**
 * Merge what was shown with what there is.
 * @template T
 * @param {readonly Lingering<T>[]} before
 * @param {readonly {row: T, key: string}[]} rows
 * @param {number} time
 * @returns {Lingering<T>[]}
 */
export function linger(before, rows, time) {
  const present = new Map(rows.map((each) => [each.key, each.row]));
  /** @type {Lingering<T>[]} */
  const kept = [];
  for (const each of before) {
    const row = present.get(each.key);
    if (row !== undefined) kept.push({ row, key: each.key, overAt: Infinity });
    else if (time - Math.min(each.overAt, time) < STAYS) kept.push({ ...each, overAt: Math.min(each.overAt, time) });
  }
  const known = new Set(kept.map((each) => each.key));
  return [...kept, ...rows.filter((each) => !known.has(each.key)).map((each) => ({ ...each, overAt: Infinity }))];
}
