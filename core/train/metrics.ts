/**
 * What predictions are worth: scikit-learn's definitions. Nothing is ever NaN: what cannot be computed is 0, as with
 * scikit-learn's `zero_division=0`, or absent.
 *
 * @module
 */

import { fail } from "../errors.ts";

/** How well one class, or one label, is found. */
export interface ClassMetrics {
  /** Its name. */
  readonly label: string;
  /** Share of those taken for it that are of it; 0 where none is. */
  readonly precision: number;
  /** Share of those of it that are taken for it; 0 where there are none. */
  readonly recall: number;
  /** Harmonic mean of both. */
  readonly f1: number;
  /** Sequences of it. */
  readonly support: number;
}

/** How well sequences are classified that belong to one class each. */
export interface ClassificationMetrics {
  /** What kind of metrics this is. */
  readonly kind: "classification";
  /** Share of sequences that are right. */
  readonly accuracy: number;
  /** Mean recall of the classes that occur. */
  readonly balancedAccuracy: number;
  /** Mean F1 of the classes that occur, or that some sequence is taken for. */
  readonly macroF1: number;
  /** Each class, in the order of the outputs. */
  readonly perClass: readonly ClassMetrics[];
  /** With two classes: the area under the ROC curve; absent where only one of them occurs. */
  readonly rocAuc?: number;
  /** confusion[i][j]: sequences of class i that are taken for class j. */
  readonly confusion: readonly (readonly number[])[];
}

/** How well one label is found, among labels of which a sequence may have any number. */
export interface LabelMetrics extends ClassMetrics {
  /** Share of sequences that are right about it. */
  readonly accuracy: number;
  /** Area under the ROC curve; absent where all sequences have it, or none. */
  readonly rocAuc?: number;
}

/** How well labels are found of which a sequence may have any number. */
export interface MultilabelMetrics {
  /** What kind of metrics this is. */
  readonly kind: "multilabel";
  /** Share of sequences with every label right. */
  readonly subsetAccuracy: number;
  /** Share of single labels that are right: 1 minus the Hamming loss. */
  readonly labelAccuracy: number;
  /** Mean F1 of the labels. */
  readonly macroF1: number;
  /** F1 of all decisions taken together. */
  readonly microF1: number;
  /** Each label. */
  readonly perLabel: readonly LabelMetrics[];
}

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
  /** What kind of metrics this is. */
  readonly kind: "regression";
  /** Each output by itself, such as each step of a forecast; absent with one output. */
  readonly perOutput?: readonly Errors[];
  /** What the baseline comes to: for a forecast, that everything stays as it was last. */
  readonly persistence?: Errors;
  /** What the second baseline comes to: for a forecast, that everything is as it was one period before. */
  readonly seasonal?: Errors;
}

/** One of the kinds of metrics. */
export type TaskMetrics = ClassificationMetrics | MultilabelMetrics | RegressionMetrics;

/** Options of {@linkcode classificationMetrics}. */
export interface ClassificationOptions {
  /** Names of the classes. Default: "0", "1", … */
  labels?: readonly string[];
  /** Whether a sequence may have any number of labels. Default: where the rows of the targets are not one-hot. */
  multilabel?: boolean;
}

/**
 * How well classes are found.
 *
 * A sequence is taken for the class with the highest score (the first of equals); with a single output, or where it may
 * have any number of labels, for those with a score above 0.5.
 *
 * @param scores Probabilities (N, O), as {@linkcode predict} gives them.
 * @param targets Class numbers (N) as Int32Array; or one number for each score, above 0.5 for yes.
 * @throws {TypeError | RangeError} If they do not fit one another, or a score is not a number.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { classificationMetrics } from "@grutto/grutto";
 *
 * const scores = { data: Float32Array.of(0.9, 0.1, 0.4, 0.6, 0.2, 0.8), shape: [3, 2] };
 * const metrics = classificationMetrics(scores, Int32Array.of(0, 0, 1), { labels: ["no", "yes"] });
 * assert.ok(metrics.kind === "classification");
 * assert.deepEqual(metrics.confusion, [[1, 1], [0, 1]]);
 * assert.deepEqual([metrics.accuracy, metrics.balancedAccuracy, metrics.rocAuc], [2 / 3, 0.75, 1]);
 * ```
 */
