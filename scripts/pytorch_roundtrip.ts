/**
 * This side of scripts/pytorch_roundtrip.py: reads PyTorch's files in a folder, writes what it read, and predicts.
 *
 *     deno run --allow-read=FOLDER --allow-write=FOLDER scripts/pytorch_roundtrip.ts FOLDER .pt .safetensors
 *
 * @module
 */

import {
  createModel,
  exportOnnx,
  loadModel,
  type Model,
  modelFile,
  modelFormatOf,
  readModel,
  readPt,
  readSafetensors,
  type Sequences,
  writeModel,
  writePt,
  writeSafetensors,
} from "../mod.ts";
import { commandLine } from "./command_line.ts";

interface Case {
  config: {
    inputs: number;
    hidden: number;
    outputs: number;
    layers: number;
    bidirectional: boolean;
    bias: boolean;
    tokens: number;
  };
  x: number[];
  shape: number[];
  /** Of the same batch, padded: what stands behind them counts nowhere. */
  lengths: number[];
}

const command = "deno run --allow-read=FOLDER --allow-write=FOLDER scripts/pytorch_roundtrip.ts";
const { operands } = commandLine(command, "Our side of scripts/pytorch_roundtrip.py.", {}, ["FOLDER", "[ENDING …]"]);
const [folder, ...endings] = operands as [string, ...string[]];
const path = (name: string) => `${folder}/${name}`;
const cases: Record<string, Case> = JSON.parse(Deno.readTextFileSync(path("cases.json")));
interface Outputs {
  logits: number[];
  weights: number[];
}

const results: Record<string, { full: Outputs; padded: Outputs }> = {};

/** Of a batch whose sequences are all as long as it is, and of the same with lengths. */
async function outputsOf(model: Model, sequences: Sequences, lengths: number[]) {
  const outputs = async (batch: Sequences) => {
    const { logits, attentionWeights } = await model.forward(batch);
    return { logits: [...logits.data], weights: [...attentionWeights.data] };
  };
  return {
    full: await outputs(sequences),
    padded: await outputs({ ...sequences, lengths: Int32Array.from(lengths) }),
  };
}

for (const [name, { config, x, shape, lengths }] of Object.entries(cases)) {
  const sequences: Sequences = config.tokens
    ? { x: Int32Array.from(x), shape: [...shape, 1] }
    : { x: Float32Array.from(x), shape };
  for (const ending of endings) {
    const bytes = Deno.readFileSync(path(name + ending)), file = readModel(bytes, name + ending);
    for (const target of endings) {
      Deno.writeFileSync(path(`${name} from ${ending.slice(1)}${target}`), writeModel(file, modelFormatOf(target)!));
    }
    const { model } = await loadModel(bytes);
    results[name + ending] = await outputsOf(model, sequences, lengths);
    Deno.writeFileSync(path(`${name}.onnx`), exportOnnx(await modelFile(model, { loss: "crossEntropy" })));
    model.dispose();
  }
  using made = await createModel({
    inputSize: config.inputs,
    hiddenSize: config.hidden,
    outputSize: config.outputs,
    numLayers: config.layers,
    bidirectional: config.bidirectional,
    bias: config.bias,
    numEmbeddings: config.tokens,
  }, { seed: x.length });
  for (const ending of endings) {
    Deno.writeFileSync(path(`${name} made here${ending}`), writeModel(await modelFile(made), modelFormatOf(ending)!));
  }
  results[`${name} made here`] = await outputsOf(made, sequences, lengths);
}
for (const ending of endings) {
  const bytes = Deno.readFileSync(path(`special${ending}`));
  const { tensors } = ending === ".pt" ? readPt(bytes) : readSafetensors(bytes);
  for (const target of endings) {
    const written = target === ".pt" ? writePt(tensors) : writeSafetensors(tensors);
    Deno.writeFileSync(path(`special from ${ending.slice(1)}${target}`), written);
  }
}
Deno.writeTextFileSync(path("results.json"), JSON.stringify(results));
