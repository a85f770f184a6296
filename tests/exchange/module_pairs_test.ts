/** Models from sequences to sequences as one file: the bits of `createPredictor`, in the data's own words. */

import assert from "node:assert/strict";
import { exportModule, type ModuleOptions } from "../../core/exchange/module.ts";
import type { ModelFile } from "../../core/exchange/config.ts";
import { modelFile } from "../../core/exchange/model_file.ts";
import { PairPipeline } from "../../core/data/pair_pipeline.ts";
import type { PairOptions } from "../../core/data/pair_options.ts";
import type { PairRecord } from "../../core/data/pair_records.ts";
import { defineNetwork } from "../../core/model/define.ts";
import { createModel, type NetworkModel } from "../../core/model/model.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import type { Hypothesis, SearchOptions } from "../../core/model/search.ts";
import type { Seq2SeqConfig } from "../../core/model/seq2seq.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";

/** What a module of pairs exports. */
interface Module {
  // deno-lint-ignore no-explicit-any -- as programs in JavaScript call it
  predict(source: any, options?: any): any;
  // deno-lint-ignore no-explicit-any -- likewise
  search(source: any, options?: any): any[];
  // deno-lint-ignore no-explicit-any -- likewise
  forecast(source: any, options?: any): any;
  start?: unknown;
  useWasm(source?: BufferSource): Promise<void>;
  readonly info: Record<string, unknown> & { engine: string };
}

const FORMS = ["inline", "none", "file"] as const;
let count = 0;

async function moduleOf(file: ModelFile, options: ModuleOptions = {}): Promise<Module> {
  const files = await exportModule(file, options);
  const module: Module = await import(`data:text/javascript;base64,${files["model.js"]!.toBase64()}#pairs${count++}`);
  if (options.wasm === "file") await module.useWasm(files["model.wasm"]);
  return module;
}

/** The same model in every form. */
const everyForm = (file: ModelFile) => Promise.all(FORMS.map((wasm) => moduleOf(file, { wasm })));

/** An answer as a module without a pipeline gives it. */
function asGiven({ attention, ...hypothesis }: Hypothesis) {
  return { ...hypothesis, attention: rowsOf(attention) };
}

function rowsOf({ shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array }): number[][] {
  const [rows, width] = shape.slice(-2) as [number, number];
  return Array.from({ length: rows }, (_, u) => [...data.subarray(u * width, (u + 1) * width)]);
}

/** A sharper model than one that has just been made: its answers end, and differ. */
async function sharpened(model: NetworkModel): Promise<void> {
  const dict = await model.stateDict();
  for (const { data } of Object.values(dict)) for (let i = 0; i < data.length; i++) data[i]! *= 2.5;
  await model.loadStateDict(dict);
}

const SEARCHES: readonly SearchOptions[] = [
  { maxLength: 7 },
  { width: 5, maxLength: 9, lengthPenalty: 0.6 },
  { width: 3, nBest: 2, minLength: 2, maxLength: 8, coveragePenalty: 0.3, noRepeat: 2, prefix: [4] },
];

const QUANTILES = [0.1, 0.5, 0.9];

