/** Data of one's own: from the files that a command line names to datasets, and from outputs back to what they say. */

import type { Dataset } from "../data/dataset.ts";
import { Pipeline, type PipelineOptions } from "../data/pipeline.ts";
import { type Preprocessing, restorePreprocessing } from "../data/preprocessing.ts";
import { readRecords, readTable } from "../data/readers/read.ts";
import type { Format, ReadOptions, SequenceRecord, Table } from "../data/readers/record.ts";
import { everyNth, kFold, randomIndices, stratifiedSplit, walkForward } from "../data/split.ts";
import { balancedWeights } from "../data/weights.ts";
import { type ForecastDataset, ForecastPipeline, type RowRange } from "../data/windows.ts";
import type { NamedArray } from "../model/model.ts";
import { describeForecasts, describePredictions } from "../report/describe.ts";
import { classificationMetrics, regressionMetrics, type TaskMetrics } from "../train/metrics.ts";
import type { DataJob } from "./data_options.ts";
import { inputsOf } from "./inputs.ts";
import type { JobData, OwnData } from "./job_data.ts";
import { type Arguments, type Job, UsageError } from "./options.ts";
import { forecastValues, inUnits } from "./units.ts";

/** The records of some files. */
export interface Loaded {
  readonly records: readonly SequenceRecord[];
  /** The file of each. */
  readonly files: readonly number[];
  readonly labelNames?: readonly string[];
  readonly channelNames?: readonly string[];
}

/** How the files of a job are read. */
export function readOptions({ files, columns, preparation }: DataJob): ReadOptions {
  const column = (name: string) => /^-?\d+$/.test(name) ? Number(name) : name;
  const { format, delimiter, header } = files;
  const { sequenceColumn, timeColumn, labelColumn, featureColumns, weightColumn, textColumn } = columns;
  const text = preparation.tokens && textColumn === undefined ? "text" : undefined;
  return {
    ...(format ?? text) && { format: (format ?? text) as Format },
    ...delimiter !== undefined && { delimiter: delimiter === "tab" ? "\t" : delimiter },
    ...!header && { header },
    ...sequenceColumn !== undefined && { sequenceColumn: column(sequenceColumn) },
    ...timeColumn !== undefined && { timeColumn: column(timeColumn) },
    ...labelColumn && { labelColumns: labelColumn.map(column) },
    ...featureColumns && { featureColumns: featureColumns.map(column) },
    ...weightColumn !== undefined && { weightColumn: column(weightColumn) },
    ...textColumn !== undefined && { textColumn: column(textColumn) },
  };
}

/** Reads all records of some files. */
export async function loadRecords(
  paths: readonly string[],
  job: DataJob,
  args: Arguments,
  more: ReadOptions = {},
): Promise<Loaded> {
  const options = { ...readOptions(job), ...more }, records: SequenceRecord[] = [], files: number[] = [];
  let labelNames: readonly string[] | undefined, channelNames: readonly string[] | undefined;
  for (const [file, input] of (await inputsOf(paths, options.format === "text", args)).entries()) {
    const source = await readRecords(input, options);
    labelNames ??= source.labelNames;
    channelNames ??= source.channelNames;
    for await (const record of source.records) {
      records.push(record);
      files.push(file);
    }
  }
  if (!records.length) throw new Error(`cannot ${args.command}: there is no sequence in ${paths.join(", ")}`);
  return { records, files, labelNames, channelNames };
}

/** Reads the one table of a forecast. */
export async function loadTable(paths: readonly string[], job: DataJob, args: Arguments): Promise<Table> {
  const inputs = await inputsOf(paths, false, args);
  if (inputs.length !== 1) throw new UsageError(`forecasts are made on one table, got ${inputs.length} files`);
  const { labelColumns: _, featureColumns: __, ...options } = readOptions(job);
  return await readTable(inputs[0]!, options);
}

/** What a job trains on: once, or once for each fold. */
export async function* ownData(
  job: Job,
  args: Arguments,
  stored?: object,
): AsyncGenerator<{ name?: string; data: JobData }> {
  const own = job.own!, restored = stored && restorePreprocessing(stored);
  if (own.forecast.targetColumn || own.preparation.task === "forecast") yield* forecasts(own, args, restored);
  else yield* sequences(own, job.everything.seed, args, restored);
}

