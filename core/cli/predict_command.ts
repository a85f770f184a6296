/** `predict CHECKPOINT --input FILE`: what a model says of sequences, as they come. */

import type { Pipeline } from "../data/pipeline.ts";
import { byKind, restorePreprocessing } from "../data/preprocessing.ts";
import { formatOf, readRecords } from "../data/readers/read.ts";
import type { Format, SequenceRecord } from "../data/readers/record.ts";
import type { ForecastPipeline } from "../data/forecast.ts";
import { UsageError } from "../job/options.ts";
import { leftOutLine, loadTable, streamRecords } from "../job/read_data.ts";
import { dataJob } from "../job/stored_job.ts";
import { quantilesOf } from "../model/losses.ts";
import type { Model, Sequences } from "../model/model.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { predict } from "../train/evaluate.ts";
import { dataFiles } from "./data_files.ts";
import type { Arguments } from "./options.ts";
import { PredictionWriter } from "./prediction_writer.ts";
import { openCheckpoint, sampleOf } from "./read_checkpoint.ts";
import { remark } from "./terminal.ts";

/** Sequences that are predicted at a time: as many are in memory. */
const CHUNK = 256;

/** Milliseconds that a sequence waits for others at most, to be predicted with them. */
const PAUSE = 50;

/** Runs the command. Returns the exit code. */
export async function predictCommand(args: Arguments): Promise<number> {
  const { loaded, rest } = await openCheckpoint(args);
  using model = loaded.model;
  const paths = [...args.input === undefined ? [] : [args.input], ...args.given.files.data as string[] ?? [], ...rest];
  const writer = new PredictionWriter(args);
  if (loaded.preprocessing) {
    if (!paths.length) throw new UsageError("predict needs --input FILE, or - for standard input");
    const pipeline = restorePreprocessing(loaded.preprocessing);
    await byKind(pipeline, {
      sequences: (pipeline) => predictRecords(loaded, pipeline, paths, args, writer),
      forecasts: (pipeline) => forecast(loaded, pipeline, paths, args, writer),
    });
  } else if (paths.length) {
    const { data, everything } = args.given;
    if (Object.keys({ ...data, ...everything }).length) {
      throw new UsageError("predict takes --input, or --size, --steps and --seed of data to make: not both");
    }
    await predictArrays(model, paths, args, writer);
  } else await predictBatch(model, sampleOf(loaded, args).held, [], writer);
  return 0;
}

/** Records of files as the checkpoint's preprocessing takes them. */
async function predictRecords(
  loaded: LoadedCheckpoint,
  pipeline: Pipeline,
  paths: readonly string[],
  args: Arguments,
  writer: PredictionWriter,
): Promise<void> {
  const { model } = loaded, job = dataJob(loaded, args.given);
  const quantiles = quantilesOf(model);
  let leftOut = 0;
  const show = async (chunk: SequenceRecord[]) => {
    const records = chunk.filter((record) => pipeline.keeps(record));
    leftOut += chunk.length - records.length;
    if (!records.length) return;
    const sequences = pipeline.sequences(records), { loss = pipeline.loss } = model;
    const { outputs, attentionWeights } = await predict(model, sequences, { loss });
    const O = outputs.shape[1]!, [N, T] = sequences.shape;
    for (let i = 0; i < N; i++) {
      const record = records[sequences.rows[i]!]!, steps = sequences.lengths?.[i] ?? T;
      const row = outputs.data.subarray(i * O, (i + 1) * O);
      const decoded = quantiles ? { values: [...pipeline.values(row, quantiles)] } : pipeline.decode(row),
        known = decoded.probabilities?.map((p, o) => [pipeline.labels[o]!, p] as const);
      writer.write({
        id: record.id ?? record.place,
        decoded,
        known,
        names: pipeline.labels,
        quantiles,
        weights: attentionWeights.data.subarray(i * T, i * T + steps),
      });
    }
  };
  try {
    for await (const source of streamRecords(paths, pipeline, job, dataFiles(args))) {
      for await (const chunk of chunks(source.records)) await show(chunk);
      for (const note of source.notes ?? []) remark(`note: ${note}`);
    }
  } finally {
    if (leftOut) remark(`note: ${leftOutLine(leftOut)}`);
  }
}

