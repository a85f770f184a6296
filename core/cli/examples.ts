/** What a report shows of single sequences: what the model says of them, and what it attends to. */

import type { Dataset } from "../data/dataset.ts";
import type { Decoded } from "../data/labels.ts";
import type { Pipeline, PreparedDataset } from "../data/pipeline.ts";
import type { SequenceRecord, Table } from "../data/readers/record.ts";
import type { ForecastDataset, ForecastPipeline } from "../data/windows.ts";
import type { Model, NamedArray } from "../model/model.ts";
import { pickExamples } from "../report/pick_examples.ts";
import type { AttentionExample, ForecastExample, RegressionExample } from "../report/run_report.ts";
import { predict } from "../train/evaluate.ts";
import { forecastValues, inUnits } from "./units.ts";

/** Examples of each kind on a page. */
const COUNT = 12;

/** Sequences with the attention paid to their steps. */
export async function sequenceExamples(
  pipeline: Pipeline,
  model: Model,
  dataset: PreparedDataset,
  records: readonly SequenceRecord[],
  outputs: NamedArray,
): Promise<AttentionExample[]> {
  const O = pipeline.outputSize,
    row = (data: ArrayLike<number>, i: number) => Array.prototype.slice.call(data, i * O, (i + 1) * O);
  const says = (i: number) => inWords(pipeline.decode(row(outputs.data, i)));
  const truth = (i: number) => (records[dataset.rows[i]!]!.labels ?? []).join(", ");
  const all = Array.from({ length: outputs.shape[0]! }, (_, i) => i);
  const confidence = all.map((i) => Math.max(...row(outputs.data, i)));
  const chosen = pickExamples(all.map(truth), all.map(says), { count: COUNT, confidence });
  const examples: AttentionExample[] = [];
  for (const i of chosen) {
    const record = records[dataset.rows[i]!]!, sequence = pipeline.sequences([record]);
    const { attentionWeights } = await predict(model, sequence, { loss: pipeline.loss });
    examples.push({
      title: record.id ?? record.place,
      prediction: says(i),
      truth: truth(i),
      ...pipeline.task === "multiclass" && {
        probabilities: pipeline.labels.map((label, o) => [label, outputs.data[i * O + o]!] as const),
      },
      weights: [...attentionWeights.data],
      ...shown(pipeline, record, sequence.shape[1]),
    });
  }
  return examples;
}

/** What a label or a value is, in words. */
export function inWords({ label, labels, values }: Decoded): string {
  return label ??
    (labels ? labels.join(", ") || "none" : values!.map((value) => Number(value.toPrecision(5))).join(", "));
}

/** A record as its steps are looked at: tokens, or the means of its patches in the data's units. */
function shown(pipeline: Pipeline, record: SequenceRecord, steps: number): Partial<AttentionExample> {
  if (record.text !== undefined) {
    const { inputs } = pipeline.toJSON();
    const separator = inputs.kind === "tokens" && inputs.vocabulary.unit === "characters" ? "" : " ";
    return { tokens: pipeline.tokens(record.text).slice(0, steps), separator };
  }
  const { values, channels } = record, patch = pipeline.inputSize / channels;
  const mean = (t: number, c: number) => {
    let sum = 0;
    for (let k = 0; k < patch; k++) sum += values![(t * patch + k) * channels + c]!;
    return sum / patch;
  };
  const { channelNames } = pipeline;
  return {
    values: Array.from({ length: steps }, (_, t) => Array.from({ length: channels }, (_, c) => mean(t, c))),
    ...channelNames && patch === 1 && { channels: channelNames },
  };
}

/** Forecasts over what came, from some windows. */
export function forecastExamples(
  pipeline: ForecastPipeline,
  table: Table,
  held: ForecastDataset,
  outputs: NamedArray,
): ForecastExample[] {
  const values = forecastValues(pipeline, held, outputs),
    O = pipeline.outputSize,
    { targetColumns } = pipeline.toJSON();
  const targets = targetColumns.length, { horizon, window } = pipeline, N = held.rows.length;
  const from = (source: Float64Array, n: number, c: number) =>
    Array.from({ length: horizon }, (_, h) => source[n * O + h * targets + c]!);
  return targetColumns.flatMap((name, c) => {
    const column = table.values[table.columns.indexOf(name)]!,
      context = (row: number, rows: number) => [...column.slice(Math.max(0, row - rows), row)];
    if (horizon === 1) {
      // One row at a time: the whole test part is one line.
      const first = held.rows[0]!;
      return [{
        name: `${name}, one row ahead`,
        truth: Array.from({ length: N }, (_, n) => held.truth[n * O + c]!),
        predicted: Array.from({ length: N }, (_, n) => values[n * O + c]!),
        context: context(first, 2 * window),
      }];
    }
    const shown = Math.min(4, N);
    return Array.from({ length: shown }, (_, i) => {
      const n = Math.floor(i * (N - 1) / Math.max(1, shown - 1)), row = held.rows[n]!;
      return {
        name: `${name} from row ${row}`,
        truth: from(held.truth, n, c),
        predicted: from(values, n, c),
        context: context(row, window),
      };
    });
  });
}

/** Predicted values against true ones. */
export function regressionExamples(
  pipeline: Pipeline,
  { targets }: Dataset,
  { data }: NamedArray,
): RegressionExample[] {
  const O = pipeline.outputSize, truth = inUnits(pipeline, targets), predicted = inUnits(pipeline, data);
  return pipeline.labels.map((name, o) => ({
    name,
    truth: [...truth].filter((_, i) => i % O === o),
    predicted: [...predicted].filter((_, i) => i % O === o),
  }));
}
