/** How far predicted numbers are from the truth: scikit-learn's definitions. */

import { checkArgument, fail } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { nearestMedian, quantileOf } from "../quantiles.ts";
import { count, every, type Rows, sizes, sum } from "./rows.ts";

/** How far numbers are from the truth. */
export interface Errors {
  /** Mean of the squared errors. */
  readonly mse: number;
  /** Its root, in the unit of the data. */
  readonly rmse: number;
  /** Mean of the absolute errors. */
  readonly mae: number;
  /** 1 − squared errors over those of the mean, averaged over the outputs. An output that never changes: 1 if right, else 0. */
  readonly r2: number;
}

/** How well numbers are predicted. */
export interface RegressionMetrics extends Errors {
  /** Kind of metrics. */
  readonly kind: "regression";
  /** Each output by itself, such as each step of a forecast; absent with one output. */
  readonly perOutput?: readonly Errors[];
  /** Errors of the baseline: for a forecast, the last known values repeated. */
  readonly persistence?: Errors;
  /** Errors of the second baseline: for a forecast, the values one period before. */
  readonly seasonal?: Errors;
  /** Each quantile, where quantiles are predicted: the errors then are those of the one nearest the median. */
  readonly quantiles?: readonly QuantileScore[];
}

/** How well a quantile is predicted. */
export interface QuantileScore {
  /** Which: nine of ten values are to be below the quantile 0.9. */
  readonly quantile: number;
  /** Mean pinball loss, in the unit of the data: scikit-learn's `mean_pinball_loss`. */
  readonly pinball: number;
  /** Share of the values that are not above the prediction: the quantile itself, if the predictions are right. */
  readonly coverage: number;
}

/** Options of {@linkcode regressionMetrics}. */
export interface RegressionOptions {
  /** A forecast without a model (N, O), such as the last known value. */
  baseline?: Rows;
  /** Another (N, O), such as the value one period before. */
  seasonal?: Rows;
  /** The quantiles that are predicted (Q), each between 0 and 1: predictions are (N, O·Q), those of an output side by side. */
  quantiles?: readonly number[];
}

/**
 * How far predicted numbers are from the truth, in the unit they are given in.
 *
 * @param predicted Predicted numbers (N, O), or quantiles (N, O·Q).
 * @param truth What came to be (N, O).
 * @param options Baselines to compare with, and the quantiles if they are predicted.
 * @throws {RangeError} If they do not fit one another, or a number is not finite.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { regressionMetrics } from "@grutto/grutto";
 *
 * const shape = [3, 1], truth = { shape, data: [1, 2, 4] };
 * const { mae, rmse, r2, persistence } = regressionMetrics({ shape, data: [1, 2, 3] }, truth, {
 *   baseline: { shape, data: [0, 1, 2] },
 * });
 * assert.deepEqual([mae, rmse, persistence!.mae], [1 / 3, Math.sqrt(1 / 3), 4 / 3]);
 * assert.ok(r2 > 0.78 && persistence!.r2 < 0);
 * ```
 *
 * @example Quantiles
 * ```ts
 * import assert from "node:assert/strict";
 * import { regressionMetrics } from "@grutto/grutto";
 *
 * const predicted = { shape: [2, 3], data: [0, 1, 2, 4, 6, 9] }, truth = { shape: [2, 1], data: [2, 5] };
 * const { mae, quantiles } = regressionMetrics(predicted, truth, { quantiles: [0.25, 0.5, 0.75] });
 * assert.equal(mae, 1); // of the median
 * assert.deepEqual(quantiles!.map(({ coverage }) => coverage), [0, 0.5, 1]);
 * assert.deepEqual(quantiles!.map(({ pinball }) => pinball), [0.375, 0.5, 0.5]);
 * ```
 */
export function regressionMetrics(
  predicted: Rows,
  truth: Rows,
  options: RegressionOptions = {},
): RegressionMetrics {
  const own = ownOptions("compute metrics", options, { baseline: true, seasonal: true, quantiles: true });
  const { baseline, seasonal, quantiles } = own;
  if (quantiles !== undefined) checkArgument("compute metrics", "quantiles", quantiles, "numbers");
  const [N, O] = sizes(truth, "truth"), Q = quantiles?.length ?? 1;
  const checked = (given: Rows, what: string, width = O) => {
    const [rows, columns] = sizes(given, what);
    if (rows === N && columns === width) return given.data;
    const problem = `${what} must have shape [${N},${width}], got [${rows},${columns}]`;
    throw fail("shape-mismatch", "compute metrics", problem, { name: what });
  };
  const errors = (values: ArrayLike<number>) =>
    Array.from({ length: O }, (_, o) => errorsOf(values, truth.data, N, O, o));
  const values = checked(predicted, "predicted", O * Q);
  const perOutput = errors(quantiles ? quantileOf(values, Q, nearestMedian(quantiles)) : values);
  return {
    kind: "regression",
    ...overall(perOutput),
    ...O > 1 && { perOutput },
    ...baseline && { persistence: overall(errors(checked(baseline, "baseline"))) },
    ...seasonal && { seasonal: overall(errors(checked(seasonal, "seasonal"))) },
    ...quantiles && {
      quantiles: quantiles.map((quantile, k) => quantileScore(quantile, quantileOf(values, Q, k), truth.data)),
    },
  };
}

function quantileScore(quantile: number, predicted: Float64Array, truth: ArrayLike<number>): QuantileScore {
  const N = predicted.length, errors = Array.from(predicted, (value, i) => truth[i]! - value);
  return {
    quantile,
    pinball: sum(errors.map((error) => Math.max(quantile * error, (quantile - 1) * error))) / N,
    coverage: count(N, (i) => errors[i]! <= 0) / N,
  };
}

/** The errors of one output. */
function errorsOf(predicted: ArrayLike<number>, truth: ArrayLike<number>, N: number, O: number, o: number): Errors {
  let mean = 0, squares = 0, absolute = 0, spread = 0;
  for (let i = o; i < N * O; i += O) mean += truth[i]! / N;
  for (let i = o; i < N * O; i += O) {
    const error = predicted[i]! - truth[i]!;
    squares += error * error;
    absolute += Math.abs(error);
    spread += (truth[i]! - mean) ** 2;
  }
  // Of equal numbers, the mean may be off by a rounding.
  if (constant(truth, N, O, o)) spread = 0;
  const r2 = spread ? 1 - squares / spread : Number(squares === 0);
  return { mse: squares / N, rmse: Math.sqrt(squares / N), mae: absolute / N, r2 };
}

function constant(values: ArrayLike<number>, N: number, O: number, o: number): boolean {
  return every(N, (i) => values[i * O + o] === values[o]);
}

function overall(outputs: readonly Errors[]): Errors {
  const mean = (name: keyof Errors) => sum(outputs.map((errors) => errors[name])) / outputs.length, mse = mean("mse");
  return { mse, rmse: Math.sqrt(mse), mae: mean("mae"), r2: mean("r2") };
}
