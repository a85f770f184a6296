/** What comes from outside is shown, and does nothing else. */

import assert from "node:assert/strict";
import { display, displayJson, displayLines, displayProblem, isDisplayable, shellWord } from "../core/display.ts";

const HOSTILE = "a\x1b[31mb\r\n\x9b\u202e\u2066\u061c\ud800";

Deno.test("display() leaves nothing that controls a terminal or turns the direction of text", () => {
  assert.equal(display(HOSTILE), "a�[31mb�������");
  assert.ok(!isDisplayable(HOSTILE) && isDisplayable(display(HOSTILE)));
  assert.equal(display("Größe 日本語 👩‍👩‍👧 עברית"), "Größe 日本語 👩‍👩‍👧 עברית");
  for (let code = 0; code < 0x10000; code++) {
    const shown = display(String.fromCharCode(code));
    assert.ok(/^[^\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]$/u.test(shown), code.toString(16));
  }
});

Deno.test("display() shortens to its limit, and keeps both ends", () => {
  assert.equal(display("abcdefghij", 10), "abcdefghij");
  assert.equal(display("abcdefghijk", 9), "abcdef…jk");
});

Deno.test("displayLines() keeps line ends, displayJson() the value", () => {
  assert.equal(displayLines("a\n\tb\x1b"), "a\n\tb�");
  const json = displayJson(JSON.stringify({ [HOSTILE.slice(0, -1)]: HOSTILE }));
  assert.ok(isDisplayable(json));
  assert.deepEqual(JSON.parse(json), { [HOSTILE.slice(0, -1)]: HOSTILE });
});

Deno.test("displayProblem() shortens what is quoted, else the whole", () => {
  assert.equal(displayProblem('"x" is "y"'), '"x" is "y"');
  const label = displayProblem(`the label "${"M".repeat(1e6)}" was never seen in training`);
  assert.match(label, /^the label "M+…M+" was never seen in training$/);
  assert.ok(label.length < 200);
  assert.ok(displayProblem("1, ".repeat(1e6)).length <= 2000);
});

Deno.test("shellWord() says a word as a shell takes it, on one line", async () => {
  const words = [
    "plain/path-1.json",
    "two words",
    "it's",
    "$HOME `x` \\ %s",
    "a\nb\x1b[31m\u202e'\"%d\\n",
    "--odd",
    "Größe",
  ];
  assert.equal(shellWord("plain/path-1.json"), "plain/path-1.json");
  for (const word of words) {
    const said = shellWord(word);
    assert.ok(isDisplayable(said), said);
    if (Deno.build.os === "windows") continue;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf %s ${said}`] }).output();
    assert.equal(new TextDecoder().decode(stdout), word);
  }
});
