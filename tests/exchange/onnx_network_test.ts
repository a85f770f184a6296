/** Networks as ONNX files, run in ONNX Runtime. */

import assert from "node:assert/strict";
import * as ort from "npm:onnxruntime-web@1.30.0/wasm";
import {
  createModel,
  defineNetwork,
  exportOnnx,
  modelFile,
  type Network,
  readModel,
  type Sequences,
  writeModel,
} from "../../mod.ts";
import { layerType } from "../../core/model/layers/mod.ts";
import { resolveNetwork } from "../../core/model/network.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose } from "../close.ts";
import { named, type StoredTensors } from "../golden.ts";
import { NETWORKS } from "../networks.ts";
import { makeTrial } from "../random_networks.ts";

ort.env.wasm.numThreads = 1;

async function run(bytes: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(bytes);
  try {
    return await session.run(feeds) as Record<string, ort.Tensor>;
  } finally {
    await session.release();
  }
}

/** Whether a network reads any value over time. */
const hasSteps = (network: Network) => network.layers.some(({ type }) => type === "numbers" || type === "tokens");

/** What ONNX Runtime is fed with: the inputs by name, lengths, and initial states if asked for. */
function feedsOf(network: Network, { x, shape, lengths, inputs, states }: Sequences): Record<string, ort.Tensor> {
  const [B, T] = shape as [number, number, number], feeds: Record<string, ort.Tensor> = {};
  const { nodes } = resolveNetwork(network),
    entries = nodes.filter(({ type }) => ["numbers", "vector", "tokens"].includes(type));
  const first = entries.find(({ type }) => type !== "vector") ?? entries[0]!;
  for (const node of entries) {
    const data = node === first ? x : inputs![node.name]!, { kind, size } = node.outputs.output!;
    const dims = kind === "tokens" ? [B, T] : kind === "rows" ? [B, size] : [B, T, size];
    feeds[node.name] = data instanceof Int32Array
      ? new ort.Tensor("int32", data, dims)
      : new ort.Tensor("float32", data, dims);
  }
  if (hasSteps(network)) feeds.lengths = new ort.Tensor("int32", lengths ?? new Int32Array(B).fill(T), [B]);
  for (const node of states ? nodes : []) {
    for (const [name, { count, size, kind }] of Object.entries(layerType(node.type)!.given?.(node) ?? {})) {
      if (kind !== "states") continue;
      const full = `${node.name}.${name}`, data = states![full] ?? new Float32Array(count! * B * size);
      feeds[full] = new ort.Tensor("float32", data, [count!, B, size]);
    }
  }
  return feeds;
}

async function assertSame(
  network: Network,
  params: StoredTensors | null,
  sequences: Sequences,
  loss?: object,
): Promise<void> {
  using model = await createModel(network, { seed: 3, ...loss && { loss: loss as never } });
  if (params) await model.loadStateDict(named(params));
  const { values } = await model.forward(sequences);
  const file = await modelFile(model), bytes = exportOnnx(file, { h0: sequences.states !== undefined });
  const found = await run(bytes, feedsOf(network, sequences));
  for (const name of Object.keys(network.outputs)) {
    assert.deepEqual(found[name]!.dims, values[name]!.shape, name);
    const scale = values[name]!.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    assertClose(found[name]!.data as Float32Array, values[name]!.data, 1e-5 * scale, name);
  }
  const weights = Object.keys(values).filter((name) => name.endsWith(".weights"));
  if (weights.length === 1 && !Object.values(network.outputs).includes(weights[0]!)) {
    assertClose(found.attention_weights!.data as Float32Array, values[weights[0]!]!.data, 1e-5, "attention weights");
  }
  // Other programs' files hold a network too, if it has parameters.
  if (!model.parameters.length) return;
  for (const format of ["safetensors", "pt"] as const) {
    const read = readModel(writeModel(file, format));
    assert.deepEqual(read.network, JSON.parse(JSON.stringify(network)), format);
    assert.deepEqual(read.parameters, file.parameters, format);
  }
}

for (const [name, { network, sequences, loss }] of Object.entries(NETWORKS)) {
  Deno.test(`ONNX Runtime gives a network's outputs: ${name}`, async () => {
    const meaning = typeof loss === "string" ? { [Object.keys(network.outputs)[0]!]: loss } : loss;
    await assertSame(network, null, sequences(new Random(4, "data"), 5, 7), meaning);
  });
}

