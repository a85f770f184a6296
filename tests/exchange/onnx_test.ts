import assert from "node:assert/strict";
// Of the package only the part that runs WebAssembly on one thread: what is checked is what the graph computes.
import * as ort from "npm:onnxruntime-web@1.30.0/wasm";
import { Pipeline } from "../../core/data/pipeline.ts";
import type { PipelineOptions } from "../../core/data/pipeline_options.ts";
import type { SequenceRecord, Table } from "../../core/data/readers/record.ts";
import { ForecastPipeline } from "../../core/data/forecast.ts";
import type { ForecastOptions } from "../../core/data/forecast_state.ts";
import type { ModelFile } from "../../core/exchange/config.ts";
import { modelFile } from "../../core/exchange/model_file.ts";
import { exportOnnx } from "../../core/exchange/onnx.ts";
import type { ModelConfig } from "../../core/model/config.ts";
import type { LossName } from "../../core/model/losses.ts";
import { createModel, type Model, type NamedArray } from "../../core/model/model.ts";
import { Random } from "../../core/random.ts";
import { predict } from "../../core/train/evaluate.ts";
import { assertClose, largest } from "../close.ts";
import { batchOf, type Case, configOf, fixtures, named } from "../golden.ts";

ort.env.wasm.numThreads = 1;

type Feeds = Record<string, { data: Float32Array | Float64Array | Int32Array; shape: readonly number[] }>;

/** The outputs of an exported model. */
async function run(
  bytes: Uint8Array,
  feeds: Feeds,
): Promise<Record<string, { data: Float32Array; dims: readonly number[] }>> {
  const session = await ort.InferenceSession.create(bytes);
  try {
    const outputs = await session.run(Object.fromEntries(
      Object.entries(feeds).map(([name, { data, shape }]) => [
        name,
        data instanceof Int32Array
          ? new ort.Tensor("int32", data, shape)
          : data instanceof Float64Array
          ? new ort.Tensor("float64", data, shape)
          : new ort.Tensor("float32", data, shape),
      ]),
    ));
    return Object.fromEntries(session.outputNames.map((name) => {
      const { data, dims } = outputs[name]!;
      return [name, { data: data as Float32Array, dims }];
    }));
  } finally {
    await session.release();
  }
}

const lengthsOf = (B: number, T: number, lengths?: Int32Array) => ({
  data: lengths ?? new Int32Array(B).fill(T),
  shape: [B],
});

for (const { name, read } of fixtures<Case>("cases-")) {
  Deno.test(`ONNX Runtime gives the model's logits, attention weights and probabilities: ${name}`, async () => {
    const { config, params, inputs, float32_error } = read(), { sequences, loss } = batchOf(config, inputs);
    using model = await createModel(configOf(config));
    await model.loadStateDict(named(params));
    const { logits, attentionWeights, hidden } = await model.forward(sequences);
    const [B, T] = sequences.shape as [number, number];
    const outputs = await run(exportOnnx(await modelFile(model, { loss }), { h0: true }), {
      ...config.vocabulary
        ? { tokens: { data: sequences.x, shape: [B, T] } }
        : { x: { data: sequences.x, shape: sequences.shape } },
      lengths: lengthsOf(B, T, sequences.lengths),
      h0: { data: sequences.h0!, shape: hidden.shape },
    });
    // In the two cases whose weights are made so large that PyTorch's own single precision is off by more than 1e-5, twice that.
    const allowed = (tensor: string) => Math.max(1e-5, 2 * float32_error[`outputs.${tensor}`]!.max_abs_error);
    const same = (name: string, { shape, data }: NamedArray, allowed: number) => {
      assert.deepEqual(outputs[name]!.dims, shape);
      assertClose(outputs[name]!.data, data, allowed, name);
    };
    same("logits", logits, allowed("logits"));
    same("attention_weights", attentionWeights, allowed("attn_weights"));
    if (!sequences.h0!.some((value) => value !== 0)) {
      const { probabilities } = await predict(model, sequences, { loss });
      same(loss === "mse" ? "values" : "probabilities", probabilities, allowed("logits"));
    }
  });
}

