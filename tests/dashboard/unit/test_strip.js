import { spansOf } from "/static/components/strip-spans.js";
import { equal, test } from "./run.js";

const at = (time) => new Date(time).toISOString();
const event = (type, time, data = null) => ({ type: `device.${type}`, at: at(time), data });
const spans = (known) => spansOf({ start: 0, end: 100, present: "online", ...known }).map((span) => [span.kind, span.from, span.to]);

test("without events it is what it is now, back to when it was registered", () => {
  equal(spans({ events: [] }), [["online", 0, 100]]);
  equal(spans({ events: [], createdAt: 40 }), [["none", 0, 40], ["online", 40, 100]]);
});
test("before an event that ends being online it was online", () => {
  equal(spans({ events: [event("offline", 60)], present: "offline" }), [["online", 0, 60], ["offline", 60, 100]]);
});
test("before it came online it is not known", () => {
  equal(spans({ events: [event("online", 60)] }), [["none", 0, 60], ["online", 60, 100]]);
});
test("a sign-off is neither online nor an outage", () => {
  equal(spans({ events: [event("signed_off", 20), event("online", 50)] }), [
    ["online", 0, 20],
    ["signed_off", 20, 50],
    ["online", 50, 100],
  ]);
});
test("where events were left out it is not known", () => {
  equal(spans({ events: [event("offline", 20), event("online", 50, { suppressed: 9 })] }), [
    ["online", 0, 20],
    ["none", 20, 50],
    ["online", 50, 100],
  ]);
});
test("what is not kept any more is not known", () => {
  equal(spans({ events: [], keptFrom: 30 }), [["none", 0, 30], ["online", 30, 100]]);
});
test("other events change nothing", () => equal(spans({ events: [event("changed", 50)] }), [["online", 0, 100]]));
