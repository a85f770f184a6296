/** Numbers that are not finite: what a model is given, and what it answers. */

import assert from "node:assert/strict";
import { createModel, createPredictor, createTrainer, defineNetwork, evaluate, predict, train } from "../../mod.ts";

const CONFIG = { inputSize: 2, hiddenSize: 3, outputSize: 2, loss: "bce" } as const;
const X = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)), TARGETS = new Float32Array(6).fill(1);
const DATA = { x: X, shape: [3, 4, 2] as const, targets: TARGETS };

/** A model whose parameters are finite, and too large to answer anything. */
async function hugeModel() {
  const model = await createModel(CONFIG, { seed: 1 });
  const state = await model.stateDict();
  for (const { data } of Object.values(state)) data.forEach((_, i) => data[i] = i % 2 ? 3e38 : -3e38);
  await model.loadStateDict(state);
  return model;
}

Deno.test("what a model answers is finite, or an error: predict, evaluate and a predictor", async () => {
  using model = await hugeModel();
  using predictor = await createPredictor(model);
  const refused = (action: string) => ({ name: "RangeError", message: new RegExp(`^Cannot ${action}: the model's`) });
  await assert.rejects(predict(model, DATA), refused("predict"));
  await assert.rejects(evaluate(model, DATA), refused("evaluate model"));
  await assert.rejects(evaluate(model, DATA, { metrics: true }), refused("evaluate model"));
  assert.throws(() => predictor.predict(X.subarray(0, 8)), refused("predict"));
});

const network = defineNetwork(({ numbers, vector, gru, concat, linear }) =>
  linear("fc", concat([gru("gru", numbers("x", 2), { hiddenSize: 4 }).state, vector("age", 1)]), 2)
);

for (const bad of [NaN, Infinity, -Infinity]) {
  const message = (name: string, place: string) => ({
    name: "RangeError",
    message: new RegExp(`: ${name}( of the data)? must be finite numbers, got ${bad} in ${place}`),
  });

  Deno.test(`inputs of ${bad} are refused, with their place, and change nothing`, async () => {
    using model = await createModel(CONFIG);
    const x = X.slice(), before = await model.stateDict(), lengths = Int32Array.of(4, 2, 4);
    x[13] = bad;
    const step: typeof train = async (model, data) => {
      await createTrainer(model).step(data as typeof DATA, TARGETS);
      return [];
    };
    for (const run of [predict, evaluate, train, step]) {
      await assert.rejects(run(model, { ...DATA, x }), message("x", "sequence 1, step 2, channel 1"));
    }
    assert.deepEqual(await model.stateDict(), before);
    for (const run of [predict, evaluate, train, step]) await run(model, { ...DATA, x, lengths });
    const h0 = new Float32Array(9);
    h0[4] = bad;
    await assert.rejects(predict(model, { ...DATA, h0 }), message("h0", "number 4"));
    using predictor = await createPredictor(model);
    assert.throws(() => predictor.predict(x.subarray(8, 16)), new RegExp(`input "x" must .* got ${bad} at 5$`));
  });

  Deno.test(`other inputs of ${bad} are refused, with their place`, async () => {
    using model = await createModel(network, { loss: "bce" });
    const age = Float32Array.of(1, 1, bad), inputs = { age }, place = message("inputs.age", "sequence 2, channel 0");
    await assert.rejects(predict(model, { ...DATA, inputs }), place);
    await assert.rejects(createTrainer(model).step({ ...DATA, inputs }, TARGETS), place);
    using predictor = await createPredictor(model);
    assert.throws(
      () => predictor.predict(X.subarray(0, 8), { age: Float32Array.of(bad) }),
      /input "age" must be finite numbers/,
    );
  });
}
