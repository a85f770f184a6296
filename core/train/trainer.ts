import { amend, fail } from "../errors.ts";
import type { LossName } from "../model/head.ts";
import {
  coreOf,
  type Gradients,
  LOSSES,
  type Model,
  type Sequences,
  type StateDict,
  type Targets,
} from "../model/model.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";
import { Later } from "./ahead.ts";
import { controlWords, type OptimizerOptions, optimizerState, resolveOptimizer, updateCalls } from "./optimizer.ts";

/** How a model is trained, step by step. */
export interface TrainerOptions {
  /** Default "bce". */
  loss?: LossName;
  /** Default Adam with PyTorch's defaults. */
  optimizer?: OptimizerOptions;
  /** Largest norm of the whole gradient; a longer one is shortened. Default: no limit. */
  clipNorm?: number;
  /** Largest absolute value of each number of the gradient, applied after clipNorm. Default: no limit. */
  clipValue?: number;
  /** Of the dropout masks. Default: the model's. */
  seed?: number;
  /** For "crossEntropy": how much a sequence of each class counts (O), from 0. Default: all 1. */
  classWeights?: readonly number[];
  /** For "bce": how much a target of 1 counts for each output (O), from 0. Default: all 1. */
  posWeight?: readonly number[];
}

/** What may be another from step to step. */
export interface StepOptions {
  /** Multipliers (B, D) of the context in place of all random dropout of this step. */
  dropoutMask?: Float32Array;
  /** How much each sequence counts in the loss (B), from 0: 2 counts as two of it. Default: all 1. */
  weights?: Float32Array;
  /** In place of the optimizer's. */
  learningRate?: number;
  /**
   * false: only computes the gradient, which counts in the next step that updates: several batches then are as one large
   * batch, whose gradient is clipped and applied once. Default true.
   */
  update?: boolean;
}

/** The options of a trainer besides its optimizer: types, defaults, ranges. */
export const TRAINER_OPTIONS: { readonly [Name in keyof Required<Omit<TrainerOptions, "optimizer">>]: OptionSpec } = {
  loss: { type: "choice", default: "bce", choices: LOSSES, about: "loss" },
  clipNorm: { type: "number", optional: true, least: 0, above: true, about: "largest norm of the gradient" },
  clipValue: { type: "number", optional: true, least: 0, above: true, about: "largest absolute value in the gradient" },
  seed: {
    type: "integer",
    optional: true,
    least: 0,
    most: Number.MAX_SAFE_INTEGER,
    about: "seed of everything random",
  },
  classWeights: { type: "list", optional: true, least: 0, about: "how much each class counts in crossEntropy" },
  posWeight: { type: "list", optional: true, least: 0, about: "how much a target of 1 counts in bce, per output" },
};

/** What one step of training says. */
export interface StepResult {
  /** The mean loss of the batch, before the step. */
  readonly loss: number;
  /** The norm of the whole gradient, of all batches since the last update, before clipping. */
  readonly gradNorm: number;
  /** Rows whose prediction is right; 0 for "mse". */
  readonly correct: number;
}

/** What an optimizer has learnt: enough to go on from the last update. */
export interface TrainerState {
  /** Updates done. */
  readonly step: number;
  /** State by PyTorch's name (`exp_avg`, …), then by parameter. */
  readonly slots: Record<string, StateDict>;
}

const NOTHING = { rows: 0, weight: 0 };

/** Trains a model, one batch at a time. Made by {@linkcode createTrainer}. */
export class Trainer {
  /** The model it trains. */
  readonly model: Model;
  /** Its options, all filled in. */
  readonly options: Required<Pick<TrainerOptions, "loss" | "optimizer" | "seed">> & TrainerOptions;
  readonly #core: ReturnType<typeof coreOf>;
  readonly #seed: readonly [number, number];
  readonly #update: ReturnType<typeof updateCalls>;
  #step = 0;
  /** Rows whose gradient waits for an update, and the sum of their weights. */
  #waiting = NOTHING;

  /** Use {@linkcode createTrainer}. */
  constructor(model: Model, options: TrainerOptions = {}) {
    const { optimizer, ...rest } = options;
    const own = resolveOptions("create trainer", TRAINER_OPTIONS, rest) as Omit<TrainerOptions, "optimizer">;
    this.model = model;
    this.#core = coreOf(model);
    this.options = { ...own, loss: own.loss!, seed: own.seed ?? model.seed, optimizer: resolveOptimizer(optimizer) };
    this.#seed = seedWords(this.options.seed);
    this.#update = updateCalls(this.options.optimizer, this.options);
    const { loss, classWeights, posWeight } = this.options;
    this.#core.claim(this, { loss, classWeights, posWeight });
  }

  /** Updates done so far. */
  get steps(): number {
    return this.#step;
  }

  /**
   * One step: forward, backward, clipping, update.
   *
   * @param sequences Inputs (B, T, I).
   * @param targets (B, O) for "bce" and "mse", (B) class numbers as Int32Array for "crossEntropy".
   * @param options What may be another from step to step: weights, learning rate, whether to update.
   * @throws {TypeError | RangeError} If the batch does not fit the model, or another trainer took the model over.
   */
  async step(
    sequences: Sequences,
    targets: Targets,
    options: StepOptions = {},
  ): Promise<StepResult> {
    return await (await this.begin(sequences, targets, options)).result;
  }

