/** One training: its lines, its checkpoints, its end. */

import { amend, errorCode } from "../errors.ts";
import { createModel, type NetworkModel } from "../model/model.ts";
import type { OptionSpec } from "../options.ts";
import type { LoadedCheckpoint, ResumeOptions } from "../train/checkpoint/load.ts";
import type { BatchProgress, EpochReport } from "../train/history.ts";
import { Training } from "../train/training.ts";
import { TRAIN_OPTIONS } from "../train/training_options.ts";
import { createTrainer, TRAINER_OPTIONS, type TrainerOptions } from "../train/trainer.ts";
import type { ModelConfig } from "../model/config.ts";
import { modelOptions } from "./device.ts";
import { allowingCommand } from "./files.ts";
import { type JobData, words } from "./job_data.ts";
import { lineOf } from "./hints.ts";
import { Keeper } from "./keeper.ts";
import { type Arguments, type Job, UsageError } from "./options.ts";
import { Pictures } from "./pictures.ts";
import { remarkArithmetic, type StoredJob } from "./read_checkpoint.ts";
import { finalScores, type Scores } from "./scores.ts";
import { clock, duration, remark, type Terminal } from "./terminal.ts";
import { wideHint } from "./wide.ts";

/** The exit codes of a program that was stopped by Ctrl-C, or told to end. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const;

/** What a training came to. */
export interface Outcome {
  /** The program's exit code, if it ended with this training. */
  readonly code: number;
  /** On the data held back; absent where there are none, or where it was stopped. */
  readonly scores?: Scores;
}

/** What one of a job's trainings is. */
export interface Run {
  readonly args: Arguments;
  readonly job: Job;
  readonly data: JobData;
  readonly stored: StoredJob;
  readonly resumed?: LoadedCheckpoint;
  /** Which of several: "seed 3, fold 2". */
  readonly name?: string;
}

/** The config of a job's model. */
export function configOf({ model, own }: Job, { config, loss }: JobData): ModelConfig {
  const { embeddingDim } = own?.preparation ?? {}, { inputSize, outputSize } = config;
  return {
    ...model,
    ...config,
    inputSize: config.numEmbeddings ? embeddingDim ?? inputSize : inputSize,
    outputSize: outputSize * (loss.quantiles?.length ?? 1),
  };
}

/** The options of a job's trainer. */
export function trainerOptions(
  { training, optimizer, everything: { seed } }: Job,
  { loss, weights }: JobData,
): TrainerOptions {
  return { ...named(training, TRAINER_OPTIONS), ...loss, ...weights, optimizer, seed };
}

/** The options that a table has. */
function named(values: Record<string, unknown>, table: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(table, name)));
}

