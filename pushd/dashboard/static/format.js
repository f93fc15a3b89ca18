/** Times and durations in the chosen language; all times of the API are RFC 3339 in UTC. */
import { now, tick } from "./clock.js";
import { locale, number, t } from "./messages.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit" };
/** @type {Intl.DateTimeFormatOptions} */
const DATE = { day: "numeric", month: "short" };

/**
 * @param {Date} at
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(at, options) {
  return new Intl.DateTimeFormat(locale(), { hourCycle: "h23", ...options }).format(at);
}

/**
 * How long ago, or when: "now", "6 min", "14:31", "3 Mar 14:31".
 * @param {string} at
 */
export function ago(at) {
  void tick.value;
  const age = now() - Date.parse(at);
  if (Math.abs(age) < MINUTE) return t("time.now");
  return age > 0 && age < HOUR ? duration(age / SECOND) : when(at);
}

/**
 * When: "14:31" within 24 hours, "3 Mar 14:31" within the year, else with the year.
 * @param {string} at
 */
export function when(at) {
  const date = new Date(at);
  if (Math.abs(now() - date.getTime()) < DAY) return format(date, CLOCK);
  const inYear = date.getFullYear() === new Date(now()).getFullYear();
  return format(date, { ...DATE, ...CLOCK, ...(inYear ? {} : { year: "numeric" }) });
}

/**
 * To the second: "14:31:07".
 * @param {string} at
 */
export function clockTime(at) {
  return format(new Date(at), { ...CLOCK, second: "2-digit" });
}

/**
 * All there is to say about a time, with milliseconds and zone.
 * @param {string} at
 */
export function exact(at) {
  return format(new Date(at), {
    year: "numeric",
    ...DATE,
    ...CLOCK,
    second: "2-digit",
    fractionalSecondDigits: 3,
    timeZoneName: "short",
  });
}

/**
 * A day: "3 March 2026".
 * @param {string} at
 */
export function day(at) {
  return format(new Date(at), { year: "numeric", month: "long", day: "numeric" });
}

/**
 * A duration in two units at most: "0.42 s", "9 s", "41 min", "2 h 23 min", "3 d 4 h".
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 10) return t("time.s", { n: number(seconds, { maximumSignificantDigits: 2 }) });
  if (seconds < 60) return t("time.s", { n: Math.floor(seconds) });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("time.min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? t("time.h_min", { h: hours, n: minutes % 60 }) : t("time.h", { n: hours });
  const days = Math.floor(hours / 24);
  return hours % 24 ? t("time.d_h", { d: days, n: hours % 24 }) : t("time.d", { n: days });
}

/**
 * How long since a time, as a duration, "now" below a minute; it is renewed with the page.
 * @param {string} at
 */
export function since(at) {
  void tick.value;
  return now() - Date.parse(at) < MINUTE ? t("time.now") : elapsed(at);
}

/**
 * The same for a sentence such as "Offline for 6 min": always a duration.
 * @param {string} at
 */
export function elapsed(at) {
  void tick.value;
  return duration(Math.max(0, Math.floor((now() - Date.parse(at)) / SECOND)));
}

/**
 * Seconds between two times.
 * @param {string} from
 * @param {string} to
 */
export function secondsBetween(from, to) {
  return (Date.parse(to) - Date.parse(from)) / SECOND;
}
