/** Curves of a training over its epochs, for pages. */

import { lineChart } from "./chart.ts";
import { type Content, el } from "./markup.ts";
import type { EpochRecord } from "../train/history.ts";
import type { RunReport } from "./run_report.ts";
import { extent, percent, short } from "./scale.ts";

/** Losses that differ by this factor are shown on a logarithmic axis. */
const DECADES = 50;

/** Most rows of the table of epochs. */
const ROWS = 500;

/** The epoch with the least loss: on validation data, where there are some. */
export function leastLoss(history: readonly EpochRecord[]): EpochRecord | undefined {
  const loss = (record: EpochRecord) => record.validationLoss ?? record.trainLoss;
  return history.reduce<EpochRecord | undefined>(
    (best, record) => best === undefined || loss(record) < loss(best) ? record : best,
    undefined,
  );
}

/** The epoch whose weights count: the one that is named, else the one with the least loss. */
export function bestOf({ history, bestEpoch }: RunReport): EpochRecord | undefined {
  return history.find(({ epoch }) => epoch === bestEpoch) ?? leastLoss(history);
}

/** A curve's values, one for each epoch. */
export interface Curve {
  /** What is measured. */
  readonly name: string;
  /** In training. */
  readonly train: readonly (number | undefined)[];
  /** On validation data; empty without. */
  readonly validation: readonly (number | undefined)[];
  /** Whether the axis is logarithmic. */
  readonly log: boolean;
}

/** The curves that a history holds: loss; accuracy, where any sequence was ever right; learning rate, where it changes. */
export function curvesOf(history: readonly EpochRecord[]): Curve[] {
  const column = (get: (record: EpochRecord) => number | undefined) => {
    const values = history.map((record) => {
      const value = get(record);
      return Number.isFinite(value) ? value : undefined;
    });
    return values.some((value) => value !== undefined) ? values : [];
  };
  const spans = (...columns: readonly (readonly (number | undefined)[])[]) => {
    const [least, greatest] = extent(columns.flat()) ?? [1, 1];
    return least > 0 && greatest / least >= DECADES;
  };
  const curve = (
    name: string,
    train: Curve["train"],
    validation: Curve["train"] = [],
    log = spans(train, validation),
  ) => ({ name, train, validation, log });
  const loss = curve("loss", column((record) => record.trainLoss), column((record) => record.validationLoss));
  const accuracy = curve(
    "accuracy",
    column((record) => record.trainAccuracy),
    column((record) => record.validationAccuracy),
    false,
  );
  const rate = curve("learning rate", column((record) => record.learningRate));
  const norm = curve("gradient norm", column((record) => record.gradNorm));
  const right = [...accuracy.train, ...accuracy.validation].some((value) => value! > 0);
  return [
    loss,
    ...right ? [accuracy] : [],
    ...new Set(rate.train).size > 1 ? [rate] : [],
    ...norm.train.length ? [norm] : [],
  ];
}

/** The section of a page. */
export function trainingSection(report: RunReport): Content {
  const { history, validationName = "validation" } = report, best = bestOf(report);
  if (!history.length) return undefined;
  const validated = history.some(({ validationLoss }) => validationLoss !== undefined);
  return [
    el("h2", {}, "Training"),
    el(
      "p",
      { class: "note" },
      `${history.length === 1 ? "One epoch" : `${history.length} epochs`}. `,
      best &&
        `The best is epoch ${best.epoch}, by ${
          best !== leastLoss(history) ? "the run’s own choice" : validated ? `${validationName} loss` : "training loss"
        }. `,
      "Training values are those of the batches as they came, with dropout on; point at a curve to read it.",
    ),
    curveGrid(report),
    table(history, validationName, best),
  ];
}

/** The curves by themselves, and beside an odd number of them the epochs that matter. */
export function curveGrid(report: RunReport): Content {
  const { history, validationName = "validation" } = report, best = bestOf(report);
  const x = history.map(({ epoch }) => epoch), curves = curvesOf(history);
  return el(
    "div",
    { class: "grid" },
    curves.map((curve) => figureOf(curve, x, validationName, best)),
    curves.length % 2 > 0 && brief(history, validationName, best),
  );
}

