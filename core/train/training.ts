import { Yielder } from "../device/event_loop.ts";
import { ResultQueue } from "../device/results.ts";
import { checkArgument, fail } from "../errors.ts";
import { frozen, ownOptions } from "../options.ts";
import type { StateDict } from "../model/arrays.ts";
import { LOSSES } from "../model/losses.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { isPairs } from "../data/pairs.ts";
import type { BatchSource, TrainingData } from "./batch_source.ts";
import { batchSource } from "./batches.ts";
import { EarlyStopping } from "./early_stopping.ts";
import { evaluateOn, type Metrics, type Scores } from "./evaluate.ts";
import {
  type BatchProgress,
  type EpochRecord,
  epochRecord,
  type EpochReport,
  History,
  type TrainingState,
} from "./history.ts";
import { ADVICE, checkSameData, checkState, diverged, EpochSums, type Position, START } from "./position.ts";
import { LearningRates } from "./schedule.ts";
import { teacherRatio } from "./teacher.ts";
import { meetBefore, STOPPED_ELSEWHERE } from "./together.ts";
import { trainerFor } from "./given_trainer.ts";
import type { StepResult, Trainer, TrainerOptions } from "./trainer.ts";
import { divideOptions, resolveTraining, type TrainingOptions, type TrainingSettings } from "./training_options.ts";
import { checkWatchers } from "./validate.ts";
import { firstBad } from "../model/finite.ts";

/** Options of a training: those of its trainer, its settings, and what no checkpoint keeps. */
export interface TrainOptions extends TrainerOptions, TrainingSettings {
  /** Evaluated after every epoch; pairs free-running, the decoder being fed its own output. Default: none. */
  validation?: TrainingData;
  /** Called after every epoch; training waits for it. */
  onEpoch?: (report: EpochReport, training: Training) => void | Promise<void>;
  /** Called after every batch. */
  onBatch?: (progress: BatchProgress) => void;
  /** Stops training after the current update. */
  signal?: AbortSignal;
  /** Where an earlier training stopped: this one resumes there, to the same bits. */
  state?: TrainingState;
  /** With `state` and `restoreBest`: the earlier training's `bestParameters`. */
  bestParameters?: StateDict;
  /** A trainer, perhaps with a state to resume from. Default: a new one, made with the options above. */
  trainer?: Trainer;
}

/** Share of the time that looking for parameters which are not finite may take; at the end it is done in any case. */
const CHECKED = 0.005;

/** A training that can be stopped, saved and resumed. {@linkcode train} is the short way. */
export class Training {
  /** The model. */
  readonly model: NetworkModel;
  /** Makes the steps. */
  readonly trainer: Trainer;
  /** The training data. */
  readonly dataset: TrainingData;
  /** The validation data, if there are some. */
  readonly validation: TrainingData | undefined;
  /** The options that a checkpoint keeps: all but data, callbacks and the trainer's own. */
  readonly options: TrainingOptions;
  readonly #given: TrainOptions;
  readonly #source: BatchSource;
  readonly #validation?: BatchSource;
  readonly #yielder = new Yielder();
  readonly #history: History;
  readonly #rates: LearningRates;
  readonly #earlyStopping: EarlyStopping | undefined;
  #position: Position;
  /** The error of an `onBatch`: the update is completed first, so that training can be resumed. */
  #failed: { readonly error: unknown } | undefined;
  #atUpdate: (() => void | Promise<void>) | undefined;
  #bestParameters?: StateDict;
  #isRunning = false;
  #isPrepared = false;
  /** Whether other processes train too, which must stop at the same update. */
  readonly #isShared: boolean;
  /** When it began to run, and the milliseconds spent on checking parameters since. */
  #begun = 0;
  #checking = 0;

