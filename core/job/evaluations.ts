/** Scores of a checkpoint: on the data that it was trained and tested on, or on other data. */

import { restoreAny } from "../data/preprocessing.ts";
import { LOSSES } from "../model/losses.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { evaluate } from "../train/evaluate.ts";
import { FileData, testData } from "./file_data.ts";
import { type GivenOptions, UsageError } from "./options.ts";
import type { DataSource } from "./read_data.ts";
import { targetsFor } from "./sample_data.ts";
import { type Scores, scoresOf } from "./scores.ts";
import { dataJob, lossSettings, storedJob, storedSample } from "./stored_job.ts";
import { sequencesIn } from "./training_data.ts";

/** Loss, and accuracy where there is one. */
export interface PartScores {
  /** Sequences. */
  readonly count: number;
  readonly loss: number;
  readonly accuracy?: number;
}

/** Scores of a checkpoint. */
export interface Evaluation {
  /** On what it was trained on, if that is wanted and known. */
  readonly train?: PartScores;
  readonly scores: Scores;
  /** Notes about the data, if there are any. */
  readonly remark?: string;
  /** Whether its epoch was chosen by these very data. */
  readonly isChosenByTest: boolean;
}

/** Sequences per batch. */
const batchSizeOf = ({ training }: LoadedCheckpoint) => training?.options.batchSize ?? 32;

/** On files, as the checkpoint's preprocessing takes them. */
export async function evaluateFiles(
  loaded: LoadedCheckpoint,
  paths: readonly string[],
  given: GivenOptions,
  source: DataSource,
): Promise<Evaluation> {
  const { model } = loaded, pipeline = restoreAny(loaded.preprocessing);
  const stored = storedJob(loaded);
  const data = await testData(pipeline, paths, dataJob(loaded, given), source, {
    trained: { hash: loaded.training?.state.data?.hash, job: stored?.own, seed: stored?.seed },
    testRows: given.forecast.testRows,
  });
  const loss = { loss: model.loss ?? pipeline.loss, ...lossSettings(loaded), batchSize: batchSizeOf(loaded) };
  const isChosenByTest = data.wasWatched === true && loaded.training !== null && isBest(loaded.training);
  return { scores: await scoresOf(model, data, loss), remark: data.remark, isChosenByTest };
}

/** On the data that it was trained and tested on, for each fold if there were several. */
export async function* evaluateStored(
  loaded: LoadedCheckpoint,
  given: GivenOptions,
  source: DataSource,
  withTrain: boolean,
): AsyncGenerator<Evaluation> {
  const { model, preprocessing, training } = loaded, stored = storedJob(loaded), own = dataJob(loaded, given);
  if (given.forecast.testRows) {
    throw new UsageError("--test-rows needs a file to evaluate on: evaluate CHECKPOINT FILE");
  }
  if (!stored?.own) throw new Error("cannot evaluate: the file names no data; name some to evaluate on");
  if (own.files.data.includes("-")) {
    throw new Error("cannot evaluate: it was trained on standard input; name files to evaluate on");
  }
  const job = { own, everything: { seed: stored.seed }, training: { loss: model.loss, ...lossSettings(loaded) } };
  for await (const { data } of new FileData(source, preprocessing!).trainings(job)) {
    const options = { ...data.loss, batchSize: batchSizeOf(loaded) }, count = sequencesIn(data.train);
    const { lossOverSamples: loss, accuracy } = withTrain
      ? await evaluate(model, data.train, options)
      : { lossOverSamples: undefined, accuracy: undefined };
    const { test } = data.own!;
    if (!test) throw new Error("cannot evaluate: nothing was held out for testing; name files to evaluate on");
    yield {
      ...loss !== undefined && { train: { count, loss, ...data.hasAccuracy && { accuracy } } },
      scores: await scoresOf(model, { ...data.own!, test }, options),
      isChosenByTest: data.watched === test && training !== null && isBest(training),
    };
  }
}

/** Whether a checkpoint is of its training's best epoch so far, with more to come. */
function isBest(
  { state: { epoch, history }, options: { epochs } }: NonNullable<LoadedCheckpoint["training"]>,
): boolean {
  const losses = history.map(({ validationLoss, trainLoss }) => validationLoss ?? trainLoss);
  return epoch < epochs && losses.length > 1 && losses.every((loss) => losses.at(-1)! <= loss);
}

/** On the sample job's data: of each part, its name. */
export async function* evaluateSample(
  loaded: LoadedCheckpoint,
  given: GivenOptions,
  withTrain: boolean,
): AsyncGenerator<PartScores & { readonly name: string; readonly width: number }> {
  const { model } = loaded, { loss } = model, batchSize = loaded.training?.options.batchSize;
  if (loss === undefined) {
    throw new UsageError("the file does not say what the outputs mean: --loss NAME, the loss that it was trained with");
  }
  const { train, held, heldName } = storedSample(loaded, given, "evaluate");
  const parts = { ...train && withTrain && { train }, [heldName]: held }, width = train ? heldName.length : 5;
  for (const [name, dataset] of Object.entries(parts)) {
    const metrics = await evaluate(model, targetsFor(loss, dataset), { loss, ...lossSettings(loaded), batchSize });
    const accuracy = LOSSES[loss].hasAccuracy && { accuracy: metrics.accuracy };
    yield { name, width, count: dataset.shape[0]!, loss: metrics.loss, ...accuracy };
  }
}
