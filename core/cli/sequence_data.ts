/** Labelled sequences: divided, prepared, scored. */

import type { Dataset } from "../data/dataset.ts";
import { Pipeline, type PipelineOptions, type PreparedDataset } from "../data/pipeline.ts";
import type { Preprocessing } from "../data/preprocessing.ts";
import { plainLabels } from "../data/readers/decimals.ts";
import type { SequenceRecord } from "../data/readers/record.ts";
import { everyNth, kFold, randomIndices, stratifiedSplit } from "../data/split.ts";
import { balancedWeights } from "../data/weights.ts";
import { LOSSES } from "../model/losses.ts";
import { describePredictions } from "../report/describe.ts";
import { DATA_OPTIONS, type DataJob } from "./data_options.ts";
import { pathName } from "./inputs.ts";
import { dividing, type JobData, type OwnJob, type Scored } from "./job_data.ts";
import { leftOutLine, type Loaded, loadRecords, type Loads } from "./load_data.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import { type Arguments, flagFor, UsageError } from "./options.ts";
import { plural } from "./terminal.ts";

/** Records for training, watching and testing. */
interface Division {
  /** Which of several: "fold 2". */
  readonly name?: string;
  readonly train: readonly SequenceRecord[];
  readonly validation?: readonly SequenceRecord[];
  readonly test?: readonly SequenceRecord[];
}

/** Every training that a job asks for. */
export async function* sequences(
  { own, everything: { seed }, training }: OwnJob,
  loads: Loads,
  restored?: Preprocessing,
) {
  const job = own!;
  for (const [name, value] of Object.entries(job.forecast)) {
    if (value === (DATA_OPTIONS.forecast as Record<string, { default?: unknown }>)[name]!.default) continue;
    throw new UsageError(`--${flagFor("forecast", name)} needs --target-column`);
  }
  if (job.division.walkForward !== undefined) throw new UsageError("--walk-forward needs --target-column");
  const pipeline = restored as Pipeline | undefined;
  const loaded = await loads.train(pipeline), test = await loads.test();
  for (const division of divide(loaded, test, job, seed)) {
    const fitted = pipeline ?? Pipeline.fit(division.train, pipelineOptions(job, loaded));
    const notes = [...loaded.notes, ...test?.notes ?? []];
    const data = sequenceData(fitted, division, job, chooseLoss(training, fitted), notes);
    yield { name: division.name, data };
  }
}

/** The part of a job's options that its pipeline takes. */
function pipelineOptions({ preparation }: DataJob, { labelNames, channelNames, stepNames }: Loaded): PipelineOptions {
  const { embeddingDim: _e, classWeights: _c, posWeight: _p, ...options } = preparation;
  const task = (options.task ?? (options.labelSeparator && "multilabel")) as PipelineOptions["task"];
  if (options.labelSeparator !== undefined && task !== "multilabel") {
    throw new UsageError(`--label-separator is for the task multilabel, not for ${task}`);
  }
  return { ...options, task, labelNames, channelNames, stepNames };
}

/** How a job divides its records. */
function divide({ records, files }: Loaded, testLoaded: Loaded | undefined, job: DataJob, seed: number): Division[] {
  const { testSplit, testEvery, folds, stratify, validationSplit } = job.division;
  const ways = Object.entries({
    "--test-data": job.files.testData,
    "--test-split": testSplit,
    "--test-every": testEvery,
    "--folds": folds,
  }).filter(([, value]) => value !== undefined).map(([flag]) => flag);
  if (ways.length > 1) throw new UsageError(`${ways[0]} and ${ways[1]} contradict each other`);
  const pick = (rows: Iterable<number>, of = records) => Array.from(rows, (row) => of[row]!);
  const named = job.files.data.map(pathName).join(", ");
  const cut = (of: readonly SequenceRecord[], option: string, share: number) => {
    const classes = stratify ? classesOf(of, job) : undefined, parts = [1 - share, share];
    const rows = dividing(
      { what: named, item: "sequence", option },
      () => classes ? stratifiedSplit(classes, parts, seed) : randomIndices(of.length, parts, seed),
    );
    return rows.map((part) => pick(part, of));
  };
  const watched = (division: Division): Division => {
    if (validationSplit === undefined) return division;
    const [train, validation] = cut(division.train, "validationSplit", validationSplit);
    return { ...division, train: train!, validation };
  };
  if (folds !== undefined) {
    const classes = stratify ? classesOf(records, job) : undefined;
    const parts = dividing(
      { what: named, item: "sequence", option: "folds" },
      () => kFold(records.length, folds, seed, { classes }),
    );
    return parts.map(({ train, test }, i) => watched({ name: `fold ${i + 1}`, train: pick(train), test: pick(test) }));
  }
  if (testLoaded) return [watched({ train: records, test: testLoaded.records })];
  if (testEvery !== undefined) {
    const { train, test } = dividing(
      { what: named, item: "sequence", option: "testEvery" },
      () => everyNth(records.length, testEvery, files),
    );
    return [watched({ train: pick(train), test: pick(test) })];
  }
  if (testSplit === 0) return [watched({ train: records })];
  const [train, test] = cut(records, "testSplit", testSplit ?? 0.2);
  return [watched({ train: train!, test })];
}

