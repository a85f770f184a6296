import { type Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Attention } from "./attention.ts";
import type { Block } from "./block.ts";

/** The losses, by the names of PyTorch's functions. */
export type LossName = "bce" | "crossEntropy" | "mse";

/** How dropout on the context is done: not at all, with a random mask, or with a mask from outside. */
export type DropoutMode = "none" | "random" | "given";

/** Dropout on the context, the output layer, and the loss, over one block of rows. */
export class Head {
  readonly #block: Block;
  readonly #attention: Attention;
  readonly #mode: DropoutMode;
  readonly #mask: Tensor;
  readonly #dropped: Tensor;
  readonly #logits: Tensor;
  readonly #dLogits: Tensor;
  /** Gradient of the context, laid out like it. */
  readonly dContext: Tensor;
  readonly #scratch: Tensor;

  constructor(block: Block, attention: Attention, mode: DropoutMode, scratch: Arena) {
    const { network: { Op, Dp }, R, backward, io } = block;
    this.#block = block;
    this.#attention = attention;
    this.#mode = mode;
    const contexts = R * attention.stride;
    this.#mask = scratch.allocate(mode === "none" ? 0 : contexts);
    this.#dropped = mode === "none" ? attention.context : scratch.allocate(contexts);
    this.#logits = scratch.allocate(R * Op);
    this.#dLogits = scratch.allocate(io.targets ? R * Op : 0);
    this.dContext = scratch.allocate(backward ? contexts : 0);
    this.#scratch = scratch.allocate(backward ? Op * Dp : 0);
  }

  forward(task: TaskBuilder): void {
    const { network, R, row0, io } = this.#block;
    const { config: { dropout, hiddenSize: H, numLayers, outputSize: O }, D, Dp, Hp, Op, head, headBias } = network;
    const ld = this.#attention.stride;
    if (this.#mode === "random") {
      const stream = numLayers - 1;
      task.call("dropoutMask", {
        mask: this.#mask,
        control: network.control,
        T: 1,
        R,
        row0,
        width: Dp,
        ldm: ld,
        stream,
        p: dropout,
      });
    } else if (this.#mode === "given") {
      for (let d = 0; d < network.directions; d++) {
        const src = from(io.dropoutMask!, row0 * D + d * H);
        task.call("rowsIn", { dst: from(this.#mask, d * Hp), src, rows: R, H, lddst: ld, ldsrc: D });
      }
    }
    if (this.#mode !== "none") this.#drop(task, this.#dropped, this.#attention.context);
    task.call("linearForward", {
      y: this.#logits,
      x: this.#dropped,
      panels: head.forward,
      bias: headBias,
      M: R,
      N: Op,
      K: Dp,
      ldy: Op,
      ldx: ld,
    });
    if (io.logits) {
      task.call("rowsOut", { dst: from(io.logits, row0 * O), src: this.#logits, rows: R, H: O, lddst: O, ldsrc: Op });
    }
  }

  #drop(task: TaskBuilder, y: Tensor, x: Tensor): void {
    const { network: { Dp }, R } = this.#block, ld = this.#attention.stride;
    task.call("dropoutApply", { y, x, mask: this.#mask, rows: R, width: Dp, ldy: ld, ldx: ld, ldm: ld });
  }

  /** What the logits mean after training with a loss: probabilities, or values as they are. */
  predict(task: TaskBuilder, loss: LossName): void {
    const { network: { config: { outputSize: O }, Op }, R, row0, io } = this.#block;
    const args = { y: this.#logits, x: this.#logits, R, O, ldl: Op };
    if (loss === "bce") task.call("sigmoidRows", args);
    if (loss === "crossEntropy") task.call("softmaxRows", args);
    const dst = from(io.probabilities!, row0 * O);
    task.call("rowsOut", { dst, src: this.#logits, rows: R, H: O, lddst: O, ldsrc: Op });
  }

  /** The loss, its gradient by the logits, and the count of right rows. `index` is the block's number. */
  loss(task: TaskBuilder, name: LossName, index: number): void {
    const { network: { config: { outputSize: O }, Op }, R, row0, io } = this.#block;
    const { kernel, terms, width } = lossKernel(name, O);
    task.call(kernel, {
      stats: from(io.stats!, 2 * index),
      dLogits: this.#dLogits,
      logits: this.#logits,
      targets: from(io.targets!, row0 * width),
      R,
      O,
      ldl: Op,
      scale: 1 / (io.B * terms),
    });
  }

  backward(task: TaskBuilder): void {
    const { network, R, gradient } = this.#block;
    const { config: { outputSize: O }, Dp, Op, head } = network;
    const dy = this.#dLogits, ld = this.#attention.stride, scratch = this.#scratch;
    this.#block.weightGradient(task, head, { dy, lddy: Op, x: this.#dropped, ldx: ld, M: R, scratch });
    const db = from(gradient, network.parameter("fc.bias").offset);
    task.call("linearBackwardBias", { db, scratch, dy, M: R, parts: 1, rows: O, rotate: 0, lddy: Op });
    const dx = this.dContext;
    task.call("linearBackwardInput", {
      dx,
      dy,
      panels: head.backward,
      M: R,
      N: Dp,
      K: Op,
      lddx: ld,
      lddy: Op,
      accumulate: 0,
    });
    if (this.#mode !== "none") this.#drop(task, dx, dx);
  }
}

/** A loss's kernel, the terms of its mean per sequence, and its numbers per target. */
export function lossKernel(
  name: LossName,
  outputs: number,
): { kernel: "bceLoss" | "crossEntropyLoss" | "mseLoss"; terms: number; width: number } {
  switch (name) {
    case "bce":
      return { kernel: "bceLoss", terms: outputs, width: outputs };
    case "crossEntropy":
      return { kernel: "crossEntropyLoss", terms: 1, width: 1 };
    case "mse":
      return { kernel: "mseLoss", terms: outputs, width: outputs };
    default:
      throw new TypeError(`Cannot compute loss: unknown loss "${name satisfies never}"`);
  }
}
