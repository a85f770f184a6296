/** Predictions for a stream of sequences. */

import type { PairPipeline } from "../data/pair_pipeline.ts";
import type { PairRecord } from "../data/pair_records.ts";
import type { Pipeline } from "../data/pipeline.ts";
import { byKind, restoreAny } from "../data/preprocessing.ts";
import { formatOf, readSuited } from "../data/readers/read.ts";
import type { SequenceRecord } from "../data/readers/record.ts";
import type { ForecastPipeline } from "../data/forecast.ts";
import { errorCause, fail } from "../errors.ts";
import type { PreparedSequences } from "../data/prepared.ts";
import type { ForecastInputs } from "../data/windows.ts";
import { quantilesOf } from "../model/losses.ts";
import type { Model, NetworkModel, Sequences } from "../model/model.ts";
import type { Searcher } from "../model/search.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { predict } from "../train/evaluate.ts";
import { blankOf, type Computed, forecastsOf, namedOf, plainOf } from "./computed.ts";
import type { DataJob } from "./data_options.ts";
import { type GivenOptions, UsageError } from "./options.ts";
import type {
  Answer,
  AnsweredNumbers,
  AnsweredSource,
  NamedPrediction,
  NoPrediction,
  PlainPrediction,
} from "./prediction.ts";
import { askedOf, type DataSource, leftOutLine, loadTable, readOptions, windowsOf } from "./read_data.ts";
import { UnknownTokens } from "./unknown_tokens.ts";
import { configOf, dataJob } from "./stored_job.ts";
import { streamRecords } from "./stream_records.ts";

export type { Answer, AnsweredNumbers, AnsweredSource, NamedPrediction, NoPrediction, PlainPrediction };

/** Sequences that are predicted at a time; about how many numbers or characters of them, and outputs, are in memory. */
const CHUNK = 256, CHUNK_SIZE = 2 ** 22, CHUNK_OUTPUTS = 2 ** 24;

/** Milliseconds that a sequence waits for others at most, to be predicted with them. */
const PAUSE = 50;

/** What a checkpoint is asked. */
export interface Question {
  readonly loaded: LoadedCheckpoint;
  readonly paths: readonly string[];
  readonly given: GivenOptions;
  readonly source: DataSource;
  /** Is told what there is to know about the files. */
  readonly onNote: (note: string) => void;
  /** Of forecasts: the first row to forecast, counted from 0, or from the end. Default: the one after the last. */
  readonly fromRow?: number;
  /** What computes, in place of the model's own batches. */
  readonly compute?: Compute;
  /** What searches, in place of one made for this question. */
  readonly searcher?: Searcher;
}

/** Computes what a model says of sequences. */
export type Compute = (sequences: PreparedSequences | ForecastInputs | Sequences) => Computed;

/** Predictions for files, as the checkpoint's preprocessing takes them; without one, for sequences as the model does. */
export function predictions(question: Question): AsyncGenerator<Answer> {
  const { loaded } = question;
  if (!loaded.preprocessing) {
    if (question.fromRow !== undefined) {
      throw new UsageError("--from-row is for forecasts, with their preprocessing kept");
    }
    return ofArrays(question);
  }
  const job = dataJob(loaded, question.given);
  const noRows = (what: string) => {
    if (question.fromRow !== undefined) throw new UsageError(`--from-row is for forecasts, not for ${what}`);
  };
  return byKind<AsyncGenerator<Answer>>(restoreAny(loaded.preprocessing), {
    sequences: (pipeline) => {
      noRows("labeled sequences");
      return ofRecords(pipeline, job, question);
    },
    forecasts: (pipeline) => ofTable(pipeline, job, question),
    pairs: (pipeline) => {
      noRows("pairs of sequences");
      return ofSources(pipeline, job, question);
    },
  });
}

async function* ofRecords(
  pipeline: Pipeline,
  job: DataJob,
  { loaded: { model }, paths, source, onNote, compute }: Question,
): AsyncGenerator<Answer> {
  const isCut = windowsOf(job) !== undefined,
    place = pipeline.everyStep ? { row: 0 } : isCut ? { rows: [0, 0] as const } : {};
  const blank = { ...blankOf(model, pipeline), ...place };
  let leftOut = 0;
  try {
    for await (const opened of streamRecords(paths, pipeline, job, source)) {
      for await (const chunk of chunks(opened.records, pipeline.outputSize, sizeOfRecord)) {
        const records = chunk.filter((record) => record.fault || pipeline.keeps(record));
        leftOut += chunk.length - records.length;
        const check = (record: SequenceRecord) => void pipeline.sequences([record]);
        for await (const answer of answers(records, (good) => ofChunk(model, pipeline, good, compute), check, blank)) {
          if ("steps" in answer && answer.steps) yield* answer.steps;
          else yield answer;
        }
      }
      for (const note of opened.notes ?? []) onNote(note);
    }
  } finally {
    if (leftOut) onNote(leftOutLine(leftOut));
  }
}

