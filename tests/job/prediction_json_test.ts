import assert from "node:assert/strict";
import { digit } from "../../core/job/prediction_json.ts";
import { Random } from "../../core/random.ts";

Deno.test("predictions have the shortest digits that give their floats back", () => {
  // As NumPy writes them: str(numpy.float32(x)), repr(float(x)).
  const float32: [number, string][] = [
    [0.1, "0.1"],
    [1 / 3, "0.33333334"],
    [4999990.5, "4999990.5"],
    [16777216, "16777216"],
    [3.4028234663852886e38, "3.4028235e+38"],
    [1e-45, "1e-45"],
    [0.7310586, "0.7310586"],
    [1.00000012, "1.0000001"],
    [0.000123456789, "0.00012345679"],
  ];
  for (const [value, text] of float32) assert.equal(String(digit(Math.fround(value))), text);
  for (const value of [0.1, 1 / 3, 4999990.123456789, 5e-324, NaN, Infinity, 0]) {
    assert.ok(Object.is(digit(value), value));
  }
  const random = new Random(3, "data");
  for (let i = 0; i < 1000; i++) {
    const value = Math.fround(random.normal() * 10 ** (i % 20 - 10));
    assert.equal(Math.fround(digit(value)), value);
  }
});
