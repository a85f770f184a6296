/** How well each class is found, and which are taken for which: sections of a page. */

import { type Content, el } from "./markup.ts";
import type { ClassMetrics } from "../data/metrics/classification.ts";
import { countsIn, totalOf } from "../data/metrics/confusion.ts";
import type { ConfusionMatrix, RunReport } from "./run_report.ts";
import { percent, short } from "./scale.ts";
import { shade } from "./style.ts";

/** Most classes of a matrix; above, the rarest share one row and one column. */
const CLASSES = 30;

/** Most rows of a table of classes. */
export const ROWS = 200;

/** The confusion matrix of a report, if it has one. */
export function confusionOf({ confusion, metrics }: RunReport): ConfusionMatrix | undefined {
  if (confusion || metrics?.kind !== "classification") return confusion;
  return { labels: metrics.perClass.map(({ label }) => label), counts: metrics.confusion };
}

/** The scores of each class or label of a report, if it has them. */
export function scoresOf({ metrics }: RunReport): readonly ClassMetrics[] {
  return metrics?.kind === "classification" ? metrics.perClass : metrics?.kind === "multilabel" ? metrics.perLabel : [];
}

/** Places of the largest of some numbers, at most so many, in rising order; of equals the first ones. */
function placesOfLargest(sizes: readonly number[], most: number): number[] {
  const order = sizes.map((_, i) => i).sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  return order.slice(0, most).sort((a, b) => a - b);
}

/** The classes that are shown of many: those with the most sequences. */
export function mostFrequent<T extends ClassMetrics>(perClass: readonly T[]): readonly T[] {
  if (perClass.length <= ROWS) return perClass;
  return placesOfLargest(perClass.map(({ support }) => support), ROWS).map((i) => perClass[i]!);
}

/** The matrix with at most so many rows and columns: the rarest classes are put together. */
export function fewer({ labels, counts }: ConfusionMatrix, most: number): ConfusionMatrix & { merged: number } {
  if (labels.length <= most) return { labels, counts, merged: 0 };
  const kept = placesOfLargest(counts.map(totalOf), most - 1);
  const groupOf = new Int32Array(labels.length).fill(most - 1);
  kept.forEach((i, group) => groupOf[i] = group);
  const merged = Array.from({ length: most }, () => new Array<number>(most).fill(0));
  counts.forEach((row, i) => {
    for (const [j, count] of countsIn(row)) merged[groupOf[i]!]![groupOf[j]!]! += count;
  });
  const others = labels.length - kept.length;
  return { labels: [...kept.map((i) => labels[i]!), `${others} others`], counts: merged, merged: others };
}

/** The section of a page. */
export function classesSection(report: RunReport): Content {
  const whole = confusionOf(report), perClass = scoresOf(report);
  const matrix = whole?.labels.length ? fewer(whole, CLASSES) : undefined;
  if (!matrix && !perClass.length) return undefined;
  return [
    el("h2", {}, "Classes"),
    matrix && noteOf(matrix, report.unit),
    el(
      "div",
      { class: "beside" },
      matrix && matrixOf(matrix),
      perClass.length > 0 && scores(perClass, report.unit),
    ),
  ];
}

/** Whether a cell of the matrix has room for its share below the count. */
const roomy = ({ labels }: ConfusionMatrix) => labels.length <= 6;

function noteOf(matrix: ConfusionMatrix & { merged: number }, unit = "sequence"): Content {
  const { counts, merged } = matrix,
    total = counts.reduce((sum, row) => sum + totalOf(row), 0),
    right = counts.reduce((sum, row, i) => sum + row[i]!, 0);
  return el(
    "p",
    { class: "note" },
    "Rows are the true classes, columns the predictions. The number is a count, the shade its share of the row",
    roomy(matrix) ? ", written below it" : ", which a pointer shows",
    ": ",
    scaleOf("0%", "100%"),
    merged > 0
      ? ` The ${merged} classes with the fewest ${unit}s are put together as “others”, where right and wrong do not differ.`
      : ` On the outlined diagonal: ${short(right)} of ${short(total)} ${unit}s are right.`,
  );
}

function matrixOf(matrix: ConfusionMatrix & { merged: number }): Content {
  const { counts, merged } = matrix, labels = matrix.labels.map((label) => cut(label, 60)), size = labels.length;
  const kind = roomy(matrix) ? "small" : size > 14 ? "large" : "";
  const upright = labels.some((label) => label.length > (size > 6 ? 4 : 9));
  return (
    el(
      "div",
      { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
      el(
        "table",
        { class: `matrix ${kind}` },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td", {}),
            el("th", { class: "axis", colspan: size, scope: "colgroup" }, "predicted"),
          ),
          el(
            "tr",
            {},
            el("th", { class: "axis", scope: "col" }, "true"),
            labels.map((label) =>
              el("th", { scope: "col", title: label }, el("span", { class: upright && "up" }, cut(label, 16)))
            ),
            el("th", { scope: "col" }, el("span", { class: upright && "up" }, "recall")),
          ),
        ),
        el(
          "tbody",
          {},
          counts.map((row, i) => {
            const all = totalOf(row), one = !merged || i < size - 1;
            return el(
              "tr",
              {},
              el("th", { scope: "row", title: labels[i] }, cut(labels[i]!, 16)),
              row.map((count, j) => {
                const share = all ? count / all : 0;
                return el(
                  "td",
                  {
                    class: `${shade(share)}${i === j && one ? " yes" : ""}`,
                    title: count
                      ? `${labels[i]} taken for ${labels[j]}: ${count} of ${all}, ${percent(share)}`
                      : undefined,
                  },
                  count > 0 && short(count),
                  kind === "small" && count > 0 && el("small", {}, percent(share)),
                );
              }),
              el("td", { class: "share" }, all && one ? percent(row[i]! / all) : "–"),
            );
          }),
        ),
      ),
    )
  );
}

/** Text of at most so many characters. */
export function cut(text: string, most: number): string {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

/** What the shades mean. */
export function scaleOf(least: string, greatest: string): Content {
  return el(
    "span",
    { class: "badge" },
    least,
    el(
      "span",
      { class: "scale", "aria-hidden": "true" },
      Array.from({ length: 16 }, (_, i) => el("i", { class: `h${i}` })),
    ),
    greatest,
  );
}

function scores(perClass: readonly ClassMetrics[], unit = "sequence"): Content {
  const shown = mostFrequent(perClass);
  const bar = (value: number) =>
    el(
      "svg",
      { viewBox: "0 0 48 8", "aria-hidden": "true" },
      el("rect", { class: "rail", width: 48, height: 8, rx: 2 }),
      value > 0 && el("rect", { class: "bar", width: 48 * Math.min(1, value), height: 8, rx: 2 }),
    );
  return [
    el(
      "div",
      { class: "card scroll wide", tabindex: "0", role: "region", "aria-label": "Scores of each class" },
      el(
        "table",
        { class: "list" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["class", "precision", "recall", "F1", `${unit}s`].map((name) => el("th", { scope: "col" }, name)),
          ),
        ),
        el(
          "tbody",
          {},
          shown.map(({ label, precision, recall, f1, support }) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, label),
              [precision, recall, f1].map((value) => el("td", {}, percent(value), bar(value))),
              el("td", {}, short(support)),
            )
          ),
        ),
      ),
    ),
    shown.length < perClass.length &&
    el("p", { class: "note" }, `The ${ROWS} most frequent of ${perClass.length} classes.`),
  ];
}
