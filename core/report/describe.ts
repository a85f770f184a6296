/** From a model's predictions for data whose truth is known to what a report shows of them. */

import { checkArgument } from "../errors.ts";
import type { Decoded } from "../data/labels.ts";
import { ownOptions } from "../options.ts";
import { choiceMetrics, type Choices } from "../data/metrics/classification.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import type { Pipeline } from "../data/pipeline.ts";
import type { PreparedDataset } from "../data/prepared.ts";
import type { Records } from "../data/records.ts";
import type { SequenceRecord, Table } from "../data/readers/record.ts";
import type { ForecastPipeline } from "../data/forecast.ts";
import type { RowRange } from "../data/forecast_state.ts";
import type { ForecastDataset } from "../data/windows.ts";
import { quantilesOf } from "../model/losses.ts";
import { internalsOf, type Model, type NamedArray } from "../model/model.ts";
import { predict } from "../train/evaluate.ts";
import { choicesOf, outputsOf } from "../train/outputs.ts";
import { nearestMedian, quantileOf } from "../data/quantiles.ts";
import { pickByError, pickExamples } from "./pick_examples.ts";
import type { AttentionExample, ForecastExample, RunReport } from "./run_report.ts";
import { short } from "./scale.ts";

/** What {@linkcode describePredictions} and {@linkcode describeForecasts} go by. */
export interface DescribeOptions<Data> {
  /** What the pipeline made of it all. Default: it makes it. */
  data?: Data;
  /** The model's outputs for it (N, O); of more than two classes, those that its sequences are taken for. Default: it is evaluated. */
  outputs?: NamedArray | Choices;
  /** @deprecated Since 0.3.0: use `outputs`, which does not call values probabilities. */
  probabilities?: NamedArray;
  /** What they are worth. Default: as the pipeline scores them. */
  metrics?: TaskMetrics;
  /** How many sequences or forecasts are shown. Default 8. */
  examples?: number;
  /** Places in the data of those that are shown, so that they stay the same. Default: picked by how well they are predicted. */
  chosen?: readonly number[];
}

const OPTIONS = {
  data: true,
  outputs: true,
  probabilities: true,
  metrics: true,
  examples: true,
  chosen: true,
} as const;

/** Most forecasts one step ahead that one picture shows in a row, and least values before. */
const IN_A_ROW = 1000, BEFORE = 48;

/** Sequences per batch. */
const BATCH = 32;

const BY_ERROR = "From the best predicted of the test data to the worst, evenly spread over all.";

/** Outputs that are looked at (N, O): of quantiles, those of the one nearest the median. */
function shownOf({ shape: [N, width], data }: NamedArray, quantiles?: readonly number[]): NamedArray {
  if (!quantiles) return { shape: [N!, width!], data };
  const Q = quantiles.length, median = quantileOf(data, Q, nearestMedian(quantiles));
  return { shape: [N!, width! / Q], data: Float32Array.from(median) };
}

/** One row of a table of numbers. */
const rowOf = ({ data, shape }: NamedArray, i: number) => data.subarray(i * shape[1]!, (i + 1) * shape[1]!);

/**
 * Scores of a model on labelled records, and some of them with what it attends to: right ones and wrong ones of all classes,
 * or from the best to the worst predicted.
 *
 * Where several steps were made one (`patch`), each shows its part of their weight.
 *
 * @param records What the model was not trained on.
 * @returns Parts of a {@linkcode RunReport}.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, describePredictions, htmlReport, Pipeline, train } from "@grutto/grutto";
 *
 * const records = ["great film", "good book", "bad film", "awful book"].map((text, i) => ({
 *   text, steps: 0, channels: 0, labels: [i < 2 ? "positive" : "negative"], place: `reviews.txt, line ${i + 1}`,
 * }));
 * const pipeline = Pipeline.fit(records);
 * const { inputSize, outputSize, numEmbeddings, paddingIdx, loss } = pipeline;
 * using model = await createModel({ inputSize, hiddenSize: 4, outputSize, numEmbeddings, paddingIdx });
 * const history = await train(model, pipeline.dataset(records), { epochs: 2, loss });
 * const described = await describePredictions(model, pipeline, records);
 * assert.match(htmlReport({ title: "Reviews", history, ...described }), /reviews\.txt, line 3/);
 * ```
 */