/**
 * Items in chunks: full ones, or what has come when the first of them has waited for a moment, so that a slow pipe is
 * answered. What comes before an error comes.
 */
async function* chunks<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  const iterator = items[Symbol.asyncIterator]();
  // An error is an item until those before it have been handed on.
  const advance = () => iterator.next().catch((error: unknown) => ({ error }));
  try {
    for (let next = advance();;) {
      const chunk: T[] = [];
      let timer: ReturnType<typeof setTimeout> | undefined, pause: Promise<undefined> | undefined;
      let come = await next;
      while (come && !("error" in come) && !come.done) {
        chunk.push(come.value);
        next = advance();
        if (chunk.length === CHUNK) break;
        pause ??= new Promise((resolve) => timer = setTimeout(() => resolve(undefined), PAUSE));
        come = await Promise.race([next, pause]) as typeof come;
      }
      clearTimeout(timer);
      if (chunk.length) yield chunk;
      if (!come) continue;
      if ("error" in come) throw come.error;
      if (come.done) return;
    }
  } finally {
    await iterator.return?.();
  }
}

/** The rows that follow a table's last. */
async function forecast(
  { model, ...loaded }: LoadedCheckpoint,
  pipeline: ForecastPipeline,
  paths: readonly string[],
  args: Arguments,
  writer: PredictionWriter,
): Promise<void> {
  const table = await loadTable(paths, dataJob({ model, ...loaded }, args.given), dataFiles(args));
  const inputs = pipeline.inputs(table), quantiles = quantilesOf(model), { loss = pipeline.loss } = model;
  const { outputs, attentionWeights } = await predict(model, inputs, { loss });
  const values = pipeline.values(outputs.data, inputs, quantiles), { targetColumns } = pipeline.toJSON();
  const width = values.length / pipeline.horizon;
  for (let h = 0; h < pipeline.horizon; h++) {
    const row = [...values.subarray(h * width, (h + 1) * width)];
    const weights = h === 0 ? attentionWeights.data : undefined;
    writer.write({ id: `${table.name} +${h + 1}`, decoded: { values: row }, names: targetColumns, quantiles, weights });
  }
}

/** Sequences as the model takes them, for a checkpoint without preprocessing. */
async function predictArrays(
  model: Model,
  paths: readonly string[],
  args: Arguments,
  writer: PredictionWriter,
): Promise<void> {
  const { inputSize: I } = model.config, asked = args.given.files.format as Format | undefined;
  for (const given of await dataFiles(args).inputs(paths, false)) {
    const { records } = await readRecords(given, {
      format: asked ?? formatOf(given.name) ?? "jsonl",
      optionalLabels: true,
    });
    for await (const chunk of chunks(records)) {
      for (const { values, steps, channels, place, missing } of chunk) {
        if (channels !== I) {
          throw new Error(`cannot read ${place}: a step must be a list of ${I} numbers, got ${channels}`);
        }
        if (missing) throw new Error(`cannot read ${place}: a value is missing at ${missing}`);
        await predictBatch(model, { x: Float32Array.from(values!), shape: [1, steps, I] }, [place], writer);
      }
    }
  }
}

/** A batch, every sequence with its attention weights. */
async function predictBatch(
  model: Model,
  sequences: Sequences,
  ids: readonly string[],
  writer: PredictionWriter,
): Promise<void> {
  const { outputs, predicts, attentionWeights } = await predict(model, sequences);
  const [B, T] = sequences.shape as [number, number], O = model.config.outputSize;
  const quantiles = quantilesOf(model),
    names = Array.from({ length: O / (quantiles?.length ?? 1) }, (_, o) => `value ${o}`);
  for (let i = 0; i < B; i++) {
    const values = outputs.data.subarray(i * O, (i + 1) * O);
    const weights = attentionWeights.data.subarray(i * T, (i + 1) * T);
    const id = ids[i] ?? String(i), number = predicts === "probabilities" ? classOf(values) : undefined;
    if (predicts === "quantiles") writer.write({ id, decoded: { values: [...values] }, names, quantiles, weights });
    else writer.plain(id, number, values, weights);
  }
}

/** The most likely class; of a single output, whether it is above 0.5. */
function classOf(values: Float32Array): number {
  return values.length === 1 ? Number(values[0]! > 0.5) : values.indexOf(Math.max(...values));
}
