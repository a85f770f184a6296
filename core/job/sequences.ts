/** Labelled sequences: divided, prepared, scored. */

import type { Dataset } from "../data/dataset.ts";
import type { Task } from "../data/labels.ts";
import { divideRecords, type Division } from "../data/division.ts";
import { Pipeline } from "../data/pipeline.ts";
import type { PreparedDataset } from "../data/prepared.ts";
import type { PipelineOptions } from "../data/pipeline_options.ts";
import { hashDataset } from "../data/hash.ts";
import { countShared } from "../data/overlap.ts";
import { validTargets } from "../data/metrics/rows.ts";
import { each, type Records } from "../data/records.ts";
import { balancedWeights } from "../data/weights.ts";
import { amend, errorCode } from "../errors.ts";
import { LOSSES } from "../model/losses.ts";
import { describePredictions } from "../report/describe.ts";
import type { DataJob } from "./data_options.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import { type FileJob, flagFor, UsageError } from "./options.ts";
import { recordRemarks } from "./record_remarks.ts";
import { type DataSource, leftOutLine, type Loaded, loadRecords, pathName, type ReadData } from "./read_data.ts";
import { suitedOptions } from "./suits.ts";
import type { NamedTraining, TestData, Trained, TrainingData } from "./training_data.ts";
import { plural } from "./words.ts";

/** Every training that a job asks for. */
export async function* sequences(
  { own: job, everything: { seed }, training }: FileJob,
  read: ReadData,
  pipeline?: Pipeline,
  onlyKnownTokens = false,
): AsyncGenerator<NamedTraining> {
  read.refuseUnsuited({ form: "labeled sequences" });
  const loaded = await read.train(pipeline).catch((error) => {
    const isEither = job.forecast.window !== undefined && errorCode(error) === "label-column-unknown";
    const advice = "--target-column NAME for forecasts, --label-column NAME for recordings";
    throw isEither ? amend(error, { option: undefined, advice }) : error;
  });
  const test = await read.test();
  if (pipeline && onlyKnownTokens) refuseUnknownTokens(pipeline, loaded.records);
  refuseSeveralTests(job);
  const input = loaded.records.at(0)!.text === undefined ? "numbers" : "text";
  read.refuseUnsuited({ input });
  const task = job.preparation.task as Task | undefined, name = job.files.data.map(pathName).join(", ");
  const divided = { ...loaded, name, test: test?.records, task };
  const remarks = recordRemarks(loaded, name);
  for (const division of divideRecords(divided, job.division, seed)) {
    const fitted = pipeline ?? Pipeline.fit(division.train, pipelineOptions(job, loaded));
    read.refuseUnsuited({ input, task: fitted.task });
    const notes = [...loaded.notes, ...test?.notes ?? [], ...remarks];
    if (loaded.hasTest && !test) notes.push("the test data of the file are left out: another way to test is asked for");
    const data = sequenceData(fitted, division, job, chooseLoss(training, fitted), notes);
    yield { name: division.name, data };
  }
}

/** Refuses texts with tokens that a vocabulary does not have. */
function refuseUnknownTokens(pipeline: Pipeline, records: Records): void {
  const unknown = pipeline.unknownTokens(records), count = unknown.size;
  if (!count) return;
  const some = [...unknown.keys()].slice(0, 5).map((token) => JSON.stringify(token)).join(", ");
  throw new Error(
    `cannot start: the model does not know ${plural(count, "token")} of the data: ${some}${count > 5 ? ", …" : ""}: ` +
      "--unknown-tokens takes them as unknown",
  );
}

/** The part of a job's options that its pipeline takes. */
function pipelineOptions(
  { preparation, forecast }: DataJob,
  { labelNames, channelNames, stepNames, reading }: Loaded,
): PipelineOptions {
  const { embeddingDim: _e, classWeights: _c, posWeight: _p, stride, windowLabel, ...options } = preparation;
  const { window } = forecast, windows = window === undefined ? undefined : { window, stride, windowLabel };
  const task = (options.task ?? (options.labelSeparator && "multilabel")) as PipelineOptions["task"];
  if (options.labelSeparator !== undefined && task !== "multilabel") {
    throw new UsageError(`--label-separator is for the task multilabel, not for ${task}`);
  }
  return {
    ...options,
    tokens: options.tokens as PipelineOptions["tokens"],
    task,
    labelNames,
    channelNames,
    stepNames,
    reading,
    windows,
  };
}

