/** Models from sequences to sequences as ONNX files, searched in ONNX Runtime; and in PyTorch's files. */

import assert from "node:assert/strict";
import * as ort from "npm:onnxruntime-web@1.30.0/wasm";
import {
  createModel,
  createSearcher,
  END,
  exportSeq2SeqOnnx,
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

/** A model whose weights decide more than those it begins with. */
async function modelOf(config: Seq2SeqConfig): Promise<NetworkModel> {
  const model = await createModel(config, { seed: 3 }), dict = Object.entries(await model.stateDict());
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
