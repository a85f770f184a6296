/** The words that networks are put together with. */

import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { AttentionOptions } from "./layers/attention.ts";
import type { DecoderOptions } from "./layers/decoder_options.ts";
import type { Kind } from "./layers/node.ts";
import type { LayerNormOptions } from "./layers/layer_norm.ts";
import type { LayerName } from "./layers/mod.ts";
import type { RecurrentOptions } from "./layers/recurrent_options.ts";
import { type LayerNode, type Network, resolveNetwork } from "./network.ts";

const ACTION = "define network";

/** A value of a network in the making: what a layer gives, for other layers to read. */
export interface NetworkValue<K extends Kind = Kind> {
  /** What it is: see {@linkcode RowValue}, {@linkcode StepValue}, {@linkcode TokenValue}. */
  readonly kind: K;
  /** Where it comes from: "layer.port". */
  readonly source: string;
}

/** A row for each sequence (B, F). */
export type RowValue = NetworkValue<"rows">;
/** A row for each step (B, T, F); 0 behind a sequence's length. */
export type StepValue = NetworkValue<"steps">;
/** A token for each step (B, T). */
export type TokenValue = NetworkValue<"tokens">;
/** How much each step counted (B, T). It can only leave the network. */
export type AttentionWeights = NetworkValue<"weights">;
/** Final states (layers·directions, B, H). A decoder may begin with them, and they can leave the network. */
export type States = NetworkValue<"states">;

/** How much each step of the keys counted at each step of a decoder (B, U, T). It can only leave the network. */
export type Alignment = NetworkValue<"alignment">;

/** Values of a GRU. */
export interface GruValues {
  /** The last layer's output at every step (B, T, H·directions). */
  readonly output: StepValue;
  /** The last layer's final state (B, H·directions), of two directions side by side, forward first. */
  readonly state: RowValue;
  /** All final states, h_n of torch.nn.GRU. */
  readonly hidden: States;
}

/** Values of an LSTM. */
export interface LstmValues extends GruValues {
  /** All final cell states, c_n of torch.nn.LSTM. */
  readonly cell: States;
}

/** What a decoder gives. */
export interface DecoderValues {
  /** Scores of every token, or numbers, at every step (B, U, O). */
  readonly output: StepValue;
  /** The last layer's state after every step (B, U, H). */
  readonly state: StepValue;
  /** All layers' states after every step (B, U, numLayers·H), those of an LSTM's cells behind the hidden ones. */
  readonly states: StepValue;
  /** What the attention found at every step (B, U, D). */
  readonly context: StepValue;
  /** What it weighed. */
  readonly weights: Alignment;
}