export async function describePredictions(
  model: Model,
  pipeline: Pipeline,
  records: Records,
  given: DescribeOptions<PreparedDataset> = {},
): Promise<Pick<RunReport, "metrics" | "regressions" | "attention" | "attentionNote">> {
  internalsOf(model);
  checkArgument("describe predictions", "pipeline", pipeline, ["task", "labels", "dataset"]);
  const options = ownOptions("describe predictions", given, OPTIONS);
  const { task, labels } = pipeline, { data = pipeline.dataset(records), examples = 8 } = options;
  if (pipeline.everyStep) {
    // Without attention there is nothing more to see.
    const outputs = options.outputs as NamedArray ??
      await outputsOf(model, data, { loss: model.loss ?? pipeline.loss, batchSize: BATCH });
    return { metrics: options.metrics ?? pipeline.score(outputs, data, { quantiles: quantilesOf(model) }) };
  }
  const { targets, rows } = data, N = data.shape[0], loss = model.loss ?? pipeline.loss, quantiles = quantilesOf(model);
  const settings = { loss, batchSize: BATCH }, made = options.outputs ?? options.probabilities;
  const outputs = made ?? await (pipeline.choosesClass ? choicesOf : outputsOf)(model, data, settings);
  const true_ = (i: number): Decoded => {
    if (targets instanceof Int32Array) return { label: labels[targets[i]!] };
    return pipeline.decode(targets.subarray(i * pipeline.outputSize, (i + 1) * pipeline.outputSize));
  };
  const words = ({ label, labels, values }: Decoded) =>
    label ?? (labels ? labels.join(", ") || "none" : values!.map(short).join(", "));
  const choices = "found" in outputs ? outputs : undefined;
  const shown = choices ? undefined : shownOf(outputs as NamedArray, quantiles);
  const metrics = options.metrics ??
    (choices
      ? choiceMetrics(choices, targets as Int32Array, labels)
      : pipeline.score(outputs as NamedArray, data, { quantiles }));
  const said = (i: number): Decoded =>
    choices ? { label: labels[choices.found[i]!] } : pipeline.decode(rowOf(shown!, i));
  const show = async (chosen: readonly number[]): Promise<AttentionExample[]> => {
    if (!chosen.length) return [];
    const own = chosen.map((i) => records.at(rows[i]!)!), sequences = pipeline.sequences(own);
    const { attentionWeights, outputs } = await predict(model, sequences, { loss });
    return chosen.map((i, k) => {
      const weights = rowOf(attentionWeights, k).subarray(0, sequences.lengths?.[k]);
      const { probabilities } = choices ? pipeline.decode(rowOf(outputs, k)) : said(i);
      return {
        ...example(i, own[k]!, weights),
        ...probabilities && { probabilities: labels.map((label, o) => [label, probabilities[o]!] as const) },
      };
    });
  };
  const example = (i: number, record: SequenceRecord, weights: Float32Array): AttentionExample => ({
    title: titleOf(record),
    prediction: words(said(i)),
    truth: words(true_(i)),
    ...task === "multilabel" && { right: words(said(i)) === words(true_(i)) },
    ...steps(pipeline, record, weights),
  });
  if (task === "regression") {
    const all = Array.from({ length: N }, (_, i) => said(i).values!);
    const truth = Array.from({ length: N }, (_, i) => true_(i).values!);
    const errors = all.map((values, i) => {
      const [own, other] = [rowOf(shown!, i), targets.subarray(i * labels.length)];
      return values.reduce((sum, _, k) => sum + Math.abs(own[k]! - other[k]!), 0);
    });
    const column = (of: typeof all, k: number) => of.map((values) => values[k]!);
    return {
      metrics,
      regressions: labels.map((name, k) => ({ name, truth: column(truth, k), predicted: column(all, k) })),
      attention: await show(options.chosen ?? pickByError(errors, examples)),
      attentionNote: BY_ERROR,
    };
  }
  const confidence = choices?.score ??
    Array.from({ length: N }, (_, i) => said(i).probabilities!.reduce((a, b) => Math.max(a, b)));
  const named = (of: (i: number) => Decoded) => Array.from({ length: N }, (_, i) => words(of(i)));
  return {
    metrics,
    attention: await show(
      options.chosen ?? pickExamples(named(true_), named(said), { count: examples, confidence }),
    ),
    attentionNote: "Classes take turns: the first that are right, then the errors that the model is surest of.",
  };
}

