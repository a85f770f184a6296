/** Searching for what a decoder makes of sequences: greedily, or with a beam. */

import { dispose } from "../engine.ts";
import { fail } from "../errors.ts";
import { greatest } from "../greatest.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import type { NamedArray, StateDict } from "./arrays.ts";
import type { Sequences } from "./batch.ts";
import { CELLS } from "./layers/cells.ts";
import { END, type FullDecoderOptions, PAD, START } from "./layers/decoder_options.ts";
import { layerOf, type Node } from "./layers/node.ts";
import { createModel, internalsOf, type NetworkModel } from "./model.ts";
import type { Network } from "./network.ts";

/** Options of {@linkcode Searcher.search}. */
export interface SearchOptions {
  /** Most tokens of an answer, END among them. Default 50. */
  maxLength?: number;
  /** Fewest tokens of an answer, END not among them. Default 0. */
  minLength?: number;
  /** Hypotheses that are followed, and given back. 1 is greedy: always the likeliest token. Default 1. */
  width?: number;
  /** How much longer answers are favored, α: score = sum / ((5 + tokens) / 6)^α (arXiv:1609.08144). Default 0. */
  lengthPenalty?: number;
}

const OPTIONS: { readonly [Name in keyof Required<SearchOptions>]: OptionSpec } = {
  maxLength: { type: "integer", default: 50, least: 1, most: 1e6, about: "most tokens of an answer" },
  minLength: { type: "integer", default: 0, least: 0, most: 1e6, about: "fewest tokens of an answer" },
  width: { type: "integer", default: 1, least: 1, most: 1024, about: "hypotheses that are followed" },
  lengthPenalty: { type: "number", default: 0, least: 0, most: 10, about: "how much longer answers are favored" },
};

/** An answer to one sequence. */
export interface Hypothesis {
  /** Its tokens, without END. */
  readonly tokens: readonly number[];
  /** Whether it ended by itself, before `maxLength`. */
  readonly ended: boolean;
  /** The sum of its tokens' log-probabilities, with END's. */
  readonly sum: number;
  /** The sum with the length penalty: what answers are ranked by. */
  readonly score: number;
  /**
   * For each token the step of the sequence that counted most: where it is UNKNOWN, the word there may stand in for it. The
   * first of equals.
   */
  readonly aligned: readonly number[];
  /** How much each step of the sequence counted at each token, END's too: (tokens, T). */
  readonly attention: NamedArray;
}

/** Finds the likeliest outputs of a decoder. Made by {@linkcode createSearcher}. */
export interface Searcher extends Disposable {
  /**
   * The best answers to each sequence, the best first: as many as `width`. PAD and START are never among their tokens. A
   * sequence by itself has the same answers as in a batch.
   *
   * @param sequences What the network's encoder takes; its targets are left out.
   * @throws {TypeError | RangeError} If the batch does not fit the model, or an option is wrong.
   */
  search(sequences: Sequences, options?: SearchOptions): Promise<Hypothesis[][]>;
  /** Frees the memory. */
  dispose(): void;
}

/** A hypothesis in the making: a token and those before it. */
interface Path {
  readonly token: number;
  readonly before: Path | null;
  readonly sum: number;
  /** Its row in the step that found it. */
  readonly row: number;
  /** What the attention weighed then. */
  readonly weights: Float32Array;
}

/** A sequence that is being answered. */
interface Search {
  live: (Path | null)[];
  readonly finished: { readonly path: Path; readonly length: number; readonly ended: boolean }[];
  done: boolean;
}

/** Hypotheses that go through a step at once. */
const ROWS = 256;

const ACTION = "search";

class DecoderSearcher implements Searcher {
  readonly #encoder: NetworkModel;
  readonly #step: NetworkModel;
  readonly #decoder: Node<FullDecoderOptions>;

  constructor(encoder: NetworkModel, step: NetworkModel, decoder: Node<FullDecoderOptions>) {
    this.#encoder = encoder;
    this.#step = step;
    this.#decoder = decoder;
  }

