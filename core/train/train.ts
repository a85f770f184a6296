import { DataLoader, type Dataset, targetRows } from "../data/dataset.ts";
import { type DataHash, hashDataset } from "../data/hash.ts";
import { Yielder } from "../device/event_loop.ts";
import { ResultQueue } from "../device/results.ts";
import { fail } from "../errors.ts";
import type { StateDict } from "../model/arrays.ts";
import { LOSSES } from "../model/losses.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { AnomalyDetector, evaluationAnomaly } from "./anomaly.ts";
import { type EarlyStoppingOptions, outOfPatience, resolveEarlyStopping } from "./early_stopping.ts";
import { datasetFor, evaluate, type Metrics } from "./evaluate.ts";
import { learningRates, resolveSchedule, type ScheduleOptions } from "./schedule.ts";
import { createTrainer, type StepResult, type Trainer, type TrainerOptions } from "./trainer.ts";
import { checkFinite } from "./validate.ts";

/** How training goes on over epochs. */
export interface TrainOptions extends TrainerOptions {
  /** Passes over the data. Default 100. */
  epochs?: number;
  /** Sequences per batch; the last batch of an epoch may have fewer. Default 32. */
  batchSize?: number;
  /** Whether every epoch takes the sequences in a new random order. Default true. */
  shuffle?: boolean;
  /**
   * Batches per update: their gradients add up to that of one large batch. The last update of an epoch may have fewer.
   * Default 1.
   */
  accumulate?: number;
  /** How the learning rate changes. Default: not at all. */
  schedule?: ScheduleOptions;
  /**
   * What tells a better epoch from a worse one, for `best`, early stopping and "plateau": the loss or the accuracy on the
   * validation data, or without such data on the training data. Default "loss".
   */
  monitor?: "loss" | "accuracy";
  /** Ends training when `monitor` has stopped improving. Default: never. */
  earlyStopping?: EarlyStoppingOptions;
  /** Whether the model gets the parameters of the best epoch back at the end. Default: with `earlyStopping`. */
  restoreBest?: boolean;
  /** Evaluated after every epoch. Default: none. */
  validation?: Dataset;
  /**
   * What the validation loss is: the mean of the batches' losses, as the usual loop in PyTorch prints it, or the mean over
   * all sequences, whatever the batches. Default "batches".
   */
  validationLoss?: "batches" | "sequences";
  /** Trains one epoch of one batch, and validates on one: whether everything works. Default false. */
  fastDevRun?: boolean;
  /**
   * Looks at every parameter after every update, and where a loss, a gradient or a parameter is not finite, says which
   * tensor was first, and where in it. Changes no result, but takes time; a GPU waits for every step. Default false.
   */
  detectAnomaly?: boolean;
  /** Called after every epoch; training waits for it. */
  onEpoch?: (report: EpochReport, training: Training) => void | Promise<void>;
  /** Called after every batch. */
  onBatch?: (progress: BatchProgress) => void;
  /** Stops training after the update in hand. */
  signal?: AbortSignal;
  /** Where an earlier training stopped: it goes on from there, as if it never had. */
  state?: TrainingState;
  /** With `state` and `restoreBest`: the earlier training's `bestParameters`. */
  bestParameters?: StateDict;
  /** A trainer with a state to go on from. Default: a fresh one, made of the options above. */
  trainer?: Trainer;
}

/** Options of a training besides those of its trainer, all filled in: what a checkpoint keeps of them. */
export interface TrainingOptions {
  /** Passes over the data. */
  readonly epochs: number;
  /** Sequences per batch. */
  readonly batchSize: number;
  /** Whether every epoch has an order of its own. */
  readonly shuffle: boolean;
  /** Batches per update. */
  readonly accumulate: number;
  /** What tells a better epoch from a worse one. */
  readonly monitor: "loss" | "accuracy";
  /** Whether the best epoch's parameters are restored. */
  readonly restoreBest: boolean;
  /** What the validation loss is the mean of; absent: batches. */
  readonly validationLoss?: "batches" | "sequences";
  /** Whether this is but a try. */
  readonly fastDevRun: boolean;
  /** Whether the first bad tensor is named. */
  readonly detectAnomaly: boolean;
  /** How the learning rate changes. */
  readonly schedule: ScheduleOptions;
  /** When training ends early; absent: never. */
  readonly earlyStopping?: Required<EarlyStoppingOptions>;
}

