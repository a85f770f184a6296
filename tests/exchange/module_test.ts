/** Models as one file: the bits of `createPredictor` in every form, sizes, streams, and what is refused. */

import assert from "node:assert/strict";
import { exportModule, type ModuleOptions } from "../../core/exchange/module.ts";
import type { ModelFile } from "../../core/exchange/config.ts";
import { createModel } from "../../core/model/model.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import { modelFile } from "../../core/exchange/model_file.ts";
import { LOSSES } from "../../core/model/losses.ts";
import { Random } from "../../core/random.ts";
import { LAYERS } from "../../core/model/layers/mod.ts";
import type { Network } from "../../core/model/network.ts";
import { normals } from "../batches.ts";
import { makeTrial } from "../random_networks.ts";
import { moduleCases } from "./models.ts";

/** What a module exports. */
interface Module {
  // deno-lint-ignore no-explicit-any -- as programs in JavaScript call it
  predict(sequence: any, inputs?: any): any;
  // deno-lint-ignore no-explicit-any -- likewise
  start(): { push(step: any, inputs?: any): any; reset(): void; readonly steps: number };
  useWasm(source?: WebAssembly.Module | BufferSource): Promise<void>;
  readonly info: Record<string, unknown> & { engine: string };
}

const FORMS = ["inline", "none", "file"] as const;
let count = 0;

/** A module from its text; no two are the same to the engine. */
async function loaded(bytes: Uint8Array): Promise<Module> {
  return await import(`data:text/javascript;base64,${bytes.toBase64()}#${count++}`);
}

async function moduleOf(file: ModelFile, options: ModuleOptions = {}): Promise<Module> {
  return await loaded((await exportModule(file, options))["model.js"]!);
}

const cases = await moduleCases();

for (const { name, file, inputs, expected } of cases) {
  for (const wasm of FORMS) {
    Deno.test(`the module of ${name} says what createPredictor says: wasm ${wasm}`, async () => {
      const files = await exportModule(file, { wasm }), module = await loaded(files["model.js"]!);
      const engine = wasm === "inline" ? "WebAssembly" : "JavaScript";
      assert.equal(module.info.engine, engine);
      assert.deepEqual(inputs.map((x) => module.predict(x)), expected);
      // Another order, other lengths before it.
      assert.deepEqual(inputs.toReversed().map((x) => module.predict(x)), expected.toReversed());
      if (wasm !== "file") return;
      await module.useWasm(files["model.wasm"]);
      assert.equal(module.info.engine, "WebAssembly");
      assert.deepEqual(inputs.map((x) => module.predict(x)), expected);
    });
  }
}

/** Inputs of a network by name, for T steps. */
function inputsFor({ layers }: Network, random: Random, T: number): Record<string, Float32Array | Int32Array> {
  const sized = layers.filter(({ type }) => ["numbers", "vector", "tokens"].includes(type));
  return Object.fromEntries(sized.map(({ type, name, options }) => {
    const { size } = options as { size: number };
    if (type === "tokens") return [name, Int32Array.from({ length: T }, () => random.below(size))];
    return [name, normals(random, type === "vector" ? size : T * size, 3)];
  }));
}

Deno.test("modules of networks chosen at random have the predictor's bits", async () => {
  const random = new Random(20, "data"), seen = new Set<string>();
  for (let n = 0; n < 60; n++) {
    const { network, losses } = makeTrial(Array.from({ length: 90 }, () => random.below(1000)), n);
    const loss = Object.fromEntries(Object.entries(losses).map(([name, { weight: _, ...meaning }]) => [name, meaning]));
    using model = await createModel(network, { seed: n, simd: "plain", loss });
    const file = await modelFile(model), names = Object.keys(inputsFor(network, random, 1));
    const types = Object.fromEntries(network.layers.map(({ name, type }) => [name, type]));
    const first = names.find((name) => types[name] !== "vector") ?? names[0]!;
    for (const [output, { loss }] of Object.entries(losses)) {
      using predictor = await createPredictor(model, { output });
      const modules = await Promise.all(
        ["inline", "none"].map((wasm) => moduleOf(file, { wasm, output } as ModuleOptions)),
      );
      for (const T of types[first] === "vector" ? [1] : [1, 2, 3, 7, 20, 3]) {
        const { [first]: x, ...others } = inputsFor(network, random, T), found = predictor.predict(x!, others);
        for (const { predict } of modules) {
          const said = predict(x, others);
          assert.deepEqual(said[LOSSES[loss].predicts].flat(), [...found.outputs], JSON.stringify(network));
          assert.deepEqual(said.attention ?? [], [...found.attentionWeights]);
        }
      }
    }
    for (const { type } of network.layers) seen.add(type);
  }
  const missing = Object.keys(LAYERS).filter((type) => !seen.has(type));
  assert.deepEqual(missing, ["decoder"]);
});

Deno.test("the sample job's module is small", async () => {
  const { file } = cases[0]!;
  for (const [wasm, most] of [["none", 9000], ["inline", 22000], ["file", 13000]] as const) {
    const files = await exportModule(file, { wasm }), text = new TextDecoder().decode(files["model.js"]);
    assert.ok(files["model.js"]!.length <= most, `${wasm}: ${files["model.js"]!.length}`);
    assert.doesNotMatch(text, /\bimport\b(?!\.meta)|\brequire\b|\beval\b|\bDeno\b/);
    if (wasm !== "file") assert.doesNotMatch(text, /fetch|import\.meta/);
  }
});