/**
 * Predictions for some records, in their order; for one that cannot be read or taken, what is wrong with it.
 *
 * @param check Throws what is wrong with a record by itself.
 */
async function* answers<Prediction extends NamedPrediction | PlainPrediction>(
  records: readonly SequenceRecord[],
  predict: (records: readonly SequenceRecord[]) => AsyncIterable<Prediction>,
  check: (record: SequenceRecord) => void,
  blank: Prediction,
): AsyncGenerator<Prediction | NoPrediction<Prediction>> {
  const faults = new Map<SequenceRecord, unknown>();
  for (const record of records) if (record.fault) faults.set(record, record.fault);
  const good = () => records.filter((record) => !faults.has(record));
  const all = async () => good().length ? await listOf(predict(good())) : [];
  let found: Prediction[];
  try {
    found = await all();
  } catch (error) {
    const before = faults.size;
    for (const record of good()) {
      try {
        check(record);
      } catch (fault) {
        if (!errorCause(fault)) throw fault;
        faults.set(record, fault);
      }
    }
    if (faults.size === before) throw error;
    found = await all();
  }
  let next = 0;
  for (const record of records) {
    if (!faults.has(record)) yield found[next++]!;
    else yield { id: record.id ?? record.place, error: faults.get(record), blank };
  }
}

async function* ofChunk(
  model: Model,
  pipeline: Pipeline,
  records: readonly SequenceRecord[],
  compute?: Compute,
): AsyncGenerator<NamedPrediction> {
  const { loss = pipeline.loss } = model, found: NamedPrediction[] = [];
  // Parts of similar lengths are padded little; the predictions come in the order of the records.
  for (const sequences of pipeline.parts(records)) {
    // A network of a program's own may be without attention, or have outputs at every step.
    const computed = compute?.(sequences) ?? await predict(model as NetworkModel, sequences, { loss });
    for (const [row, said] of namedOf(model, pipeline, records, sequences, computed)) found[row] = said;
  }
  yield* found;
}

/** The answers to sources, or what is wrong with one. */
async function* ofSources(
  pipeline: PairPipeline,
  job: DataJob,
  { loaded: { model }, paths, source: data, onNote, searcher }: Question,
): AsyncGenerator<AnsweredSource | AnsweredNumbers | NoPrediction<AnsweredSource | AnsweredNumbers>> {
  const [{ openAnswerer }, { streamSources }] = await Promise.all([import("./answers.ts"), import("./read_pairs.ts")]);
  using answerer = await openAnswerer(model, pipeline, job, searcher);
  const isNumbers = pipeline.target.unit === "numbers", unknown = new UnknownTokens(pipeline);
  const blank = isNumbers ? blankSteps(model, pipeline) : { id: "", source: "", tokens: [], answers: [] };
  try {
    for await (
      const chunk of chunks(
        streamSources(paths, job, data, pipeline.source.unit === "numbers", pipeline.reading),
        1,
        sizeOfSource,
      )
    ) {
      const faults = new Map(chunk.flatMap((record) => {
        const fault = record.fault ?? faultOf(() => void (pipeline.sources([record]), pipeline.start([record])));
        return fault === undefined ? [] : [[record, fault] as const];
      }));
      // A line without text has no answer.
      const asked = chunk.filter((record) =>
        !faults.has(record) && (isNumbers || pipeline.split(record.source).length)
      );
      const [texts, numbers] = [await answerer.texts(asked), await answerer.numbers(asked)];
      const of = new Map(asked.map((record, i) => [record, i]));
      for (const record of chunk) {
        const { source, place: id } = record, i = of.get(record) ?? -1;
        if (faults.has(record)) {
          yield { id, error: faults.get(record), blank };
          continue;
        }
        unknown.add(record);
        if (isNumbers) yield { id, ...numbers[i]! };
        else {
          const words = typeof source === "string" ? source : JSON.stringify(source);
          yield { id, source: words, tokens: pipeline.split(source), answers: texts[i] ?? [] };
        }
      }
    }
  } finally {
    if (unknown.line) onNote(unknown.line);
  }
}

/** What a model of numbers would say: a step of them. */
function blankSteps(model: NetworkModel, { target: { size } }: PairPipeline): AnsweredNumbers {
  const quantiles = quantilesOf(model), width = size * (quantiles?.length ?? 1);
  return { id: "", steps: [new Array(width).fill(0)], ...quantiles && { quantiles } };
}

/** What is wrong with a record, if something is. */
function faultOf(check: () => void): unknown {
  try {
    check();
  } catch (fault) {
    if (!errorCause(fault)) throw fault;
    return fault;
  }
}

