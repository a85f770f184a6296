/**
 * Encoders and decoders against what PyTorch computes: tests/testdata/seq2seq, whose form is that of the golden fixtures.
 */

import assert from "node:assert/strict";
import { defineNetwork, type Layers, type RowValue, type StepValue } from "../../core/model/define.ts";
import { createModel, type NetworkModel, type Sequences, type Targets } from "../../core/model/model.ts";
import type { Network } from "../../core/model/network.ts";
import { modelFile } from "../../core/exchange/model_file.ts";
import { exportOnnx } from "../../core/exchange/onnx.ts";
import { exportSeq2SeqOnnx } from "../../core/exchange/onnx_seq2seq.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import { END, PAD, START } from "../../core/model/layers/decoder_options.ts";
import { createSearcher, type Hypothesis, type SearchOptions } from "../../core/model/search.ts";
import { Random } from "../../core/random.ts";
import { createTrainer } from "../../core/train/trainer.ts";
import { normals } from "../batches.ts";
import { assertClose } from "../close.ts";
import { DEVICES as COMMON, type TestDevice } from "../devices.ts";
import { named, numbers, type StoredTensor, type StoredTensors } from "../golden.ts";

interface Side {
  readonly tokens?: number;
  readonly size: number;
}

interface Config {
  readonly source: Side;
  readonly target: Side;
  readonly encoder: { readonly hidden: number; readonly layers: number; readonly bidirectional: boolean };
  readonly decoder: { readonly hidden: number; readonly layers: number };
  readonly bridge: "linear" | "copy";
  readonly attention_size: number | null;
  readonly bias: boolean;
  readonly tied: boolean;
  readonly shape: readonly [B: number, S: number, T: number];
  readonly label_smoothing: number;
}

interface Case {
  readonly config: Config;
  readonly params: StoredTensors;
  readonly inputs: StoredTensors;
  readonly float64: { outputs: StoredTensors; param_grads: StoredTensors; input_grads: StoredTensors };
  readonly float32_error: Record<string, { max_abs_error: number; max_abs_value: number }>;
}

const WIDE: TestDevice = { name: "wide SIMD on 4 threads", options: { simd: "wide", threads: 4 }, ignore: false };
const DEVICES = [...COMMON, WIDE];

const FOLDER = new URL("../testdata/seq2seq/", import.meta.url);

function read<T>(prefix: string): { name: string; read: () => T }[] {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.startsWith(prefix)).sort();
  assert.ok(names.length > 0);
  return names.map((name) => ({
    name: name.slice(prefix.length, -".json".length),
    read: () => JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))),
  }));
}

const floats = (tensor: StoredTensor) => Float32Array.from(numbers(tensor));
const integers = (tensor: StoredTensor) => Int32Array.from(numbers(tensor));

/** The network of a configuration, under the names that the README of the fixtures gives. */
function networkOf({ source, target, encoder, decoder: { hidden, layers }, ...config }: Config): Network {
  return defineNetwork(({ tokens, numbers, vector, embedding, dropout, gru, linear, tanh, decoder }) => {
    const x = source.tokens === undefined
      ? numbers("source", source.size)
      : dropout(embedding("encoder.embedding", tokens("source", source.tokens), source.size), 0, "dropout");
    const { output: keys, state, hidden: ends } = gru("encoder.gru", x, {
      hiddenSize: encoder.hidden,
      numLayers: encoder.layers,
      bidirectional: encoder.bidirectional,
      bias: config.bias,
    });
    const axis = "target", ofTokens = target.tokens !== undefined;
    const targets = ofTokens ? tokens("targets", target.tokens!, { axis }) : numbers("targets", target.size, { axis });
    const { output, weights, context, state: states } = decoder("decoder", {
      keys,
      state: config.bridge === "copy" ? ends : tanh(linear("bridge", state, layers * hidden)),
      targets,
      ...!ofTokens && { start: vector("start", target.size) },
    }, {
      hiddenSize: hidden,
      numLayers: layers,
      bias: config.bias,
      tied: config.tied,
      ...ofTokens && { embeddingDim: target.size },
      ...config.attention_size !== null && { attentionSize: config.attention_size },
    });
    return { outputs: output, attn_weights: weights, context, dec_out: states, enc_out: keys, enc_h_n: ends };
  });
}

