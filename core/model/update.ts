/** What a step does to the parameters, as kernel calls: clipping, and the optimizers. */

import type { TaskBuilder } from "../device/device.ts";
import type { ParameterRange } from "./parameters.ts";

/** The optimizers, by the names of PyTorch's classes. */
export type OptimizerName = "adam" | "adamw" | "sgd" | "rmsprop";

/** An optimizer's numbers that are the same in every step, and clipping. Plain data: part of what a plan is known by. */
export interface UpdateSpec {
  readonly name: OptimizerName;
  readonly betas?: readonly number[];
  readonly eps?: number;
  readonly weightDecay?: number;
  readonly amsgrad?: boolean;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly alpha?: number;
  readonly clipNorm?: number;
  readonly clipValue?: number;
}

type Full = Required<UpdateSpec>;

/** One optimizer: the state it keeps for each parameter, by PyTorch's names, and its kernel. */
interface Optimizer {
  state(spec: UpdateSpec): string[];
  update(task: TaskBuilder, range: ParameterRange, spec: Full): void;
}

function adam(decoupled: boolean): Optimizer {
  return {
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

const OPTIMIZERS: Readonly<Record<OptimizerName, Optimizer>> = {
  adam: adam(false),
  adamw: adam(true),
  sgd: {
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

/** PyTorch's names of the state that an optimizer keeps, in the order of the slots. */
export function optimizerState(spec: UpdateSpec): string[] {
  return OPTIMIZERS[spec.name].state(spec);
}

/** Clipping and the optimizer's call, for a range of the parameters. */
export function update(task: TaskBuilder, range: ParameterRange, spec: UpdateSpec): void {
  const { gradients: grads, norm, n } = range, { clipNorm, clipValue } = spec;
  if (clipNorm !== undefined) task.call("clipNorm", { grads, norm, n, maxNorm: clipNorm });
  if (clipValue !== undefined) task.call("clipValue", { grads, n, limit: clipValue });
  OPTIMIZERS[spec.name].update(task, range, spec as Full);
}