Deno.test("a name that ONNX would have twice is refused", async () => {
  const build = (input: string, output: string) =>
    defineNetwork(({ numbers, linear }) => ({ [output]: linear("fc", numbers(input, 2), 2) }));
  for (const [input, output] of [["x", "x"], ["lengths", "y"], ["x", "probabilities"]] as const) {
    using model = await createModel(build(input, output), { loss: "bce" });
    const file = await modelFile(model);
    assert.throws(() => exportOnnx(file), /two tensors would have the name ".*": rename an input or output/);
  }
});

Deno.test("what is behind a length never matters to ONNX Runtime either, tokens included", async () => {
  const network = defineNetwork(({ tokens, embedding, vector, numbers, attention, mean, concat }) => {
    const words = embedding("embedding", tokens("words", 5), 2), x = numbers("x", 3);
    const { context } = attention("attention", { query: vector("query", 2), keys: x });
    return { rows: concat([context, mean(words)]), steps: concat([words, x]) };
  });
  const random = new Random(1, "data"), x = normals(random, 2 * 4 * 3), inputs = { x, query: normals(random, 4) };
  const clean = { x: Int32Array.of(4, 1, 0, 0, 2, 0, 0, 0), shape: [2, 4, 1], lengths: Int32Array.of(2, 1), inputs };
  const dirty = {
    ...clean,
    x: Int32Array.of(4, 1, -7, 99, 2, 1e9, -1e9, 5),
    inputs: { ...inputs, x: x.map((v, i) => Math.floor(i / 3) % 4 < clean.lengths[Math.floor(i / 12)]! ? v : NaN) },
  };
  using model = await createModel(network);
  const bytes = exportOnnx(await modelFile(model));
  const [a, b] = [await run(bytes, feedsOf(network, clean)), await run(bytes, feedsOf(network, dirty))];
  for (const name of ["rows", "steps"]) assert.deepEqual(b[name]!.data, a[name]!.data, name);
  await assertSame(network, null, dirty);
});

Deno.test("ONNX Runtime gives the outputs of networks of layers chosen at random", async () => {
  for (let i = 0; i < 40; i++) {
    const random = new Random(i, "data"), choices = Array.from({ length: 90 }, () => random.below(1000));
    const { network, sequences, losses } = makeTrial(choices, i);
    const meanings = Object.entries(losses).map(([name, { loss, quantiles }]) => [name, { loss, quantiles }]);
    try {
      await assertSame(network, null, sequences, Object.fromEntries(meanings));
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${JSON.stringify(network)}`, { cause: error });
    }
  }
});

const FOLDER = new URL("../testdata/layers/", import.meta.url);

for (const { name } of Deno.readDirSync(FOLDER)) {
  if (name.startsWith("loss-") || !name.endsWith(".json")) continue;
  Deno.test(`ONNX Runtime gives a network's outputs: ${name.slice(0, -5)}`, async () => {
    const { network, params, inputs } = JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
    const floats = Object.fromEntries(
      Object.entries(named(Object.fromEntries(Object.entries(inputs as StoredTensors).filter(([, { b64 }]) => b64)))),
    );
    const entries = (network as Network).layers.filter(({ type }) => type === "numbers" || type === "vector");
    const first = entries.find(({ type }) => type === "numbers") ?? entries[0]!,
      { data: x, shape } = floats[first.name]!;
    const others = entries.filter((node) => node !== first).map(({ name }) => [name, floats[name]!.data]);
    const states = Object.entries(floats).filter(([name]) => /\.[hc]0$/.test(name)).map((
      [name, { data }],
    ) => [name, data]);
    await assertSame(network, params, {
      x,
      shape: shape.length === 2 ? [shape[0]!, 1, shape[1]!] : shape,
      ...inputs.lengths && { lengths: Int32Array.from(inputs.lengths.data) },
      ...others.length && { inputs: Object.fromEntries(others) },
      ...states.length && { states: Object.fromEntries(states) },
    });
  });
}

Deno.test("final states leave an ONNX file as PyTorch has them", async () => {
  const network: Network = {
    layers: [
      { type: "numbers", name: "x", options: { size: 3 } },
      {
        type: "lstm",
        name: "lstm",
        inputs: { input: "x.output" },
        options: { hiddenSize: 4, numLayers: 2, bidirectional: true },
      },
    ],
    outputs: { hidden: "lstm.hidden", cell: "lstm.cell", state: "lstm.state" },
  };
  const random = new Random(2, "data"), B = 3, T = 5;
  await assertSame(network, null, { x: normals(random, B * T * 3), shape: [B, T, 3], lengths: Int32Array.of(5, 2, 3) });
});
