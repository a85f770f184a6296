/** Pairs of sequences: what networks with a decoder learn from, and batches of them. */

import { spell } from "../display.ts";
import { checkArgument, checkInteger, fail } from "../errors.ts";
import { resolveOptions } from "../options.ts";
import { Random } from "../random.ts";

/** Sequences of different lengths, one behind the other. Made by {@linkcode ragged}, or by hand. */
export interface Ragged {
  /** Tokens (Σ lengths) as Int32Array, or numbers (Σ lengths, I), row-major, as Float32Array. */
  readonly data: Float32Array | Int32Array;
  /** Steps of each sequence (N), from 1. */
  readonly lengths: Int32Array;
}

/**
 * N pairs of a source and its target, each tokens or numbers: what an encoder reads, and what a decoder is to say. Targets of
 * tokens end with END, 3; the decoder is fed START, 2, first, which is not among them. The tokens 0 to 3 are PAD, UNKNOWN,
 * START and END on the side of the targets, and 0 and 1 are PAD and UNKNOWN on that of the sources.
 */
export interface PairDataset {
  /** What is read. */
  readonly sources: Ragged;
  /** What is to be said. */
  readonly targets: Ragged;
  /** Of numbers: what the decoder is fed first (N, O). Default: 0. */
  readonly start?: Float32Array;
  /** How much each pair counts in the loss (N), from 0: 2 counts as two of it. Default: all 1. */
  readonly weights?: Float32Array;
  /** What tells the vocabularies from others: a model that was trained with one refuses another. Default: not known. */
  readonly vocabulary?: string;
}

/** A batch of pairs: padded with 0 behind their lengths. */
export interface PairBatch {
  /** Sources (B, S, I), or tokens (B, S). */
  readonly x: Float32Array | Int32Array;
  /** [B, S, I]; of tokens [B, S, 1]. */
  readonly shape: readonly [number, number, number];
  /** Steps of each source (B). */
  readonly lengths: Int32Array;
  /** Targets (B, U, O), or tokens (B, U). */
  readonly targets: Float32Array | Int32Array;
  /** U, the steps of the longest, rounded up so that few sizes come up. */
  readonly targetSteps: number;
  /** Steps of each target (B). */
  readonly targetLengths: Int32Array;
  /** As in the dataset (B, O). */
  readonly start?: Float32Array;
  /** As in the dataset (B). */
  readonly weights?: Float32Array;
}

const ACTION = "read pairs";

/**
 * Sequences in one array.
 *
 * @param sequences Tokens of each; or, with `size`, numbers of each, as many as `size` for every step.
 * @throws {TypeError | RangeError} If a sequence is empty, or holds no whole steps, or tokens that are no integers.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ragged } from "@grutto/grutto";
 *
 * assert.deepEqual(ragged([[4, 5, 3], [6, 3]]), { data: Int32Array.of(4, 5, 3, 6, 3), lengths: Int32Array.of(3, 2) });
 * assert.deepEqual(ragged([[0.5, 1, 2, 3]], 2).lengths, Int32Array.of(2));
 * ```
 */
export function ragged(sequences: readonly ArrayLike<number>[], size?: number): Ragged {
  checkArgument(ACTION, "sequences", sequences, "lists");
  if (size !== undefined) checkInteger(ACTION, "size", size, 1);
  const total = sequences.reduce((sum, { length }) => sum + length, 0), each = size ?? 1;
  const data = size === undefined ? new Int32Array(total) : new Float32Array(total);
  let at = 0;
  const lengths = Int32Array.from(sequences, (sequence, n) => {
    if (!sequence.length || sequence.length % each) {
      const problem = sequence.length
        ? `sequence ${n} must have ${each} numbers for every step, got ${sequence.length}`
        : `sequence ${n} is empty`;
      throw fail("argument-out-of-range", ACTION, problem, { name: "sequences", value: sequence.length });
    }
    checkArgument(ACTION, `sequences[${n}]`, sequence, "numbers");
    data.set(sequence, at);
    if (size === undefined) {
      const bad = Array.prototype.findIndex.call(sequence, (token, t) => token !== data[at + t]);
      if (bad >= 0) {
        const problem = `sequence ${n} must be tokens, integers, got ${sequence[bad]} at step ${bad}`;
        const details = { name: "sequences", value: sequence[bad], advice: "pass size with sequences of numbers" };
        throw fail("argument-out-of-range", ACTION, problem, details);
      }
    }
    at += sequence.length;
    return sequence.length / each;
  });
  return { data, lengths };
}