/** A stored batch as the public face takes it. */
function batchOf({ source, target, shape: [B, S, U] }: Config, inputs: StoredTensors) {
  const values = (side: Side, tensor: StoredTensor) => side.tokens === undefined ? floats(tensor) : integers(tensor);
  const sequences: Sequences = {
    x: values(source, inputs.source!),
    shape: [B, S, source.tokens === undefined ? source.size : 1],
    ...inputs.lengths && { lengths: integers(inputs.lengths) },
    axes: { target: { steps: U, ...inputs.target_lengths && { lengths: integers(inputs.target_lengths) } } },
    inputs: {
      targets: values(target, inputs.targets!),
      ...inputs.start && { start: floats(inputs.start) },
      ...inputs.teacher && { "decoder.teacher": floats(inputs.teacher) },
    },
  };
  const masks = { source: "dropout.mask", target: "decoder.targetMask", readout: "decoder.readoutMask" };
  const given = Object.entries(masks).filter(([name]) => inputs[`dropout_${name}`]).map(([name, full]) =>
    [full, floats(inputs[`dropout_${name}`]!)] as const
  );
  const targets: Targets = values(target, inputs.targets!);
  return { sequences, targets, dropoutMasks: given.length ? Object.fromEntries(given) : undefined };
}

function lossOf({ target, label_smoothing: labelSmoothing }: Config) {
  return target.tokens === undefined ? { loss: "mse" as const } : { loss: "crossEntropy" as const, labelSmoothing };
}

async function modelOf(config: Config, params: StoredTensors, options: object): Promise<NetworkModel> {
  const model = await createModel(networkOf(config), options);
  await model.loadStateDict(named(params));
  return model;
}

/** The numbers of valid steps. */
function valid(data: ArrayLike<number>, { shape: [B, , U] }: Config, lengths: Int32Array | undefined): Float64Array {
  const size = data.length / B / U;
  return Float64Array.from(data).filter((_, i) =>
    Math.floor(i / size) % U < (lengths?.[Math.floor(i / size / U)] ?? U)
  );
}

const STEPS = ["outputs", "attn_weights", "context", "dec_out"];

for (const device of DEVICES) {
  for (const { name, read: open } of read<Case>("seq2seq-cases-")) {
    Deno.test({
      name: `an encoder and decoder are PyTorch's: ${name}, ${device.name}`,
      ignore: device.ignore,
      async fn() {
        const { config, params, inputs: stored, float64, float32_error } = open();
        using model = await modelOf(config, params, device.options);
        const { sequences, targets, dropoutMasks } = batchOf(config, stored);
        const found = await model.gradients(sequences, { outputs: targets }, {
          losses: { outputs: lossOf(config) },
          dropoutMasks,
        });
        const { values } = found.outputs, lengths = sequences.axes!.target!.lengths;
        const check = (full: string, actual: ArrayLike<number>, expected: StoredTensor) => {
          const { max_abs_error, max_abs_value } = float32_error[full]!, cut = STEPS.includes(full.split(".")[1]!);
          const numbersOf = (data: ArrayLike<number>) =>
            cut && full.startsWith("outputs") ? valid(data, config, lengths) : data;
          const allowed = 8 * max_abs_error + 2e-6 * max_abs_value + 1e-9;
          assertClose(numbersOf(actual), numbersOf(numbers(expected)), allowed, full);
        };
        check("outputs.loss", [found.loss], float64.outputs.loss!);
        for (const port of [...STEPS, "enc_out", "enc_h_n"]) {
          check(`outputs.${port}`, values[port]!.data, float64.outputs[port]!);
        }
        for (const [parameter, expected] of Object.entries(float64.param_grads)) {
          check(`param_grads.${parameter}`, found.parameters[parameter]!.data, expected);
        }
        assert.deepEqual(Object.keys(found.parameters).sort(), Object.keys(float64.param_grads).sort());
        for (const input of ["source", "start"]) {
          const expected = float64.input_grads[input];
          if (expected) check(`input_grads.${input}`, found.inputs[input]!.data, expected);
        }
      },
    });
  }
}

interface Trajectory {
  readonly config: Config & { readonly optimizer: { lr: number }; readonly clip_norm: number };
  readonly params: StoredTensors;
  readonly batches: readonly StoredTensors[];
  readonly float64: { losses: number[]; grad_norms: number[]; steps: Record<string, { params: StoredTensors }> };
  readonly float32_error: Record<string, number>;
}

