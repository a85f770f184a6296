/** Training on pairs: the library's recipe, teacher ratios, free-running validation, resumption to the bit. */

import assert from "node:assert/strict";
import { subset } from "../../core/data/dataset.ts";
import { PairPipeline } from "../../core/data/pair_pipeline.ts";
import type { PairRecord } from "../../core/data/pair_records.ts";
import { measurePairs, type PairDataset, ragged } from "../../core/data/pairs.ts";
import { errorCode } from "../../core/errors.ts";
import { forecast } from "../../core/model/free_run.ts";
import { END } from "../../core/model/layers/decoder_options.ts";
import { createModel, type NetworkModel } from "../../core/model/model.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import { createSearcher } from "../../core/model/search.ts";
import type { Seq2SeqConfig } from "../../core/model/seq2seq.ts";
import { Random } from "../../core/random.ts";
import { parseCheckpoint } from "../../core/train/checkpoint/load.ts";
import { formatCheckpoint } from "../../core/train/checkpoint/snapshot.ts";
import { evaluate } from "../../core/train/evaluate.ts";
import type { EpochRecord } from "../../core/train/history.ts";
import { drawTeacher, resolveTeacher, teacherRatio } from "../../core/train/teacher.ts";
import { createTrainer } from "../../core/train/trainer.ts";
import { train, Training, type TrainOptions } from "../../core/train/training.ts";
import { DEVICES as COMMON, type TestDevice } from "../devices.ts";

const WIDE: TestDevice = { name: "wide SIMD on 4 threads", options: { simd: "wide", threads: 4 }, ignore: false };
const DEVICES = [...COMMON, WIDE];

const V = 9,
  CONFIG: Seq2SeqConfig = {
    task: "seq2seq",
    sourceTokens: V,
    sourceSize: 8,
    targetTokens: V + 2,
    targetSize: 8,
    hiddenSize: 16,
  };

/** Sequences of tokens, to be said backwards. */
function backwards(N: number, seed = 1): PairDataset {
  const random = new Random(seed, "data");
  const said = Array.from(
    { length: N },
    () => Array.from({ length: 1 + random.below(6) }, () => 2 + random.below(V - 2)),
  );
  const targets = said.map((tokens) => [...tokens.toReversed().map((token) => token + 2), END]);
  return { sources: ragged(said), targets: ragged(targets) };
}

/** Sines to be continued. */
function sines(N: number, steps = 5): PairDataset {
  const random = new Random(2, "data"), phases = Array.from({ length: N }, () => 6 * random.uniform());
  const at = (phase: number, t: number) => Math.sin(phase + 0.4 * t);
  const part = (from: number, n: (i: number) => number) =>
    ragged(phases.map((phase, i) => Array.from({ length: n(i) }, (_, t) => at(phase, from + t))), 1);
  return {
    sources: part(0, () => 10),
    targets: part(10, (i) => 1 + i % steps),
    start: Float32Array.from(phases, (phase) => at(phase, 9)),
  };
}

const SINES: Seq2SeqConfig = { task: "seq2seq", sourceSize: 1, targetSize: 1, hiddenSize: 12 };

