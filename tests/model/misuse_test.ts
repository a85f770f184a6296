/** Networks and losses as somebody may get them wrong: each mistake is refused in words, and nothing is left undone. */

import assert from "node:assert/strict";
import {
  createModel,
  createPredictor,
  createTrainer,
  defineNetwork,
  errorCause,
  evaluate,
  type LossFunction,
  type Network,
  type NetworkModel,
  predict,
  train,
  type TrainerOptions,
} from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";

const random = new Random(1, "data"), draw = (n: number) => normals(random, n);
const batch = { x: draw(2 * 5 * 3), shape: [2, 5, 3], lengths: Int32Array.of(5, 2) };

/** An output that may have a loss, and two that may not. */
const WITH_WEIGHTS = defineNetwork(({ numbers, gru, attention, linear }) => {
  const { state, output, hidden } = gru("gru", numbers("x", 3), { hiddenSize: 4 });
  const { context, weights } = attention("attention", { query: state, keys: output });
  return { y: linear("fc", context, 2), weights, hidden };
});
const TWO = defineNetwork(({ numbers, linear, mean }) => {
  const x = numbers("x", 3);
  return { a: linear("a", mean(x), 2), b: linear("b", x, 1) };
});
const ONE = defineNetwork(({ numbers, linear, mean }) => linear("fc", mean(numbers("x", 3)), 2));

async function refused(what: () => unknown, says: RegExp) {
  await assert.rejects(async () => await what(), (error: Error) => {
    assert.match(error.message, says);
    assert.ok(errorCause(error), "it has no code");
    return true;
  });
}

function mistake(name: string, network: Network, run: (model: NetworkModel) => unknown, says: RegExp) {
  Deno.test(`refused in words: ${name}`, async () => {
    using model = await createModel(network);
    await refused(() => run(model), says);
  });
}

const losses = (losses: unknown, others: TrainerOptions = {}) => (model: NetworkModel) =>
  createTrainer(model, { ...others, losses: losses as never });
const own = (loss: unknown) => (model: NetworkModel) =>
  createTrainer(model, { loss: "mse" }).step(batch, loss as LossFunction);
const NO_LOSS = /the output "(weights|hidden)" is attention weights or final states, .*; there is "y"/;

mistake("a loss of attention weights", WITH_WEIGHTS, losses({ weights: { loss: "mse" } }), NO_LOSS);
mistake("a loss of final states", WITH_WEIGHTS, losses({ hidden: { loss: "mse" } }), NO_LOSS);
mistake("predicting weights", WITH_WEIGHTS, (m) => predict(m, batch, { output: "weights", loss: "mse" }), NO_LOSS);
mistake("a predictor of states", WITH_WEIGHTS, (m) => createPredictor(m, { output: "hidden", loss: "mse" }), NO_LOSS);
mistake(
  "a loss of an output that is not there",
  TWO,
  losses({ c: { loss: "mse" } }),
  /no output "c"; there is "a", "b"/,
);
mistake("no losses", TWO, losses({}), /losses must have one output or more/);
mistake("a loss besides losses", TWO, losses({ a: { loss: "mse" } }, { loss: "bce" }), /got loss besides/);
mistake("a setting besides losses", TWO, losses({ a: { loss: "mse" } }, { gamma: 1 }), /got gamma besides/);
mistake("a setting misspelled", TWO, losses({ a: { loss: "huber", detla: 1 } }), /unknown option "detla"/);
mistake("a loss by its name alone", TWO, losses({ a: "mse" }), /the loss of output "a" must be { loss, … }, got "mse"/);
mistake("no loss at all", TWO, losses({ a: null }), /the loss of output "a" must be/);
mistake(
  "weights of classes in letters",
  ONE,
  losses({ output: { loss: "crossEntropy", classWeights: "ab" } }),
  /classW.* numbers from 0/,
);
mistake(
  "a weight in letters",
  TWO,
  losses({ a: { loss: "mse", weight: "2" } }),
  /weight must be a number above 0, got "2"/,
);
mistake("several outputs without losses", TWO, (m) => createTrainer(m), /no loss for "a": pass losses, by output/);
mistake(
  "gradients of several outputs without losses",
  TWO,
  (m) => m.gradients(batch, {}),
  /no loss for "a": pass losses/,
);
mistake(
  "one array of targets for several losses",
  TWO,
  (m) => m.gradients(batch, draw(4), { losses: { a: { loss: "mse" }, b: { loss: "mse" } } }),
  /targets must be given by output, { a, b }/,
);
mistake("predicting one of several", TWO, (m) => predict(m, batch), /has 2 outputs, a, b: pass { output }/);
mistake("evaluating several", TWO, (m) => evaluate(m, { ...batch, targets: draw(4) }), /2 outputs, .*trainer.step/);
mistake("training several", TWO, (m) => train(m, { ...batch, targets: draw(4) }), /2 outputs, .*trainer.step/);
mistake("no sequences", ONE, (m) => m.forward(null as never), /sequences must be { x, shape, … }, got null/);
mistake("a loss of your own that gives nothing", ONE, own(() => undefined), /must return { loss, dOutputs }/);
mistake("one that gives no loss", ONE, own(() => ({ dOutputs: draw(4) })), /must return { loss, dOutputs }/);
mistake(
  "one that is too short",
  ONE,
  own(() => ({ loss: 1, dOutputs: draw(3) })),
  /must be a Float32Array of 4 numbers/,
);
mistake("one that gives a list", ONE, own(() => ({ loss: 1, dOutputs: [1, 2, 3, 4] })), /a Float32Array of 4 numbers/);
mistake("one that gives NaN", ONE, own(() => ({ loss: 1, dOutputs: Float32Array.of(1, NaN, 1, 1) })), /holds NaN at 1/);
mistake(
  "one of another output",
  ONE,
  own(() => ({ loss: 1, dOutputs: { y: draw(4) } })),
  /no output "y"; there is "output"/,
);
mistake(
  "weights besides gradients",
  TWO,
  (m) => m.gradients(batch, null, { weights: draw(2), outputGradients: {} }),
  /weights has no part/,
);
mistake(
  "a loss besides gradients",
  TWO,
  (m) => m.gradients(batch, null, { loss: "mse", outputGradients: {} }),
  /loss has no part/,
);

