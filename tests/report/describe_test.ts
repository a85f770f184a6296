import assert from "node:assert/strict";
import {
  createModel,
  describeForecasts,
  describePredictions,
  evaluate,
  ForecastPipeline,
  htmlReport,
  type Model,
  Pipeline,
  predict,
  type SequenceRecord,
} from "../../mod.ts";
import { choicesOf } from "../../core/train/outputs.ts";

const record = (values: number[], channels: number, labels: string[], line: number): SequenceRecord => ({
  values: Float32Array.from(values),
  steps: values.length / channels,
  channels,
  labels,
  place: `folder/data.csv, line ${line}`,
});

const table = (columns: number, rows: readonly number[][]) => ({
  shape: [rows.length, columns],
  data: Float32Array.from(rows.flat()),
});

/** A model that a pipeline's sequences fit. */
function modelOf(pipeline: Pipeline | ForecastPipeline): Promise<Model> {
  const { inputSize, outputSize, numEmbeddings } = pipeline;
  const paddingIdx = pipeline instanceof Pipeline ? pipeline.paddingIdx : undefined;
  const loss = pipeline instanceof ForecastPipeline ? "mse" : "bce";
  return createModel({ inputSize, hiddenSize: 3, outputSize, numEmbeddings, paddingIdx, loss }, { seed: 1 });
}

Deno.test("describePredictions() shows classes, with the raw values and their share of a patch's weight", async () => {
  const records = [
    record([1, 10, 2, 20, 3, 30, 4, 40, 5, 50], 2, ["up"], 1),
    record([5, 50, 4, 40], 2, ["down"], 2),
    { ...record([9, 90, 9, 90], 2, ["down"], 3), id: "third" },
  ];
  const pipeline = Pipeline.fit(records, { patch: 2, channelNames: ["a", "b"] }), data = pipeline.dataset(records);
  assert.deepEqual(data.shape, [3, 2, 4]);
  using model = await modelOf(pipeline);
  const probabilities = table(2, [[0.25, 0.75], [0.5, 0.5], [0.125, 0.875]]);
  const { metrics, attention } = await describePredictions(model, pipeline, records, { data, probabilities });
  const [first, second] = (await predict(model, pipeline.sequences([records[0]!]))).attentionWeights.data;
  assert.ok(metrics?.kind === "classification");
  assert.deepEqual(metrics.confusion, [[1, 1], [0, 1]]);
  assert.deepEqual(attention, [
    {
      title: "data.csv, line 1",
      prediction: "up",
      truth: "up",
      probabilities: [["down", 0.25], ["up", 0.75]],
      weights: [first! / 2, first! / 2, second! / 2, second! / 2],
      // The fifth step has no place in a patch: the model never saw it.
      values: [[1, 10], [2, 20], [3, 30], [4, 40]],
      channels: ["a", "b"],
    },
    {
      title: "data.csv, line 2",
      prediction: "down",
      truth: "down",
      probabilities: [["down", 0.5], ["up", 0.5]],
      weights: [0.5, 0.5],
      values: [[5, 50], [4, 40]],
      channels: ["a", "b"],
    },
    {
      title: "third",
      prediction: "up",
      truth: "down",
      probabilities: [["down", 0.125], ["up", 0.875]],
      weights: [0.5, 0.5],
      values: [[9, 90], [9, 90]],
      channels: ["a", "b"],
    },
  ]);
});

Deno.test("describePredictions() of several classes needs no outputs of all sequences", async () => {
  const records = Array.from({ length: 40 }, (_, i) => record([i % 7, i % 5, i % 3], 1, [`class ${i % 4}`], i + 1));
  const pipeline = Pipeline.fit(records), data = pipeline.dataset(records), loss = "crossEntropy";
  using model = await createModel({ inputSize: 1, hiddenSize: 3, outputSize: 4, loss }, { seed: 3 });
  const { outputs, metrics } = await evaluate(model, data, { metrics: true, labels: pipeline.labels });
  const choices = await choicesOf(model, data, { loss, batchSize: 7 });
  const all = await describePredictions(model, pipeline, records, { outputs });
  const few = await describePredictions(model, pipeline, records, { outputs: choices });
  assert.deepEqual(all, few);
  assert.deepEqual(few.metrics, metrics);
  assert.equal(few.attention!.length, 8);
});