/** The options of training besides those of its trainer, its schedule and early stopping: types, defaults, ranges. */
export const TRAIN_OPTIONS: {
  readonly [Name in Exclude<keyof TrainingOptions, "schedule" | "earlyStopping">]: OptionSpec;
} = {
  epochs: { type: "integer", default: 100, least: 1, most: 1e9, about: "passes over the data" },
  batchSize: { type: "integer", default: 32, least: 1, most: 1e6, about: "sequences per batch" },
  shuffle: {
    type: "boolean",
    default: true,
    about: "a new random order in every epoch",
    off: "keep the sequences in the data's order",
  },
  accumulate: { type: "integer", optional: true, least: 1, most: 1e6, about: "batches per update (default 1)" },
  monitor: {
    type: "choice",
    optional: true,
    choices: ["loss", "accuracy"],
    about: "what makes an epoch the best (default loss)",
  },
  restoreBest: {
    type: "boolean",
    optional: true,
    about: "end with the best epoch's parameters (default with early stopping)",
  },
  validationLoss: {
    type: "choice",
    optional: true,
    choices: ["batches", "sequences"],
    about: "what the test or validation loss of an epoch is the mean of",
  },
  fastDevRun: { type: "boolean", optional: true, about: "one batch of everything: does it work?" },
  detectAnomaly: { type: "boolean", optional: true, about: "name the first tensor that is not finite" },
};

/**
 * The options with every default filled in.
 *
 * @throws {TypeError | RangeError} If an option is unknown, missing or wrong.
 */
export function resolveTraining(
  { schedule, earlyStopping, ...given }: Pick<TrainOptions, keyof TrainingOptions>,
): TrainingOptions {
  const flat = resolveOptions("train", TRAIN_OPTIONS, given);
  return {
    accumulate: 1,
    monitor: "loss",
    restoreBest: earlyStopping !== undefined,
    fastDevRun: false,
    detectAnomaly: false,
    ...flat as Pick<TrainingOptions, "epochs" | "batchSize" | "shuffle">,
    ...flat.fastDevRun === true && { epochs: 1 },
    schedule: resolveSchedule(schedule),
    ...earlyStopping && { earlyStopping: resolveEarlyStopping(earlyStopping) },
  };
}

/** Whether an option is one of training, rather than one of its trainer. */
function isOwn(name: string): boolean {
  return Object.hasOwn(TRAIN_OPTIONS, name) || name === "schedule" || name === "earlyStopping";
}

/** What an epoch came to. */
export interface EpochRecord {
  /** Its number, from 1. */
  readonly epoch: number;
  /** Mean of the batches' losses, each before its step, with dropout on. */
  readonly trainLoss: number;
  /** Share of sequences that were right then, 0 to 1. */
  readonly trainAccuracy: number;
  /** Mean loss on the validation data after the epoch, as `validationLoss` says; absent without such data. */
  readonly testLoss?: number;
  /** Share of validation sequences that are right. */
  readonly testAccuracy?: number;
  /** Of the epoch's last update. */
  readonly learningRate?: number;
  /** Mean over the updates of the norm of the whole gradient, before clipping. */
  readonly gradNorm?: number;
}

/** What an epoch came to, and how long it took: the record itself is the same for every run, to the bit. */
export interface EpochReport extends EpochRecord {
  /** Since the epoch began or was gone on with, evaluation included. */
  readonly seconds: number;
}

/** How far an epoch has come. */
export interface BatchProgress {
  /** The epoch's number, from 1. */
  readonly epoch: number;
  /** Batches done in it. */
  readonly batch: number;
  /** Batches it has. */
  readonly batches: number;
  /** Loss of the last batch. */
  readonly loss: number;
  /** Of the update that the batch belongs to. */
  readonly learningRate: number;
}

/**
 * How far training has come, to the update: with the model's and the trainer's state, enough to go on. It is plain JSON.
 * What schedules, early stopping and the best epoch go by is the history.
 */
export interface TrainingState {
  /** Epochs finished. */
  readonly epoch: number;
  /** Batches done of the next: all those of some updates. */
  readonly batch: number;
  /** Sum of their losses. */
  readonly lossSum: number;
  /** Sequences that were right in them. */
  readonly correct: number;
  /** Sum of the gradient's norms in their updates. Absent in states of earlier versions: the epoch's mean is not known. */
  readonly gradNormSum?: number;
  /** Of the epochs finished. */
  readonly history: readonly EpochRecord[];
  /** Whether training has ended and the model has got the best epoch's parameters back: nothing can go on from there. */
  readonly restored?: boolean;
  /** What it was trained on, if it comes from a checkpoint: other data are refused. */
  readonly data?: DataHash;
}

