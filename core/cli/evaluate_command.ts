/** `evaluate CHECKPOINT [FILE …]`: scores on the data that it was trained and tested on, or on other data. */

import { restorePreprocessing } from "../data/preprocessing.ts";
import { FileData, testData } from "../job/file_data.ts";
import { UsageError } from "../job/options.ts";
import { targetsFor } from "../job/sample_data.ts";
import { scoresOf } from "../job/scores.ts";
import { dataJob, lossSettings, storedJob } from "../job/stored_job.ts";
import { plural } from "../job/words.ts";
import { LOSSES } from "../model/losses.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { evaluate } from "../train/evaluate.ts";
import { dataFiles } from "./data_files.ts";
import type { Arguments } from "./options.ts";
import { openCheckpoint, sampleOf } from "./read_checkpoint.ts";
import { inWords, scoreLines } from "./score_lines.ts";
import { remark, Terminal } from "./terminal.ts";
import { lossAndAccuracy } from "./training_lines.ts";

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
  const own = dataJob(loaded, args.given), source = dataFiles(args);
  const batchSize = training?.options.batchSize ?? 32, settings = lossSettings(loaded);
  const given = paths.length ? paths : args.given.files.data as string[] | undefined;
  if (given) {
    const pipeline = restorePreprocessing(preprocessing), data = await testData(pipeline, given, own, source);
    if (data.remark) remark(`note: ${data.remark}`);
    const loss = { loss: model.loss ?? pipeline.loss, ...settings };
    const scores = await scoresOf(model, data, { ...loss, batchSize });
    for (const line of scoreLines(scores, !args.quiet)) terminal.line(line);
    return;
  }
  if (!stored?.own) throw new Error("cannot evaluate: the file names no data; name some to evaluate on");
  if (own.files.data.includes("-")) {
    throw new Error("cannot evaluate: it was trained on standard input; name files to evaluate on");
  }
  const chosen = { loss: model.loss, ...settings }, everything = { seed: stored.seed };
  for await (const { data } of new FileData(source, preprocessing!).trainings({ own, everything, training: chosen })) {
    const { loss, hasAccuracy } = data;
    if (!args.quiet) {
      const { lossOverSamples, accuracy } = await evaluate(model, data.train, { ...loss, batchSize });
      const scores = { loss: lossOverSamples, ...hasAccuracy && { accuracy } };
      terminal.line(`train of ${plural(data.train.shape[0]!, "sequence")}: ${inWords(scores)}`);
    }
    const { test } = data.own!;
    if (!test) throw new Error("cannot evaluate: nothing was held back for testing; name files to evaluate on");
    const scores = await scoresOf(model, { ...data.own!, test }, { ...loss, batchSize });
    for (const line of scoreLines(scores, !args.quiet)) terminal.line(line);
    if (data.watched === test && training && isBest(training)) {
      remark(
        "note: this epoch was the best on these very data, so the scores are too good: --validation-split avoids that",
      );
    }
  }
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
