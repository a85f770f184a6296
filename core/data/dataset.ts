/** Labelled sequences, splitting them, and batches of them. */

import { spell } from "../display.ts";
import { checkArgument, fail } from "../errors.ts";
import { resolveOptions } from "../options.ts";
import { Random } from "../random.ts";
import { isPairs, measurePairs, type PairDataset, pairSubset } from "./pairs.ts";
import { partCounts } from "./split.ts";

/** N labelled sequences of T steps with I numbers, or one token, each. */
export interface Dataset {
  /** Inputs (N, T, I), row-major; or tokens (N, T). */
  readonly x: Float32Array | Int32Array;
  /** [N, T, I]; of tokens [N, T, 1]. */
  readonly shape: readonly number[];
  /**
   * The same count of numbers for each sequence (N, O), or class numbers (N) as Int32Array; for a network with an output
   * at every step (N, T, O), or (N, T).
   */
  readonly targets: Float32Array | Int32Array;
  /** Whether `targets` has some for every step. `train` and `evaluate` know it from the network. Default false. */
  readonly targetsPerStep?: boolean;
  /** Valid steps of each sequence (N), from 1 to T. Default: all T. */
  readonly lengths?: Int32Array;
  /** How much each sequence counts in the loss (N), from 0: 2 counts as two of it. Default: all 1. */
  readonly weights?: Float32Array;
}

/** The inputs (rows, steps, I) of some sequences of a dataset; `into`: room for them that may be written over. */
type Take = (rows: ArrayLike<number>, steps: number, into?: Float32Array) => Float32Array | Int32Array;

/** Datasets whose inputs are made as they are needed. */
const takers = new WeakMap<object, Take>();

/** A dataset, or part of one, whose `x` is made a batch at a time, and as a whole only where somebody reads it. */
export function defer<D extends Omit<Dataset, "x" | "targets">>(
  dataset: D,
  take: Take,
): D & { readonly x: Float32Array } {
  takers.set(dataset, take);
  const [N, T] = dataset.shape as [number, number];
  const get = () => {
    const value = take(Uint32Array.from({ length: N }, (_, i) => i), T);
    Object.defineProperty(dataset, "x", { value, enumerable: true });
    return value;
  };
  return Object.defineProperty(dataset, "x", { get, enumerable: true, configurable: true }) as D & { x: Float32Array };
}

/** Whether the inputs of a dataset are made as they are needed. */
export function isDeferred(dataset: object): boolean {
  return takers.has(dataset);
}

/**
 * The inputs of a dataset in pieces of whole sequences, about so many numbers each, of which a piece is there until the next
 * one is asked for; in one piece where they are all there.
 */
export function* inputsOf(dataset: Pick<Dataset, "x" | "shape">, most: number): Generator<Dataset["x"], void> {
  const take = takers.get(dataset);
  if (!take) return yield dataset.x;
  const [N, T, I] = dataset.shape as [number, number, number], count = Math.max(1, Math.floor(most / (T * I)));
  const rows = new Uint32Array(Math.min(count, N)), room = new Float32Array(rows.length * T * I);
  for (let first = 0; first < N; first += count) {
    for (let i = 0; i < rows.length; i++) rows[i] = first + i;
    yield take(rows.subarray(0, N - first), T, room);
  }
}

/** A dataset with targets of every step; its inputs are made as they are needed if they were. */
export function everyStep(dataset: Dataset): Dataset {
  const take = takers.get(dataset);
  if (!take) return { ...dataset, targetsPerStep: true };
  const { shape, targets, lengths, weights } = dataset;
  const about = { shape, targets, targetsPerStep: true, ...lengths && { lengths }, ...weights && { weights } };
  return defer(about, take);
}

/** The inputs of one sequence (T, I). */
export function rowOf(dataset: Pick<Dataset, "x" | "shape">, row: number): Dataset["x"] {
  const take = takers.get(dataset), [, T, I] = dataset.shape as [number, number, number];
  return take ? take([row], T) : dataset.x.subarray(row * T * I, (row + 1) * T * I);
}

