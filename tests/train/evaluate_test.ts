import assert from "node:assert/strict";
import {
  createModel,
  createTrainer,
  DataLoader,
  errorCode,
  evaluate,
  type LossName,
  type ModelConfig,
  predict,
  sampleDataset,
} from "../../mod.ts";
import { LOSSES } from "../batches.ts";

const CONFIG = { inputSize: 5, hiddenSize: 7, outputSize: 3, dropout: 0.5 },
  BCE: ModelConfig = { ...CONFIG, loss: "bce" };
const { x, shape } = sampleDataset({ size: 37, steps: 6, seed: 2 });
const TARGETS = {
  bce: Float32Array.from({ length: 37 * 3 }, (_, i) => Number(i % 4 === 0)),
  crossEntropy: Int32Array.from({ length: 37 }, (_, i) => i % 3),
  mse: Float32Array.from({ length: 37 * 3 }, (_, i) => Math.cos(i)),
} satisfies Record<(typeof LOSSES)[number], Float32Array | Int32Array>;

function near(actual: number, expected: number, what: string) {
  assert.ok(Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, ${expected}`);
}

/** The loss of one row of logits, from its definition. */
function lossOf(loss: LossName, logits: number[], targets: ArrayLike<number>, row: number): number {
  if (loss === "crossEntropy") {
    return Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0)) - logits[targets[row]!]!;
  }
  const each = logits.map((z, o) => {
    const t = targets[3 * row + o]!;
    return loss === "mse" ? (z - t) ** 2 : Math.log1p(Math.exp(z)) - z * t;
  });
  return each.reduce((a, b) => a + b) / 3;
}

Deno.test("evaluate is the mean of the batches' losses and the share of right sequences", async () => {
  using model = await createModel(CONFIG, { seed: 4 });
  const { logits: { data } } = await model.forward({ x, shape });
  const rows = Array.from({ length: 37 }, (_, i) => Array.from(data.subarray(3 * i, 3 * i + 3)));
  const largest = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
  for (const loss of LOSSES) {
    const targets = TARGETS[loss], each = rows.map((row, i) => lossOf(loss, row, targets, i));
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    const batches = [each.slice(0, 16), each.slice(16, 32), each.slice(32)];
    const right = rows.filter((row, i) =>
      largest(row) === (loss === "crossEntropy" ? targets[i] : largest(targets.subarray(3 * i, 3 * i + 3)))
    );
    const metrics = await evaluate(model, { x, shape, targets }, { loss, batchSize: 16 });
    near(metrics.loss, mean(batches.map(mean)), `${loss}, mean of batches`);
    near(metrics.lossOverSamples, mean(each), `${loss}, mean of sequences`);
    assert.equal(metrics.accuracy, loss === "mse" ? 0 : right.length / 37, loss);
    if (loss !== "mse") assert.ok(right.length > 3 && right.length < 30, `${right.length} right tell nothing`);
  }
});

Deno.test("with one output a sequence is right where logit and target are on one side", async () => {
  using model = await createModel({ ...CONFIG, outputSize: 1 }, { seed: 4 });
  const { logits: { data } } = await model.forward({ x, shape });
  const median = data.toSorted()[18]!;
  const targets = data.map((logit) => Number(logit > median));
  const right = Array.from(data).filter((logit, i) => (logit > 0) === (targets[i]! > 0.5)).length;
  const { accuracy } = await evaluate(model, { x, shape, targets }, { loss: "bce" });
  assert.equal(accuracy, right / 37);
});

Deno.test("evaluate is in evaluation mode and changes nothing", async () => {
  using model = await createModel(BCE, { seed: 4 });
  const before = await model.stateDict(), dataset = { x, shape, targets: TARGETS.bce };
  const first = await evaluate(model, dataset);
  assert.deepEqual(await evaluate(model, dataset), first);
  assert.deepEqual(await model.stateDict(), before);
});

Deno.test("the number of sequences per batch changes no mean over sequences", async () => {
  using model = await createModel(BCE, { seed: 4 });
  const dataset = { x, shape, targets: TARGETS.bce }, whole = await evaluate(model, dataset, { batchSize: 37 });
  near(whole.loss, whole.lossOverSamples, "one batch");
  for (const batchSize of [1, 5, 36]) {
    const metrics = await evaluate(model, dataset, { batchSize });
    near(metrics.lossOverSamples, whole.lossOverSamples, `batches of ${batchSize}`);
    assert.equal(metrics.accuracy, whole.accuracy);
  }
});

Deno.test("evaluate and predict go by the loss of the trainer made last", async () => {
  using model = await createModel(CONFIG, { seed: 4 });
  createTrainer(model, { loss: "mse" });
  const dataset = { x, shape, targets: TARGETS.mse };
  assert.deepEqual(await evaluate(model, dataset), await evaluate(model, dataset, { loss: "mse" }));
  assert.deepEqual(await predict(model, { x, shape }), await predict(model, { x, shape }, { loss: "mse" }));
});

Deno.test("predict gives probabilities of each output for bce, of all for crossEntropy, values for mse", async () => {
  using model = await createModel(CONFIG, { seed: 4 });
  const state = await model.stateDict();
  // Logits from −30 to 30: a sigmoid that is but about right would show.
  await model.loadStateDict({ ...state, "fc.bias": { shape: [3], data: Float32Array.of(-30, 0.3, 30) } });
  const { logits } = await model.forward({ x, shape });
  const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
  for (const loss of LOSSES) {
    const { probabilities: { shape: size, data } } = await predict(model, { x, shape }, { loss });
    assert.deepEqual(size, [37, 3]);
    for (let i = 0; i < 37; i++) {
      const row = Array.from(data.subarray(3 * i, 3 * i + 3)), z = Array.from(logits.data.subarray(3 * i, 3 * i + 3));
      const sum = z.reduce((total, value) => total + Math.exp(value), 0);
      row.forEach((value, o) => {
        const expected = loss === "mse" ? z[o]! : loss === "bce" ? sigmoid(z[o]!) : Math.exp(z[o]!) / sum;
        near(value, expected, `${loss} at ${i}, ${o}`);
        if (loss !== "mse") assert.ok(value >= 0 && value <= 1, `${loss}: ${value}`);
      });
      if (loss === "crossEntropy") near(row.reduce((a, b) => a + b), 1, `sum of row ${i}`);
    }
  }
});

Deno.test("attention weights add up to 1, and are 0 behind a sequence's length", async () => {
  using model = await createModel({ ...BCE, bidirectional: true, numLayers: 2 }, { seed: 4 });
  const lengths = Int32Array.from({ length: 37 }, (_, i) => 1 + i % 6);
  const { attentionWeights: { shape: size, data } } = await predict(model, { x, shape, lengths });
  assert.deepEqual(size, [37, 6]);
  lengths.forEach((length, i) => {
    const row = Array.from(data.subarray(6 * i, 6 * i + 6));
    near(row.reduce((a, b) => a + b), 1, `row ${i}`);
    assert.ok(row.slice(0, length).every((weight) => weight > 0));
    assert.ok(row.slice(length).every((weight) => weight === 0));
  });
});

Deno.test("a sequence is evaluated and predicted up to its length, whatever stands behind", async () => {
  using model = await createModel(BCE, { seed: 4 });
  const lengths = Int32Array.from({ length: 37 }, (_, i) => 1 + i % 6), garbage = x.slice();
  lengths.forEach((length, i) => garbage.fill(NaN, 30 * i + 5 * length, 30 * (i + 1)));
  assert.deepEqual(await predict(model, { x: garbage, shape, lengths }), await predict(model, { x, shape, lengths }));
  const score = (x: Float32Array, lengths?: Int32Array) => evaluate(model, { x, shape, targets: TARGETS.bce, lengths });
  assert.deepEqual(await score(garbage, lengths), await score(x, lengths));
  assert.notEqual((await score(x, lengths)).loss, (await score(x)).loss);
  // One sequence cut off is what it is among longer ones.
  const cut = { x: x.slice(30, 30 + 10), shape: [1, 2, 5] };
  const [alone, among] = [await predict(model, cut), await predict(model, { x, shape, lengths })];
  alone.probabilities.data.forEach((value, o) => near(among.probabilities.data[3 + o]!, value, `output ${o}`));
});

Deno.test("predict gives each sequence what it gets by itself", async () => {
  using model = await createModel(BCE, { seed: 4 });
  const { probabilities } = await predict(model, { x, shape });
  const parts = [...new DataLoader({ x, shape, targets: TARGETS.bce }, { batchSize: 7 })];
  const each = [];
  for (const part of parts) each.push(...(await predict(model, part)).probabilities.data);
  each.forEach((value, i) => near(value, probabilities.data[i]!, `number ${i}`));
});

Deno.test("bad arguments of evaluate and predict are refused with name and value", async () => {
  using model = await createModel(CONFIG, { seed: 4 });
  using told = await createModel(BCE, { seed: 4 });
  const wrong = (run: Promise<unknown>, name: string, message: RegExp) => assert.rejects(run, { name, message });
  const dataset = { x, shape, targets: TARGETS.bce };
  await wrong(evaluate(told, dataset, { batchSize: 0 }), "RangeError", /batchSize .*got 0/);
  await wrong(evaluate(model, dataset, { loss: "hinge" as LossName }), "TypeError", /loss must be one of .*"hinge"/);
  await wrong(evaluate(model, dataset, { loss: "crossEntropy" }), "TypeError", /Int32Array, got Float32Array/);
  await wrong(
    evaluate(told, { ...dataset, targets: new Int32Array(37) }),
    "TypeError",
    /Float32Array, got Int32Array/,
  );
  const class3 = { ...dataset, targets: new Int32Array(37).fill(3) };
  await wrong(evaluate(model, class3, { loss: "crossEntropy" }), "RangeError", /classes from 0 to 2, got 3/);
  await wrong(evaluate(told, { ...dataset, lengths: new Int32Array(37) }), "RangeError", /from 1 to 6, got 0/);
  await wrong(predict(told, { x, shape: [37, 5, 6] }), "RangeError", /inputSize 5, got \[37,5,6\]/);
  await wrong(predict(model, { x, shape }, { loss: "hinge" as LossName }), "TypeError", /"hinge"/);
  await wrong(evaluate(told, dataset, { loss: "mse" }), "TypeError", /made for the loss "bce", got "mse"/);
  await wrong(
    predict(told, { x: [1] as never, shape: [1, 1, 5] }),
    "TypeError",
    /x must be a Float32Array, got Array/,
  );
});

Deno.test("a model that does not know what its outputs mean is not evaluated", async () => {
  using model = await createModel(CONFIG, { seed: 4 });
  const dataset = { x, shape, targets: TARGETS.bce };
  for (const refused of [() => evaluate(model, dataset), () => predict(model, { x, shape })]) {
    await assert.rejects(refused, (error: Error) => {
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /pass \{ loss \} with the loss that it was trained with: bce, /);
      assert.equal(errorCode(error), "outputs-unknown-meaning");
      return true;
    });
  }
  for (const loss of LOSSES) {
    using told = await createModel({ ...CONFIG, loss }, { seed: 4 });
    const dataset = { x, shape, targets: TARGETS[loss] }, asked = await evaluate(model, dataset, { loss });
    assert.deepEqual(await evaluate(told, dataset), asked, loss);
  }
});
