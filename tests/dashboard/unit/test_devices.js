import { forAll } from "/static/devices/bulk.js";
import { afterEvent, fits, rowsOf } from "/static/devices/device-rows.js";
import { knowsHowToOpen } from "/static/devices/models.js";
import { stripLabel, summary } from "/static/devices/strip-label.js";
import { lastDay } from "/static/devices/strips.js";
import { equal, ok, settled, test } from "./run.js";

const device = (id, presence = "online") => ({ id, presence, admission: "approved", polling: true, last_seen_at: "then" });
const event = (type, data = {}, command = "c1") => ({ type, at: "now", device: "a", command, by: "admin", data });
const HOUR = 3600_000;
const span = (kind, from, to) => ({ kind, from: from * HOUR, to: to * HOUR });

test("a device that comes first is not listed again", () => {
  const rows = rowsOf([[device("b", "offline")], [], [device("a"), device("b"), device("c")]]);
  equal(rows.map((row) => row.id).join(""), "bac");
  equal(rows[0].device.value.presence, "offline");
});
test("what an event says of a device is written into it; what it does not say is read", () => {
  equal(afterEvent(device("a", "offline"), event("device.online")), { ...device("a"), last_seen_at: "now" });
  equal(afterEvent(device("a"), event("device.offline")), { ...device("a", "offline"), polling: false });
  equal(afterEvent(device("a"), event("device.blocked")).admission, "blocked");
  equal([afterEvent(device("a"), event("device.changed")), afterEvent(device("a"), event("command.queued"))], [null, null]);
});
test("a device fits a filter by its state, site, model and tags", () => {
  const gate = { admission: "approved", presence: "offline", site: "North", facts: { model: "iDFlex" }, tags: ["a", "b"] };
  const any = { state: null, site: null, model: null, tags: [] };
  const isFit = (narrowing, changes = {}) => fits({ ...gate, ...changes }, { ...any, ...narrowing });
  equal([isFit({}), isFit({ state: "offline", site: "North", model: "iDFlex", tags: ["b", "a"] })], [true, true]);
  equal([isFit({ state: "offline" }, { presence: "online" }), isFit({ state: "offline" }, { admission: "blocked" })], [false, false]);
  equal([isFit({ site: "North" }, { site: null }), isFit({ model: "iDFlex" }, { facts: {} }), isFit({ tags: ["a", "c"] })], [false, false, false]);
});
test("an act for many runs four at a time, and says what failed", async () => {
  let running = 0;
  let most = 0;
  const progress = [];
  const act = async (item) => {
    most = Math.max(most, ++running);
    await settled();
    running -= 1;
    if (item === 3) throw new Error("no");
  };
  const { done, failures } = await forAll([1, 2, 3, 4, 5, 6], act, { onProgress: (count) => progress.push(count) });
  equal([most, done, failures.map(({ item }) => item), progress], [4, 5, [3], [1, 2, 3, 4, 5, 6]]);
});
test("a stop lets end what runs, and begins nothing more", async () => {
  const abort = new AbortController();
  const begun = [];
  const found = await forAll([1, 2, 3, 4, 5, 6], async (item) => void (begun.push(item), abort.abort()), { signal: abort.signal });
  equal([begun, found.done], [[1], 1]);
});
test("a strip says as a sentence when it was not online", () => {
  equal(stripLabel("Gate", [span("online", 0, 24)]), "Gate, last 24 hours: online.");
  equal(stripLabel("Gate", [span("none", 0, 24)]), "Gate, last 24 hours: not known.");
  const label = stripLabel("Gate", [span("online", 0, 1), span("offline", 1, 1.5), span("online", 1.5, 24)]);
  ok(/^Gate, last 24 hours: offline from .+ for 30 min; else online\.$/.test(label), label);
  const many = stripLabel("Gate", [0, 1, 2, 3, 4].flatMap((hour) => [span("offline", hour, hour + 0.5), span("online", hour + 0.5, hour + 1)]));
  ok(many.includes("2 earlier interruptions"), many);
});
test("the share of time online is of what is known", () => {
  equal(summary([span("none", 0, 12), span("online", 12, 21), span("offline", 21, 24)]), { share: 0.75, outages: 1, seconds: 10800 });
  equal(summary([span("none", 0, 24)]).share, null);
});
test("a model is known however it is written", () => {
  const knows = (facts) => knowsHowToOpen({ facts });
  equal([knows({ model: "idaccess-pro" }), knows({ model: "other" }), knows({}), knows({ opens_with: "door" })], [true, false, false, true]);
});
test("of a device that came and went too often the rest of the day is not known", () => {
  const ago = (hours) => Date.now() - hours * HOUR;
  const events = [{ type: "device.offline", at: new Date(ago(20)).toISOString() }, { type: "device.online", at: new Date(ago(19)).toISOString() }];
  const found = { presence: "online", created_at: new Date(ago(48)).toISOString() };
  const kinds = (cutAt) => lastDay(found, { events, keptFrom: -Infinity, cutAt }).map((each) => each.kind);
  equal(kinds(null), ["online", "offline", "online"]);
  equal(kinds(ago(1)), ["online", "offline", "none", "online"]);
});