Deno.test("modules of 24 models of pairs chosen at random have the predictor's bits", async () => {
  const random = new Random(7, "data"), seen = new Set<string>();
  for (let n = 0; n < 24; n++) {
    const pick = <T>(...values: readonly T[]) => values[random.below(values.length)]!;
    const sourceTokens = n % 4 < 2 ? 5 + random.below(9) : 0, targetTokens = n % 2 ? 0 : 8 + random.below(9);
    const hiddenSize = 3 + random.below(9), bidirectional = pick(true, false), numLayers = pick(1, 2);
    const isCopy = !(hiddenSize % 2 && bidirectional) && pick(true, false);
    const config: Seq2SeqConfig = {
      task: "seq2seq",
      sourceTokens,
      sourceSize: 1 + random.below(6),
      targetTokens,
      targetSize: 1 + random.below(6),
      hiddenSize,
      numLayers,
      bidirectional,
      cell: pick("gru", "lstm"),
      bias: pick(true, true, false),
      bridge: isCopy ? "copy" : "linear",
      ...!isCopy && { encoderLayers: pick(1, 2), encoderSize: 2 + random.below(6) },
      ...pick(true, false) && { attentionSize: 2 + random.below(9) },
      ...targetTokens && { tied: pick(true, false) },
      dropout: pick(0, 0.3),
    };
    const quantiles = !targetTokens && [3, 5].includes(n % 8) ? QUANTILES : undefined;
    const loss = quantiles && { loss: "quantile" as const, quantiles };
    using model = await createModel(config, { seed: n, simd: "plain", ...loss });
    await sharpened(model);
    using predictor = await createPredictor(model);
    const modules = await everyForm(await modelFile(model));
    assert.deepEqual(modules.map(({ info }) => info.engine), ["WebAssembly", "JavaScript", "WebAssembly"]);
    for (const T of [5, 1, 12, 5]) {
      const x = sourceTokens
        ? Int32Array.from({ length: T }, () => random.below(sourceTokens))
        : normals(random, T * config.sourceSize, 1);
      const context = `${JSON.stringify(config)}, ${T} steps`;
      if (targetTokens) {
        for (const options of SEARCHES) {
          const expected = (await predictor.search(x, options)).map(asGiven);
          for (const { search } of modules) assert.deepEqual(search([...x], options), expected, context);
          seen.add(`ended ${expected[0]!.ended}`);
        }
        const [best] = await predictor.search(x);
        for (const { predict } of modules) assert.deepEqual(predict(x), asGiven(best!), context);
      } else {
        const { targetSize } = config, start = T % 2 ? undefined : normals(random, targetSize, 1);
        const { outputs, attention } = await predictor.forecast(x, { steps: 6, start }), said = rowsOf(outputs);
        const of = (k: number) => said.map((step) => step.filter((_, i) => i % 3 === k));
        const expected = quantiles ? { quantiles: { 0.1: of(0), 0.5: of(1), 0.9: of(2) } } : { values: said };
        for (const { predict, forecast } of modules) {
          for (const ask of [predict, forecast]) {
            assert.deepEqual(ask(x, { steps: 6, start }), { ...expected, attention: rowsOf(attention) }, context);
          }
        }
      }
    }
    for (const name of ["cell", "bridge", "tied", "numLayers", "bidirectional"] as const) {
      seen.add(`${name} ${config[name] ?? false}`);
    }
  }
  for (
    const name of ["cell gru", "cell lstm", "bridge copy", "bridge linear", "tied true", "ended true", "ended false"]
  ) {
    assert.ok(seen.has(name), name);
  }
});

Deno.test("a network of your own with a decoder is a module, layers that sum in another order in batches among them", async () => {
  const network = defineNetwork((layers) => {
    const { tokens, embedding, gru, attention, linear, layerNorm, concat, mean, tanh, decoder } = layers;
    const below = gru("below", layerNorm("norm", embedding("embedding", tokens("x", 9), 5)), { hiddenSize: 6 });
    const { output, state } = gru("gru", below.output, { hiddenSize: 5, bidirectional: true });
    const asked = attention("asked", { query: state, keys: output }).context;
    const begin = tanh(linear("begin", concat([asked, mean(below.output), below.state]), 7));
    const targets = tokens("targets", 9, { axis: "target" });
    return decoder("decoder", { keys: layerNorm("keys", output), state: begin, targets }, {
      hiddenSize: 7,
      embeddingDim: 3,
    }).output;
  });
  using model = await createModel(network, { seed: 3, simd: "plain", loss: "crossEntropy" });
  using predictor = await createPredictor(model);
  for (const { search } of await everyForm(await modelFile(model))) {
    for (const T of [1, 4, 9]) {
      const x = Int32Array.from({ length: T }, (_, t) => (5 * t + 2) % 9), options = { width: 3, maxLength: 5 };
      assert.deepEqual(search(x, options), (await predictor.search(x, options)).map(asGiven));
    }
  }
});

