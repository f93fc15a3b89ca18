import { equal, test } from "./run.js";

test("one is one", () => equal(1, 1));
test("one is two", () => equal(1, 2));
test("a promise that fails", () => Promise.reject(new Error("it fails")));