/** A training that can be stopped, stored and gone on with. {@linkcode train} is the short way. */
export class Training {
  /** What is trained. */
  readonly model: NetworkModel;
  /** Makes the steps. */
  readonly trainer: Trainer;
  /** What it is trained on. */
  readonly dataset: Dataset;
  /** What it is validated on, if anything. */
  readonly validation: Dataset | undefined;
  /** What a checkpoint keeps: all but data, callbacks and the trainer's own. */
  readonly options: TrainingOptions;
  readonly #loader: DataLoader;
  readonly #validation?: Dataset;
  readonly #yielder = new Yielder();
  readonly #given: TrainOptions;
  #position: Omit<TrainingState, "history">;
  /** Of the epochs finished, the monitored value of each, and which is best. They grow in place: runs may have many. */
  readonly #history: EpochRecord[] = [];
  readonly #values: number[] = [];
  #best = -1;
  #asked: (() => void | Promise<void>) | undefined;
  #bestParameters?: StateDict;

  /**
   * A training of a model on a dataset.
   *
   * @throws {TypeError | RangeError} If an option is wrong, the data do not fit, or a number in them is not finite.
   */
  constructor(model: NetworkModel, dataset: Dataset, options: TrainOptions = {}) {
    const {
      validation,
      onEpoch: _e,
      onBatch: _b,
      signal: _s,
      state,
      bestParameters,
      trainer,
      ...named
    } = options;
    const own: Record<string, unknown> = {}, rest: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(named)) (isOwn(name) ? own : rest)[name] = value;
    this.model = model;
    const internals = internalsOf(model), marked = (data: Dataset) => datasetFor(internals, "train", data);
    internals.only("train");
    this.options = resolveTraining(own);
    const [extra] = Object.entries(rest).filter(([, value]) => value !== undefined);
    if (trainer && extra) {
      throw fail("option-conflict", "train", `a trainer was given, so ${extra[0]} must be set when it is made`, {
        option: extra[0],
      });
    }
    this.trainer = trainer ?? createTrainer(model, rest);
    if (this.trainer.model !== model) throw fail("trainer-mismatch", "train", "the trainer belongs to another model");
    const { loss } = this.trainer.options;
    if (this.options.monitor === "accuracy" && !LOSSES[loss].hasAccuracy) {
      throw fail("option-conflict", "train", `monitor must be "loss" where the loss is "${loss}", got "accuracy"`, {
        option: "monitor",
      });
    }
    const { seed } = this.trainer.options, { batchSize, shuffle, fastDevRun } = this.options;
    const tried = (data: Dataset) =>
      fastDevRun ? new DataLoader(marked(data), { batchSize }).batches(0).next().value! : marked(data);
    this.#loader = new DataLoader(tried(dataset), { batchSize, shuffle, seed });
    this.#validation = validation && tried(validation);
    this.dataset = dataset;
    this.validation = validation;
    checkFinite(this.#loader.dataset, "data");
    if (this.#validation) checkFinite(this.#validation, "validation data");
    this.#given = options;
    const { history, ...position } = state ?? { ...START, epoch: 0, history: [] };
    this.#position = position;
    for (const record of history) this.#add(record);
    this.#bestParameters = this.options.restoreBest ? bestParameters : undefined;
    this.#checkState();
  }

  /** That the state is one of this training: sums of batches that were never done would end up in the history. */
  #checkState(): void {
    const { epoch, batch, lossSum, correct, gradNormSum = 0 } = this.#position, history = this.#history;
    const { length, batchSize, dataset: { shape, targetsPerStep } } = this.#loader;
    const { accumulate, restoreBest } = this.options, most = batch * batchSize * (targetsPerStep ? shape[1]! : 1);
    const counts = [epoch, batch, correct].every((n) => Number.isSafeInteger(n) && n >= 0);
    const sums = [lossSum, gradNormSum].every(Number.isFinite) && (batch > 0 || lossSum === 0 && gradNormSum === 0);
    const follows = history.length === epoch && history.every((record, i) => record.epoch === i + 1);
    const whole = batch % accumulate === 0 || batch === length;
    if (!counts || !sums || !follows || !whole || batch > length || correct > most) {
      throw fail(
        "state-mismatch",
        "train",
        `state must be one of this training, with ${length} batches per epoch` +
          `${accumulate > 1 ? ` and ${accumulate} per update` : ""}, got epoch ${epoch}, batch ${batch}, ` +
          `${correct} right, loss ${lossSum}, ${history.length} records`,
      );
    }
    if (restoreBest && epoch && !this.#bestParameters) {
      throw fail("option-missing", "train", "with a state, restoreBest needs the bestParameters that belong to it", {
        option: "bestParameters",
      });
    }
    if (this.#position.restored && !this.finished) {
      throw fail(
        "training-ended",
        "train",
        `state is that of a training which ended with the best parameters restored; to go on after epoch ` +
          `${epoch}, use a state or checkpoint that onEpoch was given`,
      );
    }
  }

