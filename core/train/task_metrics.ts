/** The metrics of sequences with labels or values that a loss calls for. */

import type { Dataset } from "../data/dataset.ts";
import { classificationMetrics, type ClassificationOptions } from "../data/metrics/classification.ts";
import { regressionMetrics } from "../data/metrics/regression.ts";
import { validRows } from "../data/metrics/rows.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import type { NamedArray } from "../model/arrays.ts";
import { LOSSES, type ResolvedLoss } from "../model/losses.ts";

/** The metrics that a loss calls for. */
export function taskMetrics(
  { loss, settings: { quantiles } }: ResolvedLoss,
  outputs: NamedArray,
  { targets, lengths }: Dataset,
  { labels, multilabel }: ClassificationOptions,
): TaskMetrics {
  const rows = outputs.shape.length === 3 ? validRows(outputs, targets, lengths) : { outputs, targets };
  const { predicts } = LOSSES[loss];
  if (predicts === "probabilities") return classificationMetrics(rows.outputs, rows.targets, { labels, multilabel });
  const [N, O] = rows.outputs.shape as [number, number];
  const truth = { shape: [N, O / (quantiles?.length ?? 1)], data: rows.targets };
  return regressionMetrics(rows.outputs, truth, { quantiles });
}
