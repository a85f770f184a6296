/** Models as one file: the bits of `createPredictor` in every form, sizes, streams, and what is refused. */

import assert from "node:assert/strict";
import { exportModule, type ModuleOptions } from "../../core/exchange/module.ts";
import type { ModelFile } from "../../core/exchange/config.ts";
import { defineNetwork } from "../../core/model/define.ts";
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

/** What is wrong with an input: the field, and the words. */
const BAD: Record<string, [input: unknown, field: string | undefined, words: RegExp][]> = {
  numbers: [
    [undefined, "x", /must be a list, got undefined/],
    ["text", "x", /must be a list, got string/],
    [[], "x", /multiple of 5 numbers, got 0/],
    [[1, 2, 3], "x", /multiple of 5 numbers, got 3/],
    [[[1, 2, 3, 4, 5], [1, 2]], "x", /step 2 must have 5 numbers, got 2/],
    [[[1, 2, 3, 4, NaN]], "x", /x must be finite numbers, got NaN in step 1/],
    [[1, 2, 3, 4, "5"], "x", /number 5 of the sequence is 5/],
    [[1, 2, 3, 4, 1e39], "x", /finite/],
  ],
  moves: [
    ["text", "x", /a list of steps, got string/],
    [null, "x", /a list of steps/],
    [[], "x", /no steps/],
    [[{ speed: 1 }], "turn", /step 1 has no "turn"/],
    [[{ speed: 1, turn: 2 }, { speed: "fast", turn: 2 }], "speed", /step 2, "speed" must be a number, got "fast"/],
    [[{ speed: 1, turn: Infinity }], "turn", /step 1, "turn" is too large, got Infinity/],
    [[[1, 2, 3]], "x", /step 1 must have 2 numbers, got 3/],
    [[1, 2, 3], "x", /a step must have 2 numbers, got 3 in all/],
    [[[1, 1e300]], "turn", /too large/],
  ],
  sales: [
    [[], "x", /a forecast needs 13 rows, got 0/],
    [Array(12).fill([1, 2]), "x", /needs 13 rows, got 12/],
    [Array(13).fill({ sales: 1 }), "price", /row 1 has no "price"/],
    [[...Array(12).fill([1, 2]), [1, null]], "price", /a value is missing at row 13, "price"/],
    [[...Array(12).fill([1, 2]), [-1, 2]], "sales", /row 13, "sales": "logDifference" needs values above 0, got -1/],
  ],
  reviews: [
    [undefined, "x", /there must be a text, got undefined/],
    [["a"], "x", /there must be a text/],
  ],
  steps: [
    [[{ a: 1, b: null }], "b", /a value is missing at step 1, "b"/],
  ],
};

Deno.test("a module says what is wrong with what it is given, and of which field", async () => {
  for (const { name, file, inputs, expected } of cases) {
    const { predict } = await moduleOf(file);
    for (const [input, field, words] of BAD[name]!) {
      assert.throws(() => predict(input), (error: Error & { field?: string }) => {
        assert.match(error.message, /^Cannot predict: /);
        assert.match(error.message, words);
        assert.ok(error instanceof RangeError || error instanceof TypeError);
        assert.equal(error.field, field);
        return true;
      }, `${name}: ${JSON.stringify(input)}`);
    }
    assert.deepEqual(predict(inputs[0]), expected[0]);
  }
});

Deno.test("a stream says after each step what the whole sequence does", async () => {
  for (const { name, file, inputs } of cases) {
    const { start, predict } = await moduleOf(file);
    if (name === "reviews") {
      assert.equal(start, undefined);
      continue;
    }
    const all = name === "numbers"
      ? Array.from({ length: 10 }, (_, t) => (inputs[0] as number[]).slice(5 * t, 5 * t + 5))
      : inputs[0] as unknown[];
    const stream = start(), other = start();
    for (let round = 0; round < 2; round++) {
      for (let t = 0; t < all.length; t++) {
        const isEarly = name === "sales" && t < 12, before = all.slice(0, t + 1);
        assert.deepEqual(stream.push(all[t]), isEarly ? undefined : predict(before), `${name}, step ${t}`);
        if (t === 2) {
          assert.throws(() => stream.push([1, 2, 3, 4, 5, 6, 7]));
          other.push(all[0]);
        }
        assert.equal(stream.steps, t + 1);
      }
      stream.reset();
    }
  }
});