  /**
   * A training of a model on a dataset.
   *
   * @param dataset Sequences (N, T, I) with targets (N, O), or class numbers (N) for "crossEntropy" and "focal"; or pairs.
   * @throws {TypeError | RangeError} If an option is wrong, the data do not fit, or a number in them is not finite.
   */
  constructor(model: NetworkModel, dataset: TrainingData, given: TrainOptions = {}) {
    const options = checkWatchers("train", ownOptions("train", given));
    const { validation, onEpoch: _e, onBatch: _b, signal: _s, state, bestParameters, trainer, ...named } = options;
    const { training, rest } = divideOptions(named);
    const internals = internalsOf(model);
    internals.only("train");
    this.model = model;
    this.#isShared = internals.session.fleet.size > 1;
    this.options = frozen(resolveTraining(training));
    this.trainer = trainerFor(model, trainer, rest);
    const { loss, seed, optimizer } = this.trainer.options, { batchSize, shuffle, fastDevRun, monitor } = this.options;
    if (monitor === "accuracy" && !LOSSES[loss].hasAccuracy) {
      throw fail("option-conflict", "train", `monitor must be "loss" where the loss is "${loss}", got "accuracy"`, {
        option: "monitor",
      });
    }
    const { buckets, teacher } = this.options;
    if (teacher && !isPairs(dataset)) {
      throw fail("option-conflict", "train", "teacher belongs to pairs of sequences", { option: "teacher" });
    }
    const used = { batchSize, firstOnly: fastDevRun }, order = { shuffle, seed, buckets, keepVocabulary: true };
    this.#source = batchSource(internals, "train", dataset, { ...used, ...order });
    this.#validation = validation === undefined ? undefined : batchSource(internals, "train", validation, used);
    this.dataset = dataset;
    this.validation = validation;
    this.#source.checkFinite("train", "data");
    this.#validation?.checkFinite("train", "validation data");
    this.#given = options;
    const { schedule, epochs, earlyStopping, restoreBest } = this.options;
    const { greater } = this.#history = new History(monitor);
    this.#rates = new LearningRates(schedule, optimizer.learningRate!, { epochs, updates: this.#updates, greater });
    this.#earlyStopping = earlyStopping && new EarlyStopping(earlyStopping, greater);
    const { history, ...position } = state ?? { ...START, epoch: 0, history: [] };
    this.#position = position;
    for (const record of history) this.#add(epochRecord(record));
    this.#bestParameters = restoreBest ? bestParameters : undefined;
    const { length, mostRows: rows } = this.#source, hasBest = this.#bestParameters !== undefined;
    checkState(this.state, this.options, { length, rows, finished: this.finished, hasBest });
  }