for (const device of DEVICES) {
  for (const { name, read: open } of read<Trajectory>("seq2seq-trajectories-")) {
    Deno.test({
      name: `30 steps of Adam are PyTorch's: ${name}, ${device.name}`,
      ignore: device.ignore,
      async fn() {
        const { config, params, batches, float64, float32_error } = open();
        using model = await modelOf(config, params, device.options);
        const trainer = createTrainer(model, {
          losses: { outputs: lossOf(config) },
          optimizer: { name: "adam", learningRate: config.optimizer.lr },
          clipNorm: config.clip_norm,
        });
        for (let k = 0; k < float64.losses.length; k++) {
          const { sequences, targets } = batchOf(config, batches[k % batches.length]!), expected = float64.losses[k]!;
          const { loss, gradNorm } = await trainer.step(sequences, { outputs: targets });
          assertClose([loss], [expected], 1e-5 * Math.max(1, expected), `loss before step ${k + 1}`);
          assertClose([gradNorm], [float64.grad_norms[k]!], 1e-4 * float64.grad_norms[k]!, `norm in step ${k + 1}`);
          const after = float64.steps[k + 1];
          if (!after) continue;
          const found = await model.stateDict(), allowed = 10 * float32_error[k + 1]! + 2e-6;
          for (const [parameter, stored] of Object.entries(after.params)) {
            assertClose(found[parameter]!.data, numbers(stored), allowed, `${parameter} after ${k + 1} steps`);
          }
        }
      },
    });
  }
}

/** A batch of random lengths. */
function randomBatch(random: Random, { B, S, U, V }: { B: number; S: number; U: number; V: number }) {
  const tokens = (n: number, first: number) => Int32Array.from({ length: n }, () => first + random.below(V - first));
  const lengths = (most: number) => Int32Array.from({ length: B }, () => 1 + random.below(most));
  const targets = tokens(B * U, 3), axes = { target: { steps: U, lengths: lengths(U) } };
  return { sequences: { x: tokens(B * S, 1), shape: [B, S, 1], lengths: lengths(S), axes }, targets };
}

Deno.test("a decoder has the same bits on any number of threads, in all of its blocks", async () => {
  const V = 11, sizes = { B: 80, S: 9, U: 7, V }, random = new Random(5, "data");
  const network = defineNetwork(({ tokens, embedding, gru, decoder }) => {
    const { output: keys, state } = gru("gru", embedding("embedding", tokens("x", V), 40), { hiddenSize: 64 });
    const targets = tokens("y", V, { axis: "target" });
    return decoder("decoder", { keys, state, targets }, { hiddenSize: 64, embeddingDim: 24, dropout: 0.2 }).output;
  });
  const batches = Array.from({ length: 3 }, () => randomBatch(random, sizes));
  const teacher = normals(random, sizes.B * sizes.U).map((x) => Number(x > 0));
  for (const simd of ["plain", "relaxed"] as const) {
    const found = await Promise.all([1, 2, 3].map(async (threads) => {
      using model = await createModel(network, { threads, simd, loss: "crossEntropy", seed: 3 });
      const trainer = createTrainer(model, { optimizer: { name: "adam" } }), losses: number[] = [];
      for (const { sequences, targets } of batches) {
        const inputs = { y: targets, "decoder.teacher": teacher };
        losses.push((await trainer.step({ ...sequences, inputs }, targets)).loss);
      }
      return { losses, parameters: await model.stateDict() };
    }));
    assert.deepEqual(found[1], found[0]);
    assert.deepEqual(found[2], found[0]);
  }
});

Deno.test("a tied weight may be listed twice, if it is the same", async () => {
  const { config, params } = read<Case>("seq2seq-cases-tied")[0]!.read(), dict = named(params);
  using model = await createModel(networkOf(config));
  await model.loadStateDict(dict);
  const { "fc.weight": tied, ...once } = dict, { shape, data } = tied!;
  assert.deepEqual(await model.stateDict(), once);
  await model.loadStateDict(once);
  const other = { ...dict, "fc.weight": { shape, data: data.map((x) => x + 1) } };
  await assert.rejects(model.loadStateDict(other), /"fc.weight" must be the same as "decoder.embedding.weight"/);
});

