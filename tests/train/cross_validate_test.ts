import assert from "node:assert/strict";
import {
  createModel,
  crossValidate,
  type CrossValidationRun,
  evaluate,
  type Fold,
  kFold,
  type Model,
  type ModelConfig,
  sampleDataset,
  subset,
  summarize,
  summarizeMetrics,
  Training,
  type TrainOptions,
  walkForward,
} from "../../mod.ts";

const CONFIG: ModelConfig = { inputSize: 5, hiddenSize: 6, outputSize: 2, dropout: 0.2 };
const DATA = sampleDataset({ size: 60, steps: 4, seed: 1 });
const QUICK: TrainOptions = { epochs: 3, batchSize: 16, optimizer: { learningRate: 1e-2 } };

Deno.test("each fold is trained with each seed and tested, as by hand", async () => {
  const folds = kFold(60, 3, 7), seen: CrossValidationRun[] = [];
  const { runs, summary } = await crossValidate(CONFIG, DATA, folds, {
    ...QUICK,
    seeds: [4, 5],
    onRun: (run) => void seen.push(run),
  });
  assert.deepEqual(seen, runs);
  assert.deepEqual(runs.map(({ fold, seed }) => [fold, seed]), [[0, 4], [0, 5], [1, 4], [1, 5], [2, 4], [2, 5]]);
  for (const { fold, seed, history, test } of runs) {
    using model = await createModel(CONFIG, { seed });
    const training = new Training(model, subset(DATA, folds[fold]!.train), { ...QUICK, seed });
    assert.deepEqual(await training.run(), history);
    const data = subset(DATA, folds[fold]!.test);
    assert.deepEqual(await evaluate(model, data, { metrics: true, batchSize: 16 }), test);
  }
  assert.deepEqual(summary.accuracy, summarize(runs.map(({ test }) => test.accuracy)));
  assert.deepEqual(summary, summarizeMetrics(runs.map(({ test }) => test)));
  assert.ok(["loss", "lossOverSamples", "macroF1", "balancedAccuracy", "rocAuc"].every((name) => name in summary));
});

Deno.test("data may depend on the fold, models may be made by the caller, and each is disposed", async () => {
  const models: Model[] = [], asked: Fold[] = [], folds = walkForward(60, 2);
  const make = async (seed: number) => {
    const model = await createModel(CONFIG, { seed: seed + 100 });
    models.push(model);
    return model;
  };
  const { runs } = await crossValidate(
    make,
    (fold) => {
      asked.push(fold);
      return { train: subset(DATA, fold.train), test: subset(DATA, fold.test), validation: DATA };
    },
    folds,
    QUICK,
  );
  assert.deepEqual(asked, folds);
  assert.deepEqual(runs.map(({ test }) => test.probabilities.shape), [[20, 2], [20, 2]]);
  assert.ok(
    runs.every(({ history }) => history.every(({ validationLoss }) => validationLoss! > 0)),
    "validation is used",
  );
  for (const model of models) await assert.rejects(model.stateDict(), /disposed/);
});

Deno.test("a summary holds what all runs have, and no accuracy of numbers", () => {
  const base = { kind: "classification", perClass: [], confusion: [[1]] } as const;
  const one = { ...base, accuracy: 1, balancedAccuracy: 1, macroF1: 1 };
  const two = { ...base, accuracy: 0, balancedAccuracy: 0.5, macroF1: 0.5, rocAuc: 0.5 };
  const runs = [{ loss: 1, accuracy: 1, metrics: one }, { loss: 2, accuracy: 0, metrics: two }];
  assert.deepEqual(Object.keys(summarizeMetrics(runs)).sort(), ["accuracy", "balancedAccuracy", "loss", "macroF1"]);
  const numbers = { kind: "regression", mse: 4, rmse: 2, mae: 1, r2: 0.5 } as const;
  const { mse, ...rest } = summarizeMetrics([{ loss: 4, accuracy: 0, metrics: numbers }]);
  assert.deepEqual(mse, { mean: 4, sd: 0 });
  assert.deepEqual(Object.keys(rest).sort(), ["loss", "mae", "r2", "rmse"]);
  assert.throws(() => summarizeMetrics([]), RangeError);
});

Deno.test("no folds, bad options and an abort end it", async () => {
  await assert.rejects(crossValidate(CONFIG, DATA, [], QUICK), { name: "RangeError", message: /must be a fold/ });
  const folds = kFold(60, 2);
  await assert.rejects(crossValidate(CONFIG, DATA, folds, { ...QUICK, seeds: [] }), RangeError);
  await assert.rejects(crossValidate(CONFIG, DATA, folds, { ...QUICK, epochs: 0 }), /epochs .*got 0/);
  await assert.rejects(crossValidate(CONFIG, DATA, folds, { ...QUICK, seeds: [-1] }), RangeError);
  const abort = new AbortController(), runs: number[] = [];
  const onRun = ({ fold }: CrossValidationRun) => (runs.push(fold), abort.abort("enough"));
  await assert.rejects(
    crossValidate(CONFIG, DATA, folds, { ...QUICK, signal: abort.signal, onRun }),
    (error) => error === "enough",
  );
  assert.deepEqual(runs, [0]);
});