/** A part of a dataset in one piece, as a model takes it. */
export type Batch = Dataset;

/**
 * Checks that the arrays of a dataset fit one another.
 *
 * @returns N, T, I and the count of targets per sequence.
 */
function measure(action: string, dataset: Dataset): { N: number; T: number; I: number; width: number } {
  const { shape, targets, targetsPerStep = false, lengths, weights } = dataset ?? {};
  if (!Array.isArray(shape)) {
    throw fail("argument-type", action, "it must be a dataset: { x, shape, targets }", { name: "dataset" });
  }
  const [N, T, I] = shape as [number, number, number];
  const isMade = !isDeferred(dataset), x = isMade ? dataset.x : new Float32Array();
  if (!(x instanceof Float32Array || x instanceof Int32Array)) {
    throw fail("argument-type", action, "x must be a Float32Array, or an Int32Array of tokens", { name: "x" });
  }
  if (!(targets instanceof Float32Array || targets instanceof Int32Array)) {
    throw fail("argument-type", action, "targets must be a Float32Array or an Int32Array", { name: "targets" });
  }
  if (lengths && !(lengths instanceof Int32Array)) {
    throw fail("argument-type", action, "lengths must be an Int32Array", { name: "lengths" });
  }
  if (weights && !(weights instanceof Float32Array)) {
    throw fail("argument-type", action, "weights must be a Float32Array", { name: "weights" });
  }
  if (shape.length !== 3 || shape.some((n) => !Number.isInteger(n) || n < 1)) {
    throw fail("argument-out-of-range", action, `shape must be three integers from 1, got [${spell(shape)}]`, {
      name: "shape",
      value: shape,
    });
  }
  if (isMade && x.length !== N * T * I) {
    throw fail("shape-mismatch", action, `x must have ${N * T * I} numbers for shape [${shape}], got ${x.length}`, {
      name: "x",
    });
  }
  if (targets.length === 0 || targets.length % N !== 0) {
    throw fail(
      "shape-mismatch",
      action,
      `targets must be the same count for each of ${N} sequences, got ${targets.length}`,
      { name: "targets" },
    );
  }
  if (targetsPerStep && targets.length % (N * T) !== 0) {
    const problem = `targets must be the same count for each of ${N * T} steps, got ${targets.length}`;
    throw fail("shape-mismatch", action, problem, { name: "targets" });
  }
  if (lengths && lengths.length !== N) {
    throw fail("shape-mismatch", action, `lengths must have ${N} numbers, got ${lengths.length}`, { name: "lengths" });
  }
  const short = lengths ? lengths.findIndex((length) => length < 1 || length > T) : -1;
  if (short >= 0) {
    throw fail("argument-out-of-range", action, `lengths must be from 1 to ${T}, got ${lengths![short]} at ${short}`, {
      name: "lengths",
      value: lengths![short],
    });
  }
  if (weights && weights.length !== N) {
    throw fail("shape-mismatch", action, `weights must have ${N} numbers, got ${weights.length}`, { name: "weights" });
  }
  const bad = weights ? weights.findIndex((weight) => !(weight >= 0 && weight < Infinity)) : -1;
  if (bad >= 0) {
    throw fail(
      "argument-out-of-range",
      action,
      `weights must be numbers from 0, got ${spell(weights![bad])} at ${bad}`,
      {
        name: "weights",
        value: weights![bad],
      },
    );
  }
  return { N, T, I, width: targets.length / N };
}

/**
 * Some sequences of a dataset, copied, in the order given.
 *
 * @param rows Their numbers, from 0 to N − 1.
 * @param steps How many steps of each, and of their targets where these are of every step. Default: all T.
 * @throws {RangeError} If a number is not that of a sequence.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sampleDataset, subset } from "@grutto/grutto";
 *
 * const data = sampleDataset({ size: 5 }), { x, shape } = subset(data, [4, 0]);
 * assert.deepEqual(shape, [2, 10, 5]);
 * assert.deepEqual(x.subarray(0, 50), data.x.subarray(200));
 * ```
 */