Deno.test("a model learns to say tokens backwards, and its validation runs free", async () => {
  using model = await createModel(CONFIG, { seed: 1 });
  assert.equal(model.loss, "crossEntropy");
  const data = backwards(600),
    validation = backwards(60, 2),
    options = { optimizer: { learningRate: 0.01 }, clipNorm: 1 };
  const history = await train(model, data, { ...options, epochs: 12, buckets: 4, validation });
  const first = history[0]!, last = history.at(-1)!;
  assert.ok(last.trainLoss < first.trainLoss / 4);
  assert.ok(last.validationAccuracy! > 0.9, `accuracy ${last.validationAccuracy}`);
  // What is fed the truth does better before it knows everything.
  const mean = (of: (record: EpochRecord) => number) => history.reduce((sum, record) => sum + of(record), 0) / 12;
  assert.ok(mean((epoch) => epoch.validationForcedLoss!) < 0.9 * mean((epoch) => epoch.validationLoss!));
  assert.ok(mean((epoch) => epoch.validationForcedAccuracy!) > mean((epoch) => epoch.validationAccuracy!) + 0.01);
  const { forced, ...free } = await evaluate(model, validation);
  assert.deepEqual([free.loss, free.accuracy], [last.validationLoss, last.validationAccuracy]);
  assert.deepEqual([forced!.loss, forced!.accuracy], [last.validationForcedLoss, last.validationForcedAccuracy]);
  // The free accuracy is that of the answers: greedy search says the same, up to each END.
  using searcher = await createSearcher(model);
  const { sources: { data: x, lengths }, targets } = validation;
  let at = 0, end = 0, exact = 0, right = 0;
  for (let n = 0; n < lengths.length; n++) {
    const own = x.slice(at, at += lengths[n]!) as Int32Array;
    const wanted = [...targets.data.subarray(end, end += targets.lengths[n]!)];
    const [answers] = await searcher.search({ x: own, shape: [1, own.length, 1] }, { maxLength: 8 });
    const said = [...answers![0]!.tokens, END];
    exact += Number(said.join() === wanted.join());
    right += wanted.filter((token, u) => said[u] === token).length;
  }
  assert.ok(exact > 45, `${exact} of 60 exact`);
  assert.ok(Math.abs(right / end - free.accuracy) < 0.02);
});

Deno.test("numbers to numbers, tokens to numbers, numbers to tokens are trained alike", async () => {
  const data = sines(200), options = { epochs: 30, optimizer: { learningRate: 0.01 }, batchSize: 20 };
  using model = await createModel(SINES);
  assert.equal(model.loss, "mse");
  const history = await train(model, data, {
    ...options,
    teacher: { ratio: 0 },
    validation: subset(data, [0, 1, 2, 3, 4]),
  });
  const { trainLoss, teacherRatio: ratio, validationLoss } = history.at(-1)!;
  assert.ok(trainLoss < 0.02 && validationLoss! < 0.02 && ratio === 0, `loss ${trainLoss}, ${validationLoss}`);
  const tokens = backwards(200), sizes = { sourceSize: 4, targetSize: 1, hiddenSize: 8 };
  const lengths = ragged(Array.from(tokens.sources.lengths, (length) => [length]), 1);
  using counting = await createModel({ task: "seq2seq", sourceTokens: V, ...sizes });
  const counted = await train(counting, { sources: tokens.sources, targets: lengths }, options);
  assert.ok(counted.at(-1)!.trainLoss < counted[0]!.trainLoss / 10);
  using saying = await createModel({ task: "seq2seq", targetTokens: V + 2, ...sizes, sourceSize: 1, targetSize: 4 });
  const said = await train(
    saying,
    { sources: lengths, targets: ragged(Array.from(lengths.data, (n) => [n + 3, END])) },
    {
      ...options,
      epochs: 60,
    },
  );
  assert.ok(said.at(-1)!.trainLoss < 0.1, `loss ${said.at(-1)!.trainLoss}`);
});

const TRAINING: TrainOptions = {
  epochs: 3,
  batchSize: 12,
  accumulate: 2,
  buckets: 2,
  clipNorm: 1,
  labelSmoothing: 0.1,
  teacher: { name: "linear", ratio: 0.9, last: 0.2 },
  earlyStopping: { patience: 2 },
  seed: 5,
};

for (const { name, options, ignore } of DEVICES) {
  Deno.test({
    name: `a training on pairs that is stopped resumes to the same bits: ${name}`,
    ignore,
    async fn() {
      const data = backwards(100), validation = backwards(20, 2);
      const config = { ...CONFIG, dropout: 0.2, tied: true, bridge: "copy" as const, numLayers: 2 };
      using model = await createModel(config, { ...options, seed: 3 });
      const training = new Training(model, data, { ...TRAINING, validation });
      const stop = new AbortController();
      using other = await createModel(config, { ...options, seed: 3 });
      let batches = 0;
      const stopped = new Training(other, data, {
        ...TRAINING,
        validation,
        signal: stop.signal,
        onBatch: () => ++batches === 13 && stop.abort(),
      });
      await assert.rejects(stopped.run());
      const loaded = await parseCheckpoint(await formatCheckpoint({ model: other, training: stopped }), "it", options);
      using resumed = loaded.model as NetworkModel;
      const history = await loaded.resume(data, { validation }).run();
      assert.deepEqual(history, await training.run());
      assert.deepEqual(await resumed.stateDict(), await model.stateDict());
      assert.ok(history.every(({ teacherRatio, gradNorm }) => teacherRatio! < 0.9 && gradNorm! > 0));
    },
  });
}