  /** That the data are those of the state: orders and histories of others are no use. */
  async #checkData(): Promise<void> {
    const { hash, validationHash } = this.#given.state?.data ?? {}, { dataset, validation } = this;
    for (
      const [what, before, now] of [["data", hash, dataset], ["validation data", validationHash, validation]] as const
    ) {
      if (!before || !now || before === await hashDataset(now)) continue;
      throw fail(
        "data-changed",
        "train",
        `the ${what} must be those of before, ${before}, got ${await hashDataset(now)}`,
        { name: what },
      );
    }
  }

  /** How far it has come. */
  get state(): TrainingState {
    return { ...this.#position, history: this.#history.slice() };
  }

  /** The epoch that is best by `monitor`, the first of equals; undefined before there is one. */
  get best(): EpochRecord | undefined {
    return this.#history[this.#best];
  }

  /** With `restoreBest`, the parameters after the best epoch: undefined before there is one. */
  get bestParameters(): StateDict | undefined {
    return this.#bestParameters;
  }

  /** Whether early stopping has ended it. */
  get stoppedEarly(): boolean {
    const { earlyStopping } = this.options;
    return earlyStopping !== undefined && outOfPatience(earlyStopping, this.#values, this.#greater);
  }

  /** Whether there is nothing left to do. */
  get finished(): boolean {
    return this.#position.epoch >= this.options.epochs || this.stoppedEarly;
  }

  /** Whether the greater of two monitored values is the better. */
  get #greater(): boolean {
    return this.options.monitor === "accuracy";
  }

  /** Takes an epoch into the history. */
  #add(record: EpochRecord): void {
    const greater = this.#greater, best = this.#values[this.#best];
    const value = greater ? record.testAccuracy ?? record.trainAccuracy : record.testLoss ?? record.trainLoss;
    const isBetter = best === undefined || (greater ? value > best : value < best);
    if (isBetter) this.#best = this.#history.length;
    this.#values.push(value);
    this.#history.push(record);
  }

  /**
   * Runs something once when the update in hand is done, if one is to come, while nothing is under way: a checkpoint
   * written then goes on to the same bits. Training waits for it; of several that were asked for, the last is run.
   */
  atUpdate(run: () => void | Promise<void>): void {
    this.#asked = run;
  }

  /**
   * Trains to the last epoch, or to where early stopping ends it; with `restoreBest`, the model then has the parameters
   * of the best epoch. To go on later with more epochs, use a state (or checkpoint) that `onEpoch` was given, before that.
   *
   * @returns One record per epoch, those before a resumption included.
   * @throws {RangeError} If the loss is not a finite number any more.
   * @throws What `signal` was aborted with; `state` then says how far it came.
   */
  async run(): Promise<readonly EpochRecord[]> {
    const { onEpoch, signal } = this.#given;
    await this.#checkData();
    this.#checkMemory();
    while (!this.finished) {
      signal?.throwIfAborted();
      const start = performance.now();
      await this.#batches();
      const record = await this.#record();
      this.#add(record);
      this.#position = { ...START, epoch: record.epoch };
      if (this.options.restoreBest && this.best === record) this.#bestParameters = await this.model.stateDict();
      await onEpoch?.({ ...record, seconds: (performance.now() - start) / 1000 }, this);
    }
    const { epoch, restored } = this.#position;
    if (this.#bestParameters && this.best!.epoch < epoch && !restored) {
      await this.model.loadStateDict(this.#bestParameters);
      this.#position = { ...this.#position, restored: true };
    }
    return this.#history.slice();
  }

  /** That the largest batches fit: or training would end where one of them comes. */
  #checkMemory(): void {
    const { accumulate, batchSize } = this.options;
    this.trainer.checkFits(this.#loader.largest, "step", accumulate > 1);
    if (!this.#validation) return;
    this.trainer.checkFits(new DataLoader(this.#validation, { batchSize }).largest, "evaluate");
  }

  /** What the epoch in hand came to, its batches being done. */
  async #record(): Promise<EpochRecord> {
    const { epoch, lossSum, correct, gradNormSum } = this.#position, { signal } = this.#given;
    const { loss, classWeights, posWeight } = this.trainer.options, { batchSize } = this.options;
    const test = this.#validation &&
      await evaluate(this.model, this.#validation, { loss, classWeights, posWeight, batchSize, signal });
    if (test && !Number.isFinite(test.loss)) {
      const why = this.options.detectAnomaly
        ? await evaluationAnomaly(this.model, this.#validation!, batchSize)
        : ADVICE;
      throw fail(
        "training-diverged",
        "continue training",
        `the validation loss is ${test.loss} after epoch ${epoch + 1}; ${why}`,
      );
    }
    return {
      epoch: epoch + 1,
      trainLoss: lossSum / this.#loader.length,
      trainAccuracy: correct / targetRows(this.#loader.dataset),
      ...test && { testLoss: this.#lossOf(test), testAccuracy: test.accuracy },
      learningRate: this.#rates()(this.#updates * (epoch + 1) - 1),
      ...gradNormSum !== undefined && { gradNorm: gradNormSum / this.#updates },
    };
  }

  /** The validation loss of an epoch. */
  #lossOf({ loss, lossOverSamples }: Metrics): number {
    return this.options.validationLoss === "sequences" ? lossOverSamples : loss;
  }

  /** Updates per epoch. */
  get #updates(): number {
    return Math.ceil(this.#loader.length / this.options.accumulate);
  }

  /** The learning rates of the epoch in hand, by the number of updates done in the whole training. */
  #rates(): (update: number) => number {
    const { schedule, epochs } = this.options, base = this.trainer.options.optimizer.learningRate!;
    return learningRates(schedule, base, {
      epoch: this.#position.epoch,
      epochs,
      updates: this.#updates,
      values: this.#values,
      greater: this.#greater,
    });
  }

  /** The batches of the epoch in hand that are still to do. */
  async #batches(): Promise<void> {
    const { onBatch, signal } = this.#given, { accumulate } = this.options, batches = this.#loader.length;
    const { epoch, batch: first } = this.#position, rates = this.#rates();
    let { lossSum, correct, gradNormSum } = this.#position, batch = first;
    /** The update that a batch belongs to, and whether it completes it. */
    const updateOf = (batch: number) => ({
      learningRate: rates(epoch * this.#updates + Math.ceil(batch / accumulate) - 1),
      update: batch % accumulate === 0 || batch === batches,
    });
    const { stepsAhead } = internalsOf(this.model).session.device;
    const queue = new ResultQueue<StepResult>(this.trainer, stepsAhead, ({ loss, gradNorm, correct: right }) => {
      const { learningRate, update } = updateOf(++batch);
      if (!Number.isFinite(loss) || update && !Number.isFinite(gradNorm)) {
        const what = Number.isFinite(loss) ? `norm of the gradient is ${gradNorm}` : `loss is ${loss}`;
        throw fail(
          "training-diverged",
          "continue training",
          `the ${what} in epoch ${epoch + 1}, batch ${batch}; ${ADVICE}`,
        );
      }
      lossSum += loss;
      correct += right;
      if (update && gradNormSum !== undefined) gradNormSum += gradNorm;
      onBatch?.({ epoch: epoch + 1, batch, batches, loss, learningRate });
    });
    const detector = this.options.detectAnomaly ? await AnomalyDetector.of(this.trainer) : undefined;
    let begun = first;
    for (const part of this.#loader.batches(epoch, first)) {
      const how = updateOf(++begun), { weights } = part;
      const step = await this.trainer.begin(part, part.targets, { weights, ...how });
      const anomaly = await detector?.check(part, await step.result, how.update);
      if (anomaly) {
        throw fail("training-diverged", "continue training", `in epoch ${epoch + 1}, batch ${begun}, ${anomaly}`);
      }
      await queue.add(step);
      await this.#yielder.yieldIfDue();
      if (signal?.aborted && how.update) break;
      if (this.#asked && how.update) {
        await queue.drain();
        this.#position = { epoch, batch, lossSum, correct, gradNormSum };
        const asked = this.#asked;
        this.#asked = undefined;
        await asked();
      }
    }
    await queue.drain();
    this.#position = { epoch, batch, lossSum, correct, gradNormSum };
    signal?.throwIfAborted();
  }
}

/** What an epoch begins with. */
const START = { batch: 0, lossSum: 0, correct: 0, gradNormSum: 0 } as const;

const ADVICE = "try a smaller learning rate or clipping; detectAnomaly (--detect-anomaly) names where it comes from";

/**
 * Trains a model over epochs.
 *
 * @param dataset Sequences (N, T, I) with targets (N, O), or class numbers (N) for "crossEntropy".
 * @returns One record per epoch.
 * @throws {TypeError | RangeError} If an option is wrong, the data do not fit, or the loss is not finite any more.
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
  dataset: Dataset,
  options: TrainOptions = {},
): Promise<readonly EpochRecord[]> {
  return await new Training(model, dataset, options).run();
}