  /**
   * As `step`, but done when the next step may begin. `result` is fetched when it is asked for, best after some steps: their
   * numbers arrive together, and take their time from a GPU.
   *
   * @throws {TypeError | RangeError} If the batch does not fit the model, or another trainer took the model over.
   */
  async begin(
    sequences: Sequences,
    targets: Targets,
    options: StepOptions = {},
  ): Promise<{ readonly result: Promise<StepResult> }> {
    const core = this.#core, { learningRate = this.options.optimizer.learningRate!, weights, update = true } = options;
    if (!(Number.isFinite(learningRate) && learningRate >= 0)) {
      throw fail("argument-out-of-range", "train model", `learningRate must be a number from 0, got ${learningRate}`, {
        name: "learningRate",
        value: learningRate,
      });
    }
    const { loss, classWeights, posWeight } = this.options;
    return await core.exclusive(async () => {
      this.#check();
      const waiting = this.#waiting;
      const { plan, weight } = await core.run(sequences, {
        purpose: "step",
        loss,
        classWeights,
        posWeight,
        targets,
        weights,
        dropoutMask: options.dropoutMask,
        random: true,
        update: update ? this.#update : undefined,
        accumulate: !update || waiting.rows > 0,
        control: (weight) => {
          const optimizer = { ...this.options.optimizer, learningRate };
          return controlWords(optimizer, this.#seed, this.#step, { ...waiting, added: weight });
        },
      });
      if (update) this.#step++;
      this.#waiting = update ? NOTHING : { rows: waiting.rows + sequences.shape[0]!, weight: waiting.weight + weight };
      return new Later(core.stats(plan));
    });
  }

  /**
   * What an earlier step computed from a batch, dropout included, with the parameters there are now; it takes no step.
   *
   * @param options `step`: the updates done before it; `rows`: of the batches before it that count in the same update.
   * @throws {TypeError | RangeError} If the batch does not fit the model.
   */
  async replay(
    sequences: Sequences,
    targets: Targets,
    options: { weights?: Float32Array; step: number; rows?: number },
  ): Promise<Gradients> {
    const { loss, classWeights, posWeight, optimizer } = this.options, { weights, step, rows = 0 } = options;
    const control = (added: number) => controlWords(optimizer, this.#seed, step, { rows, weight: 0, added });
    return await this.#core.exclusive(() =>
      this.#core.replay(sequences, targets, { loss, classWeights, posWeight, weights }, { random: true, control })
    );
  }

  #check() {
    if (!this.#core.owns(this)) {
      throw fail(
        "trainer-mismatch",
        "train model",
        "another trainer was made for it, which has replaced this one's state",
      );
    }
  }

  /** A copy of the optimizer's state. */
  async state(): Promise<TrainerState> {
    return await this.#core.exclusive(async () => {
      this.#check();
      const slots: Record<string, StateDict> = {};
      for (const [i, name] of optimizerState(this.options.optimizer).entries()) {
        slots[name] = await this.#core.readSlot(i);
      }
      return { step: this.#step, slots };
    });
  }

  /**
   * Takes over an optimizer's state, such as that of a checkpoint.
   *
   * @throws {TypeError | RangeError} If names or shapes are not this optimizer's.
   */
  async loadState(state: TrainerState): Promise<void> {
    // deno-lint-ignore require-await -- errors arrive as rejections, as from every other method
    await this.#core.exclusive(async () => this.#load(state));
  }

  #load({ step, slots }: TrainerState) {
    this.#check();
    if (!Number.isSafeInteger(step) || step < 0) {
      throw fail("argument-out-of-range", "load optimizer state", `step must be a whole number from 0, got ${step}`, {
        name: "step",
        value: step,
      });
    }
    const names = optimizerState(this.options.optimizer);
    for (const name of Object.keys(slots)) {
      if (!names.includes(name)) {
        throw fail("state-dict-mismatch", "load optimizer state", `unknown state "${name}"`, { name });
      }
    }
    for (const [i, name] of names.entries()) {
      if (!Object.hasOwn(slots, name)) {
        throw fail("state-dict-mismatch", "load optimizer state", `missing state "${name}"`, { name });
      }
      try {
        this.#core.writeSlot(i, slots[name]!, `optimizer state "${name}"`);
      } catch (error) {
        throw amend(error, { action: "load optimizer state", place: `"${name}"` });
      }
    }
    this.#step = step;
    this.#waiting = NOTHING;
  }
}

/**
 * Makes a trainer for a model, with a fresh optimizer state.
 *
 * A model has one trainer at a time: the one made last.
 *
 * @throws {TypeError} If an option is unknown or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 *
 * @example Classes that count differently, and two batches for one update
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createTrainer } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 3 });
 * const trainer = createTrainer(model, { loss: "crossEntropy", classWeights: [1, 1, 4] });
 * const batch = { x: new Float32Array(100), shape: [2, 10, 5] }, classes = Int32Array.of(0, 2);
 * await trainer.step(batch, classes, { update: false });
 * await trainer.step(batch, classes, { weights: Float32Array.of(1, 0.5), learningRate: 1e-2 });
 * assert.equal(trainer.steps, 1);
 * ```
 */
export function createTrainer(model: Model, options: TrainerOptions = {}): Trainer {
  return new Trainer(model, options);
}