Deno.test("a training on pairs has the same bits on any number of threads", async () => {
  const data = backwards(150), config = { ...CONFIG, hiddenSize: 64, sourceSize: 32, targetSize: 32, dropout: 0.1 };
  const [one, ...others] = await Promise.all([1, 2, 4].map(async (threads) => {
    using model = await createModel(config, { threads, simd: "plain" });
    const history = await train(model, data, { epochs: 1, batchSize: 50, teacher: { ratio: 0.5 }, validation: data });
    return { history, parameters: await model.stateDict() };
  }));
  for (const other of others) assert.deepEqual(other, one);
});

Deno.test("buckets change the batches and nothing else", async () => {
  const data = backwards(40),
    record = async (buckets?: number) => {
      using model = await createModel(CONFIG);
      return (await train(model, data, { epochs: 1, batchSize: 5, buckets })).at(-1)!.trainLoss;
    };
  assert.equal(await record(1), await record());
  assert.notEqual(await record(4), await record());
});

Deno.test("the teacher ratio follows its schedule, and draws depend on place and update alone", () => {
  const at = (options: Parameters<typeof resolveTeacher>[0], done: number) =>
    teacherRatio(resolveTeacher(options), done, 100);
  assert.equal(at({}, 50), 1);
  assert.equal(at({ ratio: 0.3 }, 50), 0.3);
  assert.equal(at({ name: "linear", ratio: 0.8, last: 0.2 }, 50), 0.5);
  assert.equal(at({ name: "linear", updates: 10 }, 50), 0);
  assert.equal(at({ name: "exponential", k: 0.9 }, 2), 0.9 ** 2);
  assert.equal(at({ name: "inverseSigmoid", k: 10, last: 0.5 }, 20), 0.5 + 0.5 * 10 / (10 + Math.exp(2)));
  const draw = { seed: [7, 0] as const, step: 3, rows: 0 }, long = drawTeacher(0.4, [50, 40], draw);
  const short = drawTeacher(0.4, [50, 9], draw), later = drawTeacher(0.4, [10, 40], { ...draw, rows: 40 });
  for (let b = 0; b < 50; b++) assert.deepEqual(short.subarray(9 * b, 9 * b + 9), long.subarray(40 * b, 40 * b + 9));
  assert.deepEqual(later, long.subarray(40 * 40));
  const share = long.reduce((sum, x) => sum + x, 0) / long.length;
  assert.ok(Math.abs(share - 0.4) < 0.04, `${share}`);
  assert.notDeepEqual(drawTeacher(0.4, [50, 40], { ...draw, step: 4 }), long);
});

Deno.test("a trainer draws where its decoder is fed its own output", async () => {
  const step = async (options: object, given: object = {}) => {
    using model = await createModel(CONFIG, { seed: 2, simd: "plain" });
    const y = Int32Array.of(5, 6, 7, 8, END), axes = { target: { steps: 5 } };
    const batch = { x: Int32Array.of(4, 5, 6), shape: [1, 3, 1], axes, inputs: { targets: y, ...given } };
    return (await createTrainer(model, { seed: 4 }).step(batch, y, options)).loss;
  };
  const teacher = { "decoder.teacher": new Float32Array(5) };
  assert.equal(await step({ teacherRatio: 0 }), await step({}, teacher));
  assert.equal(await step({ teacherRatio: 1 }), await step({}));
  assert.notEqual(await step({ teacherRatio: 0 }), await step({}));
  assert.equal(await step({ teacherRatio: 0.5 }, teacher), await step({}, teacher), "what the batch says comes first");
  await assert.rejects(step({ teacherRatio: 1.5 }), /teacherRatio must be a number from 0 to 1, got 1.5/);
});