const record = (source: PairRecord["source"], target: PairRecord["target"], n: number): PairRecord => ({
  source,
  target,
  place: `record ${n}`,
});
const MONTHS = ["January", "February", "March", "April", "May", "June"];
const dates = MONTHS.map((month, n) => record(`${month} ${n + 7}, 199${n}`, `199${n}-0${n + 1}-${10 + n}`, n));
const talk = [
  ["Où est (la) gare ?", "where is the (train) station?"],
  ["l'été, c'est bien", "summer, it's fine."],
  ["Ça va bien\u00a0!", "I'm fine!"],
  ["pas mal du tout", "not bad at all"],
].map(([source, target], n) => record(source!, target!, n));
const sounds = [["abc", "EY B IY"], ["bad", "B AE D"], ["dad ", "D AE D"]].map(([a, b], n) => record(a!, b!, n));
const series = (steps: number, size: number, n: number) =>
  Array.from({ length: steps }, (_, t) => Array.from({ length: size }, (_, c) => 1000 + 7 * n + t * (c + 1) / 3));

/** Pairs of every kind. */
const PAIRS: Record<string, [records: readonly PairRecord[], options?: PairOptions, quantiles?: readonly number[]]> = {
  "characters to characters": [dates],
  "characters in lower case, cut off": [dates, { normalize: "lower", maxLength: 5 }],
  "words to words": [talk, { tokens: "words" }],
  "words, many unknown": [talk, { tokens: "words", normalize: "none", vocabSize: 9 }],
  "subwords to subwords": [talk, { tokens: "subwords", vocabSize: 50 }],
  "a joint vocabulary": [talk, { tokens: "subwords", vocabSize: 60, vocabulary: "joint" }],
  "characters to tokens between spaces": [sounds, { sourceTokens: "characters", targetTokens: "spaces" }],
  "numbers to numbers": [[0, 1, 2].map((n) => record(series(4 + n, 2, n), series(3, 1, n), n))],
  "numbers to numbers as they are": [[0, 1, 2].map((n) => record(series(4 + n, 2, n), series(3, 2, n), n)), {
    standardize: false,
  }],
  "numbers to quantiles": [[0, 1, 2].map((n) => record(series(4 + n, 1, n), series(3, 2, n), n)), {}, QUANTILES],
  "numbers to text": [[0, 1, 2].map((n) => record(series(4 + n, 2, n), `rises by ${n}`, n)), { tokens: "words" }],
  "text to numbers": [[0, 1, 2].map((n) => record(`from ${n}`, series(4, 2, n), n)), { tokens: "characters" }],
};

for (const [name, [records, options, quantiles]] of Object.entries(PAIRS)) {
  Deno.test(`modules do what pipelines of pairs do: ${name}`, async () => {
    const pipeline = PairPipeline.fit(records, options), { source, target } = pipeline;
    const [isText, saysText] = [source, target].map(({ unit }) => unit !== "numbers");
    const config: Seq2SeqConfig = {
      task: "seq2seq",
      sourceTokens: isText ? source.size : 0,
      sourceSize: isText ? 5 : source.size,
      targetTokens: saysText ? target.size : 0,
      targetSize: saysText ? 4 : target.size,
      hiddenSize: 7,
    };
    const loss = quantiles && { loss: "quantile" as const, quantiles };
    using model = await createModel(config, { seed: 5, simd: "plain", ...loss });
    await sharpened(model);
    using predictor = await createPredictor(model);
    const file = await modelFile(model, { preprocessing: pipeline.toJSON() });
    for (const { predict, search, start, info } of await everyForm(file)) {
      assert.deepEqual([info.task, info.input, info.output, start], [
        "seq2seq",
        isText ? "text" : "numbers",
        saysText ? "text" : "numbers",
        undefined,
      ]);
      const more = isText ? [record("", undefined, 8), record("ñ\u0301 zzz… (new) Words's 1234 😀", undefined, 9)] : [];
      for (const one of [...records, ...more]) {
        const x = pipeline.sources([one]).data, split = isText ? pipeline.split(one.source) : undefined;
        const own = split && { sourceTokens: split };
        if (saysText) {
          const asked = { width: 3, maxLength: 2 * pipeline.longest }, found = await predictor.search(x, asked);
          const answer = (hypothesis: Hypothesis, known: string[] | null = split ?? null) => {
            const { tokens: _, aligned: _a, sum: logProbability, ...rest } = asGiven(hypothesis);
            const tokens = pipeline.tokens(hypothesis, known ?? undefined);
            return { text: pipeline.text(tokens), logProbability, ...rest, tokens, ...own };
          };
          assert.deepEqual(search(one.source, { width: 3 }), found.map((each) => answer(each)));
          const [greedy] = await predictor.search(x, { ...asked, width: 1 });
          assert.deepEqual(predict(one.source), answer(greedy!));
          if (isText) assert.deepEqual(predict(one.source, { replaceUnknown: false }), answer(greedy!, null));
          const known = "tokens" in target ? target.tokens[2]! : "";
          const prefix = [4 + 2], [begun] = await predictor.search(x, { ...asked, width: 1, prefix });
          assert.deepEqual(predict(one.source, { prefix: [known] }), answer(begun!));
          continue;
        }
        for (const start of [undefined, series(1, target.size, 1)[0]!]) {
          const given = pipeline.start([{ start, place: "" }]);
          const { outputs, attention } = await predictor.forecast(x, { steps: 3, start: given });
          const steps = "values" in target ? target.values(outputs.data, quantiles?.length) : [];
          const of = (k: number) => steps.map((step) => step.filter((_, i) => i % 3 === k));
          const said = quantiles ? { quantiles: { 0.1: of(0), 0.5: of(1), 0.9: of(2) } } : { values: steps };
          const expected = { ...said, attention: rowsOf(attention), ...own };
          assert.deepEqual(predict(one.source, { steps: 3, start }), expected);
          if (pipeline.longest === 3) assert.deepEqual(predict(one.source, start && { start }), expected);
        }
      }
    }
  });
}

