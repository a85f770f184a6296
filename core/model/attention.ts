import type { Arena } from "../device/arena.ts";
import { from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Block } from "./block.ts";
import type { GruLayers } from "./gru.ts";
import { rowStride } from "./network.ts";

/**
 * Additive attention over one block of rows: the final states of the GRU's last layer ask, its outputs answer.
 * Memory per block, in elements: T·R·A + 2·R·A + 3·R·D + R·T; for backward R·A + R·D + R·T + A more.
 */
export class Attention {
  readonly #block: Block;
  readonly #gru: GruLayers;
  /** Distance between rows of D and of A elements. */
  readonly #stride: number;
  readonly #width: number;
  readonly #query: Tensor;
  readonly #projected: Tensor;
  readonly #hidden: Tensor;
  readonly #weights: Tensor;
  /** The weighted sum of the GRU's outputs (R, stride). */
  readonly context: Tensor;
  readonly #dProjected: Tensor;
  readonly #dQuery: Tensor;
  readonly #dScores: Tensor;
  readonly #dv: Tensor;
  readonly #scratch: Tensor;

  constructor(block: Block, gru: GruLayers, scratch: Arena) {
    const { network: { Ap, Dp }, T, R, backward, io, row0 } = block;
    this.#block = block;
    this.#gru = gru;
    this.#stride = rowStride(Dp);
    this.#width = rowStride(Ap);
    const rows = (n: number, wanted = true) => scratch.allocate(wanted ? n : 0);
    this.#query = rows(R * this.#stride);
    this.#projected = rows(R * this.#width);
    this.#hidden = rows(T * R * this.#width);
    this.context = rows(R * this.#stride);
    this.#weights = io.attentionWeights ? from(io.attentionWeights, row0 * T, R * T) : rows(R * T);
    this.#dProjected = rows(R * this.#width, backward);
    this.#dQuery = rows(R * this.#stride, backward);
    this.#dScores = rows(R * T, backward);
    this.#dv = rows(Ap, backward);
    this.#scratch = rows(Ap * Dp, backward);
  }

  /** Distance between the rows of `context`. */
  get stride(): number {
    return this.#stride;
  }

  forward(task: TaskBuilder): void {
    const { network, T, R, lengths, io, row0 } = this.#block;
    const { Ap, Dp, Hp, query, encoder, attentionBias, v, gru, directions, config: { hiddenSize: H } } = network;
    gru.at(-1)!.forEach((direction, d) =>
      task.call("copyRows", {
        dst: from(this.#query, d * Hp),
        src: this.#gru.final(direction),
        rows: R,
        width: Hp,
        lddst: this.#stride,
        ldsrc: this.#gru.stride,
        accumulate: 0,
      })
    );
    task.call("linearForward", {
      y: this.#projected,
      x: this.#query,
      panels: query.forward,
      bias: attentionBias,
      M: R,
      N: Ap,
      K: Dp,
      ldy: this.#width,
      ldx: this.#stride,
    });
    task.call("linearForward", {
      y: this.#hidden,
      x: this.#gru.encoded,
      panels: encoder.forward,
      bias: null,
      M: T * R,
      N: Ap,
      K: Dp,
      ldy: this.#width,
      ldx: this.#gru.stride,
    });
    task.call("attentionForward", {
      context: this.context,
      weights: this.#weights,
      hidden: this.#hidden,
      encoded: this.#gru.encoded,
      query: this.#projected,
      v,
      lengths,
      T,
      R,
      Dp,
      Ap,
      ldc: this.#stride,
      lda: this.#width,
      lde: this.#gru.stride,
      ldq: this.#width,
    });
    if (!io.context) return;
    for (let d = 0; d < directions; d++) {
      task.call("rowsOut", {
        dst: from(io.context, row0 * network.D + d * H),
        src: from(this.context, d * Hp),
        rows: R,
        H,
        lddst: network.D,
        ldsrc: this.#stride,
      });
    }
  }

  /** @param dContext Gradient of `context`, of the same layout. */
  backward(task: TaskBuilder, dContext: Tensor): void {
    const { network, T, R, gradient } = this.#block;
    const { Ap, D, Dp, Hp, query, encoder, v, gru } = network;
    const dEncoded = this.#gru.dEncoded, scratch = this.#scratch;
    task.call("attentionBackward", {
      dEncoded,
      dQuery: this.#dProjected,
      dv: this.#dv,
      dScores: this.#dScores,
      hidden: this.#hidden,
      dContext,
      weights: this.#weights,
      encoded: this.#gru.encoded,
      v,
      T,
      R,
      Dp,
      Ap,
      ldde: this.#gru.stride,
      ldq: this.#width,
      ldc: this.#stride,
      lda: this.#width,
      lde: this.#gru.stride,
    });
    const hidden = { dy: this.#hidden, lddy: this.#width, M: T * R },
      asked = { dy: this.#dProjected, lddy: this.#width, M: R };
    const encoded = { x: this.#gru.encoded, ldx: this.#gru.stride };
    this.#block.weightGradient(task, encoder, { ...hidden, ...encoded, scratch });
    this.#block.weightGradient(task, query, { ...asked, x: this.#query, ldx: this.#stride, scratch });
    const bias = network.parameter("attention.attn.bias").offset,
      vOffset = network.parameter("attention.v.weight").offset;
    task.call("linearBackwardBias", { db: from(gradient, bias), scratch, ...asked, parts: 1, rows: D, rotate: 0 });
    task.call("rowsOut", { dst: from(gradient, vOffset), src: this.#dv, rows: 1, H: D, lddst: D, ldsrc: Ap });
    task.call("linearBackwardInput", {
      dx: dEncoded,
      ...hidden,
      panels: encoder.backward,
      N: Dp,
      K: Ap,
      lddx: this.#gru.stride,
      accumulate: 1,
    });
    task.call("linearBackwardInput", {
      dx: this.#dQuery,
      ...asked,
      panels: query.backward,
      N: Dp,
      K: Ap,
      lddx: this.#stride,
      accumulate: 0,
    });
    gru.at(-1)!.forEach((direction, d) =>
      task.call("copyRows", {
        dst: this.#gru.dFinal(direction),
        src: from(this.#dQuery, d * Hp),
        rows: R,
        width: Hp,
        lddst: this.#gru.stride,
        ldsrc: this.#stride,
        accumulate: 1,
      })
    );
  }
}
