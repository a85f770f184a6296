/** Weights of sequences, classes and positive targets, and gradients of several batches that count as one. */

import assert from "node:assert/strict";
import {
  createModel,
  createTrainer,
  type Dataset,
  evaluate,
  type LossName,
  type StateDict,
  type StepOptions,
  type TrainerOptions,
  Training,
} from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { randomBatch, randomWeights } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { DEVICES, WEBGPU } from "../devices.ts";

const CONFIG = { inputSize: 3, hiddenSize: 6, outputSize: 4 };
const LOSSES: LossName[] = ["bce", "crossEntropy", "mse"];

/** A dataset of N sequences with lengths. */
function datasetOf(loss: LossName, N: number, T = 5): Dataset {
  const { sequences: { x, shape, lengths }, targets } = randomBatch(new Random(N, "data"), CONFIG, {
    B: N,
    T,
    loss,
    lengths: true,
  });
  return { x, shape, lengths, targets };
}

/** The sequences with these numbers. */
function rowsOf({ x, shape, lengths, targets }: Dataset, rows: number[]): Dataset {
  const take = <A extends Float32Array | Int32Array>(array: A): A => {
    const width = array.length / shape[0]!;
    const picked = rows.flatMap((row) => [...array.subarray(row * width, (row + 1) * width)]);
    return (array instanceof Int32Array ? Int32Array.from(picked) : Float32Array.from(picked)) as A;
  };
  return {
    x: take(x),
    shape: [rows.length, shape[1]!, shape[2]!],
    lengths: take(lengths!),
    targets: take(targets),
  };
}

function assertNear(actual: StateDict, expected: StateDict, share: number, what: string) {
  for (const [name, { data }] of Object.entries(expected)) {
    assertClose(actual[name]!.data, data, share * largest(data) + 1e-9, `${name}, ${what}`);
  }
}

for (const { name: device, options, ignore } of [DEVICES[0]!, WEBGPU]) {
  for (const loss of LOSSES) {
    Deno.test(
      `a sequence of weight 2 counts as two of it, of weight 0 as none: ${loss}, ${device}`,
      { ignore },
      async () => {
        const data = datasetOf(loss, 11), counts = [1, 2, 0, 1, 3, 1, 0, 2, 1, 1, 2];
        const repeated = rowsOf(data, counts.flatMap((count, i) => Array.from({ length: count }, () => i)));
        using model = await createModel(CONFIG, { ...options, seed: 1 });
        const weights = Float32Array.from(counts, (count) => count / 2);
        const found = await model.gradients(data, data.targets, { loss, weights });
        const expected = await model.gradients(repeated, repeated.targets, { loss });
        assertClose([found.loss], [expected.loss], 2e-6, "loss");
        assertNear(found.parameters, expected.parameters, 4e-6, "repeated");
        const scores = await evaluate(model, { ...data, weights }, { loss, batchSize: 4 });
        assertClose(
          [scores.lossOverSamples],
          [(await evaluate(model, repeated, { loss, batchSize: 5 })).lossOverSamples],
          2e-6,
          "loss over samples",
        );
        // All the same weight is none.
        const same = await model.gradients(data, data.targets, { loss, weights: new Float32Array(11).fill(0.5) });
        assert.deepEqual(same, await model.gradients(data, data.targets, { loss }));
      },
    );

    Deno.test(`batches whose gradients wait count as one: ${loss}, ${device}`, { ignore }, async () => {
      const data = datasetOf(loss, 23),
        { weights, ...classes } = randomWeights(new Random(1, "data"), CONFIG, { B: 23, loss });
      const parts = [[0, 8], [8, 9], [9, 23]].map(([from, to]) =>
        Array.from({ length: to! - from! }, (_, i) => from! + i)
      );
      const trainerOptions: TrainerOptions = {
        loss,
        ...classes,
        optimizer: { name: "sgd", momentum: 0.9, learningRate: 0.5 },
        clipNorm: 0.02,
        seed: 5,
      };
      const run = async (batches: number[][], weighted: boolean, between = false) => {
        using model = await createModel({ ...CONFIG, dropout: 0.5 }, { ...options, seed: 1 });
        const trainer = createTrainer(model, trainerOptions);
        let gradNorm = 0;
        for (let step = 0; step < 3; step++) {
          for (const [i, rows] of batches.entries()) {
            const part = rowsOf(data, rows), update = i === batches.length - 1;
            const own = weighted ? Float32Array.from(rows, (row) => weights[row]!) : undefined;
            gradNorm = (await trainer.step(part, part.targets, { weights: own, update })).gradNorm;
            // What is asked for between does no harm.
            if (between) await model.gradients(data, data.targets, { loss });
          }
        }
        assert.equal(trainer.steps, 3);
        return { gradNorm, state: await model.stateDict() };
      };
      for (const weighted of [false, true]) {
        const one = await run([parts.flat()], weighted), several = await run(parts, weighted);
        assert.ok(one.gradNorm > 0.02, "the gradient is clipped");
        assertClose([several.gradNorm], [one.gradNorm], 1e-5 * one.gradNorm, "norm");
        assertNear(several.state, one.state, 2e-6, "in parts");
        if (weighted) assert.deepEqual(await run(parts, weighted, true), several);
      }
    });
  }

  Deno.test(`a batch of nothing but weights of 0 has a loss and a gradient of 0: ${device}`, { ignore }, async () => {
    const data = datasetOf("bce", 3), weights = new Float32Array(3);
    using model = await createModel(CONFIG, options);
    const { loss, parameters } = await model.gradients(data, data.targets, { loss: "bce", weights });
    assert.equal(loss, 0);
    for (const { data } of Object.values(parameters)) assert.equal(largest(data), 0);
    const refused = evaluate(model, { ...data, weights }, { loss: "bce" });
    await assert.rejects(refused, { name: "RangeError", message: /weights .* are 0/ });
    // Waiting for an update, it changes nothing.
    const trainer = createTrainer(model, { optimizer: { name: "sgd", learningRate: 1 } });
    const other = await createModel(CONFIG, options), plain = createTrainer(other, trainer.options);
    using _ = other;
    await trainer.step(data, data.targets, { weights, update: false });
    await trainer.step(data, data.targets);
    await plain.step(data, data.targets);
    assert.deepEqual(await model.stateDict(), await other.stateDict());
  });

  Deno.test(`a learning rate for one step is as that of the optimizer: ${device}`, { ignore }, async () => {
    const data = datasetOf("mse", 4);
    for (const name of ["adam", "adamw", "sgd", "rmsprop"] as const) {
      const run = async (own: number, given?: number) => {
        using model = await createModel(CONFIG, { ...options, seed: 1 });
        const trainer = createTrainer(model, { loss: "mse", optimizer: { name, learningRate: own } });
        for (let i = 0; i < 2; i++) await trainer.step(data, data.targets, { learningRate: given });
        return await model.stateDict();
      };
      const expected = await run(0.01);
      assert.deepEqual(await run(0.5, 0.01), expected, name);
      assert.notDeepEqual(await run(0.01, 0.5), expected, name);
    }
  });
}

