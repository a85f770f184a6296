import { Arena, from } from "../device/arena.ts";
import { type Plan, TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { type Simd, WasmDevice } from "../device/wasm.ts";
import { layerSuffix, type Parameter } from "./config.ts";
import type { LossName } from "./head.ts";
import { checkLoss, coreOf, type Model } from "./model.ts";

/** What a {@linkcode Predictor} says of a sequence. Both arrays are used again by the next call. */
export interface SinglePrediction {
  /** (O): probabilities, or values for "mse". */
  readonly probabilities: Float32Array;
  /** How much each step counted (T). */
  readonly attentionWeights: Float32Array;
}

/** Predicts one sequence at a time, without waiting and without allocating. Made by {@linkcode createPredictor}. */
export interface Predictor extends Disposable {
  /**
   * What the model says of one sequence.
   *
   * @param x Its steps (T, I), row-major, or its tokens (T); any number of steps, those seen before being quicker.
   * @throws {RangeError} If the count of numbers is no multiple of I, or a token is not in the vocabulary.
   * @throws {TypeError} After `dispose`.
   */
  predict(x: Float32Array | Int32Array): SinglePrediction;
  /** Frees the memory. */
  dispose(): void;
}

/** A padded matrix: one row of N outputs for each of K inputs. */
interface Columns {
  readonly columns: Tensor;
  readonly N: number;
  readonly K: number;
}

/** The tensors and views for sequences of one length. */
interface LengthPlan extends Plan {
  readonly x: Tensor;
  readonly result: Tensor;
  readonly weights: Tensor;
}

/** Lengths that are kept ready at a time. */
const MAX_PLANS = 16;

function pad4(n: number): number {
  return Math.ceil(n / 4) * 4;
}

class SinglePredictor implements Predictor {
  readonly #device: WasmDevice;
  readonly #model: Model;
  readonly #loss: LossName;
  readonly #values: Tensor;
  readonly #persistent: number;
  readonly #pack = new TaskBuilder();
  /** For each layer its directions. */
  readonly #gru: { input: Columns; hidden: Columns; bias: Tensor }[][];
  readonly #query: Columns;
  readonly #encoder: Columns;
  readonly #attentionBias: Tensor;
  readonly #v: Tensor;
  readonly #head: Columns;
  readonly #headBias: Tensor;
  readonly #none: Tensor;
  /** Rows of the embedding, where inputs are tokens. */
  readonly #table: Float32Array | undefined;
  readonly #plans = new Map<number, LengthPlan>();
  #steps = -1;
  #x!: Float32Array;
  #result!: Float32Array;
  #weights!: Float32Array;
  #prediction!: SinglePrediction;

  constructor(model: Model, values: Float32Array, loss: LossName, simd: Simd) {
    this.#device = new WasmDevice(1, simd);
    this.#model = model;
    this.#loss = loss;
    const { hiddenSize: H, numLayers, bidirectional, bias, numEmbeddings: V, inputSize: I } = model.config;
    this.#table = V ? values.subarray(0, V * I) : undefined;
    const directions = bidirectional ? 2 : 1, D = H * directions, arena = new Arena();
    const byName = new Map(model.parameters.map((p) => [p.name, p]));
    const parameter = (name: string) => byName.get(name)!;
    this.#values = arena.allocate(values.length);
    const columns = (
      p: Parameter,
      rowParts: number,
      columnParts: number,
      rotate = 0,
      skip = 0,
      inputs = 0,
    ): Columns => {
      const [allRows, ldw] = p.shape as [number, number], rows = allRows / rowParts;
      const each = inputs || ldw / columnParts, N = rowParts * pad4(rows), K = columnParts * pad4(each);
      const columns = arena.allocate(N * K), w = from(this.#values, p.offset + skip);
      this.#pack.call("packColumns", { columns, w, rowParts, rows, rotate, columnParts, inputs: each, ldw });
      return { columns, N, K };
    };
    const vector = (name: string) => {
      const { offset, length } = parameter(name), dst = arena.allocate(pad4(length));
      this.#pack.call("packParts", { dst, src: from(this.#values, offset), parts: 1, n: length, rotate: 0 });
      return dst;
    };
    this.#gru = Array.from(
      { length: numLayers },
      (_, l) =>
        Array.from({ length: directions }, (_, d) => {
          const suffix = layerSuffix(l, d), sums = arena.allocate(4 * H), padded = arena.allocate(4 * pad4(H));
          if (bias) {
            const biasIh = from(this.#values, parameter(`gru.bias_ih${suffix}`).offset);
            const biasHh = from(this.#values, parameter(`gru.bias_hh${suffix}`).offset);
            this.#pack.call("gruPackBias", { bias: sums, biasIh, biasHh, H });
            this.#pack.call("packParts", { dst: padded, src: sums, parts: 4, n: H, rotate: 0 });
          }
          return {
            input: columns(parameter(`gru.weight_ih${suffix}`), 3, l ? directions : 1, 2),
            hidden: columns(parameter(`gru.weight_hh${suffix}`), 3, 1),
            bias: padded,
          };
        }),
    );
    const attention = parameter("attention.attn.weight");
    this.#query = columns(attention, 1, directions, 0, 0, H);
    this.#encoder = columns(attention, 1, directions, 0, D, H);
    this.#attentionBias = vector("attention.attn.bias");
    this.#v = vector("attention.v.weight");
    this.#head = columns(parameter("fc.weight"), 1, directions);
    this.#headBias = vector("fc.bias");
    this.#none = arena.allocate(pad4(D));
    this.#persistent = arena.length;
    const pack = [[this.#pack.calls]];
    this.#device.load({ arena: this.#persistent, scratch: 0, parallel: false, programs: [pack] }, 0);
    this.#device.write(this.#values, values);
    this.#device.run(pack);
  }

  predict(x: Float32Array | Int32Array): SinglePrediction {
    const T = x.length / this.#width;
    if (T !== this.#steps) this.#load(T, x.length);
    if (this.#table) this.#embed(x, this.#table);
    else this.#x.set(x);
    this.#device.run(this.#plans.get(T)!.programs[0]!);
    this.#prediction.probabilities.set(this.#result);
    this.#prediction.attentionWeights.set(this.#weights);
    return this.#prediction;
  }

  /** Numbers, or tokens, per step. */
  get #width(): number {
    return this.#table ? 1 : this.#model.config.inputSize;
  }

  #embed(tokens: Float32Array | Int32Array, table: Float32Array) {
    const { inputSize: E, numEmbeddings: V } = this.#model.config, x = this.#x;
    for (let t = 0; t < tokens.length; t++) {
      const token = tokens[t]!;
      if (!(Number.isInteger(token) && token >= 0 && token < V)) {
        throw new RangeError(`Cannot predict: tokens must be from 0 to ${V - 1}, got ${token} in step ${t}`);
      }
      for (let e = 0; e < E; e++) x[t * E + e] = table[token * E + e]!;
    }
  }

  #load(T: number, length: number) {
    const { outputSize: O } = this.#model.config, width = this.#width;
    if (!Number.isInteger(T) || T < 1) {
      throw new RangeError(`Cannot predict: x must have a multiple of ${width} numbers, got ${length}`);
    }
    let plan = this.#plans.get(T);
    if (!plan) {
      if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
      this.#plans.set(T, plan = this.#plan(T));
    }
    this.#device.load(plan, this.#persistent);
    this.#steps = T;
    this.#x = this.#device.view(plan.x);
    this.#result = this.#device.view(plan.result);
    this.#weights = this.#device.view(plan.weights);
    this.#prediction = { probabilities: new Float32Array(O), attentionWeights: new Float32Array(T) };
  }

  /** The memory and the program for sequences of T steps. */
  #plan(T: number): LengthPlan {
    const { inputSize: I, hiddenSize: H, outputSize: O, bidirectional } = this.#model.config;
    const Hp = pad4(H), directions = bidirectional ? 2 : 1, Dp = Hp * directions, Ap = pad4(H * directions);
    const arena = new Arena(this.#persistent), task = new TaskBuilder();
    const x = arena.allocate(T * I), gates = arena.allocate(T * 4 * Hp);
    let input = x, ldx = I, K = I;
    for (const layer of this.#gru) {
      const states = arena.allocate((T + 2) * Dp);
      task.call("clear", { dst: states, n: Dp });
      task.call("clear", { dst: from(states, (T + 1) * Dp), n: Dp });
      for (const [d, { input: w, hidden, bias }] of layer.entries()) {
        const { columns, N } = w, y = gates;
        task.call("linearForwardSingle", { y, x: input, columns, bias, rows: T, N, K, ldy: 4 * Hp, ldx });
        const h = from(states, d * Hp);
        task.call("gruForwardSingle", { h, gates, columns: hidden.columns, bias, T, Hp, ldh: Dp, reverse: d });
      }
      [input, ldx, K] = [from(states, Dp), Dp, Dp];
    }
    const encoded = input, query = arena.allocate(Dp), asked = arena.allocate(Ap), hidden = arena.allocate(T * Ap);
    for (let d = 0; d < directions; d++) {
      const src = from(encoded, (d ? 0 : T - 1) * Dp + d * Hp);
      task.call("copyVector", { dst: from(query, d * Hp), src, n: Hp });
    }
    const projection = { N: Ap, K: Dp, ldy: Ap, ldx: Dp };
    const { columns } = this.#query;
    task.call("linearForwardSingle", {
      y: asked,
      x: query,
      columns,
      bias: this.#attentionBias,
      rows: 1,
      ...projection,
    });
    const answers = { y: hidden, x: encoded, columns: this.#encoder.columns, bias: this.#none };
    task.call("linearForwardSingle", { ...answers, rows: T, ...projection });
    const context = arena.allocate(Dp), weights = arena.allocate(pad4(T)), result = arena.allocate(pad4(O));
    const v = this.#v;
    task.call("attentionForwardSingle", { context, weights, hidden, encoded, query: asked, v, T, Dp, Ap, ldo: Dp });
    const head = { y: result, x: context, columns: this.#head.columns, bias: this.#headBias };
    task.call("linearForwardSingle", { ...head, rows: 1, N: pad4(O), K: Dp, ldy: pad4(O), ldx: Dp });
    if (this.#loss !== "mse") {
      task.call("probabilitiesSingle", { logits: result, O, softmax: Number(this.#loss === "crossEntropy") });
    }
    return {
      x,
      weights: from(weights, 0, T),
      result: from(result, 0, O),
      arena: arena.length,
      scratch: 0,
      parallel: false,
      programs: [[[task.calls]]],
    };
  }

  dispose(): void {
    this.#device.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Makes a predictor for one sequence at a time, with the parameters that the model has now: no promises, no allocation,
 * a few microseconds for a small model.
 *
 * @param options The loss the model was trained with, which says what its outputs mean. Default: that of the model's
 * trainer, else "bce".
 * @throws {TypeError} If the loss is unknown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
 * using predictor = await createPredictor(model);
 * const { probabilities, attentionWeights } = predictor.predict(new Float32Array(50)); // 10 steps of 5 numbers
 * assert.deepEqual([probabilities.length, attentionWeights.length], [2, 10]);
 * ```
 */
export async function createPredictor(model: Model, options: { loss?: LossName } = {}): Promise<Predictor> {
  const core = coreOf(model), { loss = core.loss ?? "bce" } = options;
  checkLoss(loss);
  const values = await core.exclusive(() => core.read((network) => network.values));
  return new SinglePredictor(model, values, loss, core.simd);
}
