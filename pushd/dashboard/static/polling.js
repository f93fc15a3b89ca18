/** A hook for what changes without an event. */
import { useEffect } from "preact/hooks";

/**
 * Read at intervals while the page is seen.
 * @param {() => void} read
 * @param {number} period milliseconds
 * @param {boolean} [isOn]
 */
export function usePolling(read, period, isOn = true) {
  useEffect(() => {
    if (!isOn) return;
    const timer = setInterval(() => {
      if (!document.hidden) read();
    }, period);
    return () => clearInterval(timer);
  }, [isOn]);
}