/** The layers that {@linkcode defineNetwork} offers. A layer's name is its attribute's in the PyTorch module. */
export interface Layers {
  /** An input: `size` numbers at every step (B, T, size); along a time axis of its own with `axis`, see `Sequences.axes`. */
  numbers(name: string, size: number, options?: { axis?: string }): StepValue;
  /** An input: a row of `size` numbers for each sequence (B, size). */
  vector(name: string, size: number): RowValue;
  /** An input: a token at every step (B, T), from 0 to `size` − 1; `axis` as for numbers. */
  tokens(name: string, size: number, options?: { axis?: string }): TokenValue;
  /** torch.nn.Embedding: a learned row of `embeddingDim` numbers for each token. */
  embedding(name: string, tokens: TokenValue, embeddingDim: number, options?: { paddingIdx?: number }): StepValue;
  /** torch.nn.GRU. */
  gru(name: string, input: StepValue, options: RecurrentOptions): GruValues;
  /** torch.nn.LSTM. */
  lstm(name: string, input: StepValue, options: RecurrentOptions): LstmValues;
  /**
   * Additive attention: the query asks the keys of all steps, and gets their weighted sum. Parameters: attn.weight
   * (A, Q + K), attn.bias, v.weight; A is `size`, by default the keys' width.
   */
  attention(
    name: string,
    inputs: { readonly query: RowValue; readonly keys: StepValue },
    options?: AttentionOptions,
  ): { readonly context: RowValue; readonly weights: AttentionWeights };
  /**
   * A decoder: recurrent layers that ask the keys anew at every step, fed with what was wanted at the step before, or with
   * their own output. Its steps are along the time axis of `targets`, an input of that axis: `tokens("y", V, { axis:
   * "target" })`. `state` is what it begins with, numLayers·hiddenSize numbers, or the `hidden` of an encoder with as many;
   * `cell` the same of an LSTM, by default 0; `start` the numbers that it is fed first. The network's loss then compares
   * `output` with the targets. `inputs["NAME.teacher"]` (B, U) of a batch is 0 where it is fed its own output. Parameters:
   * attention.attn.weight, attention.attn.bias, attention.v.weight, NAME.embedding.weight, NAME.gru.weight_ih_l0, …,
   * fc.weight, fc.bias; tied: projection.weight, projection.bias too, and no fc.weight.
   */
  decoder(
    name: string,
    inputs: {
      readonly keys: StepValue;
      readonly state: RowValue | States;
      readonly targets: TokenValue | StepValue;
      readonly start?: RowValue;
      readonly cell?: RowValue | States;
    },
    options: DecoderOptions,
  ): DecoderValues;
  /** torch.nn.Linear, for each row or each step. */
  linear<K extends "rows" | "steps">(
    name: string,
    input: NetworkValue<K>,
    outFeatures: number,
    options?: { bias?: boolean },
  ): NetworkValue<K>;
  /** torch.nn.Dropout, while training. */
  dropout<K extends "rows" | "steps">(input: NetworkValue<K>, p: number, name?: string): NetworkValue<K>;
  /** torch.nn.LayerNorm over the numbers of each row or step. */
  layerNorm<K extends "rows" | "steps">(
    name: string,
    input: NetworkValue<K>,
    options?: LayerNormOptions,
  ): NetworkValue<K>;
  /** The value at the last valid step. */
  last(input: StepValue, name?: string): RowValue;
  /** The mean over the valid steps. */
  mean(input: StepValue, name?: string): RowValue;
  /** The largest over the valid steps, number by number. */
  max(input: StepValue, name?: string): RowValue;
  /** Values side by side, as torch.cat over the last dimension. */
  concat<K extends "rows" | "steps">(inputs: readonly NetworkValue<K>[], name?: string): NetworkValue<K>;
  /** tanh of each number. */
  tanh<K extends "rows" | "steps">(input: NetworkValue<K>, name?: string): NetworkValue<K>;
  /** max(0, x) of each number. */
  relu<K extends "rows" | "steps">(input: NetworkValue<K>, name?: string): NetworkValue<K>;
  /** 1 / (1 + e^−x) of each number. */
  sigmoid<K extends "rows" | "steps">(input: NetworkValue<K>, name?: string): NetworkValue<K>;
}

/** Name of the output of a network that has only one. */
export const OUTPUT = "output";