Deno.test("describePredictions() shows the tokens that a model saw", async () => {
  const text = (text: string, label: string) => ({ text, steps: 0, channels: 0, labels: [label], place: text });
  const records = [text("so good", "yes"), text("bad", "no"), text("!", "no")];
  const probabilities = table(1, [[0.9], [0.2], [0.3]]);
  for (const [tokens, first] of [["words", ["so", "good"]], ["characters", ["s", "o"]]] as const) {
    const pipeline = Pipeline.fit(records, { task: "binary", tokens, maxLength: 2, normalize: "ascii" });
    using model = await modelOf(pipeline);
    const { attention } = await describePredictions(model, pipeline, records, { probabilities });
    assert.deepEqual(Object.fromEntries(attention!.map(({ title, prediction }) => [title, prediction])), {
      "so good": "yes",
      "bad": "no",
      "!": "no",
    });
    const good = attention!.find(({ title }) => title === "so good")!;
    assert.deepEqual(good.tokens, first);
    assert.equal(good.separator, tokens === "words" ? " " : "");
    assert.deepEqual(attention!.find(({ title }) => title === "!")!.tokens, ["(no known token)"]);
  }
});

Deno.test("describePredictions() shows several labels, and numbers in the data's units", async () => {
  const several = [record([1], 1, ["a|b"], 1), record([2], 1, [""], 2), record([3], 1, ["b"], 3)];
  const labels = Pipeline.fit(several, { task: "multilabel", labelSeparator: "|" });
  using tagger = await modelOf(labels);
  const { metrics, attention } = await describePredictions(tagger, labels, several, {
    probabilities: table(2, [[0.9, 0.8], [0.1, 0.1], [0.9, 0.9]]),
  });
  assert.equal(metrics!.kind, "multilabel");
  assert.deepEqual(attention!.map(({ prediction, truth, right }) => [prediction, truth, right]), [
    ["a, b", "a, b", true],
    ["none", "none", true],
    ["a, b", "b", false],
  ]);

  const numbers = [record([1], 1, ["10"], 1), record([2], 1, ["20"], 2), record([3], 1, ["30"], 3)];
  const pipeline = Pipeline.fit(numbers, { task: "regression", labelNames: ["age"] }), data = pipeline.dataset(numbers);
  const probabilities = { shape: [3, 1], data: Float32Array.from(data.targets) };
  probabilities.data[0]! += 1;
  using model = await modelOf(pipeline);
  const described = await describePredictions(model, pipeline, numbers, { data, probabilities });
  assert.ok(described.metrics?.kind === "regression");
  // One of three is off by a standard deviation, √(200/3).
  assert.ok(Math.abs(described.metrics.mse - 200 / 9) < 1e-4, `${described.metrics.mse}`);
  assert.equal(described.regressions![0]!.name, "age");
  assert.deepEqual(described.regressions![0]!.truth.map(Math.round), [10, 20, 30]);
  assert.equal(described.attention!.at(-1)!.title, "data.csv, line 1");
});

Deno.test("describeForecasts() sets forecasts one step ahead in a row, after what came before", async () => {
  const values = Float64Array.from({ length: 20 }, (_, t) => t * t);
  const dates = Array.from({ length: 20 }, (_, t) => `day ${t}`);
  const data = { name: "t.csv", columns: ["y"], values: [values], rows: 20, texts: new Map([["date", dates]]) };
  const pipeline = ForecastPipeline.fit(data, { targetColumns: ["y"], window: 3, standardize: false }, [0, 15]);
  const windows = pipeline.dataset(data, [15, 20]);
  // Off by as much as the window's number.
  const probabilities = table(1, [225, 257, 291, 327, 365].map((value) => [value]));
  using model = await modelOf(pipeline);
  const described = await describeForecasts(model, pipeline, data, [15, 20], { probabilities, examples: 2 });
  const { x } = windows, both = Float32Array.of(...x.subarray(0, 3), ...x.subarray(12));
  const weights = [...(await predict(model, { x: both, shape: [2, 3, 1] })).attentionWeights.data];
  assert.ok(described.metrics?.kind === "regression");
  assert.equal(described.metrics.mae, (0 + 1 + 2 + 3 + 4) / 5);
  assert.equal(described.metrics.persistence!.mae, (29 + 31 + 33 + 35 + 37) / 5);
  assert.deepEqual(described.forecasts, [{
    name: "y, one step ahead from day 15",
    context: [...values.subarray(0, 15)],
    truth: [225, 256, 289, 324, 361],
    predicted: [225, 257, 291, 327, 365],
    times: dates,
  }]);
  assert.deepEqual(described.attention, [
    {
      title: "Forecast from day 15",
      prediction: "225",
      truth: "225",
      weights: weights.slice(0, 3),
      values: [[144], [169], [196]],
      channels: ["y"],
    },
    {
      title: "Forecast from day 19",
      prediction: "365",
      truth: "361",
      weights: weights.slice(3),
      values: [[256], [289], [324]],
      channels: ["y"],
    },
  ]);
});

