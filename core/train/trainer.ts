import { LazyResult } from "../device/results.ts";
import { amend, fail } from "../errors.ts";
import type { StateDict } from "../model/arrays.ts";
import type { Sequences } from "../model/batch.ts";
import type { Internals, Losses, WeightedLoss } from "../model/internals.ts";
import {
  LOSS_NAMES,
  LOSS_SETTINGS,
  type LossName,
  type LossOptions,
  type LossSettings,
  WEIGHTS,
} from "../model/losses.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { type AnyTargets, byOutput, type NetworkGradients, type NetworkOutputs } from "../model/results.ts";
import type { RunTask } from "../model/session.ts";
import { optimizerState } from "../model/update.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";

import { controlWords, type OptimizerOptions, resolveOptimizer, updateSpec } from "./optimizer.ts";

/** How a model is trained, step by step. */
export interface TrainerOptions extends LossSettings {
  /** Default: the model's, else "bce". It must agree with the model's, if that was made with one. */
  loss?: LossName;
  /** Losses by output, for a network with several: each with its own mean, added with the weights given. */
  losses?: Readonly<Record<string, WeightedLoss>>;
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
  /** Multipliers to use as the mask of the first dropout layer, in place of all random dropout of this step. */
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
export const TRAINER_OPTIONS: {
  readonly [Name in keyof Required<Omit<TrainerOptions, "optimizer" | "losses">>]: OptionSpec;
} = {
  loss: { type: "choice", default: "bce", choices: LOSS_NAMES, about: "loss" },
  ...LOSS_SETTINGS,
  clipNorm: { type: "number", optional: true, least: 0, above: true, about: "largest norm of the gradient" },
  clipValue: { type: "number", optional: true, least: 0, above: true, about: "largest absolute value in the gradient" },
  seed: {
    type: "integer",
    optional: true,
    least: 0,
    most: Number.MAX_SAFE_INTEGER,
    about: "seed of everything random",
  },
  ...WEIGHTS,
};

/** The options of a loss, which `losses` says for each output. */
const OF_LOSSES: readonly string[] = [...Object.keys(LOSS_SETTINGS), ...Object.keys(WEIGHTS)];

/** What one step of training says. */
export interface StepResult {
  /** The mean loss of the batch, before the step. */
  readonly loss: number;
  /** The norm of the whole gradient, of all batches since the last update, before clipping. */
  readonly gradNorm: number;
  /** Rows whose prediction is right; 0 where no row is right or wrong. With several losses, of the first. */
  readonly correct: number;
  /** By output, with several losses: each before it is weighted. */
  readonly losses?: Readonly<Record<string, number>>;
}

/**
 * A loss of your own: from what the network computed, dropout included, to the loss and its gradient by each output: one
 * array for an only output, or several by name, (B, O) or (B, T, O).
 */
export type LossFunction = (outputs: NetworkOutputs) => {
  readonly loss: number;
  readonly dOutputs: Float32Array | Readonly<Record<string, Float32Array>>;
};

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
  readonly model: NetworkModel;
  /** Its options, all filled in. */
  readonly options: Required<Pick<TrainerOptions, "loss" | "optimizer" | "seed">> & TrainerOptions;
  readonly #internals: Internals;
  readonly #seed: readonly [number, number];
  /** A step with the trainer's losses, and one whose gradients come from outside. */
  readonly #task: RunTask;
  readonly #outside: RunTask;
  #step = 0;
  /** Rows whose gradient waits for an update, and the sum of their weights. */
  #waiting = NOTHING;

