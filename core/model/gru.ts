import { type Arena, from } from "../device/arena.ts";
import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { type Block, gradientScratch, turnedSize, weightGradient } from "./block.ts";
import { GROUP, groupStride, type GruDirection } from "./network.ts";

/**
 * The GRU layers over one block of rows. Memory per block, in elements, with R rows rounded up to groups of 8, L layers of
 * d directions: inputs T·R·I, gates L·d·T·R·4H, states L·(T + 2)·R·d·H; for backward 2·(T + 2)·R·d·H more, T·R·max(I, d·H)
 * for inputs turned round, and the largest weight.
 */
export class GruLayers {
  readonly #block: Block;
  /** Distance between groups of states. */
  readonly stride: number;
  readonly #gateStride: number;
  readonly #inputStride: number;
  readonly #x: Tensor;
  readonly #dx: Tensor;
  /** States of each layer, (T + 2, groups, D, 8). */
  readonly #states: Tensor[] = [];
  readonly #gates: Tensor[][] = [];
  /** What the layer above reads of each layer but the last: its states, or those after dropout. */
  readonly #masks: Tensor[] = [];
  readonly #dropped: Tensor[] = [];
  readonly #words: Tensor;
  readonly #dStates: Tensor[];
  readonly #turned: Tensor;
  readonly #scratch: Tensor;

  constructor(block: Block, scratch: Arena) {
    const { network: { config, D, directions, gru }, T, groups, backward, dropLayers, io } = block;
    const { hiddenSize: H, inputSize: I, numLayers } = config;
    this.#block = block;
    this.stride = groupStride(D);
    this.#gateStride = groupStride(4 * H);
    this.#inputStride = groupStride(I);
    this.#x = scratch.allocate(T * groups * this.#inputStride);
    this.#dx = scratch.allocate(io.dx ? T * groups * this.#inputStride : 0);
    const gates = () => scratch.allocate(T * groups * this.#gateStride);
    // Without a backward pass nobody reads the gates again: one buffer serves all layers.
    const shared = backward ? undefined : gates();
    for (let layer = 0; layer < numLayers; layer++) {
      this.#states.push(scratch.allocate((T + 2) * groups * this.stride));
      this.#gates.push(Array.from({ length: directions }, () => shared ?? gates()));
      if (dropLayers && layer < numLayers - 1) {
        this.#masks.push(scratch.allocate(T * groups * this.stride));
        this.#dropped.push(scratch.allocate(T * groups * this.stride));
      }
    }
    this.#words = scratch.allocate(dropLayers ? 16 : 0);
    const buffers = backward ? Math.min(2, numLayers) : 0;
    this.#dStates = Array.from({ length: buffers }, () => scratch.allocate((T + 2) * groups * this.stride));
    const widest = numLayers > 1 ? Math.max(I, D) : Math.max(I, H);
    this.#turned = scratch.allocate(backward ? turnedSize(widest, T * groups) : 0);
    const weights = gru.flat().flatMap(({ input, hidden }) => [input, hidden]);
    this.#scratch = scratch.allocate(
      backward ? Math.max(...weights.map((w) => gradientScratch(block, w, T * groups))) : 0,
    );
  }

