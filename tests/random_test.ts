import assert from "node:assert/strict";
import { philox, PURPOSES, Random, seedWords } from "../core/random.ts";

/** Known answers of philox4x32-10 from Random123 (tests/kat_vectors): counter, key, result. */
const KNOWN = [
  [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
  [Array(4).fill(0xffffffff), Array(2).fill(0xffffffff), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

Deno.test("philox gives the known answers of Random123", () => {
  for (const [counter, key, expected] of KNOWN) {
    const out = new Uint32Array(4);
    philox(out, ...(counter as [number, number, number, number]), ...(key as [number, number]));
    assert.deepEqual([...out], expected);
  }
});

Deno.test("a sequence is philox of (block, stream, 0, purpose) under the seed", () => {
  const seed = 2 ** 40 + 7, random = new Random(seed, "shuffle", 9), out = new Uint32Array(4);
  for (let block = 0; block < 3; block++) {
    philox(out, block, 9, 0, PURPOSES.shuffle, 7, 2 ** 8);
    assert.deepEqual(Array.from({ length: 4 }, () => random.word()), [...out]);
  }
});

Deno.test("seeds are two words, all different up to the largest", () => {
  assert.deepEqual(seedWords(0), [0, 0]);
  assert.deepEqual(seedWords(2 ** 32 - 1), [0xffffffff, 0]);
  assert.deepEqual(seedWords(2 ** 32), [0, 1]);
  assert.deepEqual(seedWords(Number.MAX_SAFE_INTEGER), [0xffffffff, 2 ** 21 - 1]);
});

for (const seed of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
  Deno.test(`${seed} is no seed`, () => {
    assert.throws(() => new Random(seed, "data"), { name: "RangeError", message: /integer from 0 to/ });
  });
}

Deno.test("purposes, streams and seeds give different sequences, and the same ones the same", () => {
  const draw = (...of: ConstructorParameters<typeof Random>) => {
    const random = new Random(...of);
    return Array.from({ length: 20 }, () => random.word()).join();
  };
  const all = [
    draw(0, "data"),
    draw(0, "split"),
    draw(0, "shuffle"),
    draw(0, "init"),
    draw(0, "dropout"),
    draw(0, "data", 1),
    draw(0, "data", 2),
    draw(1, "data"),
    draw(2 ** 32, "data"),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.equal(draw(0, "data", 2), all[6]);
});

/** Mean of f over 100,000 draws. */
function mean(draw: () => number, f: (value: number) => number = (value) => value): number {
  const N = 100_000;
  let sum = 0;
  for (let i = 0; i < N; i++) sum += f(draw());
  return sum / N;
}

// Bounds below are five standard deviations of a mean of 100,000 draws.

Deno.test("uniform numbers fill [0, 1) evenly", () => {
  const random = new Random(1, "data"), tenths = new Array(10).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const u = random.uniform();
    assert.ok(u >= 0 && u < 1);
    tenths[Math.floor(10 * u)]++;
  }
  // √(100,000·0.1·0.9) = 95
  for (const count of tenths) assert.ok(Math.abs(count - 10_000) < 475, `${tenths}`);
  // Neighbours do not hang together: u·u' has mean 1/4 and variance 7/144.
  const product = mean(() => random.uniform() * random.uniform());
  assert.ok(Math.abs(product - 0.25) < 5 * Math.sqrt(7 / 144 / 1e5), `${product}`);
});

Deno.test("normal numbers have the moments and the tails of N(0, 1)", () => {
  const draw = () => {
    const random = new Random(2, "data");
    return () => random.normal();
  };
  const near = (actual: number, expected: number, variance: number) =>
    assert.ok(Math.abs(actual - expected) < 5 * Math.sqrt(variance / 1e5), `${actual}, expected ${expected}`);
  near(mean(draw()), 0, 1);
  // The moments of N(0, 1) are 1, 3, 15, 105 for powers 2, 4, 6, 8.
  near(mean(draw(), (z) => z ** 2), 1, 3 - 1);
  near(mean(draw(), (z) => z ** 3), 0, 15);
  near(mean(draw(), (z) => z ** 4), 3, 105 - 9);
  const shares: [number, number][] = [[1, 0.317311], [2, 0.045500], [3, 0.0026998]];
  for (const [limit, share] of shares) near(mean(draw(), (z) => Number(Math.abs(z) > limit)), share, share);
  // Both numbers of a pair, one with the other.
  const random = new Random(3, "data");
  near(mean(() => random.normal() * random.normal()), 0, 1);
});

Deno.test("below(n) gives every number the same chance", () => {
  for (const n of [1, 2, 3, 7, 10, 97]) {
    const random = new Random(n, "data"), counts = new Array(n).fill(0);
    for (let i = 0; i < 1000 * n; i++) counts[random.below(n)]++;
    assert.equal(counts.length, n);
    for (const count of counts) assert.ok(Math.abs(count - 1000) < 5 * Math.sqrt(1000), `below ${n}: ${counts}`);
  }
});

Deno.test("below(n) draws again where a remainder would be likelier than others", () => {
  // Of 3·2³⁰, the remainders of 2³² up to 2³⁰ would come twice as often as the rest: half of all draws instead of a third.
  const n = 3 * 2 ** 30, random = new Random(4, "data");
  const low = mean(() => random.below(n), (value) => Number(value < 2 ** 30));
  assert.ok(Math.abs(low - 1 / 3) < 5 * Math.sqrt(2 / 9 / 1e5), `${low}`);
});

Deno.test("a permutation holds every number once, and every order is as likely", () => {
  const random = new Random(5, "data");
  for (const n of [0, 1, 2, 10, 1000]) {
    assert.deepEqual([...random.permutation(n)].sort((a, b) => a - b), Array.from({ length: n }, (_, i) => i));
  }
  const counts = new Map<string, number>();
  for (let i = 0; i < 24_000; i++) {
    const order = random.permutation(4).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 24);
  for (const [order, count] of counts) assert.ok(Math.abs(count - 1000) < 5 * Math.sqrt(1000), `${order}: ${count}`);
});