/** A name at the beginning of a line. */
function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function figureOf(
  { name, train, validation, log }: Curve,
  x: readonly number[],
  other: string,
  best?: EpochRecord,
): Content {
  const title = capital(name), at = best ? x.indexOf(best.epoch) : -1;
  const main = validation.length ? validation : train, last = main.at(-1), y = main[at];
  const format = name === "accuracy" ? percent : short, both = name === "loss" || name === "accuracy";
  const lines = [
    { name: both ? "training" : name, style: "a", values: train },
    ...validation.length ? [{ name: other, style: "b", values: validation }] : [],
  ];
  const description = `${title} over ${x.length} epochs: ` +
    lines.map(({ name, values }) => `${name} from ${format(values[0] ?? NaN)} to ${format(values.at(-1) ?? NaN)}`).join(
      ", ",
    ) + (y !== undefined ? `; ${format(y)} at the best epoch, ${best!.epoch}` : "");
  return el(
    "figure",
    {},
    el(
      "figcaption",
      { class: "head" },
      el("h3", {}, title, log && ", logarithmic"),
      el("span", { class: "sub badge" }, last !== undefined && `ends at ${format(last)}`),
    ),
    lineChart({
      description,
      x,
      xName: "epoch",
      lines,
      format,
      ...name === "accuracy" && { tick: (value: number) => `${Number((100 * value).toFixed(4))}%` },
      log,
      ...best && x.length > 1 && both &&
        { mark: { x: best.epoch, text: `best: ${best.epoch}` } },
      rings: y !== undefined && both ? [{ x: best!.epoch, y, style: validation.length ? "b" : "a" }] : [],
    }),
  );
}

/** The numbers of an epoch by name, as texts: those that some of these epochs have. */
function numbersOf(
  history: readonly EpochRecord[],
  other: string,
  of: readonly EpochRecord[],
): (readonly [name: string, text: (record: EpochRecord) => string])[] {
  const right = history.some(({ trainAccuracy, validationAccuracy = 0 }) =>
    trainAccuracy > 0 || validationAccuracy > 0
  );
  const all: [string, (record: EpochRecord) => string][] = [
    ["training loss", ({ trainLoss }) => short(trainLoss)],
    [`${other} loss`, ({ validationLoss = NaN }) => short(validationLoss)],
    ["training accuracy", ({ trainAccuracy }) => right ? percent(trainAccuracy) : "–"],
    [`${other} accuracy`, ({ validationAccuracy = NaN }) => right ? percent(validationAccuracy) : "–"],
    ["learning rate", ({ learningRate = NaN }) => short(learningRate)],
    ["gradient norm", ({ gradNorm = NaN }) => short(gradNorm)],
  ];
  return all.filter(([, text]) => of.some((record) => text(record) !== "–"));
}

/** The first epoch, the best and the last side by side: beside an odd number of charts, where there is room. */
function brief(history: readonly EpochRecord[], other: string, best?: EpochRecord): Content {
  const last = history.at(-1)!, chosen = [...new Set([history[0]!, ...best ? [best] : [], last])];
  const nameOf = (
    record: EpochRecord,
  ) => [
    record.epoch,
    record === best ? record === last ? "best and last" : "best" : record === last ? "last" : "first",
  ];
  return el(
    "figure",
    {},
    el("figcaption", { class: "head" }, el("h3", {}, "In brief")),
    el(
      "table",
      { class: "list" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, "epoch"),
          chosen.map(nameOf).map(([epoch, name]) => el("th", { scope: "col" }, epoch, `, ${name}`)),
        ),
      ),
      el(
        "tbody",
        {},
        numbersOf(history, other, history).map(([name, text]) =>
          el("tr", {}, el("th", { scope: "row" }, name), chosen.map((record) => el("td", {}, text(record))))
        ),
      ),
    ),
  );
}

function table(history: readonly EpochRecord[], other: string, best?: EpochRecord): Content {
  const every = Math.ceil(history.length / ROWS);
  const rows = history.filter((record, i) => i % every === 0 || record === best || i === history.length - 1);
  const columns = numbersOf(history, other, rows);
  return el(
    "details",
    {},
    el("summary", {}, every > 1 ? `Every ${every} epochs in numbers` : "Every epoch in numbers"),
    el(
      "div",
      { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Epochs in numbers" },
      el(
        "table",
        { class: "list" },
        el(
          "thead",
          {},
          el("tr", {}, el("th", { scope: "col" }, "epoch"), columns.map(([name]) => el("th", { scope: "col" }, name))),
        ),
        el(
          "tbody",
          {},
          rows.map((record) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, record.epoch, record === best && " (best)"),
              columns.map(([, text]) => el("td", {}, text(record))),
            )
          ),
        ),
      ),
    ),
  );
}