  async search(sequences: Sequences, options: SearchOptions = {}): Promise<Hypothesis[][]> {
    const resolved = resolveOptions(ACTION, OPTIONS, options) as Required<SearchOptions>, { width } = resolved;
    const V = this.#decoder.inputs.targets!.size;
    if (width > V - 2) {
      const problem = `width must be at most ${V - 2}, the tokens there are but PAD and START, got ${width}`;
      throw fail("argument-out-of-range", ACTION, problem, { name: "width", value: width });
    }
    if (resolved.minLength >= resolved.maxLength) {
      const problem = `minLength must be below maxLength, ${resolved.maxLength}, got ${resolved.minLength}`;
      throw fail("option-conflict", ACTION, problem, { option: "minLength", value: resolved.minLength });
    }
    const { sources, inputs: { targets } } = this.#decoder, [B, T] = sequences.shape as [number, number];
    const own = { [layerOf(sources.targets!)]: new Int32Array(B) };
    const wanted = ["keys", "state", ...sources.cell ? ["cell"] : []].map((port) => sources[port]!);
    const { values } = await this.#encoder.forward({
      ...sequences,
      axes: { ...sequences.axes, ...targets!.axis !== undefined && { [targets!.axis]: { steps: 1 } } },
      inputs: { ...sequences.inputs, ...own },
    }, { values: wanted });
    const [keys, ...states] = wanted.map((source) => values[source]!), answers: Hypothesis[][] = [];
    const rows = states.map((value) => byRow(value, B)), { cell } = this.#decoder.options;
    // Cell states that come from nowhere begin as 0.
    if (rows.length < CELLS[cell].states.length) rows.push(new Float32Array(rows[0]!.length));
    const count = Math.max(1, Math.floor(ROWS / width));
    const lengths = sequences.lengths ?? new Int32Array(B).fill(T);
    for (let first = 0; first < B; first += count) {
      const n = Math.min(count, B - first),
        part = (data: Float32Array) => {
          const each = data.length / B;
          return data.subarray(first * each, (first + n) * each);
        };
      const given = { keys: part(keys!.data), states: rows.map(part), lengths: lengths.subarray(first, first + n) };
      for (const answer of await this.#answer(given, resolved)) answers.push(answer);
    }
    return answers;
  }

  /** The answers to some sequences, each of which has `width` rows of the batch. */
  async #answer(
    given: { readonly keys: Float32Array; readonly states: readonly Float32Array[]; readonly lengths: Int32Array },
    { width, maxLength, minLength, lengthPenalty }: Required<SearchOptions>,
  ): Promise<Hypothesis[][]> {
    const { lengths } = given, n = lengths.length, R = n * width, D = this.#decoder.inputs.keys!.size;
    const T = given.keys.length / n / D, V = this.#decoder.inputs.targets!.size;
    const keys = repeated(given.keys, n, width), y = new Int32Array(R).fill(START);
    let states = given.states.map((data) => repeated(data, n, width));
    const searches = Array.from(lengths, (): Search => ({ live: [null], finished: [], done: false }));
    const sequences = {
      x: keys,
      shape: [R, T, D],
      lengths: Int32Array.from({ length: R }, (_, r) => lengths[Math.floor(r / width)]!),
    };
    for (let length = 1; length <= maxLength && searches.some(({ done }) => !done); length++) {
      const [state, cell] = states;
      const inputs = { y, state: state!, ...cell && { cell } }, axes = { target: { steps: 1 } };
      const { values } = await this.#step.forward({ ...sequences, axes, inputs });
      const logits = values.output!.data,
        weights = values.weights!.data,
        next = values.states!.data,
        parents = new Int32Array(R);
      searches.forEach((search, i) => {
        if (search.done) return;
        const found = candidates(search, logits, { first: i * width, V, width, end: length > minLength });
        const path = ({ row, token, sum }: Candidate): Path => {
          const at = i * width + row, own = weights.slice(at * T, at * T + lengths[i]!);
          return { token, before: search.live[row]!, sum, row, weights: own };
        };
        for (const candidate of found.slice(0, width)) {
          if (candidate.token === END) search.finished.push({ path: path(candidate), length, ended: true });
        }
        const going = found.filter(({ token }) => token !== END).slice(0, width).map(path);
        search.live = going;
        search.done = search.finished.length >= width || !going.length;
        going.forEach((path, row) => {
          y[i * width + row] = path.token;
          parents[i * width + row] = i * width + path.row;
        });
        if (search.done || length < maxLength) return;
        for (const path of going) search.finished.push({ path, length, ended: false });
      });
      states = gathered(next, states, parents);
    }
    return searches.map(({ finished }, i) => {
      const ranked = finished.map(({ path, length, ended }): Hypothesis => {
        const paths: Path[] = [];
        for (let at: Path | null = path; at; at = at.before) paths.unshift(at);
        const data = new Float32Array(length * lengths[i]!), tokens = paths.map(({ token }) => token);
        paths.forEach(({ weights }, u) => data.set(weights, u * lengths[i]!));
        return {
          tokens: ended ? tokens.slice(0, -1) : tokens,
          ended,
          sum: path.sum,
          score: path.sum / ((5 + length) / 6) ** lengthPenalty,
          aligned: paths.slice(0, ended ? -1 : undefined).map(({ weights }) => weights.indexOf(greatest(weights))),
          attention: { shape: [length, lengths[i]!], data },
        };
      });
      return ranked.sort((a, b) => b.score - a.score).slice(0, width);
    });
  }

  dispose(): void {
    this.#encoder.dispose();
    this.#step.dispose();
  }

  [dispose](): void {
    this.dispose();
  }
}

