/** Forecasts of a decoder of numbers that runs free: it is fed its own output at every step. */

import { spell } from "../display.ts";
import { checkArgument, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { NamedArray } from "./arrays.ts";
import type { Sequences } from "./batch.ts";
import { checkFiniteInputs, checkFiniteOutputs } from "./finite.ts";
import { quantilesOf } from "./losses.ts";
import { internalsOf, type NetworkModel } from "./model.ts";
import { portsOf } from "./pair_ports.ts";

/** Options of {@linkcode forecast}. */
export interface ForecastingOptions {
  /** Steps to forecast, from 1 to a million. */
  readonly steps: number;
  /** What the decoder is fed first (B, O). Default: 0. */
  readonly start?: Float32Array;
}

/** Result of {@linkcode forecast}. */
export interface Forecast {
  /** Values (B, U, O), or quantiles (B, U, O·Q): quantile k of number o at o·Q + k. */
  readonly outputs: NamedArray;
  /** The quantiles, where the loss is "quantile". */
  readonly quantiles?: readonly number[];
  /** How much each step of the source counted at each step of the forecast (B, U, S); rows add up to 1. */
  readonly attention: NamedArray;
}

const ACTION = "forecast";

/** Steps of a forecast: as many as a target may have. */
const MOST_STEPS = 1e6;

/**
 * What a decoder of numbers says after sources, running free: it is fed its own output at every step, of quantiles all of them.
 *
 * @param sequences Sources (B, S, I), or tokens (B, S), with their lengths.
 * @throws {TypeError} If the model has no decoder, or one of tokens: see `createSearcher`.
 * @throws {RangeError} If the batch does not fit the model.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, forecast } from "@grutto/grutto";
 *
 * const sizes = { sourceSize: 2, targetSize: 1, hiddenSize: 8 }, quantiles = [0.1, 0.5, 0.9];
 * using model = await createModel({ task: "seq2seq", ...sizes }, { loss: "quantile", quantiles });
 * const sources = { x: new Float32Array(3 * 10 * 2), shape: [3, 10, 2] };
 * const { outputs, attention } = await forecast(model, sources, { steps: 4 });
 * assert.deepEqual([outputs.shape, attention.shape], [[3, 4, 3], [3, 4, 10]]);
 * ```
 */
export async function forecast(
  model: NetworkModel,
  sequences: Sequences,
  options: ForecastingOptions,
): Promise<Forecast> {
  checkArgument(ACTION, "sequences", sequences, ["x", "shape"]);
  checkArgument(ACTION, "sequences.shape", sequences.shape, "numbers");
  const internals = internalsOf(model), ports = portsOf(internals, ACTION);
  const { steps, start } = ownOptions(ACTION, options, { steps: true, start: true });
  const { targets, axis, targetShape: { kind, size }, teacher, decoder } = ports, B = sequences.shape[0]!;
  if (kind === "tokens") {
    const advice = "search for answers of tokens with createSearcher";
    throw fail("wiring", ACTION, "the decoder says tokens, not numbers", { advice });
  }
  if (!(Number.isInteger(steps) && steps >= 1 && steps <= MOST_STEPS)) {
    const problem = `steps must be an integer from 1 to ${MOST_STEPS}, got ${spell(steps)}`;
    throw fail("option-out-of-range", ACTION, problem, { option: "steps", value: steps });
  }
  const quantiles = quantilesOf(model), each = quantiles?.length ?? 1;
  if (start && (!(start instanceof Float32Array) || start.length !== B * size / each)) {
    const problem = `start must be a Float32Array of ${B * size / each} numbers, got ${start?.length}`;
    throw fail("shape-mismatch", ACTION, problem, { name: "start", value: start });
  }
  const bad = start?.findIndex((value) => !Number.isFinite(value)) ?? -1;
  if (bad >= 0) {
    const problem = `start must be finite numbers, got ${start![bad]} at ${bad}`;
    throw fail("not-finite", ACTION, problem, { name: "start", value: start![bad] });
  }
  const { values } = await model.forward({
    ...sequences,
    axes: { ...sequences.axes, [axis]: { steps } },
    inputs: {
      ...sequences.inputs,
      [targets]: new Float32Array(B * steps * size),
      ...ports.start !== undefined && { [ports.start]: start ? repeated(start, each) : new Float32Array(B * size) },
      [teacher]: new Float32Array(B * steps),
    },
  });
  checkFiniteInputs(internals.session.net, sequences, ACTION);
  const outputs = values[internals.only(ACTION)]!;
  checkFiniteOutputs(outputs.data, ACTION);
  return { outputs, ...quantiles && { quantiles }, attention: values[`${decoder}.weights`]! };
}

/** Each number so many times. */
export function repeated<Numbers extends Float32Array | Int32Array>(numbers: Numbers, times: number): Numbers {
  if (times === 1) return numbers;
  const all = numbers instanceof Int32Array
    ? new Int32Array(numbers.length * times)
    : new Float32Array(numbers.length * times);
  for (let i = 0; i < all.length; i++) all[i] = numbers[Math.floor(i / times)]!;
  return all as Numbers;
}