Deno.test("a loss of your own that waits for the model is refused, and both are as they were", async () => {
  using model = await createModel(ONE, { loss: "mse" });
  const trainer = createTrainer(model), before = await model.stateDict();
  let inner: Promise<unknown> | undefined;
  await refused(() =>
    trainer.step(
      batch,
      (() => {
        inner = model.forward(batch);
        return inner.then(() => ({ loss: 1, dOutputs: draw(4) }));
      }) as never,
    ), /must return { loss, dOutputs }, a number and arrays, got a promise/);
  await inner;
  await assert.rejects(
    trainer.step(batch, () => {
      throw new Error("of its own");
    }),
    /of its own/,
  );
  assert.deepEqual(await model.stateDict(), before);
  assert.equal(trainer.steps, 0);
  assert.ok((await trainer.step(batch, draw(4))).loss > 0);
});

Deno.test("a network that puts out attention weights too trains on the output that has a loss", async () => {
  using model = await createModel(WITH_WEIGHTS, { loss: { y: "mse" } });
  using named = await createModel(WITH_WEIGHTS, { loss: "mse" });
  assert.deepEqual(named.meanings, model.meanings);
  const targets = draw(4), [a, b] = [createTrainer(model), createTrainer(named)];
  const { loss } = await a.step(batch, { y: targets });
  assert.equal((await b.step(batch, targets)).loss, loss);
  await a.step(batch, ({ values }) => ({ loss: 1, dOutputs: values.y!.data }));
  const { outputs, attentionWeights } = await predict(model, batch);
  assert.deepEqual([outputs.shape, attentionWeights.shape], [[2, 2], [2, 5]]);
  await evaluate(model, { ...batch, targets });
});

Deno.test("gradients from outside may leave outputs out, and what is behind a length never matters", async () => {
  using model = await createModel(TWO);
  const a = draw(4), b = draw(10), zeros = new Float32Array(10);
  const some = await model.gradients(batch, null, { outputGradients: { a } });
  assert.deepEqual(some, await model.gradients(batch, null, { outputGradients: { a, b: zeros } }));
  const behind = b.slice().fill(NaN, 7);
  assert.deepEqual(
    await model.gradients(batch, null, { outputGradients: { a, b: behind } }),
    await model.gradients(batch, null, { outputGradients: { a, b } }),
  );
});

Deno.test("one array of targets is that of the only loss, whichever output has it", async () => {
  using model = await createModel(TWO);
  const losses = { b: { loss: "mse" as const } }, targets = draw(10);
  const { loss } = await model.gradients(batch, { b: targets }, { losses });
  assert.equal((await model.gradients(batch, targets, { losses })).loss, loss);
  assert.equal((await createTrainer(model, { losses }).step(batch, targets)).loss, loss);
});

Deno.test("gradients of several outputs take the losses that the model was made for", async () => {
  using model = await createModel(TWO, { loss: { a: "mse", b: "mae" } });
  const targets = { a: draw(4), b: draw(10) };
  const given = await model.gradients(batch, targets, { losses: { a: { loss: "mse" }, b: { loss: "mae" } } });
  assert.deepEqual(await model.gradients(batch, targets), given);
});

Deno.test("a layer may have the name of anything that a plan calls its own", async () => {
  const build = (name: string) =>
    defineNetwork(({ numbers, gru }) => gru("gru", numbers(name, 3), { hiddenSize: 2 }).state);
  using usual = await createModel(build("x"), { loss: "mse" });
  const expected = await usual.gradients(batch, draw(4).fill(1));
  for (const name of ["lengths", "stats", "gradients", "h0", "constructor", "toString"]) {
    using model = await createModel(build(name), { loss: "mse" });
    const { loss, inputs, parameters } = await model.gradients(batch, draw(4).fill(1));
    assert.deepEqual([loss, parameters], [expected.loss, expected.parameters], name);
    assert.deepEqual(inputs[name], expected.inputs.x, name);
  }
  for (const name of ["gru.h0", "gru.output", "gru.weight_ih_l0", "__proto__"]) {
    assert.throws(() => build(name), /its name (is inside layer "gru"|must be letters)/);
  }
  for (const name of ["gru.output", "", "a b", "__proto__"]) {
    assert.throws(
      () => defineNetwork(({ numbers }) => Object.fromEntries([[name, numbers("x", 3)]])),
      /its name must be letters, digits and _/,
    );
  }
});