Deno.test("pairs and options that do not fit are refused in words", async () => {
  using model = await createModel(CONFIG);
  using ofNumbers = await createModel(SINES);
  using plain = await createModel({ inputSize: 1, hiddenSize: 4, outputSize: 1 });
  const { sources, targets } = backwards(3),
    labelled = { x: new Float32Array(8), shape: [2, 4, 1], targets: new Float32Array(2) };
  const say = (...tokens: number[][]) => ({ sources: ragged(tokens.map(() => [4])), targets: ragged(tokens) });
  const bad: [RegExp, NetworkModel, unknown, TrainOptions?][] = [
    [/the target of pair 1 .* is empty: it holds END alone/, model, say([5, END], [END])],
    [/the target of pair 0 .* must end with 3, END, got 5/, model, say([4, 5])],
    [/the target of pair 1 .* holds 2, START, at step 0/, model, say([4, END], [2, END])],
    [/targets must be tokens from 0 to 10, got 11 in pair 1, step 2/, model, say([4, END], [4, 5, 11, END])],
    [/sources must be tokens from 0 to 8, got 9 in pair 2, step 1/, model, {
      sources: ragged([[4], [4], [4, 9]]),
      targets,
    }],
    [/sources must be tokens, an Int32Array/, model, { sources: sines(3).sources, targets }],
    [/targets must have 1 numbers for every step, got 2/, ofNumbers, {
      sources: sines(1).sources,
      targets: ragged([[1, 2]], 2),
    }],
    [/sources of the data must be finite numbers, got NaN in pair 1, step 2/, ofNumbers, {
      sources: ragged([[1], [1, 2, NaN]], 1),
      targets: ragged([[1], [2]], 1),
    }],
    [/pairs are for a network with one decoder, it has 0/, plain, { sources, targets }],
    [/is that of a decoder, which learns from pairs/, model, labelled],
    [/buckets belong to pairs/, plain, labelled, { buckets: 2 }],
    [/teacher belongs to pairs/, plain, labelled, { teacher: {} }],
    [/ratio must be a number from 0 to 1, got 2/, model, { sources, targets }, { teacher: { ratio: 2 } }],
    [/"linear" has no option "k"/, model, { sources, targets }, { teacher: { name: "linear", k: 2 } }],
    [/the network has no input for start/, model, { sources, targets, start: new Float32Array(3) }],
  ];
  for (const [message, own, data, options] of bad) {
    assert.throws(() => new Training(own, data as PairDataset, options), message);
  }
  const configs: [RegExp, object][] = [
    [/task must be "seq2seq", got "translate"/, { task: "translate" }],
    [/bridge "copy" takes an encoder as deep and as wide/, { bridge: "copy", encoderSize: 5 }],
    [/encoderSizes/, { encoderSizes: 5 }],
  ];
  for (const [message, change] of configs) {
    await assert.rejects(createModel({ ...CONFIG, ...change } as Seq2SeqConfig), message);
  }
  const many = { ...CONFIG, targetTokens: 50000 };
  using large = await createModel(many);
  await assert.rejects(train(large, backwards(4096), { batchSize: 4096 }), /it needs \d+ MiB/);
});

Deno.test("metrics of numbers are those of forecasts that run free, whatever the batches", async () => {
  const data = sines(20), { N } = measurePairs(data);
  using model = await createModel(SINES, { seed: 2 });
  await train(model, data, { epochs: 20, optimizer: { learningRate: 0.02 }, teacher: { ratio: 0 } });
  const found = await evaluate(model, data, { metrics: true, batchSize: 7 });
  assert.ok("outputs" in found && found.metrics.kind === "regression");
  let squares = 0, row = 0;
  for (let n = 0; n < N; n++) {
    const x = data.sources.data.slice(10 * n, 10 * n + 10) as Float32Array, steps = data.targets.lengths[n]!;
    const start = data.start!.slice(n, n + 1);
    const { outputs, attention } = await forecast(model, { x, shape: [1, 10, 1] }, { steps, start });
    assert.deepEqual([outputs.shape, attention.shape], [[1, steps, 1], [1, steps, 10]]);
    for (let u = 0; u < steps; u++, row++) {
      assert.ok(Math.abs(outputs.data[u]! - found.outputs.data[row]!) < 1e-5);
      squares += (outputs.data[u]! - data.targets.data[row]!) ** 2;
    }
  }
  assert.ok(Math.abs(found.metrics.mse - squares / row) < 1e-5);
  assert.ok(Math.abs(found.lossOverSamples - found.metrics.mse) < 1e-5);
});

