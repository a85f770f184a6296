/** Searching for what a decoder makes of sequences: greedily, or with a beam. */

import { dispose } from "../engine.ts";
import { spell } from "../display.ts";
import { checkArgument, fail } from "../errors.ts";
import { ownOptions, resolveOptions } from "../options.ts";
import type { NamedArray, StateDict } from "./arrays.ts";
import type { Sequences } from "./batch.ts";
import {
  beamSearch,
  type FullSearchOptions,
  type Hypothesis,
  SEARCH_OPTIONS,
  type SearchOptions,
  type Steps,
} from "./beam.ts";
import { CELLS } from "./layers/cells.ts";
import { END, type FullDecoderOptions, PAD, refuseAnswers, sizesOf, START } from "./layers/decoder_options.ts";
import { besideName, layerOf, type Node } from "./layers/node.ts";
import { createModel, internalsOf, type NetworkModel } from "./model.ts";
import type { Network } from "./network.ts";

export type { Hypothesis, SearchOptions };

/** Finds the likeliest outputs of a decoder. Made by {@linkcode createSearcher}. */
export interface Searcher extends Disposable {
  /**
   * The best answers to each sequence, the best first: as many as `nBest`, fewer where so few end. PAD and START are never among their tokens. A
   * sequence by itself has the same answers as in a batch.
   *
   * @param sequences What the network's encoder takes; its targets are left out.
   * @throws {TypeError | RangeError} If the batch does not fit the model, or an option is wrong.
   */
  search(sequences: Sequences, options?: SearchOptions): Promise<Hypothesis[][]>;
  /** Frees the memory. */
  dispose(): void;
}

/** Hypotheses that go through a step at once. */
const ROWS = 256;

const ACTION = "search";

class DecoderSearcher implements Searcher {
  readonly #encoder: NetworkModel;
  readonly #step: NetworkModel;
  readonly #decoder: Node<FullDecoderOptions>;
  readonly #answers: string;

  /** @param answers The encoder's output that its attention makes of the keys. */
  constructor(encoder: NetworkModel, step: NetworkModel, decoder: Node<FullDecoderOptions>, answers: string) {
    this.#encoder = encoder;
    this.#step = step;
    this.#decoder = decoder;
    this.#answers = answers;
  }

  async search(sequences: Sequences, options: SearchOptions = {}): Promise<Hypothesis[][]> {
    checkArgument(ACTION, "sequences", sequences, ["x", "shape"]);
    checkArgument(ACTION, "sequences.shape", sequences.shape, "numbers");
    const [B, T] = sequences.shape as [number, number], V = this.#decoder.inputs.targets!.size;
    const { batchSize, prefixes, ...full } = resolveSearch(options, B, V), all: Hypothesis[][] = [];
    const { keys, answers, states } = await this.#encode(sequences),
      lengths = sequences.lengths ?? new Int32Array(B).fill(T);
    for (let first = 0; first < B; first += batchSize) {
      const end = Math.min(B, first + batchSize),
        rows = (data: Float32Array) => {
          const each = data.length / B;
          return data.subarray(first * each, end * each);
        };
      const asked = { keys: rows(keys), answers: rows(answers) };
      const given = { ...asked, states: states.map(rows), lengths: lengths.subarray(first, end) };
      const steps = new DecoderSteps(this.#step, this.#decoder.name, { V, T, ...given });
      const found = await beamSearch(steps, given.lengths, { ...full, prefixes: prefixes.slice(first, end) });
      for (const answer of found) all.push(answer);
    }
    return all;
  }

  /** What the decoder asks, what its attention makes of that, and the states it begins with, a row for each sequence. */
  async #encode(sequences: Sequences): Promise<Record<"keys" | "answers", Float32Array> & { states: Float32Array[] }> {
    const { sources, inputs: { targets }, options: { cell } } = this.#decoder, B = sequences.shape[0]!;
    const own = { [layerOf(sources.targets!)]: new Int32Array(B) };
    const wanted = ["keys", "state", ...sources.cell ? ["cell"] : []].map((port) => sources[port]!);
    const { values } = await this.#encoder.forward({
      ...sequences,
      axes: { ...sequences.axes, ...targets!.axis !== undefined && { [targets!.axis]: { steps: 1 } } },
      inputs: { ...sequences.inputs, ...own },
    }, { values: wanted });
    const answers = values[this.#answers]!;
    const [keys, ...given] = wanted.map((source) => values[source]!), states = given.map((value) => byRow(value, B));
    // Cell states that come from nowhere begin as 0.
    if (states.length < CELLS[cell].states.length) states.push(new Float32Array(states[0]!.length));
    return { keys: keys!.data, answers: answers.data, states };
  }

  dispose(): void {
    this.#encoder.dispose();
    this.#step.dispose();
  }

  [dispose](): void {
    this.dispose();
  }
}

