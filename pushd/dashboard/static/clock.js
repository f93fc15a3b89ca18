/** The server's time, as far as this browser knows it, and the timer that renews relative times. */
import { signal } from "@preact/signals";

/** The server's clock less the browser's, in milliseconds; 0 while the difference is within the error of measuring. */
export const offset = signal(0);

/** Counts up every ten seconds: what reads it is drawn again. */
export const tick = signal(0);

const RENEW = 10_000;
const ERROR = 1500;

/** The server's time now, in milliseconds. */
export function now() {
  return Date.now() + offset.value;
}

/**
 * Compare clocks; `Date` headers have whole seconds.
 * @param {string | null} header of an answer
 * @param {number} sentAt
 * @param {number} [receivedAt]
 */
export function compareClocks(header, sentAt, receivedAt = Date.now()) {
  const said = Date.parse(header ?? "");
  if (Number.isNaN(said)) return;
  const difference = said + 500 - (sentAt + receivedAt) / 2;
  const error = ERROR + (receivedAt - sentAt) / 2;
  if (Math.abs(difference - offset.peek()) > error) offset.value = Math.abs(difference) > error ? difference : 0;
}

/** Begin to renew relative times. */
export function startTicking() {
  setInterval(() => {
    if (!document.hidden) tick.value += 1;
  }, RENEW);
}