/** A decoder of numbers with a batch for it. */
function ofNumbers(random: Random, { B, S, U }: { B: number; S: number; U: number }) {
  const network = defineNetwork(({ numbers, gru, last, decoder }) => {
    const x = numbers("x", 2), { output: keys, state } = gru("gru", x, { hiddenSize: 5 });
    const targets = numbers("y", 2, { axis: "target" });
    return decoder("decoder", { keys, state, targets, start: last(x) }, { hiddenSize: 5 }).output;
  });
  const x = normals(random, B * S * 2), y = normals(random, B * U * 2), teacher = new Float32Array(B * U);
  return { network, x, y, teacher, shape: [B, S, 2] };
}

Deno.test("neither what is behind a length nor what stood in the memory matters to a decoder", async () => {
  const B = 3, S = 4, U = 5, { network, x, y, teacher, shape } = ofNumbers(new Random(6, "data"), { B, S, U });
  using model = await createModel(network, { loss: "mse", simd: "plain" });
  const [own, target] = [Int32Array.of(4, 1, 2), Int32Array.of(2, 5, 1)];
  const spoilt = (data: Float32Array, lengths: Int32Array, T: number) => {
    const each = data.length / B / T;
    return data.map((v, i) => Math.floor(i / each) % T < lengths[Math.floor(i / each / T)]! ? v : NaN);
  };
  const gradients = (x: Float32Array, y: Float32Array) => {
    const inputs = { y, "decoder.teacher": teacher.map((_, i) => i % 2) };
    const axes = { target: { steps: U, lengths: target } };
    return model.gradients({ x, shape, lengths: own, axes, inputs }, y);
  };
  const found = await gradients(x, y);
  assert.ok(Object.values(found.parameters).every(({ data }) => data.every(Number.isFinite)));
  assert.ok(Number.isNaN((await gradients(x.map(() => NaN), y.map(() => NaN))).loss));
  assert.deepEqual(await gradients(spoilt(x, own, S), spoilt(y, target, U)), found);
});

Deno.test("a sequence that has ended is not fed numbers that grow without bounds", async () => {
  const B = 2, U = 150, { network, x, y, teacher, shape } = ofNumbers(new Random(6, "data"), { B, S: 3, U });
  using model = await createModel(network, { loss: "mse", simd: "plain" });
  const dict = await model.stateDict();
  await model.loadStateDict({ ...dict, "fc.weight": { shape: [2, 12], data: new Float32Array(24).fill(5) } });
  // The first ends at once, and would go on with its own output; the second is told what was wanted.
  const inputs = { y, "decoder.teacher": teacher.map((_, i) => Number(i >= U)) };
  const axes = { target: { steps: U, lengths: Int32Array.of(1, U) } };
  const { loss, parameters } = await model.gradients({ x, shape, axes, inputs }, y);
  assert.ok(Number.isFinite(loss));
  for (const [name, { data }] of Object.entries(parameters)) assert.ok(data.every(Number.isFinite), name);
});

