import { NOTHING, changesOf, pageOf, readOn } from "/static/audit/log.js";
import { linesOf } from "/static/components/form-dialog.js";
import { useLanguage } from "/static/messages.js";
import { fromLocal, toLocal } from "/static/tokens/local-time.js";
import { scopeBody, scopeFields, scopeInWords, scopeValues } from "/static/tokens/scope.js";
import { webhookBody, webhookValues } from "/static/webhooks/form.js";
import { maskedUrl } from "/static/webhooks/url.js";
import { equal, ok, test } from "./run.js";

const scope = (fields = {}) => ({ devices: null, sites: null, tags: null, endpoints: null, ...fields });

test("a scope is said in words", () => {
  equal(
    [scope(), scope({ sites: ["North", "Sul"], endpoints: ["open"] }), scope({ tags: ["24h"] }), scope({ devices: [] }), scope({ devices: ["a", "b", "c", "d"] })].map(scopeInWords),
    ["all devices", "North and Sul, open only", "tagged 24h", "nothing", "4 devices"],
  );
});
test("a scope goes through a form unchanged; empty fields are no limit", () => {
  const given = scope({ sites: ["North, East", "Sul"], endpoints: ["open"] });
  equal(scopeBody(scopeValues(given), "operator"), given);
  equal(scopeBody(scopeValues(given), "admin"), scope());
  equal([scopeFields("admin").length, scopeFields("device").length, scopeFields("viewer").length], [0, 3, 4]);
  equal(linesOf(" a \n\n b\n"), ["a", "b"]);
});
test("a time goes through a field for local time unchanged, to the minute", () => {
  equal(fromLocal(toLocal("2027-03-01T10:30:00Z")), "2027-03-01T10:30:00.000Z");
  equal([toLocal(null), fromLocal("")], ["", null]);
});
test("the end of a webhook's URL is shown, and no more", () => {
  equal(
    ["https://hooks.example.org/services/T0/B0/abcdx9Qa", "https://example.org/", "http://h:81/a?token=secret", "https://h/***x9Qa"].map(maskedUrl),
    ["https://hooks.example.org/***x9Qa", "https://example.org/", "http://h:81/***cret", "https://h/***x9Qa"],
  );
});
test("a webhook goes through its form unchanged", () => {
  const webhook = { url: "https://h/x", format: "slack", types: ["alert.raised"], devices: [], sites: ["North"], tags: ["a", "b"], include_result: true, parallel: 3 };
  const body = webhookBody(webhookValues(webhook));
  equal(Object.keys(webhook).map((name) => body[name]), Object.values(webhook));
});
test("the audit log is read to its end once, then only what is new", async () => {
  const entries = Array.from({ length: 1203 }, (_, id) => ({ id: String(id) }));
  const asked = [];
  const readPage = async (after, limit) => {
    asked.push(after);
    const from = after === null ? 0 : Number(after) + 1;
    return { items: entries.slice(from, from + limit), next: "x" };
  };
  const log = await readOn(NOTHING, readPage);
  equal([log.items.length, log.after, log.isWhole, asked], [1203, "1202", true, [null, "499", "999"]]);
  entries.push({ id: "1203" });
  const more = await readOn(log, readPage);
  equal([more.items.length, more.items.at(-1).id, asked.at(-1)], [1204, "1203", "1202"]);
});
test("a long log keeps its newest entries, and says that it goes on", async () => {
  let next = 0;
  const readPage = async (_after, limit) => ({ items: Array.from({ length: limit }, () => ({ id: String(next++) })), next: "x" });
  const log = await readOn(NOTHING, readPage);
  equal([log.items.length, log.isWhole, log.after], [5000, false, "19999"]);
});
test("an entry says what has changed, without what was and is nothing", () => {
  equal(changesOf({ before: { name: "a", tags: [] }, after: { name: "b", tags: [] } }), [{ field: "name", before: "a", after: "b" }]);
  equal(changesOf({ before: null, after: { role: "viewer", sites: null } }).map((each) => each.field), ["role"]);
});
test("objects of the log have their pages", () => {
  equal(["device:controlid:7", "webhook:a/b", "person:ana", "mail:test", "server"].map(pageOf), ["/devices/controlid%3A7", "/webhooks/a%2Fb", "/people", null, null]);
});
