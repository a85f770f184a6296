import { type Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { Block } from "./block.ts";
import { type GruDirection, pad4, rowStride } from "./network.ts";

/**
 * The GRU layers over one block of rows. Memory per block, in elements, with L layers of d directions:
 * inputs T·R·I, gates L·d·T·R·4H, states L·(T + 2)·R·d·H; for backward 2·(T + 2)·R·d·H more.
 */
export class GruLayers {
  readonly #block: Block;
  /** Distance between the rows of states. */
  readonly stride: number;
  readonly #gateStride: number;
  readonly #inputStride: number;
  readonly #x: Tensor;
  readonly #dx: Tensor;
  /** States of each layer, (T + 2, R, stride). */
  readonly #states: Tensor[] = [];
  readonly #gates: Tensor[][] = [];
  /** What the layer above reads of each layer but the last: its states, or those after dropout. */
  readonly #masks: Tensor[] = [];
  readonly #dropped: Tensor[] = [];
  readonly #dStates: Tensor[];
  readonly #scratch: Tensor;

  constructor(block: Block, scratch: Arena) {
    const { network: { config, Hp, Dp, directions }, T, R, backward, dropLayers } = block;
    this.#block = block;
    this.stride = rowStride(Dp);
    this.#gateStride = rowStride(4 * Hp);
    this.#inputStride = rowStride(config.inputSize);
    this.#x = scratch.allocate(T * R * this.#inputStride);
    this.#dx = scratch.allocate(block.io.dx ? T * R * this.#inputStride : 0);
    const gates = () => scratch.allocate(T * R * this.#gateStride);
    // Without a backward pass nobody reads the gates again: one buffer serves all layers.
    const shared = backward ? undefined : gates();
    for (let layer = 0; layer < config.numLayers; layer++) {
      this.#states.push(scratch.allocate((T + 2) * R * this.stride));
      this.#gates.push(Array.from({ length: directions }, () => shared ?? gates()));
      if (dropLayers && layer < config.numLayers - 1) {
        this.#masks.push(scratch.allocate(T * R * this.stride));
        this.#dropped.push(scratch.allocate(T * R * this.stride));
      }
    }
    const buffers = backward ? Math.min(2, config.numLayers) : 0;
    this.#dStates = Array.from({ length: buffers }, () => scratch.allocate((T + 2) * R * this.stride));
    const widest = Math.max(pad4(config.inputSize), Dp);
    this.#scratch = scratch.allocate(backward ? 3 * Hp * widest : 0);
  }

  /** Slot `slot` of states, from the columns of a direction on. */
  #slot(states: Tensor, slot: number, direction = 0): Tensor {
    return from(states, slot * this.#block.R * this.stride + direction * this.#block.network.Hp);
  }

  /** Slot of the state a direction starts from. */
  #firstSlot(reverse: boolean): number {
    return reverse ? this.#block.T + 1 : 0;
  }

  /** Slot of the state a direction ends in. */
  #lastSlot(reverse: boolean): number {
    return reverse ? 1 : this.#block.T;
  }

  /** The last layer's states after steps 0 to T − 1, (T, R, stride). */
  get encoded(): Tensor {
    return this.#slot(this.#states.at(-1)!, 1);
  }

  /** The last layer's final states of a direction, (R, stride). */
  final(direction: GruDirection): Tensor {
    return this.#slot(this.#states.at(-1)!, this.#lastSlot(direction.reverse), direction.reverse ? 1 : 0);
  }

  /** What layer `layer` reads: rows, their distance and their width. */
  #input(layer: number): { x: Tensor; ldx: number } {
    if (layer === 0) return { x: this.#x, ldx: this.#inputStride };
    const below = layer - 1;
    return { x: this.#dropped[below] ?? this.#slot(this.#states[below]!, 1), ldx: this.stride };
  }

  forward(task: TaskBuilder): void {
    const { network, T, R, row0, lengths, io } = this.#block;
    const { config: { hiddenSize: H, inputSize: I, layerDropout }, Hp, Dp, D, directions } = network;
    const rows = T * R;
    task.call("sequencesIn", { xt: this.#x, x: from(io.x, row0 * T * I), lengths, T, R, I, ldx: this.#inputStride });
    network.gru.forEach((layer, l) => {
      const states = this.#states[l]!, { x, ldx } = this.#input(l);
      layer.forEach(({ input, recurrent, candidate, bias, reverse }, d) => {
        const gates = this.#gates[l]![d]!, state = l * directions + d;
        task.call("rowsIn", {
          dst: this.#slot(states, this.#firstSlot(reverse), d),
          src: io.h0 && from(io.h0, (state * io.B + row0) * H),
          rows: R,
          H,
          lddst: this.stride,
          ldsrc: H,
        });
        task.call("linearForward", {
          y: gates,
          x,
          panels: input.forward,
          bias,
          M: rows,
          N: 3 * Hp,
          K: input.K,
          ldy: this.#gateStride,
          ldx,
        });
        task.call("gruForward", {
          h: from(states, d * Hp),
          gates,
          recurrent: recurrent.forward,
          candidate: candidate.forward,
          bias,
          lengths,
          T,
          R,
          Hp,
          ldh: this.stride,
          ldg: this.#gateStride,
          reverse: Number(reverse),
        });
        if (io.hidden) {
          task.call("rowsOut", {
            dst: from(io.hidden, (state * io.B + row0) * H),
            src: this.#slot(states, this.#lastSlot(reverse), d),
            rows: R,
            H,
            lddst: H,
            ldsrc: this.stride,
          });
        }
      });
      const mask = this.#masks[l];
      if (mask) {
        const ld = this.stride;
        task.call("dropoutMask", {
          mask,
          control: network.control,
          T,
          R,
          row0,
          width: Dp,
          ldm: ld,
          stream: l,
          p: layerDropout,
        });
        task.call("dropoutApply", {
          y: this.#dropped[l]!,
          x: this.#slot(states, 1),
          mask,
          rows,
          width: Dp,
          ldy: ld,
          ldx: ld,
          ldm: ld,
        });
      }
    });
    if (io.output) {
      task.call("sequencesOut", {
        x: from(io.output, row0 * T * D),
        xt: this.encoded,
        lengths,
        T,
        R,
        I: H,
        parts: directions,
        ldx: this.stride,
      });
    }
  }

  /** Where the gradient of `encoded` goes, (T, R, stride); the caller overwrites it. */
  get dEncoded(): Tensor {
    return this.#slot(this.#dLayer(this.#states.length - 1), 1);
  }

  /** Where the gradient of a direction's final state is added, after dEncoded was written. */
  dFinal(direction: GruDirection): Tensor {
    const top = this.#dLayer(this.#states.length - 1);
    return this.#slot(top, this.#lastSlot(direction.reverse), direction.reverse ? 1 : 0);
  }

  /** The gradient of a layer's states. Neighbouring layers use two buffers in turn. */
  #dLayer(layer: number): Tensor {
    return this.#dStates[layer % this.#dStates.length]!;
  }

  backward(task: TaskBuilder): void {
    const { network, T, R, row0, lengths, io, gradient } = this.#block;
    const { config: { hiddenSize: H, inputSize: I, numLayers }, Hp, Dp, directions } = network;
    const rows = T * R, ldg = this.#gateStride, ldh = this.stride;
    for (let l = numLayers - 1; l >= 0; l--) {
      const states = this.#states[l]!, dStates = this.#dLayer(l), { x, ldx } = this.#input(l);
      // The initial states' gradients are summed up from 0; the attention or the layer above wrote the other slots.
      for (const slot of [0, T + 1]) task.call("clear", { dst: this.#slot(dStates, slot), n: R * ldh });
      network.gru[l]!.forEach(({ input, hidden, reverse, biasIh, biasHh }, d) => {
        const gates = this.#gates[l]![d]!, hiddenGates = from(gates, Hp);
        task.call("gruBackward", {
          dh: from(dStates, d * Hp),
          gates,
          h: from(states, d * Hp),
          recurrentT: hidden.backward,
          lengths,
          T,
          R,
          Hp,
          lddh: ldh,
          ldh,
          ldg,
          reverse: Number(reverse),
        });
        this.#block.weightGradient(task, input, { dy: gates, lddy: ldg, x, ldx, M: rows, scratch: this.#scratch });
        this.#block.weightGradient(task, hidden, {
          dy: hiddenGates,
          lddy: ldg,
          x: this.#slot(states, reverse ? 2 : 0, d),
          ldx: ldh,
          M: rows,
          scratch: this.#scratch,
        });
        const bias = { scratch: this.#scratch, M: rows, parts: 3, rows: H, lddy: ldg };
        if (biasIh !== null) {
          task.call("linearBackwardBias", { db: from(gradient, biasIh), dy: gates, rotate: 2, ...bias });
        }
        if (biasHh !== null) {
          task.call("linearBackwardBias", { db: from(gradient, biasHh), dy: hiddenGates, rotate: 0, ...bias });
        }
        if (io.dh0) {
          task.call("rowsOut", {
            dst: from(io.dh0, ((l * directions + d) * io.B + row0) * H),
            src: this.#slot(dStates, this.#firstSlot(reverse), d),
            rows: R,
            H,
            lddst: H,
            ldsrc: ldh,
          });
        }
        if (l > 0 || io.dx) {
          task.call("linearBackwardInput", {
            dx: l > 0 ? this.#slot(this.#dLayer(l - 1), 1) : this.#dx,
            dy: gates,
            panels: input.backward,
            M: rows,
            N: input.K,
            K: input.N,
            lddx: l > 0 ? ldh : this.#inputStride,
            lddy: ldg,
            accumulate: d,
          });
        }
      });
      const mask = this.#masks[l - 1];
      if (mask) {
        const dx = this.#slot(this.#dLayer(l - 1), 1);
        task.call("dropoutApply", { y: dx, x: dx, mask, rows, width: Dp, ldy: ldh, ldx: ldh, ldm: ldh });
      }
    }
    if (io.dx) {
      task.call("sequencesOut", {
        x: from(io.dx, row0 * T * I),
        xt: this.#dx,
        lengths,
        T,
        R,
        I,
        parts: 1,
        ldx: this.#inputStride,
      });
    }
  }
}