/** Records for training, watching and testing. */
interface Division {
  /** Which of several: "fold 2". */
  readonly name?: string;
  readonly train: readonly SequenceRecord[];
  readonly validation?: readonly SequenceRecord[];
  readonly test?: readonly SequenceRecord[];
}

async function* sequences(job: DataJob, seed: number, args: Arguments, restored?: Preprocessing) {
  const loaded = await loadRecords(job.files.data, job, args);
  for (const [flag, value] of Object.entries({ ...job.forecast, walkForward: job.division.walkForward })) {
    if (value !== undefined && value !== false && value !== "none") {
      throw new UsageError(`--${flag.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} needs --target-column`);
    }
  }
  for (const division of await divide(loaded, job, seed, args)) {
    const pipeline = restored as Pipeline ?? Pipeline.fit(division.train, pipelineOptions(job, loaded));
    yield { name: division.name, data: sequenceData(pipeline, division, job) };
  }
}

/** The part of a job's options that its pipeline takes. */
function pipelineOptions({ preparation }: DataJob, { labelNames, channelNames }: Loaded): PipelineOptions {
  const { embeddingDim: _e, classWeights: _c, posWeight: _p, task, ...options } = preparation;
  return { ...options, task: task as PipelineOptions["task"], labelNames, channelNames };
}

/** How a job divides its records. */
async function divide(loaded: Loaded, job: DataJob, seed: number, args: Arguments): Promise<Division[]> {
  const { records, files } = loaded, { testData } = job.files;
  const { testSplit, testEvery, folds, stratify, validationSplit } = job.division;
  const ways = Object.entries({
    "--test-data": testData,
    "--test-split": testSplit,
    "--test-every": testEvery,
    "--folds": folds,
  }).filter(([, value]) => value !== undefined).map(([flag]) => flag);
  if (ways.length > 1) throw new UsageError(`${ways[0]} and ${ways[1]} contradict each other`);
  const pick = (rows: Iterable<number>, of = records) => Array.from(rows, (row) => of[row]!);
  const cut = (of: readonly SequenceRecord[], share: number) => {
    const classes = stratify ? classesOf(of, job) : undefined, parts = [1 - share, share];
    const rows = classes ? stratifiedSplit(classes, parts, seed) : randomIndices(of.length, parts, seed);
    return rows.map((part) => pick(part, of));
  };
  const watched = (division: Division): Division => {
    if (validationSplit === undefined) return division;
    const [train, validation] = cut(division.train, validationSplit);
    return { ...division, train: train!, validation };
  };
  if (folds !== undefined) {
    const classes = stratify ? classesOf(records, job) : undefined;
    return kFold(records.length, folds, seed, { classes }).map(({ train, test }, i) =>
      watched({ name: `fold ${i + 1}`, train: pick(train), test: pick(test) })
    );
  }
  if (testData) return [watched({ train: records, test: (await loadRecords(testData, job, args)).records })];
  if (testEvery !== undefined) {
    const { train, test } = everyNth(records.length, testEvery, files);
    return [watched({ train: pick(train), test: pick(test) })];
  }
  if (testSplit === 0) return [watched({ train: records })];
  const [train, test] = cut(records, testSplit ?? 0.2);
  return [watched({ train: train!, test })];
}

/** The class of each record, where they are classes: few names, each more than once. */
function classesOf(records: readonly SequenceRecord[], { preparation: { task } }: DataJob): string[] | undefined {
  if (task === "regression" || task === "multilabel" || records.some(({ labels }) => labels?.length !== 1)) {
    return undefined;
  }
  const classes = records.map(({ labels }) => labels![0]!);
  return new Set(classes).size <= records.length / 2 ? classes : undefined;
}

function sequenceData(pipeline: Pipeline, { train, validation, test }: Division, job: DataJob): JobData {
  const dataset = pipeline.dataset(train), watched = validation && pipeline.dataset(validation);
  const held = test && pipeline.dataset(test);
  return {
    train: dataset,
    watched: watched ?? held,
    watchedName: watched ? "validation" : "test",
    config: configOf(pipeline),
    loss: pipeline.loss,
    weights: weightsOf(pipeline, dataset, job),
    description: [
      `${job.files.data.join(", ")}: ${sequencesLine(pipeline, dataset)}`,
      ...pipeline.guesses,
      ...watched ? [`validation: ${watched.shape[0]} sequences`] : [],
      ...held ? [`test: ${held.shape[0]} sequences`] : [],
    ],
    own: {
      preprocessing: pipeline,
      test: held,
      metrics: (outputs) => sequenceMetrics(pipeline, held!, outputs),
      pictures: async (model, probabilities) =>
        test && held ? await describePredictions(model, pipeline, test, { data: held, probabilities }) : {},
    },
  };
}

