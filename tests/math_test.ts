import assert from "node:assert/strict";
import * as math from "../core/math.ts";

const file = new URL("testdata/math.json", import.meta.url);

/** The distance of two numbers in units of the last place of the second. */
function units(value: number, exact: number): number {
  if (Object.is(value, exact) || value === exact) return 0;
  const bits = new BigInt64Array(new Float64Array([Math.abs(value), Math.abs(exact)]).buffer);
  return Math.sign(value) === Math.sign(exact) ? Math.abs(Number(bits[0]! - bits[1]!)) : Infinity;
}

for (const name of ["exp", "log", "sin", "cos", "power"] as const) {
  Deno.test(`${name} is within a unit in the last place of the true value`, async () => {
    const cases = JSON.parse(await Deno.readTextFile(file))[name] as number[][];
    assert.ok(cases.length > 40);
    for (const row of cases) {
      const value = math[name](row[0]!, row[1]!);
      assert.ok(units(value, row.at(-1)!) <= 1, `${name}(${row.slice(0, -1)}) is ${value}, not ${row.at(-1)}`);
    }
  });
}

Deno.test("exp and log at their ends are what ECMAScript says", () => {
  for (const x of [NaN, Infinity, -Infinity, 710, -746, 0, -0, -1]) {
    assert.equal(math.exp(x === -1 ? 0 : x), Math.exp(x === -1 ? 0 : x));
    assert.equal(math.log(x), Math.log(x));
  }
});
