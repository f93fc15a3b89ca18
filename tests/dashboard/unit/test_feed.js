import { EVENT_TYPES, FeedReader } from "/static/feed-reader.js";
import { equal, settled, test } from "./run.js";

/** A server whose answers a test gives, and a stream that it writes. */
function world(answers) {
  const asked = [];
  const messages = [];
  const waits = [];
  const sources = [];
  const ask = async (url) => {
    asked.push(url);
    return answers.shift() ?? { status: 200, next: "e-9" };
  };
  const open = (url) => {
    const source = { url, listeners: {}, closed: false, close: () => (source.closed = true) };
    source.addEventListener = (type, listener) => (source.listeners[type] = listener);
    source.send = (type, id) => source.listeners[type]({ lastEventId: id, data: JSON.stringify({ seq: id, type }) });
    sources.push(source);
    return source;
  };
  const wait = (milliseconds) => new Promise((resolve) => waits.push({ milliseconds, resolve }));
  const reader = new FeedReader((message) => messages.push(message), { ask, open, wait });
  const kinds = () => messages.map((each) => (each.kind === "state" ? each.state.state : each.kind));
  return { asked, messages, waits, sources, reader, kinds };
}

test("the stream begins where the feed is, so that what is read then misses nothing", async () => {
  const { reader, asked, sources, kinds } = world([{ status: 200, next: "e-5" }]);
  reader.start();
  await settled();
  equal([asked, sources[0].url], [["/v1/events?limit=1&after=now"], "/v1/events/stream?lastEventId=e-5"]);
  sources[0].onopen();
  sources[0].send("device.online", "e-6");
  equal(kinds(), ["connecting", "reset", "live", "events"]);
});
test("a stream that breaks goes on behind the last event, after longer and longer waits", async () => {
  const { reader, asked, sources, waits, kinds } = world([
    { status: 200, next: "e-5" },
    { status: 0, next: null },
    { status: 503, next: null },
  ]);
  reader.start();
  await settled();
  sources[0].onopen();
  sources[0].send("device.online", "e-6");
  sources[0].onerror();
  for (let attempt = 0; attempt < 3; attempt++) {
    await settled();
    waits[attempt].resolve();
  }
  await settled();
  equal(waits.map((each) => each.milliseconds), [1000, 2000, 4000]);
  equal([asked.at(-1), sources[1].url], ["/v1/events?limit=1&after=e-6", "/v1/events/stream?lastEventId=e-6"]);
  equal(kinds(), ["connecting", "reset", "live", "events", "lost", "lost", "lost"]);
  sources[1].onopen();
  equal(kinds().at(-1), "live");
});
test("events that are not kept any more: everything is read anew, at once", async () => {
  const { reader, asked, waits, sources, kinds } = world([{ status: 200, next: "e-1" }, { status: 410, next: null }]);
  reader.start();
  await settled();
  sources[0].onerror();
  await settled();
  waits[0].resolve();
  await settled();
  equal(asked.slice(1), ["/v1/events?limit=1&after=e-1", "/v1/events?limit=1&after=now"]);
  equal([kinds(), waits.length], [["connecting", "reset", "lost", "reset"], 1]);
});
test("a session that has ended is not asked again", async () => {
  const { reader, asked, kinds, waits } = world([{ status: 401, next: null }]);
  reader.start();
  await settled();
  equal([kinds(), asked.length, waits.length], [["connecting", "ended"], 1, 0]);
});
test("another start ends the reading before it", async () => {
  const { reader, sources, messages } = world([]);
  reader.start();
  await settled();
  reader.start();
  await settled();
  const before = messages.length;
  sources[0].send("device.online", "e-6");
  equal([sources[0].closed, messages.length], [true, before]);
});
test("all types of events are asked for", () => equal(new Set(EVENT_TYPES).size, EVENT_TYPES.length));
