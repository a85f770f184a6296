import { from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import { type Tensor, weightSlices } from "../device/kernels.ts";
import { GROUP, type Network, type Weight } from "./network.ts";

/** The tensors of a plan that the outside reads or writes, batch first and dense. Those that are null are not wanted. */
export interface InputsOutputs {
  /** Sequences in the batch. */
  readonly B: number;
  /** Inputs (B, T, I), or tokens (B, T). */
  readonly x: Tensor;
  /** Valid steps of each sequence (B), whole numbers. */
  readonly lengths: Tensor;
  /** Initial states (layers·directions, B, H). */
  readonly h0: Tensor | null;
  /** Multipliers of the context (B, D), if given from outside. */
  readonly dropoutMask: Tensor | null;
  /** (B, O), or class numbers (B). */
  readonly targets: Tensor | null;
  /** What each row counts in the loss (B, rounded up to whole groups); their mean is 1. */
  readonly weights: Tensor | null;
  /** What a target of 1 counts in "bce" (O). */
  readonly posWeight: Tensor | null;
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
  /** Gradients of the inputs, (B, T, I) even where x are tokens, and of h0. */
  readonly dx: Tensor | null;
  readonly dh0: Tensor | null;
  /** Where each token of the batch stands: what core/model/tokens.ts writes. */
  readonly occurrences: Tensor | null;
  /** Of all parameters, where they are wanted. */
  readonly gradients: Tensor | null;
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
  readonly rows: number;
  /** Groups of 8 that hold them. */
  readonly groups: number;
  readonly T: number;
  /** Lengths of these rows. */
  readonly lengths: Tensor;
  /** The lanes that are active at each step, (T, groups, 8). */
  readonly mask: Tensor;
  /** Whether these are all rows, for a device that is parallel by itself. */
  readonly wholeBatch: boolean;
  /** Whether gradients are wanted. */
  readonly backward: boolean;
  /** Whether random dropout between layers is on. */
  readonly dropLayers: boolean;
  /** Where this block's gradient of all parameters but the embedding goes: as if that one's stood before it. */
  readonly gradient: Tensor;
}

/** The gradient of a weight from that of its product: dy (groups, M, 8) and the inputs, turned round. */
export function weightGradient(
  task: TaskBuilder,
  { gradient }: Block,
  { offset, M, K, ldw, rotate }: Weight,
  args: { dy: Tensor; lddy: number; turned: Tensor; groups: number; scratch: Tensor },
): void {
  task.call("linearBackwardWeight", { dw: from(gradient, offset), M, N: K, lddw: ldw, rotate, ...args });
}

/** Elements of scratch that weightGradient needs: the product with both sides rounded up, on a GPU several of them. */
export function gradientScratch({ wholeBatch }: Block, { M, K }: Weight, groups: number): number {
  return (M + 7) * Math.ceil(K / 8) * 8 * (wholeBatch ? weightSlices({ M, N: K, groups }) : 1);
}

/** Elements of `groups` groups of F features turned round. */
export function turnedSize(F: number, groups: number): number {
  return Math.ceil(F / 8) * 8 * GROUP * groups;
}

/**
 * Rows of a block: as few as keep a task worth its while, so that there are blocks to share among threads, and more where
 * the weights are so large that reading them costs.
 */
export function blockRows({ config: { hiddenSize: H }, D, gru }: Network, B: number, T: number): number {
  const products = gru.flat().reduce((sum, { input }) => sum + 3 * H * (H + input.K), 0) + 2 * D * D;
  const least = H >= 256 ? 2 * GROUP : GROUP;
  return Math.min(B, Math.max(least, GROUP * Math.ceil(WORK_PER_BLOCK / (6 * products * T * GROUP))));
}

/** Floating-point operations that make a task worth its while. */
const WORK_PER_BLOCK = 4e6;