/** The loss along a direction through the parameters and inputs, by differences, beside what the gradients say. */
Deno.test("an LSTM decoder's gradients are its loss's slopes", async () => {
  const random = new Random(8, "data"), B = 5, S = 4, U = 6, O = 2, H = 5;
  const network = defineNetwork(({ numbers, vector, lstm, decoder, linear }) => {
    const { output: keys, hidden: state, cell } = lstm("lstm", numbers("x", 3), { hiddenSize: H, numLayers: 2 });
    const targets = numbers("y", O, { axis: "target" }), start = vector("start", O);
    const options = { hiddenSize: H, numLayers: 2, cell: "lstm" as const, attentionSize: 7 };
    const made = decoder("decoder", { keys, state, cell, targets, start }, options);
    const { output, state: top, states, context } = made;
    return { output, more: linear("more", top, 2), found: linear("found", context, 3), all: linear("all", states, 2) };
  });
  using model = await createModel(network, { seed: 1, simd: "plain" });
  const teacher = Float32Array.from({ length: B * U }, (_, i) => i % 3 ? 0 : 1), target = normals(random, B * U * O);
  const mask = (n: number) => Float32Array.from({ length: n }, () => random.below(4) ? 4 / 3 : 0);
  const dropoutMasks = { "decoder.readoutMask": mask(B * U * (2 * H + O)) };
  const targets = {
    output: target,
    more: normals(random, B * U * 2),
    found: normals(random, B * U * 3),
    all: normals(random, B * U * 2),
  };
  const mse = { loss: "mse" as const }, losses = { output: mse, more: mse, found: mse, all: mse };
  const x = normals(random, B * S * 3), start = normals(random, B * O), initial = await model.stateDict();
  const axes = { target: { steps: U, lengths: Int32Array.of(6, 1, 3, 5, 2) } };
  const directions = new Map<string, Float32Array>();
  for (const [name, { data }] of Object.entries(initial)) directions.set(name, normals(random, data.length));
  directions.set("x", normals(random, x.length)).set("start", normals(random, start.length));
  const moved = (name: string, data: Float32Array, by: number) =>
    data.map((v, i) => v + by * directions.get(name)![i]!);
  const at = async (by: number) => {
    const dict = Object.entries(initial).map((
      [name, { shape, data }],
    ) => [name, { shape, data: moved(name, data, by) }]);
    await model.loadStateDict(Object.fromEntries(dict));
    const inputs = { y: target, start: moved("start", start, by), "decoder.teacher": teacher };
    const sequences = { x: moved("x", x, by), shape: [B, S, 3], lengths: Int32Array.of(4, 2, 3, 1, 4), axes, inputs };
    return await model.gradients(sequences, targets, { losses, dropoutMasks });
  };
  const { parameters, inputs } = await at(0), step = 1e-2;
  const [above, below] = [await at(step), await at(-step)];
  let slope = 0;
  for (const [name, { data }] of Object.entries({ ...parameters, x: inputs.x!, start: inputs.start! })) {
    data.forEach((d, i) => slope += d * directions.get(name)![i]!);
  }
  assertClose([(above.loss - below.loss) / 2 / step], [slope], 2e-3 * Math.abs(slope), "slope");
});

Deno.test("a decoder and its axis are refused in words where they do not fit", async () => {
  const build = (use: (layers: Layers, keys: StepValue, state: RowValue) => unknown) => () =>
    defineNetwork((layers) => {
      const { output, state } = layers.gru("gru", layers.numbers("x", 3), { hiddenSize: 4 });
      return use(layers, output, state) as StepValue;
    });
  const options = { hiddenSize: 4, embeddingDim: 3 }, axis = "target";
  const refused: [RegExp, ReturnType<typeof build>][] = [
    [
      /"decoder".*embeddingDim/,
      build(({ decoder, tokens }, keys, state) =>
        decoder("decoder", { keys, state, targets: tokens("y", 9, { axis }) }, { hiddenSize: 4 }).output
      ),
    ],
    [
      /"decoder".*4 or more.*got 3/,
      build(({ decoder, tokens }, keys, state) =>
        decoder("decoder", { keys, state, targets: tokens("y", 3, { axis }) }, options).output
      ),
    ],
    [
      /"decoder".*"state" must have.*8 numbers, got 4/,
      build(({ decoder, tokens }, keys, state) =>
        decoder("decoder", { keys, state, targets: tokens("y", 9, { axis }) }, { ...options, numLayers: 2 }).output
      ),
    ],
    [
      /"decoder".*"start" is missing/,
      build(({ decoder, numbers }, keys, state) =>
        decoder("decoder", { keys, state, targets: numbers("y", 2, { axis }) }, { hiddenSize: 4 }).output
      ),
    ],
    [
      /"both".*"0" is along time.*"1" is along the axis "target"/,
      build(({ concat, numbers }, keys) => concat([keys, numbers("y", 2, { axis })], "both")),
    ],
    [
      /"fc.weight" is another layer's too/,
      build(({ decoder, tokens, linear }, keys, state) => ({
        a: decoder("decoder", { keys, state, targets: tokens("y", 9, { axis }) }, options).output,
        b: linear("fc", state, 2),
      })),
    ],
  ];
  for (const [message, make] of refused) assert.throws(make, message);
  const network = build(({ decoder, tokens }, keys, state) =>
    decoder("decoder", { keys, state, targets: tokens("y", 9, { axis }) }, options).output
  )();
  using model = await createModel(network, { loss: "crossEntropy" });
  const good = {
    x: new Float32Array(6),
    shape: [1, 2, 3],
    inputs: { y: Int32Array.of(3) },
    axes: { target: { steps: 1 } },
  };
  assert.deepEqual((await model.forward(good)).values.output!.shape, [1, 1, 9]);
  const bad: [RegExp, object][] = [
    [/axes.target must be/, { axes: {} }],
    [/axes.target must be/, { axes: { target: { steps: 0 } } }],
    [/axes has "other"/, { axes: { ...good.axes, other: { steps: 1 } } }],
    [/axes.target.lengths must be from 1 to 1, got 2/, { axes: { target: { steps: 1, lengths: Int32Array.of(2) } } }],
    [/tokens must be from 0 to 8, got 9/, { inputs: { y: Int32Array.of(9) } }],
    [/inputs\["decoder.teacher"\] must have 1 numbers, got 2/, {
      inputs: { ...good.inputs, "decoder.teacher": new Float32Array(2) },
    }],
  ];
  for (const [message, change] of bad) await assert.rejects(model.forward({ ...good, ...change }), message);
  using predictor = await createPredictor(model);
  assert.throws(
    () => predictor.predict(Int32Array.of(2)),
    /what a decoder says is searched for, step by step: call search/,
  );
  const file = await modelFile(model, { loss: "crossEntropy" });
  assert.throws(() => exportOnnx(file), /the layer "y" is along a second time axis/);
});

