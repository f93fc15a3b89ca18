/**
 * Which rows a list shows. While it is held, as the pointer or the focus is in it, nothing is added or taken away:
 * what a cell says changes, where a row is does not.
 */

/**
 * @template T
 * @param {object} state
 * @param {readonly T[]} state.rows as they are now
 * @param {(row: T) => string} state.key
 * @param {readonly T[]} state.shown what was shown last
 * @param {boolean} state.isHeld
 * @returns {{rows: readonly T[], gone: ReadonlySet<string>, added: number}}
 *   gone: the keys of rows that are shown and are no more; added: how many are not shown yet
 */
export function heldRows({ rows, key, shown, isHeld }) {
  if (!isHeld || shown.length === 0) return { rows, gone: new Set(), added: 0 };
  const present = new Map(rows.map((row) => [key(row), row]));
  const kept = shown.map((row) => present.get(key(row)) ?? row);
  const gone = new Set(shown.map(key).filter((each) => !present.has(each)));
  return { rows: kept, gone, added: rows.length - (shown.length - gone.size) };
}
