/** Scores in words. */

import type { Errors, RegressionMetrics } from "../data/metrics/regression.ts";
import { summarize, type TaskMetrics } from "../data/metrics/summary.ts";
import type { Scores } from "../job/scores.ts";
import { plural } from "../job/words.ts";
import { formatConfusion, formatMetrics } from "../report/format_metrics.ts";
import { table as alignRows } from "../report/text.ts";
import { columns } from "./terminal.ts";

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

/** What is said of scores: in one line, or with all there is to say. */
export function scoreLines(scores: Scores, full: boolean): string[] {
  const { values, metrics, count, targets } = scores;
  return [`test of ${plural(count, "sequence")}: ${inWords(values)}`, ...full ? details(metrics, targets) : []];
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
