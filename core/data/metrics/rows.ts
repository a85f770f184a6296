/** Rows of numbers, as metrics take them. */

import { spell } from "../../display.ts";
import { checkArgument, fail } from "../../errors.ts";

/** Numbers in rows. */
export interface Rows {
  /** [rows, columns]. */
  readonly shape: readonly number[];
  /** The numbers, row after row. */
  readonly data: ArrayLike<number>;
}

/** Checks that something is a shape and numbers. */
export function checkRows(rows: Rows, what: string): void {
  checkArgument("compute metrics", what, rows, ["shape", "data"]);
  checkArgument("compute metrics", `${what}.shape`, rows.shape, "numbers");
  checkArgument("compute metrics", `${what}.data`, rows.data, "list");
}

/** Rows and columns of a table of finite numbers. */
export function sizes(rows: Rows, what: string): [number, number] {
  checkRows(rows, what);
  const { shape, data } = rows;
  const [N, O] = shape as [number, number];
  if (shape.length !== 2 || !shape.every((n) => Number.isSafeInteger(n) && n > 0) || data.length !== N * O) {
    throw fail(
      "shape-mismatch",
      "compute metrics",
      `${what} must be rows of numbers, got ${data.length} for shape [${shape}]`,
      { name: what },
    );
  }
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) {
      throw fail(
        "not-finite",
        "compute metrics",
        `${what} must be finite numbers, got ${spell(data[i])} at [${Math.floor(i / O)},${i % O}]`,
        { name: what, value: data[i] },
      );
    }
  }
  return [N, O];
}

/** The place of the highest of the O scores of sequence i, the first of equals. */
export function highest(data: ArrayLike<number>, i: number, O: number): number {
  let best = 0;
  for (let o = 1; o < O; o++) if (data[i * O + o]! > data[i * O + best]!) best = o;
  return best;
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** How many of the numbers below n are such. */
export function count(n: number, is: (i: number) => boolean): number {
  let found = 0;
  for (let i = 0; i < n; i++) if (is(i)) found++;
  return found;
}

export function every(n: number, is: (i: number) => boolean): boolean {
  for (let i = 0; i < n; i++) if (!is(i)) return false;
  return true;
}

/** Outputs and targets of every valid step, one after the other. */
export function validRows(
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
  targets: Float32Array | Int32Array,
  lengths: Int32Array | undefined,
): { outputs: { shape: number[]; data: Float32Array }; targets: Float32Array | Int32Array } {
  const [N, T, O] = shape as [number, number, number], width = targets.length / (N * T);
  if (!lengths) return { outputs: { shape: [N * T, O], data }, targets };
  const count = lengths.reduce((sum, length) => sum + length, 0), found = new Float32Array(count * O);
  const wanted = targets instanceof Int32Array ? new Int32Array(count * width) : new Float32Array(count * width);
  let row = 0;
  for (let n = 0; n < N; n++) {
    const start = n * T, end = start + lengths[n]!;
    found.set(data.subarray(start * O, end * O), row * O);
    wanted.set(targets.subarray(start * width, end * width), row * width);
    row += lengths[n]!;
  }
  return { outputs: { shape: [count, O], data: found }, targets: wanted };
}

/** Targets of a dataset one after the other: of every step those of valid steps. */
export function validTargets(
  { targets, targetsPerStep, shape: [N, T], lengths }: {
    readonly targets: Float32Array | Int32Array;
    readonly targetsPerStep?: boolean;
    readonly shape: readonly number[];
    readonly lengths?: Int32Array;
  },
): Float32Array | Int32Array {
  if (!targetsPerStep) return targets;
  return validRows({ shape: [N!, T!, 0], data: new Float32Array() }, targets, lengths).targets;
}