/** The options of a search of B sequences over V tokens. */
function resolveSearch(
  given: SearchOptions,
  B: number,
  V: number,
): FullSearchOptions & { readonly batchSize: number } {
  const { prefix = [], ...options } = ownOptions(ACTION, given);
  const resolved = resolveOptions(ACTION, SEARCH_OPTIONS, options) as unknown as Required<SearchOptions>;
  const { width, maxLength, minLength, nBest = width } = resolved;
  const { batchSize = Math.max(1, Math.floor(ROWS / width)) } = resolved;
  if (width > V - 2) {
    const expected = `at most ${V - 2}, the tokens there are but PAD and START`;
    const details = { option: "width", expected, value: width };
    throw fail("option-out-of-range", ACTION, `width must be ${expected}, got ${width}`, details);
  }
  if (nBest > width) {
    const expected = `at most width, ${width}`, details = { option: "nBest", expected, value: nBest };
    throw fail("option-out-of-range", ACTION, `nBest must be ${expected}, got ${nBest}`, details);
  }
  if (minLength >= maxLength) {
    const problem = `minLength must be below maxLength, ${maxLength}, got ${minLength}`;
    throw fail("option-conflict", ACTION, problem, { option: "minLength", value: minLength });
  }
  checkArgument(ACTION, "prefix", prefix, "list");
  const isEach = Array.isArray(prefix[0]), all = prefix as readonly number[];
  const prefixes = isEach ? prefix as readonly (readonly number[])[] : Array.from({ length: B }, () => all);
  if (prefixes.length !== B) {
    const problem = `prefix must be tokens, or a list of them for each of ${B} sequences, got ${prefixes.length} lists`;
    throw fail("option-conflict", ACTION, problem, { option: "prefix" });
  }
  for (const own of prefixes) {
    checkArgument(ACTION, "prefix", own, "numbers");
    const bad = own.find((token) => !(Number.isInteger(token) && token > PAD && token < V) || SPECIAL.has(token));
    if (bad !== undefined) {
      const problem = `prefix must be of tokens from 1 to ${V - 1} but START and END, got ${spell(bad)}`;
      throw fail("option-out-of-range", ACTION, problem, { option: "prefix", value: bad });
    }
    if (own.length < maxLength) continue;
    const problem = `prefix must be shorter than maxLength, ${maxLength}, got ${own.length} tokens`;
    throw fail("option-conflict", ACTION, problem, { option: "prefix", value: own.length });
  }
  return { ...resolved, nBest, batchSize, prefixes };
}

const SPECIAL: ReadonlySet<number> = new Set([START, END]);

/** What a decoder goes on from, a row for each sequence. */
interface Given {
  readonly V: number;
  readonly T: number;
  readonly keys: Float32Array;
  readonly answers: Float32Array;
  readonly states: readonly Float32Array[];
  readonly lengths: Int32Array;
}

/** The steps of a decoder that a model computes. */
class DecoderSteps implements Steps {
  readonly V: number;
  readonly T: number;
  readonly #model: NetworkModel;
  readonly #name: string;
  readonly #given: Given;
  /** The sequence of each row of the step before. */
  #of: Int32Array;
  /** What the step before asked, and what the attention made of that. */
  #asked: { readonly keys: Float32Array; readonly answers: Float32Array } | undefined;
  #states: readonly Float32Array[];

  constructor(model: NetworkModel, name: string, given: Given) {
    this.V = given.V;
    this.T = given.T;
    this.#model = model;
    this.#name = name;
    this.#given = given;
    this.#of = Int32Array.from(given.lengths.keys());
    this.#states = given.states;
  }

