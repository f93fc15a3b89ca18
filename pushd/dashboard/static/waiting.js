/** What waits for a person: the only numbers in the navigation and in the document's title. */
import { signal } from "@preact/signals";

/** problems: rows of Now; unknown: commands to decide; alerts: open and not acknowledged. */
export const waiting = signal({ problems: 0, unknown: 0, alerts: 0 });

/** @param {Partial<{problems: number, unknown: number, alerts: number}>} changes */
export function setWaiting(changes) {
  const next = { ...waiting.peek(), ...changes };
  const before = waiting.peek();
  if (next.problems !== before.problems || next.unknown !== before.unknown || next.alerts !== before.alerts) {
    waiting.value = next;
  }
}
