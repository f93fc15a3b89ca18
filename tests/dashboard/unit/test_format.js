import { offset } from "/static/clock.js";
import { ago, duration, exact, when } from "/static/format.js";
import { useLanguage } from "/static/messages.js";
import { equal, ok, test } from "./run.js";

const before = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

test("durations have two units at most", () => {
  const found = [0.42, 0.4201, 9, 59.9, 60, 41 * 60, 3600, 8580, 86400, 86400 * 3 + 3600 * 4].map(duration);
  equal(found, ["0.42 s", "0.42 s", "9 s", "59 s", "1 min", "41 min", "1 h", "2 h 23 min", "1 d", "3 d 4 h"]);
});
test("a time is relative within the hour, a clock time within the day, then a date", () => {
  equal([ago(before(10)), ago(before(6 * 60 + 5))], ["now", "6 min"]);
  ok(/^\d\d:\d\d$/.test(ago(before(7200))), ago(before(7200)));
  equal(when("2001-03-03T14:31:00Z"), "3 Mar 2001, 14:31");
});
test("the exact time has milliseconds and the zone", () => {
  equal(exact("2001-03-03T14:31:07.042Z"), "3 Mar 2001, 14:31:07.042 UTC");
});
test("the difference of the clocks is taken off", () => {
  offset.value = -3600_000;
  equal(ago(before(3600 + 120)), "2 min");
  offset.value = 0;
});
test("numbers and units are those of the language", async () => {
  await useLanguage("de");
  equal([duration(0.42), duration(86400 * 3 + 3600 * 4)], ["0,42 s", "3 T 4 h"]);
  await useLanguage("en");
});
