/**
 * The programs of a network over one sequence by itself: where everything lies, and which kernels run, in which order. No
 * device is needed to know it.
 *
 * @module
 */

import { Arena, from } from "../device/arena.ts";
import { type Plan, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
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
import { type Single, SINGLES } from "./layers/single_layers.ts";
import { LOSSES, type LossName } from "./losses.ts";
import { requireAll } from "./network.ts";
import type { PlacedNetwork } from "./placed_network.ts";

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
  /** All values: "layer.port". */
  readonly values: ReadonlyMap<string, SingleValue>;
}

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

/** A network's layers, placed for one sequence by itself. */
export class SinglePrograms {
  readonly net: PlacedNetwork;
  /** What packs the weights, once. */
  readonly store: SingleStore;
  readonly #values: Float32Array;
  readonly #wanted: Wanted;
  readonly #layers: readonly SingleLayer[];

  /**
   * @param values All parameters, as the network's layout says.
   * @param action What fails where a layer cannot be computed so.
   * @param own How layers are computed whose kind says nothing of it.
   */
  constructor(
    net: PlacedNetwork,
    values: Float32Array,
    wanted: Wanted,
    { action = "create predictor", advice = "use model.forward" } = {},
    own?: (node: Node) => Single,
  ) {
    this.net = net;
    this.#wanted = wanted;
    this.#values = values;
    const store = this.store = new SingleStore(net.resolved.layout.list, values.length);
    const parts = new Map<string, readonly number[]>(), { nodes } = net.resolved;
    if (!own) requireAll(action, nodes, (type) => SINGLES[type] !== undefined, advice);
    this.#layers = nodes.map((node) => {
      const inputs = Object.entries(node.sources).map(([port, source]) => [port, parts.get(source)!]);
      const single = SINGLES[node.type];
      const layer = (node.axis === undefined && single || own!(node))(node, store, Object.fromEntries(inputs));
      for (const [port, own] of Object.entries(layer.parts)) parts.set(`${node.name}.${port}`, own);
      return layer;
    });
  }

  /** Numbers or tokens per step of the first input. */
  get width(): number {
    const { kind, size } = this.net.firstInput.outputs.output!;
    return kind === "tokens" ? 1 : size;
  }

  /** Elements of the arena that every plan keeps: the weights. */
  get persistent(): number {
    return this.store.arena.length;
  }

  /**
   * The memory and the program for sequences of T steps.
   *
   * @param keeps Whether what is written for a step is left as it is.
   */
  plan(T: number, arena: Arena = new Arena(this.persistent), keeps = false): LengthPlan {
    const tasks = [new TaskBuilder()];
    const placed = this.#place({
      T,
      arena,
      keeps,
      part: () => void tasks.push(new TaskBuilder()),
      get task() {
        return tasks.at(-1)!;
      },
    });
    return { ...placed, arena: arena.length, programs: tasks.map(({ calls }) => [[calls]]) };
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
      values,
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
    const { offset, length } = this.store.parameter(`${name}.weight`);
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