Deno.test("metrics of tokens are those of greedy answers", async () => {
  const data = backwards(60);
  using model = await createModel(CONFIG, { seed: 1 });
  await train(model, data, { epochs: 30, optimizer: { learningRate: 0.01 } });
  const found = await evaluate(model, data, { metrics: true });
  assert.ok("answers" in found);
  const { sources, targets } = measurePairs(data);
  const of = (
    { data, lengths, starts }: typeof sources,
    n: number,
  ) => [...data.slice(starts[n], starts[n]! + lengths[n]!)];
  using searcher = await createSearcher(model);
  let right = 0;
  for (let n = 0; n < 60; n++) {
    const x = Int32Array.from(of(sources, n));
    const [answers] = await searcher.search({ x, shape: [1, x.length, 1] }, { maxLength: 14 }),
      { tokens } = answers![0]!;
    assert.deepEqual(found.answers[n], tokens);
    right += Number(String([...tokens, END]) === String(of(targets, n)));
  }
  assert.ok(right > 5 && right < 60, `${right}`);
  assert.equal(found.metrics.exactMatch, right / 60);
});

Deno.test("quantiles of numbers are learned, fed back and forecast", async () => {
  const random = new Random(4, "data"), N = 400, quantiles = [0.1, 0.5, 0.9];
  // Whatever the source, each step is uniform between 0 and 1.
  const data: PairDataset = {
    sources: ragged(Array.from({ length: N }, () => [1, 1]), 1),
    targets: ragged(Array.from({ length: N }, () => [random.uniform(), random.uniform(), random.uniform()]), 1),
  };
  using model = await createModel({ ...SINES, hiddenSize: 8 }, { seed: 2, loss: "quantile", quantiles });
  await train(model, data, { epochs: 40, optimizer: { learningRate: 0.01 }, teacher: { ratio: 0 } });
  const { outputs, quantiles: said } = await forecast(model, { x: Float32Array.of(1, 1), shape: [1, 2, 1] }, {
    steps: 3,
  });
  assert.deepEqual([outputs.shape, said], [[1, 3, 3], quantiles]);
  for (let i = 0; i < 9; i++) assert.ok(Math.abs(outputs.data[i]! - quantiles[i % 3]!) < 0.08, `${outputs.data}`);
  const { metrics } = await evaluate(model, data, { metrics: true });
  assert.ok(metrics.kind === "regression");
  for (const { quantile, coverage } of metrics.quantiles!) assert.ok(Math.abs(coverage - quantile) < 0.06);
  const resumed = await parseCheckpoint(await formatCheckpoint({ model }));
  using copy = resumed.model;
  assert.deepEqual(
    (await forecast(copy, { x: Float32Array.of(1, 1), shape: [1, 2, 1] }, { steps: 3 })).outputs,
    outputs,
  );
});

Deno.test("pairs of another vocabulary than a model was trained with are refused", async () => {
  const records = (...sources: string[]) =>
    sources.map((source, i) => ({ source, target: source.toUpperCase(), place: `line ${i + 1}` }));
  const [own, other] = ["abc", "bca"].map((letters) => {
    const text = ["aab", "ab", "c", "abc"].map((one) => [...one].map((c) => letters["abc".indexOf(c)]).join(""));
    return { records: records(...text), pipeline: PairPipeline.fit(records(...text)) };
  }) as [{ records: PairRecord[]; pipeline: PairPipeline }, { records: PairRecord[]; pipeline: PairPipeline }];
  const [data, strange] = [own, other].map(({ pipeline, records }) => pipeline.dataset(records)) as [
    PairDataset,
    PairDataset,
  ];
  // The same numbers, of other letters.
  assert.deepEqual(data.sources, strange.sources);
  using model = await createModel({ ...CONFIG, sourceTokens: 5, targetTokens: 7 });
  const training = new Training(model, data, { epochs: 1 });
  await training.run();
  const mismatch = (error: unknown) => errorCode(error) === "preprocessing-mismatch";
  await assert.rejects(evaluate(model, strange), mismatch);
  await evaluate(model, data);
  const text = await formatCheckpoint({ model, training, preprocessing: own.pipeline.toJSON() });
  const loaded = await parseCheckpoint(text);
  using _copy = loaded.model;
  assert.throws(() => loaded.resume(strange, { epochs: 2 }), mismatch);
  await loaded.resume(data, { epochs: 2 }).run();
  const swapped = await formatCheckpoint({ model, training, preprocessing: other.pipeline.toJSON() });
  await assert.rejects(parseCheckpoint(swapped), mismatch);
  assert.throws(() => new Training(model, strange), mismatch);
});

