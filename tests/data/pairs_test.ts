/** Pairs of sequences: their batches, parts and hashes. */

import assert from "node:assert/strict";
import { randomSplit, subset } from "../../core/data/dataset.ts";
import { hashDataset } from "../../core/data/hash.ts";
import { measurePairs, type PairDataset, PairLoader, ragged } from "../../core/data/pairs.ts";
import { Random } from "../../core/random.ts";

/** Pairs whose source says in its first token which it is. */
function drawn(N: number, seed = 1): PairDataset {
  const random = new Random(seed, "data");
  const side = (n: number) => [n + 4, ...Array.from({ length: random.below(20) }, () => 4 + random.below(9))];
  const sources = ragged(Array.from({ length: N }, (_, n) => side(n)));
  const targets = ragged(Array.from({ length: N }, (_, n) => [...side(n), 3]));
  return { sources, targets, weights: Float32Array.from({ length: N }, (_, n) => n) };
}

const firsts = (batch: { x: ArrayLike<number>; shape: readonly number[] }) =>
  Array.from({ length: batch.shape[0]! }, (_, b) => batch.x[b * batch.shape[1]!]! - 4);

Deno.test("batches of pairs hold every pair once, padded behind its length", () => {
  const N = 53, data = drawn(N), { sources, targets } = measurePairs(data);
  for (const buckets of [1, 3]) {
    const loader = new PairLoader(data, { batchSize: 8, shuffle: true, seed: 4, buckets }), seen: number[] = [];
    for (const batch of loader) {
      const [B, S] = batch.shape, U = batch.targetSteps;
      firsts(batch).forEach((n, b) => {
        seen.push(n);
        const own = sources.data.subarray(sources.starts[n]!, sources.starts[n]! + sources.lengths[n]!);
        assert.deepEqual([...batch.x.subarray(b * S, (b + 1) * S)], [...own, ...Array(S - own.length).fill(0)]);
        const said = targets.data.subarray(targets.starts[n]!, targets.starts[n]! + targets.lengths[n]!);
        assert.deepEqual([...batch.targets.subarray(b * U, (b + 1) * U)], [...said, ...Array(U - said.length).fill(0)]);
        assert.deepEqual([batch.lengths[b], batch.targetLengths[b]], [own.length, said.length]);
        assert.equal(batch.weights![b], n);
      });
      assert.ok(B === 8 || seen.length === N, "one that is not full is the last");
    }
    assert.deepEqual(seen.sort((a, b) => a - b), Array.from({ length: N }, (_, n) => n));
  }
});

Deno.test("the order of pairs depends on the seed and the pass alone, and begins anywhere", () => {
  const data = drawn(40),
    order = (buckets: number, pass: number, first = 0, seed = 2) =>
      [...new PairLoader(data, { batchSize: 6, shuffle: true, seed, buckets }).batches(pass, first)].map(firsts);
  for (const buckets of [1, 2, 100]) {
    assert.deepEqual(order(buckets, 3, 4), order(buckets, 3).slice(4));
    assert.notDeepEqual(order(buckets, 3), order(buckets, 4));
    assert.notDeepEqual(order(buckets, 3), order(buckets, 3, 0, 5));
  }
});

Deno.test("sorted batches hold what the others do, by falling lengths of targets, then sources", () => {
  const data = drawn(70),
    batches = (
      sorted: boolean,
    ) => [...new PairLoader(data, { batchSize: 16, shuffle: true, seed: 3, buckets: 2, sorted })];
  const plain = batches(false);
  batches(true).forEach((batch, i) => {
    assert.deepEqual(firsts(batch).sort(), firsts(plain[i]!).sort());
    for (let b = 1; b < batch.lengths.length; b++) {
      const [before, after] = [batch.targetLengths[b - 1]!, batch.targetLengths[b]!];
      assert.ok(before > after || before === after && batch.lengths[b - 1]! >= batch.lengths[b]!);
    }
  });
});

Deno.test("buckets make batches of similar lengths, whatever the order", () => {
  const data = drawn(400),
    padding = (buckets: number, shuffle: boolean) => {
      let sum = 0;
      for (const { targetSteps, targetLengths } of new PairLoader(data, { batchSize: 20, shuffle, buckets })) {
        for (const length of targetLengths) sum += targetSteps - length;
      }
      return sum;
    };
  for (const shuffle of [false, true]) assert.ok(padding(10, shuffle) < padding(1, shuffle) / 4);
});

Deno.test("pairs are split and hashed as other datasets are", async () => {
  const data = drawn(30), [first, second] = randomSplit(data, [0.6, 0.4], 1);
  assert.deepEqual([first!.sources.lengths.length, second!.sources.lengths.length], [18, 12]);
  assert.deepEqual(subset(data, Array.from({ length: 30 }, (_, n) => n)), data);
  const hash = await hashDataset(data);
  assert.equal(await hashDataset(drawn(30)), hash);
  const { sources, targets } = data, moved = { data: targets.data, lengths: targets.lengths.slice() };
  moved.lengths[0]!++, moved.lengths[1]!--;
  for (
    const other of [drawn(30, 2), { sources, targets }, { ...data, targets: moved }, { ...data, sources: targets }]
  ) {
    assert.notEqual(await hashDataset(other), hash);
  }
});

Deno.test("pairs of numbers have as many for every step, and a start of their own", () => {
  const data: PairDataset = {
    sources: ragged([[1, 2, 3, 4], [5, 6]], 2),
    targets: ragged([[7, 8, 9], [1, 2, 3, 4, 5, 6]], 3),
    start: Float32Array.of(1, 2, 3, 4, 5, 6),
  };
  const [batch] = new PairLoader(subset(data, [1, 0]));
  assert.deepEqual(batch!.shape, [2, 2, 2]);
  assert.deepEqual([...batch!.x], [5, 6, 0, 0, 1, 2, 3, 4]);
  assert.deepEqual([...batch!.targets], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0]);
  assert.deepEqual([...batch!.start!], [4, 5, 6, 1, 2, 3]);
});

Deno.test("pairs that do not fit are refused in words", () => {
  const good = drawn(3), { sources, targets } = good;
  const bad: [RegExp, unknown][] = [
    [/sources must be \{ data, lengths \}/, { sources: [[1]], targets }],
    [/targets must have a step or more each, got 0 in pair 1/, {
      sources,
      targets: { data: Int32Array.of(3, 3), lengths: Int32Array.of(1, 0, 1) },
    }],
    [/targets.lengths must have 3 numbers, got 2/, { sources, targets: ragged([[3], [3]]) }],
    [/sources.data must have 2 tokens, got 3/, {
      sources: { data: Int32Array.of(1, 2, 3), lengths: Int32Array.of(2) },
      targets: ragged([[3]]),
    }],
    [/weights must be numbers from 0, got -1 at 2/, { ...good, weights: Float32Array.of(1, 1, -1) }],
    [/start must have 3 numbers, got 1/, { ...good, start: new Float32Array(1) }],
  ];
  for (const [message, data] of bad) assert.throws(() => new PairLoader(data as PairDataset), message);
  assert.throws(() => subset(good, [3]), /rows must be from 0 to 2, got 3 at 0/);
  assert.throws(() => ragged([[1], []]), /sequence 1 is empty/);
  for (const token of [1.5, NaN, 2 ** 31]) {
    const words = new RegExp(`sequence 1 must be tokens, integers, got ${token} at step 2: pass size`);
    assert.throws(() => ragged([[1], [4, 3, token]]), words);
  }
  assert.throws(() => ragged([[1, 2, 3]], 2), /sequence 0 must have 2 numbers for every step, got 3/);
});
