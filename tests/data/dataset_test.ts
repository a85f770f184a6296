import assert from "node:assert/strict";
import { DataLoader, type Dataset, randomSplit, sampleDataset, subset } from "../../mod.ts";

/** Sequences that carry their number in every array. */
function numbered(N: number): Dataset {
  const x = Float32Array.from({ length: N * 6 }, (_, i) => Math.floor(i / 6) + (i % 6) / 10);
  return {
    x,
    shape: [N, 3, 2],
    targets: Int32Array.from({ length: N }, (_, i) => i),
    lengths: Int32Array.from({ length: N }, (_, i) => 1 + i % 3),
  };
}

/** The numbers of the sequences in a part, which must belong together in all its arrays. */
function numbersOf({ x, shape, targets, lengths }: Dataset): number[] {
  assert.deepEqual([x.length, targets.length, lengths!.length], [shape[0]! * 6, shape[0], shape[0]]);
  assert.ok(targets instanceof Int32Array && lengths instanceof Int32Array);
  return Array.from(targets, (number, i) => {
    const row = Float32Array.from({ length: 6 }, (_, j) => number + j / 10);
    assert.deepEqual(x.subarray(6 * i, 6 * i + 6), row);
    assert.equal(lengths![i], 1 + number % 3);
    return number;
  });
}

const sizes = (parts: Dataset[]) => parts.map(({ shape }) => shape[0]);
const upTo = (N: number) => Array.from({ length: N }, (_, i) => i);
const sorted = (numbers: number[]) => numbers.toSorted((a, b) => a - b);

Deno.test("a split by shares or by counts is complete and disjoint", () => {
  for (const parts of [[0.8, 0.2], [20, 5], [0.5, 0.3, 0.2], [1, 23, 1], [1]]) {
    const split = randomSplit(numbered(25), parts, 3);
    assert.deepEqual(sorted(split.flatMap(numbersOf)), upTo(25), `parts ${parts}`);
  }
});

Deno.test("shares are rounded down, and what is left goes to the parts in turn, as in PyTorch", () => {
  // torch.utils.data.random_split: ⌊N·share⌋ each, and what is left one by one from the first part on.
  assert.deepEqual(sizes(randomSplit(numbered(1000), [0.8, 0.2])), [800, 200]);
  assert.deepEqual(sizes(randomSplit(numbered(7), [0.5, 0.5])), [4, 3]);
  assert.deepEqual(sizes(randomSplit(numbered(11), [0.3, 0.3, 0.4])), [4, 3, 4]);
  assert.deepEqual(sizes(randomSplit(numbered(10), [1 / 3, 1 / 3, 1 / 3])), [4, 3, 3]);
  assert.deepEqual(sizes(randomSplit(numbered(10), [0.1, 0.2, 0.7])), [1, 2, 7]);
});

Deno.test("counts are taken as they are", () => {
  assert.deepEqual(sizes(randomSplit(numbered(10), [7, 1, 2])), [7, 1, 2]);
});

Deno.test("a split is in random order, the same for the same seed, another for another", () => {
  const split = (seed?: number) => randomSplit(numbered(40), [0.5, 0.5], seed).map(numbersOf);
  assert.deepEqual(split(9), split(9));
  assert.deepEqual(split(), split(0));
  assert.notDeepEqual(split(9), split(10));
  assert.notDeepEqual(split(9).flat(), upTo(40));
});

Deno.test("a split copies: changing a part leaves the whole alone", () => {
  const whole = numbered(4), [part] = randomSplit(whole, [2, 2]);
  part!.x.fill(-1);
  assert.deepEqual(whole, numbered(4));
});

Deno.test("a split by seed is random: every sequence comes first about as often", () => {
  const counts = new Array(5).fill(0);
  for (let seed = 0; seed < 1000; seed++) counts[numbersOf(randomSplit(numbered(5), [1, 4], seed)[0]!)[0]!]++;
  for (const count of counts) assert.ok(Math.abs(count - 200) < 65, `${counts}`);
});

Deno.test("wrong parts of a split are refused with what they were", () => {
  const wrong = (parts: number[], message: RegExp, N = 10) =>
    assert.throws(() => randomSplit(numbered(N), parts), { name: "RangeError", message });
  wrong([0.8, 0.1], /add up to 1, or counts that add up to 10, got \[0\.8,0\.1\]/);
  wrong([8, 3], /got \[8,3\]/);
  wrong([9.5, 0.5], /got \[9\.5,0\.5\]/);
  wrong([1.5, -0.5], /got \[1\.5,-0\.5\]/);
  wrong([10, 0], /got \[10,0\]/);
  wrong([NaN, 1], /got \[NaN,1\]/);
  wrong([], /got \[\]/);
  wrong([0.8, 0.2], /4 items are too few for parts \[0\.8,0\.2\]/, 4);
  assert.throws(() => randomSplit(numbered(9), [4, 5], -1), { name: "RangeError", message: /seed.*-1/ });
});

