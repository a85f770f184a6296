import { type Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Attention } from "./attention.ts";
import { type Block, gradientScratch, turnedSize, weightGradient } from "./block.ts";
import { GROUP } from "./network.ts";

/** The losses, by the names of PyTorch's functions. */
export type LossName = "bce" | "crossEntropy" | "mse";

/** A loss and what weighs its terms. */
export interface LossOptions {
  /** What is made small. */
  loss: LossName;
  /**
   * For "crossEntropy": how much a sequence of each class counts (O), from 0, on top of its own weight: the `weight` of
   * torch.nn.CrossEntropyLoss. Default: all 1.
   */
  classWeights?: readonly number[];
  /** For "bce": how much a target of 1 counts for each output (O), as in torch.nn.BCEWithLogitsLoss. Default: all 1. */
  posWeight?: readonly number[];
}

/** How dropout on the context is done: not at all, with a random mask, or with a mask from outside. */
export type DropoutMode = "none" | "random" | "given";

/** Dropout on the context, the output layer, and the loss, over one block of rows. */
export class Head {
  readonly #block: Block;
  readonly #attention: Attention;
  readonly #mode: DropoutMode;
  readonly #mask: Tensor;
  readonly #words: Tensor;
  readonly #dropped: Tensor;
  readonly #logits: Tensor;
  readonly #targets: Tensor;
  readonly #dLogits: Tensor;
  /** Gradient of the context, laid out like it. */
  readonly dContext: Tensor;
  readonly #turned: Tensor;
  readonly #scratch: Tensor;

  constructor(block: Block, attention: Attention, mode: DropoutMode, scratch: Arena) {
    const { network: { config: { outputSize: O }, D, head }, groups, backward, io } = block;
    this.#block = block;
    this.#attention = attention;
    this.#mode = mode;
    const contexts = groups * attention.stride, outputs = groups * O * GROUP;
    this.#mask = scratch.allocate(mode === "none" ? 0 : contexts);
    this.#words = scratch.allocate(16);
    this.#dropped = mode === "none" ? attention.context : scratch.allocate(contexts);
    this.#logits = scratch.allocate(outputs);
    this.#targets = scratch.allocate(io.targets ? outputs : 0);
    this.#dLogits = scratch.allocate(io.targets ? outputs : 0);
    this.dContext = scratch.allocate(backward ? contexts : 0);
    this.#turned = scratch.allocate(backward ? turnedSize(D, groups) : 0);
    this.#scratch = scratch.allocate(backward ? gradientScratch(block, head, groups) : 0);
  }

  forward(task: TaskBuilder): void {
    const { network, groups, rows, row0, io } = this.#block;
    const { config: { dropout, numLayers, outputSize: O }, D, head, headBias, control } = network;
    const ld = this.#attention.stride, mask = this.#mask;
    if (this.#mode === "random") {
      const drawn = { mask, words: this.#words, control, T: 1, groups, row0, F: D, ldm: ld, stream: numLayers - 1 };
      task.call("dropoutMask", { ...drawn, p: dropout });
    } else if (this.#mode === "given") {
      task.call("rowsIn", { dst: mask, src: from(io.dropoutMask!, row0 * D), rows, F: D, lddst: ld, ldsrc: D });
    }
    if (this.#mode !== "none") this.#drop(task, this.#dropped, this.#attention.context);
    const inputs = { x: this.#dropped, panels: head.forward, bias: headBias, M: O, K: D, groups };
    task.call("linearForward", { y: this.#logits, ...inputs, ldy: O * GROUP, ldx: ld });
    if (io.logits) this.#rowsOut(task, io.logits);
  }

  #drop(task: TaskBuilder, y: Tensor, x: Tensor): void {
    const { network: { D }, groups } = this.#block, ld = this.#attention.stride;
    task.call("dropoutApply", { y, x, mask: this.#mask, groups, F: D, ldy: ld, ldx: ld, ldm: ld });
  }

  /** The logits, or what has become of them, to a dense tensor (B, O). */
  #rowsOut(task: TaskBuilder, to: Tensor): void {
    const { network: { config: { outputSize: O } }, rows, row0 } = this.#block;
    task.call("rowsOut", { dst: from(to, row0 * O), src: this.#logits, rows, F: O, lddst: O, ldsrc: O * GROUP });
  }

  /** What the logits mean after training with a loss: probabilities, or values as they are. */
  predict(task: TaskBuilder, loss: LossName): void {
    const { network: { config: { outputSize: O } }, groups, io } = this.#block;
    const y = this.#logits;
    if (loss === "bce") task.call("sigmoidGroups", { y, x: y, groups, O });
    if (loss === "crossEntropy") task.call("softmaxGroups", { y, sums: this.#words, x: y, groups, O });
    this.#rowsOut(task, io.probabilities!);
  }

  /** The loss, its gradient by the logits, and the count of right rows. `index` is the block's number. */
  loss(task: TaskBuilder, name: LossName, index: number): void {
    const { network: { config: { outputSize: O } }, rows, row0, io } = this.#block;
    const { terms, width } = lossTerms(name, O), given = from(io.targets!, row0 * width);
    const results = { stats: from(io.stats!, 2 * index), dLogits: this.#dLogits };
    const weights = io.weights && from(io.weights, row0);
    const args = { logits: this.#logits, weights, mask: null, rows, O, scale: 1 / (io.B * terms) };
    if (name === "crossEntropy") {
      task.call("crossEntropyLoss", { ...results, sums: this.#words, targets: given, ...args });
    } else {
      const targets = this.#targets;
      task.call("rowsIn", { dst: targets, src: given, rows, F: O, lddst: O * GROUP, ldsrc: O });
      if (name === "bce") task.call("bceLoss", { ...results, targets, posWeight: io.posWeight, ...args });
      else task.call("mseLoss", { ...results, targets, ...args });
    }
  }

  backward(task: TaskBuilder): void {
    const { network, groups, gradient } = this.#block;
    const { config: { outputSize: O }, D, head } = network;
    const dy = this.#dLogits, lddy = O * GROUP, ld = this.#attention.stride, turned = this.#turned, dx = this.dContext;
    task.call("turnInput", { turned, x: this.#dropped, F: D, groups, ldx: ld });
    weightGradient(task, this.#block, head, { dy, lddy, turned, groups, scratch: this.#scratch });
    const db = from(gradient, network.parameter("fc.bias").offset);
    task.call("linearBackwardBias", { db, dy, M: O, groups, lddy, rotate: 0 });
    task.call("linearBackwardInput", {
      dx,
      dy,
      panels: head.backward,
      M: D,
      K: O,
      groups,
      lddx: ld,
      lddy,
      accumulate: 0,
    });
    if (this.#mode !== "none") this.#drop(task, dx, dx);
  }
}

/** The terms of a loss's mean per sequence, and its numbers per target. */
export function lossTerms(name: LossName, outputs: number): { terms: number; width: number } {
  return name === "crossEntropy" ? { terms: 1, width: 1 } : { terms: outputs, width: outputs };
}