/** The class of each record, where they are classes: few names, each more than once. */
function classesOf(
  records: readonly SequenceRecord[],
  { preparation: { task } }: DataJob,
): readonly string[] | undefined {
  if (task === "regression" || task === "multilabel" || records.some(({ labels }) => labels?.length !== 1)) {
    return undefined;
  }
  const classes = plainLabels(records.map(({ labels }) => labels![0]!));
  return new Set(classes).size <= records.length / 2 ? classes : undefined;
}

function sequenceData(
  pipeline: Pipeline,
  { train, validation, test }: Division,
  job: DataJob,
  loss: ChosenLoss,
  notes: readonly string[],
): JobData {
  const dataset = pipeline.dataset(train), watched = validation && pipeline.dataset(validation);
  const held = test && pipeline.dataset(test);
  const part = (name: string, { rows }: PreparedDataset, of: readonly SequenceRecord[]) =>
    `${name}: ${plural(rows.length, "sequence")}${leftOut(of.length - rows.length)}`;
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
      ...[...notes, ...pipeline.notes].map((note) => `note: ${note}`),
      ...watched ? [part("validation", watched, validation!)] : [],
      ...held ? [part("test", held, test!)] : [],
    ],
    own: {
      preprocessing: pipeline,
      test: held,
      ...pipeline.task === "regression" && { targets: pipeline.labels },
      metrics: (outputs, quantiles) => pipeline.score(outputs, held!, { quantiles }),
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
  const [one, many] = pipeline.task === "regression"
    ? ["target"]
    : pipeline.task === "multilabel"
    ? ["label"]
    : ["class", "classes"];
  return `${plural(N, "sequence")}, ${steps} ${unit}, ${plural(pipeline.labels.length, one!, many)}`;
}

/** How many sequences do not take part, in words. */
function leftOut(count: number): string {
  return count ? `; ${leftOutLine(count)}` : "";
}

function configOf({ inputSize, outputSize, numEmbeddings, paddingIdx }: Pipeline): JobData["config"] {
  return { inputSize, outputSize, ...numEmbeddings && { numEmbeddings, paddingIdx } };
}

function weightsOf(
  pipeline: Pipeline,
  { loss }: ChosenLoss,
  { targets }: Dataset,
  { preparation }: DataJob,
): JobData["weights"] {
  const { classWeights, posWeight } = preparation, { outputSize: O, labels } = pipeline;
  if (posWeight) {
    if (LOSSES[loss].weights !== "posWeight") throw new UsageError(`--pos-weight is for the loss bce, not for ${loss}`);
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
    throw new UsageError(`--class-weights is for classes and the loss crossEntropy, not for ${loss}`);
  }
  if (classWeights.length === 1 && classWeights[0] === "balanced") {
    return { classWeights: balancedWeights(targets, O) };
  }
  const numbers = classWeights.map(Number);
  if (numbers.length !== O || numbers.some((n) => !(n >= 0 && n < Infinity))) {
    throw new UsageError(
      `--class-weights must be "balanced" or ${O} numbers from 0, for ${labels.join(", ")}, got "${classWeights}"`,
    );
  }
  return { classWeights: numbers };
}

/** Labelled files as a fitted pipeline takes them. */
export async function labelledData(
  pipeline: Pipeline,
  paths: readonly string[],
  job: DataJob,
  args: Arguments,
): Promise<Scored> {
  const { channelNames, stepNames } = pipeline, { labelFile } = job.files;
  const { records, notes } = await loadRecords(paths, job, args, { channelNames, stepNames, labelFile });
  const test = pipeline.dataset(records), leftOut = records.length - test.rows.length;
  const remarks = [...notes, ...leftOut ? [leftOutLine(leftOut)] : []];
  return {
    test,
    ...pipeline.task === "regression" && { targets: pipeline.labels },
    metrics: (outputs, quantiles) => pipeline.score(outputs, test, { quantiles }),
    ...remarks.length && { remark: remarks.join("; ") },
  };
}
