import { fromText } from "/static/components/form.js";
import { readDraft, textOf, withValue } from "/static/devices/payload-draft.js";
import { equal, test } from "./run.js";

const parameter = (name, type = "string") => ({ name, type, required: false, meaning: "", values: null });
const ITEMS = [
  {
    name: "execute_actions",
    parameters: [parameter("actions", "array"), parameter("actions[].action"), parameter("actions[].parameters")],
    example: { endpoint: "execute_actions", body: { actions: [{ action: "door", parameters: "door=1" }] } },
  },
  { name: "user_get_image", parameters: [parameter("user_id", "integer"), parameter("get_timestamp", "boolean")], example: { endpoint: "user_get_image", queryString: "user_id=7" } },
  { name: "REMOTE_ACTION", parameters: [parameter("message"), parameter("data", "any")], example: { control: "REMOTE_ACTION", message: "a|b|{}" } },
  { name: "system_information", parameters: [], example: { endpoint: "system_information" } },
];
const draft = (value) => readDraft(typeof value === "string" ? value : JSON.stringify(value), ITEMS);
const shown = (value) => {
  const { item, isShown } = draft(value);
  return [item?.name ?? null, isShown];
};
const parsed = (...given) => JSON.parse(withValue(...given));

test("every example of a command is shown by its form", () => {
  for (const item of ITEMS) equal(shown(textOf(item)), [item.name, true]);
});
test("a change of the form is written into the body, and the rest stays", () => {
  const found = draft({ verb: "POST", ...ITEMS[0].example });
  equal(parsed(found, { actions: [{ action: "sec_box" }] }), { verb: "POST", endpoint: "execute_actions", body: { actions: [{ action: "sec_box" }] } });
  equal(parsed(found, undefined), { verb: "POST", endpoint: "execute_actions" });
});
test("parameters of a query are read and written as one", () => {
  const found = draft({ endpoint: "user_get_image", queryString: "user_id=7&get_timestamp=1" });
  equal(found.value, { user_id: 7, get_timestamp: true });
  equal(parsed(found, { user_id: 8, get_timestamp: false }).queryString, "user_id=8&get_timestamp=0");
});
test("parameters of a control are members of the payload", () => {
  const found = draft({ control: "REMOTE_ACTION", message: "a|b|{}", data: { n: 1 } });
  equal(found.value, { message: "a|b|{}", data: { n: 1 } });
  equal(parsed(found, { message: "c" }), { control: "REMOTE_ACTION", message: "c" });
});
test("what the form cannot show leaves the JSON in charge", () => {
  equal(shown({ endpoint: "execute_actions", body: { actions: [{}, {}] } }), ["execute_actions", false]);
  equal(shown({ endpoint: "execute_actions", body: { strange: 1 } }), ["execute_actions", false]);
  equal(shown({ endpoint: "execute_actions", strange: 1 }), ["execute_actions", false]);
  equal(shown({ transactions: [ITEMS[0].example] }), [null, false]);
  equal(shown({ endpoint: "not_known", body: {} }), [null, false]);
});
test("a number that JavaScript would change is left to the JSON", () => {
  equal(shown('{"endpoint": "user_get_image", "queryString": "user_id=1"}'), ["user_get_image", true]);
  equal(shown('{"control": "REMOTE_ACTION", "data": 9223372036854775807}'), ["REMOTE_ACTION", false]);
  equal(fromText("9223372036854775807", "integer"), "9223372036854775807");
});
test("what is no JSON object has no form, and nothing is thrown", () => {
  for (const text of ["", "{", "null", "7", "[]", '"text"']) equal([draft(text).payload, draft(text).isShown], [null, false]);
});
