import assert from "node:assert/strict";
import {
  createModel,
  createPredictor,
  createTrainer,
  errorCode,
  type LossName,
  type Model,
  type ModelConfig,
  predict,
  type Predictor,
} from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { normals, randomState } from "../batches.ts";
import { assertClose, assertIdentical } from "../close.ts";

const ALL_LOSSES: readonly LossName[] = ["bce", "crossEntropy", "mse"];

/** Lengths that come in turn, on one predictor. */
const LENGTHS = [7, 1, 13, 2, 7, 2, 13, 1];

/** That a predictor and `predict` say the same of a random sequence of T steps. */
async function assertAgree(random: Random, model: Model, predictor: Predictor, loss: LossName, T: number, scale = 1) {
  const { inputSize: I, outputSize: O } = model.config, x = normals(random, T * I, scale);
  const found = predictor.predict(x);
  const expected = await predict(model, { x, shape: [1, T, I] }, { loss });
  const what = `${JSON.stringify(model.config)}, ${loss}, ${T} steps`;
  assert.deepEqual([found.probabilities.length, found.attentionWeights.length], [O, T], what);
  assertClose(found.probabilities, expected.probabilities.data, 1e-6, `probabilities, ${what}`);
  assertClose(found.attentionWeights, expected.attentionWeights.data, 1e-6, `attention weights, ${what}`);
}

/** A new model beside predictors for all losses, every length in turn. */
async function assertAllAgree(random: Random, config: ModelConfig, scale = 1) {
  using model = await createModel(config, { seed: random.below(1000) });
  for (const loss of ALL_LOSSES) {
    using predictor = await createPredictor(model, { loss });
    for (const T of LENGTHS) await assertAgree(random, model, predictor, loss, T, scale);
  }
}

for (const numLayers of [1, 2, 3]) {
  for (const bidirectional of [false, true]) {
    const directions = bidirectional ? "both directions" : "one direction";
    Deno.test(`a predictor says what predict says: ${numLayers} layers, ${directions}`, async () => {
      const random = new Random(numLayers, "data", Number(bidirectional));
      let turn = 0;
      for (const hiddenSize of [1, 3, 5, 7, 10, 33]) {
        for (const bias of [true, false]) {
          const inputSize = [1, 3, 5][turn % 3]!, outputSize = [1, 2, 5, 9][turn++ % 4]!;
          await assertAllAgree(random, { inputSize, hiddenSize, outputSize, numLayers, bidirectional, bias });
        }
      }
    });
  }
}

Deno.test("a predictor says what predict says for every count of inputs and outputs", async () => {
  const random = new Random(4, "data");
  for (const inputSize of [1, 3, 5]) {
    for (const outputSize of [1, 2, 5, 9]) await assertAllAgree(random, { inputSize, hiddenSize: 7, outputSize });
  }
});

Deno.test("a predictor says what predict says of large inputs", async () => {
  await assertAllAgree(new Random(5, "data"), { inputSize: 3, hiddenSize: 5, outputSize: 2, numLayers: 2 }, 1000);
});

Deno.test("a predictor says what predict says of more lengths than it keeps, long ones among them", async () => {
  const config = { inputSize: 2, hiddenSize: 6, outputSize: 3, bidirectional: true }, random = new Random(6, "data");
  using model = await createModel(config);
  using predictor = await createPredictor(model, { loss: "crossEntropy" });
  const lengths = Array.from({ length: 20 }, (_, i) => i + 1);
  for (const T of [...lengths, 3000, ...lengths, 900, 1]) {
    await assertAgree(random, model, predictor, "crossEntropy", T);
  }
});

Deno.test("a predictor uses its arrays again for the same length", async () => {
  const random = new Random(7, "data");
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2, loss: "bce" });
  using predictor = await createPredictor(model);
  const first = predictor.predict(normals(random, 4 * 3)), { probabilities, attentionWeights } = first;
  const earlier = { probabilities: probabilities.slice(), attentionWeights: attentionWeights.slice() };
  const second = predictor.predict(normals(random, 4 * 3));
  assert.equal(second.probabilities, probabilities);
  assert.equal(second.attentionWeights, attentionWeights);
  // The second sequence's numbers now stand there.
  assert.notDeepEqual(probabilities, earlier.probabilities);
  assert.notDeepEqual(attentionWeights, earlier.attentionWeights);
});

Deno.test("the same sequence gives the same bits, whatever came between", async () => {
  const random = new Random(8, "data"), x = normals(random, 6 * 3);
  using model = await createModel({ inputSize: 3, hiddenSize: 7, outputSize: 5, numLayers: 2, bidirectional: true });
  using predictor = await createPredictor(model, { loss: "mse" });
  const copy = () => {
    const { probabilities, attentionWeights } = predictor.predict(x);
    return [...probabilities, ...attentionWeights];
  };
  const expected = copy();
  for (const T of [6, 1, 50, 5]) {
    predictor.predict(normals(random, T * 3, 100));
    assertIdentical(copy(), expected, `after ${T} steps`);
  }
});