  /** Use {@linkcode createTrainer}. */
  constructor(model: NetworkModel, options: TrainerOptions = {}) {
    const action = "create trainer", { optimizer, losses: given, ...rest } = options;
    const internals = this.#internals = internalsOf(model);
    const { loss, ...own } = resolveOptions(action, TRAINER_OPTIONS, rest) as Omit<TrainerOptions, "optimizer">;
    const losses = given ?? lossesOf(internals, { ...own, loss: rest.loss ?? model.loss ?? loss! });
    const resolved = internals.resolveLosses(action, losses);
    const first = losses[internals.outputs[0]!] ?? Object.values(losses)[0]!;
    // The options of a trainer say the first loss twice.
    const besides = { ...own, ...rest.loss !== first.loss && { loss: rest.loss } } as Record<string, unknown>;
    const extra = given && ["loss", ...OF_LOSSES].find((name) => besides[name] !== undefined);
    if (extra) {
      throw fail("option-conflict", action, `losses says it for each output, got ${extra} besides`, { option: extra });
    }
    this.model = model;
    const seed = own.seed ?? model.seed;
    this.options = { loss: first.loss, ...own, ...given && { losses }, seed, optimizer: resolveOptimizer(optimizer) };
    this.#seed = seedWords(seed);
    const update = updateSpec(this.options.optimizer, this.options);
    this.#task = { purpose: "step", update, losses: resolved };
    this.#outside = { purpose: "step", update, losses: internals.outputs.map((output) => ({ output, loss: null })) };
    internals.claim(this, losses);
  }

  /** Updates done so far. */
  get steps(): number {
    return this.#step;
  }

  /**
   * One step: forward, backward, clipping, update.
   *
   * @param sequences Inputs (B, T, I).
   * @param targets Of an only output, or by name: numbers (B, O), or class numbers (B) as Int32Array for "crossEntropy" and
   * "focal"; for an output of every step (B, T, O) or (B, T). Or a loss of your own.
   * @param options What may differ from step to step: weights, learning rate, whether to update.
   * @throws {TypeError | RangeError} If the batch does not fit the model, or another trainer took the model over.
   *
   * @example A loss of your own
   * ```ts
   * import assert from "node:assert/strict";
   * import { createModel, createTrainer } from "@grutto/grutto";
   *
   * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 1 });
   * const trainer = createTrainer(model), batch = { x: new Float32Array(100), shape: [2, 10, 5] };
   * const { loss } = await trainer.step(batch, ({ values }) => {
   *   const errors = values.logits.data.map((y) => y - 3); // how far from 3
   *   return { loss: errors.reduce((sum, e) => sum + e ** 4, 0), dOutputs: errors.map((e) => 4 * e ** 3) };
   * });
   * assert.ok(loss > 0);
   * ```
   */
  async step(
    sequences: Sequences,
    targets: AnyTargets | LossFunction,
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
    targets: AnyTargets | LossFunction,
    options: StepOptions = {},
  ): Promise<{ readonly result: Promise<StepResult> }> {
    const { session, outputs } = this.#internals, { dropoutMask, weights, update = true } = options;
    const { learningRate = this.options.optimizer.learningRate! } = options;
    if (!(Number.isFinite(learningRate) && learningRate >= 0)) {
      throw fail("argument-out-of-range", "train model", `learningRate must be a number from 0, got ${learningRate}`, {
        name: "learningRate",
        value: learningRate,
      });
    }
    return await session.exclusive(async () => {
      this.#check();
      const waiting = this.#waiting, { optimizer } = this.options;
      const common = {
        masks: dropoutMask && { "": dropoutMask },
        random: true,
        update,
        accumulate: !update || waiting.rows > 0,
        control: (added: number) => controlWords(optimizer, this.#seed, this.#step, waiting, added, learningRate),
      };
      const own = typeof targets === "function" ? await this.#ownLoss(sequences, targets, common, weights) : undefined;
      const { plan, weight } = own
        ? await session.run(sequences, this.#outside, { ...common, outputGradients: own.gradients })
        : await session.run(sequences, this.#task, {
          ...common,
          targets: byOutput(targets as AnyTargets, outputs),
          weights,
        });
      if (update) this.#step++;
      this.#waiting = update ? NOTHING : { rows: waiting.rows + sequences.shape[0]!, weight: waiting.weight + weight };
      const fetch = session.stats(plan);
      return new LazyResult(async (): Promise<StepResult> => {
        const { losses, ...stats } = await fetch();
        if (own) return { ...stats, loss: own.loss };
        const all = this.#task.losses!;
        if (all.length === 1) return stats;
        return { ...stats, losses: Object.fromEntries(all.map((l, i) => [l.output, losses[i]! / (l.weight ?? 1)])) };
      });
    });
  }

  /** What a loss of the user's own makes of a batch, dropout being that of the step. */
  async #ownLoss(
    sequences: Sequences,
    loss: LossFunction,
    { masks, control }: {
      readonly masks?: Record<string, Float32Array>;
      readonly control: (added: number) => Uint32Array;
    },
    weights: Float32Array | undefined,
  ): Promise<{ readonly loss: number; readonly gradients: Readonly<Record<string, Float32Array>> }> {
    if (weights) {
      throw fail("option-conflict", "train model", "weights have no part in a loss of your own", { option: "weights" });
    }
    const internals = this.#internals,
      { session, forward, describe } = internals;
    const { plan } = await session.run(sequences, forward, { masks, random: true, control });
    const made = loss(describe(await session.values(plan, forward.values!)));
    const { loss: value, dOutputs } = made ?? {};
    if (typeof value !== "number" || typeof dOutputs !== "object" || dOutputs === null) {
      const got = (made as unknown) instanceof Promise ? ", got a promise" : "";
      const problem = `a loss of your own must return { loss, dOutputs }, a number and arrays${got}`;
      throw fail("argument-type", "train model", problem, { name: "loss", value: made });
    }
    const single = ArrayBuffer.isView(dOutputs) || Array.isArray(dOutputs), advice = "return dOutputs by output";
    const all = (single ? { [internals.only("train model", advice)]: dOutputs } : dOutputs) as Record<
      string,
      Float32Array
    >;
    return { loss: value, gradients: internals.outputGradients("train model", all, sequences) };
  }

