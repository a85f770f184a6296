import assert from "node:assert/strict";
import {
  createModel,
  type Dataset,
  evaluate,
  type ModelConfig,
  randomSplit,
  sampleDataset,
  Training,
  type TrainOptions,
} from "../../mod.ts";
import { EarlyStopping, resolveEarlyStopping } from "../../core/train/early_stopping.ts";

const CONFIG: ModelConfig = { inputSize: 5, hiddenSize: 8, outputSize: 2, dropout: 0.2 };
// Few sequences are learnt by heart: the validation loss rises again.
const [DATA, VALIDATION] = randomSplit(sampleDataset({ size: 70, steps: 4, seed: 1 }), [20, 50], 2) as [
  Dataset,
  Dataset,
];
const OPTIONS: TrainOptions = { epochs: 200, batchSize: 16, optimizer: { learningRate: 2e-2 }, validation: VALIDATION };

Deno.test("patience runs out after so many values in a row without improvement by minDelta", () => {
  const stops = (values: number[], patience: number, minDelta = 0, greater = false) => {
    const stopping = new EarlyStopping({ patience, minDelta }, greater);
    for (const value of values) stopping.add(value);
    return stopping.isOver;
  };
  assert.ok(!stops([], 1));
  assert.ok(!stops([3, 2, 1], 1));
  assert.ok(stops([3, 2, 2], 1), "an equal value is none better");
  assert.ok(!stops([3, 2, 2], 2));
  assert.ok(stops([3, 2, 2, 4], 2));
  assert.ok(!stops([3, 2, 4, 1, 4], 2), "an improvement begins anew");
  assert.ok(stops([3, 2, 4, 4, 1], 2), "what has run out stays so");
  assert.ok(stops([3, 2.9, 2.8, 2.75], 2, 0.3), "small improvements are none");
  assert.ok(!stops([3, 2.9, 2.6, 2.5], 2, 0.3), "but they add up");
  assert.ok(!stops([0.1, 0.2, 0.3], 1, 0, true));
  assert.ok(stops([0.3, 0.2], 1, 0, true));
  assert.ok(stops([NaN, NaN], 2) && stops([1, NaN, NaN], 2), "NaN is no improvement");
});

Deno.test("training ends when the validation loss has not improved for so many epochs", async () => {
  using model = await createModel(CONFIG, { seed: 2 });
  const training = new Training(model, DATA, { ...OPTIONS, earlyStopping: { patience: 5 } });
  assert.ok(!training.stoppedEarly && !training.finished);
  const history = await training.run();
  assert.ok(training.stoppedEarly && training.finished);
  assert.equal(history.length, training.best!.epoch + 5);
  assert.ok(history.length < 200 && training.best!.epoch > 1);
  assert.deepEqual(await training.run(), history, "there is nothing left to do");
});

Deno.test("the parameters of the best epoch are restored, by loss or accuracy, with early stopping or without", async () => {
  const cases: TrainOptions[] = [
    { earlyStopping: { patience: 4 } },
    { epochs: 60, restoreBest: true },
    { epochs: 60, restoreBest: true, monitor: "accuracy" },
    { earlyStopping: { patience: 4 }, monitor: "accuracy" },
  ];
  for (const more of cases) {
    using model = await createModel(CONFIG, { seed: 2 });
    const training = new Training(model, DATA, { ...OPTIONS, ...more });
    const history = await training.run(), { epoch, validationLoss, validationAccuracy } = training.best!;
    assert.ok(epoch < history.length, "the last epoch is not the best");
    const after = await evaluate(model, VALIDATION, { batchSize: 16 });
    assert.deepEqual([after.loss, after.accuracy], [validationLoss, validationAccuracy]);
    assert.deepEqual(await model.stateDict(), training.bestParameters);
    const values = history.map((record) => more.monitor ? -record.validationAccuracy! : record.validationLoss!);
    assert.equal(epoch - 1, values.indexOf(Math.min(...values)), "the first of the best");
    // As if training had ended there.
    using shorter = await createModel(CONFIG, { seed: 2 });
    await new Training(shorter, DATA, { ...OPTIONS, epochs: epoch }).run();
    assert.deepEqual(await shorter.stateDict(), await model.stateDict());
  }
});