interface Searches {
  readonly config: Config & { readonly max_length: number };
  readonly params: StoredTensors;
  readonly examples: readonly {
    readonly source: readonly number[];
    readonly greedy: Found & { readonly attention: StoredTensor };
    readonly beams: readonly { readonly width: number; readonly alpha: number; readonly results: readonly Found[] }[];
  }[];
}

interface Found {
  readonly tokens: readonly number[];
  readonly ended: boolean;
  readonly sum: number;
  readonly score?: number;
}

/** Sequences of tokens as a batch. */
function padded(sources: readonly (readonly number[])[]): Sequences {
  const T = Math.max(...sources.map(({ length }) => length)), x = new Int32Array(sources.length * T);
  sources.forEach((source, b) => x.set(source, b * T));
  return { x, shape: [sources.length, T, 1], lengths: Int32Array.from(sources, ({ length }) => length) };
}

function assertFound({ tokens, ended, sum, score }: Hypothesis, expected: Found, about: string) {
  assert.deepEqual([tokens, ended], [expected.tokens, expected.ended], about);
  assertClose([sum, score], [expected.sum, expected.score ?? expected.sum], 1e-4, about);
}

for (const device of DEVICES) {
  for (const { name, read: open } of read<Searches>("seq2seq-searches-")) {
    Deno.test({
      name: `searches find what PyTorch finds: ${name}, ${device.name}`,
      ignore: device.ignore,
      async fn() {
        const { config, params, examples } = open(), { max_length: maxLength } = config;
        using model = await modelOf(config, params, device.options);
        using searcher = await createSearcher(model);
        const sequences = padded(examples.map(({ source }) => source));
        const greedy = await searcher.search(sequences, { maxLength });
        examples.forEach((example, i) => {
          const [found, ...others] = greedy[i]!, { attention } = found!;
          assert.equal(others.length, 0);
          assertFound(found!, example.greedy, `greedy, ${i}`);
          assert.deepEqual(attention.shape, example.greedy.attention.shape);
          const expected = numbers(example.greedy.attention), T = example.source.length;
          assertClose(attention.data, expected, 1e-5, `attention, ${i}`);
          const most = (row: Float64Array) => row.indexOf(Math.max(...row));
          const rows = example.greedy.tokens.map((_, u) => most(expected.subarray(u * T, (u + 1) * T)));
          assert.deepEqual(found!.aligned, rows);
        });
        for (const [b, { width, alpha: lengthPenalty }] of examples[0]!.beams.entries()) {
          const found = await searcher.search(sequences, { maxLength, width, lengthPenalty });
          examples.forEach(({ beams }, i) => {
            const { results } = beams[b]!;
            assert.equal(found[i]!.length, results.length);
            results.forEach((result, k) =>
              assertFound(found[i]![k]!, result, `width ${width}, α ${lengthPenalty}, ${i}, ${k}`)
            );
          });
        }
      },
    });
  }
}