  /**
   * What an earlier step computed from a batch, dropout included, with the parameters there are now; it takes no step.
   *
   * @param options `step`: the updates done before it; `rows`: of the batches before it that count in the same update.
   * @throws {TypeError | RangeError} If the batch does not fit the model.
   */
  async replay(
    sequences: Sequences,
    targets: AnyTargets,
    options: { weights?: Float32Array; step: number; rows?: number },
  ): Promise<NetworkGradients> {
    const { optimizer } = this.options, { weights, step, rows = 0 } = options, internals = this.#internals;
    const control = (added: number) => controlWords(optimizer, this.#seed, step, { rows, weight: 0 }, added);
    const run = { targets: byOutput(targets, internals.outputs), weights, random: true, control };
    return await internals.session.exclusive(() => internals.gradients(sequences, this.#task.losses!, run));
  }

  /**
   * Refuses batches of B sequences of T steps that would not fit, before anything is computed.
   *
   * @throws {RangeError} With what takes how much.
   */
  checkFits(batch: readonly [B: number, T: number], purpose: "step" | "evaluate" = "step", accumulate = false): void {
    const task = purpose === "step" ? this.#task : { purpose, losses: this.#task.losses };
    this.#internals.session.checkFits(batch, task, accumulate);
  }

  #check() {
    if (!this.#internals.session.owns(this)) {
      throw fail(
        "trainer-mismatch",
        "train model",
        "another trainer was made for it, which has replaced this one's state",
      );
    }
  }

  /** A copy of the optimizer's state. */
  async state(): Promise<TrainerState> {
    return await this.#internals.session.exclusive(async () => {
      this.#check();
      const slots: Record<string, StateDict> = {};
      for (const [i, name] of optimizerState(this.#task.update!).entries()) {
        slots[name] = await this.#internals.session.readSlot(i);
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
    await this.#internals.session.exclusive(async () => this.#load(state));
  }

  #load({ step, slots }: TrainerState) {
    this.#check();
    if (!Number.isSafeInteger(step) || step < 0) {
      throw fail("argument-out-of-range", "load optimizer state", `step must be a whole number from 0, got ${step}`, {
        name: "step",
        value: step,
      });
    }
    const names = optimizerState(this.#task.update!);
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
        this.#internals.session.writeSlot(i, slots[name]!, `optimizer state "${name}"`);
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
export function createTrainer(model: NetworkModel, options: TrainerOptions = {}): Trainer {
  return new Trainer(model, options);
}

/** The losses of all outputs: that of an only one from the options, of several what the model was made for. */
function lossesOf(
  internals: Internals,
  { loss, classWeights, posWeight, delta, quantiles, labelSmoothing, gamma, alpha }: TrainerOptions,
): Losses {
  const options = { classWeights, posWeight, delta, quantiles, labelSmoothing, gamma, alpha };
  const { outputs: [first, ...others] } = internals;
  if (first !== undefined && !others.length) return { [first]: { loss: loss!, ...options } as LossOptions };
  return internals.knownLosses("create trainer");
}
