/** Models from sequences to sequences as ONNX files, searched in ONNX Runtime; and in PyTorch's files. */

import assert from "node:assert/strict";
import * as ort from "npm:onnxruntime-web@1.30.0/wasm";
import {
  createModel,
  createSearcher,
  END,
  exportSeq2SeqOnnx,
  forecast,
  modelFile,
  type NetworkModel,
  PAD,
  readModel,
  type Seq2SeqConfig,
  START,
  writeModel,
} from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose } from "../close.ts";

ort.env.wasm.numThreads = 1;

const V = 11, SIZES = { sourceSize: 5, targetSize: 6, hiddenSize: 8 };
const CONFIGS: Record<string, Seq2SeqConfig> = {
  "tokens to tokens": { task: "seq2seq", sourceTokens: V, targetTokens: V, ...SIZES },
  "tied, two layers": {
    task: "seq2seq",
    sourceTokens: V,
    targetTokens: V,
    ...SIZES,
    tied: true,
    numLayers: 2,
    dropout: 0.1,
  },
  "GRU, copied": { task: "seq2seq", sourceTokens: V, targetTokens: V, ...SIZES, bridge: "copy" },
  "LSTM, copied": {
    task: "seq2seq",
    sourceTokens: V,
    targetTokens: V,
    ...SIZES,
    cell: "lstm",
    bridge: "copy",
    numLayers: 2,
  },
  "LSTM, a linear bridge": {
    task: "seq2seq",
    sourceSize: 3,
    targetTokens: V,
    targetSize: 4,
    hiddenSize: 8,
    cell: "lstm",
  },
  "numbers to numbers": { task: "seq2seq", sourceSize: 3, targetSize: 2, hiddenSize: 8, attentionSize: 5, bias: false },
};

/** Models of numbers at sizes that are no multiple of 4, and how many quantiles each says. */
const NUMBERS: Record<string, { readonly config: Seq2SeqConfig; readonly quantiles?: number[] }> = {
  "all sizes 1": { config: { task: "seq2seq", sourceSize: 1, targetSize: 1, hiddenSize: 1 } },
  "numbers to numbers, LSTM, three layers": {
    config: { task: "seq2seq", sourceSize: 5, targetSize: 3, hiddenSize: 7, cell: "lstm", numLayers: 3, dropout: 0.1 },
  },
  "numbers to numbers, GRU, copied": {
    config: { task: "seq2seq", sourceSize: 1, targetSize: 5, hiddenSize: 14, bridge: "copy", numLayers: 2 },
  },
  "numbers to numbers, LSTM, copied": {
    config: {
      task: "seq2seq",
      sourceSize: 7,
      targetSize: 1,
      hiddenSize: 13,
      cell: "lstm",
      bridge: "copy",
      bidirectional: false,
      numLayers: 2,
    },
  },
  "tokens to numbers": {
    config: { task: "seq2seq", sourceTokens: V, sourceSize: 5, targetSize: 3, hiddenSize: 13, encoderLayers: 2 },
  },
  "tokens to numbers, LSTM": {
    config: {
      task: "seq2seq",
      sourceTokens: V,
      sourceSize: 1,
      targetSize: 7,
      hiddenSize: 3,
      encoderSize: 5,
      cell: "lstm",
      numLayers: 2,
      encoderLayers: 1,
      attentionSize: 13,
    },
  },
  "numbers to quantiles": {
    config: { task: "seq2seq", sourceSize: 3, targetSize: 3, hiddenSize: 7, numLayers: 2 },
    quantiles: [0.1, 0.5, 0.9],
  },
  "numbers to quantiles, LSTM": {
    config: { task: "seq2seq", sourceSize: 1, targetSize: 1, hiddenSize: 5, cell: "lstm", bias: false },
    quantiles: [0.05, 0.25, 0.5, 0.75, 0.95],
  },
  "tokens to quantiles": {
    config: { task: "seq2seq", sourceTokens: V, sourceSize: 7, targetSize: 5, hiddenSize: 13, cell: "lstm" },
    quantiles: [0.5],
  },
};

