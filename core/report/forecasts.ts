/** Forecasts and predicted values against the truth: sections of a page. */

import { leftOf, lineChart, WIDTH } from "./chart.ts";
import type { Errors } from "../data/metrics/regression.ts";
import { type Content, el } from "./markup.ts";
import type { ForecastExample, RegressionExample, RunReport } from "./run_report.ts";
import { extent, linearAxis, padded, short, spread } from "./scale.ts";

/** Most pictures, and most points of one. */
const PICTURES = 24, POINTS = 1000;

/** How many of the values before a forecast are shown at least: as many as were forecast, if that is more. */
const BEFORE = 48;

const rmse = (truth: readonly number[], predicted: readonly number[]) =>
  Math.sqrt(truth.reduce((sum, value, i) => sum + (value - predicted[i]!) ** 2, 0) / truth.length);
const mae = (truth: readonly number[], predicted: readonly number[]) =>
  truth.reduce((sum, value, i) => sum + Math.abs(value - predicted[i]!), 0) / truth.length;

/** The section of a page. */
export function forecastsSection({ forecasts = [], forecastsNote, metrics }: RunReport): Content {
  if (!forecasts.length) return undefined;
  const outputs = metrics?.kind === "regression" ? metrics.perOutput ?? [] : [];
  // With several targets, outputs are no steps.
  const perStep = forecasts[0]!.truth.length === outputs.length ? outputs : [];
  return [
    el("h2", {}, "Forecasts"),
    el(
      "p",
      { class: "note" },
      "What was forecast beside what came, after the values that came before.",
      forecastsNote && ` ${forecastsNote}`,
      forecasts.length > PICTURES && ` The first ${PICTURES} of ${forecasts.length} are shown.`,
    ),
    el(
      "div",
      { class: "grid" },
      perStep.length > 1 && errorFigure(perStep),
      forecasts.slice(0, PICTURES).map(forecastFigure),
    ),
  ];
}

/** How errors grow with the steps ahead. */
function errorFigure(perStep: readonly Errors[]): Content {
  const lines = [
    { name: "RMSE", style: "a", values: perStep.map(({ rmse }) => rmse) },
    { name: "MAE", style: "d", values: perStep.map(({ mae }) => mae) },
  ];
  return el(
    "figure",
    {},
    el(
      "figcaption",
      {},
      el("h3", {}, "Error by step"),
      el("p", {}, `over all forecasts of the test data, ${perStep.length} steps ahead at most`),
    ),
    lineChart({
      description: `Errors from one step ahead, RMSE ${short(perStep[0]!.rmse)}, to ${perStep.length}, RMSE ${
        short(perStep.at(-1)!.rmse)
      }`,
      x: perStep.map((_, i) => i + 1),
      xName: "steps ahead",
      lines,
    }),
  );
}

function forecastFigure({ name, truth, predicted, context = [], times, of }: ForecastExample): Content {
  const before = Math.min(context.length, Math.max(BEFORE, truth.length));
  const past = context.slice(context.length - before), length = before + truth.length;
  const gap = (count: number) => new Array<undefined>(count).fill(undefined);
  const names = times?.slice(context.length - before);
  // Errors of a part would stand beside those of all.
  const error = of === undefined || of <= truth.length
    ? errorsOf(truth, predicted)
    : `the last of ${short(of)} forecasts, whose errors stand above`;
  const x = Array.from({ length }, (_, i) => i - before + 1);
  return el(
    "figure",
    {},
    caption(
      name,
      `${truth.length === 1 ? "one step" : `${short(truth.length)} steps`}: ${error}`,
      before < context.length && `; the last ${before} of ${short(context.length)} values before are shown`,
    ),
    lineChart({
      description: `Forecast of ${truth.length} steps against the truth: ${error}`,
      x,
      xName: names ? "" : "step of the forecast",
      xText: names ? (i) => names[i] ?? "" : (i) => x[i]! > 0 ? `step +${x[i]}` : `step ${x[i]! - 1}`.replace("-", "−"),
      namedTicks: names !== undefined,
      lines: [
        // What came before leads to what came: the line does not break between the two.
        ...before
          ? [{ name: "before", style: "c", values: [...past, truth[0], ...gap(truth.length - 1)], readTo: before }]
          : [],
        { name: "truth", style: "a", values: [...gap(before), ...truth] },
        { name: "forecast", style: "b", values: [...gap(before), ...predicted] },
      ],
    }),
  );
}

/** The section of a page. */
export function regressionsSection({ regressions = [] }: RunReport): Content {
  if (!regressions.length) return undefined;
  return [
    el("h2", {}, "Predictions"),
    el("p", { class: "note" }, "Each point is a sequence; on the line, the prediction is right."),
    el("div", { class: "grid" }, regressions.slice(0, PICTURES).map(regressionFigure)),
  ];
}

function regressionFigure({ name, truth, predicted }: RegressionExample): Content {
  const size = 360, range = padded(extent([...truth, ...predicted]) ?? [0, 1]);
  const up = linearAxis(range, [size - 40, 10], 5), left = leftOf(up.ticks.map(({ text }) => text), 9.2, 60);
  const across = linearAxis(range, [left, WIDTH - 14], 5);
  const chosen = spread(truth.length, POINTS);
  return el(
    "figure",
    {},
    caption(
      name,
      errorsOf(truth, predicted),
      chosen.length < truth.length && `; ${short(chosen.length)} of ${short(truth.length)} sequences are shown`,
    ),
    el(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${size}`, role: "img", class: "chart", "aria-label": `Predicted against true ${name}` },
      across.ticks.map(({ value, text }) => [
        el("line", { class: "g", x1: across.at(value), x2: across.at(value), y1: 10, y2: size - 40 }),
        el("text", { x: across.at(value), y: size - 23, "text-anchor": "middle" }, text),
      ]),
      up.ticks.map(({ value, text }) => [
        el("line", { class: "g", x1: left, x2: WIDTH - 14, y1: up.at(value), y2: up.at(value) }),
        el("text", { x: left - 7, y: up.at(value) + 4, "text-anchor": "end" }, text),
      ]),
      el("line", {
        class: "m",
        x1: across.at(range[0]),
        y1: up.at(range[0]),
        x2: across.at(range[1]),
        y2: up.at(range[1]),
      }),
      chosen.map((i) => el("circle", { class: "point", cx: across.at(truth[i]!), cy: up.at(predicted[i]!), r: 3.2 })),
      el("text", { x: (left + WIDTH) / 2, y: size - 5, "text-anchor": "middle" }, "true"),
      el("text", { x: left + 6, y: 22 }, "predicted"),
    ),
  );
}

/** What stands above a figure: its name, and a line with what is left out, if anything. */
function caption(name: string, line: string, left: string | false): Content {
  return el("figcaption", {}, el("h3", {}, name), el("p", {}, line, left));
}

function errorsOf(truth: readonly number[], predicted: readonly number[]): string {
  return `RMSE ${short(rmse(truth, predicted))}, MAE ${short(mae(truth, predicted))}`;
}
