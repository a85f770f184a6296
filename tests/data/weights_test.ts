import assert from "node:assert/strict";
import { balancedWeights } from "../../mod.ts";

Deno.test("balanced weights make every class, and both sides of an output, count the same", () => {
  assert.deepEqual(balancedWeights(Int32Array.of(2, 0, 1, 2, 2, 2), 3), [2, 2, 0.5]); // N / (K · n)
  assert.deepEqual(balancedWeights(Float32Array.of(1, 0, 0, 1, 0, 1, 0, 1), 2), [3, 1 / 3]); // zeros / ones
});

Deno.test("weights cannot balance what is not there", () => {
  assert.throws(() => balancedWeights(Int32Array.of(0, 0, 2), 3), /^RangeError: .*: 0 of 3 sequences have class 1$/);
  assert.throws(() => balancedWeights(Float32Array.of(1, 0, 1, 1), 2), /: 2 of 2 sequences have class 0$/);
});
