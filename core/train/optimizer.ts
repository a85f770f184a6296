import { encodeControl } from "../device/control.ts";
import type { TaskBuilder } from "../device/device.ts";
import { fail } from "../errors.ts";
import type { ParameterRange } from "../model/network.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";

/** The optimizers, by the names of PyTorch's classes. */
export type OptimizerName = "adam" | "adamw" | "sgd" | "rmsprop";

/** An optimizer and its options, under PyTorch's words. Options that an optimizer does not have are refused. */
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
  /** How much less a new gradient counts in SGD's momentum. Default 0. */
  dampening?: number;
  /** Nesterov's form of SGD's momentum. Default false. */
  nesterov?: boolean;
  /** Decay rate of RMSprop's mean of squares. Default 0.99. */
  alpha?: number;
}

/** The options of all optimizers: types, ranges, and defaults where they are the same for all. */
export const OPTIMIZER_OPTIONS: { readonly [Name in keyof Required<OptimizerOptions>]: OptionSpec } = {
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
    least: 0,
    about: "learning rate (default 0.001, for rmsprop 0.01)",
    flag: "lr",
  },
  betas: {
    type: "numbers",
    optional: true,
    least: 0,
    below: 1,
    about: "decay rates of Adam's moments (default 0.9,0.999)",
  },
  eps: { type: "number", optional: true, least: 0, about: "added to the denominator (default 1e-8)" },
  weightDecay: {
    type: "number",
    optional: true,
    least: 0,
    about: "L2 penalty (default 0); for adamw decoupled (default 0.01)",
  },
  amsgrad: { type: "boolean", optional: true, about: "Adam with the largest second moment so far" },
  momentum: { type: "number", optional: true, least: 0, about: "momentum of sgd (default 0)" },
  dampening: { type: "number", optional: true, least: 0, most: 1, about: "dampening of sgd's momentum (default 0)" },
  nesterov: { type: "boolean", optional: true, about: "Nesterov's momentum for sgd" },
  alpha: { type: "number", optional: true, least: 0, below: 1, about: "decay rate of rmsprop (default 0.99)" },
};

/** One optimizer: its own options with their defaults, the state it keeps, and its kernel. */
interface Optimizer {
  readonly defaults: OptimizerOptions;
  /** PyTorch's names of the state kept per parameter. */
  state(options: Required<OptimizerOptions>): string[];
  update(task: TaskBuilder, range: ParameterRange, options: Required<OptimizerOptions>): void;
}

const ADAM = { learningRate: 1e-3, betas: [0.9, 0.999], eps: 1e-8, amsgrad: false };

function adam(decoupled: boolean, weightDecay: number): Optimizer {
  return {
    defaults: { ...ADAM, weightDecay },
    state: ({ amsgrad }) => ["exp_avg", "exp_avg_sq", ...amsgrad ? ["max_exp_avg_sq"] : []],
    update(task, { values, slots, gradients, control, n }, { betas, eps, weightDecay, amsgrad }) {
      const [beta1, beta2] = betas as [number, number];
      task.call("adam", {
        params: values,
        m: slots[0]!,
        v: slots[1]!,
        largest: amsgrad ? slots[2]! : null,
        grads: gradients,
        control,
        n,
        decoupled: Number(decoupled),
        amsgrad: Number(amsgrad),
        newM: 1 - beta1,
        beta2,
        newV: 1 - beta2,
        eps,
        weightDecay,
      });
    },
  };
}

const OPTIMIZERS: Record<OptimizerName, Optimizer> = {
  adam: adam(false, 0),
  adamw: adam(true, 1e-2),
  sgd: {
    defaults: { learningRate: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
    state: ({ momentum }) => momentum ? ["momentum_buffer"] : [],
    update(task, { values, slots, gradients, control, n }, { momentum, nesterov, weightDecay }) {
      task.call("sgd", {
        params: values,
        buffer: momentum ? slots[0]! : null,
        grads: gradients,
        control,
        n,
        nesterov: Number(nesterov),
        momentum,
        weightDecay,
      });
    },
  },
  rmsprop: {
    defaults: { learningRate: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0 },
    state: () => ["square_avg"],
    update(task, { values, slots, gradients, control, n }, { alpha, eps, weightDecay }) {
      task.call("rmsprop", {
        params: values,
        squares: slots[0]!,
        grads: gradients,
        control,
        n,
        alpha,
        fresh: 1 - alpha,
        eps,
        weightDecay,
      });
    },
  },
};

/**
 * An optimizer's options with every default filled in; only those it has.
 *
 * @throws {TypeError} If an option is unknown, not one of this optimizer, or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveOptimizer(given: OptimizerOptions = {}): OptimizerOptions {
  const { name } = resolveOptions("create optimizer", OPTIMIZER_OPTIONS, given) as { name: OptimizerName };
  const { defaults } = OPTIMIZERS[name];
  const own = Object.fromEntries(
    Object.entries({ name, ...defaults }).map((
      [option, value],
    ) => [option, { ...spec(option), default: value as number }]),
  );
  for (const [option, value] of Object.entries(given)) {
    if (value !== undefined && !Object.hasOwn(own, option)) {
      throw fail("option-unknown", "create optimizer", `"${name}" has no option "${option}"`, { option });
    }
  }
  const full = resolveOptions(
    "create optimizer",
    own,
    Object.fromEntries(Object.entries(given).filter(([o]) => o in own)),
  );
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

function spec(option: string): OptionSpec {
  return (OPTIMIZER_OPTIONS as Record<string, OptionSpec>)[option]!;
}

/** PyTorch's names of the state that an optimizer keeps, in the order of the slots. */
export function optimizerState(options: OptimizerOptions): string[] {
  return OPTIMIZERS[options.name!].state(options as Required<OptimizerOptions>);
}

/** Clipping and the optimizer's call, for a range of the parameters. */
export function updateCalls(
  options: OptimizerOptions,
  { clipNorm, clipValue }: { clipNorm?: number; clipValue?: number },
): (task: TaskBuilder, range: ParameterRange) => void {
  return (task, range) => {
    const { gradients: grads, norm, n } = range;
    if (clipNorm !== undefined) task.call("clipNorm", { grads, norm, n, maxNorm: clipNorm });
    if (clipValue !== undefined) task.call("clipValue", { grads, n, limit: clipValue });
    OPTIMIZERS[options.name!].update(task, range, options as Required<OptimizerOptions>);
  };
}

/**
 * The control tensor for step number `step`, counted from 0: seed, step, and the optimizer's changing numbers.
 *
 * @param waiting Rows whose gradient waits for this step, the sum of their weights, and that of the batch added to them.
 */
export function controlWords(
  options: OptimizerOptions,
  seed: readonly [number, number],
  step: number,
  waiting = { rows: 0, weight: 0, added: 1 },
): Uint32Array {
  const { learningRate, betas = [0, 0], weightDecay = 0, momentum = 0, dampening = 0 } = options as Required<
    OptimizerOptions
  >;
  const [beta1, beta2] = betas as [number, number];
  const { rows, weight, added } = waiting, sum = weight + added;
  return encodeControl({
    seedLow: seed[0],
    seedHigh: seed[1],
    step,
    learningRate,
    stepSize: learningRate / (1 - beta1 ** (step + 1)),
    correction: Math.sqrt(1 - beta2 ** (step + 1)),
    decay: 1 - learningRate * weightDecay,
    fresh: momentum && step > 0 ? 1 - dampening : 1,
    rowsBefore: rows,
    kept: rows && sum ? weight / sum : 0,
    added: sum ? added / sum : 1,
  });
}
