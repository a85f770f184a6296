import { LazyResult } from "../device/results.ts";
import { spell } from "../display.ts";
import { amend, checkArgument, checkInteger, fail } from "../errors.ts";
import type { StateDict } from "../model/arrays.ts";
import { checkBatch, type Sequences } from "../model/batch.ts";
import { checkFiniteInputs } from "../model/finite.ts";
import type { Internals, Losses } from "../model/internals.ts";
import { LOSS_SETTINGS, type LossOptions, WEIGHTS } from "../model/losses.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { type AnyTargets, byOutput, type NetworkGradients, type NetworkOutputs } from "../model/results.ts";
import type { RunTask } from "../model/session.ts";
import { optimizerState } from "../model/update.ts";
import { frozen, ownOptions, resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";
import { controlWords, resolveOptimizer, updateSpec } from "./optimizer.ts";
import { drawTeacher } from "./teacher.ts";
import {
  PURPOSE,
  REPLAY_OPTIONS,
  STEP_OPTIONS,
  type StepOptions,
  TRAINER_OPTIONS,
  type TrainerOptions,
} from "./trainer_options.ts";

export { type StepOptions, TRAINER_OPTIONS, type TrainerOptions };

/** The options of a loss, which `losses` says for each output. */
const OF_LOSSES: readonly string[] = [...Object.keys(LOSS_SETTINGS), ...Object.keys(WEIGHTS)];

/** The results of one step. */
export interface StepResult {
  /** The mean loss of the batch, before the step. */
  readonly loss: number;
  /** The norm of the whole gradient, of all batches since the last update, before clipping. */
  readonly gradNorm: number;
  /** Rows predicted right; 0 for a loss of values, where no row is right or wrong. With several losses, of the first. */
  readonly correct: number;
  /** With several losses: each of them by output, before it is weighted. */
  readonly losses?: Readonly<Record<string, number>>;
}

/**
 * A loss of your own: takes what the network computed, dropout included, and returns the loss and its gradient with
 * respect to the output, (B, O) or (B, T, O); for several outputs, by name.
 */
export type LossFunction = (outputs: NetworkOutputs) => {
  readonly loss: number;
  readonly dOutputs: Float32Array | Readonly<Record<string, Float32Array>>;
};

/** An optimizer's state: enough to continue from the last update. */
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
  /** A step with the trainer's losses, and one with gradients from a loss of the user's own. */
  readonly #task: RunTask;
  readonly #outside: RunTask;
  #step = 0;
  /** Rows whose gradient is kept for the next update, and the sum of their weights. */
  #waiting = NOTHING;

  /** Use {@linkcode createTrainer}. */
  constructor(model: NetworkModel, options: TrainerOptions = {}) {
    const action = "create trainer", { optimizer, losses: given, ...rest } = ownOptions(action, options);
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
    this.options = frozen(
      { loss: first.loss, ...given && { losses }, ...own, seed, optimizer: resolveOptimizer(optimizer) },
    );
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
   *   const errors = values.logits!.data.map((y) => y - 3); // how far from 3
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
    const { net } = this.#internals.session;
    checkBatch(net, sequences);
    checkFiniteInputs(net, sequences, "train model");
    return await (await this.begin(sequences, targets, options)).result;
  }

  /**
   * Like `step`, but resolves as soon as the next step may begin. `result` is fetched when it is asked for, which is best
   * done for several steps at once: reading from a GPU takes long.
   *
   * @throws {TypeError | RangeError} If the batch does not fit the model, or another trainer took the model over.
   */
  async begin(
    sequences: Sequences,
    targets: AnyTargets | LossFunction,
    options: StepOptions = {},
  ): Promise<{ readonly result: Promise<StepResult> }> {
    const { session } = this.#internals, own = ownOptions("train model", options, STEP_OPTIONS);
    const { dropoutMask, weights, update = true, teacherRatio } = own;
    const { learningRate = this.options.optimizer.learningRate! } = own;
    if (!(Number.isFinite(learningRate) && learningRate >= 0)) {
      const problem = `learningRate must be a number from 0, got ${spell(learningRate)}`;
      throw fail("argument-out-of-range", "train model", problem, { name: "learningRate", value: learningRate });
    }
    return await session.exclusive(async () => {
      this.#check();
      const waiting = this.#waiting, { optimizer } = this.options;
      const fed = this.#taught(sequences, teacherRatio, this.#step, waiting.rows);
      const common = {
        masks: dropoutMask && { "": dropoutMask },
        random: true,
        update,
        accumulate: !update || waiting.rows > 0,
        control: (added: number) => controlWords(optimizer, this.#seed, this.#step, waiting, added, learningRate),
      };
      const own = typeof targets === "function" ? await this.#ownLoss(fed, targets, common, weights) : undefined;
      const { plan, weight } = own
        ? await session.run(fed, this.#outside, { ...common, outputGradients: own.gradients })
        : await session.run(fed, this.#task, {
          ...common,
          targets: byOutput(targets as AnyTargets, this.#task.losses!),
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

  /** A batch with what says where decoders are fed targets. */
  #taught(sequences: Sequences, ratio: number | undefined, step: number, rows: number): Sequences {
    if (ratio === undefined) return sequences;
    const action = "train model", { given, givenInputs } = this.#internals.session.net;
    if (!(ratio >= 0 && ratio <= 1)) {
      const problem = `teacherRatio must be a number from 0 to 1, got ${spell(ratio)}`;
      throw fail("argument-out-of-range", action, problem, { name: "teacherRatio", value: ratio });
    }
    const teachers = givenInputs.filter((name) => name.endsWith(".teacher"));
    if (!teachers.length) {
      const problem = "teacherRatio is for networks with a decoder that is fed its own output";
      throw fail("option-conflict", action, problem, { option: "teacherRatio", value: ratio });
    }
    if (ratio === 1) return sequences;
    const drawn = teachers.map((name) => {
      const U = sequences.axes?.[given.get(name)!.shape.axis!]?.steps ?? 0, B = sequences.shape[0]!;
      return [name, drawTeacher(ratio, [B, U], { seed: this.#seed, step, rows })] as const;
    });
    return { ...sequences, inputs: { ...Object.fromEntries(drawn), ...sequences.inputs } };
  }

  /** The loss of the user's own of a batch, with the dropout of the step, and its gradients. */
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
   * Computes an earlier step again, with the same dropout but the present parameters, and without an update.
   *
   * @param sequences Inputs (B, T, I).
   * @param targets As for `step`.
   * @param options `step`: updates done before it; `rows`: sequences in earlier batches of the same update; `teacherRatio` as
   * for that step.
   * @throws {TypeError | RangeError} If the batch does not fit the model.
   */
  async replay(
    sequences: Sequences,
    targets: AnyTargets,
    options: { weights?: Float32Array; step: number; rows?: number; teacherRatio?: number },
  ): Promise<NetworkGradients> {
    const { optimizer } = this.options,
      { weights, step, rows = 0, teacherRatio } = ownOptions("train model", options, REPLAY_OPTIONS),
      internals = this.#internals;
    const fed = this.#taught(sequences, teacherRatio, step, rows);
    const control = (added: number) => controlWords(optimizer, this.#seed, step, { rows, weight: 0 }, added);
    const run = { targets: byOutput(targets, this.#task.losses!), weights, random: true, control };
    return await internals.session.exclusive(() => internals.gradients(fed, this.#task.losses!, run));
  }

  /**
   * Checks that batches of B sequences of T steps fit into memory, before anything is computed.
   *
   * @param batch Its sizes, of networks with several time axes `axes` too: steps by name.
   * @throws {RangeError} If they do not; the message says what takes how much.
   */
  checkFits(
    batch: readonly [B: number, T: number] | { B: number; T: number; axes?: Readonly<Record<string, number>> },
    purpose: "step" | "evaluate" = "step",
    accumulate = false,
  ): void {
    checkArgument("check memory", "batch", batch, []);
    checkArgument("check memory", "accumulate", accumulate, "boolean");
    if (purpose !== "evaluate") resolveOptions("check memory", PURPOSE, { purpose });
    const task = purpose === "step" ? this.#task : { purpose, losses: this.#task.losses };
    const sizes = "B" in batch ? batch : { B: batch[0], T: batch[1] };
    for (const name of ["B", "T"] as const) checkInteger("check memory", name, sizes[name], 1);
    this.#internals.session.checkFits(sizes, task, accumulate);
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

  /**
   * A copy of the optimizer's state.
   *
   * @throws {TypeError} If another trainer took the model over.
   */
  async state(): Promise<TrainerState> {
    return await this.#internals.session.exclusive(async () => {
      const slots: Record<string, StateDict> = {};
      for (const [i, name] of this.stateNames().entries()) slots[name] = await this.#internals.session.readSlot(i);
      return { step: this.#step, slots };
    });
  }

  /**
   * The names of the optimizer's state, as `state` has them.
   *
   * @throws {TypeError} If another trainer took the model over.
   */
  stateNames(): string[] {
    this.#check();
    return optimizerState(this.#task.update!);
  }

  /**
   * Loads an optimizer's state, as `state` returned it; gradients kept for the next update are dropped.
   *
   * @throws {TypeError | RangeError} If names or shapes are not this optimizer's.
   */
  async loadState(state: TrainerState): Promise<void> {
    // deno-lint-ignore require-await -- errors arrive as rejections, as from every other method
    await this.#internals.session.exclusive(async () => this.#load(state));
  }

  #load(state: TrainerState) {
    const action = "load optimizer state";
    this.#check();
    checkArgument(action, "state", state, ["step", "slots"]);
    const { step, slots } = state;
    checkArgument(action, "slots", slots, []);
    checkInteger(action, "step", step);
    const names = optimizerState(this.#task.update!);
    for (const name of Object.keys(slots)) {
      if (!names.includes(name)) {
        throw fail("state-dict-mismatch", action, `unknown state "${name}"`, { name });
      }
    }
    for (const [i, name] of names.entries()) {
      if (!Object.hasOwn(slots, name)) {
        throw fail("state-dict-mismatch", action, `missing state "${name}"`, { name });
      }
      try {
        this.#internals.session.writeSlot(i, slots[name]!, `optimizer state "${name}"`);
      } catch (error) {
        throw amend(error, { action, place: `"${name}"` });
      }
    }
    this.#step = step;
    this.#waiting = NOTHING;
  }
}

/**
 * Makes a trainer for a model, with a new optimizer state (all zeros).
 *
 * A model has one trainer at a time: the one made last. Losses and optimizers are those of PyTorch 2, down to their options
 * and defaults.
 *
 * @param options Default: the model's loss, or "bce" if it has none; Adam at a learning rate of 1e-3; no clipping.
 * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another or the model's loss.
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

/** The losses of all outputs: from the options if there is one output, else what the model was made for. */
function lossesOf(
  internals: Internals,
  { loss, classWeights, posWeight, delta, quantiles, labelSmoothing, gamma, alpha }: TrainerOptions,
): Losses {
  const options = { classWeights, posWeight, delta, quantiles, labelSmoothing, gamma, alpha };
  const { outputs: [first, ...others] } = internals;
  if (first !== undefined && !others.length) return { [first]: { loss: loss!, ...options } as LossOptions };
  return internals.knownLosses("create trainer");
}
