/** Sequences that are in two datasets. */

import type { Dataset } from "./dataset.ts";

/** What is compared: inputs and lengths. */
type Inputs = Pick<Dataset, "x" | "shape" | "lengths">;

/** The bits of the valid steps of a sequence: padding does not count. */
function bitsOf({ x, shape, lengths }: Inputs, row: number): Int32Array {
  const [, T, I] = shape as [number, number, number], steps = lengths?.[row] ?? T;
  return new Int32Array(x.buffer, x.byteOffset + 4 * row * T * I, steps * I);
}

/** A number that equal bits share (FNV-1a over words). */
function keyOf(bits: Int32Array): number {
  let key = 0x811c9dc5;
  for (let i = 0; i < bits.length; i++) key = Math.imul(key ^ bits[i]!, 0x01000193);
  return key;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** How many sequences of a dataset are in another too, to the bit, whatever their targets; both of the same channels. */
export function countShared(dataset: Inputs, other: Inputs): number {
  const rows = new Map<number, number[]>();
  for (let row = 0; row < other.shape[0]!; row++) {
    const key = keyOf(bitsOf(other, row)), same = rows.get(key);
    if (same) same.push(row);
    else rows.set(key, [row]);
  }
  let count = 0;
  for (let row = 0; row < dataset.shape[0]!; row++) {
    const bits = bitsOf(dataset, row);
    if (rows.get(keyOf(bits))?.some((at) => isSame(bits, bitsOf(other, at)))) count++;
  }
  return count;
}