export function subset(dataset: Dataset, rows: ArrayLike<number>, steps?: number): Dataset;
/** The same of pairs. */
export function subset(dataset: PairDataset, rows: ArrayLike<number>): PairDataset;
/** The same of either. */
export function subset<D extends Dataset | PairDataset>(dataset: D, rows: ArrayLike<number>): D;
export function subset(dataset: Dataset | PairDataset, rows: ArrayLike<number>, most?: number): Dataset | PairDataset {
  checkArgument("take subset", "dataset", dataset, ["targets"]);
  checkArgument("take subset", "rows", rows, "numbers");
  if (isPairs(dataset)) return pairSubset(dataset, rows);
  measure("take subset", dataset);
  const steps = most ?? dataset.shape[1]!;
  if (!(Number.isSafeInteger(steps) && steps >= 1 && steps <= dataset.shape[1]!)) {
    const problem = `steps must be an integer from 1 to ${dataset.shape[1]}, got ${spell(steps)}`;
    throw fail("argument-out-of-range", "take subset", problem, { name: "steps", value: steps });
  }
  const { shape, targets, targetsPerStep, lengths, weights } = dataset, take = takers.get(dataset);
  const [N, T, I] = shape as [number, number, number];
  const count = rows.length, width = targets.length / N, kept = targetsPerStep ? width / T * steps : width;
  const part = {
    x: take ? take(rows, steps) : empty(dataset.x, count * steps * I),
    shape: [count, steps, I],
    targets: empty(targets, count * kept),
    ...targetsPerStep && { targetsPerStep },
    ...lengths && { lengths: new Int32Array(count) },
    ...weights && { weights: new Float32Array(count) },
  };
  for (let i = 0; i < count; i++) {
    const row = rows[i]!, start = row * T * I;
    if (!(Number.isInteger(row) && row >= 0 && row < N)) {
      const problem = `rows must be from 0 to ${N - 1}, got ${spell(row)} at ${i}`;
      throw fail("argument-out-of-range", "take subset", problem, { name: "rows", value: row });
    }
    if (!take) copyTo(part.x, i * steps * I, dataset.x, start, steps * I);
    copyTo(part.targets, i * kept, targets, row * width, kept);
    if (lengths) part.lengths![i] = lengths[row]!;
    if (weights) part.weights![i] = weights[row]!;
  }
  return part;
}

/** How many times a dataset is right or wrong: once for each sequence, or for each valid step with targets per step. */
export function targetRows({ shape: [N, T], targetsPerStep, lengths }: Dataset): number {
  if (!targetsPerStep) return N!;
  return lengths ? lengths.reduce((sum, length) => sum + length, 0) : N! * T!;
}

/** Copies numbers from one array to another: few of them without a view, which takes more room than they do. */
function copyTo(to: Dataset["x"], at: number, from: Dataset["x"], start: number, count: number): void {
  if (count > 64) to.set(from.subarray(start, start + count), at);
  else for (let i = 0; i < count; i++) to[at + i] = from[start + i]!;
}

/** Zeros of the kind of an array. */
function empty(like: Float32Array | Int32Array, length: number): Float32Array | Int32Array {
  return like instanceof Int32Array ? new Int32Array(length) : new Float32Array(length);
}

/** Steps of a batch, or of all: those of its longest sequence, rounded up so that few sizes come up, at most T. */
function stepsOf({ shape, lengths }: Dataset, rows?: Uint32Array): number {
  if (!lengths) return shape[1]!;
  let longest = 1;
  for (const row of rows ?? lengths.keys()) longest = Math.max(longest, lengths[row]!);
  return Math.min(shape[1]!, Math.ceil(longest / 4) * 4);
}

