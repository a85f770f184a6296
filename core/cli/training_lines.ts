/** The lines about a training: at its start, of its epochs, at its end. */

import { ALONE, type Fleet } from "../fleet/fleet.ts";
import type { Job } from "../job/options.ts";
import { type Start, startLine } from "../job/started_job.ts";
import { configOfModel } from "../job/step_network.ts";
import { isPairConfig, type PairConfig, type TrainingData } from "../job/training_data.ts";
import { processesWords } from "../job/processes.ts";
import { words } from "../job/words.ts";
import type { OptionSpec } from "../options.ts";
import type { BatchProgress, EpochReport } from "../train/history.ts";
import type { Training } from "../train/training.ts";
import { TRAIN_OPTIONS } from "../train/training_options.ts";
import { TRAINER_OPTIONS } from "../train/trainer.ts";
import type { CheckpointWriter } from "./checkpoint_writer.ts";
import { clock, duration } from "./terminal.ts";

/** A share as a percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Loss and accuracy; where there is none, the loss. */
export function lossAndAccuracy(loss: number, accuracy?: number): string {
  return `loss ${loss.toFixed(4)}${accuracy === undefined ? "" : `  accuracy ${percent(accuracy).padStart(8)}`}`;
}

/** The results of an epoch. */
export function epochLine(report: EpochReport, epochs: number, { hasAccuracy, watchedName }: TrainingData): string {
  const number = String(report.epoch).padStart(String(epochs).length);
  const part = (name: string, loss: number, accuracy?: number) =>
    `   ${name} ${lossAndAccuracy(loss, hasAccuracy ? accuracy : undefined)}`;
  const { trainLoss, trainAccuracy, validationLoss, validationAccuracy } = report;
  const watched = validationLoss === undefined ? "" : part(watchedName, validationLoss, validationAccuracy);
  return `epoch ${number}/${epochs}${part("train", trainLoss, trainAccuracy)}${watched}   ${duration(report.seconds)}`;
}

/** What a training has done, and is to do. */
export interface Pace {
  /** Epochs before it began. */
  readonly first: number;
  readonly epochs: number;
  /** Since it began. */
  readonly seconds: number;
}

/** Seconds to go, by those that were spent since it began. */
export function timeLeft({ epoch, batch, batches }: BatchProgress, { first, epochs, seconds }: Pace): number {
  const done = epoch - 1 + batch / batches;
  return seconds / (done - first) * (epochs - done);
}

/** The live line. */
export function progressLine(progress: BatchProgress, pace: Pace): string {
  const { epoch, batch, batches } = progress, { epochs } = pace, left = timeLeft(progress, pace);
  const bar = "#".repeat(Math.round(20 * batch / batches)).padEnd(20, "-");
  return `epoch ${epoch}/${epochs}  [${bar}] ${batch}/${batches}  ${clock(left)} left`;
}

/** The options of a run, in the order in which they are stored. */
export function headLines(
  job: Job,
  data: TrainingData,
  { model, trainer, options }: Training,
  { start, fleet = ALONE }: { readonly start?: Start; readonly fleet?: Fleet } = {},
): string[] {
  const { description } = model.device;
  return [
    `device     ${description}`,
    ...fleet.size > 1 ? [`processes  ${processesWords(fleet, description)}`] : [],
    ...data.description.map((line, i) => `${i ? "" : "data"}`.padEnd(11) + line),
    `model      ${modelLine(model, data, job)}`,
    ...start ? [`from       ${startLine(start, data)}`] : [],
    `training   ${words(trainingWords(job, options, data))}`,
    `optimizer  ${words(trainer.options.optimizer)}`,
  ];
}

const DEFAULTS: Readonly<Record<string, OptionSpec>> = { ...TRAIN_OPTIONS, ...TRAINER_OPTIONS };

/** What a training does, but for what it leaves alone. */
function trainingWords(job: Job, options: Training["options"], { loss, weights }: TrainingData): object {
  const { epochs, batchSize, shuffle, earlyStopping, schedule } = options;
  const { epochs: _e, batchSize: _b, shuffle: _s, loss: _l, ...others } = job.training;
  const rest = Object.entries(others).filter(([name, value]) => value !== DEFAULTS[name]?.default);
  return {
    epochs,
    batchSize,
    shuffle,
    loss: loss.loss,
    ...Object.fromEntries(rest),
    ...weights,
    ...job.schedule && { schedule },
    ...earlyStopping && { earlyStopping },
  };
}

/** Options of an encoder and a decoder, as far as they are not the usual ones. */
function seq2seqWords({ model, own }: Job, { task: _t, ...sizes }: PairConfig): object {
  const { hiddenSize, numLayers, cell, dropout, bidirectional } = model;
  const { encoderSize, encoderLayers, bridge, attentionSize, tied } = own!.pairs;
  return {
    ...sizes,
    ...{ hiddenSize, encoderSize, numLayers, encoderLayers, cell, dropout, bidirectional, bridge, attentionSize },
    ...tied && { tied },
  };
}

function modelLine(model: Training["model"], { config }: TrainingData, job: Job): string {
  const numbers = model.parameters.reduce((sum, { length }) => sum + length, 0);
  if (isPairConfig(config)) return `${words(seq2seqWords(job, config))}: ${numbers} parameters`;
  const { inputSize, outputSize, numEmbeddings, paddingIdx: _, cell, loss: _l, quantiles: _q, ...rest } = configOfModel(
    model,
  );
  const own = config.numEmbeddings ? { numEmbeddings, inputSize, outputSize } : {};
  return `${words({ ...own, ...cell !== "gru" && { cell }, ...rest })}: ${numbers} parameters`;
}

/** The result, and where it is. */
export function summary(
  training: Training,
  { target, kept }: Pick<CheckpointWriter, "target" | "kept">,
  { hasAccuracy, watched, watchedName, own }: TrainingData,
  seconds: number,
): string {
  const { epoch, trainLoss, trainAccuracy, validationLoss, validationAccuracy } = training.best!;
  const [name, value, share] = watched
    ? [watchedName, validationLoss!, validationAccuracy!]
    : ["train", trainLoss, trainAccuracy];
  const accuracy = !hasAccuracy ? "" : `, accuracy ${percent(share)}`;
  const files = target ? [target.best, target.last].filter((path) => kept.has(path)) : [];
  const where = files.length ? `; kept in ${files.join(" and ")}` : "";
  const early = training.stoppedEarly ? ", stopped early" : "";
  const by = own && watched && watchedName === "test" ? " by the test data" : "";
  const best = `best epoch ${epoch}${by}${training.options.restoreBest ? ", whose weights are used" : ""}`;
  return `done in ${duration(seconds)}${early}: ${best}, ${name} loss ${value.toFixed(4)}${accuracy}${where}`;
}
