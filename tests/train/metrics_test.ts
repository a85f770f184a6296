import assert from "node:assert/strict";
import {
  classificationMetrics,
  createModel,
  evaluate,
  formatConfusion,
  formatMetrics,
  predict,
  regressionMetrics,
  sampleDataset,
  summarize,
} from "../../mod.ts";
import { choiceMetrics } from "../../core/data/metrics/classification.ts";

interface PerClass {
  precision: number[];
  recall: number[];
  f1: number[];
  support: number[];
}
interface OneClass extends PerClass {
  name: string;
  outputs: number;
  scores: number[];
  targets: number[];
  accuracy: number;
  balancedAccuracy: number;
  macroF1: number;
  rocAuc: number | null;
  confusion: number[][];
}
interface Multilabel extends PerClass {
  name: string;
  outputs: number;
  scores: number[];
  targets: number[];
  subsetAccuracy: number;
  labelAccuracy: number;
  macroF1: number;
  microF1: number;
  accuracy: number[];
  rocAuc: (number | null)[];
}
type Errors<T> = { mse: T; rmse: T; mae: T; r2: T };
interface Regression extends Errors<number> {
  name: string;
  shape: number[];
  truth: number[];
  predicted: number[];
  perOutput: Errors<number[]>;
}
const FIXTURES = JSON.parse(await Deno.readTextFile(new URL("../testdata/metrics.json", import.meta.url))) as {
  oneClass: OneClass[];
  multilabel: Multilabel[];
  regression: Regression[];
};

/** Sums in another order differ in the last digits. */
function near(actual: number | undefined, expected: number | null, what: string) {
  if (expected === null) return assert.equal(actual, undefined, what);
  const allowed = 1e-13 * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(actual! - expected) <= allowed, `${what}: ${actual}, scikit-learn ${expected}`);
}

for (const { name, outputs, scores, targets, confusion, ...expected } of FIXTURES.oneClass) {
  const table = { shape: [targets.length, outputs], data: Float32Array.from(scores) };
  const oneHot = Float32Array.from(
    { length: targets.length * outputs },
    (_, i) => outputs === 1 ? targets[i]! : Number(targets[Math.floor(i / outputs)] === i % outputs),
  );
  const forms = outputs === 1 ? [oneHot] : [oneHot, Int32Array.from(targets)];
  for (const [form, given] of forms.entries()) {
    Deno.test(`classes are judged as by scikit-learn: ${name}, ${form ? "class numbers" : "one-hot"}`, () => {
      const metrics = classificationMetrics(table, given, { multilabel: false });
      assert.ok(metrics.kind === "classification");
      assert.deepEqual(metrics.confusion, confusion);
      for (const key of ["accuracy", "balancedAccuracy", "macroF1", "rocAuc"] as const) {
        near(metrics[key], expected[key], key);
      }
      assert.equal(metrics.perClass.length, Math.max(2, outputs));
      for (const [i, { label, ...each }] of metrics.perClass.entries()) {
        assert.equal(label, String(i));
        for (const [key, value] of Object.entries(each)) {
          near(value, expected[key as keyof PerClass][i]!, `${key} ${i}`);
        }
      }
      assert.deepEqual(JSON.parse(JSON.stringify(metrics)), metrics, "it is plain JSON: no NaN");
    });
  }
}

