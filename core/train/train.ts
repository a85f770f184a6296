import { DataLoader, type Dataset } from "../data/dataset.ts";
import { coreOf, type Model } from "../model/model.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { Ahead } from "./ahead.ts";
import { evaluate } from "./evaluate.ts";
import { createTrainer, type StepResult, type Trainer, type TrainerOptions } from "./trainer.ts";
import { Turns } from "../device/turns.ts";

/** How training goes on over epochs. */
export interface TrainOptions extends TrainerOptions {
  /** Passes over the data. Default 100. */
  epochs?: number;
  /** Sequences per step; the last batch of an epoch may have fewer. Default 32. */
  batchSize?: number;
  /** Whether every epoch takes the sequences in a new random order. Default true. */
  shuffle?: boolean;
  /** Evaluated after every epoch. Default: none. */
  validation?: Dataset;
  /** Called after every epoch; training waits for it. */
  onEpoch?: (report: EpochReport, training: Training) => void | Promise<void>;
  /** Called after every step. */
  onBatch?: (progress: BatchProgress) => void;
  /** Stops training after the batch in hand. */
  signal?: AbortSignal;
  /** Where an earlier training stopped: it goes on from there, as if it never had. */
  state?: TrainingState;
  /** A trainer with a state to go on from. Default: a fresh one, made of the options above. */
  trainer?: Trainer;
}

/** The options of training besides those of its trainer: types, defaults, ranges. */
export const TRAIN_OPTIONS: {
  readonly epochs: OptionSpec;
  readonly batchSize: OptionSpec;
  readonly shuffle: OptionSpec;
} = {
  epochs: { type: "integer", default: 100, least: 1, most: 1e9, about: "passes over the data" },
  batchSize: { type: "integer", default: 32, least: 1, most: 1e6, about: "sequences per step" },
  shuffle: { type: "boolean", default: true, about: "a new random order in every epoch" },
};

/** What an epoch came to. */
export interface EpochRecord {
  /** Its number, from 1. */
  readonly epoch: number;
  /** Mean of the batches' losses, each before its step, with dropout on. */
  readonly trainLoss: number;
  /** Share of sequences that were right then, 0 to 1. */
  readonly trainAccuracy: number;
  /** Mean of the batches' losses on the validation data after the epoch; absent without such data. */
  readonly testLoss?: number;
  /** Share of validation sequences that are right. */
  readonly testAccuracy?: number;
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
}

/** How far training has come, to the batch: with the model's and the trainer's state, enough to go on. */
export interface TrainingState {
  /** Epochs finished. */
  readonly epoch: number;
  /** Batches done of the next. */
  readonly batch: number;
  /** Sum of their losses. */
  readonly lossSum: number;
  /** Sequences that were right in them. */
  readonly correct: number;
  /** Of the epochs finished. */
  readonly history: readonly EpochRecord[];
}

/** A training that can be stopped, stored and gone on with. {@linkcode train} is the short way. */
export class Training {
  /** What is trained. */
  readonly model: Model;
  /** Makes the steps. */
  readonly trainer: Trainer;
  /** Epochs, batch size and order. */
  readonly options: { readonly epochs: number; readonly batchSize: number; readonly shuffle: boolean };
  readonly #loader: DataLoader;
  readonly #turns = new Turns();
  readonly #given: TrainOptions;
  #state: TrainingState;

  /**
   * A training of a model on a dataset.
   *
   * @throws {TypeError | RangeError} If an option is wrong, or the data do not fit.
   */
  constructor(model: Model, dataset: Dataset, options: TrainOptions = {}) {
    const {
      epochs,
      batchSize,
      shuffle,
      validation: _v,
      onEpoch: _e,
      onBatch: _b,
      signal: _s,
      state,
      trainer,
      ...rest
    } = options;
    this.model = model;
    this.options = resolveOptions("train", TRAIN_OPTIONS, {
      epochs,
      batchSize,
      shuffle,
    }) as unknown as Training["options"];
    const [extra] = Object.entries(rest).filter(([, value]) => value !== undefined);
    if (trainer && extra) {
      throw new TypeError(`Cannot train: a trainer was given, so ${extra[0]} must be set when it is made`);
    }
    this.trainer = trainer ?? createTrainer(model, rest);
    if (this.trainer.model !== model) throw new TypeError("Cannot train: the trainer belongs to another model");
    const { seed } = this.trainer.options, { batchSize: size, shuffle: reorder } = this.options;
    this.#loader = new DataLoader(dataset, { batchSize: size, shuffle: reorder, seed });
    this.#given = options;
    this.#state = state ?? { epoch: 0, batch: 0, lossSum: 0, correct: 0, history: [] };
    this.#checkState();
  }

