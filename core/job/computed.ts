/** What a model's outputs say of sequences, in the words of the data, however they were computed. */

import { highest } from "../data/metrics/rows.ts";
import type { ForecastPipeline } from "../data/forecast.ts";
import type { Pipeline } from "../data/pipeline.ts";
import type { PreparedSequences } from "../data/prepared.ts";
import type { SequenceRecord } from "../data/readers/record.ts";
import type { ForecastInputs } from "../data/windows.ts";
import { quantilesOf } from "../model/losses.ts";
import type { Model, Sequences } from "../model/model.ts";
import type { Prediction } from "../train/evaluate.ts";
import type { NamedPrediction, PlainPrediction } from "./prediction.ts";

/** What a model says of some sequences: probabilities, values or quantiles, or scores if it does not know what they mean. */
export type Computed = Pick<Prediction, "outputs"> & {
  readonly predicts: Prediction["predicts"] | "scores";
  readonly attentionWeights?: Prediction["attentionWeights"];
};

/** What a model of named outputs would say. */
export function blankOf(model: Model, pipeline: Pipeline): NamedPrediction {
  const width = quantilesOf(model)?.length ?? 1;
  return sayer(model, pipeline)("", new Float32Array(pipeline.outputSize * width));
}

/** Makes predictions of rows of outputs. */
function sayer(model: Model, pipeline: Pipeline): (id: string, row: Float32Array) => NamedPrediction {
  const quantiles = quantilesOf(model), { labels: names } = pipeline;
  return (id, row) => {
    const decoded = quantiles ? { values: [...pipeline.values(row, quantiles)] } : pipeline.decode(row);
    return { id, decoded, known: decoded.probabilities?.map((p, o) => [names[o]!, p] as const), names, quantiles };
  };
}

/** The predictions for the records behind some sequences, each with the record's number. */
export function* namedOf(
  model: Model,
  pipeline: Pipeline,
  records: readonly SequenceRecord[],
  { shape: [N, T], lengths, rows }: PreparedSequences,
  { outputs: { shape, data }, attentionWeights }: Computed,
): Generator<readonly [row: number, said: NamedPrediction], void> {
  const isEveryStep = shape.length > 2, saidOf = sayer(model, pipeline);
  if (isEveryStep && !pipeline.everyStep) {
    throw new Error("cannot predict: its outputs are at every step: predict() in a program");
  }
  const O = shape.at(-1)!, rowsOf = isEveryStep ? T : 1;
  for (let i = 0; i < N; i++) {
    const record = records[rows[i]!]!, steps = lengths?.[i] ?? T, [first] = record.rows ?? [0];
    const at = (place: number) => saidOf(record.id ?? record.place, data.subarray(place * O, (place + 1) * O));
    const step = (_: unknown, t: number) => ({ ...at(i * rowsOf + t), row: first + t });
    const said = at(i * rowsOf);
    yield [
      rows[i]!,
      isEveryStep
        ? { ...said, steps: Array.from({ length: steps }, step) }
        : { ...said, rows: record.rows, weights: attentionWeights?.data.subarray(i * T, i * T + steps) },
    ];
  }
}

/**
 * The predictions for the rows that a forecast is about.
 *
 * @param idOf The name of the row so many steps behind the first.
 */
export function* forecastsOf(
  model: Model,
  pipeline: ForecastPipeline,
  inputs: ForecastInputs,
  { outputs, attentionWeights }: Computed,
  idOf: (h: number) => string,
): Generator<NamedPrediction, void> {
  const quantiles = quantilesOf(model), { targetColumns: names } = pipeline.toJSON();
  const values = pipeline.values(outputs.data, inputs, quantiles), width = values.length / pipeline.horizon;
  for (let h = 0; h < pipeline.horizon; h++) {
    const decoded = { values: [...values.subarray(h * width, (h + 1) * width)] };
    yield { id: idOf(h), decoded, names, quantiles, weights: h === 0 ? attentionWeights?.data : undefined };
  }
}

/** The predictions for sequences without names, each with its attention weights. */
export function* plainOf(
  model: Model,
  { shape: [B, T] }: Pick<Sequences, "shape">,
  { outputs, predicts, attentionWeights }: Computed,
  ids: readonly string[] = [],
): Generator<NamedPrediction | PlainPrediction, void> {
  const O = model.config.outputSize, quantiles = predicts === "quantiles" ? quantilesOf(model) : undefined;
  const names = quantiles ? Array.from({ length: O / quantiles.length }, (_, o) => `value ${o}`) : [];
  for (let i = 0; i < B!; i++) {
    const values = outputs.data.subarray(i * O, (i + 1) * O);
    const weights = attentionWeights!.data.subarray(i * T!, (i + 1) * T!), id = ids[i] ?? String(i);
    if (predicts === "quantiles") yield { id, decoded: { values: [...values] }, names, quantiles, weights };
    else {
      yield { id, predicts, ...predicts === "probabilities" && { number: classOf(values) }, values, weights };
    }
  }
}

/** The most likely class; of a single output, whether it is above 0.5. */
function classOf(values: Float32Array): number {
  return values.length === 1 ? Number(values[0]! > 0.5) : highest(values, 0, values.length);
}
