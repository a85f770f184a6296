import { from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Network, Weight } from "./network.ts";

/** The tensors of a plan that the outside reads or writes, batch first and dense. Those that are null are not wanted. */
export interface InputsOutputs {
  /** Sequences in the batch. */
  readonly B: number;
  /** Inputs (B, T, I). */
  readonly x: Tensor;
  /** Valid steps of each sequence (B), whole numbers. */
  readonly lengths: Tensor;
  /** Initial states (layers·directions, B, H). */
  readonly h0: Tensor | null;
  /** Multipliers of the context (B, D), if given from outside. */
  readonly dropoutMask: Tensor | null;
  /** (B, O), or class numbers (B). */
  readonly targets: Tensor | null;
  /** (B, O). */
  readonly logits: Tensor | null;
  /** (B, O). */
  readonly probabilities: Tensor | null;
  /** (B, T). */
  readonly attentionWeights: Tensor | null;
  /** (B, D). */
  readonly context: Tensor | null;
  /** (B, T, D). */
  readonly output: Tensor | null;
  /** (layers·directions, B, H). */
  readonly hidden: Tensor | null;
  /** Share of the mean loss and number of right rows, of each block. */
  readonly stats: Tensor | null;
  /** Gradients of x and h0, shaped like them. */
  readonly dx: Tensor | null;
  readonly dh0: Tensor | null;
}

/**
 * Some rows of a batch, which one task carries from the inputs to the gradients. How a batch is cut into blocks depends
 * on the model and the batch alone, and each block sums its own gradient: any number of threads gives the same bits.
 */
export interface Block {
  readonly network: Network;
  readonly io: InputsOutputs;
  /** First row. */
  readonly row0: number;
  /** Number of rows. */
  readonly R: number;
  readonly T: number;
  /** Lengths of these rows. */
  readonly lengths: Tensor;
  /** Whether gradients are wanted. */
  readonly backward: boolean;
  /** Whether random dropout between layers is on. */
  readonly dropLayers: boolean;
  /** Where this block's gradient of all parameters goes. */
  readonly gradient: Tensor;
  /** Calls linearBackwardWeight for a weight. */
  weightGradient(
    task: TaskBuilder,
    weight: Weight,
    args: { dy: Tensor; lddy: number; x: Tensor; ldx: number; M: number; scratch: Tensor },
  ): void;
}

/** The one way a block's weight gradients are made. */
export function weightGradient(gradient: Tensor): Block["weightGradient"] {
  return (task, { parameter, rowParts, rows, rotate, columnParts, columns, ldw }, args) =>
    task.call("linearBackwardWeight", {
      dw: from(gradient, parameter),
      rowParts,
      rows,
      rotate,
      columnParts,
      columns,
      ldw,
      ...args,
    });
}

/**
 * Rows of a block: as few as keep a task worth its while, so that there are blocks to share among threads, and more where
 * the weights are so large that reading them costs.
 */
export function blockRows(network: Network, B: number, T: number): number {
  const { Dp, Ap, Hp, gru, directions } = network;
  const products = gru.reduce((sum, layer) => sum + directions * (3 * Hp) * (Hp + layer[0]!.input.K), 0) + 2 * Dp * Ap;
  const work = 6 * products * T;
  const least = Hp >= 256 ? 16 : 8;
  return Math.min(B, Math.max(least, pad8(Math.ceil(WORK_PER_BLOCK / work))));
}

/** Floating-point operations that make a task worth its while. */
const WORK_PER_BLOCK = 4e6;

function pad8(n: number): number {
  return Math.ceil(n / 8) * 8;
}