/** Trains, prints every epoch, keeps checkpoints, a log and pictures. */
export async function runTraining(
  { args, job, data, stored, resumed, name }: Run,
  terminal: Terminal,
): Promise<Outcome> {
  const { seed } = job.everything;
  if (job.training.monitor === "accuracy" && !data.hasAccuracy) {
    throw new UsageError(`--monitor accuracy is for classes, not for the task ${data.own?.preprocessing.task}`);
  }
  using model = resumed?.model ?? await createModel(configOf(job, data), { seed, ...modelOptions(job.device) });
  const trainer = resumed ? undefined : createTrainer(model, trainerOptions(job, data));
  if (resumed) remarkArithmetic(resumed, args.resume!);
  const abort = new AbortController();
  let told = false, hinted = name !== undefined;
  using keeper = await Keeper.open(args, stored, terminal, data.own?.preprocessing);
  using pictures = await Pictures.open(args, terminal);
  const start = performance.now(), seconds = () => (performance.now() - start) / 1000;
  const training: Training = resumable(args.resume, () => {
    const options: ResumeOptions = {
      ...named(job.training, TRAIN_OPTIONS),
      earlyStopping: job.earlyStopping,
      schedule: job.schedule,
      validation: data.watched,
      signal: abort.signal,
      onBatch(progress) {
        const { withoutThreads } = model.device;
        if (withoutThreads && !told) remark(`note: on one thread, for ${withoutThreads}`);
        told ||= withoutThreads !== undefined;
        if (args.quiet) return;
        terminal.progress(() => progressLine(progress, { first, epochs, seconds: seconds() }));
        if (hinted) return;
        const hint = wideHint(model, seconds(), timeLeft(progress, { first, epochs, seconds: seconds() }));
        if (hint) {
          terminal.clear();
          remark(hint);
          hinted = true;
        }
      },
      async onEpoch(report) {
        const last = report.epoch === epochs || training.finished;
        if (!args.quiet || last && !name && !data.own?.test) {
          terminal.line(epochLine(report, epochs, data));
        }
        await keeper.epoch(report, training, data.hasAccuracy);
        await pictures.epoch(report, data);
      },
    };
    return resumed?.resume(data.train, options) ?? new Training(model, data.train, { ...options, trainer });
  });
  keeper.watch(training);
  const { epochs, batchSize } = training.options;
  const { epoch: done, batch } = training.state, first = done + batch / Math.ceil(data.train.shape[0]! / batchSize);
  if (training.finished) {
    terminal.line(
      training.stoppedEarly
        ? `nothing to do: "${args.resume}" has stopped early after ${done} epochs`
        : `nothing to do: "${args.resume}" has all ${done} epochs; to go further: --epochs ${done + 100}`,
    );
    return { code: 0 };
  }
  if (!args.quiet) { for (const text of describe(job, data, training)) terminal.line(text); }

  let stoppedBy: keyof typeof INTERRUPTED = "SIGINT", hint: ReturnType<typeof setTimeout> | undefined;
  const listeners = SIGNALS.map((signal) =>
    [signal, () => {
      if (abort.signal.aborted) Deno.exit(INTERRUPTED[signal]);
      stoppedBy = signal;
      hint = setTimeout(() => {
        terminal.clear();
        remark("stopping after the current batch; Ctrl-C again stops at once and loses it");
      }, 1000);
      abort.abort("interrupted");
    }] as const
  );
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  try {
    await training.run();
    const scores = training.options.fastDevRun
      ? undefined
      : await finalScores(model, data, batchSize, name !== undefined);
    if (!args.quiet && !name) terminal.line(summary(training, keeper, data, seconds()));
    if (!name) { for (const text of scores?.lines(!args.quiet) ?? []) terminal.line(text); }
    await pictures.finish({ job, data, training, scores, model });
    return { code: keeper.complete ? 0 : 1, scores };
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    terminal.clear();
    if (error === abort.signal.reason) {
      await stop(training, keeper, args);
      return { code: INTERRUPTED[stoppedBy] };
    }
    await keeper.flush();
    const last = keeper.target?.last;
    const kept = last && keeper.kept.has(last)
      ? `; the checkpoint of epoch ${keeper.keptEpoch} is kept in "${last}"`
      : "";
    const isChanged = errorCode(error) === "data-changed";
    throw new Error(lineOf(isChanged ? amend(error, { action: `resume from "${args.resume}"` }) : error) + kept);
  } finally {
    clearTimeout(hint);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}

const SIGNALS: (keyof typeof INTERRUPTED)[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];

/** A share as a percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Loss and accuracy; where there is none, the loss. */
export function lossAndAccuracy(hasAccuracy: boolean, loss: number, accuracy: number): string {
  return `loss ${loss.toFixed(4)}${!hasAccuracy ? "" : `  accuracy ${percent(accuracy).padStart(8)}`}`;
}

function epochLine(report: EpochReport, epochs: number, { hasAccuracy, watchedName }: JobData): string {
  const number = String(report.epoch).padStart(String(epochs).length);
  const train = lossAndAccuracy(hasAccuracy, report.trainLoss, report.trainAccuracy);
  const test = report.validationLoss === undefined
    ? ""
    : `   ${watchedName} ${lossAndAccuracy(hasAccuracy, report.validationLoss, report.validationAccuracy!)}`;
  return `epoch ${number}/${epochs}   train ${train}${test}   ${duration(report.seconds)}`;
}

/** What a training has done, and is to do. */
interface Pace {
  /** Epochs before it began. */
  readonly first: number;
  readonly epochs: number;
  /** Since it began. */
  readonly seconds: number;
}

/** Seconds to go, by those that were spent since it began. */
function timeLeft({ epoch, batch, batches }: BatchProgress, { first, epochs, seconds }: Pace): number {
  const done = epoch - 1 + batch / batches;
  return seconds / (done - first) * (epochs - done);
}

/** The live line. */
function progressLine(progress: BatchProgress, pace: Pace): string {
  const { epoch, batch, batches } = progress, { epochs } = pace, left = timeLeft(progress, pace);
  const bar = "#".repeat(Math.round(20 * batch / batches)).padEnd(20, "-");
  return `epoch ${epoch}/${epochs}  [${bar}] ${batch}/${batches}  ${clock(left)} left`;
}

/** What a run uses, in the order it is stored. */
function describe(job: Job, data: JobData, { model, trainer, options }: Training): string[] {
  return [
    `device     ${model.device.description}`,
    ...data.description.map((line, i) => `${i ? "" : "data"}`.padEnd(11) + line),
    `model      ${modelLine(model, data)}`,
    `training   ${words(trainingWords(job, options, data))}`,
    `optimizer  ${words(trainer.options.optimizer)}`,
  ];
}

const DEFAULTS: Readonly<Record<string, OptionSpec>> = { ...TRAIN_OPTIONS, ...TRAINER_OPTIONS };

/** What a training does, but for what it leaves alone. */
function trainingWords(job: Job, options: Training["options"], { loss, weights }: JobData): object {
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

function modelLine(model: NetworkModel, { config }: JobData): string {
  const { inputSize, outputSize, numEmbeddings, paddingIdx: _, cell, loss: _l, quantiles: _q, ...rest } = model.config!;
  const numbers = model.parameters.reduce((sum, { length }) => sum + length, 0);
  const own = config.numEmbeddings ? { numEmbeddings, inputSize, outputSize } : {};
  return `${words({ ...own, ...cell !== "gru" && { cell }, ...rest })}: ${numbers} parameters`;
}

/** Runs what only a file can make fail, and names the file. */
function resumable<T>(file: string | undefined, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (file === undefined) throw error;
    throw amend(error, { action: `resume from "${file}"` });
  }
}

/** After Ctrl-C: keeps what there is, and says how to go on. */
async function stop(training: Training, keeper: Keeper, args: Arguments): Promise<void> {
  const { epoch, batch } = training.state, last = keeper.target?.last;
  const place = `stopped after epoch ${epoch}${batch ? ` and ${batch} batches of the next` : ""}`;
  if (last && await keeper.save(last, training)) {
    const resume = args.resume === last ? [] : ["--resume", last];
    remark(`${place}; to go on: ${allowingCommand({ ...args, resume: last }, [...Deno.args, ...resume])}`);
  } else remark(`${place}; it is not saved${last ? "" : ": --checkpoint DIR keeps what --resume goes on from"}`);
}

/** What came out, and where it is. */
function summary(
  training: Training,
  { target, kept }: Keeper,
  { hasAccuracy, watched, watchedName, own }: JobData,
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
