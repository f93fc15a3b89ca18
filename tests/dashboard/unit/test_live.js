import { LiveReader, READ_AGAIN } from "/static/live-reader.js";
import { Refetcher } from "/static/refetch.js";
import { equal, ok, settled, test } from "./run.js";

function world(apply) {
  const loads = [];
  const published = [];
  let subscriber = null;
  const load = () => new Promise((resolve, reject) => loads.push({ resolve, reject }));
  const reader = new LiveReader(() => ({ load, apply }), (change) => published.push(change), {
    ready: Promise.resolve(),
    subscribe: (each) => {
      subscriber = each;
      return () => (subscriber = null);
    },
  });
  return { reader, loads, published, send: (...events) => subscriber.onEvents(events), reset: () => subscriber.onReset() };
}
const collect = (data, event) => [...data, event.type];

test("events that come while something is read are applied to it", async () => {
  const { reader, loads, published, send } = world(collect);
  reader.start();
  await settled();
  send({ type: "a" });
  loads[0].resolve(["read"]);
  await settled();
  send({ type: "b" });
  equal(published.map((each) => each.data), [["read"], ["read", "a"], ["read", "a", "b"]]);
});
test("an event that changes nothing draws nothing", async () => {
  const { reader, loads, published, send } = world((data) => data);
  reader.start();
  await settled();
  loads[0].resolve([]);
  await settled();
  send({ type: "a" });
  equal(published.length, 1);
});
test("a failure is said, and what was read stays", async () => {
  const { reader, loads, published, reset } = world(collect);
  reader.start();
  await settled();
  loads[0].resolve(["read"]);
  await settled();
  reset();
  loads[1].reject(new Error("no"));
  await settled();
  equal([published.length, published[1].fault.message], [2, "no"]);
});
test("a reading that is overtaken by another is given up", async () => {
  const { reader, loads, published, reset } = world(collect);
  reader.start();
  await settled();
  reset();
  loads[1].resolve(["second"]);
  loads[0].resolve(["first"]);
  await settled();
  equal(published.map((each) => each.data), [["second"]]);
});
test("an event that says too little has it read again, once for many", async () => {
  const { reader, loads, send } = world(() => READ_AGAIN);
  reader.start();
  await settled();
  loads[0].resolve([]);
  await settled();
  send({ type: "a" }, { type: "b" });
  send({ type: "c" });
  equal(loads.length, 1);
  reader.stop();
});
test("objects are read four at a time, and one that changes again is read again later", async () => {
  const running = [];
  const refetcher = new Refetcher((key) => new Promise((resolve) => running.push({ key, resolve })));
  for (const key of ["a", "b", "c", "d", "e", "a"]) refetcher.ask(key);
  equal(running.map((each) => each.key), ["a", "b", "c", "d"]);
  running[0].resolve();
  await settled();
  ok(running.map((each) => each.key).join("") === "abcde", "the fifth begins when one has ended");
  refetcher.stop();
});