/** A model whose weights decide more than those it begins with. */
async function modelOf(config: Seq2SeqConfig, quantiles?: readonly number[]): Promise<NetworkModel> {
  const loss = quantiles && { loss: "quantile" as const, quantiles };
  const model = await createModel(config, { seed: 3, ...loss }), dict = Object.entries(await model.stateDict());
  const larger = dict.map(([name, { shape, data }]) => [name, { shape, data: data.map((w) => 2 * w) }] as const);
  await model.loadStateDict(Object.fromEntries(larger));
  return model;
}

for (const [name, config] of Object.entries(CONFIGS)) {
  Deno.test(`an encoder and a decoder's step in ONNX Runtime say what the model says: ${name}`, async () => {
    using model = await modelOf(config);
    const { encoder, step } = exportSeq2SeqOnnx(await modelFile(model));
    const [reads, says] = await Promise.all([encoder, step].map((bytes) => ort.InferenceSession.create(bytes)));
    const B = 3, T = 6, U = 7, random = new Random(1, "data"), lengths = Int32Array.of(6, 2, 4);
    const tokens = config.targetTokens !== undefined, O = tokens ? V : config.targetSize, I = config.sourceSize;
    const x = config.sourceTokens
      ? Int32Array.from({ length: B * T }, () => 1 + random.below(V - 1))
      : normals(random, B * T * I);
    const source = x instanceof Int32Array
      ? new ort.Tensor("int32", x, [B, T])
      : new ort.Tensor("float32", x, [B, T, I]);
    const long = new ort.Tensor("int32", lengths, [B]),
      { keys, ...first } = await reads!.run({ source, lengths: long });
    let states = first as Record<string, ort.Tensor>;
    const start = normals(random, B * O), said: number[][] = [], weighed: number[] = [];
    let previous: ort.Tensor = tokens
      ? new ort.Tensor("int32", new Int32Array(B).fill(START), [B])
      : new ort.Tensor("float32", start, [B, O]);
    for (let u = 0; u < U; u++) {
      const found = await says!.run({ previous, keys: keys!, lengths: long, ...states });
      const { output, attention_weights, next_state, next_cell } = found, data = output!.data as Float32Array;
      states = { state: next_state!, ...next_cell && { cell: next_cell } };
      said.push([...data]);
      weighed.push(...attention_weights!.data as Float32Array);
      const best = (b: number) => {
        const row = data.slice(b * O, (b + 1) * O);
        row[PAD] = row[START] = -Infinity;
        return row.indexOf(Math.max(...row));
      };
      previous = tokens ? new ort.Tensor("int32", Int32Array.from({ length: B }, (_, b) => best(b)), [B]) : output!;
    }
    const targets = tokens ? new Int32Array(B * U) : new Float32Array(B * U * O);
    const inputs = { targets, "decoder.teacher": new Float32Array(B * U), ...!tokens && { start: start } };
    const shape = [B, T, config.sourceTokens ? 1 : I], axes = { target: { steps: U } };
    const { values } = await model.forward({ x, shape, lengths, axes, inputs });
    const byStep = (flat: Float32Array, each: number) =>
      Float32Array.from({ length: flat.length }, (_, i) => {
        const u = Math.floor(i / each / B), b = Math.floor(i / each) % B;
        return flat[(b * U + u) * each + i % each]!;
      });
    assertClose(said.flat(), byStep(values.output!.data, O), 2e-5, "outputs");
    assertClose(weighed, byStep(values["decoder.weights"]!.data, T), 1e-5, "attention weights");
    await Promise.all([reads!.release(), says!.release()]);
    if (!tokens) return;
    using searcher = await createSearcher(model);
    const answers = await searcher.search({ x, shape, lengths }, { maxLength: U });
    answers.forEach(([answer], b) => {
      const own = said.map((row) => {
        const logits = row.slice(b * O, (b + 1) * O);
        logits[PAD] = logits[START] = -Infinity;
        return logits.indexOf(Math.max(...logits));
      });
      const end = own.indexOf(END);
      assert.deepEqual(answer!.tokens, end < 0 ? own : own.slice(0, end));
    });
  });
}

