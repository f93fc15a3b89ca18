import { isolated, visible } from "/static/text.js";
import { equal, test } from "./run.js";

test("control characters are pictures, so that they are seen", () => {
  equal(visible("a\u0000b\n\u007f"), "a\u2400b\u240a\u2421");
});
test("what changes the direction of text is taken out", () => {
  equal(visible("txt\u202egnp.exe\u2066"), "txt\ufffdgnp.exe\ufffd");
});
test("text from right to left does not turn the sentence around it", () => {
  equal(isolated("שלום"), "\u2068שלום\u2069");
  equal(isolated("Lobby <b>"), "Lobby <b>");
});
