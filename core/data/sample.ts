import { fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { Random } from "../random.ts";
import type { Dataset } from "./dataset.ts";

/** Options of {@linkcode sampleDataset}. */
export interface SampleOptions {
  /** Sequences. Default 1000. */
  size?: number;
  /** Steps of each. Default 10. */
  steps?: number;
  /** Numbers per step. Default 5. */
  features?: number;
  /** An integer from 0. Default 0. */
  seed?: number;
}

/** Numbers that are made at most: 2 GiB, and as much again when they are divided. */
const MOST_NUMBERS = 2 ** 29;

/** The options of the sample data: types, defaults, ranges. */
export const SAMPLE_OPTIONS: { readonly [Name in keyof Required<SampleOptions>]: OptionSpec } = {
  size: { type: "integer", default: 1000, least: 1, most: 1e8, about: "sequences" },
  steps: { type: "integer", default: 10, least: 1, most: 1e6, about: "time steps of each" },
  features: { type: "integer", default: 5, least: 1, most: 65536, about: "numbers per step" },
  seed: { type: "integer", default: 0, least: 0, most: Number.MAX_SAFE_INTEGER, about: "seed of everything random" },
};

/**
 * The data of the sample job: sequences of independent N(0, 1) numbers; the one-hot label is [1, 0] where their sum is
 * above 0, else [0, 1].
 *
 * @returns `x` (size, steps, features), `targets` (size, 2).
 * @throws {TypeError | RangeError} If an option is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sampleDataset } from "@grutto/grutto";
 *
 * const { x, shape, targets } = sampleDataset({ size: 3, steps: 10, features: 5, seed: 7 });
 * assert.deepEqual(shape, [3, 10, 5]);
 * const sum = x.subarray(0, 50).reduce((a, b) => a + b);
 * assert.deepEqual([...targets.subarray(0, 2)], sum > 0 ? [1, 0] : [0, 1]);
 * ```
 */
export function sampleDataset(options: SampleOptions = {}): Dataset & { readonly x: Float32Array } {
  const { size, steps, features, seed } = resolveOptions("make data", SAMPLE_OPTIONS, options) as unknown as Required<
    SampleOptions
  >;
  const numbers = size * steps * features;
  if (numbers > MOST_NUMBERS) {
    throw fail(
      "data-too-large",
      "make data",
      `${size} sequences of ${steps} steps of ${features} numbers are ${numbers} numbers, ` +
        `${Math.ceil(numbers / 2 ** 18)} MiB, more than ${MOST_NUMBERS}, ${MOST_NUMBERS / 2 ** 18} MiB`,
    );
  }
  const random = new Random(seed, "data"), width = steps * features;
  const x = new Float32Array(size * width), targets = new Float32Array(size * 2);
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = i * width; j < (i + 1) * width; j++) {
      x[j] = random.normal();
      sum += x[j]!;
    }
    targets[2 * i + (sum > 0 ? 0 : 1)] = 1;
  }
  return { x, shape: [size, steps, features], targets };
}