/** Ways to test contradict one another, and one may leave nothing to what else is asked for. */
export function refuseSeveralTests({ files, division }: DataJob): void {
  const { testSplit, testEvery, folds, stratify, validationSplit } = division;
  const ways = Object.entries({
    "--test-data": files.testData,
    "--test-split": testSplit,
    "--test-every": testEvery,
    "--folds": folds,
  }).filter(([, value]) => value !== undefined).map(([flag]) => flag);
  if (ways.length > 1) throw new UsageError(`${ways[0]} and ${ways[1]} contradict each other`);
  const isCut = validationSplit !== undefined || folds !== undefined ||
    !(files.testData || testEvery || testSplit === 0);
  if (files.testLabelFile && !files.testData) throw new UsageError("--test-label-file needs --test-data FILE");
  if (!stratify && !isCut) {
    throw new UsageError("--no-stratify needs a random division: --test-split or --validation-split");
  }
}

function sequenceData(
  pipeline: Pipeline,
  { train, validation, test }: Division<Records>,
  job: DataJob,
  loss: ChosenLoss,
  notes: readonly string[],
): TrainingData {
  const dataset = pipeline.dataset(train), watched = validation && pipeline.dataset(validation);
  const held = test && pipeline.dataset(test);
  const shared = held ? sharedNote(dataset, held) : [];
  const part = (name: string, { rows }: PreparedDataset, of: Records) =>
    `${name}: ${plural(rows.length, "sequence")}${groupsLine(of)}${leftOut(of.length - rows.length)}`;
  return {
    train: dataset,
    watched: watched ?? held,
    watchedName: watched ? "validation" : "test",
    config: configOf(pipeline),
    loss,
    hasAccuracy: pipeline.task === "multiclass" || pipeline.task === "binary",
    weights: weightsOf(pipeline, loss, dataset, job),
    description: [
      `${job.files.data.map(pathName).join(", ")}: ${sequencesLine(pipeline, dataset)}${
        leftOut(train.length - dataset.rows.length)
      }`,
      ...pipeline.guesses,
      ...job.columns.labelColumn || !pipeline.reading?.labelColumns?.length
        ? []
        : [`label column ${pipeline.reading.labelColumns.join(", ")}: by its name`],
      ...[...notes, ...pipeline.notes].map((note) =>
        `note: ${note.replace("labelEveryStep", `--${flagFor("preparation", "labelEveryStep")}`)}`
      ),
      ...watched ? [part("validation", watched, validation!)] : [],
      ...held ? [part("test", held, test!)] : [],
      ...job.files.testData ? [] : shared.map((note) => `note: ${note}`),
    ],
    ...job.files.testData && { warnings: shared },
    own: {
      preprocessing: pipeline,
      settings: settingsOf(job, pipeline),
      test: held,
      ...namesOf(pipeline),
      metrics: (outputs, quantiles) => pipeline.score(outputs, held!, { quantiles }),
      pictures: async (model, scored) =>
        test && held ? await describePredictions(model, pipeline, test, { data: held, ...scored }) : {},
    },
  };
}

/** What stands in a row of outputs, where scores go by it. */
function namesOf({ task, labels, choosesClass }: Pipeline): Pick<TestData, "targets" | "classes"> {
  return task === "regression" ? { targets: labels } : choosesClass ? { classes: labels } : {};
}

/** What is to be said of test data that were trained on. */
function sharedNote(train: Dataset, test: Dataset): string[] {
  const shared = countShared(test, train), count = test.shape[0]!;
  if (!shared) return [];
  const all = shared === count && count === train.shape[0] ? ": the test data are the training data" : "";
  return [`${shared} of ${plural(count, "test sequence")} ${shared === 1 ? "is" : "are"} trained on too${all}`];
}

/** What was chosen for the data, and does something for them. */
function settingsOf(job: DataJob, { task, numEmbeddings }: Pipeline): object {
  const input = numEmbeddings ? "text" as const : "numbers" as const, { window } = job.forecast;
  const { stride, windowLabel, ...rest } = suitedOptions("preparation", job.preparation, {
    form: "labeled sequences",
    input,
    task,
  });
  return { ...rest, ...window !== undefined && { window, stride: stride ?? window, windowLabel } };
}

/** What a dataset holds, in words. */
function sequencesLine(pipeline: Pipeline, { shape, lengths }: Dataset): string {
  const [N, T, I] = shape as [number, number, number];
  const steps = lengths ? `${lengths.reduce((a, b) => Math.min(a, b))} to ${T}` : `${T}`;
  const unit = pipeline.numEmbeddings ? `tokens of ${pipeline.numEmbeddings}` : `steps of ${I}`;
  const [one, many] = pipeline.task === "regression"
    ? ["target"]
    : pipeline.task === "multilabel"
    ? ["label"]
    : ["class", "classes"];
  return `${plural(N, "sequence")}, ${steps} ${unit}, ${plural(pipeline.labels.length, one!, many)}`;
}