/**
 * Cuts a dataset into parts at random.
 *
 * @param parts Shares that add up to 1, or counts that add up to N. With shares, what rounding down leaves over goes to
 * the parts in turn, as in torch.utils.data.random_split.
 * @param seed An integer from 0. Default 0.
 * @returns As many datasets, of copies.
 * @throws {RangeError} If the parts do not add up, or one would be empty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { randomSplit, sampleDataset } from "@grutto/grutto";
 *
 * const [train, test] = randomSplit(sampleDataset({ size: 1000 }), [0.8, 0.2], 0);
 * assert.deepEqual([train!.shape, test!.shape], [[800, 10, 5], [200, 10, 5]]);
 * ```
 */
export function randomSplit<D extends Dataset | PairDataset>(dataset: D, parts: readonly number[], seed = 0): D[] {
  const { N } = isPairs(dataset) ? measurePairs(dataset) : measure("split dataset", dataset);
  const counts = partCounts(N, parts);
  const order = new Random(seed, "split").permutation(N);
  let start = 0;
  return counts.map((count) => subset(dataset, order.subarray(start, start += count)));
}

/** Options of {@linkcode DataLoader}. */
export interface DataLoaderOptions {
  /** Sequences per batch; the last one may have fewer. Default 32. */
  batchSize?: number;
  /** Whether each pass takes the sequences in a new random order. Default false. */
  shuffle?: boolean;
  /** Of that order: an integer from 0. Default 0. */
  seed?: number;
}

/**
 * Hands out a dataset in batches, as torch.utils.data.DataLoader. Each iteration is one pass; with `shuffle`, pass number
 * e has an order of its own that depends on the seed and e alone. With `lengths`, a batch is as long as its longest
 * sequence, rounded up to a multiple of 4.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DataLoader, sampleDataset } from "@grutto/grutto";
 *
 * const loader = new DataLoader(sampleDataset({ size: 70 }), { batchSize: 32, shuffle: true, seed: 1 });
 * assert.deepEqual([...loader].map((batch) => batch.shape[0]), [32, 32, 6]);
 * ```
 */
export class DataLoader implements Iterable<Batch> {
  /** What it hands out. */
  readonly dataset: Dataset;
  /** Sequences per batch. */
  readonly batchSize: number;
  readonly #shuffle: boolean;
  readonly #seed: number;
  #passes = 0;

  /**
   * A loader of a dataset.
   *
   * @throws {TypeError | RangeError} If an option is wrong, or the dataset's arrays do not fit one another.
   */
  constructor(dataset: Dataset, options: DataLoaderOptions = {}) {
    measure("load dataset", dataset);
    const { batchSize, shuffle, seed } = resolveOptions("load dataset", {
      batchSize: { type: "integer", default: 32, least: 1, about: "sequences per batch" },
      shuffle: { type: "boolean", default: false, about: "new order in each pass" },
      seed: { type: "integer", default: 0, least: 0, most: Number.MAX_SAFE_INTEGER, about: "seed of the order" },
    }, options) as Required<DataLoaderOptions>;
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.#shuffle = shuffle;
    this.#seed = seed;
  }

  /** Sequences and steps of the largest batch. */
  get largest(): readonly [B: number, T: number] {
    return [Math.min(this.batchSize, this.dataset.shape[0]!), stepsOf(this.dataset)];
  }

  /** Batches in a pass. */
  get length(): number {
    return Math.ceil(this.dataset.shape[0]! / this.batchSize);
  }

  /** The batches of pass number `pass`, counted from 0, from batch number `first` on. */
  *batches(pass: number, first = 0): Generator<Batch, void> {
    const N = this.dataset.shape[0]!;
    const order = this.#shuffle
      ? new Random(this.#seed, "shuffle", pass).permutation(N)
      : Uint32Array.from({ length: N }, (_, i) => i);
    for (let start = first * this.batchSize; start < N; start += this.batchSize) {
      const rows = order.subarray(start, start + this.batchSize);
      yield subset(this.dataset, rows, stepsOf(this.dataset, rows));
    }
  }

  /** The next pass. */
  [Symbol.iterator](): Iterator<Batch> {
    return this.batches(this.#passes++);
  }
}