Deno.test("a sequence has the same answers by itself and in a batch, of the least length or more", async () => {
  const { config, params, examples } = read<Searches>("seq2seq-searches-")[0]!.read(), random = new Random(4, "data");
  using model = await modelOf(config, params, { simd: "relaxed" });
  using searcher = await createSearcher(model);
  const V = config.source.tokens!,
    draw = () => Array.from({ length: 1 + random.below(9) }, () => 1 + random.below(V - 1));
  const sources = [...examples.map(({ source }) => source), ...Array.from({ length: 60 }, draw)];
  for (const options of [{ maxLength: 12 }, { maxLength: 9, width: 4, lengthPenalty: 0.7, minLength: 7 }]) {
    const all = await searcher.search(padded(sources), options);
    for (const i of [0, 5, 11, 30, 71]) {
      assert.deepEqual(await searcher.search(padded([sources[i]!]), options), [all[i]], `sequence ${i}`);
    }
    for (const { tokens, ended, attention } of all.flat()) {
      assert.ok(!tokens.includes(PAD) && !tokens.includes(START) && !tokens.includes(END));
      assert.ok(tokens.length >= (options.minLength ?? 0) && attention.shape[0] === tokens.length + Number(ended));
    }
  }
  await assert.rejects(searcher.search(padded(sources), { width: 1000 }), /width must be at most/);
  await assert.rejects(searcher.search(padded(sources), { maxLength: 3, minLength: 3 }), /minLength must be below/);
  for (const prefix of [null, "ab", 4, [[4], 5]]) {
    const options = { prefix } as unknown as SearchOptions;
    await assert.rejects(searcher.search(padded([[4], [5]]), options), /prefix must be a list/);
  }
  await assert.rejects(searcher.search(null as never), /sequences must be an object with x, shape, got null/);
  await assert.rejects(searcher.search(padded(sources), null as never), /options must be an object, got null/);
});

Deno.test("searching goes through LSTMs of several layers as running free does", async () => {
  const V = 9, B = 6, U = 8, random = new Random(2, "data");
  const network = defineNetwork(({ tokens, embedding, lstm, decoder }) => {
    const x = embedding("embedding", tokens("x", V), 5), encoded = { hiddenSize: 6, numLayers: 2 };
    const { output: keys, hidden: state, cell } = lstm("lstm", x, encoded),
      targets = tokens("y", V, { axis: "target" });
    return decoder("decoder", { keys, state, cell, targets }, { ...encoded, cell: "lstm", embeddingDim: 4 }).output;
  });
  using model = await createModel(network, { seed: 7, simd: "plain" });
  // Weights that are larger decide more.
  const dict = Object.entries(await model.stateDict());
  await model.loadStateDict(
    Object.fromEntries(dict.map(([n, { shape, data }]) => [n, { shape, data: data.map((w) => 4 * w) }])),
  );
  using searcher = await createSearcher(model);
  const sources = Array.from(
    { length: B },
    () => Array.from({ length: 1 + random.below(5) }, () => 1 + random.below(V - 1)),
  );
  const answers = await searcher.search(padded(sources), { maxLength: U });
  const inputs = { y: new Int32Array(B * U), "decoder.teacher": new Float32Array(B * U) };
  const { values } = await model.forward({ ...padded(sources), axes: { target: { steps: U } }, inputs });
  let different = 0;
  answers.forEach(([answer], b) => {
    const said = Array.from({ length: U }, (_, u) => {
      const at = (b * U + u) * V, row = [...values.output!.data.subarray(at, at + V)];
      return row.map((x, v) => [x, v] as const).filter(([, v]) => v !== PAD && v !== START).sort((a, b) =>
        b[0] - a[0]
      )[0]![1];
    });
    const end = said.indexOf(END);
    assert.deepEqual(answer!.tokens, end < 0 ? said : said.slice(0, end), `sequence ${b}`);
    different += new Set(answer!.tokens).size;
  });
  assert.ok(different > B, "the answers say little");
});

