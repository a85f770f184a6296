/** Scores of a trained model on data that it was not trained on. */

import { type Dataset, targetRows } from "../data/dataset.ts";
import { choiceMetrics, classificationMetrics } from "../data/metrics/classification.ts";
import { type Errors, regressionMetrics } from "../data/metrics/regression.ts";
import { summarize, type Summary, type TaskMetrics } from "../data/metrics/summary.ts";
import { LOSSES, quantilesOf } from "../model/losses.ts";
import type { Model } from "../model/model.ts";
import { evaluate } from "../train/evaluate.ts";
import { choicesOf, outputsOf } from "../train/outputs.ts";
import type { ChosenLoss } from "./loss.ts";
import { SAMPLE_TARGETS } from "./sample_data.ts";
import type { Scores, TestData, TrainingData } from "./training_data.ts";

export type { Scores };

/**
 * The scores on the held-out data; undefined where there are none.
 *
 * @param always For the sample job too, whose last epoch has them.
 */
export async function finalScores(
  model: Model,
  { own, watched, loss }: TrainingData,
  batchSize: number,
  always: boolean,
): Promise<Scores | undefined> {
  if (own) return own.test && await scoresOf(model, { ...own, test: own.test }, { ...loss, batchSize });
  if (!always || !watched) return undefined;
  const test = watched as Dataset;
  return await scoresOf(model, { test, metrics: sampleMetrics(test, loss) }, { ...loss, batchSize });
}

/** Metrics of outputs for the sample job's data. */
function sampleMetrics({ targets, shape: [N] }: Dataset, { loss }: ChosenLoss): TestData["metrics"] {
  return (outputs, quantiles) =>
    LOSSES[loss].hasAccuracy
      ? classificationMetrics(outputs, targets)
      : regressionMetrics(outputs, { shape: [N!, SAMPLE_TARGETS], data: targets }, { quantiles });
}

/** The scores on data; processes that train the model share the work, and all come here. */
export async function scoresOf(
  model: Model,
  { score, test: held, metrics: toMetrics, targets = [], classes }: TestData,
  options: ChosenLoss & { readonly batchSize: number },
): Promise<Scores> {
  if (score) return await score(model, options);
  const test = held as Dataset;
  const { lossOverSamples: loss } = await evaluate(model, test, options), asking = { ...options, together: true };
  const about = { count: targetRows(test), unit: test.targetsPerStep ? "step" : "sequence", targets } as const;
  const scores = (metrics: TaskMetrics, outputs: Scores["outputs"]) => ({
    values: { loss, ...mainNumbers(metrics) },
    metrics,
    outputs,
    ...about,
  });
  if (classes) {
    const choices = await choicesOf(model, test, asking);
    return scores(choiceMetrics(choices, test.targets as Int32Array, classes), choices);
  }
  const outputs = await outputsOf(model, test, asking);
  return scores(toMetrics(outputs, quantilesOf(model)), outputs);
}

/** The scores by which models of a task are compared. */
export function mainNumbers(metrics: TaskMetrics): Record<string, number> {
  switch (metrics.kind) {
    case "classification": {
      const { accuracy, balancedAccuracy, macroF1, rocAuc } = metrics;
      return { accuracy, balancedAccuracy, macroF1, ...rocAuc !== undefined && { rocAuc } };
    }
    case "multilabel": {
      const { subsetAccuracy, labelAccuracy, macroF1, microF1 } = metrics;
      return { subsetAccuracy, labelAccuracy, macroF1, microF1 };
    }
    case "sequences": {
      const { exactMatch, tokenErrorRate } = metrics;
      return { exactMatch, tokenErrorRate };
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

/** The errors of each target by itself: their units need not be the same. */
export function errorsByTarget({ metrics, targets }: Scores): (Omit<Errors, "mse"> & { readonly target: string })[] {
  const { perOutput = [] } = metrics.kind === "regression" ? metrics : {};
  return targets.map((target, t) => {
    const own = perOutput.filter((_, o) => o % targets.length === t);
    const mean = (score: keyof Errors) => own.reduce((sum, errors) => sum + errors[score], 0) / own.length;
    return { target, rmse: Math.sqrt(mean("mse")), mae: mean("mae"), r2: mean("r2") };
  });
}

/** Mean and standard deviation of every score over several trainings. */
export function summaries(all: readonly Pick<Scores, "values">[]): [name: string, Summary][] {
  return Object.keys(all[0]?.values ?? {}).map((name) => [name, summarize(all.map(({ values }) => values[name]!))]);
}