/** What is wrong with a source or an option: the field, and the words. */
const BAD: Record<string, [source: unknown, options: unknown, field: string, words: RegExp][]> = {
  "characters to characters": [
    [7, {}, "x", /there must be a text, got number/],
    ["May", { width: 0 }, "width", /width must be an integer from 1 to 1024, got 0/],
    ["May", { width: 1.5 }, "width", /an integer/],
    ["May", { width: "2" }, "width", /an integer/],
    ["May", { width: 100 }, "width", /at most/],
    ["May", { width: 2, nBest: 3 }, "nBest", /at most width, 2/],
    ["May", { minLength: 9, maxLength: 9 }, "minLength", /below maxLength, 9/],
    ["May", { lengthPenalty: NaN }, "lengthPenalty", /a number from 0 to 10/],
    ["May", { beam: 3 }, "beam", /there is no option "beam"/],
    ["May", { prefix: ["1", "Q"] }, "prefix", /tokens that answers have, got "Q"/],
    ["May", { prefix: "19" }, "prefix", /a list of tokens/],
    ["May", { prefix: ["1", "9"], maxLength: 2 }, "prefix", /shorter than maxLength/],
  ],
  "numbers to numbers": [
    ["text", {}, "x", /a list of steps/],
    [[], {}, "x", /steps of 2 numbers/],
    [[[1, 2, 3]], {}, "x", /step 1 must have 2 numbers, got 3/],
    [[[1, 2], [1, null]], {}, "x", /finite numbers, got NaN in step 2/],
    [[[1, 2]], { steps: 0 }, "steps", /an integer from 1, got 0/],
    [[[1, 2]], { start: [1, 2] }, "start", /start/],
  ],
};

Deno.test("a module of pairs says what is wrong with what it is given", async () => {
  for (const [name, bad] of Object.entries(BAD)) {
    const [records, options] = PAIRS[name]!,
      pipeline = PairPipeline.fit(records, options),
      { source, target } = pipeline;
    const isText = source.unit !== "numbers", tokens = (n: number) => isText ? n : 0;
    const sizes = { sourceTokens: tokens(source.size), targetTokens: tokens(target.size), hiddenSize: 5 };
    const [sourceSize, targetSize] = isText ? [4, 4] : [source.size, target.size];
    using model = await createModel({ task: "seq2seq", sourceSize, targetSize, ...sizes }, { simd: "plain" });
    const { predict, search, forecast } = await moduleOf(await modelFile(model, { preprocessing: pipeline.toJSON() }));
    for (const [given, options, field, words] of bad) {
      assert.throws(() => (search ?? forecast)(given, options), (error: Error & { field?: string }) => {
        assert.match(error.message, /^Cannot predict: /);
        assert.match(error.message, words);
        assert.equal(error.field, field);
        return error instanceof RangeError || error instanceof TypeError;
      }, `${name}: ${JSON.stringify([given, options])}`);
    }
    predict(records[0]!.source);
  }
});

