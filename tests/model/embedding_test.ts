import assert from "node:assert/strict";
import {
  createModel,
  createPredictor,
  createTrainer,
  type Dataset,
  evaluate,
  formatCheckpoint,
  type Model,
  type ModelConfig,
  type ModelOptions,
  parseCheckpoint,
  predict,
  train,
} from "../../mod.ts";
import { Tokens } from "../../core/model/tokens.ts";
import { classifier, resolveConfig } from "../../core/model/config.ts";
import { resolveNetwork } from "../../core/model/network.ts";
import { Random } from "../../core/random.ts";
import { randomBatch } from "../batches.ts";
import { assertClose, assertIdentical } from "../close.ts";
import { DEVICES, WEBGPU } from "../devices.ts";

const CONFIG: ModelConfig = { inputSize: 3, hiddenSize: 5, outputSize: 2, numEmbeddings: 9, paddingIdx: 4 };
const TOKENS = Int32Array.of(1, 8, 4, 1, 0, 4, 4, 3, 3, 3, 2, 5);
const DATA: Dataset = { x: TOKENS, shape: [3, 4, 1], targets: Float32Array.of(1, 0, 0, 1, 1, 0) };

async function table(model: Model): Promise<Float32Array> {
  return (await model.stateDict())["embedding.weight"]!.data;
}

Deno.test("an embedding is the first parameter, begins as N(0, 1), and its padding row as 0", async () => {
  using model = await createModel({ ...CONFIG, inputSize: 50, numEmbeddings: 401 }, { seed: 1 });
  const [{ name, shape }, second] = model.parameters as [typeof model.parameters[0], typeof model.parameters[0]];
  assert.deepEqual([name, shape, second.name], ["embedding.weight", [401, 50], "gru.weight_ih_l0"]);
  const weight = await table(model), padding = weight.slice(200, 250), N = weight.length - 50;
  assertIdentical(padding, new Float32Array(50), "padding row");
  const moment = (k: number) => weight.reduce((sum, value) => sum + value ** k, 0) / N;
  // Five standard errors of 20000 numbers.
  assert.ok(Math.abs(moment(1)) < 5 / Math.sqrt(N), `mean ${moment(1)}`);
  assert.ok(Math.abs(moment(2) - 1) < 5 * Math.sqrt(2 / N), `variance ${moment(2)}`);
  assert.ok(Math.abs(moment(4) - 3) < 5 * Math.sqrt(96 / N), `fourth moment ${moment(4)}`);
});

Deno.test("initial values of a large table are drawn one after the other, whatever piece they are in", async () => {
  // The padding row begins in one piece of 2^20 numbers and ends in the next.
  const config = { ...CONFIG, inputSize: 3, numEmbeddings: 350_000, paddingIdx: Math.floor(2 ** 20 / 3) };
  using model = await createModel(config, { seed: 1 });
  const random = new Random(1, "init"), weight = await table(model);
  const expected = Float32Array.from(weight, () => random.normal());
  expected.fill(0, 3 * config.paddingIdx, 3 * config.paddingIdx + 3);
  assert.ok(weight.every((value, i) => value === expected[i]));
});

Deno.test("a padding token that is not in the vocabulary, or without one, is refused", async () => {
  for (const [numEmbeddings, paddingIdx] of [[9, 9], [0, 0], [undefined, 3]]) {
    await assert.rejects(createModel({ ...CONFIG, numEmbeddings, paddingIdx }), {
      name: "RangeError",
      message: new RegExp(`paddingIdx must be below numEmbeddings, ${numEmbeddings ?? 0}, got ${paddingIdx}$`),
    });
  }
});

for (const { name: device, options, ignore } of [DEVICES[0]!, WEBGPU]) {
  Deno.test(`training moves the rows that were seen, and never the padding row: ${device}`, { ignore }, async () => {
    using model = await createModel(CONFIG, { ...options, seed: 2 });
    const before = await table(model);
    await train(model, DATA, { epochs: 3, optimizer: { name: "adam", weightDecay: 0 }, loss: "bce" });
    const after = await table(model),
      moved = Array.from({ length: 9 }, (_, v) => {
        return [0, 1, 2].some((e) => before[3 * v + e] !== after[3 * v + e]);
      });
    assert.deepEqual(moved, [true, true, true, true, false, true, false, false, true]);
    assertIdentical(after.slice(12, 15), new Float32Array(3), "padding row");
  });

  Deno.test(`training on tokens gives the same bits however often it is repeated: ${device}`, { ignore }, async () => {
    const config = { ...CONFIG, inputSize: 37, numEmbeddings: 20 };
    const { sequences: { x, shape, lengths }, targets } = randomBatch(new Random(8, "data"), config, {
      B: 30,
      T: 12,
      loss: "bce",
      lengths: true,
    });
    const run = async () => {
      using model = await createModel(config, { ...options, seed: 2 });
      const history = await train(model, { x, shape, lengths, targets }, { epochs: 3, batchSize: 8 });
      return [history, await model.stateDict()];
    };
    assert.deepEqual(await run(), await run());
  });

  Deno.test(`tokens that are not in the vocabulary are refused with their place: ${device}`, { ignore }, async () => {
    using model = await createModel(CONFIG, options);
    const trainer = createTrainer(model);
    for (const token of [9, -1, 2 ** 31 - 1]) {
      const x = TOKENS.slice();
      x[6] = token;
      const refusal = {
        name: "RangeError",
        message: `Cannot run model: tokens must be from 0 to 8, got ${token} in sequence 1, step 2`,
      };
      await assert.rejects(predict(model, { ...DATA, x }), refusal);
      await assert.rejects(trainer.step({ ...DATA, x }, DATA.targets), refusal);
      // Behind the length anything may stand.
      const lengths = Int32Array.of(4, 2, 4);
      const found = await model.gradients({ ...DATA, x, lengths }, DATA.targets, { loss: "bce" });
      assert.deepEqual(found, await model.gradients({ ...DATA, lengths }, DATA.targets, { loss: "bce" }));
    }
    const wrong = (sequences: object, name: string, message: RegExp) =>
      assert.rejects(model.forward({ ...DATA, ...sequences }), { name, message });
    await wrong({ x: Float32Array.from(TOKENS) }, "TypeError", /x must be an Int32Array of tokens, got Float32Array/);
    await wrong({ shape: [3, 4, 3] }, "RangeError", /shape must end in 1, one token per step, got \[3,4,3\]/);
    await wrong({ shape: [4, 4, 1] }, "RangeError", /x must have 16 numbers, got 12/);
    assert.equal(trainer.steps, 0);
  });
}

