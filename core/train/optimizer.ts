import { encodeControl } from "../device/control.ts";
import { fail } from "../errors.ts";
import { power } from "../math.ts";
import type { OptimizerName, UpdateSpec } from "../model/update.ts";
import { resolveKind, type SpecTable } from "../options.ts";

export type { OptimizerName };

/** An optimizer and its options, named after those of `torch.optim`. Options of other optimizers are refused. */
export interface OptimizerOptions {
  /** Default "adam". */
  name?: OptimizerName;
  /** Step size. Default 1e-3; for "rmsprop" 1e-2. */
  learningRate?: number;
  /** Decay rates of Adam's two moments. Default [0.9, 0.999]. */
  betas?: readonly [number, number] | readonly number[];
  /** Added to the denominator, for "adam", "adamw", "rmsprop". Default 1e-8. */
  eps?: number;
  /** L2 penalty; for "adamw" decoupled. Default 0; for "adamw" 1e-2. */
  weightDecay?: number;
  /** Whether Adam divides by the largest second moment so far. Default false. */
  amsgrad?: boolean;
  /** SGD's momentum. Default 0. */
  momentum?: number;
  /** Dampening of SGD's momentum: a new gradient counts 1 − dampening. Default 0. */
  dampening?: number;
  /** Nesterov's form of SGD's momentum. Default false. */
  nesterov?: boolean;
  /** Decay rate of RMSprop's mean of squares. Default 0.99. */
  alpha?: number;
}

/** The options of all optimizers, with the optimizers that have them. What they do: core/model/update.ts. */
export const OPTIMIZER_OPTIONS: SpecTable<OptimizerOptions> = {
  name: {
    type: "choice",
    default: "adam",
    choices: ["adam", "adamw", "sgd", "rmsprop"],
    about: "optimizer",
    flag: "optimizer",
  },
  learningRate: {
    type: "number",
    optional: true,
    kinds: { adam: 1e-3, adamw: 1e-3, sgd: 1e-3, rmsprop: 1e-2 },
    least: 0,
    about: "learning rate",
    flag: "lr",
  },
  betas: {
    type: "numbers",
    optional: true,
    kinds: { adam: [0.9, 0.999], adamw: [0.9, 0.999] },
    least: 0,
    below: 1,
    about: "decay rates of Adam's moments",
  },
  alpha: {
    type: "number",
    optional: true,
    kinds: { rmsprop: 0.99 },
    least: 0,
    below: 1,
    about: "decay rate of rmsprop",
  },
  eps: {
    type: "number",
    optional: true,
    kinds: { adam: 1e-8, adamw: 1e-8, rmsprop: 1e-8 },
    least: 0,
    about: "added to the denominator",
  },
  amsgrad: {
    type: "boolean",
    optional: true,
    kinds: { adam: false, adamw: false },
    about: "Adam with the largest second moment so far",
  },
  momentum: { type: "number", optional: true, kinds: { sgd: 0 }, least: 0, about: "momentum of sgd" },
  dampening: {
    type: "number",
    optional: true,
    kinds: { sgd: 0 },
    least: 0,
    most: 1,
    about: "dampening of sgd's momentum",
  },
  weightDecay: {
    type: "number",
    optional: true,
    kinds: { adam: 0, adamw: 1e-2, sgd: 0, rmsprop: 0 },
    least: 0,
    about: "L2 penalty; decoupled for adamw",
  },
  nesterov: { type: "boolean", optional: true, kinds: { sgd: false }, about: "Nesterov's momentum for sgd" },
};

/**
 * An optimizer's options with every default filled in, and no others.
 *
 * @throws {TypeError} If an option is unknown, not one of this optimizer, or of the wrong type.
 * @throws {RangeError} If a value is out of range.
 */
export function resolveOptimizer(given: OptimizerOptions = {}): OptimizerOptions {
  const full = resolveKind("create optimizer", OPTIMIZER_OPTIONS, given) as OptimizerOptions;
  if (full.nesterov && (!full.momentum || full.dampening)) {
    throw fail(
      "option-out-of-range",
      "create optimizer",
      `nesterov needs momentum above 0 and dampening 0, got ${full.momentum} and ${full.dampening}`,
      { option: "nesterov", value: true },
    );
  }
  return full;
}

/** What a plan holds of an optimizer: what is the same in every step. */
export function updateSpec(
  { learningRate: _, dampening: _d, ...options }: OptimizerOptions,
  { clipNorm, clipValue }: { clipNorm?: number; clipValue?: number },
): UpdateSpec {
  return { ...options as UpdateSpec, clipNorm, clipValue };
}

/**
 * The control tensor for step number `step`, counted from 0: seed, step, and the optimizer's changing numbers.
 *
 * @param waiting Rows whose gradient waits for this step, and the sum of their weights.
 * @param added The sum of the weights of the batch added to them.
 */
export function controlWords(
  options: OptimizerOptions,
  seed: readonly [number, number],
  step: number,
  { rows, weight }: { readonly rows: number; readonly weight: number } = { rows: 0, weight: 0 },
  added = 1,
  learningRate: number = options.learningRate!,
): Uint32Array {
  const { betas, weightDecay = 0, momentum = 0, dampening = 0 } = options, sum = weight + added;
  const beta1 = betas?.[0] ?? 0, beta2 = betas?.[1] ?? 0;
  return encodeControl({
    seedLow: seed[0],
    seedHigh: seed[1],
    step,
    learningRate,
    stepSize: learningRate / (1 - power(beta1, step + 1)),
    correction: Math.sqrt(1 - power(beta2, step + 1)),
    decay: 1 - learningRate * weightDecay,
    fresh: momentum && step > 0 ? 1 - dampening : 1,
    rowsBefore: rows,
    kept: rows && sum ? weight / sum : 0,
    added: sum ? added / sum : 1,
  });
}