/** What a record is called: a bare number says of what. */
function titleOf({ id, place, rows }: SequenceRecord): string {
  const name = (id ?? place).replace(/^.*[/\\]/, ""), called = /^[\d.,:+-]+$/.test(name) ? `sequence ${name}` : name;
  return rows ? `${called}, rows ${rows[0]} to ${rows[1]}` : called;
}

/** The steps of a record as people know them, with the weight of each. */
function steps(
  pipeline: Pipeline,
  record: SequenceRecord,
  weights: Float32Array,
): Pick<AttentionExample, "weights" | "values" | "channels" | "tokens" | "separator"> {
  const { values, channels, text } = record;
  if (text !== undefined) {
    const tokens = pipeline.tokens(text), { inputs } = pipeline.toJSON();
    const characters = inputs.kind === "tokens" && inputs.vocabulary.unit === "characters";
    return {
      weights: [...weights],
      tokens: tokens.length ? tokens : ["(no known token)"],
      separator: characters ? "" : " ",
    };
  }
  const patch = pipeline.inputSize / channels;
  return {
    weights: Array.from({ length: weights.length * patch }, (_, t) => weights[Math.floor(t / patch)]! / patch),
    values: Array.from(
      { length: weights.length * patch },
      (_, t) => [...values!.subarray(t * channels, (t + 1) * channels)],
    ),
    channels: pipeline.channelNames,
  };
}

/**
 * Scores of a model's forecasts beside those of the last value repeated, some forecasts with what came before and after, and
 * what the model attends to in them. One step ahead, forecasts stand in a row; else some do by themselves, from the best to
 * the worst.
 *
 * @param table What is forecast.
 * @param part The part of it that the model was not trained on.
 * @returns Parts of a {@linkcode RunReport}.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, describeForecasts, ForecastPipeline, htmlReport, train } from "@grutto/grutto";
 *
 * const values = [Float64Array.from({ length: 60 }, (_, t) => Math.sin(t / 3))];
 * const table = { name: "waves.csv", columns: ["height"], values, rows: 60 };
 * const pipeline = ForecastPipeline.fit(table, { targetColumns: ["height"], window: 8, horizon: 4 }, [0, 40]);
 * const { inputSize, outputSize } = pipeline;
 * using model = await createModel({ inputSize, hiddenSize: 4, outputSize });
 * const history = await train(model, pipeline.dataset(table, [0, 40]), { epochs: 2, loss: "mse" });
 * const described = await describeForecasts(model, pipeline, table, [40, 60]);
 * assert.match(htmlReport({ title: "Waves", history, ...described }), /height from row 4/);
 * ```
 */