/** What a dataset holds, in words. */
function sequencesLine(pipeline: Pipeline, { shape, lengths }: Dataset): string {
  const [N, T, I] = shape as [number, number, number];
  const steps = lengths ? `${lengths.reduce((a, b) => Math.min(a, b))} to ${T}` : `${T}`;
  const unit = pipeline.numEmbeddings ? `tokens of ${pipeline.numEmbeddings}` : `steps of ${I}`;
  const what = pipeline.task === "regression" ? "targets" : pipeline.task === "multilabel" ? "labels" : "classes";
  return `${N} sequences, ${steps} ${unit}, ${pipeline.labels.length} ${what}`;
}

function configOf({ inputSize, outputSize, numEmbeddings, paddingIdx }: Pipeline): JobData["config"] {
  return { inputSize, outputSize, ...numEmbeddings && { numEmbeddings, paddingIdx } };
}

function weightsOf(pipeline: Pipeline, { targets }: Dataset, { preparation }: DataJob): JobData["weights"] {
  const { classWeights, posWeight } = preparation;
  if (posWeight) {
    if (pipeline.loss !== "bce") throw new UsageError(`--pos-weight is for the loss bce, not for ${pipeline.loss}`);
    return { posWeight };
  }
  if (!classWeights) return {};
  if (pipeline.loss !== "crossEntropy") {
    throw new UsageError(`--class-weights is for classes, not for the task ${pipeline.task}`);
  }
  if (classWeights.length === 1 && classWeights[0] === "balanced") {
    return { classWeights: balancedWeights(targets, pipeline.outputSize) };
  }
  const numbers = classWeights.map(Number), O = pipeline.outputSize;
  if (numbers.length !== O || numbers.some((n) => !(n >= 0 && n < Infinity))) {
    throw new UsageError(
      `--class-weights must be "balanced" or ${O} numbers from 0, for ${
        pipeline.labels.join(", ")
      }, got "${classWeights}"`,
    );
  }
  return { classWeights: numbers };
}

/** What outputs for labelled sequences are worth. */
export function sequenceMetrics(pipeline: Pipeline, { targets }: Dataset, outputs: NamedArray): TaskMetrics {
  const { task, labels } = pipeline;
  if (task === "regression") {
    const units = (values: ArrayLike<number>) => inUnits(pipeline, values);
    const { shape, data } = outputs;
    return regressionMetrics({ shape, data: units(data) }, { shape, data: units(targets) });
  }
  return classificationMetrics(outputs, targets, { labels, multilabel: task === "multilabel" });
}

async function* forecasts(job: DataJob, args: Arguments, restored?: Preprocessing) {
  const { files, columns, preparation, division, forecast } = job;
  if (forecast.window === undefined) {
    throw new UsageError("--target-column needs --window N, the rows that a forecast sees");
  }
  for (const flag of ["testEvery", "folds", "validationSplit"] as const) {
    if (division[flag] === undefined) continue;
    throw new UsageError(
      `--${flag.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} mixes past and future: forecasts are divided by ` +
        "--train-rows and --test-rows, or --walk-forward",
    );
  }
  if (files.testData) {
    throw new UsageError("--test-data is not for forecasts: --test-rows FROM:TO are rows of the one table");
  }
  const table = await loadTable(files.data, job, args);
  for (const { name, train, test } of rowDivisions(job, table.rows)) {
    const pipeline = restored as ForecastPipeline ?? ForecastPipeline.fit(table, {
      targetColumns: forecast.targetColumn!,
      featureColumns: columns.featureColumns,
      window: forecast.window,
      horizon: forecast.horizon,
      transform: forecast.transform,
      center: forecast.center,
      standardize: preparation.standardize,
      missing: preparation.missing,
    }, train);
    yield { name, data: forecastData(pipeline, table, train, test) };
  }
}