/** How much of the memory a source takes. */
function sizeOfSource({ source }: PairRecord): number {
  return typeof source === "string" ? source.length : source.length * (source[0]?.length ?? 1);
}

/** The rows that follow a table's last. */
async function* ofTable(
  pipeline: ForecastPipeline,
  job: DataJob,
  { loaded: { model }, paths, source, onNote, fromRow, compute }: Question,
): AsyncGenerator<NamedPrediction> {
  const table = await loadTable(paths, job, source, pipeline.reading), { reach } = pipeline, { rows, name } = table;
  const first = fromRow === undefined ? rows : fromRow < 0 ? rows + fromRow : fromRow;
  if (fromRow !== undefined && (first < reach || first > rows)) {
    throw new UsageError(`--from-row must be from ${reach} to ${rows}, or -1 and less from the end, got ${fromRow}`);
  }
  const inputs = pipeline.inputs(table, first);
  const idOf = (h: number) => fromRow === undefined ? `${name} +${h + 1}` : `${name}, row ${first + h}`;
  for (const note of [...table.notes ?? [], ...inputs.notes ?? []]) onNote(note);
  const { loss = pipeline.loss } = model;
  const computed = compute?.(inputs) ?? await predict(model as NetworkModel, inputs, { loss });
  yield* forecastsOf(model, pipeline, inputs, computed, idOf);
}

async function* ofArrays(
  { loaded: { model }, paths, given, source, compute }: Question,
): AsyncGenerator<Answer> {
  const { inputSize: I } = configOf(model, "predict"), { files, columns } = given;
  const options = { ...readOptions({ files, columns, preparation: {} }), optionalLabels: true, faults: true };
  const zeros = { x: new Float32Array(I), shape: [1, 1, I] },
    blank = (await listOf(batchPredictions(model, zeros, [], compute)))[0]!;
  const check = ({ channels, place, missing }: SequenceRecord) => {
    const problem = channels !== I
      ? `a step must be a list of ${I} numbers, got ${channels}`
      : missing && `a value is missing at ${missing}`;
    if (problem) throw fail("input-kind", `read ${place}`, problem);
  };
  const predictOne = ([record]: readonly SequenceRecord[]) => {
    check(record!);
    const { values, steps, place } = record!;
    return batchPredictions(model, { x: Float32Array.from(values!), shape: [1, steps, I] }, [place], compute);
  };
  for (const input of await source.inputs(paths, false)) {
    const format = options.format ?? formatOf(input.name) ?? "jsonl";
    const { records } = await readSuited(input, { ...options, format }, askedOf(given));
    for await (const chunk of chunks(records, 1, sizeOfRecord)) {
      for (const record of chunk) yield* answers([record], predictOne, check, blank);
    }
  }
}

/** Predictions for a batch without names, every sequence with its attention weights. */
export async function* batchPredictions(
  model: Model,
  sequences: Sequences,
  ids: readonly string[] = [],
  compute?: Compute,
): AsyncGenerator<NamedPrediction | PlainPrediction> {
  yield* plainOf(model, sequences, compute?.(sequences) ?? await outputsOf(model, sequences), ids);
}

/** All that comes: Node 20 has no function for it. */
async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** What a model says, or its scores if it does not know what they mean. */
async function outputsOf(model: Model, sequences: Sequences): Promise<Computed> {
  if (model.loss !== undefined) return await predict(model, sequences);
  const { logits, attentionWeights } = await model.forward(sequences);
  return { outputs: logits, predicts: "scores", attentionWeights };
}

/** How much of the memory a record takes. */
function sizeOfRecord({ values, text }: SequenceRecord): number {
  return (values ?? text)?.length ?? 0;
}

/**
 * Items in chunks: full ones, or what has come when the first of them has waited for a moment, so that a slow pipe is
 * answered. What comes before an error comes.
 */
async function* chunks<R>(
  items: AsyncIterable<R>,
  outputs: number,
  sizeOf: (item: R) => number,
): AsyncGenerator<R[]> {
  const iterator = items[Symbol.asyncIterator](), most = Math.max(1, Math.min(CHUNK, CHUNK_OUTPUTS / outputs));
  // An error is an item until those before it have been handed on.
  const advance = () => iterator.next().catch((error: unknown) => ({ error }));
  try {
    for (let next = advance();;) {
      const chunk: R[] = [];
      let size = 0;
      let timer: ReturnType<typeof setTimeout> | undefined, pause: Promise<undefined> | undefined;
      let come = await next;
      while (come && !("error" in come) && !come.done) {
        chunk.push(come.value);
        size += sizeOf(come.value);
        next = advance();
        if (chunk.length >= most || size >= CHUNK_SIZE) break;
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
