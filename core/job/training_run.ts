/** One training of a job: its model, its trainer, its epochs. */

import { amend } from "../errors.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { ModelConfig } from "../model/config.ts";
import { createModel, type Model, type ModelOptions } from "../model/model.ts";
import { isSeq2Seq, type Seq2SeqConfig } from "../model/seq2seq.ts";
import type { LoadedCheckpoint, ResumeOptions } from "../train/checkpoint/load.ts";
import { Training } from "../train/training.ts";
import { TRAIN_OPTIONS } from "../train/training_options.ts";
import { createTrainer, TRAINER_OPTIONS, type TrainerOptions } from "../train/trainer.ts";
import { modelOptions } from "./faster_device.ts";
import { defaultEpochs } from "./learning.ts";
import { type Job, UsageError } from "./options.ts";
import { stepNetwork } from "./step_network.ts";
import { type Start, startedConfig } from "./started_job.ts";
import type { StoredJob } from "./stored_job.ts";
import { isPairConfig, sequencesIn, type TrainingData } from "./training_data.ts";

export type { Model };

/** What one of a job's trainings is. */
export interface TrainingRun {
  readonly job: Job;
  readonly data: TrainingData;
  /** For its checkpoints. */
  readonly stored: StoredJob;
  /** What it is resumed from, and what errors call that. */
  readonly resumed?: { readonly loaded: LoadedCheckpoint; readonly name: string };
  /** The model whose weights it starts from. */
  readonly start?: Start;
  /** Which of several: "seed 3, fold 2". */
  readonly name?: string;
  /** The processes that train it together. Default: this one alone. */
  readonly fleet?: Fleet;
}

/** The model of a training, as it was where it is resumed. */
export async function createRunModel({ job, data, resumed, start, fleet }: TrainingRun): Promise<Model> {
  const { seed } = job.everything;
  if (job.training.monitor === "accuracy" && !data.hasAccuracy) {
    throw new UsageError(`--monitor accuracy is for classes, not for the task ${data.own?.preprocessing.task}`);
  }
  if (resumed) return resumed.loaded.model;
  const model = await makeModel(job, data, { seed, ...modelOptions(job.device), fleet }, start);
  if (!start) return model;
  try {
    await model.loadStateDict(start.file.parameters);
    return model;
  } catch (error) {
    model.dispose();
    throw amend(error, { action: `start from "${start.name}"` });
  }
}

/**
 * A model for a job's data; for labels of every step one without attention, whose outputs are of every step. One of pairs
 * has no `config`, as a network of a program's own.
 */
export async function makeModel(
  job: Job,
  data: TrainingData,
  options: ModelOptions,
  start?: Start,
): Promise<Model> {
  const config = configOf(job, data, start);
  if (isSeq2Seq(config)) {
    const { loss, quantiles } = data.loss, network = start?.file.network;
    return await (network
      ? createModel(network, { ...options, loss, quantiles })
      : createModel(config, { ...options, loss, quantiles })) as Model;
  }
  if (!job.own?.preparation.labelEveryStep) return await createModel(config, options);
  // It has all that trainings and predictions ask of a model; `configOfModel` says what its config is.
  return await createModel(stepNetwork(config), options) as Model;
}

/**
 * The training of a model, ready to run.
 *
 * @param listeners What is told of its batches and epochs, and what stops it.
 */
export function createTraining(
  { job, data, resumed }: TrainingRun,
  model: Model,
  listeners: Pick<ResumeOptions, "onBatch" | "onEpoch" | "signal">,
): Training {
  const options: ResumeOptions = {
    ...job.own && { epochs: defaultEpochs(sequencesIn(data.train), job.training) },
    ...named(job.training, TRAIN_OPTIONS),
    earlyStopping: job.earlyStopping,
    schedule: job.schedule,
    ...job.teacher && { teacher: job.teacher },
    validation: data.watched,
    ...listeners,
  };
  if (!resumed) {
    return new Training(model, data.train, { ...options, trainer: createTrainer(model, trainerOptions(job, data)) });
  }
  try {
    return resumed.loaded.resume(data.train, options);
  } catch (error) {
    throw amend(error, { action: `resume from "${resumed.name}"` });
  }
}

/** The config of a job's model. */
export function configOf(
  { model, own }: Job,
  { config, loss }: TrainingData,
  start?: Start,
): ModelConfig | Seq2SeqConfig {
  if (isPairConfig(config)) {
    const { encoderSize, encoderLayers, bridge, attentionSize, tied } = own!.pairs;
    const { hiddenSize, numLayers, cell, bias, bidirectional, dropout, layerDropout } = model;
    const shared = { hiddenSize, numLayers, cell, bias, bidirectional, dropout, layerDropout };
    return { ...shared, ...config, encoderSize, encoderLayers, bridge, attentionSize, tied };
  }
  if (start) return startedConfig(start, model);
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
  { loss, weights }: TrainingData,
): TrainerOptions {
  return { ...named(training, TRAINER_OPTIONS), ...loss, ...weights, optimizer, seed };
}

/** The options that a table has. */
function named(values: object, table: object): object {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(table, name)));
}
