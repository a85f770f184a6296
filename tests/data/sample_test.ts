import assert from "node:assert/strict";
import { sampleDataset } from "../../mod.ts";

Deno.test("sample data have the sample job's shape by default", () => {
  const { x, shape, targets, lengths } = sampleDataset();
  assert.deepEqual(shape, [1000, 10, 5]);
  assert.deepEqual([x.length, targets.length, lengths], [50000, 2000, undefined]);
  assert.ok(x instanceof Float32Array && targets instanceof Float32Array);
});

Deno.test("the label is [1, 0] where a sequence's sum is above 0, else [0, 1]", () => {
  const { x, targets } = sampleDataset({ size: 400, steps: 3, features: 2, seed: 4 });
  for (let i = 0; i < 400; i++) {
    const sum = x.subarray(6 * i, 6 * i + 6).reduce((a, b) => a + b, 0);
    assert.deepEqual([...targets.subarray(2 * i, 2 * i + 2)], sum > 0 ? [1, 0] : [0, 1], `sequence ${i}`);
  }
});

Deno.test("the same seed draws the same data, another seed others", () => {
  const [first, second, other] = [5, 5, 6].map((seed) => sampleDataset({ size: 20, seed }));
  assert.deepEqual(first, second);
  assert.notDeepEqual(first!.x, other!.x);
  assert.notDeepEqual(first!.targets, other!.targets);
});

Deno.test("a larger dataset begins with the smaller one", () => {
  const small = sampleDataset({ size: 7, seed: 1 }), large = sampleDataset({ size: 90, seed: 1 });
  assert.deepEqual(large.x.subarray(0, small.x.length), small.x);
});

// Bounds of five standard errors: a right generator fails once in a million seeds, and the seed is fixed.
Deno.test("sample data are independent N(0, 1), half of them of each class", () => {
  const { x, targets } = sampleDataset({ size: 4000, seed: 2 }), N = x.length;
  const moment = (k: number) => x.reduce((sum, value) => sum + value ** k, 0) / N;
  const near = (value: number, expected: number, variance: number, what: string) =>
    assert.ok(Math.abs(value - expected) < 5 * Math.sqrt(variance / N), `${what} is ${value}`);
  near(moment(1), 0, 1, "mean");
  near(moment(2), 1, 2, "variance");
  near(moment(3), 0, 15, "third moment");
  near(moment(4), 3, 96, "fourth moment");
  for (const lag of [1, 2, 5, 50]) {
    const product = x.subarray(lag).reduce((sum, value, i) => sum + value * x[i]!, 0) / N;
    near(product, 0, 1, `correlation at lag ${lag}`);
  }
  const first = Array.from(targets).filter((target, i) => target && i % 2 === 0).length;
  assert.ok(Math.abs(first - 2000) < 5 * Math.sqrt(1000), `${first} of 4000 are of the first class`);
});

Deno.test("wrong options of sample data are refused by name and value", () => {
  assert.throws(() => sampleDataset({ size: 0 }), { name: "RangeError", message: /size must be .* from 1 .*got 0/ });
  assert.throws(() => sampleDataset({ steps: 1.5 }), { name: "RangeError", message: /steps .*integer.*1\.5/ });
  assert.throws(() => sampleDataset({ features: NaN }), { name: "RangeError", message: /features .*NaN/ });
  assert.throws(() => sampleDataset({ seed: -1 }), { name: "RangeError", message: /seed .*-1/ });
  assert.throws(() => sampleDataset({ size: "9" as never }), { name: "TypeError", message: /size .*"9"/ });
  assert.throws(() => sampleDataset({ seed: null as never }), { name: "TypeError", message: /seed .*null/ });
  assert.throws(() => sampleDataset({ rows: 9 } as never), { name: "TypeError", message: /unknown option "rows"/ });
});

Deno.test("sample data that would not fit are refused with the arithmetic", () => {
  const message =
    "Cannot make data: 100000000 sequences of 10 steps of 5 numbers are 5000000000 numbers, 19074 MiB, more " +
    "than 536870912, 2048 MiB";
  assert.throws(() => sampleDataset({ size: 1e8 }), { name: "RangeError", message });
});