export function classificationMetrics(
  scores: Rows,
  targets: Float32Array | Int32Array,
  options: ClassificationOptions = {},
): ClassificationMetrics | MultilabelMetrics {
  const [N, O] = sizes(scores, "scores"), { data } = scores, { labels } = options;
  const classes = O === 1 && !options.multilabel ? 2 : O;
  if (labels && labels.length !== classes) {
    throw fail("shape-mismatch", "compute metrics", `labels must be ${classes} names, got ${labels.length}`, {
      name: "labels",
    });
  }
  const names = labels ?? Array.from({ length: classes }, (_, i) => String(i));
  const numbers = targets instanceof Int32Array && targets.length === N && O > 1;
  if (!numbers && targets.length !== N * O) {
    throw fail(
      "shape-mismatch",
      "compute metrics",
      `targets must have ${N} or ${N * O} numbers, got ${targets.length}`,
      { name: "targets" },
    );
  }
  const oneHot = numbers || O === 1 || every(N, (i) => count(O, (o) => targets[i * O + o]! > 0.5) === 1);
  if (options.multilabel ?? !oneHot) {
    if (numbers) {
      throw fail("argument-type", "compute metrics", "with multilabel, targets must be one number per score", {
        name: "targets",
      });
    }
    return multilabel(data, targets, N, O, names);
  }
  if (!oneHot) {
    throw fail("argument-out-of-range", "compute metrics", "without multilabel, rows of targets must be one-hot", {
      name: "targets",
    });
  }
  const truth = numbers ? targets : Int32Array.from({ length: N }, (_, i) => {
    if (O === 1) return Number(targets[i]! > 0.5);
    return targets.subarray(i * O, i * O + O).findIndex((target) => target > 0.5);
  });
  const wrong = truth.findIndex((c) => c < 0 || c >= classes);
  if (wrong >= 0) {
    throw fail(
      "argument-out-of-range",
      "compute metrics",
      `targets must be classes from 0 to ${classes - 1}, got ${truth[wrong]}`,
      { name: "targets", value: truth[wrong] },
    );
  }
  const found = Int32Array.from({ length: N }, (_, i) => {
    if (O === 1) return Number(data[i]! > 0.5);
    let best = 0;
    for (let o = 1; o < O; o++) if (data[i * O + o]! > data[i * O + best]!) best = o;
    return best;
  });
  return oneClass(truth, found, names, classes === 2 ? (i) => data[i * O + O - 1]! : undefined);
}

/** Numbers in rows. */
export interface Rows {
  /** [rows, columns]. */
  readonly shape: readonly number[];
  /** The numbers, row after row. */
  readonly data: ArrayLike<number>;
}

function oneClass(
  truth: Int32Array,
  found: Int32Array,
  labels: readonly string[],
  score?: (i: number) => number,
): ClassificationMetrics {
  const N = truth.length, confusion = labels.map(() => labels.map(() => 0));
  for (let i = 0; i < N; i++) confusion[truth[i]!]![found[i]!]!++;
  const taken = labels.map((_, j) => sum(confusion.map((row) => row[j]!)));
  const perClass = labels.map((label, c) => {
    const row = confusion[c]!;
    return classMetrics(label, row[c]!, taken[c]!, sum(row));
  });
  const occur = perClass.filter(({ support }) => support > 0);
  const counted = perClass.filter(({ support }, c) => support > 0 || taken[c]! > 0);
  const area = score && rocAuc(Array.from(truth, (c, i) => [score(i), c === 1]));
  return {
    kind: "classification",
    accuracy: sum(labels.map((_, c) => confusion[c]![c]!)) / N,
    balancedAccuracy: sum(occur.map(({ recall }) => recall)) / occur.length,
    macroF1: sum(counted.map(({ f1 }) => f1)) / counted.length,
    perClass,
    ...area !== undefined && { rocAuc: area },
    confusion,
  };
}

function multilabel(
  data: ArrayLike<number>,
  targets: ArrayLike<number>,
  N: number,
  O: number,
  labels: readonly string[],
): MultilabelMetrics {
  const yes = (i: number, o: number) => targets[i * O + o]! > 0.5,
    taken = (i: number, o: number) => data[i * O + o]! > 0.5;
  const hits = labels.map((_, o) => count(N, (i) => yes(i, o) && taken(i, o)));
  const found = labels.map((_, o) => count(N, (i) => taken(i, o))),
    are = labels.map((_, o) => count(N, (i) => yes(i, o)));
  const perLabel = labels.map((label, o) => {
    const area = rocAuc(Array.from({ length: N }, (_, i) => [data[i * O + o]!, yes(i, o)]));
    return {
      ...classMetrics(label, hits[o]!, found[o]!, are[o]!),
      accuracy: count(N, (i) => yes(i, o) === taken(i, o)) / N,
      ...area !== undefined && { rocAuc: area },
    };
  });
  return {
    kind: "multilabel",
    subsetAccuracy: count(N, (i) => every(O, (o) => yes(i, o) === taken(i, o))) / N,
    labelAccuracy: sum(perLabel.map(({ accuracy }) => accuracy)) / O,
    macroF1: sum(perLabel.map(({ f1 }) => f1)) / O,
    microF1: classMetrics("", sum(hits), sum(found), sum(are)).f1,
    perLabel,
  };
}

/** @param hits Those of the class that are taken for it. */
function classMetrics(label: string, hits: number, taken: number, support: number): ClassMetrics {
  return {
    label,
    precision: taken && hits / taken,
    recall: support && hits / support,
    f1: taken + support && 2 * hits / (taken + support),
    support,
  };
}