Deno.test("a predictor of pairs says of one source what a batch says", async () => {
  const data = backwards(40);
  using model = await createModel(CONFIG, { seed: 1 });
  await train(model, data, { epochs: 8, optimizer: { learningRate: 0.01 } });
  using predictor = await createPredictor(model);
  using searcher = await createSearcher(model);
  const { sources: { data: all, lengths, starts } } = measurePairs(data), S = 6;
  const x = new Int32Array(40 * S);
  for (let n = 0; n < 40; n++) x.set(all.slice(starts[n], starts[n]! + lengths[n]!), n * S);
  const options = { width: 4, nBest: 3, maxLength: 9, lengthPenalty: 0.6 };
  const batch = await searcher.search({ x, shape: [40, S, 1], lengths }, options);
  for (let n = 0; n < 40; n++) {
    const alone = await predictor.search(x.slice(n * S, n * S + lengths[n]!), options);
    assert.deepEqual(
      alone.map(({ tokens, aligned }) => [tokens, aligned]),
      batch[n]!.map((b) => [b.tokens, b.aligned]),
    );
    alone.forEach(({ sum, attention, logProbabilities }, k) => {
      const other = batch[n]![k]!, { tokens, ended } = other;
      assert.ok(Math.abs(sum - other.sum) < 1e-4);
      assert.deepEqual(attention.shape, [tokens.length + Number(ended), lengths[n]]);
      assert.ok(Math.abs(logProbabilities.reduce((a, b) => a + b) - sum) < 1e-9);
    });
  }
  const isWiring = (error: unknown) => errorCode(error) === "wiring";
  assert.throws(() => predictor.predict(Int32Array.of(2)), isWiring);
  assert.throws(() => predictor.stream(), isWiring);
  await assert.rejects(predictor.forecast(Int32Array.of(2), { steps: 1 }), isWiring);
  await assert.rejects(predictor.search(Float32Array.of(2)), (error) => errorCode(error) === "batch-type");
});

Deno.test("and of numbers, with the parameters that the model had", async () => {
  using model = await createModel({ ...SINES, targetSize: 2 }, { loss: "quantile", quantiles: [0.2, 0.8], seed: 3 });
  using predictor = await createPredictor(model);
  const x = Float32Array.from({ length: 3 * 7 }, (_, i) => Math.sin(i)), start = Float32Array.of(1, 2, 3, 4, 5, 6);
  const { outputs, attention } = await forecast(model, { x, shape: [3, 7, 1] }, { steps: 4, start });
  const missing = Float32Array.of(0, NaN, 0, 0, 0, 0);
  await assert.rejects(
    forecast(model, { x, shape: [3, 7, 1] }, { steps: 4, start: missing }),
    /start must be finite numbers, got NaN at 1/,
  );
  const bias = { shape: [4], data: new Float32Array(4).fill(9) };
  await model.loadStateDict({ ...await model.stateDict(), "fc.bias": bias });
  for (let n = 0; n < 3; n++) {
    const own = { steps: 4, start: start.slice(2 * n, 2 * n + 2) };
    const said = await predictor.forecast(x.slice(7 * n, 7 * n + 7), own);
    const near = (a: Float32Array, b: Float32Array) =>
      a.forEach((value, i) => assert.ok(Math.abs(value - b[i]!) < 1e-5));
    near(said.outputs.data, outputs.data.slice(16 * n, 16 * n + 16));
    near(said.attention.data, attention.data.slice(28 * n, 28 * n + 28));
  }
  await assert.rejects(predictor.search(x), (error) => errorCode(error) === "wiring");
});
