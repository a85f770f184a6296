/** Scores in lines of a terminal. */

import { errorsByTarget, type Scores, summaries } from "../job/scores.ts";
import { inWords, nameOf, SHARES, shown } from "../job/score_words.ts";
import { plural } from "../job/words.ts";
import { formatConfusion, formatMetrics } from "../report/format_metrics.ts";
import { table as alignRows } from "../report/text.ts";
import { columns } from "./terminal.ts";

export { inWords };

/** What the line does not say: each class, what is taken for what, and the baseline. */
function details(scores: Scores): string[] {
  const { metrics, targets, unit } = scores;
  const table = ["", ...formatMetrics(metrics, { columns: columns(), unit }).split("\n")];
  if (metrics.kind === "regression") {
    const each = errorsByTarget(scores).map(({ target, rmse, mae, r2 }) => [
      target,
      ...[rmse, mae, r2].map((value) => value.toPrecision(4)),
    ]);
    return [
      ...metrics.persistence || metrics.seasonal || metrics.quantiles ? table : [],
      ...targets.length > 1 ? ["", ...alignRows([["target", "RMSE", "MAE", "R²"], ...each])] : [],
    ];
  }
  if (metrics.kind === "multilabel") return table;
  if (metrics.kind === "sequences") {
    if (scores.values.bleu === undefined) return [];
    return ["", `BLEU  ${metrics.bleu.signature}`, `chrF  ${metrics.chrf.signature}`];
  }
  const matrix = { labels: metrics.perClass.map(({ label }) => label), counts: metrics.confusion };
  return [...table, "", ...formatConfusion(matrix, { columns: columns() }).split("\n")];
}

/** What the best epoch scores, where it is not the one that was scored. */
export interface BestScores {
  /** The epoch that was scored, the last. */
  readonly epoch: number;
  readonly best: number;
  /** The checkpoint of the best, and what it scores. */
  readonly file?: string;
  readonly scores?: Scores;
}

/** Which epoch the scores are of, and what the best scores. */
function epochLine({ epoch, best, file, scores }: BestScores): string {
  const other = scores ? `${file} is of epoch ${best}: ${inWords(scores.values)}` : `epoch ${best} is not kept`;
  return `these scores are of epoch ${epoch}, the last; ${other}`;
}

/**
 * What is said of scores: in one line, or with all there is to say.
 *
 * @param more Those of the model that the training started from, on the same data; those of the best epoch.
 */
export function scoreLines(
  scores: Scores,
  { full, before, best }: { readonly full: boolean; readonly before?: Scores; readonly best?: BestScores },
): string[] {
  const { values, count, unit } = scores;
  return [
    `test of ${plural(count, unit)}: ${inWords(values)}`,
    ...best && full ? [epochLine(best)] : [],
    ...before ? ["", ...sideBySide(before, scores)] : [],
    ...full ? details(scores) : [],
  ];
}

/** The scores of two models on the same data, the old one first. */
function sideBySide({ values: before }: Scores, { values: after }: Scores): string[] {
  const rows = Object.keys(after).map((name) => [nameOf(name), ...[before, after].map((of) => shown(name, of[name]!))]);
  return alignRows([["", "before", "after"], ...rows]);
}

/** Mean and standard deviation of every score over several trainings. */
export function meanAndDeviation(all: readonly Pick<Scores, "values">[]): string[] {
  return summaries(all).map(([name, { mean, sd }]) => {
    const spread = SHARES.test(name)
      ? `${(100 * mean).toFixed(2)} ± ${(100 * sd).toFixed(2)} %`
      : `${mean.toPrecision(4)} ± ${sd.toPrecision(2)}`;
    return `${"mean of " + all.length}  ${nameOf(name).padEnd(18)} ${spread}`;
  });
}