/** Whether data are pairs rather than labelled sequences. */
export function isPairs(data: unknown): data is PairDataset {
  return typeof data === "object" && data !== null && Object.hasOwn(data, "sources");
}

/** A side with what is computed once: where each sequence begins, in steps, and the numbers of a step. */
interface Side {
  readonly data: Float32Array | Int32Array;
  readonly lengths: Int32Array;
  readonly starts: Float64Array;
  readonly size: number;
}

/** Pairs, checked. */
export interface MeasuredPairs {
  readonly N: number;
  readonly sources: Side;
  readonly targets: Side;
}

function sideOf(name: string, given: Ragged | undefined): Side {
  const { data, lengths } = given ?? {} as Partial<Ragged>;
  if (!(data instanceof Float32Array || data instanceof Int32Array) || !(lengths instanceof Int32Array)) {
    const problem = `${name} must be { data, lengths }: an Int32Array of tokens or a Float32Array, and an Int32Array`;
    throw fail("argument-type", ACTION, problem, { name, value: given });
  }
  if (!lengths.length) throw fail("empty", ACTION, "there must be one pair or more", { name });
  const empty = lengths.findIndex((length) => length < 1);
  if (empty >= 0) {
    const problem = `${name} must have a step or more each, got ${lengths[empty]} in pair ${empty} (counted from 0)`;
    throw fail("argument-out-of-range", ACTION, problem, { name, value: lengths[empty] });
  }
  const starts = new Float64Array(lengths.length);
  let steps = 0;
  lengths.forEach((length, n) => {
    starts[n] = steps;
    steps += length;
  });
  const size = data.length / steps;
  if (Number.isInteger(size) && size >= 1 && (size === 1 || data instanceof Float32Array)) {
    return { data, lengths, starts, size };
  }
  const wanted = data instanceof Int32Array
    ? `${steps} tokens`
    : `the same count of numbers for each of ${steps} steps`;
  throw fail("shape-mismatch", ACTION, `${name}.data must have ${wanted}, got ${data.length}`, { name });
}

const known = new WeakMap<PairDataset, MeasuredPairs>();

/**
 * Checks that the arrays of pairs fit one another.
 *
 * @throws {TypeError | RangeError} If they do not, or a sequence is empty.
 */
export function measurePairs(dataset: PairDataset): MeasuredPairs {
  checkArgument(ACTION, "dataset", dataset, ["sources", "targets"]);
  const found = known.get(dataset);
  if (found) return found;
  const sources = sideOf("sources", dataset.sources), targets = sideOf("targets", dataset.targets);
  const N = sources.lengths.length, { start, weights } = dataset;
  const sized = (name: string, got: number, expected: number) => {
    if (got === expected) return;
    throw fail("shape-mismatch", ACTION, `${name} must have ${expected} numbers, got ${got}`, { name });
  };
  sized("targets.lengths", targets.lengths.length, N);
  for (const [name, array, each] of [["start", start, targets.size], ["weights", weights, 1]] as const) {
    if (array === undefined) continue;
    if (!(array instanceof Float32Array)) {
      throw fail("argument-type", ACTION, `${name} must be a Float32Array`, { name, value: array });
    }
    sized(name, array.length, N * each);
  }
  const bad = weights ? weights.findIndex((weight) => !(weight >= 0 && weight < Infinity)) : -1;
  if (bad >= 0) {
    const problem = `weights must be numbers from 0, got ${spell(weights![bad])} at ${bad}`;
    throw fail("argument-out-of-range", ACTION, problem, { name: "weights", value: weights![bad] });
  }
  const measured = { N, sources, targets };
  known.set(dataset, measured);
  return measured;
}