Deno.test("what cannot be a module is refused with the layer's name, and so are options that do not fit", async () => {
  const { file } = cases[0]!;
  const network = defineNetwork(({ tokens, embedding, gru, decoder }) => {
    const { output: keys, state } = gru("gru", embedding("embedding", tokens("x", 9), 4), { hiddenSize: 5 });
    const targets = tokens("targets", 9, { axis: "target" });
    return decoder("decoder", { keys, state, targets }, { hiddenSize: 5, embeddingDim: 4 }).output;
  });
  using model = await createModel(network, { seed: 1 });
  await assert.rejects(
    moduleOf(await modelFile(model, { loss: "crossEntropy" })),
    /the layer "targets" is along a second time axis/,
  );
  await assert.rejects(exportModule(file, { wasm: "other" as never }), /wasm must be one of "inline", "file", "none"/);
  await assert.rejects(exportModule(file, { format: "html", wasm: "file" }), /a page is one file/);
  await assert.rejects(exportModule(file, { name: "a/b" }), /name must be a file's name/);
  const { preprocessing } = cases[1]!.file;
  await assert.rejects(
    exportModule({ ...file, preprocessing }),
    /its preprocessing is for inputSize 2, the model has 5/,
  );
  const pairs = { ...file, preprocessing: { kind: "pairs" } };
  await assert.rejects(exportModule(pairs), /pairs of texts/);
});

Deno.test("types of modules are what modules give", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const lines: string[] = [];
    for (const { name, file, inputs } of cases) {
      for (const [file_, bytes] of Object.entries(await exportModule(file, { name }))) {
        await Deno.writeFile(`${folder}/${file_}`, bytes);
      }
      lines.push(`// @deno-types="./${name}.d.ts"`, `import * as ${name} from "./${name}.js";`);
      lines.push(`const of_${name} = ${name}.predict(${JSON.stringify(inputs[0])});`);
    }
    lines.push(
      `const p: number[] = of_numbers.probabilities, w: number[] = of_numbers.attention;`,
      `const label: "cruise" | "start" | "stop" = of_moves.label, q: number = of_moves.probabilities.stop;`,
      `const amount: number = of_sales.values[0]!.sales, tokens: string[] = of_reviews.tokens;`,
      `const high: "high" | "low" = of_steps.steps[0]!.label;`,
      `const early: sales.Prediction | undefined = sales.start().push([1, 2]);`,
      `// @ts-expect-error`,
      `moves.predict([{ speed: 1 }]);`,
      `console.log(p, w, label, q, amount, tokens, high, early);`,
    );
    await Deno.writeTextFile(`${folder}/main.ts`, lines.join("\n"));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-lock", "main.ts"],
      cwd: folder,
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a page is one file that asks for nothing, and holds no markup from data", async () => {
  for (const { name, file } of cases) {
    const odd = "</script><b>&",
      { [`${odd}.html`]: bytes } = await exportModule(file, { format: "html", name: odd.replace("/", "\u2044") })
        .then((files) => ({ [`${odd}.html`]: Object.values(files)[0]! }));
    const text = new TextDecoder().decode(bytes);
    assert.equal(text.match(/<\/script/g)!.length, 1, name);
    assert.match(text, /<meta http-equiv="Content-Security-Policy" content="default-src 'none';/);
    assert.doesNotMatch(text, /https?:\/\/|\bfetch\b|\bimport\b|XMLHttpRequest/);
    const script = text.match(/<script type="module">\n([^]*)<\/script>/)![1]!.replace(/_\w+\(predict,info\);\n$/, "");
    const { predict } = await loaded(new TextEncoder().encode(script));
    assert.deepEqual(
      predict(cases.find((one) => one.name === name)!.inputs[0]),
      cases.find((one) => one.name === name)!.expected[0],
    );
  }
});
