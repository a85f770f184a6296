/** Sequences that are in two datasets. */

import { type Dataset, inputsOf, rowOf } from "./dataset.ts";

/** What is compared: inputs and lengths. */
type Inputs = Pick<Dataset, "x" | "shape" | "lengths">;

/** Numbers that are looked at at a time, where they are not all there. */
const PIECE = 1 << 18;

/** The bits of the valid steps of a sequence, which begins at a place of some inputs: padding does not count. */
function bitsOf(
  { buffer, byteOffset }: Inputs["x"],
  start: number,
  { shape, lengths }: Inputs,
  row: number,
): Int32Array {
  const [, T, I] = shape as [number, number, number];
  return new Int32Array(buffer, byteOffset + 4 * start, (lengths?.[row] ?? T) * I);
}

/** A number that equal bits share (FNV-1a over words). */
function keyOf(bits: Int32Array): number {
  let key = 0x811c9dc5;
  for (let i = 0; i < bits.length; i++) key = Math.imul(key ^ bits[i]!, 0x01000193);
  return key;
}

/** The key of every sequence (N). */
function keysOf(dataset: Inputs): Int32Array {
  const [N, T, I] = dataset.shape as [number, number, number], keys = new Int32Array(N);
  let row = 0;
  for (const piece of inputsOf(dataset, PIECE)) {
    for (let start = 0; start < piece.length; start += T * I) keys[row] = keyOf(bitsOf(piece, start, dataset, row++));
  }
  return keys;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** How many sequences of a dataset are in another too, to the bit, whatever their targets; both of the same channels. */
export function countShared(dataset: Inputs, other: Inputs): number {
  const keys = keysOf(other), mask = 2 ** Math.ceil(Math.log2(keys.length)) - 1;
  // Of each key's lowest bits the last sequence, and before each sequence another: from 1, as 0 is none.
  const last = new Uint32Array(mask + 1), before = new Uint32Array(keys.length);
  keys.forEach((key, row) => {
    before[row] = last[key & mask]!;
    last[key & mask] = row + 1;
  });
  const whole = (of: Inputs, row: number) => bitsOf(rowOf(of, row), 0, of, row);
  let count = 0;
  keysOf(dataset).forEach((key, row) => {
    let at = last[key & mask]!, bits: Int32Array | undefined;
    for (; at; at = before[at - 1]!) {
      if (keys[at - 1] === key && isSame(bits ??= whole(dataset, row), whole(other, at - 1))) break;
    }
    if (at) count++;
  });
  return count;
}