Deno.test("an ONNX model takes batches and times of any size, and what stands behind a length does not matter", async () => {
  using model = await createModel({ inputSize: 3, hiddenSize: 5, outputSize: 2, bidirectional: true }, { seed: 1 });
  const bytes = exportOnnx(await modelFile(model)), random = new Random(1, "data");
  for (const [B, T] of [[1, 1], [4, 7], [2, 30]] as const) {
    const x = Float32Array.from({ length: B * T * 3 }, () => random.normal());
    const lengths = Int32Array.from({ length: B }, () => 1 + random.below(T));
    const expected = await model.forward({ x, shape: [B, T, 3], lengths });
    for (let b = 0; b < B; b++) x.fill(1e6, (b * T + lengths[b]!) * 3, (b + 1) * T * 3);
    const given = lengths.map((length) => length === T ? 2 ** 31 - 1 : length);
    const outputs = await run(bytes, { x: { data: x, shape: [B, T, 3] }, lengths: lengthsOf(B, T, given) });
    assert.deepEqual(Object.keys(outputs), ["logits", "attention_weights"]);
    assertClose(outputs.logits!.data, expected.logits.data, 1e-5, "logits");
    assertClose(outputs.attention_weights!.data, expected.attentionWeights.data, 1e-5, "attention weights");
  }
});

const CHANNELS = 2;

/** Sequences of numbers far from 0, of several lengths, some missing. */
function recordsOf(missing: boolean): SequenceRecord[] {
  const random = new Random(2, "data");
  return Array.from({ length: 6 }, (_, i) => {
    const steps = 4 + random.below(6);
    const values = Float32Array.from({ length: steps * CHANNELS }, (_, at) => {
      const value = at % CHANNELS ? 1e-3 * random.normal() : 1e5 + random.normal();
      return missing && random.below(4) === 0 ? NaN : value;
    });
    return { values, steps, channels: CHANNELS, labels: [String(i % 3 + 0.5 * i)], place: `record ${i}` };
  });
}

/** What a file predicts from raw records: each padded with what must not matter. */
async function runRaw(file: ModelFile, records: readonly SequenceRecord[]) {
  const T = Math.max(...records.map(({ steps }) => steps)), B = records.length;
  const x = new Float32Array(B * T * CHANNELS).fill(7);
  records.forEach(({ values }, i) => x.set(values!, i * T * CHANNELS));
  const lengths = lengthsOf(B, T, Int32Array.from(records, ({ steps }) => steps));
  return await run(exportOnnx(file), { x: { data: x, shape: [B, T, CHANNELS] }, lengths });
}

const PIPELINES: Record<string, [missing: boolean, options: PipelineOptions, quantiles?: number[]]> = {
  "standardised": [false, { task: "multiclass" }],
  "as they are": [false, { task: "multiclass", standardize: false }],
  "in patches": [false, { task: "multiclass", patch: 3 }],
  "cut off": [false, { task: "multiclass", maxLength: 5 }],
  "cut off in patches": [false, { task: "multiclass", patch: 2, maxLength: 2 }],
  "missing values 0": [true, { task: "multiclass", missing: "zero" }],
  "missing values the mean": [true, { task: "multiclass", missing: "mean" }],
  "missing values the last, in patches": [true, { task: "multiclass", missing: "last", patch: 2 }],
  "values in the data's units": [false, { task: "regression" }],
  "quantiles in the data's units": [false, { task: "regression" }, [0.1, 0.5, 0.9]],
};

for (const [name, [missing, options, quantiles]] of Object.entries(PIPELINES)) {
  Deno.test(`an ONNX model takes raw numbers: ${name}`, async () => {
    const records = recordsOf(missing), pipeline = Pipeline.fit(records, options);
    const { inputSize } = pipeline, loss = quantiles ? "quantile" : pipeline.loss;
    const outputSize = pipeline.outputSize * (quantiles?.length ?? 1);
    using model = await createModel({ inputSize, hiddenSize: 4, outputSize, ...quantiles && { loss, quantiles } }, {
      seed: 5,
    });
    const outputs = await runRaw(await modelFile(model, { loss, preprocessing: pipeline.toJSON() }), records);
    const sequences = pipeline.sequences(records);
    const { probabilities } = await predict(model, sequences, { loss });
    if (pipeline.loss === "mse") {
      const values = Array.from(probabilities.data, (value) => pipeline.decode([value]).values![0]!);
      assertClose(outputs.values!.data, values, 1e-5, "values");
    } else {
      assertClose(outputs.probabilities!.data, probabilities.data, 1e-5, "probabilities");
    }
    const { attentionWeights } = await model.forward(sequences), T = sequences.shape[1];
    const [, steps] = outputs.attention_weights!.dims as [number, number];
    assert.equal(steps, T);
    assertClose(outputs.attention_weights!.data, attentionWeights.data, 1e-5, "attention weights");
  });
}

