/** Parts of N items by their numbers: at random, by class, in turn, in time. */

import { spell } from "../display.ts";
import { checkArgument, type ErrorCode, type ErrorDetails, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { Random } from "../random.ts";

/** Numbers of items to train on, and of items to test on. */
export interface Fold {
  /** In rising order. */
  readonly train: Uint32Array;
  /** In rising order. */
  readonly test: Uint32Array;
}

/** A class of each item: names or numbers. */
export type Classes = ArrayLike<string | number>;

function wrong<Code extends ErrorCode>(code: Code, problem: string, details?: ErrorDetails) {
  return fail(code, "split dataset", problem, details);
}

/** Items whose numbers, 4 bytes each, are still drawn in seconds. */
const MOST_ITEMS = 2 ** 28;

function checkCount(n: number): void {
  if (!Number.isSafeInteger(n) || n < 1) {
    throw wrong("empty", `there must be items, got ${spell(n)}`, { name: "n", value: n });
  }
  if (n > MOST_ITEMS) {
    throw wrong("data-too-large", `there can be ${MOST_ITEMS} items at most, got ${n}`, { name: "n", value: n });
  }
}

/**
 * The counts of parts. With shares, what rounding down leaves over goes to the parts in turn, as in
 * torch.utils.data.random_split.
 *
 * @param parts Shares that add up to 1, or counts that add up to n.
 */
export function partCounts(n: number, parts: readonly number[]): number[] {
  checkArgument("split", "parts", parts, "numbers");
  checkCount(n);
  const sum = parts.reduce((a, b) => a + b, 0), exact = sum === n && parts.every(Number.isInteger);
  const shares = Math.abs(sum - 1) < 1e-9 && !exact;
  if (!parts.length || parts.some((part) => !(part > 0)) || !(shares || exact)) {
    throw wrong(
      "argument-out-of-range",
      `parts must be shares that add up to 1, or counts that add up to ${n}, got [${spell(parts)}]`,
      { name: "parts" },
    );
  }
  if (!shares) return [...parts];
  const counts = parts.map((share) => Math.floor(n * share + 1e-9));
  for (let left = n - counts.reduce((a, b) => a + b, 0), i = 0; left > 0; left--, i++) counts[i % counts.length]!++;
  if (counts.some((count) => count < 1)) {
    throw wrong("too-few-items", `${n} items are too few for parts [${parts}]`, { count: n });
  }
  return counts;
}

/** The items of each class, in the order of the classes' first items. */
function byClass(classes: Classes): Uint32Array[] {
  const numbers = new Map<string | number, number>();
  const classOf = new Uint32Array(classes.length);
  for (let i = 0; i < classes.length; i++) {
    const number = numbers.get(classes[i]!) ?? numbers.size;
    numbers.set(classes[i]!, classOf[i] = number);
  }
  return collect(classOf, numbers.size);
}

/** The items by the parts they are in. */
function collect(partOf: ArrayLike<number>, parts: number): Uint32Array[] {
  const counts = new Uint32Array(parts);
  for (let i = 0; i < partOf.length; i++) counts[partOf[i]!]!++;
  const lists = Array.from(counts, (count) => new Uint32Array(count)), filled = new Uint32Array(parts);
  for (let i = 0; i < partOf.length; i++) lists[partOf[i]!]![filled[partOf[i]!]!++] = i;
  return lists;
}

/**
 * Cuts N items into parts at random.
 *
 * @param parts Shares that add up to 1, or counts that add up to n.
 * @param seed An integer from 0. Default 0.
 * @returns The numbers of each part's items, in rising order.
 * @throws {RangeError} If the parts do not add up, or one would be empty.
 */
export function randomIndices(n: number, parts: readonly number[], seed = 0): Uint32Array[] {
  const counts = partCounts(n, parts), order = new Random(seed, "split").permutation(n);
  let start = 0;
  return counts.map((count) => order.slice(start, start += count).sort());
}

/**
 * Cuts items into parts at random, each class in the same proportions: of a class with n items, a part with share s gets
 * ⌊s·n⌋ or ⌈s·n⌉, so chosen that the parts as a whole have their shares too. The first part, the one to train on, gets at
 * least one item of every class.
 *
 * @param classes The class of each item.
 * @param shares They add up to 1.
 * @param seed An integer from 0. Default 0.
 * @returns The numbers of each part's items, in rising order.
 * @throws {RangeError} If the shares do not add up, or a part would be empty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { stratifiedSplit } from "@grutto/grutto";
 *
 * const classes = ["a", "a", "a", "a", "a", "a", "a", "a", "b", "b", "b", "b"];
 * const [train, test] = stratifiedSplit(classes, [0.75, 0.25]);
 * assert.deepEqual([train!.length, test!.length], [9, 3]);
 * assert.equal(Array.from(test!, (i) => classes[i]).filter((name) => name === "b").length, 1);
 * ```
 */
export function stratifiedSplit(classes: Classes, shares: readonly number[], seed = 0): Uint32Array[] {
  checkArgument("split", "classes", classes, "list");
  checkArgument("split", "shares", shares, "numbers");
  checkCount(classes.length);
  const sum = shares.reduce((a, b) => a + b, 0);
  if (!shares.length || shares.some((share) => !(share > 0)) || Math.abs(sum - 1) > 1e-9) {
    throw wrong("argument-out-of-range", `shares must be above 0 and add up to 1, got [${shares}]`, { name: "shares" });
  }
  const random = new Random(seed, "split"), partOf = new Uint32Array(classes.length);
  // How much each part is behind its share so far.
  const behind = shares.map(() => 0);
  for (const members of byClass(classes)) {
    const n = members.length, counts = shares.map((share) => Math.floor(n * share + 1e-9));
    const whole = shares.map((share, part) => Math.abs(n * share - counts[part]!) < 1e-9);
    shares.forEach((share, part) => behind[part]! += n * share - counts[part]!);
    for (let left = n - counts.reduce((a, b) => a + b, 0); left > 0; left--) {
      const part = largest(behind.map((value, part) => whole[part] ? -Infinity : value));
      counts[part]!++;
      behind[part]!--;
      whole[part] = true;
    }
    if (counts[0] === 0) {
      const giver = largest(counts);
      counts[giver]!--;
      behind[giver]!++;
      counts[0]!++;
      behind[0]!--;
    }
    const order = random.permutation(n);
    let i = 0;
    counts.forEach((count, part) => {
      for (const end = i + count; i < end; i++) partOf[members[order[i]!]!] = part;
    });
  }
  const parts = collect(partOf, shares.length);
  if (parts.some(({ length }) => length === 0)) {
    throw wrong("too-few-items", `${classes.length} items are too few for shares [${shares}]`, {
      count: classes.length,
    });
  }
  return parts;
}

/** Where the largest number stands, the first of equals. */
function largest(numbers: readonly number[]): number {
  return numbers.reduce((best, value, i) => value > numbers[best]! ? i : best, 0);
}

/**
 * Takes items 0, k, 2k, … to test on, the others to train on.
 *
 * @param n Items.
 * @param k Every how manieth.
 * @param groups Something of each item, such as its file: counted within each group by itself. Default: one group.
 * @throws {RangeError} If k is not an integer from 2, or there is nothing left to train on.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { everyNth } from "@grutto/grutto";
 *
 * const { train, test } = everyNth(7, 5);
 * assert.deepEqual([[...train], [...test]], [[1, 2, 3, 4, 6], [0, 5]]);
 * ```
 */
export function everyNth(n: number, k: number, groups?: Classes): Fold {
  checkCount(n);
  if (groups !== undefined) checkArgument("split", "groups", groups, "list");
  if (!Number.isSafeInteger(k) || k < 2) {
    throw wrong("argument-out-of-range", `k must be an integer from 2, got ${spell(k)}`, {
      name: "k",
      value: k,
    });
  }
  if (groups && groups.length !== n) {
    throw wrong("shape-mismatch", `there must be ${n} groups, one for each item, got ${groups.length}`, {
      name: "groups",
    });
  }
  const seen = new Map<string | number, number>();
  const [train, test] = collect(
    Uint32Array.from({ length: n }, (_, i) => {
      const group = groups?.[i] ?? 0, place = seen.get(group) ?? 0;
      seen.set(group, place + 1);
      return place % k === 0 ? 1 : 0;
    }),
    2,
  );
  if (!train!.length) throw wrong("too-few-items", `of ${n} items nothing is left to train on`, { count: n });
  return { train: train!, test: test! };
}

/**
 * Cuts N items into k parts; each is once the one to test on, the others to train on.
 *
 * @param n Items.
 * @param k Parts, from 2 to n.
 * @param seed An integer from 0. Default 0.
 * @param options `classes`: the class of each item; every class is then spread evenly over the parts. `shuffle`: whether
 * items get into parts at random, else in one piece each. Default true.
 * @throws {RangeError} If k is out of range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { kFold } from "@grutto/grutto";
 *
 * const folds = kFold(10, 3);
 * assert.deepEqual(folds.map(({ test }) => test.length), [4, 3, 3]);
 * assert.deepEqual(folds.flatMap(({ test }) => [...test]).sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
 * ```
 */
export function kFold(
  n: number,
  k: number,
  seed = 0,
  options: { classes?: Classes; shuffle?: boolean } = {},
): Fold[] {
  const { classes, shuffle = true } = ownOptions("split", options, { classes: true, shuffle: true });
  checkArgument("split", "shuffle", shuffle, "boolean");
  if (classes !== undefined) checkArgument("split", "classes", classes, "list");
  checkCount(n);
  if (!Number.isSafeInteger(k) || k < 2 || k > n) {
    throw wrong("option-out-of-range", `folds must be an integer from 2 to ${n}, got ${spell(k)}`, {
      option: "folds",
      expected: `an integer from 2 to ${n}`,
      value: k,
    });
  }
  if (classes && classes.length !== n) {
    throw wrong("shape-mismatch", `there must be ${n} classes, one for each item, got ${classes.length}`, {
      name: "classes",
    });
  }
  const random = new Random(seed, "split"), partOf = new Uint32Array(n);
  if (classes) {
    // Dealt out like cards, one class after the other: no two parts differ by more than one item of a class, or in all.
    let dealt = 0;
    for (const members of byClass(classes)) {
      const order = shuffle ? random.permutation(members.length) : members.keys();
      for (const i of order) partOf[members[i]!] = dealt++ % k;
    }
  } else {
    const order = shuffle ? random.permutation(n) : indices(0, n);
    const counts = partCounts(n, Array<number>(k).fill(1 / k));
    let i = 0;
    counts.forEach((count, part) => {
      for (const end = i + count; i < end; i++) partOf[order[i]!] = part;
    });
  }
  const parts = collect(partOf, k);
  return parts.map((test, part) => ({
    train: Uint32Array.from({ length: n }, (_, i) => i).filter((i) => partOf[i] !== part),
    test,
  }));
}

/** A fold in the order of time: what is tested on comes after what is trained on. */
export interface TimeFold extends Fold {
  /** The same items as rows of a table: from the first up to, but without, the second. */
  readonly trainRows: readonly [from: number, to: number];
  /** The same items as rows of a table. */
  readonly testRows: readonly [from: number, to: number];
}

/**
 * Walks forward in time: every fold trains on all that came before what it tests on. The tests are of equal size and end
 * with the last item, as in scikit-learn's TimeSeriesSplit.
 *
 * @param n Items in the order of time, or rows of a table.
 * @param folds From 1.
 * @param options `testSize`: items per test. Default ⌊n / (folds + 1)⌋. `gap`: items left out before each test. Default 0.
 * @throws {RangeError} If there are too few items.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { walkForward } from "@grutto/grutto";
 *
 * const folds = walkForward(10, 3);
 * assert.deepEqual(folds.map(({ trainRows, testRows }) => [trainRows, testRows]), [[[0, 4], [4, 6]], [[0, 6], [6, 8]], [[0, 8], [8, 10]]]);
 * assert.deepEqual([...folds[2]!.test], [8, 9]);
 * ```
 */
export function walkForward(n: number, folds: number, options: { testSize?: number; gap?: number } = {}): TimeFold[] {
  const own = ownOptions("split", options, { testSize: true, gap: true });
  checkCount(n);
  if (!Number.isSafeInteger(folds) || folds < 1) {
    throw wrong("argument-out-of-range", `folds must be an integer from 1, got ${spell(folds)}`, {
      name: "folds",
      value: folds,
    });
  }
  const { testSize = Math.floor(n / (folds + 1)), gap = 0 } = own, first = n - folds * testSize;
  if (![testSize, gap].every(Number.isSafeInteger) || testSize < 1 || gap < 0 || first - gap < 1) {
    throw wrong(
      "too-few-items",
      `${n} items are too few for ${folds} folds with tests of ${testSize} and gaps of ${gap}`,
      { count: n },
    );
  }
  return Array.from({ length: folds }, (_, fold) => {
    const from = first + fold * testSize;
    const trainRows = [0, from - gap] as const, testRows = [from, from + testSize] as const;
    return { train: indices(...trainRows), test: indices(...testRows), trainRows, testRows };
  });
}

/** The numbers from one up to, but without, another. */
function indices(from: number, to: number): Uint32Array {
  return Uint32Array.from({ length: to - from }, (_, i) => from + i);
}

/**
 * Cuts items into parts in the order of time.
 *
 * @param n Items, or rows of a table.
 * @param parts Shares that add up to 1, or counts that add up to n.
 * @returns Of each part the first item, and the one after the last.
 * @throws {RangeError} If the parts do not add up, or one would be empty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { timeSplit } from "@grutto/grutto";
 *
 * assert.deepEqual(timeSplit(10, [0.7, 0.3]), [[0, 7], [7, 10]]);
 * ```
 */
export function timeSplit(n: number, parts: readonly number[]): (readonly [from: number, to: number])[] {
  let start = 0;
  return partCounts(n, parts).map((count) => [start, start += count] as const);
}