/**
 * Puts a network together from layers. The network is plain data: it can be kept as JSON, and checkpoints do.
 *
 * @param build Gets the layers and returns what the network puts out: one value, named "output", or several by name.
 * @throws {TypeError} If layers do not fit one another: a value of the wrong kind, a name twice, a layer that nothing reads.
 *
 * @example The ready-made model, by hand
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createTrainer, defineNetwork, sampleDataset } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ numbers, gru, attention, dropout, linear }) => {
 *   const x = numbers("x", 5); // (B, T, 5)
 *   const { output, state } = gru("gru", x, { hiddenSize: 10 }); // (B, T, 10), (B, 10)
 *   const { context } = attention("attention", { query: state, keys: output }); // (B, 10)
 *   return linear("fc", dropout(context, 0.5), 2); // (B, 2)
 * });
 * using model = await createModel(network, { loss: "bce", seed: 1 });
 * using same = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 }, { seed: 1 });
 *
 * const { x, shape, targets } = sampleDataset({ size: 16 });
 * for (const each of [model, same]) {
 *   const trainer = createTrainer(each);
 *   for (let step = 0; step < 5; step++) await trainer.step({ x, shape }, targets);
 * }
 * assert.deepEqual(await model.stateDict(), await same.stateDict());
 * ```
 *
 * @example A GRU alone: saved, loaded and resumed to the same bits
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createTrainer, defineNetwork, formatCheckpoint, parseCheckpoint } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ numbers, gru }) => gru("gru", numbers("x", 3), { hiddenSize: 4 }).output);
 * using model = await createModel(network, { loss: "mse", simd: "plain" });
 * assert.deepEqual(model.parameters[0]!.name, "gru.weight_ih_l0"); // as in torch.nn.GRU
 *
 * const trainer = createTrainer(model), batch = { x: new Float32Array(2 * 6 * 3).fill(1), shape: [2, 6, 3] };
 * const targets = new Float32Array(2 * 6 * 4); // of every step
 * await trainer.step(batch, targets);
 * const saved = await parseCheckpoint(await formatCheckpoint({ model, trainer }));
 * using copy = saved.model;
 * await Promise.all([trainer.step(batch, targets), saved.trainer!.step(batch, targets)]);
 * assert.deepEqual(await copy.stateDict(), await model.stateDict());
 * ```
 *
 * @example Attention alone, over keys from outside
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, defineNetwork } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ numbers, vector, attention }) =>
 *   attention("attention", { query: vector("query", 3), keys: numbers("keys", 5) }).context
 * );
 * using model = await createModel(network);
 * const batch = { x: new Float32Array(2 * 7 * 5).fill(1), shape: [2, 7, 5], inputs: { query: new Float32Array(2 * 3) } };
 * const { values } = await model.forward(batch);
 * assert.deepEqual(values["attention.weights"]!.shape, [2, 7]);
 *
 * const { inputs } = await model.gradients(batch, null, { outputGradients: { output: new Float32Array(2 * 5).fill(1) } });
 * assert.deepEqual([inputs.keys!.shape, inputs.query!.shape], [[2, 7, 5], [2, 3]]);
 * ```
 *
 * @example An encoder and a decoder, from tokens to tokens
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createTrainer, defineNetwork, END, PAD } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ tokens, embedding, gru, linear, tanh, decoder }) => {
 *   const x = embedding("encoder.embedding", tokens("x", 12), 8); // (B, T, 8)
 *   const { output: keys, state } = gru("encoder.gru", x, { hiddenSize: 16, bidirectional: true });
 *   const targets = tokens("y", 12, { axis: "target" }); // (B, U)
 *   const inputs = { keys, state: tanh(linear("bridge", state, 16)), targets };
 *   return decoder("decoder", inputs, { hiddenSize: 16, embeddingDim: 8 }).output; // (B, U, 12)
 * });
 * using model = await createModel(network, { loss: "crossEntropy" });
 * // Two sequences of up to 4 tokens, and what is to be made of them: up to 3, the last of each being END.
 * const y = Int32Array.of(6, 5, END, 9, END, PAD), axes = { target: { steps: 3, lengths: Int32Array.of(3, 2) } };
 * const batch = { x: Int32Array.of(4, 5, 6, 7, 8, 9, 0, 0), shape: [2, 4, 1], lengths: Int32Array.of(4, 2), axes };
 * const { loss } = await createTrainer(model).step({ ...batch, inputs: { y } }, y);
 * assert.ok(loss > 0);
 * ```
 *
 * @example Two heads, each with a loss
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createTrainer, defineNetwork, predict } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ tokens, embedding, lstm, linear }) => {
 *   const { state } = lstm("lstm", embedding("embedding", tokens("words", 100), 8), { hiddenSize: 6 });
 *   return { topic: linear("topic", state, 4), level: linear("level", state, 1) };
 * });
 * using model = await createModel(network, { loss: { topic: "crossEntropy", level: "mse" } });
 * const losses = { topic: { loss: "crossEntropy" as const }, level: { loss: "mse" as const, weight: 0.1 } };
 * const trainer = createTrainer(model, { losses });
 * const batch = { x: Int32Array.of(5, 17, 99, 4, 0, 0), shape: [2, 3, 1], lengths: Int32Array.of(3, 1) };
 * const { loss, losses: each } = await trainer.step(batch, { topic: Int32Array.of(3, 0), level: Float32Array.of(1, 2) });
 * assert.ok(Math.abs(loss - (each!.topic! + 0.1 * each!.level!)) < 1e-5);
 * assert.deepEqual((await predict(model, batch, { output: "topic" })).outputs.shape, [2, 4]);
 * ```
 *
 * @example An output at every step: a label for each, behind lengths none
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, defineNetwork, evaluate, exportOnnx, modelFile, train } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ numbers, gru, linear }) => {
 *   const { output } = gru("gru", numbers("x", 2), { hiddenSize: 6, bidirectional: true });
 *   return { tags: linear("tags", output, 3) };
 * });
 * using model = await createModel(network, { loss: "crossEntropy" });
 * const x = new Float32Array(4 * 5 * 2), targets = new Int32Array(4 * 5); // classes (N, T)
 * const data = { x, shape: [4, 5, 2], targets, lengths: Int32Array.of(5, 2, 3, 1) };
 * await train(model, data, { epochs: 20, optimizer: { learningRate: 0.1 } });
 * assert.equal((await evaluate(model, data)).accuracy, 1); // of the steps
 * assert.ok(exportOnnx(await modelFile(model)).length > 0);
 * ```
 */
