/** What a report of a training shows. Everything is plain data: what is left out is not shown. */

import type { EpochRecord } from "../train/train.ts";

/** An epoch, with what may be known of it besides. */
export type HistoryRecord = EpochRecord & {
  /** The learning rate at its end. */
  readonly learningRate?: number;
  /** The gradient's norm, before clipping. */
  readonly gradNorm?: number;
};

/** What a training came to, for the page. */
export interface RunReport {
  /** The page's title: the data set, or the job. */
  readonly title: string;
  /** A line below it: what was trained, on how much, when. */
  readonly subtitle?: string;
  /** Names and values, in the order of the table. */
  readonly settings?: readonly (readonly [name: string, value: string | number])[];
  /** One record per epoch. */
  readonly history: readonly HistoryRecord[];
  /** The epoch whose weights were kept. Default: the one with the least validation loss, or training loss without it. */
  readonly bestEpoch?: number;
  /** What `classificationMetrics` or `regressionMetrics` returns. */
  readonly metrics?: ReportMetrics;
  /** Counts (truth, prediction) of the classes. Default: `metrics.confusion`, with the labels of `metrics.perClass`. */
  readonly confusion?: ConfusionMatrix;
  /** Forecasts against truth. */
  readonly forecasts?: readonly ForecastExample[];
  /** Predicted values against true ones, one for each target of a regression. */
  readonly regressions?: readonly RegressionExample[];
  /** Sequences with what the model attends to. */
  readonly attention?: readonly AttentionExample[];
}

/** Scores of a model on data that it was not trained on; those that are absent, null or no number are not shown. */
export interface ReportMetrics {
  /** Mean loss. */
  readonly loss?: number | null;
  /** Share of sequences that are right, 0 to 1. */
  readonly accuracy?: number | null;
  /** Mean of the classes' recalls. */
  readonly balancedAccuracy?: number | null;
  /** Mean of the classes' F1 scores. */
  readonly macroF1?: number | null;
  /** Area under the ROC curve, of two classes. */
  readonly rocAuc?: number | null;
  /** Scores of each class. */
  readonly perClass?: readonly ClassScores[];
  /** Counts (truth, prediction), in the order of `perClass`. */
  readonly confusion?: readonly (readonly number[])[];
  /** Mean squared error, in the data's units squared. */
  readonly mse?: number | null;
  /** Its root, in the data's units. */
  readonly rmse?: number | null;
  /** Mean absolute error. */
  readonly mae?: number | null;
  /** Share of the variance that is explained. */
  readonly r2?: number | null;
  /** The same scores of the last value repeated. */
  readonly persistence?: {
    readonly mse?: number | null;
    readonly rmse?: number | null;
    readonly mae?: number | null;
    readonly r2?: number | null;
  };
}

/** How well one class is found. */
export interface ClassScores {
  /** Its name. */
  readonly label: string;
  /** Share of the sequences given this class that are of it. */
  readonly precision: number;
  /** Share of the sequences of this class that were given it. */
  readonly recall: number;
  /** Harmonic mean of the two. */
  readonly f1: number;
  /** Sequences of this class. */
  readonly support: number;
}

/** Which classes are taken for which. */
export interface ConfusionMatrix {
  /** Names of the classes. */
  readonly labels: readonly string[];
  /** Sequences of class `i` that were given class `j`: `counts[i][j]`. */
  readonly counts: readonly (readonly number[])[];
}

/** A forecast beside what came. */
export interface ForecastExample {
  /** What is forecast, and from where. */
  readonly name: string;
  /** What came. */
  readonly truth: readonly number[];
  /** What was forecast, as many values. */
  readonly predicted: readonly number[];
  /** The values before the first forecast. */
  readonly context?: readonly number[];
  /** Names of the steps (dates), context first. Default: steps are counted from the first forecast. */
  readonly times?: readonly string[];
}

/** Predictions of one target. */
export interface RegressionExample {
  /** The target. */
  readonly name: string;
  /** True values. */
  readonly truth: readonly number[];
  /** Predicted values, as many. */
  readonly predicted: readonly number[];
}

/** A sequence with the attention paid to each of its steps. */
export interface AttentionExample {
  /** Which sequence it is. */
  readonly title: string;
  /** What the model says. */
  readonly prediction: string;
  /** What is right, if that is known. */
  readonly truth?: string;
  /** Whether the prediction is right. Default: whether it equals the truth, where the metrics have an accuracy. */
  readonly right?: boolean;
  /** Probabilities of the classes: the largest three are shown. */
  readonly probabilities?: readonly (readonly [label: string, probability: number])[];
  /** How much each step counted (T); they add up to 1. */
  readonly weights: readonly number[];
  /** Values (T, I). */
  readonly values?: readonly (readonly number[])[];
  /** Names of the I channels. */
  readonly channels?: readonly string[];
  /** The T tokens of a text. */
  readonly tokens?: readonly string[];
  /** What stands between tokens: "" for characters. Default " ". */
  readonly separator?: string;
}
