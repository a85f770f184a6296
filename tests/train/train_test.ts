import assert from "node:assert/strict";
import {
  type BatchProgress,
  createModel,
  createTrainer,
  DataLoader,
  type Dataset,
  type EpochRecord,
  type EpochReport,
  errorCode,
  evaluate,
  formatCheckpoint,
  type ModelConfig,
  parseCheckpoint,
  randomSplit,
  sampleDataset,
  subset,
  train,
  Training,
  type TrainOptions,
} from "../../mod.ts";
import { assertClose } from "../close.ts";

const CONFIG: ModelConfig = { inputSize: 5, hiddenSize: 8, outputSize: 2, dropout: 0.2 };
const DATA = sampleDataset({ size: 70, steps: 4, seed: 1 });
const QUICK: TrainOptions = { epochs: 3, batchSize: 16, optimizer: { learningRate: 1e-2 } };

/** Trains a fresh model; everything that came of it, to the bit. */
async function outcome(options: TrainOptions, { seed = 1, data = DATA as Dataset, config = CONFIG } = {}) {
  using model = await createModel(config, { seed });
  const training = new Training(model, data, options), history = await training.run();
  return { history, parameters: await model.stateDict(), state: await training.trainer.state() };
}

/** The dataset with its labels in another order: nothing is left to be learnt from a sequence. */
function shuffledLabels(dataset: Dataset): Dataset {
  const N = dataset.shape[0]!, other = sampleDataset({ size: N, steps: 1, features: 1, seed: 99 });
  return { ...dataset, targets: other.targets };
}

Deno.test("training lowers the loss and learns the task; with shuffled labels there is nothing to learn", async () => {
  const [data, test] = randomSplit(sampleDataset({ size: 1000, seed: 3 }), [800, 200], 3) as [Dataset, Dataset];
  const options = { epochs: 30, optimizer: { learningRate: 5e-3 } };
  const run = async (data: Dataset) => {
    using model = await createModel(CONFIG, { seed: 3 });
    const history = await train(model, data, options);
    return { first: history[0]!, last: history.at(-1)!, test: await evaluate(model, test) };
  };
  const right = await run(data), control = await run(shuffledLabels(data));
  assert.ok(right.last.trainLoss < right.first.trainLoss / 4, `${right.first.trainLoss} to ${right.last.trainLoss}`);
  assert.ok(right.last.trainAccuracy > 0.95 && right.test.accuracy > 0.9, JSON.stringify(right));
  assert.ok(control.last.trainAccuracy < 0.8 && control.test.accuracy < 0.65, JSON.stringify(control));
});

Deno.test("one batch can be learnt by heart, whatever the loss", async () => {
  const data = sampleDataset({ size: 8, steps: 4, seed: 2 });
  const classes = Int32Array.from({ length: 8 }, (_, i) => i % 2);
  const cases = [
    { loss: "bce", targets: data.targets },
    { loss: "crossEntropy", targets: classes },
    { loss: "mse", targets: Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)) },
  ] as const;
  for (const { loss, targets } of cases) {
    using model = await createModel({ ...CONFIG, dropout: 0 }, { seed: 1 });
    const options: TrainOptions = { loss, epochs: 250, batchSize: 8, optimizer: { learningRate: 2e-2 } };
    const history = await train(model, { ...data, targets }, options);
    const { trainLoss, trainAccuracy } = history.at(-1)!;
    assert.ok(history[0]!.trainLoss > 0.2 && trainLoss < 0.01, `${loss}: ${history[0]!.trainLoss} to ${trainLoss}`);
    assert.equal(trainAccuracy, loss === "mse" ? 0 : 1);
  }
});