export function defineNetwork(build: (layers: Layers) => NetworkValue | Record<string, NetworkValue>): Network {
  if (typeof build !== "function") {
    throw fail("argument-type", ACTION, `it takes a function of the layers, got ${spell(build)}`, { value: build });
  }
  const layers: LayerNode[] = [], made = new Set<unknown>();
  const value = <K extends Kind>(kind: K, source: string): NetworkValue<K> => {
    const result = { kind, source };
    made.add(result);
    return result;
  };
  const sourceOf = (name: string, port: string, given: unknown): string => {
    if (made.has(given)) return (given as NetworkValue).source;
    const ports = Object.entries((given ?? {}) as object).filter(([, value]) => made.has(value)).map(([name]) => name);
    if (ports.length) {
      throw fail("wiring", ACTION, `layer "${name}": its ${port} is several values`, {
        name,
        advice: `pass one of them: ${ports.map((name) => `.${name}`).join(", ")}`,
      });
    }
    throw fail("wiring", ACTION, `layer "${name}": its ${port} is no value of this network`, {
      name,
      value: given,
      advice: "pass what a layer of the same defineNetwork gave",
    });
  };
  const add = (
    type: LayerName,
    name: string,
    inputs: Record<string, unknown>,
    given: object = {},
    size: object = {},
  ): string => {
    const options = { ...size, ...ownOptions(ACTION, given) };
    const sources = Object.entries(inputs).map(([port, given]) => [port, sourceOf(name, port, given)]);
    layers.push({
      type,
      name,
      ...sources.length && { inputs: Object.fromEntries(sources) },
      ...Object.keys(options).length && { options },
    });
    return name;
  };
  /** A name for a layer without parameters that was given none: "dropout", "dropout2". */
  const unnamed = (type: LayerName) => {
    const taken = new Set(layers.map(({ name }) => name));
    let name: string = type;
    for (let i = 2; taken.has(name); i++) name = `${type}${i}`;
    return name;
  };
  /** A layer with one output of the kind of its input. */
  const alike = <K extends "rows" | "steps">(
    type: LayerName,
    name: string,
    input: NetworkValue<K>,
    options?: object,
    size?: object,
  ) => value(input?.kind, `${add(type, name, { input }, options, size)}.output`);
  const rows = (type: LayerName, name: string, input: StepValue) =>
    value("rows", `${add(type, name, { input })}.output`);
  const recurrent = (type: "gru" | "lstm", name: string, input: StepValue, options: RecurrentOptions): LstmValues => {
    add(type, name, { input }, options);
    const state = { output: value("steps", `${name}.output`), state: value("rows", `${name}.state`) };
    return { ...state, hidden: value("states", `${name}.hidden`), cell: value("states", `${name}.cell`) };
  };
  const result = build({
    numbers: (name, size, options) => value("steps", `${add("numbers", name, {}, options, { size })}.output`),
    vector: (name, size) => value("rows", `${add("vector", name, {}, { size })}.output`),
    tokens: (name, size, options) => value("tokens", `${add("tokens", name, {}, options, { size })}.output`),
    embedding: (name, input, embeddingDim, options) =>
      value("steps", `${add("embedding", name, { input }, options, { embeddingDim })}.output`),
    gru(name, input, options) {
      const { cell: _, ...values } = recurrent("gru", name, input, options);
      return values;
    },
    lstm: (name, input, options) => recurrent("lstm", name, input, options),
    attention(name, { query, keys }, options) {
      add("attention", name, { query, keys }, options);
      return { context: value("rows", `${name}.context`), weights: value("weights", `${name}.weights`) };
    },
    decoder(name, { keys, state, targets, start, cell }, options) {
      add("decoder", name, { keys, state, targets, ...start && { start }, ...cell && { cell } }, options);
      const steps = (port: string) => value("steps", `${name}.${port}`),
        weights = value("alignment", `${name}.weights`);
      const [states, context] = [steps("states"), steps("context")];
      return { output: steps("output"), state: steps("state"), states, context, weights };
    },
    linear: (name, input, outFeatures, options) => alike("linear", name, input, options, { outFeatures }),
    dropout: (input, p, name = unnamed("dropout")) => alike("dropout", name, input, { p }),
    layerNorm: (name, input, options) => alike("layerNorm", name, input, options),
    last: (input, name = unnamed("last")) => rows("last", name, input),
    mean: (input, name = unnamed("mean")) => rows("mean", name, input),
    max: (input, name = unnamed("max")) => rows("max", name, input),
    concat: (inputs, name = unnamed("concat")) =>
      value(inputs[0]?.kind as never, `${add("concat", name, { ...inputs })}.output`),
    tanh: (input, name = unnamed("tanh")) => alike("tanh", name, input),
    relu: (input, name = unnamed("relu")) => alike("relu", name, input),
    sigmoid: (input, name = unnamed("sigmoid")) => alike("sigmoid", name, input),
  });
  const outputs = made.has(result) ? { [OUTPUT]: result } : (result ?? {}) as Record<string, NetworkValue>;
  const network: Network = {
    layers,
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([name, given]) => {
        if (made.has(given)) return [name, (given as NetworkValue).source];
        const advice = "return what a layer gave, or several by name";
        throw fail("wiring", ACTION, `output "${name}" is no value of this network`, { name, advice });
      }),
    ),
  };
  resolveNetwork(network);
  return network;
}