Deno.test("numbers are refused tokens", async () => {
  using model = await createModel({ ...CONFIG, numEmbeddings: 0, paddingIdx: undefined });
  await assert.rejects(model.forward(DATA), { name: "TypeError", message: /x must be a Float32Array, got Int32Array/ });
});

Deno.test("steps on tokens give the same bits on any number of threads", async () => {
  const config = { inputSize: 24, hiddenSize: 40, outputSize: 3, numEmbeddings: 700, paddingIdx: 0 };
  const random = new Random(3, "data");
  const { sequences, targets } = randomBatch(random, config, { B: 40, T: 30, loss: "crossEntropy", lengths: true });
  const run = async (options: ModelOptions) => {
    using model = await createModel(config, { ...options, seed: 1 });
    const trainer = createTrainer(model, { loss: "crossEntropy" }), losses: number[] = [];
    for (let i = 0; i < 3; i++) losses.push((await trainer.step(sequences, targets)).loss);
    return { losses, state: await model.stateDict() };
  };
  const expected = await run({ threads: 1 });
  for (const threads of [2, 3]) assert.deepEqual(await run({ threads }), expected, `${threads} threads`);
});

Deno.test("where each token stands is found for any batch, padding left out", () => {
  const random = new Random(5, "data");
  for (const V of [1, 2, 7, 300]) {
    for (const paddingIdx of [undefined, 0]) {
      const { nodes } = resolveNetwork(classifier(resolveConfig({ ...CONFIG, numEmbeddings: V, paddingIdx })));
      const tokens = new Tokens(nodes.find(({ type }) => type === "embedding")!);
      for (const [B, T] of [[1, 1], [5, 7], [3, 40]] as const) {
        const x = Int32Array.from({ length: B * T }, () => random.below(V)), most = Math.min(V, B * T);
        const lengths = Int32Array.from({ length: B }, () => 1 + random.below(T));
        const found = tokens.occurrences(x, lengths, [B, T]), starts = found.subarray(most, 2 * most + 1);
        const rows = new Map<number, number[]>(), expected = new Map<number, number[]>();
        for (let u = 0; u < most; u++) {
          const positions = [...found.subarray(2 * most + 1).subarray(starts[u], starts[u + 1])];
          if (positions.length) rows.set(found[u]!, positions);
        }
        x.forEach((token, i) => {
          if (token === paddingIdx || i % T >= lengths[Math.floor(i / T)]!) return;
          expected.set(token, [...expected.get(token) ?? [], i]);
        });
        assert.deepEqual(rows, expected, `V ${V}, B ${B}, T ${T}`);
      }
    }
  }
});

Deno.test("a predictor says of tokens what predict says, and refuses those it does not know", async () => {
  for (const bidirectional of [false, true]) {
    using model = await createModel({ ...CONFIG, bidirectional, numLayers: 2, loss: "bce" }, { seed: 4 });
    using predictor = await createPredictor(model);
    const random = new Random(6, "data");
    for (const T of [1, 7, 2, 7]) {
      const x = Int32Array.from({ length: T }, () => random.below(9)), found = predictor.predict(x);
      const expected = await predict(model, { x, shape: [1, T, 1] });
      assertClose(found.probabilities, expected.probabilities.data, 1e-6, `probabilities of ${T} steps`);
      assertClose(found.attentionWeights, expected.attentionWeights.data, 1e-6, `weights of ${T} steps`);
    }
    for (const token of [9, -1]) {
      assert.throws(() => predictor.predict(Int32Array.of(1, token)), {
        name: "RangeError",
        message: `Cannot predict: tokens must be from 0 to 8, got ${token} in step 1`,
      });
    }
    assert.throws(() => predictor.predict(Float32Array.of(0.5)), { name: "RangeError", message: /got 0\.5 in step 0/ });
    assert.throws(() => predictor.predict(new Int32Array()), RangeError);
  }
});

Deno.test("a model with an embedding is stored and restored", async () => {
  using model = await createModel(CONFIG, { seed: 7 });
  await train(model, DATA, { epochs: 1 });
  const { model: copy } = await parseCheckpoint(await formatCheckpoint({ model }));
  using _ = copy;
  assert.deepEqual(copy.config, model.config);
  assert.deepEqual(await copy.stateDict(), await model.stateDict());
  assert.deepEqual(await evaluate(copy, DATA), await evaluate(model, DATA, { loss: "bce" }));
});