Deno.test("what of pairs cannot be a module is refused, and pieces for them are in no other module", async () => {
  const decoding = (after: boolean) =>
    defineNetwork(({ tokens, embedding, gru, decoder, linear }) => {
      const { output: keys, state } = gru("gru", embedding("embedding", tokens("x", 9), 4), { hiddenSize: 5 });
      const targets = tokens("targets", 9, { axis: "target" });
      const { output } = decoder("decoder", { keys, state, targets }, { hiddenSize: 5, embeddingDim: 4 });
      return after ? linear("after", output, 9) : output;
    });
  using after = await createModel(decoding(true), { loss: "crossEntropy" });
  await assert.rejects(moduleOf(await modelFile(after)), /is not what the decoder "decoder" puts out/);
  using model = await createModel(decoding(false), { loss: "crossEntropy" });
  const file = await modelFile(model), pipeline = PairPipeline.fit(dates).toJSON();
  await assert.rejects(moduleOf({ ...file, preprocessing: pipeline }), /the model takes 9: it is from another file/);
  await assert.rejects(moduleOf({ ...file, preprocessing: { kind: "sequences" } }), /not for pairs/);
  using other = await createModel({ inputSize: 5, hiddenSize: 5, outputSize: 2, loss: "bce" });
  const own = await modelFile(other),
    text = async (file: ModelFile) =>
      new TextDecoder().decode((await exportModule(file, { wasm: "none" }))["model.js"]);
  await assert.rejects(moduleOf({ ...own, preprocessing: pipeline }), /for pairs, the model has no decoder/);
  assert.match(await text(file), /noRepeat/);
  assert.doesNotMatch(await text(own), /noRepeat|decoder/);
});

Deno.test("types of modules of pairs are what they give", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const lines: string[] = [];
    const names = { dates: "characters to characters", series: "numbers to quantiles", plain: undefined };
    for (const [name, pairs] of Object.entries(names)) {
      const [records, options, quantiles] = pairs ? PAIRS[pairs]! : [dates];
      const pipeline = PairPipeline.fit(records, options),
        { source, target } = pipeline,
        isText = source.unit !== "numbers";
      const sizes = isText
        ? { sourceTokens: source.size, sourceSize: 4, targetTokens: target.size, targetSize: 4 }
        : { sourceSize: source.size, targetSize: target.size };
      const loss = quantiles && { loss: "quantile" as const, quantiles };
      using model = await createModel({ task: "seq2seq", hiddenSize: 5, ...sizes }, { simd: "plain", ...loss });
      const file = await modelFile(model, pairs ? { preprocessing: pipeline.toJSON() } : {});
      for (const [path, bytes] of Object.entries(await exportModule(file, { name }))) {
        await Deno.writeFile(`${folder}/${path}`, bytes);
      }
      lines.push(`// @deno-types="./${name}.d.ts"`, `import * as ${name} from "./${name}.js";`);
    }
    lines.push(
      `const { text, logProbability, tokens, attention, sourceTokens, ended } = dates.predict("May 3, 1999");`,
      `const all: [string, number, string[], number[][], string[], boolean] = [text, logProbability, tokens, attention, `,
      `  sourceTokens, ended];`,
      `const best: dates.Prediction[] = dates.search("May", { width: 3, prefix: ["1"], replaceUnknown: false });`,
      `const low: number[][] = series.predict([[1], [2]]).quantiles["0.1"], next = series.forecast([1, 2], { steps: 3 });`,
      `const found: number[] = plain.search([4, 5, 6], { width: 2 })[0]!.tokens, sum: number = plain.predict([4]).sum;`,
      `// @ts-expect-error`,
      `const refused = () => dates.predict("May", { beam: 3 });`,
      `console.log(all, best, low, next, found, sum, dates.info.engine, refused);`,
    );
    await Deno.writeTextFile(`${folder}/main.ts`, lines.join("\n"));
    const args = ["check", "--no-lock", "main.ts"];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: folder }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const run = await new Deno.Command(Deno.execPath(), { args: ["run", "--no-check", "main.ts"], cwd: folder })
      .output();
    assert.equal(run.code, 0, new TextDecoder().decode(run.stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
