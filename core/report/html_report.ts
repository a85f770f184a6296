import { checkArgument, fail } from "../errors.ts";
import { VERSION } from "../version.ts";
import { alignmentsSection } from "./alignments.ts";
import { attentionSection } from "./attention.ts";
import { totalOf } from "../data/metrics/confusion.ts";
import { classesSection, confusionOf } from "./classes.ts";
import { bestOf, trainingSection } from "./curves.ts";
import { type EpochRecord, epochRecords } from "../train/history.ts";
import { forecastsSection, regressionsSection } from "./forecasts.ts";
import { type Content, el, Markup, render } from "./markup.ts";
import type { RunReport } from "./run_report.ts";
import { percent, short } from "./scale.ts";
import { STYLE, STYLE_HASH } from "./style.ts";

/**
 * A training on one page: settings, scores, curves, confusion matrix, forecasts, and what the model attends to.
 *
 * The page is complete in itself: it loads nothing, runs no script (its content security policy lets no browser do either),
 * reads well in light and dark, on a phone and on paper. All text is escaped, whatever stands in it. Much is cut down where it
 * would not be seen, which the page then says: 24 sequences and forecasts, 30 classes of a matrix, 12 channels, 400 tokens.
 *
 * @returns The text of an HTML file; the same report gives the same text.
 * @throws {RangeError} If lengths do not fit: a forecast and its truth, attention weights and their steps, a matrix and its
 * labels.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, htmlReport, sampleDataset, train } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
 * const history = await train(model, sampleDataset({ size: 64 }), { epochs: 3 });
 * const page = htmlReport({ title: "Which way?", settings: [["hidden size", 10]], history });
 * assert.match(page, /<h1>Which way\?<\/h1>/);
 * ```
 */