Deno.test("100,000 classes take the room of what occurs, and read as a matrix", () => {
  const K = 100_000, N = 5, truth = Int32Array.of(7, 7, 99_999, 0, 7), found = Int32Array.of(7, 3, 99_999, 3, 3);
  const labels = Array.from({ length: K }, (_, i) => `c${i}`);
  const metrics = choiceMetrics({ found, score: new Float32Array(N) }, truth, labels), { confusion } = metrics;
  assert.deepEqual([metrics.accuracy, metrics.balancedAccuracy], [2 / 5, (0 + 1 / 3 + 1) / 3]);
  assert.deepEqual([confusion.length, confusion[7]!.length, confusion[8]!.length], [K, K, K]);
  assert.deepEqual([confusion[7]![7], confusion[7]![3], confusion[7]![4], confusion[7]![K]], [1, 2, 0, undefined]);
  assert.deepEqual([confusion[0]!.indexOf(1), confusion[8]!.indexOf(1)], [3, -1]);
  assert.equal(confusion[7]!.reduce((a, b) => a + b, 0), 3);
  assert.equal(confusion[7]!.filter((count) => count === 0).length, K - 2);
  assert.equal(JSON.parse(JSON.stringify(confusion[7]))[3], 2);
  assert.throws(() => (confusion[7] as number[])[0] = 1, TypeError);
  const shown = formatConfusion({ labels, counts: confusion }, { columns: 60 }).split("\n");
  assert.match(shown[2]!, /^ 2 c1 /, "of equals the first");
  assert.ok(shown.at(-1)!.includes("others"));
  const rows = formatMetrics(metrics).split("\n");
  assert.equal(rows.length, 202);
  assert.ok(["c0", "c7", "c99999"].every((name) => rows.some((row) => row.startsWith(`${name} `))), "those that occur");
  assert.equal(rows.at(-1), "the 200 most frequent of 100000 classes");
});

Deno.test("the matrix of many classes is that of few", () => {
  const random = (i: number, K: number) => i * 7919 % 31 * 41 % K, N = 400;
  const [truth, found] = [3, 5].map((step) => Int32Array.from({ length: N }, (_, i) => random(i * step, 1200)));
  const labels = Array.from({ length: 1200 }, (_, i) => String(i)), score = new Float32Array(N);
  const few = choiceMetrics(
    { found: found!.map((c) => c % 1000), score },
    truth!.map((c) => c % 1000),
    labels.slice(0, 1000),
  );
  const many = choiceMetrics({ found: found!.map((c) => c % 1000), score }, truth!.map((c) => c % 1000), labels);
  assert.deepEqual(many.confusion.slice(0, 1000).map((row) => [...row].slice(0, 1000)), few.confusion);
  assert.deepEqual(many.perClass.slice(0, 1000), few.perClass);
});

for (const { name, outputs, scores, targets, ...expected } of FIXTURES.multilabel) {
  Deno.test(`labels are judged as by scikit-learn: ${name}`, () => {
    const table = { shape: [targets.length / outputs, outputs], data: Float32Array.from(scores) };
    const metrics = classificationMetrics(table, Float32Array.from(targets));
    assert.ok(metrics.kind === "multilabel");
    for (const key of ["subsetAccuracy", "labelAccuracy", "macroF1", "microF1"] as const) {
      near(metrics[key], expected[key], key);
    }
    assert.equal(metrics.perLabel.length, outputs);
    for (const [i, { label: _, ...each }] of metrics.perLabel.entries()) {
      near(each.rocAuc, expected.rocAuc[i]!, `rocAuc ${i}`);
      for (const key of ["precision", "recall", "f1", "support", "accuracy"] as const) {
        near(each[key], expected[key][i]!, `${key} ${i}`);
      }
    }
    assert.deepEqual(JSON.parse(JSON.stringify(metrics)), metrics);
  });
}

for (const { name, shape, truth, predicted, perOutput, ...expected } of FIXTURES.regression) {
  Deno.test(`numbers are judged as by scikit-learn: ${name}`, () => {
    const rows = { shape, data: truth },
      metrics = regressionMetrics({ shape, data: predicted }, rows, { baseline: rows });
    for (const key of ["mse", "rmse", "mae", "r2"] as const) {
      near(metrics[key], expected[key], key);
      for (let o = 0; o < shape[1]!; o++) {
        near((metrics.perOutput?.[o] ?? metrics)[key], perOutput[key][o]!, `${key} ${o}`);
      }
    }
    assert.equal(metrics.perOutput?.length, shape[1]! > 1 ? shape[1] : undefined);
    assert.deepEqual(metrics.persistence, { mse: 0, rmse: 0, mae: 0, r2: 1 });
  });
}

