import { IDLE, answered, asked, caughtUp, heard, isSettled, lookedUp, lost, refused } from "/static/devices/open-state.js";
import { equal, test } from "./run.js";

const at = (seconds) => new Date(seconds * 1000).toISOString();
const event = (type, seconds, data = {}, command = "c1") => ({ type: `command.${type}`, at: at(seconds), command, data: { trace: "t1", ...data } });
const after = (...inputs) => inputs.reduce((opening, input) => input(opening), asked("t1"));
const hear = (...given) => (opening) => heard(opening, event(...given));
const answer = (outcome, reason, command = {}) => (opening) =>
  answered(opening, { outcome, reason, detail: "said", command: { id: "c1", state: "succeeded", created_at: at(1), finished_at: at(3), error: null, evidence: "device", ...command } });
const command = (state, more = {}) => (opening) =>
  lookedUp(opening, { id: "c1", state, created_at: at(1), finished_at: at(3), error: null, evidence: "device", ...more });
const brief = ({ phase, reason, canDecide, byPerson }) => [phase, reason, canDecide ? "decide" : "", byPerson ? "person" : ""].filter(Boolean).join(" ");

test("the steps of an opening are those that events tell", () => {
  equal(brief(after()), "asking");
  equal(brief(after(hear("queued", 1))), "waiting");
  equal(brief(after(hear("queued", 1), hear("sent", 2))), "sent");
  const opened = after(hear("queued", 1), hear("sent", 2), hear("succeeded", 3.5));
  equal([brief(opened), opened.seconds, opened.command], ["opened", 2.5, "c1"]);
});
test("without events nothing is guessed: it is asked until the answer", () => {
  const opened = after(answer("opened", "succeeded"));
  equal([brief(opened), opened.seconds], ["opened", 2]);
});
test("events of other commands change nothing", () => {
  equal(brief(after((opening) => heard(opening, event("sent", 1, { trace: "t2" }, "c2")))), "asking");
  equal(brief(heard(IDLE, event("sent", 1, { trace: "" }))), "idle");
});
test("a later event of the same command needs no trace", () => {
  equal(brief(after(hear("queued", 1), hear("sent", 2, { trace: undefined }))), "sent");
});
test("what the reader refuses is not opened, in its words", () => {
  const failed = after(hear("queued", 1), hear("failed", 2, { error: "relay disabled" }));
  equal([brief(failed), failed.detail], ["not_opened device_failed", "relay disabled"]);
  equal(after(answer("not_opened", "device_failed", { state: "failed", error: "no relay" })).detail, "no relay");
});
test("a command that was not sent waits for the reason, which is in the answer", () => {
  equal(brief(after(hear("queued", 1), hear("expired", 11))), "waiting");
  equal(brief(after(hear("queued", 1), hear("cancelled", 11), answer("not_opened", "device_offline", { state: "cancelled" }))), "not_opened device_offline");
});
test("bytes that did not leave bring it back to waiting", () => {
  equal(brief(after(hear("queued", 1), hear("sent", 2), hear("queued", 3, { reason: "unsent" }))), "waiting");
});
test("unknown is decided only when the server takes a decision", () => {
  equal(brief(after(answer("unknown", "no_answer", { state: "sent" }))), "unknown");
  equal(brief(after(answer("unknown", "no_answer", { state: "sent" }), hear("unknown", 12))), "unknown decide");
  equal(brief(after(hear("unknown", 12), answer("unknown", "no_answer", { state: "unknown" }))), "unknown decide");
});
test("a late answer turns unknown into what happened", () => {
  const unknown = [answer("unknown", "no_answer", { state: "unknown" })];
  equal(brief(after(...unknown, hear("succeeded", 20, { late: true }))), "opened");
  equal(brief(after(...unknown, hear("failed", 20))), "not_opened device_failed");
});
test("a person's word is said to be one", () => {
  const unknown = answer("unknown", "no_answer", { state: "unknown" });
  equal(brief(after(unknown, hear("resolved", 20, { state: "succeeded" }))), "opened person");
  equal(brief(after(unknown, hear("resolved", 20, { state: "failed" }))), "not_opened person");
  equal(brief(after(command("failed", { evidence: "operator" }))), "not_opened person");
});
test("an answer that is overtaken by a later event changes nothing", () => {
  equal(brief(after(hear("queued", 1), hear("succeeded", 2), answer("unknown", "no_answer", { state: "sent" }))), "opened");
});
test("a lost connection says so until something is heard", () => {
  equal(brief(after(lost)), "lost");
  equal(brief(after(lost, hear("queued", 1))), "waiting");
  equal(brief(after(hear("queued", 1), lost)), "waiting");
  equal(brief(after(lost, answer("opened", "succeeded"))), "opened");
});
test("a press that is old is looked up: no command means that it did not arrive", () => {
  equal(brief(after(lost, (opening) => lookedUp(opening, undefined))), "not_opened not_arrived");
  const found = ["succeeded", "failed", "expired", "unknown", "queued", "sent"].map((state) => brief(after(lost, command(state))));
  equal(found, ["opened", "not_opened device_failed", "not_opened not_sent", "unknown decide", "waiting", "sent"]);
  equal(brief(after(answer("unknown", "no_answer", { state: "sent" }), command("sent"))), "unknown");
});
test("events that were missed while the call waits are looked up", () => {
  const seen = (state, more = {}) => (opening) => caughtUp(opening, { id: "c1", state, created_at: at(1), finished_at: null, error: null, evidence: null, ...more });
  equal(brief(after(seen("queued"))), "waiting");
  equal(brief(after(seen("sent"))), "sent");
  equal(brief(after(hear("queued", 1), hear("sent", 2), seen("queued"))), "sent");
  equal(brief(after(seen("cancelled"))), "asking");
  equal(brief(after((opening) => caughtUp(opening, undefined))), "asking");
  const opened = after(seen("sent"), answer("opened", "succeeded"));
  equal([brief(opened), opened.command], ["opened", "c1"]);
});
test("what was stopped in time is said to be stopped", () => {
  const stopping = (opening) => ({ ...opening, isStopping: true });
  equal(brief(after(hear("queued", 1), stopping, hear("cancelled", 2))), "not_opened stopped");
  equal(brief(after(stopping, answer("not_opened", "busy", { state: "cancelled" }))), "not_opened stopped");
});
test("what the server refuses is over", () => {
  const found = after((opening) => refused(opening, "blocked"));
  equal([found.phase, found.detail, isSettled(found)], ["refused", "blocked", true]);
});