/** Prices and the weather, some of it missing. */
function tableOf(missing: boolean): Table {
  const random = new Random(4, "data"), rows = 30;
  let price = 1e5;
  const prices = Float64Array.from({ length: rows }, () => price *= 1 + 0.01 * random.normal());
  const weather = Float64Array.from({ length: rows }, () => missing && random.below(4) === 0 ? NaN : random.normal());
  return { name: "table", columns: ["weather", "a", "b"], values: [weather, prices, prices.map(Math.sqrt)], rows };
}

const FORECASTS: Record<string, [missing: boolean, options: Omit<ForecastOptions, "window">, quantiles?: number[]]> = {
  "as they are": [false, { targetColumns: ["a"], standardize: false }],
  "standardised, centred": [false, { targetColumns: ["a"], center: true, horizon: 3 }],
  "differences": [false, { targetColumns: ["a", "b"], transform: "difference", horizon: 2 }],
  "returns, of a target that does not go in": [
    true,
    { targetColumns: ["b"], featureColumns: ["weather", "a"], transform: "logDifference", missing: "last", horizon: 2 },
  ],
  "other features first, gaps filled": [
    true,
    { targetColumns: ["a", "b"], featureColumns: ["weather", "b", "a"], center: true, missing: "mean" },
  ],
  "quantiles of two targets, centred": [false, { targetColumns: ["a", "b"], center: true, horizon: 2 }, [0.2, 0.7]],
  "quantiles of differences": [false, { targetColumns: ["b", "a"], transform: "difference" }, [0.2, 0.5, 0.7]],
};

for (const [name, [missing, options, quantiles]] of Object.entries(FORECASTS)) {
  Deno.test(`an ONNX model forecasts from raw rows: ${name}`, async () => {
    const table = tableOf(missing), pipeline = ForecastPipeline.fit(table, { ...options, window: 5 });
    const { inputSize } = pipeline, Q = quantiles?.length ?? 1, outputSize = pipeline.outputSize * Q;
    const loss = quantiles ? "quantile" : pipeline.loss;
    using model = await createModel({ inputSize, hiddenSize: 4, outputSize, ...quantiles && { loss, quantiles } }, {
      seed: 5,
    });
    const inputs = pipeline.inputs(table), { outputs: said } = await predict(model, inputs, { loss });
    const expected = new Float64Array(outputSize);
    for (let k = 0; k < Q; k++) {
      pipeline.decode(said.data.filter((_, i) => i % Q === k), inputs).forEach((value, o) =>
        expected[o * Q + k] = value
      );
    }
    const columns = [...new Set([...options.targetColumns, ...options.featureColumns ?? []])];
    const at = columns.map((column) => table.columns.indexOf(column)), T = pipeline.reach + 4;
    const x = Float64Array.from({ length: T * columns.length }, (_, i) => {
      return table.values[at[i % columns.length]!]![table.rows - T + Math.floor(i / columns.length)]!;
    });
    const bytes = exportOnnx(await modelFile(model, { loss, preprocessing: pipeline.toJSON() }));
    const outputs = await run(bytes, { x: { data: x, shape: [1, T, columns.length] } });
    assert.equal(outputs.values!.dims[1], expected.length);
    // Prices are about 1e5, which single precision holds to 0.004.
    assertClose(outputs.values!.data, expected, 1e-5 + 1e-7 * largest(expected), "values");
    const { attentionWeights } = await model.forward(inputs);
    assertClose(outputs.attention_weights!.data, attentionWeights.data, 1e-5, "attention weights");
  });
}

Deno.test("exportOnnx refuses what does not fit the model", async () => {
  const records = recordsOf(false), preprocessing = Pipeline.fit(records, { task: "multiclass" }).toJSON();
  const export_ = async (config: ModelConfig, options: { loss?: LossName; preprocessing?: unknown } = {}) => {
    using model: Model = await createModel(config);
    return exportOnnx(await modelFile(model, options));
  };
  const config = { inputSize: 3, hiddenSize: 2, outputSize: 3 };
  await assert.rejects(() => export_(config, { preprocessing }), {
    name: "RangeError",
    message: "Cannot export model: its preprocessing is for inputSize 2, the model has 3",
  });
  await assert.rejects(() => export_(config, { preprocessing: { kind: "sequences" } }), TypeError);
  using model = await createModel(config);
  const { parameters } = await modelFile(model);
  assert.throws(() => exportOnnx({ config: { ...config, numLayers: 2 }, parameters }), TypeError);
});