Deno.test("a loader hands out everything in order, the last batch with what is left", () => {
  const loader = new DataLoader(numbered(10), { batchSize: 4 }), batches = [...loader];
  assert.deepEqual(batches.map(numbersOf), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]);
  assert.deepEqual(batches.map(({ shape }) => shape), [[4, 3, 2], [4, 3, 2], [2, 3, 2]]);
  assert.equal(loader.length, 3);
  assert.equal(loader.batchSize, 4);
});

Deno.test("a loader takes 32 sequences by default, and a batch as large as the data is one", () => {
  assert.deepEqual([...new DataLoader(numbered(70))].map(({ shape }) => shape[0]), [32, 32, 6]);
  assert.deepEqual([...new DataLoader(numbered(6), { batchSize: 6 })].map(numbersOf), [upTo(6)]);
  assert.deepEqual([...new DataLoader(numbered(6), { batchSize: 99 })].map(numbersOf), [upTo(6)]);
});

Deno.test("a shuffling loader takes a new order in each pass, everything once", () => {
  const loader = new DataLoader(numbered(30), { batchSize: 8, shuffle: true, seed: 1 });
  const passes = [1, 2, 3].map(() => [...loader].flatMap(numbersOf));
  for (const pass of passes) assert.deepEqual(sorted(pass), upTo(30));
  assert.equal(new Set([...passes, upTo(30)].map(String)).size, 4);
});

Deno.test("the same seed gives the same orders, another seed others", () => {
  const orders = (seed: number) => {
    const loader = new DataLoader(numbered(30), { shuffle: true, seed });
    return [1, 2].map(() => [...loader].map(numbersOf));
  };
  assert.deepEqual(orders(7), orders(7));
  assert.notDeepEqual(orders(7), orders(8));
});

Deno.test("batches(pass, first) is the tail of that pass, whatever was handed out before", () => {
  const options = { batchSize: 4, shuffle: true, seed: 5 };
  const inTurn = new DataLoader(numbered(18), options), passes = [0, 1, 2].map(() => [...inTurn].map(numbersOf));
  const loader = new DataLoader(numbered(18), options);
  for (const pass of [2, 0, 1]) {
    for (let first = 0; first <= 5; first++) {
      assert.deepEqual([...loader.batches(pass, first)].map(numbersOf), passes[pass]!.slice(first));
    }
  }
  assert.deepEqual([...loader].map(numbersOf), passes[0], "batches() does not count as a pass in turn");
});

Deno.test("several targets per sequence stay together", () => {
  const dataset = sampleDataset({ size: 9, steps: 2, features: 1 });
  const [batch] = new DataLoader(dataset, { batchSize: 9, shuffle: true });
  batch!.x.forEach((_, i) => {
    if (i % 2) return;
    const sum = batch!.x[i]! + batch!.x[i + 1]!;
    assert.deepEqual([...batch!.targets.subarray(i, i + 2)], sum > 0 ? [1, 0] : [0, 1]);
  });
  assert.equal("lengths" in batch!, false);
});

Deno.test("a loader refuses wrong options and arrays that do not fit", () => {
  const data = numbered(6);
  const wrong = (dataset: object, options: object, name: string, message: RegExp) =>
    assert.throws(() => new DataLoader({ ...data, ...dataset }, options), { name, message });
  wrong({}, { batchSize: 0 }, "RangeError", /batchSize must be an integer from 1, got 0/);
  wrong({}, { batchSize: 2.5 }, "RangeError", /batchSize .*2\.5/);
  wrong({}, { batchSize: "4" }, "TypeError", /batchSize .*"4"/);
  wrong({}, { shuffle: 1 }, "TypeError", /shuffle must be true or false, got 1/);
  wrong({}, { seed: -2 }, "RangeError", /seed .*-2/);
  wrong({}, { size: 4 }, "TypeError", /unknown option "size"/);
  wrong({ x: [1, 2] }, {}, "TypeError", /x must be a Float32Array/);
  wrong({ targets: Array(6).fill(0) }, {}, "TypeError", /targets must be a Float32Array or an Int32Array/);
  wrong({ lengths: Array(6).fill(1) }, {}, "TypeError", /lengths must be an Int32Array/);
  wrong({ x: new Float32Array(35) }, {}, "RangeError", /x must have 36 numbers .*got 35/);
  wrong({ shape: [6, 6] }, {}, "RangeError", /shape .*got \[6,6\]/);
  wrong({ shape: [0, 3, 2], x: new Float32Array(0) }, {}, "RangeError", /shape .*got \[0,3,2\]/);
  wrong({ targets: new Int32Array(7) }, {}, "RangeError", /targets .*6 sequences, got 7/);
  wrong({ targets: new Int32Array(0) }, {}, "RangeError", /targets .*got 0/);
  wrong({ lengths: new Int32Array(5) }, {}, "RangeError", /lengths must have 6 numbers, got 5/);
});