for (const [name, { config, quantiles }] of Object.entries(NUMBERS)) {
  Deno.test(`ONNX Runtime forecasts what the model forecasts: ${name}`, async () => {
    using model = await modelOf(config, quantiles);
    const file = await modelFile(model), { encoder, step } = exportSeq2SeqOnnx(file);
    const [reads, says] = await Promise.all([encoder, step].map((bytes) => ort.InferenceSession.create(bytes)));
    const O = config.targetSize, Q = quantiles?.length ?? 1, I = config.sourceSize;
    for (const [B, T, U] of [[1, 1, 1], [3, 7, 5], [13, 5, 3]] as const) {
      const random = new Random(B, "data"), lengths = Int32Array.from({ length: B }, (_, b) => b ? 1 + b % T : T);
      const x = config.sourceTokens
        ? Int32Array.from({ length: B * T }, () => random.below(V))
        : normals(random, B * T * I);
      const source = x instanceof Int32Array
        ? new ort.Tensor("int32", x, [B, T])
        : new ort.Tensor("float32", x, [B, T, I]);
      const long = new ort.Tensor("int32", lengths, [B]), start = normals(random, B * O);
      const { keys, ...first } = await reads!.run({ source, lengths: long }),
        said: number[] = [],
        weighed: number[] = [];
      let states = first as Record<string, ort.Tensor>;
      // Each number of the start in the place of all of its quantiles.
      const fed = Float32Array.from({ length: B * O * Q }, (_, i) => start[Math.floor(i / Q)]!);
      let previous: ort.Tensor = new ort.Tensor("float32", fed, [B, O * Q]);
      for (let u = 0; u < U; u++) {
        const found = await says!.run({ previous, keys: keys!, lengths: long, ...states });
        states = { state: found.next_state!, ...found.next_cell && { cell: found.next_cell } };
        previous = found.output!;
        said.push(...previous.data as Float32Array);
        weighed.push(...found.attention_weights!.data as Float32Array);
      }
      const shape = [B, T, config.sourceTokens ? 1 : I];
      const { outputs, attention } = await forecast(model, { x, shape, lengths }, { steps: U, start });
      assert.deepEqual(outputs.shape, [B, U, O * Q]);
      const byStep = (flat: Float32Array, each: number) =>
        Array.from(
          { length: U },
          (_, u) => Array.from({ length: B }, (_, b) => [...flat.subarray((b * U + u) * each, (b * U + u + 1) * each)]),
        ).flat(2);
      assertClose(said, byStep(outputs.data, O * Q), 2e-5, `outputs of ${B} × ${T}`);
      assertClose(weighed, byStep(attention.data, T), 1e-5, `attention weights of ${B} × ${T}`);
    }
    await Promise.all([reads!.release(), says!.release()]);
  });
}

Deno.test("a model from sequences to sequences is kept in PyTorch's files under the names of its module", async () => {
  for (const format of ["pt", "safetensors"] as const) {
    using model = await modelOf(CONFIGS["tied, two layers"]!);
    const file = readModel(await writeModel(await modelFile(model), format), `it.${format}`);
    assert.deepEqual(file.network, model.network);
    assert.deepEqual(file.parameters, await model.stateDict());
    const names = Object.keys(file.parameters);
    for (const part of ["encoder.embedding.weight", "encoder.gru.weight_hh_l1_reverse", "bridge.weight"]) {
      assert.ok(names.includes(part), part);
    }
    const decoder = ["attention.attn.weight", "attention.attn.bias", "attention.v.weight", "decoder.embedding.weight"];
    const rest = ["decoder.gru.weight_ih_l1", "projection.weight", "projection.bias", "fc.bias"];
    for (const part of [...decoder, ...rest]) assert.ok(names.includes(part), part);
    using copy = await createModel(file.network!, { loss: file.meanings });
    await copy.loadStateDict(file.parameters);
    assert.deepEqual(await copy.stateDict(), await model.stateDict());
  }
});

Deno.test("other networks have no step to export", async () => {
  using model = await createModel({ inputSize: 2, hiddenSize: 3, outputSize: 1 });
  const file = await modelFile(model);
  assert.throws(() => exportSeq2SeqOnnx(file), /the network must have one decoder, it has 0/);
});