/** A live hypothesis and a token that continues it. */
interface Candidate {
  /** Which of the sequence's rows. */
  readonly row: number;
  readonly token: number;
  readonly sum: number;
}

/** The best continuations of a sequence's live hypotheses, twice as many as the width, the best first. */
function candidates(
  { live }: Search,
  logits: Float32Array,
  { first, V, width, end }: { first: number; V: number; width: number; end: boolean },
): Candidate[] {
  const best: Candidate[] = [];
  live.forEach((path, row) => {
    const own = logits.subarray((first + row) * V, (first + row + 1) * V), before = path?.sum ?? 0;
    let largest = -Infinity, sum = 0;
    for (const x of own) {
      if (Number.isNaN(x)) throw fail("not-finite", ACTION, "the decoder's output is not a number", { name: "output" });
      if (x > largest) largest = x;
    }
    for (const x of own) sum += Math.exp(x - largest);
    const all = before - largest - Math.log(sum);
    for (let token = 0; token < V; token++) {
      if (token === PAD || token === START || token === END && !end) continue;
      const total = all + own[token]!;
      if (best.length === 2 * width && total <= best.at(-1)!.sum) continue;
      let at = best.length;
      while (at > 0 && best[at - 1]!.sum < total) at--;
      best.splice(at, 0, { row, token, sum: total });
      if (best.length > 2 * width) best.pop();
    }
  });
  return best;
}

/** Each of `n` rows `times` times. */
function repeated(data: Float32Array, n: number, times: number): Float32Array<ArrayBuffer> {
  const each = data.length / n, result = new Float32Array(times * data.length);
  for (let r = 0; r < n * times; r++) {
    const row = Math.floor(r / times);
    result.set(data.subarray(row * each, (row + 1) * each), r * each);
  }
  return result;
}

/** The states that the next step begins with: those of each row's parent, hidden and cell states apart. */
function gathered(
  next: Float32Array,
  before: readonly Float32Array[],
  parents: Int32Array,
): Float32Array<ArrayBuffer>[] {
  const each = next.length / parents.length, width = each / before.length;
  return before.map((_, s) => {
    const result = new Float32Array(parents.length * width);
    parents.forEach((parent, r) => {
      const start = parent * each + s * width;
      result.set(next.subarray(start, start + width), r * width);
    });
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

/** The network of a decoder's single step. */
function stepNetwork({ name, inputs, options }: Node<FullDecoderOptions>): Network {
  const { hiddenSize, numLayers, cell } = options, size = hiddenSize * numLayers, lstm = CELLS[cell].states.length > 1;
  const [keys, state, cells, y] = ["keys", "state", "cell", "y"];
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const sources = { keys: `${keys}.output`, state: `${state}.output`, targets: `${y}.output` };
  return {
    layers: [
      { type: "numbers", name: keys!, options: { size: inputs.keys!.size } },
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
 * Makes a searcher for the outputs of a network's decoder, with the parameters that the model has now.
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
  const decoders = nodes.filter(({ type, inputs }) => type === "decoder" && inputs.targets!.kind === "tokens");
  const found = options.decoder === undefined ? decoders : decoders.filter(({ name }) => name === options.decoder);
  if (found.length !== 1) {
    const names = decoders.map(({ name }) => `"${name}"`).join(", ") || "none";
    const advice = decoders.length ? "pass { decoder } with the name of one" : undefined;
    throw fail("wiring", action, `the network must have one decoder of tokens; there is ${names}`, { advice });
  }
  const decoder = found[0] as unknown as Node<FullDecoderOptions>, dict = await model.stateDict();
  const { name } = session.device, device = { device: name, simd: session.simd };
  const encoder = await createModel(model.network, device);
  try {
    await encoder.loadStateDict(dict);
    const step = await createModel(stepNetwork(decoder), device);
    try {
      const own = step.parameters.map(({ name }) => [name, dict[name]!] as const);
      await step.loadStateDict(Object.fromEntries(own) as StateDict);
      return new DecoderSearcher(encoder, step, decoder);
    } catch (error) {
      step.dispose();
      throw error;
    }
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}
