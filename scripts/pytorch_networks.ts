/**
 * This side of scripts/pytorch_networks.py: makes the networks of tests/networks.ts and writes their weights and results
 * ("made"), or takes the weights that PyTorch wrote, and writes these and their results ("loaded").
 *
 *     deno run --allow-read=FOLDER --allow-write=FOLDER scripts/pytorch_networks.ts made|loaded FOLDER .pt .safetensors
 *
 * @module
 */

import {
  createModel,
  modelFile,
  modelFormatOf,
  type NetworkModel,
  readPt,
  readSafetensors,
  writeModel,
} from "../mod.ts";
import { LOSSES, type LossName } from "../core/model/losses.ts";
import { resolveNetwork } from "../core/model/network.ts";
import { Random } from "../core/random.ts";
import { NETWORKS, type Sample } from "../tests/networks.ts";
import { commandLine } from "./command_line.ts";

const command = "deno run --allow-read=FOLDER --allow-write=FOLDER scripts/pytorch_networks.ts";
const operands = ["made|loaded", "FOLDER", "[ENDING …]"];
const { operands: given } = commandLine(command, "Our side of scripts/pytorch_networks.py.", {}, operands);
const [mode, folder, ...endings] = given as [string, string, ...string[]];
const path = (name: string) => `${folder}/${name}`, [B, T] = [5, 6];

/** An array as the other side reads it. */
function stored(data: Float32Array | Int32Array, shape: readonly number[]) {
  return { type: data instanceof Int32Array ? "int" : "float", shape, data: [...data] };
}

/** A batch, and what a model makes of it. */
async function resultsOf(model: NetworkModel, { network, loss, sequences, targets }: Sample) {
  const random = new Random(9, "data"), batch = sequences(random, B, T), given = targets(random, B, T);
  const { nodes, outputs } = resolveNetwork(network), names = Object.keys(outputs);
  const losses: Record<string, LossName> = typeof loss === "string" ? { [names[0]!]: loss } : loss;
  const wanted = ArrayBuffer.isView(given) ? { [names[0]!]: given } : given;
  const found = await model.gradients(batch, wanted, {
    losses: Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, { loss }])),
  });
  const entries = nodes.filter(({ type }) => ["numbers", "vector", "tokens"].includes(type));
  const first = entries.find(({ type }) => type !== "vector") ?? entries[0]!;
  const inputs = entries.map(({ name, outputs }) => {
    const { kind, size } = outputs.output!, data = name === first.name ? batch.x : batch.inputs![name]!;
    return [name, stored(data, kind === "rows" ? [B, size] : kind === "tokens" ? [B, T] : [B, T, size])] as const;
  });
  const goals = Object.entries(wanted).map(([name, data]) => {
    const { kind, size } = outputs[name]!.shape, rows = kind === "steps" ? [B, T] : [B];
    return [
      `targets.${name}`,
      stored(data, LOSSES[losses[name]!].targets === "classes" ? rows : [...rows, size]),
    ] as const;
  });
  const numbers = (arrays: Readonly<Record<string, { data: Float32Array }>>) =>
    Object.fromEntries(Object.entries(arrays).map(([name, { data }]) => [name, [...data]]));
  return {
    network,
    losses: Object.fromEntries(
      Object.entries(losses).map((
        [name, loss],
      ) => [name, { loss, ...LOSSES[loss].settings, perStep: outputs[name]!.shape.kind === "steps" }]),
    ),
    batch: Object.fromEntries([...inputs, ...goals, ["lengths", stored(batch.lengths!, [B])]]),
    outputs: { ...numbers(found.outputs.values), loss: [found.loss] },
    gradients: numbers(found.parameters),
    inputs: numbers(found.inputs),
  };
}

const results: Record<string, unknown> = {};
for (const [i, [name, sample]] of Object.entries(NETWORKS).entries()) {
  const options = { loss: sample.loss, seed: i };
  if (mode === "made") {
    using model = await createModel(sample.network, options);
    for (const ending of endings) {
      Deno.writeFileSync(path(`${i} made${ending}`), writeModel(await modelFile(model), modelFormatOf(ending)!));
    }
    results[name] = await resultsOf(model, sample);
  } else {
    for (const source of endings) {
      using model = await createModel(sample.network, options);
      const bytes = Deno.readFileSync(path(`${i} own${source}`));
      await model.loadStateDict(source === ".pt" ? readPt(bytes).tensors : readSafetensors(bytes).tensors);
      for (const target of endings) {
        const written = writeModel(await modelFile(model), modelFormatOf(target)!);
        Deno.writeFileSync(path(`${i} from ${source.slice(1)}${target}`), written);
      }
      results[name] = await resultsOf(model, sample);
    }
  }
}
Deno.writeTextFileSync(path(`${mode}.json`), JSON.stringify(results));
