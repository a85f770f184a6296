import { display } from "../display.ts";
import { checkArgument, checkInteger, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import { totalOf } from "../data/metrics/confusion.ts";
import { fewer, mostFrequent } from "./classes.ts";
import type { ConfusionMatrix } from "./run_report.ts";
import { percent, short } from "./scale.ts";
import { cutTo, table, widthOf } from "./text.ts";

/** Most columns of a class's name. */
const NAME = 24;

/**
 * Metrics as a table of text: a row for each class or label, or for the model and its baseline. Of more than 200 classes
 * those with the most sequences.
 *
 * @param options `columns`: characters across; names are cut to fit. Default 80. `unit`: what is counted. Default "sequence".
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { classificationMetrics, formatMetrics } from "@grutto/grutto";
 *
 * const scores = { data: Float32Array.of(0.9, 0.1, 0.4, 0.6, 0.2, 0.8), shape: [3, 2] };
 * const metrics = classificationMetrics(scores, Int32Array.of(0, 0, 1), { labels: ["no", "yes"] });
 * assert.equal(
 *   formatMetrics(metrics),
 *   [
 *     "class  precision  recall     F1  sequences",
 *     "no          100%   50.0%  66.7%          2",
 *     "yes        50.0%    100%  66.7%          1",
 *   ].join("\n"),
 * );
 * ```
 */
export function formatMetrics(
  metrics: TaskMetrics,
  options: { columns?: number; unit?: "sequence" | "step" } = {},
): string {
  checkArgument("format metrics", "metrics", metrics, ["kind"]);
  const { columns = 80, unit = "sequence" } = ownOptions("format metrics", options, { columns: true, unit: true });
  checkInteger("format metrics", "columns", columns, 1);
  if (metrics.kind === "sequences") {
    const { exactMatch, tokenErrorRate, characterErrorRate, tokenAccuracy, bleu, chrf } = metrics;
    return table([
      ["exact match", percent(exactMatch)],
      ["token error rate", percent(tokenErrorRate)],
      ["character error rate", percent(characterErrorRate)],
      ...tokenAccuracy === undefined ? [] : [["token accuracy", percent(tokenAccuracy)]],
      ["BLEU", short(bleu.score)],
      ["chrF", short(chrf.score)],
    ]).join("\n");
  }
  if (metrics.kind === "regression") {
    const row = (
      name: string,
      { mse, rmse, mae, r2 }: Omit<typeof metrics, "kind">,
    ) => [name, short(mse), short(rmse), short(mae), short(r2)];
    const rows = table([
      ["", "MSE", "RMSE", "MAE", "R²"],
      row("model", metrics),
      ...metrics.persistence ? [row("persistence", metrics.persistence)] : [],
      ...metrics.seasonal ? [row("seasonal", metrics.seasonal)] : [],
    ]);
    const quantiles = (metrics.quantiles ?? []).map(({ quantile, pinball, coverage }) => [
      short(quantile),
      short(pinball),
      percent(coverage),
    ]);
    return [...rows, ...quantiles.length ? ["", ...table([["quantile", "pinball", "coverage"], ...quantiles])] : []]
      .join("\n");
  }
  const labels = metrics.kind === "multilabel";
  const rows = labels
    ? mostFrequent(metrics.perLabel).map((
      { label, precision, recall, f1, accuracy, support },
    ) => [label, ...[precision, recall, f1, accuracy].map(percent), short(support)])
    : mostFrequent(metrics.perClass).map((
      { label, precision, recall, f1, support },
    ) => [label, ...[precision, recall, f1].map(percent), short(support)]);
  const head = [labels ? "label" : "class", "precision", "recall", "F1", ...labels ? ["accuracy"] : [], `${unit}s`];
  const rest = head.slice(1).reduce((sum, name) => sum + Math.max(name.length, 6) + 2, 0);
  const most = Math.max(8, Math.min(NAME, columns - rest));
  const lines = table([head, ...rows.map(([label, ...numbers]) => [cutTo(display(label!), most), ...numbers])]);
  const all = (labels ? metrics.perLabel : metrics.perClass).length, kinds = labels ? "labels" : "classes";
  return [...lines, ...rows.length < all ? [`the ${rows.length} most frequent of ${all} ${kinds}`] : []].join("\n");
}

/**
 * A confusion matrix as text: true classes down, predicted ones across, and each one's recall.
 *
 * Where names do not fit, columns have numbers, which stand before the names of the rows; where those do not fit either, the
 * rarest classes are put together.
 *
 * @param options `columns`: characters across. Default 80.
 * @throws {RangeError} If the counts are not as many as the labels, squared.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatConfusion } from "@grutto/grutto";
 *
 * assert.equal(
 *   formatConfusion({ labels: ["cat", "dog"], counts: [[8, 2], [0, 5]] }),
 *   [
 *     "true \\ predicted  cat  dog  recall",
 *     "cat                 8    2   80.0%",
 *     "dog                 ·    5    100%",
 *   ].join("\n"),
 * );
 * ```
 */
export function formatConfusion(matrix: ConfusionMatrix, options: { columns?: number } = {}): string {
  checkArgument("format confusion matrix", "matrix", matrix, ["labels", "counts"]);
  const { columns = 80 } = ownOptions("format confusion matrix", options, { columns: true });
  checkInteger("format confusion matrix", "columns", columns, 1);
  checkArgument("format confusion matrix", "labels", matrix.labels, "strings");
  checkArgument("format confusion matrix", "counts", matrix.counts, "lists");
  const size = matrix.labels.length;
  if ([matrix.counts, ...matrix.counts].some(({ length }) => length !== size)) {
    throw fail("shape-mismatch", "format confusion matrix", `counts must be (${size}, ${size}), as the labels`, {
      name: "confusion",
    });
  }
  const fits = (lines: readonly string[]) => lines.every((line) => widthOf(line) <= columns);
  // A column takes three characters at least: what cannot fit is not drawn.
  const widest = Math.max(2, Math.floor(columns / 3));
  const named = size > widest ? [] : draw(matrix, false);
  if (named.length && fits(named)) return named.join("\n");
  for (let most = Math.min(size, widest);; most--) {
    const lines = draw(fewer(matrix, most), true);
    if (fits(lines) || most <= 2) return lines.join("\n");
  }
}

function draw({ labels, counts, merged = 0 }: ConfusionMatrix & { merged?: number }, numbered: boolean): string[] {
  const names = labels.map((label, i) =>
    `${numbered ? `${i + 1} `.padStart(String(labels.length).length + 1) : ""}${cutTo(display(label), NAME)}`
  );
  const head = labels.map((label, i) => numbered ? String(i + 1) : cutTo(display(label), NAME));
  return table([
    ["true \\ predicted", ...head, "recall"],
    ...counts.map((row, i) => {
      const all = totalOf(row);
      return [
        names[i]!,
        ...row.map((count) => count ? short(count) : "·"),
        all && !(merged && i === labels.length - 1) ? percent(row[i]! / all) : "–",
      ];
    }),
  ]);
}
