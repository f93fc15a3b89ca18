/** One act for many: some at a time, with progress, until all are done or an operator stops it. */

/** Calls that run at once. */
const AT_ONCE = 4;

/**
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => Promise<unknown>} act
 * @param {object} [options]
 * @param {(done: number) => void} [options.onProgress]
 * @param {AbortSignal} [options.signal] aborted: what runs is ended, nothing more is begun
 * @returns {Promise<{done: number, failures: {item: T, error: unknown}[]}>} done: those that succeeded
 */
export async function forAll(items, act, { onProgress = () => {}, signal } = {}) {
  const rest = [...items];
  let done = 0;
  /** @type {{item: T, error: unknown}[]} */
  const failures = [];
  const work = async () => {
    while (rest.length > 0 && !signal?.aborted) {
      const item = /** @type {T} */ (rest.shift());
      try {
        await act(item);
        done += 1;
      } catch (error) {
        failures.push({ item, error });
      }
      onProgress(done + failures.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, failures };
}
