import assert from "node:assert/strict";
import { Names } from "../../../core/data/readers/names.ts";
import { Random } from "../../../core/random.ts";

Deno.test("names are told apart whatever they are, and each is found again", () => {
  const names = new Names(), there = new Set<string>(), random = new Random(3, "data");
  const letters = ["", "a", "b", "ab", "ä", "\u{1f600}", "0", " "];
  for (let i = 0; i < 20_000; i++) {
    const name = Array.from({ length: 1 + random.below(5) }, () => letters[random.below(letters.length)]).join("");
    assert.equal(names.has(name), there.has(name), name);
    if (there.has(name)) continue;
    names.add(name);
    there.add(name);
  }
  assert.ok(there.size > 1000);
});

Deno.test("the last 2^20 names are remembered, and not all of a longer file", () => {
  const names = new Names(), count = 3 << 19;
  for (let i = 0; i < count; i++) names.add(`s${i}`);
  for (let i = count - (1 << 20); i < count; i += 97) assert.ok(names.has(`s${i}`));
  assert.ok(!names.has("s0") && !names.has(`s${count}`));
});

Deno.test("long names are forgotten sooner: all together take bounded room", () => {
  const names = new Names(), long = "x".repeat(1 << 24), name = (i: number) => `${i} ${long}`;
  for (let i = 0; i < 30; i++) names.add(name(i));
  assert.ok(names.has(name(29)) && names.has(name(12)));
  assert.ok(!names.has(name(0)));
});
