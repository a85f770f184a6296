import { type Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { type Block, gradientScratch, turnedSize, weightGradient } from "./block.ts";
import type { GruLayers } from "./gru.ts";
import { GROUP, groupStride } from "./network.ts";

/**
 * Additive attention over one block of rows: the final states of the GRU's last layer ask, its outputs answer.
 * Memory per block, in elements, with R rows rounded up to groups of 8, D = A: T·R·(D + 1) + 3·R·D; for backward
 * T·R·(D + 1) + 2·R·D + D² more.
 */
export class Attention {
  readonly #block: Block;
  readonly #gru: GruLayers;
  /** Distance between groups of D features. */
  readonly stride: number;
  readonly #query: Tensor;
  readonly #projected: Tensor;
  readonly #hidden: Tensor;
  readonly #weights: Tensor;
  /** The weighted sum of the GRU's outputs (groups, D, 8). */
  readonly context: Tensor;
  readonly #dProjected: Tensor;
  readonly #dQuery: Tensor;
  readonly #dScores: Tensor;
  readonly #dv: Tensor;
  readonly #turned: Tensor;
  readonly #scratch: Tensor;

  constructor(block: Block, gru: GruLayers, scratch: Arena) {
    const { network: { D, encoder }, T, groups, backward } = block;
    this.#block = block;
    this.#gru = gru;
    this.stride = groupStride(D);
    const tensor = (n: number, wanted = true) => scratch.allocate(wanted ? n : 0);
    this.#query = tensor(groups * this.stride);
    this.#projected = tensor(groups * this.stride);
    this.#hidden = tensor(T * groups * this.stride);
    this.context = tensor(groups * this.stride);
    this.#weights = tensor(T * groups * GROUP);
    this.#dProjected = tensor(groups * this.stride, backward);
    this.#dQuery = tensor(groups * this.stride, backward);
    this.#dScores = tensor(T * groups * GROUP, backward);
    this.#dv = tensor(4 * D, backward);
    this.#turned = tensor(turnedSize(D, T * groups), backward);
    this.#scratch = tensor(gradientScratch(block, encoder, T * groups), backward);
  }

  forward(task: TaskBuilder): void {
    const { network, T, groups, rows, row0, lengths, mask, io } = this.#block;
    const { D, query, encoder, attentionBias, v, gru, config: { hiddenSize: H } } = network;
    const ld = this.stride, lde = this.#gru.stride, encoded = this.#gru.encoded, size = { M: D, K: D };
    gru.at(-1)!.forEach((direction, d) => {
      const dst = from(this.#query, d * H * GROUP), src = this.#gru.final(direction);
      task.call("copyGroups", { dst, src, groups, F: H, lddst: ld, ldsrc: lde, accumulate: 0 });
    });
    const asked = { y: this.#projected, x: this.#query, panels: query.forward, bias: attentionBias, ...size };
    task.call("linearForward", { ...asked, groups, ldy: ld, ldx: ld });
    const answers = { y: this.#hidden, x: encoded, panels: encoder.forward, bias: null, ...size };
    task.call("linearForward", { ...answers, groups: T * groups, ldy: ld, ldx: lde });
    task.call("attentionForward", {
      context: this.context,
      weights: this.#weights,
      hidden: this.#hidden,
      encoded,
      query: this.#projected,
      v,
      mask,
      T,
      groups,
      D,
      A: D,
      ldc: ld,
      lda: ld,
      lde,
      ldq: ld,
    });
    if (io.attentionWeights) {
      const dst = from(io.attentionWeights, row0 * T), src = this.#weights;
      task.call("sequencesOut", { dst, src, lengths, T, rows, F: 1, ldsrc: GROUP });
    }
    if (io.context) {
      const dst = from(io.context, row0 * D);
      task.call("rowsOut", { dst, src: this.context, rows, F: D, lddst: D, ldsrc: ld });
    }
  }

  /** @param dContext Gradient of `context`, of the same layout. */
  backward(task: TaskBuilder, dContext: Tensor): void {
    const { network, T, groups, gradient } = this.#block;
    const { D, query, encoder, v, gru, config: { hiddenSize: H } } = network;
    const ld = this.stride, lde = this.#gru.stride, { encoded, dEncoded } = this.#gru, turned = this.#turned;
    const scratch = this.#scratch, size = { M: D, K: D };
    task.call("attentionBackward", {
      dEncoded,
      dQuery: this.#dProjected,
      dv: from(gradient, network.parameter("attention.v.weight").offset),
      dScores: this.#dScores,
      dvLanes: this.#dv,
      hidden: this.#hidden,
      dContext,
      weights: this.#weights,
      encoded,
      v,
      T,
      groups,
      D,
      A: D,
      ldde: lde,
      ldq: ld,
      ldc: ld,
      lda: ld,
      lde,
    });
    const answers = { dy: this.#hidden, lddy: ld, groups: T * groups },
      asked = { dy: this.#dProjected, lddy: ld, groups };
    task.call("turnInput", { turned, x: encoded, F: D, groups: T * groups, ldx: lde });
    weightGradient(task, this.#block, encoder, { ...answers, turned, scratch });
    task.call("turnInput", { turned, x: this.#query, F: D, groups, ldx: ld });
    weightGradient(task, this.#block, query, { ...asked, turned, scratch });
    const bias = from(gradient, network.parameter("attention.attn.bias").offset);
    task.call("linearBackwardBias", { db: bias, ...asked, M: D, rotate: 0 });
    task.call("linearBackwardInput", {
      dx: dEncoded,
      ...answers,
      panels: encoder.backward,
      ...size,
      lddx: lde,
      accumulate: 1,
    });
    task.call("linearBackwardInput", {
      dx: this.#dQuery,
      ...asked,
      panels: query.backward,
      ...size,
      lddx: ld,
      accumulate: 0,
    });
    gru.at(-1)!.forEach((direction, d) => {
      const dst = this.#gru.dFinal(direction), src = from(this.#dQuery, d * H * GROUP);
      task.call("copyGroups", { dst, src, groups, F: H, lddst: lde, ldsrc: ld, accumulate: 1 });
    });
  }
}