/**
 * Area under the ROC curve: how often a sequence of the class has a higher score than one that is not, a tie being half.
 *
 * @param scored Each score, and whether it is one of the class.
 * @returns Undefined where all are, or none is.
 */
function rocAuc(scored: (readonly [number, boolean])[]): number | undefined {
  const sorted = scored.toSorted(([a], [b]) => a - b);
  // Doubled, so that halves are whole: counts below 2⁵³ are exact.
  let below = 0, wins = 0, inside = 0;
  for (let i = 0; i < sorted.length;) {
    let negatives = 0, positives = 0;
    for (const score = sorted[i]![0]; i < sorted.length && sorted[i]![0] === score; i++) {
      if (sorted[i]![1]) positives++;
      else negatives++;
    }
    wins += positives * (2 * below + negatives);
    below += negatives;
    inside += positives;
  }
  return below && inside ? wins / (2 * below * inside) : undefined;
}

/**
 * How far predicted numbers are from the truth, in the unit they are given in.
 *
 * @param predicted Predicted numbers (N, O).
 * @param truth What came to be (N, O).
 * @param options `baseline`: what a forecast without a model says (N, O), such as the last known value; `seasonal`: another (N, O),
 * such as the value one period before.
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
 */
export function regressionMetrics(
  predicted: Rows,
  truth: Rows,
  { baseline, seasonal }: { baseline?: Rows; seasonal?: Rows } = {},
): RegressionMetrics {
  const [N, O] = sizes(truth, "truth");
  const all = (table: Rows, what: string) => {
    const [rows, columns] = sizes(table, what);
    if (rows !== N || columns !== O) {
      throw fail("shape-mismatch", "compute metrics", `${what} must have shape [${N},${O}], got [${rows},${columns}]`, {
        name: what,
      });
    }
    return Array.from({ length: O }, (_, o) => errorsOf(table.data, truth.data, N, O, o));
  };
  const perOutput = all(predicted, "predicted");
  return {
    kind: "regression",
    ...overall(perOutput),
    ...O > 1 && { perOutput },
    ...baseline && { persistence: overall(all(baseline, "baseline")) },
    ...seasonal && { seasonal: overall(all(seasonal, "seasonal")) },
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

/** Rows and columns of a table of finite numbers. */
function sizes({ shape, data }: Rows, what: string): [number, number] {
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
        `${what} must be finite numbers, got ${data[i]} at [${Math.floor(i / O)},${i % O}]`,
        { name: what, value: data[i] },
      );
    }
  }
  return [N, O];
}

/** Mean and spread of some values. */
export interface Summary {
  /** Their mean. */
  readonly mean: number;
  /** Their sample standard deviation (n − 1); 0 of a single value. */
  readonly sd: number;
}

/**
 * Mean and sample standard deviation, as in "0.956 ± 0.006".
 *
 * @throws {RangeError} If there are no values.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { summarize } from "@grutto/grutto";
 *
 * assert.deepEqual(summarize([1, 2, 3]), { mean: 2, sd: 1 });
 * ```
 */
export function summarize(values: readonly number[]): Summary {
  const n = values.length;
  if (!n) throw fail("empty", "summarize", "there are no values");
  const mean = sum(values) / n;
  return { mean, sd: n > 1 ? Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (n - 1)) : 0 };
}

/**
 * Mean and standard deviation of everything that several evaluations have in common, by name: such as those of several
 * seeds. Names are those of {@linkcode Metrics} and of the metrics themselves.
 *
 * @param runs As {@linkcode evaluate} returns them, with or without metrics.
 * @throws {RangeError} If there are none.
 */
export function summarizeMetrics(
  runs: readonly { readonly loss: number; readonly accuracy: number; readonly metrics?: TaskMetrics }[],
): Record<string, Summary> {
  const numbers = runs.map(({ metrics, ...rest }) =>
    Object.entries({ ...rest, ...metrics }).filter(([, value]) => typeof value === "number") as [string, number][]
  );
  // What has no accuracy has 0.
  const skip = runs.some(({ metrics }) => metrics?.kind === "regression") ? ["accuracy"] : [];
  const names = numbers[0]?.map(([name]) => name).filter((name) => !skip.includes(name)) ?? [];
  const values = (name: string) => numbers.flatMap((run) => run.filter(([other]) => other === name).map(([, v]) => v));
  const common = names.filter((name) => values(name).length === runs.length);
  if (!runs.length) throw fail("empty", "summarize", "there are no values");
  return Object.fromEntries(common.map((name) => [name, summarize(values(name))]));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** How many of the numbers below n are such. */
function count(n: number, is: (i: number) => boolean): number {
  let found = 0;
  for (let i = 0; i < n; i++) if (is(i)) found++;
  return found;
}

function every(n: number, is: (i: number) => boolean): boolean {
  for (let i = 0; i < n; i++) if (!is(i)) return false;
  return true;
}
