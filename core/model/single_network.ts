/**
 * A network over one sequence by itself: its weights packed on a device of its own, and the programs over sequences.
 *
 * @module
 */

import { Arena, from } from "../device/arena.ts";
import { type Plan, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { WasmDevice } from "../device/wasm.ts";
import { fail } from "../errors.ts";
import { layerType } from "./layers/mod.ts";
import { layerOf, type Node } from "./layers/node.ts";
import {
  joinParts,
  pad4,
  type SingleLayer,
  type SinglePlan,
  SingleStore,
  type SingleStream,
  type SingleValue,
} from "./layers/single.ts";
import { LOSSES, type LossName } from "./losses.ts";
import { requireAll } from "./network.ts";
import type { PlacedNetwork } from "./placed_network.ts";

/** Prediction of a {@linkcode Predictor} for one sequence. The arrays are used again by the next call. */
export interface SinglePrediction {
  /** (O), for an output of every step (T, O): probabilities, values or quantiles, as the loss says. */
  readonly outputs: Float32Array;
  /** How much each step counted (T); empty for a network without attention. */
  readonly attentionWeights: Float32Array;
  /** @deprecated Since 0.3.0: use `outputs`, which does not call values probabilities. */
  readonly probabilities: Float32Array;
}

/** Where an input's rows go: as they are, or looked up in a table. */
export interface Feed {
  readonly input: string;
  /** Whether it is the sequence itself. */
  readonly isX: boolean;
  /** Numbers per row: those given, or those of a token's row. */
  readonly size: number;
  /** Elements from one row to the next. */
  readonly ld: number;
  /** Rows of an embedding, and how many there are. */
  readonly table?: Float32Array;
  readonly V: number;
  readonly to: Tensor;
}

/** The tensors for sequences of one length. */
export interface LengthPlan extends Plan {
  readonly T: number;
  readonly feeds: readonly Feed[];
  readonly result: SingleValue;
  readonly weights: SingleValue | undefined;
}

const ACTION = "predict";

/** What a layer does between a stream's programs. */
type Act = Parameters<SingleStream["between"]>[0];

/** The tensors of streams: programs over one step each, and what is done between them. */
export interface StreamPlan extends LengthPlan {
  /** Steps that histories have room for. */
  readonly capacity: number;
  readonly kept: readonly Tensor[];
  readonly histories: readonly { readonly data: Tensor; readonly width: number }[];
  /** Act i comes after program i. */
  readonly acts: readonly Act[];
}

/** What is predicted: an output, and the loss that says what it means. */
export interface Wanted {
  readonly output: string;
  readonly loss: LossName;
}

/** A network whose weights are on a device, for one sequence by itself. */
export class SingleNetwork {
  readonly device: WasmDevice;
  readonly net: PlacedNetwork;
  /** Elements of the arena that every plan keeps: the weights. */
  readonly persistent: number;
  /** Numbers or tokens per step of the first input. */
  readonly width: number;
  readonly #wanted: Wanted;
  readonly #store: SingleStore;
  readonly #values: Float32Array;
  readonly #layers: readonly SingleLayer[];

  constructor(device: WasmDevice, net: PlacedNetwork, values: Float32Array, wanted: Wanted) {
    this.device = device;
    this.net = net;
    this.#wanted = wanted;
    this.#values = values;
    const store = this.#store = new SingleStore(net.resolved.layout.list, values.length);
    const parts = new Map<string, readonly number[]>(), { nodes } = net.resolved;
    requireAll("create predictor", nodes, (type) => layerType(type)!.single !== undefined, "use model.forward");
    this.#layers = nodes.map((node) => {
      const inputs = Object.entries(node.sources).map(([port, source]) => [port, parts.get(source)!]);
      const layer = layerType(node.type)!.single!(node, store, Object.fromEntries(inputs));
      for (const [port, own] of Object.entries(layer.parts)) parts.set(`${node.name}.${port}`, own);
      return layer;
    });
    const { kind, size } = net.firstInput.outputs.output!;
    this.width = kind === "tokens" ? 1 : size;
    this.persistent = store.arena.length;
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

  /** The memory and the program for sequences of T steps. */
  plan(T: number): LengthPlan {
    const arena = new Arena(this.persistent), task = new TaskBuilder();
    const placed = this.#place({ T, arena, task });
    return { ...placed, arena: arena.length, programs: [[[task.calls]]] };
  }

  /** The memory and the programs of streams, whose histories have room for so many steps. */
  streamPlan(capacity: number): StreamPlan {
    const arena = new Arena(this.persistent), kept: Tensor[] = [], histories: { data: Tensor; width: number }[] = [];
    const acts: Act[] = [];
    let task = new TaskBuilder();
    const tasks = [task];
    const stream: SingleStream = {
      capacity,
      keep: (tensor) => void kept.push(tensor),
      history(width) {
        const data = arena.allocate(capacity * width);
        histories.push({ data, width });
        return data;
      },
      between(act) {
        acts.push(act);
        tasks.push(task = new TaskBuilder());
      },
    };
    const placed = this.#place({
      T: 1,
      arena,
      stream,
      get task() {
        return task;
      },
    });
    const programs = tasks.map(({ calls }) => [[calls]]);
    return { ...placed, arena: arena.length, programs, capacity, kept, histories, acts };
  }

  /** Adds all layers' calls. */
  #place(given: Omit<SinglePlan, "input">): Omit<LengthPlan, "arena" | "programs"> {
    const { resolved: { nodes, outputs } } = this.net, { T, arena } = given;
    const feeds: Feed[] = [], values = new Map<string, SingleValue>();
    const input = (name: string) => {
      const node = this.net.node(name),
        { kind, size } = node.outputs.output!,
        ld = this.#isPadded(node) ? pad4(size) : size;
      const to = arena.allocate((kind === "rows" ? 1 : T) * ld), table = this.#tableOf(node);
      const V = node.inputs.input?.size ?? 0, source = node.sources.input, from = source ? layerOf(source) : name;
      feeds.push({ input: from, isX: from === this.net.firstInput.name, size, ld, table, V, to });
      return { data: to, ld };
    };
    // Not a copy: the builder of a stream's calls changes.
    const plan: SinglePlan = Object.assign(Object.create(given), { input });
    nodes.forEach(({ name, sources }, i) => {
      const inputs = Object.entries(sources).map(([port, source]) => [port, values.get(source)!]);
      const made = this.#layers[i]!.over(plan, Object.fromEntries(inputs));
      for (const [port, value] of Object.entries(made)) values.set(`${name}.${port}`, value);
    });
    const result = joinParts(plan, values.get(outputs[this.#wanted.output]!.source)!),
      [weights] = this.net.valuesOf("weights");
    this.#activate(plan, result);
    return {
      T,
      feeds,
      result,
      weights: weights === undefined ? undefined : values.get(weights),
      scratch: 0,
      parallel: false,
    };
  }

  /** Whether anything but products reads a value: whole vectors of it are read then. */
  #isPadded({ name }: Node): boolean {
    const { nodes, outputs } = this.net.resolved, source = `${name}.output`;
    return Object.values(outputs).some((output) => output.source === source) ||
      nodes.some(({ type, sources }) => Object.values(sources).includes(source) && !layerType(type)!.products);
  }

  #tableOf({ name, type }: Node): Float32Array | undefined {
    if (type !== "embedding") return undefined;
    const { offset, length } = this.#store.parameter(`${name}.weight`);
    return this.#values.subarray(offset, offset + length);
  }

  /** From outputs to probabilities, in place. */
  #activate({ T, task }: SinglePlan, { kind, data, ld, parts }: SingleValue): void {
    const { activation } = LOSSES[this.#wanted.loss],
      softmax = Number(activation === "softmax"),
      [O] = parts as [number];
    if (!activation) return;
    for (let row = 0; row < (kind === "rows" ? 1 : T); row++) {
      task.call("probabilitiesSingle", { logits: from(data, row * ld), O, softmax });
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
