/** `evaluate CHECKPOINT [FILE …]`: scores on the data that it was trained and tested on, or on other data. */

import { restorePreprocessing } from "../data/preprocessing.ts";
import type { Dataset } from "../data/dataset.ts";
import { sampleDataset } from "../data/sample.ts";
import { LOSSES, type LossSettings, quantilesOf } from "../model/losses.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { evaluate } from "../train/evaluate.ts";
import { sampleData, targetsFor } from "./job_data.ts";
import { settingsOf } from "./loss.ts";
import { type Arguments, resolveJob, UsageError } from "./options.ts";
import { dataJob, openCheckpoint, type StoredJob, storedJob } from "./read_checkpoint.ts";
import { lossAndAccuracy } from "./run_training.ts";
import { inWords, scoresOf } from "./scores.ts";
import { plural, remark, Terminal } from "./terminal.ts";

/** Runs the command. Returns the exit code. */
export async function evaluateCommand(args: Arguments): Promise<number> {
  const { loaded, rest } = await openCheckpoint(args);
  using _model = loaded.model;
  if (loaded.preprocessing) await evaluateOwn(loaded, rest, args);
  else {
    if (rest.length) throw new UsageError(`evaluate takes one checkpoint, got also "${rest[0]}"`);
    await evaluateSample(loaded, args);
  }
  return 0;
}

async function evaluateOwn(loaded: LoadedCheckpoint, paths: readonly string[], args: Arguments): Promise<void> {
  const { model, preprocessing, training } = loaded, stored = storedJob(loaded), terminal = new Terminal();
  const own = dataJob(loaded, args);
  const batchSize = training?.options.batchSize ?? 32, settings = lossSettings(loaded);
  const given = paths.length ? paths : args.given.files.data as string[] | undefined;
  if (given) {
    const pipeline = restorePreprocessing(preprocessing);
    const data = pipeline.task === "forecast"
      ? await (await import("./forecast_data.ts")).tableData(pipeline, given, own, args)
      : await (await import("./sequence_data.ts")).labelledData(pipeline, given, own, args);
    if (data.remark) remark(`note: ${data.remark}`);
    const loss = { loss: model.loss ?? pipeline.loss, ...settings };
    const scores = await scoresOf(model, data.test, data.metrics, { ...loss, batchSize }, data.targets);
    for (const line of scores.lines(!args.quiet)) terminal.line(line);
    return;
  }
  if (!stored?.own) throw new Error("cannot evaluate: the file names no data; name some to evaluate on");
  if (own.files.data.includes("-")) {
    throw new Error("cannot evaluate: it was trained on standard input; name files to evaluate on");
  }
  const { OwnJobs } = await import("./own_data.ts");
  for await (
    const { data } of new OwnJobs(args, preprocessing!).of({
      own,
      everything: { seed: stored.seed },
      training: { loss: model.loss, ...settings },
    })
  ) {
    const { loss, hasAccuracy } = data;
    if (!args.quiet) {
      const { lossOverSamples, accuracy } = await evaluate(model, data.train, { ...loss, batchSize });
      const scores = { loss: lossOverSamples, ...hasAccuracy && { accuracy } };
      terminal.line(`train of ${plural(data.train.shape[0]!, "sequence")}: ${inWords(scores)}`);
    }
    const { test, metrics, targets } = data.own!;
    if (!test) throw new Error("cannot evaluate: nothing was held back for testing; name files to evaluate on");
    const scores = await scoresOf(model, test, metrics, { ...loss, batchSize }, targets);
    for (const line of scores.lines(!args.quiet)) terminal.line(line);
    if (data.watched === test && training && isBest(training)) {
      remark(
        "note: this epoch was the best on these very data, so the scores are too good: --validation-split avoids that",
      );
    }
  }
}

/** What the loss of a checkpoint was trained with. */
function lossSettings({ model, trainer }: LoadedCheckpoint): LossSettings {
  return { quantiles: quantilesOf(model), ...settingsOf(trainer?.options ?? {}) };
}

/** Whether a checkpoint is of its training's best epoch so far, with more to come. */
function isBest(
  { state: { epoch, history }, options: { epochs } }: NonNullable<LoadedCheckpoint["training"]>,
): boolean {
  const losses = history.map(({ validationLoss, trainLoss }) => validationLoss ?? trainLoss);
  return epoch < epochs && losses.length > 1 && losses.every((loss) => losses.at(-1)! <= loss);
}

async function evaluateSample(loaded: LoadedCheckpoint, args: Arguments): Promise<void> {
  const { model } = loaded, terminal = new Terminal();
  const batchSize = loaded.training?.options.batchSize, loss = model.loss ?? "bce";
  const { train, held, heldName } = sampleOf(loaded, args);
  const parts = { ...train && !args.quiet && { train }, [heldName]: held }, width = train ? heldName.length : 5;
  for (const [name, dataset] of Object.entries(parts)) {
    const metrics = await evaluate(model, targetsFor(loss, dataset), { loss, ...lossSettings(loaded), batchSize });
    terminal.line(
      `${name.padEnd(width)}  ${lossAndAccuracy(LOSSES[loss].hasAccuracy, metrics.loss, metrics.accuracy)}  of ${
        dataset.shape[0]
      } sequences`,
    );
  }
}

/** The made data that a checkpoint was trained and validated on, or new data if the command line describes some. */
export function sampleOf(
  loaded: LoadedCheckpoint,
  { given, command }: Arguments,
): { train?: Dataset; held: Dataset; heldName: "validation" | "test" } {
  const stored: StoredJob | undefined = storedJob(loaded), { inputSize, outputSize } = loaded.model.config;
  if (outputSize !== 2 * (quantilesOf(loaded.model)?.length ?? 1)) {
    throw new Error(
      `cannot ${command}: the data of this command have 2 classes, the checkpoint's model has ${outputSize}`,
    );
  }
  if (Object.keys(given.data).length || Object.keys(given.everything).length) {
    const { data, everything: { seed } } = resolveJob({ ...given, data: { features: inputSize, ...given.data } });
    if (data.features !== inputSize) {
      throw new UsageError(`--features must be ${inputSize}, as in the checkpoint, got ${data.features}`);
    }
    return { held: sampleDataset({ ...data, seed }), heldName: "test" };
  }
  if (!stored) {
    throw new Error(`cannot ${command}: the checkpoint names no data; give some with --size, --steps and --seed`);
  }
  const { train, watched, watchedName } = sampleData({
    data: stored.data,
    everything: { seed: stored.seed },
    training: { loss: "bce" },
  });
  return { train, held: watched!, heldName: watchedName };
}