Deno.test("the same seed trains to the same bits, other seeds to others", async () => {
  assert.deepEqual(await outcome(QUICK), await outcome(QUICK));
  const [one, two] = [await outcome({ ...QUICK, seed: 1 }), await outcome({ ...QUICK, seed: 2 })];
  assert.deepEqual(one, await outcome(QUICK), "the model's seed is the default");
  assert.notDeepEqual(one.parameters, two.parameters);
  assert.notDeepEqual(one.history, (await outcome(QUICK, { seed: 2 })).history);
});

Deno.test("a dataset is trained on in a new order each epoch and for each seed, or in its own", async () => {
  // With a step size of 0 the batches' losses tell what is in them.
  const order = async (more: TrainOptions) => {
    const losses: number[] = [], onBatch = ({ loss }: BatchProgress) => losses.push(loss);
    const options: TrainOptions = { epochs: 2, batchSize: 16, optimizer: { name: "sgd", learningRate: 0 }, onBatch };
    await outcome({ ...options, ...more }, { config: { ...CONFIG, dropout: 0 } });
    return [losses.slice(0, 5), losses.slice(5)];
  };
  const [one, two, own] = [await order({ seed: 1 }), await order({ seed: 2 }), await order({ shuffle: false })];
  assert.notDeepEqual(one[0], one[1]);
  assert.notDeepEqual(one[0], two[0]);
  assert.deepEqual(own[0], own[1]);
  assert.deepEqual(await order({ seed: 2, shuffle: false }), own);
});

Deno.test("a record is the mean of the batches' losses and the share of right sequences", async () => {
  const losses: number[] = [];
  const config = { ...CONFIG, dropout: 0 }, options = { ...QUICK, epochs: 1, shuffle: false };
  const { history } = await outcome({ ...options, onBatch: ({ loss }) => losses.push(loss) }, { config });
  assert.equal(losses.length, 5);
  assert.equal(history[0]!.trainLoss, losses.reduce((a, b) => a + b) / 5);
  // With a step size of 0 an epoch is an evaluation.
  const still: TrainOptions = { ...options, optimizer: { name: "sgd", learningRate: 0 }, validation: DATA };
  const [{ trainLoss, trainAccuracy, validationLoss, validationAccuracy }] = (await outcome(still, { config }))
    .history as [
      EpochReport,
    ];
  assert.ok(Math.abs(trainLoss - validationLoss!) < 1e-6, `${trainLoss} and ${validationLoss}`);
  assert.equal(trainAccuracy, validationAccuracy);
});

