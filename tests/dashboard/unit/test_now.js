import { linger } from "/static/now/lingering.js";
import { siteSpans } from "/static/now/site-spans.js";
import { deviceAddresses } from "/static/now/start.js";
import { equal, test } from "./run.js";

const at = (time) => (time === null ? null : new Date(time).toISOString());
const spans = (...outages) =>
  siteSpans(outages.map(([from, to]) => ({ raised_at: at(from), cleared_at: at(to) })), 0, 100).map((span) => [span.kind, span.from, span.to]);
const rows = (...keys) => keys.map((key) => ({ row: key, key }));
const shown = (state) => state.map((each) => `${each.key}${each.overAt < Infinity ? "*" : ""}`).join(" ");

test("a site is offline while any of its outages lasts", () => {
  equal(spans(), [["online", 0, 100]]);
  equal(spans([20, 40], [30, 60], [90, null]), [
    ["online", 0, 20],
    ["offline", 20, 60],
    ["online", 60, 90],
    ["offline", 90, 100],
  ]);
  equal(spans([-50, 30], [10, 20]), [["offline", 0, 30], ["online", 30, 100]]);
});
test("a problem that has ended stays ten seconds, in its place", () => {
  let state = linger([], rows("a", "b", "c"), 0);
  state = linger(state, rows("a", "c"), 1000);
  equal(shown(state), "a b* c");
  state = linger(state, rows("a", "c", "d"), 5000);
  equal(shown(state), "a b* c d");
  equal(shown(linger(state, rows("a", "c", "d"), 11_001)), "a c d");
});
test("a problem that comes again is one again", () => {
  const over = linger(linger([], rows("a"), 0), [], 1000);
  equal(shown(linger(over, rows("a"), 2000)), "a");
});
test("devices are pointed at the host of this page, with the port of the server", () => {
  const listen = { devices: ["tcp:8080", "ssl:port=8443:privateKey=***", "unix:/run/x"], admin: [], bases: [] };
  equal(deviceAddresses({ listen, options: {} }), ["http://127.0.0.1:8080", "https://127.0.0.1:8443"]);
  equal(deviceAddresses({ listen, options: { "device-url": "https://doors.example.org" } }), ["https://doors.example.org"]);
});
