import { heldRows } from "/static/components/held-rows.js";
import { selection } from "/static/components/table.js";
import { equal, test } from "./run.js";

const key = (row) => row.id;
const row = (id, state = 0) => ({ id, state });
const held = (rows, shown, isHeld = true) => {
  const { rows: found, gone, added } = heldRows({ rows, key, shown, isHeld });
  return [found.map((each) => `${each.id}${each.state}`).join(" "), [...gone].join(), added];
};

test("a list that is not looked at shows what there is", () => {
  equal(held([row("b"), row("a")], [row("a")], false), ["b0 a0", "", 0]);
});
test("under the pointer cells change, rows do not move, come or go", () => {
  equal(held([row("n"), row("b", 1), row("a", 1)], [row("a"), row("b"), row("c")]), ["a1 b1 c0", "c", 1]);
});
test("an empty list fills at once", () => equal(held([row("a")], []), ["a0", "", 0]));
test("a row is selected and taken out again; Shift takes a range", () => {
  const keys = ["a", "b", "c", "d"];
  equal([...selection(keys, new Set(), "b", "")], ["b"]);
  equal([...selection(keys, new Set(["b"]), "b", "")], []);
  equal([...selection(keys, new Set(["d"]), "b", "d")], ["d", "b", "c"]);
});