export async function describeForecasts(
  model: Model,
  pipeline: ForecastPipeline,
  table: Table,
  part: RowRange,
  given: DescribeOptions<ForecastDataset> = {},
): Promise<Pick<RunReport, "metrics" | "forecasts" | "forecastsNote" | "attention" | "attentionNote">> {
  internalsOf(model);
  checkArgument("describe forecasts", "pipeline", pipeline, ["horizon", "window", "dataset"]);
  const options = ownOptions("describe forecasts", given, OPTIONS);
  const { horizon, window, inputSize, outputSize: O, channelNames } = pipeline;
  const { data = pipeline.dataset(table, part), examples = 8 } = options, { rows, truth, x } = data, N = rows.length;
  const loss = model.loss ?? pipeline.loss, quantiles = quantilesOf(model);
  const dataset = { x, shape: data.shape, targets: data.targets };
  const made = (options.outputs ?? options.probabilities) as NamedArray | undefined;
  const outputs = made ?? await outputsOf(model, dataset, { loss, batchSize: BATCH });
  const names = pipeline.toJSON().targetColumns, targets = names.length;
  const predicted = pipeline.values(shownOf(outputs, quantiles).data, data);
  const errors = Array.from({ length: N }, (_, n) => {
    let sum = 0;
    for (let i = n * O; i < (n + 1) * O; i++) sum += Math.abs(predicted[i]! - truth[i]!);
    return sum;
  });
  const columnOf = (name: string) => table.values[table.columns.indexOf(name)]!;
  const dates = table.texts?.values().next().value;
  const place = (row: number) => dates?.[row] ?? `row ${row + 1}`;
  /** What is forecast of a target from some row on, and what came. */
  const forecast = (target: number, row: number, name: string, at: readonly number[]): ForecastExample => {
    const first = Math.max(0, row - Math.max(BEFORE, window, at.length));
    return {
      name,
      context: [...columnOf(names[target]!).subarray(first, row)],
      truth: at.map((i) => truth[i]!),
      predicted: at.map((i) => predicted[i]!),
      ...horizon === 1 && at.length < N && { of: N },
      ...dates && { times: dates.slice(first, row + at.length) },
    };
  };
  const chosen = options.chosen ?? pickByError(errors, examples), size = window * inputSize;
  const inputs = new Float32Array(chosen.length * size);
  chosen.forEach((n, k) => inputs.set(x.subarray(n * size, (n + 1) * size), k * size));
  const shown = chosen.length
    ? await predict(model, { x: inputs, shape: [chosen.length, window, inputSize] }, { loss })
    : undefined;
  /** Of one target of one window, or with horizon 1 of the windows from one on. */
  const places = (n: number, target: number, count: number) =>
    Array.from({ length: count }, (_, h) => n * O + h * targets + target);
  const last = inARow(rows);
  const forecasts = horizon === 1
    ? names.map((name, target) =>
      forecast(
        target,
        rows[last]!,
        `${name}, one step ahead from ${place(rows[last]!)}`,
        places(last, target, N - last),
      )
    )
    : chosen.flatMap((n) =>
      names.map((name, target) =>
        forecast(target, rows[n]!, `${name} from ${place(rows[n]!)}`, places(n, target, horizon))
      )
    );
  const range = (values: Float64Array, n: number) =>
    names.map((name, target) => {
      const first = short(values[n * O + target]!), end = short(values[(n + 1) * O - targets + target]!);
      return `${targets > 1 ? `${name} ` : ""}${horizon > 1 ? `${first} … ${end}` : first}`;
    }).join(", ");
  return {
    metrics: options.metrics ?? pipeline.score(outputs, data, { quantiles }),
    forecasts,
    forecastsNote: horizon === 1 ? undefined : BY_ERROR,
    attentionNote: BY_ERROR,
    attention: chosen.map((n, k) => {
      const columns = channelNames.map(columnOf), row = rows[n]!;
      return {
        title: `Forecast from ${place(row)}`,
        prediction: range(predicted, n),
        truth: range(truth, n),
        weights: [...rowOf(shown!.attentionWeights, k)],
        values: Array.from({ length: window }, (_, t) => columns.map((column) => column[row - window + t]!)),
        channels: channelNames,
      };
    }),
  };
}

/** The first of the windows at the end that follow one another row by row, of so many at most. */
function inARow(rows: Int32Array): number {
  let first = rows.length - 1;
  while (first > 0 && rows.length - first < IN_A_ROW && rows[first - 1] === rows[first]! - 1) first--;
  return first;
}
