/**
 * What predictions are worth: scikit-learn's definitions. Nothing is ever NaN: what cannot be computed is 0, as with
 * scikit-learn's `zero_division=0`, or absent.
 *
 * @module
 */

import { checkArgument, fail } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { countConfusion } from "./confusion.ts";
import { count, every, highest, type Rows, sizes, sum } from "./rows.ts";

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
  /** Kind of metrics. */
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
  /**
   * confusion[i][j]: sequences of class i that are taken for class j. Above 1024 classes only counts that are not 0 take
   * room, and rows are slow to go through.
   */
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
  /** Kind of metrics. */
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

/** What is left of scores (N, O) where each sequence is of one class: which is taken for it, and with what score. */
export interface Choices {
  /** The class with the highest score (N), the first of equals. */
  readonly found: Int32Array;
  /** That score (N). */
  readonly score: Float32Array;
}

/** The scores of classes that are chosen by the highest output: as {@linkcode classificationMetrics}, without ROC AUC. */
export function choiceMetrics({ found }: Choices, truth: Int32Array, labels: readonly string[]): ClassificationMetrics {
  return oneClass(truth, found, labels);
}

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
  given: ClassificationOptions = {},
): ClassificationMetrics | MultilabelMetrics {
  const options = ownOptions("compute metrics", given, { labels: true, multilabel: true });
  checkArgument("compute metrics", "targets", targets, "numbers");
  const [N, O] = sizes(scores, "scores"), { data } = scores, { labels } = options;
  if (labels !== undefined) checkArgument("compute metrics", "labels", labels, "strings");
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
    return O === 1 ? Number(data[i]! > 0.5) : highest(data, i, O);
  });
  return oneClass(truth, found, names, classes === 2 ? (i) => data[i * O + O - 1]! : undefined);
}

function oneClass(
  truth: Int32Array,
  found: Int32Array,
  labels: readonly string[],
  score?: (i: number) => number,
): ClassificationMetrics {
  const N = truth.length, K = labels.length;
  const hits = new Float64Array(K), taken = new Float64Array(K), support = new Float64Array(K);
  for (let i = 0; i < N; i++) {
    support[truth[i]!]!++;
    taken[found[i]!]!++;
    if (truth[i] === found[i]) hits[truth[i]!]!++;
  }
  const perClass = labels.map((label, c) => classMetrics(label, hits[c]!, taken[c]!, support[c]!));
  const occur = perClass.filter(({ support }) => support > 0);
  const counted = perClass.filter(({ support }, c) => support > 0 || taken[c]! > 0);
  const area = score && rocAuc(Array.from(truth, (c, i) => [score(i), c === 1]));
  return {
    kind: "classification",
    accuracy: hits.reduce((a, b) => a + b, 0) / N,
    balancedAccuracy: sum(occur.map(({ recall }) => recall)) / occur.length,
    macroF1: sum(counted.map(({ f1 }) => f1)) / counted.length,
    perClass,
    ...area !== undefined && { rocAuc: area },
    confusion: countConfusion(truth, found, K),
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
