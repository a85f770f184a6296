/**
 * A network over one sequence by itself: its weights packed on a device of its own, and the programs over sequences.
 *
 * @module
 */

import type { WasmDevice } from "../device/wasm.ts";
import { fail } from "../errors.ts";
import { pad4, type SingleValue } from "./layers/single.ts";
import type { PlacedNetwork } from "./placed_network.ts";
import { type Feed, SinglePrograms, type Wanted } from "./single_program.ts";

/** Prediction of a {@linkcode Predictor} for one sequence. The arrays are used again by the next call. */
export interface SinglePrediction {
  /** (O), for an output of every step (T, O): probabilities, values or quantiles, as the loss says. */
  readonly outputs: Float32Array;
  /** How much each step counted (T); empty for a network without attention. */
  readonly attentionWeights: Float32Array;
  /** @deprecated Since 0.3.0: use `outputs`, which does not call values probabilities. */
  readonly probabilities: Float32Array;
}

const ACTION = "predict";

/** A network whose weights are on a device, for one sequence by itself. */
export class SingleNetwork {
  readonly device: WasmDevice;
  readonly net: PlacedNetwork;
  readonly programs: SinglePrograms;
  /** Elements of the arena that every plan keeps: the weights. */
  readonly persistent: number;
  /** Numbers or tokens per step of the first input. */
  readonly width: number;
  readonly #wanted: Wanted;
  readonly #values: Float32Array;

  constructor(device: WasmDevice, net: PlacedNetwork, values: Float32Array, wanted: Wanted) {
    this.device = device;
    this.net = net;
    this.#wanted = wanted;
    this.#values = values;
    const programs = this.programs = new SinglePrograms(net, values, wanted), { store } = programs;
    this.width = programs.width;
    this.persistent = programs.persistent;
    const pack = [[store.pack.calls]];
    device.load({ arena: this.persistent, scratch: 0, parallel: false, programs: [pack] }, 0);
    device.write(store.values, values);
    device.run(pack);
  }

  /** The same on another device. */
  again(): SingleNetwork {
    return new SingleNetwork(this.device.again(), this.net, this.#values, this.#wanted);
  }

  /** Writes an input's rows, padded to whole vectors, or those of its tokens. */
  feed({ input, size, ld, table, V }: Feed, view: Float32Array, data: Float32Array | Int32Array | undefined): void {
    const rows = view.length / ld;
    if (!data || data.length !== rows * (table ? 1 : size)) {
      const problem = `input "${input}" must have ${rows * (table ? 1 : size)} numbers, got ${data?.length}`;
      throw fail("batch-shape", ACTION, problem, { name: input, value: data?.length });
    }
    if (table) {
      for (let t = 0; t < rows; t++) {
        const token = data[t]!;
        if (!(Number.isInteger(token) && token >= 0 && token < V)) {
          throw fail("batch-value", ACTION, `tokens must be from 0 to ${V - 1}, got ${token} in step ${t}`, {
            name: input,
            value: token,
          });
        }
        for (let e = 0; e < size; e++) view[t * ld + e] = table[token * size + e]!;
      }
      return;
    }
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!;
      if (Number.isFinite(value)) continue;
      const problem = `input "${input}" must be finite numbers, got ${value} at ${i}`;
      throw fail("not-finite", ACTION, problem, { name: input, value });
    }
    if (ld === size) view.set(data);
    else {
      for (let t = 0, i = 0, at = 0; t < rows; t++, at += ld) for (let f = 0; f < size; f++) view[at + f] = data[i++]!;
    }
  }
}

/** The rows of a value without their padding. */
export function copyRows(to: Float32Array, from: Float32Array, { parts, ld }: SingleValue): void {
  let at = 0;
  for (let row = 0; at < to.length; row += ld) {
    let place = row;
    for (const part of parts) {
      for (let i = 0; i < part; i++) to[at++] = from[place + i]!;
      place += pad4(part);
    }
  }
}
