import { Arena, from } from "../device/arena.ts";
import { type Plan, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import type { WasmDevice } from "../device/wasm.ts";
import { dispose } from "../engine.ts";
import { fail } from "../errors.ts";
import { checkFiniteOutputs } from "./finite.ts";
import type { Node } from "./layers/node.ts";
import { layerType } from "./layers/mod.ts";
import { layerOf } from "./layers/node.ts";
import { joinParts, pad4, type SingleLayer, type SinglePlan, SingleStore, type SingleValue } from "./layers/single.ts";
import { LOSSES, type LossName } from "./losses.ts";
import { internalsOf, type NetworkModel } from "./model.ts";
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

/** Predicts one sequence at a time, without waiting and without allocating. Made by {@linkcode createPredictor}. */
export interface Predictor extends Disposable {
  /**
   * What the model says of one sequence.
   *
   * @param x Its steps (T, I), row-major, or its tokens (T); any number of steps, those seen before being quicker.
   * @param inputs The network's other inputs, by name.
   * @throws {RangeError} If the count of numbers is no multiple of I, or a token is not in the vocabulary.
   * @throws {TypeError} After `dispose`.
   */
  predict(
    x: Float32Array | Int32Array,
    inputs?: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SinglePrediction;
  /** Frees the memory. */
  dispose(): void;
}

/** Where an input's rows go: as they are, or looked up in a table. */
interface Feed {
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
interface LengthPlan extends Plan {
  readonly T: number;
  readonly feeds: readonly Feed[];
  readonly result: SingleValue;
  readonly weights: SingleValue | undefined;
}

/** What a length's plan has at hand: where to write, where to read. */
interface Loaded {
  readonly plan: LengthPlan;
  readonly views: readonly Float32Array[];
  readonly result: Float32Array;
  /** The outputs among it, where they lie in one piece. */
  readonly dense: Float32Array | undefined;
  readonly weights: Float32Array | undefined;
  readonly prediction: SinglePrediction;
}

/** Lengths that are kept ready at a time. */
const MAX_PLANS = 16;

const ACTION = "predict";

class SinglePredictor implements Predictor {
  readonly #device: WasmDevice;
  readonly #net: PlacedNetwork;
  readonly #output: string;
  readonly #loss: LossName;
  readonly #store: SingleStore;
  readonly #values: Float32Array;
  readonly #layers: readonly SingleLayer[];
  readonly #persistent: number;
  /** Numbers or tokens per step of `x`. */
  readonly #width: number;
  readonly #plans = new Map<number, LengthPlan>();
  #loaded: Loaded | undefined;

  constructor(
    device: WasmDevice,
    net: PlacedNetwork,
    values: Float32Array,
    { output, loss }: { output: string; loss: LossName },
  ) {
    this.#device = device;
    this.#net = net;
    this.#output = output;
    this.#loss = loss;
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
    this.#width = kind === "tokens" ? 1 : size;
    this.#persistent = store.arena.length;
    const pack = [[store.pack.calls]];
    this.#device.load({ arena: this.#persistent, scratch: 0, parallel: false, programs: [pack] }, 0);
    this.#device.write(store.values, values);
    this.#device.run(pack);
  }

  predict(
    x: Float32Array | Int32Array,
    inputs?: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SinglePrediction {
    if (!(x instanceof Float32Array || x instanceof Int32Array)) {
      throw fail("batch-type", ACTION, `x must be a Float32Array, or of tokens an Int32Array, got ${x}`, { name: "x" });
    }
    const T = x.length / this.#width, loaded = this.#loaded;
    const { plan, views, result, dense, weights, prediction } = T === loaded?.plan.T ? loaded : this.#load(T, x.length);
    const { feeds } = plan;
    for (let i = 0; i < feeds.length; i++) {
      const feed = feeds[i]!;
      this.#feed(feed, views[i]!, feed.isX ? x : inputs?.[feed.input]);
    }
    this.#device.run(plan.programs[0]!);
    if (dense) prediction.outputs.set(dense);
    else copyRows(prediction.outputs, result, plan.result);
    checkFiniteOutputs(prediction.outputs, ACTION);
    if (weights) prediction.attentionWeights.set(weights);
    return prediction;
  }

  /** Writes an input's rows, padded to whole vectors, or those of its tokens. */
  #feed({ input, size, ld, table, V }: Feed, view: Float32Array, data: Float32Array | Int32Array | undefined): void {
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

  #load(T: number, length: number): Loaded {
    const width = this.#width, steps = this.#net.firstInput.outputs.output!.kind !== "rows";
    if (!Number.isInteger(T) || T < 1 || !steps && T !== 1) {
      const wanted = steps ? `a multiple of ${width}` : String(width);
      throw fail("batch-shape", ACTION, `x must have ${wanted} numbers, got ${length}`, { name: "x", value: length });
    }
    let plan = this.#plans.get(T);
    if (!plan) {
      if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
      this.#plans.set(T, plan = this.#plan(T));
    }
    this.#device.load(plan, this.#persistent);
    const { feeds, result, weights } = plan, views = feeds.map(({ to }) => this.#device.view(to));
    // Padding is never written.
    for (const view of views) view.fill(0);
    const rows = result.kind === "rows" ? 1 : T,
      outputs = new Float32Array(rows * result.parts.reduce((a, b) => a + b, 0));
    const view = this.#device.view(result.data);
    return this.#loaded = {
      plan,
      views,
      result: view,
      dense: rows === 1 && result.parts.length === 1 ? view.subarray(0, outputs.length) : undefined,
      weights: weights && this.#device.view(weights.data),
      prediction: { outputs, attentionWeights: new Float32Array(weights ? T : 0), probabilities: outputs },
    };
  }

  /** The memory and the program for sequences of T steps. */
  #plan(T: number): LengthPlan {
    const { resolved: { nodes, outputs } } = this.#net, arena = new Arena(this.#persistent);
    const task = new TaskBuilder(), feeds: Feed[] = [], values = new Map<string, SingleValue>();
    const input = (name: string) => {
      const node = this.#net.node(name),
        { kind, size } = node.outputs.output!,
        ld = this.#isPadded(node) ? pad4(size) : size;
      const to = arena.allocate((kind === "rows" ? 1 : T) * ld), table = this.#tableOf(node);
      const V = node.inputs.input?.size ?? 0, source = node.sources.input, from = source ? layerOf(source) : name;
      feeds.push({ input: from, isX: from === this.#net.firstInput.name, size, ld, table, V, to });
      return { data: to, ld };
    };
    const plan: SinglePlan = { T, arena, task, input };
    nodes.forEach(({ name, sources }, i) => {
      const inputs = Object.entries(sources).map(([port, source]) => [port, values.get(source)!]);
      const made = this.#layers[i]!.over(plan, Object.fromEntries(inputs));
      for (const [port, value] of Object.entries(made)) values.set(`${name}.${port}`, value);
    });
    const result = joinParts(plan, values.get(outputs[this.#output]!.source)!),
      [weights] = this.#net.valuesOf("weights");
    this.#activate(plan, result);
    return {
      T,
      feeds,
      result,
      weights: weights === undefined ? undefined : values.get(weights),
      arena: arena.length,
      scratch: 0,
      parallel: false,
      programs: [[[task.calls]]],
    };
  }

  /** Whether anything but products reads a value: whole vectors of it are read then. */
  #isPadded({ name }: Node): boolean {
    const { nodes, outputs } = this.#net.resolved, source = `${name}.output`;
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
    const { activation } = LOSSES[this.#loss], softmax = Number(activation === "softmax"), [O] = parts as [number];
    if (!activation) return;
    for (let row = 0; row < (kind === "rows" ? 1 : T); row++) {
      task.call("probabilitiesSingle", { logits: from(data, row * ld), O, softmax });
    }
  }

  dispose(): void {
    this.#device.dispose();
  }

  [dispose](): void {
    this.dispose();
  }
}

/** The rows of a value without their padding. */
function copyRows(to: Float32Array, from: Float32Array, { parts, ld }: SingleValue): void {
  let at = 0;
  for (let row = 0; at < to.length; row += ld) {
    let place = row;
    for (const part of parts) {
      for (let i = 0; i < part; i++) to[at++] = from[place + i]!;
      place += pad4(part);
    }
  }
}

/**
 * Makes a predictor for one sequence at a time, with the parameters that the model has now: no promises, no allocation,
 * a few microseconds for a small model.
 *
 * @param options The loss the model was trained with, which says what its outputs mean. Default: what the model was made
 * or loaded with, or its trainer's. `output`: of a network with several, the one to predict.
 * @throws {TypeError} If the model does not know what its outputs mean, or the loss is unknown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, loss: "bce" });
 * using predictor = await createPredictor(model);
 * const { outputs, attentionWeights } = predictor.predict(new Float32Array(50)); // 10 steps of 5 numbers
 * assert.deepEqual([outputs.length, attentionWeights.length], [2, 10]);
 * ```
 *
 * @example A network with several inputs, and an output at every step
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor, defineNetwork, predict } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ numbers, gru, concat, linear }) =>
 *   linear("fc", concat([gru("gru", numbers("x", 3), { hiddenSize: 4 }).output, numbers("clock", 1)]), 2)
 * );
 * using model = await createModel(network, { loss: "mse" });
 * using predictor = await createPredictor(model);
 * const x = new Float32Array(6 * 3).fill(1), inputs = { clock: new Float32Array(6) };
 * const { outputs } = predictor.predict(x, inputs); // (6, 2)
 * const batch = await predict(model, { x, shape: [1, 6, 3], inputs });
 * assert.ok(outputs.every((y, i) => Math.abs(y - batch.outputs.data[i]!) < 1e-6));
 * ```
 */
export async function createPredictor(
  model: NetworkModel,
  options: { loss?: LossName; output?: string } = {},
): Promise<Predictor> {
  const action = "create predictor", internals = internalsOf(model), { session } = internals;
  const { output = internals.only(action, "pass { output }") } = options;
  session.net.outputShape(action, output);
  const { loss } = internals.meaning(action, output, options);
  const values = await session.exclusive(() => session.readValues());
  const { WasmDevice } = await import("../device/wasm.ts");
  return new SinglePredictor(await WasmDevice.open(1, session.simd), session.net, values, { output, loss });
}