Deno.test("callbacks see every batch and epoch in turn, and training waits for onEpoch", async () => {
  const calls: string[] = [], reports: EpochReport[] = [], batches: BatchProgress[] = [];
  using model = await createModel(CONFIG);
  const history = await train(model, DATA, {
    ...QUICK,
    epochs: 2,
    validation: DATA,
    onBatch(progress) {
      batches.push(progress);
      calls.push(`${progress.epoch}.${progress.batch}`);
    },
    async onEpoch(report, training) {
      reports.push(report);
      assert.equal(training.state.epoch, report.epoch);
      assert.deepEqual(training.state.history.at(-1), training.state.history[report.epoch - 1]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      calls.push(`epoch ${report.epoch}`);
    },
  });
  const steps = (epoch: number) => [1, 2, 3, 4, 5].map((batch) => `${epoch}.${batch}`);
  assert.deepEqual(calls, [...steps(1), "epoch 1", ...steps(2), "epoch 2"]);
  assert.ok(batches.every((progress) => progress.batches === 5 && Number.isFinite(progress.loss)));
  for (const { seconds } of reports) assert.ok(seconds > 0);
  assert.deepEqual(reports.map(({ seconds: _, ...record }) => record), history);
  for (const { validationLoss, validationAccuracy } of history) {
    assert.ok(validationLoss! > 0 && validationAccuracy! >= 0);
  }
});

Deno.test("without validation data a record holds no test scores", async () => {
  const { history } = await outcome({ ...QUICK, epochs: 1 });
  assert.deepEqual(Object.keys(history[0]!), ["epoch", "trainLoss", "trainAccuracy", "learningRate", "gradNorm"]);
});

Deno.test("what a callback throws ends training and comes out", async () => {
  const error = new Error("enough");
  const thrower = () => {
    throw error;
  };
  await assert.rejects(outcome({ ...QUICK, onBatch: thrower }), error);
  await assert.rejects(outcome({ ...QUICK, onEpoch: () => Promise.reject(error) }), error);
});

Deno.test("the best epoch is the one with the least validation loss", async () => {
  using model = await createModel(CONFIG, { seed: 2 });
  // Learnt by heart from few sequences: the validation loss rises again.
  const [data, validation] = randomSplit(DATA, [20, 50], 2) as [Dataset, Dataset];
  const training = new Training(model, data, { ...QUICK, epochs: 60, validation });
  assert.equal(training.best, undefined);
  const history = await training.run(), losses = history.map(({ validationLoss }) => validationLoss!);
  assert.equal(training.best!.validationLoss, Math.min(...losses));
  assert.ok(training.best!.epoch > 1 && training.best!.epoch < 60, `${training.best!.epoch} of 60 is best`);
});

Deno.test("an abort stops after the batch in hand and rejects with the reason", async () => {
  for (const stopAt of [1, 3, 5, 7]) {
    const abort = new AbortController(), reason = new Error("stop");
    let batches = 0;
    using model = await createModel(CONFIG);
    const training = new Training(model, DATA, {
      ...QUICK,
      signal: abort.signal,
      onBatch: () => ++batches === stopAt && abort.abort(reason),
    });
    await assert.rejects(training.run(), (error) => error === reason);
    assert.equal(batches, stopAt);
    const { epoch, batch, history } = training.state;
    assert.equal(epoch * 5 + batch, stopAt);
    assert.equal(history.length, epoch);
    assert.equal(training.trainer.steps, stopAt);
  }
});

Deno.test("a signal that was aborted before stops training before the first batch", async () => {
  await assert.rejects(outcome({ ...QUICK, signal: AbortSignal.abort("no") }), (error) => error === "no");
});

Deno.test("timers have their turn while epochs go by that are shorter than a turn", async () => {
  const abort = new AbortController(), data = sampleDataset({ size: 4, steps: 1, features: 5 });
  const timer = setTimeout(() => abort.abort("by timer"), 0);
  try {
    const run = outcome({ epochs: 20000, signal: abort.signal }, { data });
    await assert.rejects(run, (error) => error === "by timer");
  } finally {
    clearTimeout(timer);
  }
});

Deno.test("several batches per update are one large batch, the last update of an epoch what is left", async () => {
  const config = { ...CONFIG, dropout: 0 }, shuffle = false, rates: number[] = [];
  const schedule = { name: "constant", warmupSteps: 3 } as const;
  const small = await outcome({
    ...QUICK,
    batchSize: 8,
    accumulate: 3,
    shuffle,
    schedule,
    onBatch: ({ learningRate }) => rates.push(learningRate),
  }, { config });
  const large = await outcome({ ...QUICK, batchSize: 24, shuffle, schedule }, { config });
  assert.equal(small.state.step, 9); // 70 sequences: batches of 8, …, 8, 6
  assert.equal(large.state.step, 9);
  for (const [name, { data }] of Object.entries(large.parameters)) {
    assertClose(small.parameters[name]!.data, data, 1e-5, name);
  }
  for (const [i, { gradNorm, learningRate, trainAccuracy }] of large.history.entries()) {
    assert.ok(Math.abs(small.history[i]!.gradNorm! - gradNorm!) < 1e-5);
    assert.deepEqual([small.history[i]!.learningRate, small.history[i]!.trainAccuracy], [learningRate, trainAccuracy]);
  }
  assert.deepEqual(rates.slice(0, 10).map((rate) => Math.round(rate * 3e2)), [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]);
});

Deno.test("an abort stops after the update in hand", async () => {
  for (const [stopAt, batch, steps] of [[1, 2, 1], [2, 2, 1], [3, 4, 2], [5, 5, 3]] as const) {
    const abort = new AbortController();
    let batches = 0;
    using model = await createModel(CONFIG);
    const training = new Training(model, DATA, {
      ...QUICK,
      accumulate: 2,
      signal: abort.signal,
      onBatch: () => ++batches === stopAt && abort.abort("stop"),
    });
    await assert.rejects(training.run(), (error) => error === "stop");
    assert.deepEqual([training.state.batch, training.trainer.steps], [batch, steps]);
  }
});

Deno.test("a sequence of weight 2 counts as two equal ones in training and validation", async () => {
  const N = 24, part = subset(DATA, Array.from({ length: N }, (_, i) => i));
  const weights = Float32Array.from({ length: N }, (_, i) => i % 3);
  const twice = subset(part, Array.from({ length: N }, (_, i) => Array<number>(i % 3).fill(i)).flat());
  const config = { ...CONFIG, dropout: 0 }, options = { ...QUICK, batchSize: 99 };
  const weighted = { ...part, weights };
  const one = await outcome({ ...options, validation: weighted }, { config, data: weighted });
  const two = await outcome({ ...options, validation: twice }, { config, data: twice });
  for (const [name, { data }] of Object.entries(two.parameters)) {
    assertClose(one.parameters[name]!.data, data, 1e-5, name);
  }
  for (const [i, { trainLoss, validationLoss }] of two.history.entries()) {
    assertClose(
      [one.history[i]!.trainLoss, one.history[i]!.validationLoss!],
      [trainLoss, validationLoss!],
      1e-5,
      "losses",
    );
  }
  assert.notDeepEqual(one.parameters, (await outcome(options, { config, data: part })).parameters);
});

/** Trains, stops after `stopAt` batches, goes on from a checkpoint's text in another model. */
async function interrupted(options: TrainOptions, stopAt: number, config: ModelConfig) {
  using model = await createModel(config, { seed: 1 });
  const abort = new AbortController();
  let batches = 0;
  const onBatch = () => ++batches === stopAt && abort.abort("stop");
  const training = new Training(model, DATA, { ...options, signal: abort.signal, onBatch });
  await assert.rejects(training.run(), (error) => error === "stop");
  const loaded = await parseCheckpoint(await formatCheckpoint({ model, training }));
  using copy = loaded.model;
  const { options: rest, state, bestParameters } = loaded.training!;
  const history = await train(copy, DATA, {
    ...rest,
    state,
    bestParameters,
    trainer: loaded.trainer!,
    validation: options.validation,
  });
  return { history, parameters: await copy.stateDict(), state: await loaded.trainer!.state() };
}

Deno.test("training that was stopped anywhere goes on to the same bits: parameters, moments, history", async () => {
  const options: TrainOptions = { ...QUICK, validation: DATA, clipNorm: 1 }, whole = await outcome(options);
  for (const stopAt of [1, 4, 5, 6, 10, 14]) {
    assert.deepEqual(await interrupted(options, stopAt, CONFIG), whole, `after ${stopAt} batches`);
  }
});

Deno.test("an abort in the middle of validation leaves a state to go on from", async () => {
  const validation = sampleDataset({ size: 50, steps: 4, seed: 9 }), options = { ...QUICK, validation };
  const whole = await outcome(options);
  using model = await createModel(CONFIG, { seed: 1 });
  let checks = 0;
  // Looked at before the epoch and after its batches; then after each of the four batches of the validation.
  const signal = {
    aborted: false,
    throwIfAborted() {
      if (++checks === 4) throw "stop";
    },
  } as unknown as AbortSignal;
  const first = new Training(model, DATA, { ...options, signal });
  await assert.rejects(first.run(), (error) => error === "stop");
  const { state, trainer } = first;
  assert.deepEqual([state.epoch, state.batch, state.history.length], [0, 5, 0]);
  const history = await train(model, DATA, { ...first.options, validation, state, trainer });
  assert.deepEqual({ history, parameters: await model.stateDict(), state: await trainer.state() }, whole);
});

Deno.test("a checkpoint keeps schedule, early stopping, accumulation and the best parameters", async () => {
  const options: TrainOptions = {
    ...QUICK,
    epochs: 30,
    accumulate: 2,
    optimizer: { learningRate: 5e-2 },
    validation: sampleDataset({ size: 30, steps: 4, seed: 9 }),
    schedule: { name: "plateau", patience: 0, warmupSteps: 4 },
    earlyStopping: { patience: 5, minDelta: 1e-3 },
    monitor: "accuracy",
  };
  const whole = await outcome(options), epochs = whole.history.length;
  assert.ok(epochs > 5 && epochs < 30 && new Set(whole.history.map(({ learningRate }) => learningRate)).size > 2);
  for (const stopAt of [2, 5, 17, 5 * epochs - 1, 5 * epochs]) {
    assert.deepEqual(await interrupted(options, stopAt, CONFIG), whole, `after ${stopAt} batches`);
  }
});

Deno.test("the same Training goes on where it was stopped", async () => {
  const whole = await outcome(QUICK);
  using model = await createModel(CONFIG, { seed: 1 });
  const signals = [new AbortController(), new AbortController()];
  let batches = 0;
  const first = new Training(model, DATA, {
    ...QUICK,
    signal: signals[0]!.signal,
    onBatch: () => ++batches === 7 && signals[0]!.abort(),
  });
  await assert.rejects(first.run(), { name: "AbortError" });
  const { trainer, state, options } = first;
  const history = await train(model, DATA, { ...options, trainer, state });
  assert.deepEqual({ history, parameters: await model.stateDict(), state: await trainer.state() }, whole);
});

Deno.test("a finished training can be resumed for more epochs", async () => {
  const whole = await outcome({ ...QUICK, epochs: 5 });
  using model = await createModel(CONFIG, { seed: 1 });
  const training = new Training(model, DATA, { ...QUICK, epochs: 2 });
  await training.run();
  const { trainer, state } = training;
  const history = await train(model, DATA, { epochs: 5, batchSize: 16, trainer, state });
  assert.deepEqual({ history, parameters: await model.stateDict(), state: await trainer.state() }, whole);
});

Deno.test("data with a number that is not finite are refused before training, with its place", async () => {
  using model = await createModel(CONFIG);
  const wrong = (data: Dataset, message: RegExp, options: TrainOptions = QUICK) =>
    assert.throws(() => new Training(model, data, options), { name: "RangeError", message });
  const broken = (array: Float32Array, at: number, value: number) => {
    const copy = array.slice();
    copy[at] = value;
    return copy;
  };
  const targets = DATA.targets as Float32Array, x = DATA.x as Float32Array;
  wrong({ ...DATA, x: broken(x, 40 * 20 + 2 * 5 + 3, NaN) }, /x of the data .*NaN in sequence 40, step 2, channel 3 /);
  wrong({ ...DATA, x: broken(x, 0, -Infinity) }, /got -Infinity in sequence 0, step 0, channel 0 /);
  wrong(
    { ...DATA, targets: broken(targets, 139, Infinity) },
    /targets of the data .*Infinity in sequence 69, output 1 /,
  );
  const validation = { ...DATA, x: broken(x, 1399, NaN) };
  wrong(DATA, /x of the validation data .*sequence 69, step 3, channel 4/, { ...QUICK, validation });
  const lengths = new Int32Array(70).fill(3);
  new Training(model, { ...validation, lengths }, QUICK);
});

Deno.test("a learning rate that is too large stops training and says where", async () => {
  const options: TrainOptions = { ...QUICK, optimizer: { name: "sgd", learningRate: 1e30 } };
  await assert.rejects(outcome(options), {
    name: "RangeError",
    message: /is (NaN|Infinity|-Infinity) in epoch 1, batch 2;/,
  });
});

Deno.test("a validation loss that is no number stops training and says where", async () => {
  // Its square is no float32.
  const validation = { ...DATA, targets: new Float32Array(DATA.targets.length).fill(1e30) };
  await assert.rejects(outcome({ ...QUICK, loss: "mse", validation }), {
    name: "RangeError",
    message: /validation loss is Infinity after epoch 1/,
  });
});

Deno.test("fastDevRun trains one epoch of one batch, and validates on one", async () => {
  const losses: number[] = [], validation = { ...DATA, x: DATA.x.slice() };
  validation.x.fill(1e30, 20 * 20); // of sequence 20: not in the first batch
  const options: TrainOptions = { ...QUICK, fastDevRun: true, validation, shuffle: false };
  const { history, state } = await outcome({ ...options, onBatch: ({ loss }) => losses.push(loss) });
  assert.deepEqual([history.length, losses.length, state.step], [1, 1, 1]);
  assert.equal(history[0]!.trainLoss, losses[0]);
  assert.equal(history[0]!.trainAccuracy * 16 % 1, 0);
  const whole: number[] = [];
  await outcome({ ...QUICK, shuffle: false, onBatch: ({ loss }) => whole.push(loss) });
  assert.equal(losses[0], whole[0]);
});

Deno.test("every update has the learning rate that the schedule says, and a record that of the last", async () => {
  const rates: number[] = [];
  const schedule = { name: "step", stepSize: 1, gamma: 0.5, warmupSteps: 4 } as const;
  const options = { ...QUICK, onBatch: ({ learningRate }: BatchProgress) => rates.push(learningRate) };
  const { history, parameters } = await outcome({ ...options, schedule });
  const expected = [0.25, 0.5, 0.75, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25].map((x) => x * 1e-2);
  assert.deepEqual(rates, expected);
  assert.deepEqual(history.map(({ learningRate }) => learningRate), [1e-2, 5e-3, 2.5e-3]);
  // The same, step by step.
  using model = await createModel(CONFIG, { seed: 1 });
  const trainer = createTrainer(model, { optimizer: QUICK.optimizer });
  const loader = new DataLoader(DATA, { batchSize: 16, shuffle: true, seed: 1 });
  let norms = 0;
  for (let epoch = 0, update = 0; epoch < 3; epoch++) {
    for (const batch of loader.batches(epoch)) {
      const { gradNorm } = await trainer.step(batch, batch.targets, { learningRate: expected[update++] });
      if (epoch === 0) norms += gradNorm;
    }
  }
  assert.deepEqual(await model.stateDict(), parameters);
  assert.equal(history[0]!.gradNorm, norms / 5);
  assert.notDeepEqual(parameters, (await outcome(QUICK)).parameters);
});

Deno.test("sequences of several lengths are trained on, and what stands behind them does not matter", async () => {
  const lengths = Int32Array.from({ length: 70 }, (_, i) => 1 + i % 4);
  const x = DATA.x.slice();
  lengths.forEach((length, i) => x.fill(NaN, i * 20 + length * 5, (i + 1) * 20));
  const [plain, garbage] = [{ ...DATA, lengths }, { ...DATA, x, lengths }];
  assert.deepEqual(await outcome(QUICK, { data: garbage }), await outcome(QUICK, { data: plain }));
  assert.notDeepEqual((await outcome(QUICK, { data: plain })).history, (await outcome(QUICK)).history);
});

Deno.test("bad options of training are refused with name and value", async () => {
  using model = await createModel(CONFIG);
  using other = await createModel(CONFIG);
  const wrong = (options: object, name: string, message: RegExp, data = DATA) =>
    assert.throws(() => new Training(model, data, options), { name, message });
  wrong({ epochs: 0 }, "RangeError", /epochs must be an integer from 1 .*got 0/);
  wrong({ epochs: -1 }, "RangeError", /epochs .*-1/);
  wrong({ epochs: "9" }, "TypeError", /epochs .*"9"/);
  wrong({ batchSize: 1.5 }, "RangeError", /batchSize .*1\.5/);
  wrong({ shuffle: "yes" }, "TypeError", /shuffle .*"yes"/);
  wrong({ learningRate: 1 }, "TypeError", /unknown option "learningRate"/);
  wrong({ trainer: createTrainer(model), loss: "mse" }, "TypeError", /a trainer was given, so loss must be set/);
  wrong({ trainer: createTrainer(other) }, "TypeError", /belongs to another model/);
  wrong({}, "RangeError", /x must have/, { ...DATA, shape: [70, 4, 4] });
  await assert.rejects(train(model, { ...DATA, targets: new Int32Array(70) }, QUICK), TypeError);
  await assert.rejects(train(model, DATA, { ...QUICK, loss: "crossEntropy" }), TypeError);
});

Deno.test("a state that no such training can have is refused", async () => {
  using model = await createModel(CONFIG);
  const record = { epoch: 1, trainLoss: 1, trainAccuracy: 0 };
  const good = { epoch: 1, batch: 2, lossSum: 1, correct: 5, history: [record] };
  new Training(model, DATA, { ...QUICK, state: good });
  const cases = [
    { epoch: 2 },
    { epoch: -1 },
    { batch: 6 },
    { batch: 0.5 },
    { batch: 0 },
    { correct: 33 },
    { lossSum: NaN },
    { gradNormSum: Infinity },
    { history: [] },
    { history: [{ ...record, epoch: 2 }] },
  ];
  for (const bad of cases) {
    const state = { ...good, ...bad };
    const message = /state must be one of this training, with 5 batches per epoch/;
    assert.throws(() => new Training(model, DATA, { ...QUICK, state }), { name: "RangeError", message });
  }
  new Training(model, DATA, { ...QUICK, state: { ...good, batch: 5 }, accumulate: 2 });
  assert.throws(() => new Training(model, DATA, { ...QUICK, state: { ...good, batch: 3 }, accumulate: 2 }), {
    name: "RangeError",
    message: /with 5 batches per epoch and 2 per update, got epoch 1, batch 3/,
  });
});

Deno.test("the names of 0.2.0 can still be read and given: testLoss, testAccuracy, the option validationLoss", async () => {
  using model = await createModel(CONFIG, { seed: 1 });
  const reports: EpochReport[] = [], settings = { epochs: 2, batchSize: 7, validationLoss: "sequences" } as const;
  const training = new Training(model, DATA, { ...settings, validation: DATA, onEpoch: (r) => void reports.push(r) });
  const history = await training.run();
  for (const record of [...history, ...reports, ...training.state.history, training.best!]) {
    assert.ok(record.validationLoss! > 0 && record.validationAccuracy! >= 0);
    assert.deepEqual([record.testLoss, record.testAccuracy], [record.validationLoss, record.validationAccuracy]);
    assert.ok(!JSON.stringify(record).includes("test"));
  }
  const { lossOverSamples } = await evaluate(model, DATA, { batchSize: 7 });
  assert.equal(history[1]!.validationLoss, lossOverSamples);
  const { options, state } = training;
  assert.deepEqual([options.validationReduction, options.validationLoss], ["sequences", "sequences"]);
  // A state that a program of 0.2.0 kept as JSON.
  const before = JSON.parse(JSON.stringify(state).replaceAll('"validation', '"test'));
  assert.ok("testLoss" in before.history[0]);
  const { epochs: _, ...rest } = settings;
  const resumed = new Training(model, DATA, { ...rest, epochs: 3, validation: DATA, state: before });
  assert.deepEqual(resumed.state, state);
  const both = { validationLoss: "batches", validationReduction: "sequences" } as const;
  assert.throws(() => new Training(model, DATA, both), {
    name: "TypeError",
    message: /unknown option "validationLoss"/,
  });
});

Deno.test("a training runs once at a time", async () => {
  using model = await createModel(CONFIG, { seed: 1 });
  let inner: Promise<unknown> | undefined;
  const training: Training = new Training(model, DATA, { epochs: 2, onEpoch: () => void (inner ??= refused()) });
  const refused = () =>
    assert.rejects(training.run(), (error) => error instanceof TypeError && errorCode(error) === "training-running");
  const first = training.run();
  await refused();
  const history = await first;
  await inner;
  assert.equal(history.length, 2);
  assert.deepEqual(await training.run(), history, "after its end it may be asked again");
});

Deno.test("what a callback throws ends training after the update, and run() continues to the same bits", async () => {
  const options = { epochs: 3, batchSize: 6, accumulate: 2, validation: DATA, optimizer: { learningRate: 1e-2 } };
  using whole = await createModel({ ...CONFIG, dropout: 0.5 }, { seed: 1 });
  const expected = await train(whole, DATA, options);
  for (const [where, at] of [["onBatch", 1], ["onBatch", 2], ["onBatch", 9], ["onEpoch", 1], ["onEpoch", 3]] as const) {
    using model = await createModel({ ...CONFIG, dropout: 0.5 }, { seed: 1 });
    let calls = 0;
    const throwing = () => {
      if (++calls === at) throw new Error("no");
    };
    const training = new Training(model, DATA, { ...options, [where]: throwing });
    await assert.rejects(training.run(), { message: "no" });
    const { batch } = training.state, batches = Math.ceil(DATA.shape[0]! / 6);
    assert.ok(batch % 2 === 0 || batch === batches);
    assert.deepEqual(await training.run(), expected, `${where} ${at}`);
    assert.deepEqual(await model.stateDict(), await whole.stateDict());
  }
});

Deno.test("the validation loss is that of the trainer, with all its settings", async () => {
  const classes = { ...DATA, targets: Int32Array.from({ length: 70 }, (_, i) => DATA.targets[2 * i] ? 0 : 1) };
  const cases: [TrainOptions, Dataset][] = [
    [{ loss: "crossEntropy", labelSmoothing: 0.3, classWeights: [1, 3] }, classes],
    [{ loss: "focal", gamma: 0.5, alpha: 0.5 }, classes],
    [{ loss: "huber", delta: 0.05 }, DATA],
    [{ loss: "bce", posWeight: [4, 1] }, DATA],
  ];
  for (const [options, data] of cases) {
    using model = await createModel({ ...CONFIG, dropout: 0 }, { seed: 1 });
    // Nothing is learned: training and validation see the same model and the same batch.
    const still: TrainOptions = { ...options, epochs: 1, batchSize: 70, optimizer: { learningRate: 0 } };
    const [{ trainLoss, validationLoss }] = await train(model, data, { ...still, validation: data }) as [EpochRecord];
    assertClose([validationLoss!], [trainLoss], 1e-6, options.loss!);
    const { loss } = await evaluate(model, data, { loss: options.loss });
    assert.ok(Math.abs(loss - trainLoss) > 1e-3, "the settings matter");
  }
});

Deno.test("an update that leaves parameters which are not finite is an error, before anybody is told of its epoch", async () => {
  const onEpoch = () => assert.fail("an epoch with such parameters");
  const options: TrainOptions = { onEpoch, epochs: 1, batchSize: 70, optimizer: { name: "sgd", learningRate: 1e39 } };
  using model = await createModel(CONFIG, { seed: 1 });
  await assert.rejects(train(model, DATA, options), {
    name: "RangeError",
    message: /Cannot continue training: parameter "[\w.]+" holds (NaN|-?Infinity) at \d+ after epoch 1; try a sm/,
  });
});