export function htmlReport(given: RunReport): string {
  checkArgument("write report", "report", given, ["title", "history"]);
  checkArgument("write report", "title", given.title, "string");
  if (given.settings !== undefined) checkArgument("write report", "settings", given.settings, "lists");
  check(given);
  const report = { ...given, history: epochRecords("write report", given.history) };
  const { title, subtitle, settings = [] } = report;
  const page = el(
    "html",
    { lang: "en" },
    el(
      "head",
      {},
      el("meta", { charset: "utf-8" }),
      el("meta", {
        "http-equiv": "Content-Security-Policy",
        content: `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'`,
      }),
      el("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
      el("meta", { name: "color-scheme", content: "light dark" }),
      el("meta", { name: "generator", content: `grutto ${VERSION}` }),
      el("title", {}, title),
      el("style", {}, new Markup(STYLE)),
    ),
    el(
      "body",
      {},
      el("header", {}, el("h1", {}, title), subtitle && el("p", { class: "sub" }, subtitle)),
      el(
        "main",
        {},
        tiles(report),
        settings.length > 0 && [
          el("h2", {}, "Settings"),
          el(
            "dl",
            { class: "card settings" },
            settings.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
          ),
        ],
        trainingSection(report),
        classesSection(report),
        forecastsSection(report),
        regressionsSection(report),
        attentionSection(report),
        alignmentsSection(report),
      ),
      el(
        "footer",
        {},
        `Written by Grutto ${VERSION}. This page is complete in itself: it loads nothing and runs no script.`,
      ),
    ),
  );
  return `<!doctype html>\n${render(page)}\n`;
}

/** The figures that a reader looks for first. */
export function tiles(report: RunReport): Content {
  const { metrics, history, validationName = "validation", highlights = [], unit = "sequence" } = report,
    best = bestOf(report);
  const scored = history.find(({ epoch }) => epoch === (report.scoredEpoch ?? report.bestEpoch));
  // What stands side by side is of the same epoch.
  const ofEpoch = metrics && scored && best && scored !== best ? `, epoch ${scored.epoch}` : "";
  const list: (readonly [name: string, value: string, beside?: string])[] = [];
  if (metrics?.kind === "classification") {
    const { accuracy, balancedAccuracy, macroF1, rocAuc, confusion } = metrics;
    const total = confusion.reduce((sum, row) => sum + totalOf(row), 0);
    list.push(
      ["Accuracy", percent(accuracy), `of ${short(total)} ${unit}${total === 1 ? "" : "s"}${ofEpoch}`],
      ["Balanced accuracy", percent(balancedAccuracy)],
      ["Macro F1", percent(macroF1)],
      ...rocAuc === undefined ? [] : [["ROC AUC", short(rocAuc)] as const],
    );
  } else if (metrics?.kind === "multilabel") {
    const { subsetAccuracy, labelAccuracy, macroF1, microF1 } = metrics;
    list.push(
      ["All labels right", percent(subsetAccuracy)],
      ["Single labels right", percent(labelAccuracy)],
      ["Macro F1", percent(macroF1)],
      ["Micro F1", percent(microF1)],
    );
  } else if (metrics?.kind === "sequences") {
    const { count, exactMatch, tokenErrorRate, characterErrorRate, tokenAccuracy, bleu, chrf } = metrics;
    list.push(
      ["Exact match", percent(exactMatch), `of ${short(count)} source${count === 1 ? "" : "s"}`],
      ["Token error rate", percent(tokenErrorRate)],
      ["Character error rate", percent(characterErrorRate)],
      ...tokenAccuracy === undefined ? [] : [["Token accuracy", percent(tokenAccuracy), "with the truth fed"] as const],
      ["BLEU", short(bleu.score)],
      ["chrF", short(chrf.score)],
    );
  } else if (metrics) {
    const { persistence, seasonal, quantiles = [] } = metrics;
    for (const [name, key] of [["RMSE", "rmse"], ["MAE", "mae"], ["R²", "r2"]] as const) {
      list.push([
        name,
        short(metrics[key]),
        [
          ...persistence ? [`persistence ${short(persistence[key])}`] : [],
          ...seasonal ? [`seasonal ${short(seasonal[key])}`] : [],
        ].join(", ") || undefined,
      ]);
    }
    for (const { quantile, pinball, coverage } of quantiles) {
      list.push([`Not above quantile ${quantile}`, percent(coverage), `pinball loss ${short(pinball)}`]);
    }
  }
  if (best) {
    const lossOf = ({ validationLoss, trainLoss }: EpochRecord) => short(validationLoss ?? trainLoss);
    const name = best.validationLoss === undefined ? "training" : validationName;
    list.push(
      scored && ofEpoch
        ? [
          `${name[0]!.toUpperCase()}${name.slice(1)} loss`,
          lossOf(scored),
          `epoch ${scored.epoch} of ${history.length}; least ${lossOf(best)}, epoch ${best.epoch}`,
        ]
        : [`Least ${name} loss`, lossOf(best), `epoch ${best.epoch} of ${history.length}`],
    );
  }
  list.push(...highlights);
  return list.length > 0 && el(
    "dl",
    { class: "tiles" },
    list.map(([name, value, beside]) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, value, beside !== undefined && el("small", {}, beside)))
    ),
  );
}

function check(report: RunReport): void {
  const refuse = (what: string) => {
    throw fail("shape-mismatch", "write report", what);
  };
  for (const { name, truth, predicted, times, context = [] } of report.forecasts ?? []) {
    if (truth.length !== predicted.length || !truth.length) {
      refuse(
        `forecast "${name}" must have as many predicted as true values, got ${predicted.length} and ${truth.length}`,
      );
    }
    if (times && times.length !== context.length + truth.length) {
      refuse(`forecast "${name}" must have ${context.length + truth.length} times, got ${times.length}`);
    }
  }
  for (const { name, truth, predicted } of report.regressions ?? []) {
    if (truth.length !== predicted.length) {
      refuse(
        `target "${name}" must have as many predicted as true values, got ${predicted.length} and ${truth.length}`,
      );
    }
  }
  for (const { title, weights, values, tokens } of report.attention ?? []) {
    const steps = values?.length ?? tokens?.length ?? weights.length;
    if (weights.length !== steps || !steps) {
      refuse(`sequence "${title}" must have a weight for each of its ${steps} steps, got ${weights.length}`);
    }
  }
  for (const { source, sourceTokens, tokens, weights } of report.alignments ?? []) {
    if (weights.length !== tokens.length || weights.some((row) => row.length !== sourceTokens.length)) {
      refuse(`answer to "${source}" must have ${tokens.length} rows of ${sourceTokens.length} weights`);
    }
  }
  const matrix = confusionOf(report);
  if (matrix && [matrix.counts, ...matrix.counts].some(({ length }) => length !== matrix.labels.length)) {
    refuse(`the confusion matrix must be (${matrix.labels.length}, ${matrix.labels.length}), as its labels`);
  }
}
