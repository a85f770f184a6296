/**
 * Expected values: SciPy 1.17.1, `mannwhitneyu(a, b, method="asymptotic")` and `scipy.special.erfc(x)`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { erfc, mannWhitney } from "../../scripts/mann_whitney.ts";

const CASES: [a: number[], b: number[], u: number, p: number][] = [
  [[1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15, 16], 0, 0.0009391056991171899],
  [[0.1, 0.4, 0.2, 0.9, 0.5, 0.3], [0.35, 0.8, 0.7, 1.1, 0.6, 0.45, 0.95], 8, 0.07414553111140683],
  [[3, 1, 2, 5], [7], 0, 0.2888443663464849],
  // Ties, within a sample and across both.
  [[1, 1, 2, 2, 3, 3, 4, 4, 5], [2, 2, 3, 3, 4, 4, 5, 5, 6, 6], 25, 0.10567997823034896],
  [[0, 0, 0, 0, 0, 1], [0, 1, 1, 1, 1, 1, 1], 6.5, 0.02092133533779403],
  // The same sample: the continuity correction would take p above 1.
  [[1, 2, 3], [1, 2, 3], 4.5, 1],
];

const close = (actual: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.abs(expected), `${actual} is not ${expected}`);

Deno.test("mannWhitney() gives SciPy's U and p", () => {
  for (const [a, b, u, p] of CASES) {
    const result = mannWhitney(a, b);
    assert.equal(result.u, u);
    close(result.p, p, 1e-12);
  }
});

Deno.test("mannWhitney() gives the same p for samples exchanged, and leaves them as they are", () => {
  for (const [a, b, u, p] of CASES) {
    const result = mannWhitney(Object.freeze(b) as number[], Object.freeze(a) as number[]);
    assert.equal(result.u, a.length * b.length - u);
    close(result.p, p, 1e-12);
  }
});

Deno.test("mannWhitney() finds no difference where all values are alike", () => {
  assert.deepEqual(mannWhitney([1, 1, 1], [1, 1]), { u: 3, p: 1 });
});

Deno.test("mannWhitney() refuses an empty sample and NaN", () => {
  assert.throws(() => mannWhitney([], [1]), RangeError);
  assert.throws(() => mannWhitney([1], [2, NaN]), RangeError);
});

Deno.test("erfc() gives SciPy's values, in both of its formulas and far out", () => {
  const expected = {
    "-2": 1.9953222650189528,
    "0": 1,
    "0.1": 0.8875370839817152,
    "1": 0.15729920705028516,
    "2.4999": 0.0004071699003334512,
    "2.5": 0.00040695201744495886,
    "5": 1.5374597944280347e-12,
    "20": 5.395865611607901e-176,
  };
  for (const [x, value] of Object.entries(expected)) close(erfc(Number(x)), value, 1e-11);
  assert.equal(erfc(Infinity), 0);
});
