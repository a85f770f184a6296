/** Outputs that are quantiles: o·Q + k is quantile k of target o. */

import { checkArgument, fail } from "../errors.ts";
/** One quantile of every target (N, O), of all (N, O·Q). */
export function quantileOf(outputs: ArrayLike<number>, count: number, k: number): Float64Array {
  return Float64Array.from({ length: outputs.length / count }, (_, i) => outputs[i * count + k]!);
}

/** Which of the quantiles is nearest the median. */
export function nearestMedian(quantiles: readonly number[]): number {
  const far = quantiles.map((quantile) => Math.abs(quantile - 0.5));
  return far.reduce((best, distance, i) => distance < far[best]! ? i : best, 0);
}

/**
 * Rows of outputs in the data's units (N, O·Q), each quantile decoded by itself.
 *
 * @param width Targets, O.
 * @param count Quantiles, Q; 1 where outputs are values.
 * @param decode A row (O) in the data's units.
 */
export function decodeRows(
  outputs: ArrayLike<number>,
  width: number,
  count: number,
  decode: (row: ArrayLike<number>, n: number) => ArrayLike<number>,
): Float64Array {
  checkArgument("decode outputs", "outputs", outputs, "numbers");
  if (outputs.length % (width * count)) {
    const problem = `outputs must be rows of ${width * count} numbers, got ${outputs.length}`;
    throw fail("shape-mismatch", "decode outputs", problem, { name: "outputs", value: outputs.length });
  }
  const units = new Float64Array(outputs.length), row = new Array<number>(width);
  for (let n = 0, start = 0; start < outputs.length; n++, start += width * count) {
    for (let k = 0; k < count; k++) {
      for (let o = 0; o < width; o++) row[o] = outputs[start + o * count + k]!;
      const decoded = decode(row, n);
      for (let o = 0; o < width; o++) units[start + o * count + k] = decoded[o]!;
    }
  }
  return units;
}