Deno.test("nothing goes on from where the best parameters were restored", async () => {
  using model = await createModel(CONFIG, { seed: 2 });
  const options = { ...OPTIONS, epochs: 60, restoreBest: true }, training = new Training(model, DATA, options);
  const history = await training.run(), { state, bestParameters } = training;
  const again = new Training(model, DATA, { ...options, state, bestParameters });
  assert.deepEqual(await again.run(), history, "there is nothing left to do");
  assert.deepEqual(await model.stateDict(), bestParameters);
  assert.throws(() => new Training(model, DATA, { ...options, epochs: 61, state, bestParameters }), {
    name: "RangeError",
    message: /ended with the best parameters restored; to train beyond epoch 60, use a state/,
  });
});

Deno.test("with restoreBest false the model keeps its last parameters", async () => {
  using model = await createModel(CONFIG, { seed: 2 });
  const training = new Training(model, DATA, { ...OPTIONS, earlyStopping: { patience: 4 }, restoreBest: false });
  const history = await training.run();
  assert.equal(training.bestParameters, undefined);
  assert.equal((await evaluate(model, VALIDATION, { batchSize: 16 })).loss, history.at(-1)!.validationLoss);
});

Deno.test("without validation data the training loss is monitored", async () => {
  using model = await createModel(CONFIG, { seed: 2 });
  const options = { ...OPTIONS, validation: undefined, optimizer: { name: "sgd", learningRate: 0 } as const };
  const training = new Training(model, DATA, { ...options, earlyStopping: { patience: 3, minDelta: 1 } });
  assert.equal((await training.run()).length, 4);
});

Deno.test("onEpoch finds the best parameters so far in the training", async () => {
  using model = await createModel(CONFIG, { seed: 2 });
  let seen = 0;
  const training: Training = new Training(model, DATA, {
    ...OPTIONS,
    epochs: 12,
    restoreBest: true,
    async onEpoch({ epoch }, { best, bestParameters }) {
      if (best!.epoch === epoch) assert.deepEqual(bestParameters, await model.stateDict());
      else assert.notDeepEqual(bestParameters, await model.stateDict());
      seen++;
    },
  });
  await training.run();
  assert.equal(seen, 12);
});

Deno.test("bad options are refused with name and value, and a state without the best parameters too", async () => {
  using model = await createModel(CONFIG);
  const wrong = (options: object, name: string, message: RegExp) =>
    assert.throws(() => new Training(model, DATA, options), { name, message });
  wrong({ earlyStopping: { patience: 0 } }, "RangeError", /patience .*from 1, got 0/);
  wrong({ earlyStopping: { patience: 2, minDelta: -1 } }, "RangeError", /minDelta .*got -1/);
  wrong({ earlyStopping: { wait: 2 } }, "TypeError", /unknown option "wait"/);
  wrong({ earlyStopping: 5 }, "TypeError", /options must be an object, got 5/);
  wrong({ monitor: "f1" }, "RangeError", /monitor must be one of loss, accuracy, got "f1"/);
  wrong({ monitor: "accuracy", loss: "mse" }, "TypeError", /monitor must be "loss" where the loss is "mse"/);
  wrong({ restoreBest: 1 }, "TypeError", /restoreBest must be true or false, got 1/);
  const state = { epoch: 1, batch: 0, lossSum: 0, correct: 0, history: [{ epoch: 1, trainLoss: 1, trainAccuracy: 0 }] };
  wrong({ state, restoreBest: true }, "TypeError", /restoreBest needs the bestParameters/);
  assert.deepEqual(resolveEarlyStopping({}), { patience: 10, minDelta: 0 });
});
