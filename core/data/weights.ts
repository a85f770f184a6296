import { checkArgument, checkInteger, fail } from "../errors.ts";

/** Outputs that a model may have. */
const MOST_OUTPUTS = 2 ** 24;

/**
 * Weights that make rare classes count as much as common ones.
 *
 * @param targets Class numbers (N), for `classWeights` of "crossEntropy": class k gets N / (K · n_k), n_k being how many
 * have it; or rows of 0 and 1 (N, O), for `posWeight` of "bce": an output gets the count of its zeros over that of its ones.
 * @param outputs Classes K, or outputs O.
 * @throws {RangeError} If a class has no sequence, or an output is never 0 or never 1.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { balancedWeights } from "@grutto/grutto";
 *
 * assert.deepEqual(balancedWeights(Int32Array.of(0, 0, 0, 1), 2), [4 / 6, 2]);
 * assert.deepEqual(balancedWeights(Float32Array.of(0, 0, 0, 1), 1), [3]);
 * ```
 */
export function balancedWeights(targets: Float32Array | Int32Array, outputs: number): number[] {
  checkArgument("balance weights", "targets", targets, "numbers");
  checkInteger("balance weights", "outputs", outputs, 1, MOST_OUTPUTS);
  const counts = new Array<number>(outputs).fill(0), classes = targets instanceof Int32Array;
  const total = classes ? targets.length : targets.length / outputs;
  targets.forEach((target, i) => {
    if (classes) checkInteger("balance weights", `targets[${i}]`, target, 0, outputs - 1);
    if (classes) counts[target]!++;
    else if (target > 0.5) counts[i % outputs]!++;
  });
  const bad = counts.findIndex((count) => count === 0 || !classes && count === total);
  if (bad >= 0) {
    throw fail("nothing-to-learn", "balance weights", `${counts[bad]} of ${total} sequences have class ${bad}`, {
      name: String(bad),
    });
  }
  return counts.map((count) => classes ? total / (outputs * count) : (total - count) / count);
}