Deno.test("weights in training and validation come from the dataset and the trainer", async () => {
  const data = datasetOf("crossEntropy", 20),
    { weights, classWeights } = randomWeights(new Random(2, "data"), CONFIG, {
      B: 20,
      loss: "crossEntropy",
    });
  using model = await createModel(CONFIG, { seed: 1 });
  const weighted = { ...data, weights };
  const options = {
    loss: "crossEntropy",
    classWeights,
    epochs: 1,
    batchSize: 20,
    optimizer: { learningRate: 0 },
  } as const;
  const training = new Training(model, weighted, { ...options, validation: weighted });
  const [record] = await training.run();
  const { loss } = await model.gradients(data, data.targets, { loss: "crossEntropy", weights, classWeights });
  assertClose([record!.trainLoss, record!.validationLoss!], [loss, loss], 1e-6, "losses");
  // evaluate takes the trainer's loss with its weights, or what it is given.
  assert.equal((await evaluate(model, weighted, { batchSize: 20 })).loss, record!.validationLoss);
  const { loss: plain } = await model.gradients(data, data.targets, { loss: "crossEntropy" });
  assertClose([(await evaluate(model, data, { loss: "crossEntropy", batchSize: 20 })).loss], [plain], 1e-6, "plain");
  assert.ok(Math.abs(plain - loss) > 1e-3, "weights make no difference");
});

Deno.test("what waits is no part of the state, and is forgotten by what is loaded", async () => {
  const data = datasetOf("bce", 6), other = datasetOf("bce", 4);
  const run = async (wait: boolean) => {
    using model = await createModel(CONFIG, { seed: 1 });
    const trainer = createTrainer(model);
    await trainer.step(data, data.targets);
    const before = await trainer.state();
    if (wait) {
      await trainer.step(other, other.targets, { update: false });
      assert.deepEqual(await trainer.state(), before);
      await trainer.loadState(before);
    }
    await trainer.step(data, data.targets);
    return [await trainer.state(), await model.stateDict()];
  };
  assert.deepEqual(await run(true), await run(false));
});

Deno.test("weights that do not fit are refused with name and value, and nothing is trained", async () => {
  using model = await createModel(CONFIG, { seed: 1 });
  const data = datasetOf("bce", 3), trainer = createTrainer(model), before = await model.stateDict();
  const wrong = (options: object, name: string, message: RegExp) =>
    assert.rejects(trainer.step(data, data.targets, options as StepOptions), { name, message });
  await wrong({ weights: [1, 1, 1] }, "TypeError", /weights must be a Float32Array, got Array/);
  await wrong({ weights: new Float32Array(2) }, "RangeError", /weights must have 3 numbers, got 2/);
  await wrong({ weights: Float32Array.of(1, -1, 1) }, "RangeError", /weights must be numbers from 0, got -1 at 1/);
  await wrong({ weights: Float32Array.of(1, 1, NaN) }, "RangeError", /got NaN at 2/);
  await wrong({ learningRate: -1 }, "RangeError", /learningRate must be a number from 0, got -1/);
  await wrong({ learningRate: NaN }, "RangeError", /got NaN/);
  assert.equal(trainer.steps, 0);
  assert.deepEqual(await model.stateDict(), before);
  const refused = (options: object, name: string, message: RegExp) =>
    assert.throws(() => createTrainer(model, options), { name, message });
  refused({ classWeights: [1, 1, 1, 1] }, "TypeError", /classWeights belongs to "crossEntropy", got "bce"/);
  refused({ loss: "mse", posWeight: [1, 1, 1, 1] }, "TypeError", /posWeight belongs to "bce", got "mse"/);
  refused({ posWeight: [1] }, "RangeError", /posWeight must have 4 numbers, one for each output, got 1/);
  refused({ posWeight: [1, 1, -2, 1] }, "RangeError", /posWeight must be numbers from 0, got 1,1,-2,1/);
  await assert.rejects(model.gradients(data, data.targets, { loss: "bce", classWeights: [1, 1, 1, 1] }), TypeError);
  await assert.rejects(evaluate(model, data, { loss: "bce", posWeight: [1, 1, 1, NaN] }), RangeError);
  // The trainer before is still in charge.
  assertIdentical([(await trainer.step(data, data.targets)).loss > 0 ? 1 : 0], [1], "loss");
});