  /** That the state is one of this training: sums of batches that were never done would end up in the history. */
  #checkState(): void {
    const { epoch, batch, lossSum, correct, history } = this.#state, { length, batchSize } = this.#loader;
    const counts = [epoch, batch, correct].every((n) => Number.isSafeInteger(n) && n >= 0) && Number.isFinite(lossSum);
    const follows = history.length === epoch && history.every((record, i) => record.epoch === i + 1);
    if (!counts || !follows || batch > length || correct > batch * batchSize || batch === 0 && lossSum !== 0) {
      throw new RangeError(
        `Cannot train: state must be one of this training, with ${length} batches per epoch, got epoch ${epoch}, batch ${batch}, ` +
          `${correct} right, loss ${lossSum}, ${history.length} records`,
      );
    }
  }

  /** How far it has come. */
  get state(): TrainingState {
    return this.#state;
  }

  /** The epoch with the least validation loss, or training loss without validation data; undefined before the first. */
  get best(): EpochRecord | undefined {
    const loss = (record: EpochRecord) => record.testLoss ?? record.trainLoss;
    return this.#state.history.reduce<EpochRecord | undefined>(
      (best, record) => best === undefined || loss(record) < loss(best) ? record : best,
      undefined,
    );
  }

  /**
   * Trains to the last epoch.
   *
   * @returns One record per epoch, those before a resumption included.
   * @throws {RangeError} If the loss is not a finite number any more.
   * @throws What `signal` was aborted with; `state` then says how far it came.
   */
  async run(): Promise<readonly EpochRecord[]> {
    const { onEpoch, validation, signal } = this.#given;
    while (this.#state.epoch < this.options.epochs) {
      signal?.throwIfAborted();
      const start = performance.now();
      await this.#batches();
      const { epoch, lossSum, correct, history } = this.#state;
      const test = validation &&
        await evaluate(this.model, validation, { loss: this.trainer.options.loss, batchSize: this.options.batchSize });
      if (test && !Number.isFinite(test.loss)) {
        throw new RangeError(
          `Cannot go on training: the validation loss is ${test.loss} after epoch ${epoch + 1}; ${ADVICE}`,
        );
      }
      const record: EpochRecord = {
        epoch: epoch + 1,
        trainLoss: lossSum / this.#loader.length,
        trainAccuracy: correct / this.#loader.dataset.shape[0]!,
        ...test && { testLoss: test.loss, testAccuracy: test.accuracy },
      };
      this.#state = { epoch: epoch + 1, batch: 0, lossSum: 0, correct: 0, history: [...history, record] };
      await onEpoch?.({ ...record, seconds: (performance.now() - start) / 1000 }, this);
    }
    return this.#state.history;
  }

  /** The batches of the epoch in hand that are still to do. */
  async #batches(): Promise<void> {
    const { onBatch, signal } = this.#given;
    const { epoch, batch: first, history } = this.#state;
    let { lossSum, correct } = this.#state, batch = first;
    const ahead = new Ahead<StepResult>(coreOf(this.model).stepsAhead, ({ loss, gradNorm, correct: right }) => {
      batch++;
      if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
        const what = Number.isFinite(loss) ? `norm of the gradient is ${gradNorm}` : `loss is ${loss}`;
        throw new RangeError(`Cannot go on training: the ${what} in epoch ${epoch + 1}, batch ${batch}; ${ADVICE}`);
      }
      lossSum += loss;
      correct += right;
      onBatch?.({ epoch: epoch + 1, batch, batches: this.#loader.length, loss });
    });
    for (const part of this.#loader.batches(epoch, first)) {
      await ahead.add((await this.trainer.begin(part, part.targets, { weights: part.weights })).result);
      await this.#turns.offer();
      if (signal?.aborted) break;
    }
    await ahead.drain();
    this.#state = { epoch, batch, lossSum, correct, history };
    signal?.throwIfAborted();
  }
}

const ADVICE = "try a smaller learning rate or clipping, and look for such values in the data";

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
  model: Model,
  dataset: Dataset,
  options: TrainOptions = {},
): Promise<readonly EpochRecord[]> {
  return await new Training(model, dataset, options).run();
}
