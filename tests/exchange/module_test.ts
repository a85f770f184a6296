/** Models as one file: the bits of `createPredictor` in every form, sizes, streams, and what is refused. */

import assert from "node:assert/strict";
import { exportModule, type ModuleOptions } from "../../core/exchange/module.ts";
import type { ModelFile } from "../../core/exchange/config.ts";
import { createModel } from "../../core/model/model.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import type { ModelConfig } from "../../core/model/config.ts";
import { ForecastPipeline } from "../../core/data/forecast.ts";
import { Pipeline } from "../../core/data/pipeline.ts";
import type { PipelineOptions } from "../../core/data/pipeline_options.ts";
import { ended } from "../../core/data/readers/ends.ts";
import type { SequenceRecord } from "../../core/data/readers/record.ts";
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

Deno.test("what cannot be a module is refused, and so are options that do not fit", async () => {
  const { file } = cases[0]!;
  await assert.rejects(exportModule(file, { wasm: "other" as never }), /wasm must be one of "inline", "file", "none"/);
  await assert.rejects(exportModule(file, { format: "html", wasm: "file" }), /a page is one file/);
  await assert.rejects(exportModule(file, { name: "a/b" }), /name must be a file's name/);
  const { preprocessing } = cases[1]!.file;
  await assert.rejects(
    exportModule({ ...file, preprocessing }),
    /its preprocessing is for inputSize 2, the model has 5/,
  );
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
    const script = text.match(/<script type="module">\n([^]*)<\/script>/)![1]!.replace(
      /[\w$]+\(predict,info\);\n$/,
      "",
    );
    const { predict } = await loaded(new TextEncoder().encode(script));
    // Pieces under names that something else, or nothing, has.
    const used = new Set(script.match(/(?<![\w$]|(?<!\.\.)\.)_[0-9a-z]+(?![\w$])/g));
    const declared = script.match(/(?<=\bfunction |\b(?:const|let) |[,;{])_[0-9a-z]+(?=[=(,;])/g);
    assert.deepEqual([...used].filter((name) => !declared?.includes(name)), [], name);
    assert.deepEqual(
      predict(cases.find((one) => one.name === name)!.inputs[0]),
      cases.find((one) => one.name === name)!.expected[0],
    );
  }
});

/** Sequences of numbers with labels, some values missing. */
function recordsOf(count: number, channels: number, label: (n: number) => string[], gaps = 0): SequenceRecord[] {
  const random = new Random(count, "data");
  return Array.from({ length: count }, (_, n) => {
    const steps = 5 + n % 4;
    const values = Float64Array.from(
      { length: steps * channels },
      () => random.below(20) < gaps ? NaN : 1000 + random.below(977) / 7,
    );
    return { values, steps, channels, labels: label(n), place: `record ${n}` };
  });
}

const texts = ["Ça va bien, merci!", "no: it's 3 × 4", "😀 ok ok", "Ünïcode Ä ö", "yes", "no"];
const textRecords = texts.map((text, n): SequenceRecord => ({
  text,
  steps: 0,
  channels: 0,
  labels: [n % 2 ? "a" : "b"],
  place: `text ${n}`,
}));
const abc = (n: number) => [["a", "b", "c"][n % 3]!], amount = (n: number) => [String(n * n / 7), String(5 - n)];

/** Pipelines of every kind. */
const PIPELINES: Record<string, [records: SequenceRecord[], options: PipelineOptions, model?: Partial<ModelConfig>]> = {
  "two classes of one output": [recordsOf(12, 2, (n) => [n % 2 ? "yes" : "no"]), { task: "binary" }, { loss: "bce" }],
  "any of several classes": [recordsOf(12, 2, (n) => [n % 2 ? "x" : "x;y"]), {
    task: "multilabel",
    labelSeparator: ";",
  }],
  "one-hot classes": [recordsOf(12, 1, abc), { oneHot: true }],
  "amounts, scaled": [recordsOf(12, 3, amount), { task: "regression", labelNames: ["p", "q"] }],
  "amounts as they are": [recordsOf(12, 3, amount), { task: "regression", standardize: false }],
  "quantiles": [recordsOf(12, 2, amount), { task: "regression" }, { loss: "quantile", quantiles: [0.1, 0.5, 0.9] }],
  "missing as 0": [recordsOf(12, 2, abc, 4), { missing: "zero" }],
  "missing as the mean": [recordsOf(12, 2, abc, 4), { missing: "mean" }],
  "missing as the last": [recordsOf(12, 2, abc, 4), { missing: "last" }],
  "patches": [recordsOf(12, 2, abc), { patch: 3 }],
  "patches of a few, cut off": [recordsOf(12, 1, abc, 2), { patch: 2, maxLength: 2, missing: "last" }],
  "words in ASCII": [textRecords, { tokens: "words", normalize: "ascii" }],
  "words as they are": [textRecords, { tokens: "words", normalize: "none" }],
  "characters": [textRecords, { tokens: "characters" }],
  "characters in lower case": [textRecords, { tokens: "characters", normalize: "lower", maxLength: 6 }],
  "characters in ASCII": [textRecords, { tokens: "characters", normalize: "ascii", minCount: 2 }],
};

for (const [name, [records, options, own]] of Object.entries(PIPELINES)) {
  Deno.test(`modules do what pipelines do: ${name}`, async () => {
    const pipeline = Pipeline.fit(records, options), { labels, inputSize, numEmbeddings, paddingIdx } = pipeline;
    const quantiles = own?.quantiles, count = quantiles?.length ?? 1, outputSize = pipeline.outputSize * count;
    const config = { inputSize, numEmbeddings, paddingIdx, outputSize, loss: pipeline.loss, hiddenSize: 6, ...own };
    using model = await createModel(config, { seed: 8, simd: "plain" });
    using predictor = await createPredictor(model);
    const file = await modelFile(model, { preprocessing: pipeline.toJSON() });
    for (const wasm of ["inline", "none"] as const) {
      const { predict } = await moduleOf(file, { wasm });
      for (const record of records) {
        // A file's records have no steps without a value at their ends.
        const missing = record.values?.some(Number.isNaN) ? record.place : undefined;
        const { x } = pipeline.sequences([ended({ ...record, missing })]), found = predictor.predict(x as Float32Array);
        const { values, text, channels, steps } = record;
        const rows = values &&
          Array.from({ length: steps }, (_, t) => [...values.slice(t * channels, (t + 1) * channels)]);
        const said = predict(text ?? rows), outputs = [...found.outputs];
        assert.deepEqual(said.attention, [...found.attentionWeights]);
        if (text !== undefined) assert.deepEqual(said.tokens, pipeline.tokens(text));
        if (pipeline.task === "regression") {
          const units = [...pipeline.values(outputs, quantiles)],
            each = (o: number) => units.slice(o * count, (o + 1) * count);
          const expected = labels.map((label, o) => [
            label,
            quantiles ? Object.fromEntries(quantiles.map((q, k) => [q, each(o)[k]])) : units[o],
          ]);
          assert.deepEqual(said[quantiles ? "quantiles" : "values"], Object.fromEntries(expected));
          assert.equal(said[quantiles ? "values" : "quantiles"], undefined);
          continue;
        }
        const decoded = pipeline.decode(outputs);
        assert.deepEqual(said.label, decoded.label);
        assert.deepEqual(said.labels, decoded.labels);
        assert.deepEqual(
          said.probabilities,
          Object.fromEntries(labels.map((label, i) => [label, decoded.probabilities![i]])),
        );
      }
    }
  });
}

Deno.test("forecasts of a module are those of the pipeline, whatever its transform", async () => {
  const random = new Random(3, "data"), column = () => Float64Array.from({ length: 40 }, () => 50 + random.below(100));
  const price = column();
  price[37] = NaN;
  const table = { name: "t.csv", columns: ["a", "b", "price"], values: [column(), column(), price], rows: 40 };
  for (const transform of ["none", "difference", "logDifference"] as const) {
    for (const missing of ["zero", "mean", "last"] as const) {
      for (const quantiles of [undefined, [0.25, 0.75]]) {
        const pipeline = ForecastPipeline.fit(table, {
          targetColumns: ["b", "a"],
          featureColumns: ["price", "a"],
          window: 6,
          horizon: 2,
          transform,
          missing,
          center: missing === "last",
          standardize: missing !== "zero",
        });
        const { inputSize } = pipeline, outputSize = pipeline.outputSize * (quantiles?.length ?? 1);
        const loss = quantiles ? "quantile" : "mse";
        using model = await createModel({ inputSize, outputSize, hiddenSize: 5, loss, quantiles }, {
          seed: 1,
          simd: "plain",
        });
        using predictor = await createPredictor(model);
        const { predict, start } = await moduleOf(await modelFile(model, { preprocessing: pipeline.toJSON() }));
        const inputs = pipeline.inputs(table),
          { outputs } = predictor.predict(inputs.x),
          count = quantiles?.length ?? 1;
        const values = [...pipeline.values([...outputs], inputs, quantiles)];
        const expected = [0, 1].map((h) =>
          Object.fromEntries(["b", "a"].map((name, c) => {
            const at = (h * 2 + c) * count;
            return [name, quantiles ? Object.fromEntries(quantiles.map((q, k) => [q, values[at + k]])) : values[at]];
          }))
        );
        const rows = Array.from({ length: 40 }, (_, t) => ({
          price: Number.isNaN(price[t]) ? null : price[t],
          a: table.values[0]![t],
          b: table.values[1]![t],
          other: "passed over",
        }));
        const field = quantiles ? "quantiles" : "values";
        assert.deepEqual(predict(rows)[field], expected, `${transform}, ${missing}`);
        const stream = start();
        assert.deepEqual(rows.map((row) => stream.push(row)).at(-1)[field], expected);
      }
    }
  }
});

Deno.test("steps without a value at the end are padding, and a column may have any name", async () => {
  const records = recordsOf(12, 2, abc, 4), pipeline = Pipeline.fit(records, { missing: "last" });
  const { inputSize, outputSize, loss } = pipeline;
  using model = await createModel({ inputSize, outputSize, loss, hiddenSize: 5 }, { seed: 1, simd: "plain" });
  const { predict } = await moduleOf(await modelFile(model, { preprocessing: pipeline.toJSON() }));
  const rows = [[1, 2], [null, 4]], none = [null, null];
  assert.deepEqual(predict([...rows, none, none]), predict(rows));
  assert.notDeepEqual(predict([none, ...rows]), predict(rows));
  assert.equal(predict([none, none]).attention.length, 2);

  const columns = ["__proto__", "b"],
    values = columns.map((_, c) => Float64Array.from({ length: 20 }, (_, t) => t * c));
  const forecasts = ForecastPipeline.fit({ name: "t.csv", columns, values, rows: 20 }, {
    targetColumns: columns,
    window: 4,
    horizon: 1,
  });
  using own = await createModel({ inputSize: 2, outputSize: 2, hiddenSize: 3, loss: "mse" }, { simd: "plain" });
  const module = await moduleOf(await modelFile(own, { preprocessing: forecasts.toJSON() }));
  assert.deepEqual(Object.keys(module.predict(Array(6).fill([1, 2])).values[0]), columns);
});

Deno.test("a sequence may be a row of a wide table", async () => {
  const records = recordsOf(12, 1, abc).map((record) => ({ ...record, values: record.values!.slice(0, 5), steps: 5 }));
  const stepNames = ["t0", "t1", "t2", "t3", "__proto__"], pipeline = Pipeline.fit(records, { stepNames });
  const { inputSize, outputSize, loss } = pipeline;
  using model = await createModel({ inputSize, outputSize, loss, hiddenSize: 5 }, { seed: 1, simd: "plain" });
  const { predict, info } = await moduleOf(await modelFile(model, { preprocessing: pipeline.toJSON() }));
  const values = [...records[0]!.values!], row = Object.fromEntries(stepNames.map((name, i) => [name, values[i]]));
  assert.deepEqual(predict(row), predict(values));
  assert.deepEqual(info.columns, stepNames);
  assert.throws(() => predict({ t0: 1 }), /the row has no "t1"/);
});

Deno.test("long sequences are no trouble", async () => {
  const { file } = cases[0]!, { predict } = await moduleOf(file), T = 200_000;
  const rows = Array.from({ length: T }, (_, t) => [t % 3, 0, 1, 0, t % 5]);
  assert.deepEqual(predict(rows), predict(Float32Array.from(rows.flat())));
});

Deno.test("a model of windows takes a window, and its streams look back at one", async () => {
  const records = recordsOf(12, 2, abc).map((record) => ({ ...record, values: record.values!.slice(0, 8), steps: 4 }));
  const pipeline = Pipeline.fit(records, { windows: { window: 4, stride: 2, windowLabel: "last" } });
  const { inputSize, outputSize, loss } = pipeline;
  using model = await createModel({ inputSize, outputSize, loss, hiddenSize: 5 }, { seed: 1, simd: "plain" });
  const { predict, start, info } = await moduleOf(await modelFile(model, { preprocessing: pipeline.toJSON() }));
  assert.deepEqual(info.windows, { window: 4, stride: 2, windowLabel: "last" });
  const rows = Array.from({ length: 9 }, (_, t) => [1000 + t, 1000 - t * t]), stream = start();
  for (let t = 0; t < 9; t++) {
    const said = stream.push(rows[t]);
    assert.deepEqual(said, t < 3 ? undefined : predict(rows.slice(t - 3, t + 1)));
    assert.equal(stream.steps, t + 1);
  }
  for (const count of [1, 3, 5, 9]) {
    assert.throws(() => predict(rows.slice(0, count)), new RegExp(`one window of 4 steps, got ${count}: cut it`));
  }
});
