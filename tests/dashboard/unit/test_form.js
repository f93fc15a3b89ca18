import { canShow, fromText, asText } from "/static/components/form.js";
import { readPath, writePath } from "/static/components/form-paths.js";
import { readJson } from "/static/components/json.js";
import { errorsByField } from "/static/components/field.js";
import { equal, test } from "./run.js";

const parameter = (name, type = "string") => ({ name, type, required: false, meaning: "", values: null });
const ACTIONS = [parameter("actions", "array"), parameter("actions[].action"), parameter("actions[].parameters")];
const BODY = { actions: [{ action: "sec_box", parameters: "id=65793" }] };

test("a form reads and writes the only item of a list", () => {
  equal(readPath(BODY, "actions[].action"), "sec_box");
  equal(writePath(undefined, "actions[].action", "door"), { actions: [{ action: "door" }] });
  equal(writePath(BODY, "actions[].parameters", "door=1").actions[0], { action: "sec_box", parameters: "door=1" });
  equal(BODY.actions[0].parameters, "id=65793");
});
test("what is emptied goes, with what is empty then", () => {
  equal(writePath({ a: { b: 1 }, c: 2 }, "a.b", undefined), { c: 2 });
  equal(writePath(writePath(BODY, "actions[].action", undefined), "actions[].parameters", undefined), undefined);
});
test("a form that cannot show everything leaves the JSON in charge", () => {
  equal(canShow(ACTIONS, BODY), true);
  equal(canShow(ACTIONS, {}), true);
  equal(canShow(ACTIONS, { ...BODY, other: 1 }), false);
  equal(canShow(ACTIONS, { actions: [...BODY.actions, ...BODY.actions] }), false);
  equal(canShow(ACTIONS, { actions: [{ action: "door", strange: 1 }] }), false);
  equal(canShow(ACTIONS, "text"), false);
});
test("a field is text where text is asked for, else JSON if it is JSON", () => {
  equal([fromText("7", "string"), fromText("7", "integer"), fromText("{", "object|string"), fromText("", "any")], ["7", 7, "{", undefined]);
  equal([asText("7"), asText(7), asText({ a: 1 }), asText(undefined)], ["7", "7", '{"a":1}', ""]);
});
test("JSON that is wrong says in which line", () => {
  equal(readJson('{"a": 1}').value, { a: 1 });
  equal(readJson('{\n"a": 1,\n}').error, "This is not JSON: see line 3.");
});
test("errors go to the field that is at fault, others to the form", () => {
  const errors = [
    { pointer: "#/payload/endpoint", detail: "is missing" },
    { pointer: "#/ttl", detail: "must be a number" },
    { pointer: "", detail: "odd" },
  ];
  equal(errorsByField(errors, ["payload", "ttl"]), { payload: "is missing", ttl: "must be a number", "": "odd" });
});