/** The rows to train and to test on. */
function rowDivisions(
  { division, forecast }: DataJob,
  rows: number,
): { name?: string; train: RowRange; test?: RowRange }[] {
  const range = (flag: string, text: string, from: number, to: number): RowRange => {
    const match = text.match(/^(\d*):(\d*)$/), start = Number(match?.[1] || from), end = Number(match?.[2] || to);
    if (!match || start >= end || end > rows) {
      throw new UsageError(`--${flag} must be FROM:TO within rows 0 to ${rows}, got "${text}"`);
    }
    return [start, end];
  };
  if (division.walkForward !== undefined) {
    return walkForward(rows, division.walkForward).map(({ trainRows, testRows }, i) => ({
      name: `fold ${i + 1}`,
      train: trainRows,
      test: testRows,
    }));
  }
  const { trainRows, testRows } = forecast, share = division.testSplit ?? 0.2;
  const test = testRows !== undefined
    ? range("test-rows", testRows, 0, rows)
    : share > 0
    ? [Math.round(rows * (1 - share)), rows] as const
    : undefined;
  const train = trainRows !== undefined
    ? range("train-rows", trainRows, 0, test?.[0] ?? rows)
    : [0, test?.[0] ?? rows] as const;
  if (test && train[1] > test[0]) {
    throw new UsageError(`rows ${train.join(":")} to train on must come before rows ${test.join(":")} to test on`);
  }
  return [{ train, test }];
}

function forecastData(
  pipeline: ForecastPipeline,
  table: Table,
  train: RowRange,
  test: RowRange | undefined,
): JobData {
  const dataset = windows(pipeline.dataset(table, train)), held = test && pipeline.dataset(table, test);
  const tested = held && windows(held);
  return {
    train: dataset,
    watched: tested,
    watchedName: "test",
    config: { inputSize: pipeline.inputSize, outputSize: pipeline.outputSize },
    loss: pipeline.loss,
    weights: {},
    description: [
      `${table.name}: ${table.rows} rows; ${pipeline.labels.slice(0, 3).join(", ")}${
        pipeline.labels.length > 3 ? ", …" : ""
      } ` +
      `from ${pipeline.window} rows of ${pipeline.channelNames.join(", ")}`,
      `train: ${dataset.shape[0]} windows, targets in rows ${train.join(" to ")}`,
      ...test ? [`test: ${tested!.shape[0]} windows, targets in rows ${test.join(" to ")}`] : [],
    ],
    own: {
      preprocessing: pipeline,
      test: tested,
      metrics: (outputs) => forecastMetrics(pipeline, held!, outputs),
      pictures: async (model, probabilities) =>
        test && held ? await describeForecasts(model, pipeline, table, test, { data: held, probabilities }) : {},
    },
  };
}

/** Windows as a dataset: nothing else. */
function windows({ x, shape, targets }: ForecastDataset): Dataset {
  return { x, shape, targets };
}

/** What forecasts are worth, beside the last value repeated. */
export function forecastMetrics(pipeline: ForecastPipeline, held: ForecastDataset, outputs: NamedArray): TaskMetrics {
  const predicted = forecastValues(pipeline, held, outputs);
  const { shape } = outputs, baseline = { shape, data: pipeline.persistence(held) };
  return regressionMetrics({ shape, data: predicted }, { shape, data: held.truth }, { baseline });
}

/** Labelled files as a stored pipeline takes them. */
export async function recordDataOf(
  pipeline: Preprocessing,
  paths: readonly string[],
  job: DataJob,
  args: Arguments,
): Promise<Scored> {
  const fitted = pipeline as Pipeline,
    { records } = await loadRecords(paths, job, args),
    test = fitted.dataset(records);
  return { test, metrics: (outputs) => sequenceMetrics(fitted, test, outputs) };
}

/** A table as a stored pipeline takes it: every window of it. */
export async function forecastDataOf(
  pipeline: Preprocessing,
  paths: readonly string[],
  job: DataJob,
  args: Arguments,
): Promise<Scored> {
  const fitted = pipeline as ForecastPipeline, held = fitted.dataset(await loadTable(paths, job, args));
  return { test: windows(held), metrics: (outputs) => forecastMetrics(fitted, held, outputs) };
}

/** Data to score a model on. */
type Scored = Pick<OwnData, "test" | "metrics">;