  /** Slot `slot` of states, from the features of a direction on. */
  #slot(states: Tensor, slot: number, direction = 0): Tensor {
    const { groups, network: { config: { hiddenSize } } } = this.#block;
    return from(states, slot * groups * this.stride + direction * hiddenSize * GROUP);
  }

  /** Slot of the state a direction starts from. */
  #firstSlot(reverse: boolean): number {
    return reverse ? this.#block.T + 1 : 0;
  }

  /** Slot of the state a direction ends in. */
  #lastSlot(reverse: boolean): number {
    return reverse ? 1 : this.#block.T;
  }

  /** The last layer's states after steps 0 to T − 1, (T, groups, D, 8). */
  get encoded(): Tensor {
    return this.#slot(this.#states.at(-1)!, 1);
  }

  /** The last layer's final states of a direction, (groups, H, 8). */
  final({ reverse }: GruDirection): Tensor {
    return this.#slot(this.#states.at(-1)!, this.#lastSlot(reverse), Number(reverse));
  }

  /** What layer `layer` reads. */
  #input(layer: number): { x: Tensor; ldx: number } {
    if (layer === 0) return { x: this.#x, ldx: this.#inputStride };
    const below = layer - 1;
    return { x: this.#dropped[below] ?? this.#slot(this.#states[below]!, 1), ldx: this.stride };
  }

  forward(task: TaskBuilder): void {
    const { network, T, groups, rows, row0, lengths, mask, io } = this.#block;
    const { config: { hiddenSize: H, inputSize: I, layerDropout }, D, directions } = network;
    const ld = this.stride,
      ldg = this.#gateStride,
      inputs = { dst: this.#x, lengths, T, rows, lddst: this.#inputStride };
    if (network.embedded) {
      const tokens = from(io.x, row0 * T), table = from(network.values, 0, network.embedded);
      task.call("embeddingForward", { ...inputs, table, tokens, E: I });
    } else task.call("sequencesIn", { ...inputs, src: from(io.x, row0 * T * I), F: I });
    network.gru.forEach((layer, l) => {
      const states = this.#states[l]!, { x, ldx } = this.#input(l);
      layer.forEach(({ input, hidden, bias, reverse }, d) => {
        const gates = this.#gates[l]![d]!, state = ((l * directions + d) * io.B + row0) * H;
        task.call("rowsIn", {
          dst: this.#slot(states, this.#firstSlot(reverse), d),
          src: io.h0 && from(io.h0, state),
          rows,
          F: H,
          lddst: ld,
          ldsrc: H,
        });
        task.call("linearForward", {
          y: gates,
          x,
          panels: input.forward,
          bias,
          M: input.M,
          K: input.K,
          groups: T * groups,
          ldy: ldg,
          ldx,
        });
        task.call("gruForward", {
          h: from(states, d * H * GROUP),
          gates,
          panels: hidden.forward,
          bias,
          mask,
          T,
          groups,
          H,
          ldh: ld,
          ldg,
          reverse: Number(reverse),
        });
        if (io.hidden) {
          const src = this.#slot(states, this.#lastSlot(reverse), d);
          task.call("rowsOut", { dst: from(io.hidden, state), src, rows, F: H, lddst: H, ldsrc: ld });
        }
      });
      const dropped = this.#masks[l];
      if (dropped) {
        const { control } = network, words = this.#words;
        const drawn = { mask: dropped, words, control, T, groups, row0, F: D, ldm: ld, stream: l, p: layerDropout };
        task.call("dropoutMask", drawn);
        const y = this.#dropped[l]!, from = this.#slot(states, 1);
        task.call("dropoutApply", { y, x: from, mask: dropped, groups: T * groups, F: D, ldy: ld, ldx: ld, ldm: ld });
      }
    });
    if (io.output) {
      task.call("sequencesOut", {
        dst: from(io.output, row0 * T * D),
        src: this.encoded,
        lengths,
        T,
        rows,
        F: D,
        ldsrc: ld,
      });
    }
  }

  /** Where the gradient of `encoded` goes, (T, groups, D, 8); the caller overwrites it. */
  get dEncoded(): Tensor {
    return this.#slot(this.#dLayer(this.#states.length - 1), 1);
  }

  /** Where the gradient of a direction's final state is added, after dEncoded was written. */
  dFinal({ reverse }: GruDirection): Tensor {
    return this.#slot(this.#dLayer(this.#states.length - 1), this.#lastSlot(reverse), Number(reverse));
  }

  /** The gradient of a layer's states. Neighbouring layers use two buffers in turn. */
  #dLayer(layer: number): Tensor {
    return this.#dStates[layer % this.#dStates.length]!;
  }

  backward(task: TaskBuilder): void {
    const { network, T, groups, rows, row0, lengths, mask, io, gradient } = this.#block;
    const { config: { hiddenSize: H, inputSize: I, numLayers }, D, directions } = network;
    const ld = this.stride, ldg = this.#gateStride, turned = this.#turned, scratch = this.#scratch, all = T * groups;
    for (let l = numLayers - 1; l >= 0; l--) {
      const states = this.#states[l]!, dStates = this.#dLayer(l), { x, ldx } = this.#input(l);
      // The initial states' gradients are summed up from 0; the attention or the layer above wrote the other slots.
      for (const slot of [0, T + 1]) {
        task.call("clear", { dst: from(this.#slot(dStates, slot), 0, groups * ld), n: groups * ld });
      }
      network.gru[l]!.forEach(({ input, hidden, reverse, biasIh, biasHh }, d) => {
        const gates = this.#gates[l]![d]!, hiddenGates = from(gates, H * GROUP), side = d * H * GROUP;
        task.call("gruBackward", {
          dh: from(dStates, side),
          gates,
          h: from(states, side),
          panels: hidden.backward,
          mask,
          T,
          groups,
          H,
          lddh: ld,
          ldh: ld,
          ldg,
          reverse: Number(reverse),
        });
        const before = this.#slot(states, reverse ? 2 : 0, d), args = { lddy: ldg, turned, groups: all, scratch };
        task.call("turnInput", { turned, x, F: input.K, groups: all, ldx });
        weightGradient(task, this.#block, input, { dy: gates, ...args });
        task.call("turnInput", { turned, x: before, F: H, groups: all, ldx: ld });
        weightGradient(task, this.#block, hidden, { dy: hiddenGates, ...args });
        const sums = { M: 3 * H, groups: all, lddy: ldg };
        if (biasIh !== null) {
          task.call("linearBackwardBias", { db: from(gradient, biasIh, 3 * H), dy: gates, rotate: 2 * H, ...sums });
        }
        if (biasHh !== null) {
          task.call("linearBackwardBias", { db: from(gradient, biasHh, 3 * H), dy: hiddenGates, rotate: 0, ...sums });
        }
        if (io.dh0) {
          task.call("rowsOut", {
            dst: from(io.dh0, ((l * directions + d) * io.B + row0) * H),
            src: this.#slot(dStates, this.#firstSlot(reverse), d),
            rows,
            F: H,
            lddst: H,
            ldsrc: ld,
          });
        }
        if (l > 0 || io.dx) {
          task.call("linearBackwardInput", {
            dx: l > 0 ? this.#slot(this.#dLayer(l - 1), 1) : this.#dx,
            dy: gates,
            panels: input.backward,
            M: input.K,
            K: input.M,
            groups: all,
            lddx: l > 0 ? ld : this.#inputStride,
            lddy: ldg,
            accumulate: d,
          });
        }
      });
      const dropped = this.#masks[l - 1];
      if (dropped) {
        const dx = this.#slot(this.#dLayer(l - 1), 1);
        task.call("dropoutApply", { y: dx, x: dx, mask: dropped, groups: all, F: D, ldy: ld, ldx: ld, ldm: ld });
      }
    }
    if (io.dx) {
      const dst = from(io.dx, row0 * T * I);
      task.call("sequencesOut", { dst, src: this.#dx, lengths, T, rows, F: I, ldsrc: this.#inputStride });
    }
  }
}