/** Some pairs of a dataset, copied, in the order given. */
export function pairSubset(dataset: PairDataset, rows: ArrayLike<number>): PairDataset {
  const { N, sources, targets } = measurePairs(dataset), { start, weights, vocabulary } = dataset;
  const all = Array.from(rows);
  const bad = all.findIndex((row) => !(Number.isInteger(row) && row >= 0 && row < N));
  if (bad >= 0) {
    const problem = `rows must be from 0 to ${N - 1}, got ${all[bad]} at ${bad}`;
    throw fail("argument-out-of-range", "take subset", problem, { name: "rows", value: all[bad] });
  }
  const side = ({ data, lengths, starts, size }: Side): Ragged => {
    const own = Int32Array.from(all, (row) => lengths[row]!), steps = own.reduce((sum, length) => sum + length, 0);
    const part = data instanceof Int32Array ? new Int32Array(steps) : new Float32Array(steps * size);
    let at = 0;
    for (const row of all) {
      part.set(data.subarray(starts[row]! * size, (starts[row]! + lengths[row]!) * size), at);
      at += lengths[row]! * size;
    }
    return { data: part, lengths: own };
  };
  return {
    sources: side(sources),
    targets: side(targets),
    ...start && { start: rowsOf(start, all, targets.size) },
    ...weights && { weights: rowsOf(weights, all, 1) },
    ...vocabulary !== undefined && { vocabulary },
  };
}

function rowsOf(data: Float32Array, rows: ArrayLike<number>, each: number): Float32Array {
  const part = new Float32Array(rows.length * each);
  for (let i = 0; i < rows.length; i++) part.set(data.subarray(rows[i]! * each, (rows[i]! + 1) * each), i * each);
  return part;
}

/** Steps of a batch whose longest sequence has so many: at most an eighth more, so that few sizes come up. */
function roundedSteps(longest: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(longest)) - 3);
  return Math.ceil(longest / unit) * unit;
}

/** Options of {@linkcode PairLoader}. */
export interface PairLoaderOptions {
  /** Pairs per batch; the last one may have fewer. Default 32. */
  batchSize?: number;
  /** Whether each pass takes the pairs in a new random order. Default false. */
  shuffle?: boolean;
  /** Of that order: an integer from 0. Default 0. */
  seed?: number;
  /**
   * Batches of similar lengths: so many batches' worth of pairs at a time, in the order of the pass, are sorted by their
   * targets' lengths, then their sources', and cut into batches; with `shuffle` the whole batches of the pass then take turns
   * at random. 1: the order of the pass. Default 1.
   */
  buckets?: number;
  /**
   * Whether the pairs of a batch stand by falling lengths of their targets, then their sources, rather than in the order of
   * the pass: rows of similar length side by side have little padding to be computed. Default false.
   */
  sorted?: boolean;
}

/**
 * Hands out pairs in batches. Each iteration is one pass; with `shuffle`, pass number e has an order of its own that depends
 * on the seed and e alone.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PairLoader, ragged } from "@grutto/grutto";
 *
 * const lengths = [1, 9, 2, 8, 1, 9, 2, 8], side = ragged(lengths.map((length) => Array(length).fill(3)));
 * const loader = new PairLoader({ sources: side, targets: side }, { batchSize: 4, shuffle: true, buckets: 2 });
 * assert.deepEqual([...loader].map((batch) => batch.targetSteps).sort(), [2, 9]);
 * ```
 */
export class PairLoader implements Iterable<PairBatch> {
  /** What it hands out. */
  readonly dataset: PairDataset;
  /** Pairs per batch. */
  readonly batchSize: number;
  readonly #measured: MeasuredPairs;
  readonly #shuffle: boolean;
  readonly #seed: number;
  readonly #buckets: number;
  readonly #sorted: boolean;
  #passes = 0;

