import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import { everyNth, kFold, randomIndices, stratifiedSplit, timeSplit, walkForward } from "../../mod.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
const lists = (parts: Iterable<Uint32Array>) => Array.from(parts, (part) => [...part]);

/** That the parts hold every item once, each in rising order. */
function assertParts(parts: readonly Uint32Array[], n: number) {
  for (const part of parts) assert.deepEqual([...part], [...part].sort((a, b) => a - b));
  assert.deepEqual(lists(parts).flat().sort((a, b) => a - b), upTo(n));
}

const classes = fc.array(fc.constantFrom("a", "b", "c", "d", "__proto__"), { minLength: 12, maxLength: 80 });
const shares = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }).map((weights) => {
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum).sort((a, b) => b - a);
});
const seed = fc.integer({ min: 0, max: 1e6 });

Deno.test("stratified parts hold every class in the shares, up to rounding, and so do the parts as a whole", () => {
  fc.assert(fc.property(classes, shares, seed, (classes, shares, seed) => {
    let parts: Uint32Array[];
    try {
      parts = stratifiedSplit(classes, shares, seed);
    } catch (error) {
      assert.match((error as Error).message, /are too few for shares/);
      return;
    }
    assertParts(parts, classes.length);
    const forced = new Set<string>();
    for (const name of new Set(classes)) {
      const n = classes.filter((other) => other === name).length;
      if (n * shares[0]! < 1) forced.add(name);
      parts.forEach((part, p) => {
        const got = [...part].filter((i) => classes[i] === name).length, exact = n * shares[p]!;
        if (p === 0) assert.ok(got >= 1, `no "${name}" to train on`);
        if (!forced.has(name)) assert.ok(Math.abs(got - exact) < 1 + 1e-9, `${got} of "${name}" are not ${exact}`);
      });
    }
    if (forced.size) return;
    parts.forEach((part, p) => {
      const exact = classes.length * shares[p]!;
      assert.ok(Math.abs(part.length - exact) < 2, `${part.length} items are not ${exact}`);
    });
  }));
});

Deno.test("a class of one item goes to the first part", () => {
  for (let seed = 0; seed < 20; seed++) {
    const [train] = stratifiedSplit(["a", "a", "a", "rare", "a", "b", "b"], [0.5, 0.5], seed);
    assert.ok(train!.includes(3));
  }
});

Deno.test("random parts are complete, the same for the same seed and others for another", () => {
  const parts = randomIndices(40, [0.5, 0.3, 0.2], 3);
  assertParts(parts, 40);
  assert.deepEqual(parts.map(({ length }) => length), [20, 12, 8]);
  assert.deepEqual(randomIndices(40, [0.5, 0.3, 0.2], 3), parts);
  assert.notDeepEqual(randomIndices(40, [0.5, 0.3, 0.2], 4), parts);
  const names = Array.from({ length: 40 }, (_, i) => i % 3);
  assert.deepEqual(stratifiedSplit(names, [0.5, 0.5], 3), stratifiedSplit(names, [0.5, 0.5], 3));
  assert.notDeepEqual(stratifiedSplit(names, [0.5, 0.5], 3), stratifiedSplit(names, [0.5, 0.5], 4));
  assert.notDeepEqual([...stratifiedSplit(names, [0.5, 0.5])[0]!], upTo(20));
});

Deno.test("every nth item is counted within its group", () => {
  const { train, test } = everyNth(8, 3, ["x", "x", "y", "x", "x", "y", "y", "y"]);
  assert.deepEqual(lists([train, test]), [[1, 3, 5, 6], [0, 2, 4, 7]]);
});

Deno.test("folds test every item once, at random or in one piece, with every class spread evenly", () => {
  fc.assert(fc.property(classes, fc.integer({ min: 2, max: 5 }), seed, fc.boolean(), (classes, k, seed, shuffle) => {
    for (const given of [undefined, classes]) {
      const folds = kFold(classes.length, k, seed, { classes: given, shuffle });
      assertParts(folds.map(({ test }) => test), classes.length);
      for (const { train, test } of folds) {
        assertParts([train, test], classes.length);
        assert.ok(Math.abs(test.length - classes.length / k) < 1);
        for (const name of given ? new Set(classes) : []) {
          const share = classes.filter((other) => other === name).length / k;
          assert.ok(Math.abs([...test].filter((i) => classes[i] === name).length - share) < 1);
        }
      }
    }
  }));
  assert.deepEqual(lists(kFold(5, 2, 0, { shuffle: false }).map(({ test }) => test)), [[0, 1, 2], [3, 4]]);
});

Deno.test("walking forward, what is tested comes after all that is trained on", () => {
  // sklearn.model_selection.TimeSeriesSplit(n_splits=4, test_size=2, gap=1).split(range(11))
  assert.deepEqual(
    walkForward(11, 4, { testSize: 2, gap: 1 }).map(({ train, test }) => lists([train, test])),
    [[upTo(2), [3, 4]], [upTo(4), [5, 6]], [upTo(6), [7, 8]], [upTo(8), [9, 10]]],
  );
  assert.deepEqual(walkForward(7, 2).map(({ trainRows, testRows }) => [trainRows, testRows]), [
    [[0, 3], [3, 5]],
    [[0, 5], [5, 7]],
  ]);
});

Deno.test("parts in time follow one another", () => {
  assert.deepEqual(timeSplit(11, [0.6, 0.2, 0.2]), [[0, 7], [7, 9], [9, 11]]);
  assert.deepEqual(timeSplit(11, [8, 3]), [[0, 8], [8, 11]]);
});

Deno.test("what cannot be split is refused", () => {
  assert.throws(() => stratifiedSplit([], [1]), /^RangeError: Cannot split dataset: there must be items, got 0/);
  assert.throws(() => stratifiedSplit(["a"], [0.5, 0.6]), /shares must be above 0 and add up to 1, got \[0.5,0.6\]/);
  assert.throws(() => stratifiedSplit(["a"], [0.5, 0.5]), /1 items are too few for shares/);
  assert.throws(() => randomIndices(3, [1, 1]), /parts must be shares that add up to 1, or counts that add up to 3/);
  assert.throws(() => timeSplit(3, [0.9, 0.05, 0.05]), /./);
  assert.throws(() => everyNth(5, 1), /must be an integer from 2, got 1/);
  assert.throws(() => everyNth(1, 5), /of 1 items nothing is left to train on/);
  assert.throws(() => everyNth(5, 2, ["a"]), /there must be 5 groups, one for each item, got 1/);
  assert.throws(() => kFold(3, 4), /folds must be an integer from 2 to 3, got 4/);
  assert.throws(() => kFold(3, 2, 0, { classes: ["a"] }), /there must be 3 classes, one for each item, got 1/);
  assert.throws(() => walkForward(5, 0), /folds must be an integer from 1, got 0/);
  assert.throws(
    () => walkForward(5, 2, { testSize: 2, gap: 1 }),
    /5 items are too few for 2 folds with tests of 2 and gaps of 1/,
  );
});