Deno.test("gradients by inputs are those of the parameters, after a step whose update waits too", async () => {
  const network = defineNetwork(({ tokens, numbers, embedding, linear, concat }) =>
    concat([embedding("words", tokens("k", 5), 2), linear("fc", numbers("n", 2), 3)])
  );
  using model = await createModel(network, { loss: "mse" });
  const trainer = createTrainer(model), targets = draw(2 * 3 * 5);
  const sequences = { x: Int32Array.of(0, 1, 2, 3, 4, 0), shape: [2, 3, 1], inputs: { n: draw(12) } };
  const changed = async (by: number) =>
    Object.fromEntries(
      Object.entries(await model.stateDict()).map((
        [name, { shape, data }],
      ) => [name, { shape, data: data.map((v) => v + by) }]),
    );
  await model.gradients(sequences, targets);
  const other = await changed(1);
  await model.loadStateDict(other);
  await trainer.step(sequences, targets, { update: false });
  const found = await model.gradients(sequences, targets);
  await model.loadStateDict(other);
  assert.deepEqual(found, await model.gradients(sequences, targets));
});

Deno.test("weights of 0 for all sequences move nothing, whether the update waits or not", async () => {
  for (const network of [ONE, defineNetwork(({ numbers, linear }) => linear("fc", numbers("x", 3), 2))]) {
    using model = await createModel(network, { loss: "mse", simd: "plain" });
    const trainer = createTrainer(model, { optimizer: { name: "sgd", learningRate: 1 } });
    const before = await model.stateDict(), targets = draw(network === ONE ? 4 : 20), weights = new Float32Array(2);
    for (const update of [true, false, true]) {
      const { loss, gradNorm } = await trainer.step(batch, targets, { weights, update });
      assert.deepEqual([loss, gradNorm], [0, 0]);
    }
    assert.deepEqual(await model.stateDict(), before);
    await refused(() => evaluate(model, { ...batch, targets, weights }), /the weights of all sequences are 0/);
  }
});

Deno.test("a network without a parameter predicts, and its steps change nothing", async () => {
  const network = defineNetwork(({ numbers }) => numbers("x", 3));
  using model = await createModel(network, { loss: "bce" });
  await createTrainer(model).step(batch, draw(30).fill(1));
  const { outputs } = await predict(model, batch);
  using predictor = await createPredictor(model);
  predictor.predict(draw(15));
  assert.deepEqual(predictor.predict(batch.x.slice(0, 15)).outputs, outputs.data.slice(0, 15));
});

Deno.test("a model made for one kind of outputs is not read as another", async () => {
  const config = { inputSize: 1, hiddenSize: 2, outputSize: 1, loss: "mse" as const };
  using model = await createModel(config);
  const x = { x: new Float32Array(3), shape: [1, 3, 1] }, refused = /the model was made for the loss "mse", got "bce"/;
  await assert.rejects(predict(model, x, { loss: "bce" }), refused);
  await assert.rejects(createPredictor(model, { loss: "bce" }), refused);
  await assert.rejects(evaluate(model, { ...x, targets: new Float32Array(1) }, { loss: "bce" }), refused);
  // Values by any loss are values.
  assert.equal((await predict(model, x, { loss: "mae" })).predicts, "values");
});

Deno.test("targets of probabilities beyond 0 and 1 are refused", async () => {
  for (const loss of ["bce", "binaryFocal"] as const) {
    using model = await createModel({ inputSize: 1, hiddenSize: 2, outputSize: 1, loss });
    const batch = { x: new Float32Array(6), shape: [2, 3, 1] }, trainer = createTrainer(model);
    for (const bad of [2, -3, NaN]) {
      const says = new RegExp(`targets of "${loss}" must be from 0 to 1, got ${bad}: for other numbers use "mse"`);
      await assert.rejects(trainer.step(batch, Float32Array.of(1, bad)), says);
    }
    await trainer.step(batch, Float32Array.of(1, 0.25));
  }
});

Deno.test("what is no dataset and no function of the layers is refused in words", async () => {
  using model = await createModel({ inputSize: 1, hiddenSize: 2, outputSize: 1 });
  for (const none of [null, undefined, {}, { x: batch.x }]) {
    const refused = (error: Error) =>
      error instanceof TypeError && errorCause(error)?.code === "argument-type" &&
      error.message.includes("it must be a dataset: { x, shape, targets }");
    await assert.rejects(train(model, none as never), refused);
    await assert.rejects(evaluate(model, none as never), refused);
  }
  for (const none of [null, {}]) {
    assert.throws(() => defineNetwork(none as never), /it takes a function of the layers, got/);
  }
});