Deno.test("what the attention makes of the keys may be given to a decoder, which is then not trained", async () => {
  const V = 9, [B, T, U, D, A, H] = [5, 7, 4, 6, 3, 10], random = new Random(3, "data");
  const networkOf = (given: boolean, size = A, shift = false): Network => ({
    layers: [
      { type: "numbers", name: "x", options: { size: D } },
      { type: "vector", name: "state", options: { size: H } },
      { type: "tokens", name: "y", options: { size: V, axis: "target" } },
      ...given ? [{ type: "numbers", name: "made", options: { size } }] : [],
      {
        type: "decoder",
        name: "decoder",
        inputs: {
          keys: "x.output",
          state: "state.output",
          targets: "y.output",
          ...given && { answers: "made.output" },
        },
        options: { hiddenSize: H, attentionSize: A, embeddingDim: 5, shift },
      },
    ],
    outputs: { output: "decoder.output" },
  });
  using plain = await createModel(networkOf(false), { seed: 5, loss: "crossEntropy" });
  using given = await createModel(networkOf(true), { seed: 5, loss: "crossEntropy" });
  const dict = await plain.stateDict(), attn = dict["attention.attn.weight"]!.data;
  await given.loadStateDict(dict);
  const lengths = Int32Array.of(7, 3, 1, 5, 2), x = normals(random, B * T * D), state = normals(random, B * H);
  const y = Int32Array.from({ length: B * U }, () => random.below(V)), made = new Float32Array(B * T * A);
  for (let row = 0; row < B * T; row++) {
    for (let a = 0; a < A; a++) {
      for (let d = 0; d < D; d++) made[row * A + a]! += attn[a * (H + D) + H + d]! * x[row * D + d]!;
    }
  }
  const batch = { x, shape: [B, T, D], lengths, axes: { target: { steps: U } }, inputs: { state, y } };
  const whole = { ...batch, inputs: { ...batch.inputs, made } };
  const [one, other] = [(await plain.forward(batch)).values, (await given.forward(whole)).values];
  for (const name of ["output", "decoder.weights"]) assertClose(other[name]!.data, one[name]!.data, 1e-6, name);
  await assert.rejects(given.gradients(whole, y), /layer "decoder": with its input "answers" it is not trained/);
  await assert.rejects(
    createModel(networkOf(true, 4)),
    /its input "answers" must have 3 numbers at every step of its keys, got 4/,
  );
  await assert.rejects(createModel(networkOf(true, A, true)), /"answers" belongs to decoders that do not shift/);
  const refusal = /layer "decoder" has an input "answers": leave it out/;
  await assert.rejects(createSearcher(given), refusal);
  const file = await modelFile(given);
  assert.throws(() => exportSeq2SeqOnnx(file), refusal);
});

Deno.test("a network is searched whatever its layers and outputs are called", async () => {
  for (const name of ["keys", "state", "y", "answers", "decoder"]) {
    const network = defineNetwork(({ tokens, embedding, gru, linear, decoder }) => {
      const { output: keys, state } = gru("gru", embedding("embedding", tokens("x", 9), 4), { hiddenSize: 6 });
      const made = linear(`${name}_answers`, state, 2), targets = tokens("target", 9, { axis: "target" });
      return { answers: decoder(name, { keys, state, targets }, { hiddenSize: 6, embeddingDim: 4 }).output, made };
    });
    using model = await createModel(network, { seed: 2 });
    using searcher = await createSearcher(model);
    const [found] = await searcher.search({ x: Int32Array.of(4, 5, 6), shape: [1, 3, 1] }, { width: 3, maxLength: 6 });
    assert.equal(found!.length, 3, name);
  }
});

Deno.test("a searcher takes as many threads as its model", async () => {
  const Given = globalThis.Worker, random = new Random(6, "data");
  let started = 0;
  globalThis.Worker = class extends Given {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      started++;
    }
  };
  try {
    const sizes = { sourceTokens: 30, sourceSize: 16, targetTokens: 30, targetSize: 16, hiddenSize: 64 };
    const sequences = { x: Int32Array.from({ length: 64 * 12 }, () => 2 + random.below(28)), shape: [64, 12, 1] };
    const found: unknown[] = [];
    for (const threads of [1, 2]) {
      using model = await createModel({ task: "seq2seq", ...sizes }, { threads });
      using searcher = await createSearcher(model);
      found.push(await searcher.search(sequences, { width: 4, maxLength: 5 }));
      assert.equal(started > 0, threads > 1, `${started} workers, ${threads} threads`);
    }
    assert.deepEqual(found[0], found[1]);
  } finally {
    globalThis.Worker = Given;
  }
});