Deno.test("describeForecasts() shows several steps and targets each by itself", async () => {
  const up = Float64Array.from({ length: 12 }, (_, t) => t), down = up.map((value) => -value);
  const data = { name: "t.csv", columns: ["up", "down"], values: [up, down], rows: 12 };
  const options = { targetColumns: ["up", "down"], window: 2, horizon: 3, standardize: false };
  const pipeline = ForecastPipeline.fit(data, options, [0, 8]);
  using model = await modelOf(pipeline);
  const { forecasts, attention, metrics } = await describeForecasts(model, pipeline, data, [8, 12], {
    probabilities: table(6, [[8, -8, 9, -9, 10, -10], [9, -9, 10, -10, 11, -12]]),
  });
  assert.deepEqual(forecasts!.map(({ name, truth, predicted, times }) => [name, truth, predicted, times]), [
    ["up from row 9", [8, 9, 10], [8, 9, 10], undefined],
    ["down from row 9", [-8, -9, -10], [-8, -9, -10], undefined],
    ["up from row 10", [9, 10, 11], [9, 10, 11], undefined],
    ["down from row 10", [-9, -10, -11], [-9, -10, -12], undefined],
  ]);
  assert.deepEqual(forecasts![0]!.context, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(attention![1]!.prediction, "up 9 … 11, down −9 … −12");
  // Six outputs are no six steps.
  assert.doesNotMatch(htmlReport({ title: "", history: [], metrics, forecasts }), /Error by step/);
  const one = ForecastPipeline.fit(data, { ...options, targetColumns: ["up"] }, [0, 8]);
  using other = await modelOf(one);
  const described = await describeForecasts(other, one, data, [8, 12]);
  assert.equal(described.forecasts!.length, 2);
  assert.match(htmlReport({ title: "", history: [], ...described }), /Error by step/);
});

Deno.test("describePredictions() says of what a bare number is the name, and which rows a window has", async () => {
  const records = [record([1, 2], 1, ["up"], 1), record([2, 1], 1, ["down"], 2), record([1, 3], 1, ["up"], 3)];
  const named = records.map((one, i) => ({
    ...one,
    id: ["31", "m2", "dir/7.csv"][i],
    ...i === 1 && { rows: [4, 6] as const },
  }));
  const pipeline = Pipeline.fit(named);
  using model = await modelOf(pipeline);
  const { attention } = await describePredictions(model, pipeline, named);
  assert.deepEqual(attention!.map(({ title }) => title).sort(), ["7.csv", "m2, rows 4 to 6", "sequence 31"]);
});

Deno.test("describeForecasts() shows all forecasts of a part, or says of how many they are the last", async () => {
  const rows = 1300, values = [Float64Array.from({ length: rows }, (_, t) => Math.sin(t / 9))];
  const pipeline = ForecastPipeline.fit({ name: "w", columns: ["y"], values, rows }, {
    targetColumns: ["y"],
    window: 3,
  });
  using model = await modelOf(pipeline);
  const lengths = async (to: number) => {
    const table = { name: "w", columns: ["y"], values, rows };
    const { forecasts } = await describeForecasts(model, pipeline, table, [10, to], { examples: 1 });
    return forecasts!.map(({ truth, of }) => [truth.length, of]);
  };
  assert.deepEqual(await lengths(574), [[564, undefined]]);
  assert.deepEqual(await lengths(1210), [[1000, 1200]]);
});