  /** Checks that the largest batches fit: otherwise training would fail where the first of them comes. */
  #checkMemory(): void {
    this.trainer.checkFits(this.#source.largest, "step", this.options.accumulate > 1);
    if (this.#validation) this.trainer.checkFits(this.#validation.largest, "evaluate");
  }

  /** How far it has come. */
  get state(): TrainingState {
    return this.#history.stateAt(this.#position);
  }

  /** The best epoch by `monitor`, the first of equals; undefined before there is one. */
  get best(): EpochRecord | undefined {
    return this.#history.best;
  }

  /** With `restoreBest`, the parameters after the best epoch; undefined before there is one. */
  get bestParameters(): StateDict | undefined {
    return this.#bestParameters;
  }

  /** Whether early stopping has ended it. */
  get stoppedEarly(): boolean {
    return this.#earlyStopping?.isOver ?? false;
  }

  /** Whether there is nothing left to do. */
  get finished(): boolean {
    return this.#position.epoch >= this.options.epochs || this.stoppedEarly;
  }

  /** Updates per epoch. */
  get #updates(): number {
    return Math.ceil(this.#source.length / this.options.accumulate);
  }

  /**
   * Runs something once, after the current update if one is under way, while the device is idle: a checkpoint written then
   * resumes to the same bits. Training waits for it. If several are asked for, only the last is run.
   */
  atUpdate(run: () => void | Promise<void>): void {
    checkArgument("train", "run", run, "function");
    this.#atUpdate = run;
  }

  /**
   * Trains to the last epoch, or until early stopping ends it; with `restoreBest`, the model then has the parameters of the
   * best epoch. To train for more epochs later, use a state or checkpoint from `onEpoch`, before that. After an abort or an
   * error in a callback, it may be called again and continues from there.
   *
   * @returns One record per epoch, those before a resumption included.
   * @throws {TypeError} If it is already running.
   * @throws {RangeError} If the loss, or a parameter at the end, is no longer a finite number.
   * @throws What `signal` was aborted with; `state` then says how far it came.
   */
  async run(): Promise<readonly EpochRecord[]> {
    if (this.#isRunning) throw fail("training-running", "train", "this training is already running");
    this.#isRunning = true;
    this.#begun = performance.now();
    this.#checking = 0;
    try {
      await this.prepare();
      const trains = !this.finished;
      while (!this.finished) await this.#epoch();
      this.#throwFailed();
      await this.#restoreBest();
      if (trains) await this.#checkParameters("the last update");
      return this.#history.records;
    } finally {
      this.#isRunning = false;
    }
  }

  /**
   * Checks that the data are those of before and that the largest batches fit; and where several processes train, that all are
   * to do the same. `run` begins with it.
   *
   * @throws {RangeError | Error} In all processes, if not.
   */
  async prepare(): Promise<void> {
    if (this.#isPrepared) return;
    await meetBefore(this, () => checkSameData(this.#given.state?.data, this).then(() => this.#checkMemory()));
    this.#isPrepared = true;
  }

  /** Runs the current epoch to its end. */
  async #epoch(): Promise<void> {
    const { onEpoch, signal } = this.#given, start = performance.now();
    if (!this.#isShared) signal?.throwIfAborted();
    await this.#batches();
    // What takes its share of the time does so at other epochs in other processes.
    if (this.#isShared || this.#checking <= CHECKED * (performance.now() - this.#begun)) {
      await this.#checkParameters(`epoch ${this.#position.epoch + 1}`);
    }
    const record = await this.#record();
    this.#add(record);
    this.#position = { ...START, epoch: record.epoch };
    if (this.options.restoreBest && this.best === record) this.#bestParameters = await this.model.stateDict();
    await onEpoch?.(epochRecord({ ...record, seconds: (performance.now() - start) / 1000 }), this);
  }

  /** Adds an epoch to the history, and to what follows from it. */
  #add(record: EpochRecord): void {
    const value = this.#history.add(record);
    this.#rates.add(value);
    this.#earlyStopping?.add(value);
  }

  /** Gives the model the parameters of the best epoch, if they are not the last. */
  async #restoreBest(): Promise<void> {
    const { epoch, restored } = this.#position;
    if (!this.#bestParameters || this.best!.epoch >= epoch || restored) return;
    await this.model.loadStateDict(this.#bestParameters);
    this.#position = { ...this.#position, restored: true };
  }

  /** Checks the parameters: what one of them is no longer, no loss need ever show. */
  async #checkParameters(after: string): Promise<void> {
    const start = performance.now(), { session } = internalsOf(this.model);
    const isBad = await session.exclusive(async () => firstBad(await session.showValues())) >= 0;
    this.#checking += performance.now() - start;
    if (!isBad) return;
    for (const [name, { data }] of Object.entries(await this.model.stateDict())) {
      const bad = firstBad(data);
      if (bad >= 0) throw diverged(`parameter "${name}" holds ${data[bad]} at ${bad} after ${after}; ${ADVICE}`);
    }
  }

  /** The results of the current epoch, after its batches. */
  async #record(): Promise<EpochRecord> {
    const { epoch, lossSum, correct, gradNormSum } = this.#position, validation = await this.#validate();
    const lossOf = ({ loss, lossOverSamples }: Scores) =>
      this.options.validationReduction === "sequences" ? lossOverSamples : loss;
    return epochRecord({
      epoch: epoch + 1,
      trainLoss: lossSum / this.#source.length,
      trainAccuracy: correct / this.#source.rows,
      ...validation && {
        validationLoss: lossOf(validation),
        validationAccuracy: validation.accuracy,
        ...validation.forced && {
          validationForcedLoss: lossOf(validation.forced),
          validationForcedAccuracy: validation.forced.accuracy,
        },
      },
      learningRate: this.#rates.at(epoch, this.#updates * (epoch + 1) - 1),
      ...this.options.teacher && { teacherRatio: this.#teacherRatio(this.#updates * (epoch + 1) - 1) },
      ...gradNormSum !== undefined && { gradNorm: gradNormSum / this.#updates },
    });
  }

  /** Evaluates the model on the validation data, if there are any. */
  async #validate(): Promise<Metrics | undefined> {
    const validation = this.#validation, { signal } = this.#given;
    if (!validation) return undefined;
    // With the trainer's loss and its settings.
    const metrics = await evaluateOn(this.model, validation, { signal });
    if (Number.isFinite(metrics.loss)) return metrics;
    const why = this.options.detectAnomaly
      ? await (await import("./anomaly.ts")).evaluationAnomaly(this.model, validation.batches(0, 0, { free: true }))
      : ADVICE;
    throw diverged(`the validation loss is ${metrics.loss} after epoch ${this.#position.epoch + 1}; ${why}`);
  }

  /** The teacher ratio after so many updates. */
  #teacherRatio(done: number): number | undefined {
    const { teacher, epochs } = this.options;
    return teacher && teacherRatio(teacher, done, this.#updates * epochs);
  }

  /** The update that the batch with this number, from 1, belongs to: how it is made, and whether the batch completes it. */
  #updateOf(
    epoch: number,
    batch: number,
  ): { readonly learningRate: number; readonly update: boolean; readonly teacherRatio?: number } {
    const { accumulate } = this.options, done = epoch * this.#updates + Math.ceil(batch / accumulate) - 1;
    return {
      learningRate: this.#rates.at(epoch, done),
      update: batch % accumulate === 0 || batch === this.#source.length,
      teacherRatio: this.#teacherRatio(done),
    };
  }

  /** Ends with the error of an `onBatch`, if one failed, once. */
  #throwFailed(): void {
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed) throw failed.error;
  }

  /** Trains on the batches of the current epoch that are still to do. */
  async #batches(): Promise<void> {
    const { onBatch, signal } = this.#given, { epoch, batch: first } = this.#position;
    const { session } = internalsOf(this.model), { stepsAhead } = session.device, sums = new EpochSums(this.#position);
    const onError = (error: unknown) => void (this.#failed ??= { error });
    const queue = new ResultQueue<StepResult>(this.trainer, stepsAhead, (result) => {
      const batch = sums.position.batch + 1, { learningRate, update } = this.#updateOf(epoch, batch);
      sums.add(result, update);
      if (this.#failed) return;
      try {
        const progress = { epoch: epoch + 1, batch, batches: this.#source.length, loss: result.loss, learningRate };
        const made: unknown = onBatch?.(progress);
        // Nobody waits for a promise, but its error is the training's too.
        if (made instanceof Promise) made.catch(onError);
      } catch (error) {
        onError(error);
      }
    });
    const settle = async () => {
      await queue.drain();
      this.#position = sums.position;
    };
    // Few trainings ask for it.
    const anomalies = this.options.detectAnomaly ? await import("./anomaly.ts") : undefined;
    const detector = await anomalies?.AnomalyDetector.of(this.trainer);
    let begun = first;
    for (const batch of this.#source.batches(epoch, first)) {
      const how = this.#updateOf(epoch, ++begun), { weights } = batch;
      session.stops = signal?.aborted || this.#failed !== undefined;
      const step = await this.trainer.begin(batch, batch.targets, { weights, ...how });
      const anomaly = await detector?.check(batch, await step.result, how);
      if (anomaly) throw diverged(`in epoch ${epoch + 1}, batch ${begun}, ${anomaly}`);
      await queue.add(step);
      await this.#yielder.yieldIfDue();
      if (!how.update) continue;
      if (this.#isShared ? session.toStop : signal?.aborted || this.#failed) break;
      if (!this.#atUpdate) continue;
      await settle();
      const run = this.#atUpdate;
      this.#atUpdate = undefined;
      await run();
    }
    await settle();
    this.#throwFailed();
    if (!this.#isShared) signal?.throwIfAborted();
    else if (session.toStop) throw signal?.aborted ? signal.reason : STOPPED_ELSEWHERE;
  }
}

/**
 * Trains a model over epochs.
 *
 * @param dataset Sequences (N, T, I) with targets (N, O), or class numbers (N) for "crossEntropy" and "focal"; for a
 * network with an output at every step (N, T, O), or class numbers (N, T); for a network with a decoder pairs.
 * @returns One record per epoch.
 * @throws {TypeError | RangeError} If an option is wrong, the data do not fit, or the loss is no longer finite.
 * @throws What `options.signal` was aborted with.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, sampleDataset, train } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
 * const history = await train(model, sampleDataset({ size: 256 }), { epochs: 20, optimizer: { learningRate: 1e-2 } });
 * assert.ok(history.at(-1)!.trainLoss < history[0]!.trainLoss / 2);
 * ```
 */
export async function train(
  model: NetworkModel,
  dataset: TrainingData,
  options: TrainOptions = {},
): Promise<readonly EpochRecord[]> {
  return await new Training(model, dataset, options).run();
}