  /**
   * A loader of pairs.
   *
   * @throws {TypeError | RangeError} If an option is wrong, or the arrays do not fit one another.
   */
  constructor(dataset: PairDataset, options: PairLoaderOptions = {}) {
    const { batchSize, shuffle, seed, buckets, sorted } = resolveOptions("load pairs", {
      batchSize: { type: "integer", default: 32, least: 1, about: "pairs per batch" },
      shuffle: { type: "boolean", default: false, about: "new order in each pass" },
      seed: { type: "integer", default: 0, least: 0, most: Number.MAX_SAFE_INTEGER, about: "seed of the order" },
      buckets: {
        type: "integer",
        default: 1,
        least: 1,
        most: 1e6,
        about: "batches that are sorted by length at a time",
      },
      sorted: { type: "boolean", default: false, about: "pairs of a batch by falling length" },
    }, options) as Required<PairLoaderOptions>;
    this.#measured = measurePairs(dataset);
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.#shuffle = shuffle;
    this.#seed = seed;
    this.#buckets = buckets;
    this.#sorted = sorted;
  }

  /** Pairs and steps of the largest batch that there can be. */
  get largest(): { readonly B: number; readonly S: number; readonly U: number } {
    const { N, sources, targets } = this.#measured;
    const longest = ({ lengths }: Side) => roundedSteps(lengths.reduce((most, length) => Math.max(most, length), 1));
    return { B: Math.min(this.batchSize, N), S: longest(sources), U: longest(targets) };
  }

  /** Batches in a pass. */
  get length(): number {
    return Math.ceil(this.#measured.N / this.batchSize);
  }

  /** The numbers of the pairs of each batch of a pass. */
  #order(pass: number): Uint32Array[] {
    const { N, sources: { lengths: S }, targets: { lengths: U } } = this.#measured, size = this.batchSize;
    // Sorting is stable: equals stay in the order of the pass.
    const byLength = (a: number, b: number) => U[a]! - U[b]! || S[a]! - S[b]!;
    const random = this.#shuffle ? new Random(this.#seed, "shuffle", pass) : undefined;
    const order = random?.permutation(N) ?? Uint32Array.from({ length: N }, (_, i) => i);
    if (this.#buckets > 1) {
      for (let first = 0; first < N; first += size * this.#buckets) {
        const own = order.subarray(first, first + size * this.#buckets);
        own.set(Array.from(own).sort(byLength));
      }
    }
    const batches = Array.from({ length: this.length }, (_, i) => {
      const own = order.subarray(i * size, (i + 1) * size);
      return this.#sorted ? own.sort((a, b) => byLength(b, a)) : own;
    });
    if (this.#buckets === 1 || !random) return batches;
    // One that is not full stays the last.
    const whole = Math.floor(N / size), turns = random.permutation(whole);
    return batches.map((batch, i) => i < whole ? batches[turns[i]!]! : batch);
  }

  /** The batches of pass number `pass`, counted from 0, from batch number `first` on. */
  *batches(pass: number, first = 0): Generator<PairBatch, void> {
    for (const rows of this.#order(pass).slice(first)) yield this.#batch(rows);
  }

  #batch(rows: Uint32Array): PairBatch {
    const { sources, targets } = this.#measured, { start, weights } = this.dataset, B = rows.length;
    const padded = ({ data, lengths, starts, size }: Side) => {
      const own = Int32Array.from(rows, (row) => lengths[row]!);
      const T = roundedSteps(own.reduce((most, length) => Math.max(most, length), 1)), n = B * T * size;
      const all = data instanceof Int32Array ? new Int32Array(n) : new Float32Array(n);
      rows.forEach((row, b) => {
        all.set(data.subarray(starts[row]! * size, (starts[row]! + lengths[row]!) * size), b * T * size);
      });
      return { all, own, T };
    };
    const source = padded(sources), target = padded(targets);
    return {
      x: source.all,
      shape: [B, source.T, sources.size],
      lengths: source.own,
      targets: target.all,
      targetSteps: target.T,
      targetLengths: target.own,
      ...start && { start: rowsOf(start, rows, targets.size) },
      ...weights && { weights: rowsOf(weights, rows, 1) },
    };
  }

  /** The next pass. */
  [Symbol.iterator](): Iterator<PairBatch> {
    return this.batches(this.#passes++);
  }
}