/** Sequences of tokens that carry their number in every array, with lengths and weights. */
function numberedTokens(N: number, T: number): Dataset {
  return {
    x: Int32Array.from({ length: N * T }, (_, i) => i),
    shape: [N, T, 1],
    targets: Float32Array.from({ length: N }, (_, i) => i),
    lengths: Int32Array.from({ length: N }, (_, i) => 1 + (7 * i) % T),
    weights: Float32Array.from({ length: N }, (_, i) => i / 2),
  };
}

Deno.test("tokens and weights go with their sequences, in splits and in batches", () => {
  const data = numberedTokens(23, 10);
  const parts = [
    ...randomSplit(data, [0.6, 0.4], 2),
    ...new DataLoader(data, { batchSize: 4, shuffle: true, seed: 3 }),
  ];
  assert.ok(parts.length > 5);
  for (const { x, shape: [N, T], targets, lengths, weights } of parts) {
    assert.ok(x instanceof Int32Array);
    assert.deepEqual([x.length, targets.length, lengths!.length, weights!.length], [N! * T!, N, N, N]);
    targets.forEach((number, i) => {
      assert.deepEqual([...x.subarray(i * T!, (i + 1) * T!)], Array.from({ length: T! }, (_, t) => 10 * number + t));
      assert.deepEqual([lengths![i], weights![i]], [1 + (7 * number) % 10, number / 2]);
    });
  }
});

Deno.test("a batch is as long as its longest sequence, rounded up to a multiple of 4, and never longer than all", () => {
  const data = numberedTokens(40, 10), loader = new DataLoader(data, { batchSize: 2, shuffle: true });
  const steps = [...loader].map(({ shape, lengths }) => {
    assert.equal(shape[1], Math.min(10, 4 * Math.ceil(Math.max(...lengths!) / 4)));
    return shape[1]!;
  });
  assert.deepEqual([...new Set(steps)].sort((a, b) => a - b), [4, 8, 10]);
  assert.deepEqual(loader.largest, [2, 10]);
  // A split keeps all steps; without lengths nothing is cut.
  assert.ok(randomSplit(data, [0.5, 0.5]).every(({ shape }) => shape[1] === 10));
  assert.ok(
    [...new DataLoader({ ...data, lengths: undefined }, { batchSize: 2 })].every(({ shape }) => shape[1] === 10),
  );
  assert.deepEqual(new DataLoader({ ...data, lengths: new Int32Array(40).fill(3) }, { batchSize: 64 }).largest, [
    40,
    4,
  ]);
});

Deno.test("weights and lengths that are out of range are refused with their place", () => {
  const data = numberedTokens(5, 4);
  const refused = (part: object, name: string, message: RegExp) => {
    assert.throws(() => new DataLoader({ ...data, ...part }), { name, message });
    assert.throws(() => randomSplit({ ...data, ...part }, [0.6, 0.4]), { name, message });
  };
  refused({ weights: [1, 1, 1, 1, 1] }, "TypeError", /weights must be a Float32Array/);
  refused({ weights: new Float32Array(4) }, "RangeError", /weights must have 5 numbers, got 4/);
  refused({ weights: Float32Array.of(1, 1, 1, -0.5, 1) }, "RangeError", /weights .*from 0, got -0\.5 at 3/);
  refused({ weights: Float32Array.of(1, NaN, 1, 1, 1) }, "RangeError", /got NaN at 1/);
  refused({ lengths: Int32Array.of(1, 1, 0, 1, 1) }, "RangeError", /lengths must be from 1 to 4, got 0 at 2/);
  refused({ lengths: Int32Array.of(5, 1, 1, 1, 1) }, "RangeError", /lengths must be from 1 to 4, got 5 at 0/);
  refused({ x: new Float64Array(20) }, "TypeError", /x must be a Float32Array, or an Int32Array of tokens/);
});

Deno.test("a subset of sequences that a dataset has not is refused", () => {
  for (const row of [10, 500, -1, 0.5, NaN]) {
    const message = `Cannot take subset: rows must be from 0 to 9, got ${row} at 1`;
    assert.throws(() => subset(numbered(10), [3, row]), { name: "RangeError", message });
  }
  assert.deepEqual(numbersOf(subset(numbered(10), [9, 0])), [9, 0]);
});