Deno.test("a predictor keeps the parameters that the model had when it was made", async () => {
  const random = new Random(9, "data"), x = normals(random, 4 * 3);
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2, loss: "bce" });
  using predictor = await createPredictor(model);
  const expected = predictor.predict(x).probabilities.slice();
  const other = randomState(random, model.parameters, 2);
  await model.loadStateDict(other);
  assertIdentical(predictor.predict(x).probabilities, expected, "after other parameters");
  const trainer = createTrainer(model, { optimizer: { learningRate: 0.1 } });
  await trainer.step({ x, shape: [1, 4, 3] }, Float32Array.of(0, 1));
  assertIdentical(predictor.predict(x).probabilities, expected, "after a step");
  using later = await createPredictor(model);
  const { probabilities } = await predict(model, { x, shape: [1, 4, 3] });
  assertClose(later.predict(x).probabilities, probabilities.data, 1e-6, "made after the step");
  assert.notDeepEqual(later.predict(x).probabilities, expected);
});

Deno.test("a predictor made while steps are under way has the parameters after them", async () => {
  const x = normals(new Random(10, "data"), 4 * 3);
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2, loss: "bce" });
  const trainer = createTrainer(model, { optimizer: { learningRate: 0.1 } });
  const step = trainer.step({ x, shape: [1, 4, 3] }, Float32Array.of(0, 1));
  using predictor = await createPredictor(model);
  await step;
  const { probabilities } = await predict(model, { x, shape: [1, 4, 3] });
  assertClose(predictor.predict(x).probabilities, probabilities.data, 1e-6, "probabilities");
});

Deno.test("a predictor refuses a sequence of the wrong length, and goes on", async () => {
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2, loss: "bce" });
  using predictor = await createPredictor(model);
  // A new one has seen no length yet.
  for (const length of [0, 1, 7, 20]) {
    const refusal = { name: "RangeError", message: new RegExp(`multiple of 3 numbers, got ${length}$`) };
    assert.throws(() => predictor.predict(new Float32Array(length)), refusal, `new predictor, ${length} numbers`);
  }
  const x = normals(new Random(11, "data"), 4 * 3), expected = predictor.predict(x).probabilities.slice();
  for (const length of [0, 7, 13]) {
    const refusal = { name: "RangeError", message: new RegExp(`got ${length}$`) };
    assert.throws(() => predictor.predict(new Float32Array(length)), refusal, `${length} numbers`);
    assertIdentical(predictor.predict(x).probabilities, expected, `after ${length} numbers`);
  }
});

Deno.test("a predictor for an unknown loss is refused", async () => {
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2 });
  for (const loss of ["nll", "", null, 1] as unknown as LossName[]) {
    const refusal = { name: "TypeError", message: new RegExp(`loss must be one of .*, got "?${loss}"?$`) };
    await assert.rejects(createPredictor(model, { loss }), refusal);
  }
});

Deno.test("a disposed predictor or model refuses, and one leaves the other alone", async () => {
  const config: ModelConfig = { inputSize: 3, hiddenSize: 5, outputSize: 2, loss: "bce" };
  const disposed = { name: "TypeError", message: /disposed/ };
  const x = new Float32Array(4 * 3);
  using model = await createModel(config);
  const used = await createPredictor(model), unused = await createPredictor(model);
  used.predict(x);
  used.dispose();
  unused[Symbol.dispose]();
  assert.throws(() => used.predict(x), disposed);
  assert.throws(() => used.predict(new Float32Array(5 * 3)), disposed);
  assert.throws(() => unused.predict(x), disposed);
  used.dispose(); // once more does no harm
  const left = await createPredictor(model), expected = (await predict(model, { x, shape: [1, 4, 3] })).probabilities;
  model.dispose();
  await assert.rejects(createPredictor(model), disposed);
  assertClose(left.predict(x).probabilities, expected.data, 1e-6, "after the model's end");
  left.dispose();
});

Deno.test("a predictor's loss is the one asked for, else the trainer's", async () => {
  const x = normals(new Random(12, "data"), 4 * 3);
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 4 });
  const copy = async (loss?: LossName) => {
    using predictor = await createPredictor(model, { loss });
    return predictor.predict(x).probabilities.slice();
  };
  for (const loss of ALL_LOSSES) {
    createTrainer(model, { loss });
    assertIdentical(await copy(), await copy(loss), loss);
    for (const other of ALL_LOSSES) if (other !== loss) assert.notDeepEqual(await copy(), await copy(other), loss);
  }
});

Deno.test("a model that does not know what its outputs mean is not predicted with", async () => {
  const config: ModelConfig = { inputSize: 3, hiddenSize: 5, outputSize: 2 }, code = "outputs-unknown-meaning";
  const x = new Float32Array(4 * 3), sequences = { x, shape: [1, 4, 3] };
  using model = await createModel(config);
  for (const refused of [() => createPredictor(model), () => predict(model, sequences)]) {
    await assert.rejects(refused, (error: Error) => {
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /pass \{ loss \} with the loss that it was trained with: bce, /);
      assert.equal(errorCode(error), code);
      return true;
    });
  }
  // The config may say it, or a trainer.
  for (const loss of ALL_LOSSES) {
    using told = await createModel({ ...config, loss });
    using predictor = await createPredictor(told);
    await assertAgree(new Random(13, "data"), told, predictor, loss, 4);
  }
  createTrainer(model, { loss: "mse" });
  (await createPredictor(model)).dispose();
  await predict(model, sequences);
});

Deno.test("a predictor's and predict's probabilities are their outputs under the old name", async () => {
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2, loss: "bce" });
  using predictor = await createPredictor(model);
  const x = normals(new Random(14, "data"), 4 * 3), found = predictor.predict(x);
  assert.equal(found.probabilities, found.outputs);
  const { outputs, probabilities } = await predict(model, { x, shape: [1, 4, 3] });
  assert.equal(probabilities, outputs);
  assertClose(found.outputs, outputs.data, 1e-6, "outputs");
});
