/** What a report of a training shows. Everything is plain data: what is left out is not shown. */

import type { TaskMetrics } from "../data/metrics/summary.ts";
import type { EpochRecord } from "../train/history.ts";

/** What a training came to, for the page. */
export interface RunReport {
  /** The page's title: the data set, or the job. */
  readonly title: string;
  /** A line below it: what was trained, on how much, when. */
  readonly subtitle?: string;
  /** Names and values, in the order of the table. */
  readonly settings?: readonly (readonly [name: string, value: string | number])[];
  /** One record per epoch. */
  readonly history: readonly EpochRecord[];
  /** What the data are called that were looked at after every epoch: "test". Default "validation". */
  readonly validationName?: string;
  /** The epoch whose weights were kept. Default: the one with the least validation loss, or training loss without it. */
  readonly bestEpoch?: number;
  /** The epoch whose weights the metrics are of. Default: `bestEpoch`. */
  readonly scoredEpoch?: number;
  /** What {@linkcode classificationMetrics} or {@linkcode regressionMetrics} returns. */
  readonly metrics?: TaskMetrics;
  /** Figures to stand at the top beside those of the metrics: "accuracy of 5 seeds", "95.6% ± 0.6%". */
  readonly highlights?: readonly (readonly [name: string, value: string, beside?: string])[];
  /** What the metrics count. Default "sequence". */
  readonly unit?: "sequence" | "step";
  /** Counts (truth, prediction) of the classes. Default: those of the metrics. */
  readonly confusion?: ConfusionMatrix;
  /** Forecasts against truth. */
  readonly forecasts?: readonly ForecastExample[];
  /** How they were chosen, in a sentence. */
  readonly forecastsNote?: string;
  /** Predicted values against true ones, one for each target of a regression. */
  readonly regressions?: readonly RegressionExample[];
  /** Sequences with what the model attends to. */
  readonly attention?: readonly AttentionExample[];
  /** How they were chosen, in a sentence. */
  readonly attentionNote?: string;
  /** Answers of a decoder with where it looked. */
  readonly alignments?: readonly AlignmentExample[];
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
  /** How many forecasts there are of which these are the last, where not all are shown. */
  readonly of?: number;
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
  /** Whether the prediction is right. Default: whether it equals the truth, where the metrics are of a classification. */
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

/** An answer of a decoder with the attention paid to each source token at each of its own. */
export interface AlignmentExample {
  /** The source. */
  readonly source: string;
  /** What the model answered. */
  readonly prediction: string;
  /** What is right, if that is known. */
  readonly truth?: string;
  /** Whether the answer is right. Default: whether it equals the truth. */
  readonly right?: boolean;
  /** The S tokens of the source. */
  readonly sourceTokens: readonly string[];
  /** The U tokens of the answer. */
  readonly tokens: readonly string[];
  /** How much each source token counted at each of the answer (U, S); rows add up to 1. */
  readonly weights: readonly (readonly number[])[];
}
