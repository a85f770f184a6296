/** What a trained model is worth on data it was not trained on, in the words of its task. */

import type { Dataset } from "../data/dataset.ts";
import { classificationMetrics } from "../data/metrics/classification.ts";
import { type Errors, type RegressionMetrics, regressionMetrics } from "../data/metrics/regression.ts";
import { summarize, type TaskMetrics } from "../data/metrics/summary.ts";
import { LOSSES, quantilesOf } from "../model/losses.ts";
import type { Model, NamedArray } from "../model/model.ts";
import { formatConfusion, formatMetrics } from "../report/format_metrics.ts";
import { evaluate } from "../train/evaluate.ts";
import { table as alignRows } from "../report/text.ts";
import type { JobData, Scored } from "./job_data.ts";
import type { ChosenLoss } from "./loss.ts";
import { columns, plural } from "./terminal.ts";

/** Scores, and the outputs they come from. */
export interface Scores {
  /** The numbers that several trainings are compared by. */
  readonly values: Readonly<Record<string, number>>;
  /** The same in one line. */
  readonly line: string;
  readonly metrics: TaskMetrics;
  /** Probabilities, or values (N, O). */
  readonly outputs: NamedArray;
  /** All there is to say, line by line. */
  lines(full: boolean): string[];
}

/**
 * The scores on the data that were held back; undefined where none were.
 *
 * @param always For the seed job too, whose last line has them.
 */
export async function finalScores(
  model: Model,
  { own, watched, loss }: JobData,
  batchSize: number,
  always: boolean,
): Promise<Scores | undefined> {
  if (own) return own.test && await scoresOf(model, own.test, own.metrics, { ...loss, batchSize }, own.targets);
  if (!always || !watched) return undefined;
  const toMetrics: Scored["metrics"] = (outputs, quantiles) =>
    LOSSES[loss.loss].hasAccuracy
      ? classificationMetrics(outputs, watched.targets)
      : regressionMetrics(outputs, { shape: [watched.shape[0]!, 2], data: watched.targets }, { quantiles });
  return await scoresOf(model, watched, toMetrics, { ...loss, batchSize });
}

/** The scores on a dataset. */
export async function scoresOf(
  model: Model,
  dataset: Dataset,
  toMetrics: Scored["metrics"],
  options: ChosenLoss & { batchSize: number },
  targets: readonly string[] = [],
): Promise<Scores> {
  const { lossOverSamples: loss, outputs } = await evaluate(model, dataset, {
    ...options,
    metrics: true,
  });
  const metrics = toMetrics(outputs, quantilesOf(model)), count = dataset.shape[0]!;
  const values = { loss, ...mainNumbers(metrics) }, line = inWords(values);
  return {
    values,
    line,
    metrics,
    outputs,
    lines: (full) => [`test of ${plural(count, "sequence")}: ${line}`, ...full ? details(metrics, targets) : []],
  };
}

/** The scores by which models of a task are compared. */
function mainNumbers(metrics: TaskMetrics): Record<string, number> {
  switch (metrics.kind) {
    case "classification": {
      const { accuracy, balancedAccuracy, macroF1, rocAuc } = metrics;
      return { accuracy, balancedAccuracy, macroF1, ...rocAuc !== undefined && { rocAuc } };
    }
    case "multilabel": {
      const { subsetAccuracy, labelAccuracy, macroF1, microF1 } = metrics;
      return { subsetAccuracy, labelAccuracy, macroF1, microF1 };
    }
    case "regression": {
      const { mse, rmse, mae, r2, quantiles = [] } = metrics;
      const each = quantiles.flatMap(({ quantile, pinball, coverage }) => [
        [`pinball@${quantile}`, pinball] as const,
        [`coverage@${quantile}`, coverage] as const,
      ]);
      return { mse, rmse, mae, r2, ...Object.fromEntries(each) };
    }
  }
}

/** Names of scores as the terminal shows them, and which are shares. */
const NAMES: Record<string, string> = {
  loss: "loss",
  accuracy: "accuracy",
  balancedAccuracy: "balanced accuracy",
  macroF1: "macro F1",
  microF1: "micro F1",
  rocAuc: "ROC AUC",
  subsetAccuracy: "all labels right",
  labelAccuracy: "labels right",
  mse: "MSE",
  rmse: "RMSE",
  mae: "MAE",
  r2: "R²",
};

/** Those of quantiles are called as they are. */
const nameOf = (name: string) => NAMES[name] ?? name;

const SHARES = /accuracy$|^coverage@/i;

/** A score as it is shown. */
function shown(name: string, value: number): string {
  return SHARES.test(name) ? `${(100 * value).toFixed(2)} %` : value.toPrecision(4);
}

/** Scores in a line. */
export function inWords(values: Readonly<Record<string, number>>): string {
  return Object.entries(values).map(([name, value]) => `${nameOf(name)} ${shown(name, value)}`).join(", ");
}

/** What the line does not say: each class, what is taken for what, and the baseline. */
function details(metrics: TaskMetrics, targets: readonly string[]): string[] {
  const table = ["", ...formatMetrics(metrics, { columns: columns() }).split("\n")];
  if (metrics.kind === "regression") {
    return [
      ...metrics.persistence || metrics.seasonal || metrics.quantiles ? table : [],
      ...targets.length > 1 ? byTarget(metrics, targets) : [],
    ];
  }
  if (metrics.kind === "multilabel") return table;
  const matrix = { labels: metrics.perClass.map(({ label }) => label), counts: metrics.confusion };
  return [...table, "", ...formatConfusion(matrix, { columns: columns() }).split("\n")];
}

/** The errors of each target by itself: their units need not be the same. */
function byTarget({ perOutput = [] }: RegressionMetrics, targets: readonly string[]): string[] {
  const rows = targets.map((name, target) => {
    const own = perOutput.filter((_, o) => o % targets.length === target);
    const mean = (score: keyof Errors) => own.reduce((sum, errors) => sum + errors[score], 0) / own.length;
    return [name, ...[Math.sqrt(mean("mse")), mean("mae"), mean("r2")].map((value) => value.toPrecision(4))];
  });
  return ["", ...alignRows([["target", "RMSE", "MAE", "R²"], ...rows])];
}

/** Mean and standard deviation of every score over several trainings. */
export function meanAndDeviation(all: readonly Scores[]): string[] {
  if (!all.length) return [];
  return Object.keys(all[0]!.values).map((name) => {
    const { mean, sd } = summarize(all.map(({ values }) => values[name]!));
    const spread = SHARES.test(name)
      ? `${(100 * mean).toFixed(2)} ± ${(100 * sd).toFixed(2)} %`
      : `${mean.toPrecision(4)} ± ${sd.toPrecision(2)}`;
    return `${"mean of " + all.length}  ${nameOf(name).padEnd(18)} ${spread}`;
  });
}