  async next(tokens: Int32Array, parents: Int32Array): Promise<{ logits: Float32Array; weights: Float32Array }> {
    const { V, T } = this, { keys, answers, lengths } = this.#given, before = this.#of, R = roundedRows(parents.length);
    // Rows that nobody asks for are copies of the first.
    const from = Int32Array.from({ length: R }, (_, r) => parents[r] ?? parents[0]!);
    const of = from.map((row) => before[row]!), y = new Int32Array(R).fill(START);
    y.set(tokens);
    if (!this.#asked || of.length !== before.length || of.some((sequence, r) => sequence !== before[r])) {
      const each = (data: Float32Array) => gathered(data, lengths.length, of);
      this.#asked = { keys: each(keys), answers: each(answers) };
    }
    const [state, cell] = this.#states.map((data) => gathered(data, before.length, from));
    const asked = this.#asked, given = { y, state, answers: asked.answers, ...cell && { cell } };
    const inputs = Object.fromEntries(Object.entries(given).map(([name, data]) => [inputOf(this.#name, name), data!]));
    const axes = { target: { steps: 1 } }, own = of.map((sequence) => lengths[sequence]!);
    const shape = [R, T, asked.keys.length / (R * T)];
    const { values } = await this.#model.forward({ x: asked.keys, shape, lengths: own, axes, inputs });
    this.#of = of;
    this.#states = parts(values.states!.data, R, this.#states.length);
    const { output, weights } = values;
    return {
      logits: output!.data.subarray(0, tokens.length * V),
      weights: weights!.data.subarray(0, tokens.length * T),
    };
  }
}

/** Rows of a step: few sizes come up, because each takes a plan. */
function roundedRows(rows: number): number {
  return Math.max(4, 2 ** (32 - Math.clz32(rows - 1)));
}

/** Some of `n` rows, in the order given. */
function gathered(data: Float32Array, n: number, rows: Int32Array): Float32Array<ArrayBuffer> {
  const each = data.length / n, result = new Float32Array(rows.length * each);
  rows.forEach((row, r) => result.set(data.subarray(row * each, (row + 1) * each), r * each));
  return result;
}

/** Hidden and cell states, which lie side by side in each of `n` rows, apart. */
function parts(data: Float32Array, n: number, count: number): Float32Array[] {
  if (count === 1) return [data];
  const each = data.length / n, width = each / count;
  return Array.from({ length: count }, (_, s) => {
    const result = new Float32Array(n * width);
    for (let r = 0; r < n; r++) {
      result.set(data.subarray(r * each + s * width, r * each + (s + 1) * width), r * width);
    }
    return result;
  });
}

/** States (B, F), or (layers, B, F), as a row for each sequence. */
function byRow({ shape, data }: NamedArray, B: number): Float32Array {
  if (shape.length === 2) return data;
  const [count, , F] = shape as [number, number, number], result = new Float32Array(data.length);
  for (let l = 0; l < count; l++) {
    for (let b = 0; b < B; b++) result.set(data.subarray((l * B + b) * F, (l * B + b + 1) * F), (b * count + l) * F);
  }
  return result;
}

/** The name of what a decoder's single step takes: none that the decoder can have. */
function inputOf(decoder: string, input: string): string {
  return `${decoder}_${input}`;
}

/**
 * A network with one output more: what the attention of its decoder makes of the keys, which is the same at every step.
 *
 * @param dict The network's parameters.
 */
function encoderNetwork(
  network: Network,
  { name, sources, inputs, options }: Node<FullDecoderOptions>,
  dict: StateDict,
) {
  const { hiddenSize: H, attentionSize: A = H } = options, { size: D } = inputs.keys!, { layers, outputs } = network;
  let own = inputOf(name, "answers"), answers = "answers";
  while (layers.some((layer) => `${layer.name}.`.startsWith(`${own}.`))) own += "_";
  while (Object.hasOwn(outputs, answers)) answers += "_";
  const linear = {
    type: "linear",
    name: own,
    inputs: { input: sources.keys! },
    options: { outFeatures: A, bias: false },
  };
  const attn = dict[besideName(name, "attention.attn.weight")]!.data, data = new Float32Array(A * D);
  for (let a = 0; a < A; a++) data.set(attn.subarray(a * (H + D) + H, (a + 1) * (H + D)), a * D);
  return {
    network: { layers: [...layers, linear], outputs: { ...outputs, [answers]: `${own}.output` } },
    parameters: { ...dict, [`${own}.weight`]: { shape: [A, D], data } },
    answers,
  };
}

/** The network of a decoder's single step. */
function stepNetwork(node: Node<FullDecoderOptions>): Network {
  const { name, inputs, options } = node;
  const { hiddenSize, numLayers, cell } = options, size = hiddenSize * numLayers, lstm = CELLS[cell].states.length > 1;
  const [keys, answers, state, cells, y] = ["keys", "answers", "state", "cell", "y"].map((input) =>
    inputOf(name, input)
  );
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const asked = { keys: `${keys}.output`, answers: `${answers}.output` };
  const sources = { ...asked, state: `${state}.output`, targets: `${y}.output` };
  return {
    layers: [
      { type: "numbers", name: keys!, options: { size: inputs.keys!.size } },
      { type: "numbers", name: answers!, options: { size: sizesOf(node).A } },
      { type: "vector", name: state!, options: { size } },
      ...lstm ? [{ type: "vector", name: cells!, options: { size } }] : [],
      { type: "tokens", name: y!, options: { size: inputs.targets!.size, axis: "target" } },
      {
        type: "decoder",
        name,
        inputs: { ...sources, ...lstm && { cell: `${cells}.output` } },
        options: { ...given, shift: false, dropout: 0 },
      },
    ],
    outputs: { output: `${name}.output`, states: `${name}.states`, weights: `${name}.weights` },
  };
}

/**
 * Makes a searcher for the outputs of a network's decoder, with the parameters that the model has now, on its device and as
 * many threads.
 *
 * @param options `decoder`: the layer's name, of a network with several. Default: the only one.
 * @throws {TypeError} If the network has no decoder of tokens, or several.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createSearcher, defineNetwork } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ tokens, embedding, gru, decoder }) => {
 *   const { output: keys, state } = gru("gru", embedding("embedding", tokens("x", 12), 8), { hiddenSize: 16 });
 *   const targets = tokens("y", 12, { axis: "target" });
 *   return decoder("decoder", { keys, state, targets }, { hiddenSize: 16, embeddingDim: 8 }).output;
 * });
 * using model = await createModel(network, { loss: "crossEntropy" });
 * using searcher = await createSearcher(model);
 * const sequences = { x: Int32Array.of(4, 5, 6, 7), shape: [1, 4, 1] };
 * const [answers] = await searcher.search(sequences, { width: 3, lengthPenalty: 0.6, maxLength: 10 });
 * assert.equal(answers!.length, 3);
 * assert.ok(answers![0]!.score >= answers![1]!.score);
 * ```
 */
export async function createSearcher(model: NetworkModel, options: { decoder?: string } = {}): Promise<Searcher> {
  const action = "create searcher", { session } = internalsOf(model), { nodes } = session.net.resolved;
  const { decoder: wanted } = ownOptions(action, options, { decoder: true });
  const decoders = nodes.filter(({ type, inputs }) => type === "decoder" && inputs.targets!.kind === "tokens");
  const found = wanted === undefined ? decoders : decoders.filter(({ name }) => name === wanted);
  if (found.length !== 1) {
    const names = decoders.map(({ name }) => `"${name}"`).join(", ") || "none";
    const advice = decoders.length ? "pass { decoder } with the name of one" : undefined;
    throw fail("wiring", action, `the network must have one decoder of tokens; there is ${names}`, { advice });
  }
  const decoder = found[0] as unknown as Node<FullDecoderOptions>;
  refuseAnswers(action, decoder);
  const dict = await model.stateDict();
  const { name, module } = session.device,
    { simd, threads } = session,
    device = { device: name, simd, threads, module };
  const { network, parameters, answers } = encoderNetwork(model.network, decoder, dict);
  const encoder = await createModel(network, device);
  try {
    await encoder.loadStateDict(parameters);
    const step = await createModel(stepNetwork(decoder), device);
    try {
      const own = step.parameters.map(({ name }) => [name, dict[name]!] as const);
      await step.loadStateDict(Object.fromEntries(own) as StateDict);
      return new DecoderSearcher(encoder, step, decoder, answers);
    } catch (error) {
      step.dispose();
      throw error;
    }
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}
