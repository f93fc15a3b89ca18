import { match } from "/static/route.js";
import { withQuery, path, newKey } from "/static/api.js";
import { equal, ok, test } from "./run.js";

test("an address names a page and an object", () => {
  equal(match("/").route.path, "/");
  const found = match("/devices/controlid%3A7/open");
  equal([found.route.path, found.params], ["/devices/:id/open", { id: "controlid:7" }]);
  equal(match("/devices/").route.path, "/devices");
});
test("an id with a slash or a lone percent sign is one segment", () => {
  equal(match("/devices/a%2Fb").params, { id: "a/b" });
  equal(match("/devices/100%").params, { id: "100%" });
});
test("other addresses are no page", () => equal([match("/nothing"), match("/devices/a/b/c")], [null, null]));
test("what names an object in a path of the API is encoded", () => {
  equal(path`/v1/devices/${"controlid:7/../x"}/open`, "/v1/devices/controlid%3A7%2F..%2Fx/open");
});
test("a query repeats lists and leaves out what is not there", () => {
  equal(withQuery("/v1/events", { device: ["a", "b"], type: undefined, after: null, q: "a&b" }), "/v1/events?device=a&device=b&q=a%26b");
  equal(withQuery("/v1/info", {}), "/v1/info");
});
test("idempotency keys are 128 random bits", () => {
  const keys = new Set(Array.from({ length: 100 }, newKey));
  equal(keys.size, 100);
  for (const key of keys) ok(/^[0-9a-f]{32}$/.test(key), key);
});