/** The groups that sequences are of, in words, where they are. */
function groupsLine(records: Records): string {
  const groups = [...new Set(each(records, ({ group }) => group))];
  const some = groups.slice(0, 5).join(", ") + (groups.length > 5 ? ", …" : "");
  return groups.length ? ` of ${plural(groups.length, "group")}: ${some}` : "";
}

/** How many sequences do not take part, in words. */
function leftOut(count: number): string {
  return count ? `; ${leftOutLine(count)}` : "";
}

function configOf({ inputSize, outputSize, numEmbeddings, paddingIdx }: Pipeline): TrainingData["config"] {
  return { inputSize, outputSize, ...numEmbeddings && { numEmbeddings, paddingIdx } };
}

function weightsOf(
  pipeline: Pipeline,
  { loss }: ChosenLoss,
  dataset: Dataset,
  { preparation }: DataJob,
): TrainingData["weights"] {
  const { classWeights, posWeight } = preparation, { outputSize: O, labels } = pipeline;
  if (posWeight) {
    if (LOSSES[loss].weights !== "posWeight") throw new UsageError(`--pos-weight is for the loss bce, not for ${loss}`);
    if (posWeight === "balanced") return { posWeight: balancedWeights(validTargets(dataset), O) };
    if (posWeight.length !== O) {
      const outputs = O === 1 ? labels.slice(-1) : labels;
      throw new UsageError(
        `--pos-weight must be ${plural(O, "number")}, for ${outputs.join(", ")}, got ${posWeight.length}`,
      );
    }
    return { posWeight };
  }
  if (!classWeights) return {};
  if (LOSSES[loss].weights !== "classWeights") {
    throw new UsageError(
      `--class-weights is for classes and the loss crossEntropy, not for ${loss}` +
        (loss === "bce" ? ": --pos-weight balanced" : ""),
    );
  }
  if (classWeights.length === 1 && classWeights[0] === "balanced") {
    return { classWeights: balancedWeights(validTargets(dataset), O) };
  }
  const numbers = classWeights.map(Number);
  if (numbers.length !== O || numbers.some((n) => !(n >= 0 && n < Infinity))) {
    throw new UsageError(
      `--class-weights must be "balanced" or ${O} numbers from 0, for ${labels.join(", ")}, got "${classWeights}"`,
    );
  }
  return { classWeights: numbers };
}

/** What of data that are scored was trained on, if they are those of the training, or what it was cut from. */
async function trainedNote(
  pipeline: Pipeline,
  loaded: Loaded,
  test: Dataset,
  { hash, job, seed }: Trained,
): Promise<string | undefined> {
  if (!hash) return undefined;
  const count = test.shape[0]!;
  if (await hashDataset(test) === hash) return `these are the ${plural(count, "sequence")} that it was trained on`;
  if (!job || seed === undefined) return undefined;
  try {
    const divided = { ...loaded, name: "", task: pipeline.task };
    const { train } = divideRecords(divided, job.division, seed)[0]!;
    const dataset = pipeline.dataset(train);
    if (await hashDataset(dataset) !== hash) return undefined;
    return `${dataset.shape[0]} of these ${count} sequences were trained on: without files, evaluate scores the others`;
  } catch (error) {
    // Of other data there may be too few.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Labelled files as a fitted pipeline takes them. */
export async function labelledData(
  pipeline: Pipeline,
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  trained: Trained = {},
): Promise<TestData> {
  const { channelNames, stepNames, reading } = pipeline, { labelFile } = job.files;
  const known = { channelNames, stepNames, reading, labelFile };
  const part = source.given.columns.xKey === undefined ? { part: "test" as const } : {};
  const loaded = await loadRecords(paths, job, source, { ...known, ...part }), { records, notes } = loaded;
  const test = pipeline.dataset(records), leftOut = records.length - test.rows.length;
  const seen = await trainedNote(pipeline, loaded, test, trained);
  const remarks = [...notes, ...leftOut ? [leftOutLine(leftOut)] : [], ...seen ? [seen] : []];
  return {
    test,
    ...namesOf(pipeline),
    metrics: (outputs, quantiles) => pipeline.score(outputs, test, { quantiles }),
    ...remarks.length && { remark: remarks.join("; ") },
  };
}
