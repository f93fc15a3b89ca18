import { READ_AGAIN } from "/static/live-reader.js";
import { eventsAround } from "/static/commands/around.js";
import { applyToCommands } from "/static/commands/command-changes.js";
import { explained } from "/static/commands/explain.js";
import { partsOf, stepsOf, widths } from "/static/commands/steps.js";
import { byDay } from "/static/alerts/list.js";
import { changedRows } from "/static/components/list-page.js";
import { shownPart } from "/static/components/content.js";
import { applyToInbox, withSettled } from "/static/unknown/inbox.js";
import en from "/static/messages/en.js";
import { equal, ok, test } from "./run.js";

const at = (seconds) => new Date(1_800_000_000_000 + seconds * 1000).toISOString();
const command = (fields = {}) => ({
  id: "c1",
  device: "controlid:7",
  state: "unknown",
  endpoint: "execute_actions",
  delivery: "at_most_once",
  attempts: 1,
  created_at: at(0),
  sent_at: at(0.4),
  finished_at: at(60),
  expires_at: at(15),
  error: null,
  ...fields,
});
const event = (type, seconds, fields = {}) => ({ type, at: at(seconds), command: "c1", device: "controlid:7", by: null, data: {}, ...fields });
const shown = (filter, isFirstPage = true) => ({ state: filter, isFirstPage });
const page = { items: [command({ state: "sent", finished_at: null }), command({ id: "c0" })], next: null };

test("an event changes its row, where it stands", () => {
  const after = applyToCommands(page, event("command.succeeded", 2), shown("sent"));
  equal(after.items.map((each) => [each.id, each.state, each.finished_at]), [
    ["c1", "succeeded", at(2)],
    ["c0", "unknown", at(60)],
  ]);
  equal([...changedRows(page.items, after.items, (row) => row.id)], ["c1"]);
  equal(applyToCommands(page, event("command.resolved", 2, { data: { state: "failed" } }), shown(null)).items[0].evidence, "operator");
});
test("the list is read again only for a command that may belong to it", () => {
  const other = (type, filter, isFirst) => applyToCommands(page, event(type, 2, { command: "c2" }), shown(filter, isFirst)) === READ_AGAIN;
  equal(
    [other("command.queued", null), other("command.sent", null), other("command.unknown", "unknown"), other("command.queued", null, false)],
    [true, false, true, false],
  );
  ok(applyToCommands(page, event("device.online", 2, { command: null }), shown(null)) === page);
});
test("steps are the command's events; where these are gone, its own times", () => {
  const events = [event("command.queued", 0, { by: "front desk" }), event("device.online", 0.1, { command: null }), event("command.sent", 0.4), event("command.sent", 1, { command: "c2" })];
  equal(stepsOf(command(), events).map((step) => [step.kind, step.by]), [["queued", "front desk"], ["sent", null]]);
  const times = stepsOf(command({ created_by: "front desk", acknowledged_at: null }), events.slice(2));
  equal(times.map((step) => [step.kind, step.by]), [["queued", "front desk"], ["sent", null], ["unknown", null]]);
});
test("a bar has a part for the wait and one for the device, wider the longer, and the last lasts until now", () => {
  const steps = stepsOf(command({ acknowledged_at: at(1), created_by: null }), []);
  const parts = partsOf(steps, Date.parse(at(99)));
  equal(parts.map((part) => [part.kind, part.to - part.from, part.outcome]), [["waiting", 400, "sent"], ["out", 59_600, "unknown"]]);
  const [short, long] = widths(parts);
  ok(short < long && short > 0.2 && Math.abs(short + long - 1) < 1e-9, `${short} ${long}`);
  const open = partsOf(steps.slice(0, 1), Date.parse(at(7)));
  equal(open.map((part) => part.to - part.from), [7000]);
});
test("every reason of the server has a sentence, and an unknown one has none", () => {
  const reasons = ["device-unknown", "waits-for-approval", "device-blocked", "lacks-proof", "not-yet-due", "signed-off", "never-polled",
    "between-polls", "not-polling", "others-ahead", "device-busy", "about-to-be-sent", "at-work", "no-result-yet", "resolved", "reported",
    "expired-unsent", "cancelled-unsent", "outcome-unknown"];
  for (const reason of reasons) {
    const found = explained(command(), { reason, facts: { poll_gap: 3, ahead: 1, last_seen_at: at(0) } });
    for (const [key] of found) ok(key in en, `${reason}: ${key}`);
  }
  equal(explained(command(), { reason: "new-in-a-later-version", facts: {} }), null);
});
test("what is known of a queued command is said beside the reason", () => {
  const found = explained(command({ state: "queued", attempts: 1, finished_at: null }), { reason: "not-polling", facts: { ahead: 2, last_seen_at: at(0), proven: false } });
  equal(found.map(([key]) => key), ["explain.not_polling", "explain.also_ahead", "explain.tried", "explain.no_proof"]);
});
test("around a command are the device's other events of two minutes, of another command the newest", () => {
  const events = [event("device.online", -200, { command: null }), event("command.queued", -60, { command: "c0" }), event("command.failed", -50, { command: "c0" }),
    event("command.sent", 0.4), event("device.offline", 150, { command: null }), event("device.online", 500, { command: null })];
  equal(eventsAround(command(), events).map((each) => each.type), ["command.failed", "device.offline"]);
});
test("a long text is folded, a large one is only to be saved", () => {
  equal(shownPart("a\nb", false), { text: "a\nb", isFolded: false, isTooLarge: false });
  const long = Array.from({ length: 100 }, (_, line) => `line ${line}`).join("\n");
  equal([shownPart(long, false).text.split("\n").length, shownPart(long, false).isFolded, shownPart(long, true).text === long], [40, true, true]);
  equal(shownPart("x".repeat(300_000), true), { text: "", isFolded: false, isTooLarge: true });
});
test("a settled row stays in the inbox, in its place, and says who decided", () => {
  const inbox = { items: [command({ id: "c2", created_at: at(9) }), command()], next: null };
  const after = applyToInbox(inbox, event("command.resolved", 70, { by: "ana", data: { state: "succeeded" } }));
  equal(after.items.map((row) => [row.id, row.state, row.settledBy ?? null]), [["c2", "unknown", null], ["c1", "succeeded", "ana"]]);
  equal(applyToInbox(inbox, event("command.unknown", 70, { command: "c3" })) === READ_AGAIN, true);
  const read = withSettled(after.items, [command({ id: "c3", created_at: at(20) }), command({ id: "c2", created_at: at(9) })]);
  equal(read.map((row) => [row.id, row.state]), [["c3", "unknown"], ["c2", "unknown"], ["c1", "succeeded"]]);
});
test("past alerts stand below their day, in their order", () => {
  const alerts = [{ id: 3, raised_at: at(86_400) }, { id: 2, raised_at: at(60) }, { id: 1, raised_at: at(0) }];
  equal(byDay(alerts).map(([, some]) => some.map((alert) => alert.id)), [[3], [2, 1]]);
});