Deno.test("a single number has an R² of 1 or 0", () => {
  const one = (value: number) => ({ shape: [1, 1], data: [value] });
  assert.equal(regressionMetrics(one(3), one(3)).r2, 1);
  assert.equal(regressionMetrics(one(2), one(3)).r2, 0);
});

Deno.test("evaluate gives the metrics of the task with what they are computed from", async () => {
  const data = sampleDataset({ size: 77, seed: 3 }),
    classes = Int32Array.from(
      { length: 77 },
      (_, i) => data.targets[2 * i] ? 0 : 1,
    );
  using model = await createModel({ inputSize: 5, hiddenSize: 6, outputSize: 2 }, { seed: 1 });
  const bce = { loss: "bce" } as const, plain = await evaluate(model, data, bce), labels = ["above", "below"];
  const options = { ...bce, metrics: true, labels, batchSize: 32 } as const;
  const { metrics, outputs, probabilities, ...rest } = await evaluate(model, data, options);
  assert.equal(probabilities, outputs);
  assert.deepEqual(rest, plain);
  assert.deepEqual(outputs.data, (await predict(model, data, bce)).outputs.data);
  assert.ok(metrics.kind === "classification" && metrics.accuracy === plain.accuracy && metrics.rocAuc !== undefined);
  assert.deepEqual(metrics.perClass.map(({ label }) => label), labels);

  const loss = "crossEntropy";
  const numbered = await evaluate(model, { ...data, targets: classes }, { loss, metrics: true });
  assert.ok(numbered.metrics.kind === "classification" && numbered.metrics.accuracy === numbered.accuracy);
  const many = await evaluate(model, data, { ...bce, metrics: true, multilabel: true });
  assert.equal(many.metrics.kind, "multilabel");
  const numbers = await evaluate(model, data, { loss: "mse", metrics: true });
  assert.ok(numbers.metrics.kind === "regression");
  assert.ok(Math.abs(numbers.metrics.mse - numbers.lossOverSamples) < 1e-6);
});

Deno.test("mean and sample standard deviation", () => {
  assert.deepEqual(summarize([0.5]), { mean: 0.5, sd: 0 });
  assert.deepEqual(summarize([1, 3]), { mean: 2, sd: Math.SQRT2 });
  assert.throws(() => summarize([]), RangeError);
});

Deno.test("bad arguments are refused with what is wrong", () => {
  const table = (data: number[], ...shape: number[]) => ({ data, shape });
  const wrong = (run: () => unknown, name: string, message: RegExp) => assert.throws(run, { name, message });
  const scores = table([0.1, 0.9, 0.3, 0.7], 2, 2);
  wrong(() => classificationMetrics(table([NaN], 1, 1), Float32Array.of(1)), "RangeError", /got NaN at \[0,0\]/);
  wrong(() => classificationMetrics(scores, Int32Array.of(0, 2)), "RangeError", /classes from 0 to 1, got 2/);
  wrong(() => classificationMetrics(scores, Int32Array.of(0)), "RangeError", /targets must have 2 or 4 .*got 1/);
  wrong(() => classificationMetrics(scores, Int32Array.of(0, 1), { labels: ["a"] }), "RangeError", /2 names, got 1/);
  wrong(() => classificationMetrics(scores, Int32Array.of(0, 1), { multilabel: true }), "TypeError", /one number per/);
  wrong(
    () => classificationMetrics(scores, Float32Array.of(1, 1, 0, 0), { multilabel: false }),
    "RangeError",
    /must be one-hot/,
  );
  wrong(() => classificationMetrics(table([], 0, 2), new Int32Array(0)), "RangeError", /got 0 for shape \[0,2\]/);
  wrong(() => regressionMetrics(scores, table([1, 2], 2, 1)), "RangeError", /shape \[2,1\], got \[2,2\]/);
  wrong(() => regressionMetrics(table([1], 1, 1), table([Infinity], 1, 1)), "RangeError", /truth .*Infinity/);
});
