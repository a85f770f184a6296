import assert from "node:assert/strict";
import { blockRows } from "../../core/model/block.ts";
import { classifier, type ModelConfig, resolveConfig } from "../../core/model/config.ts";
import type { LossName } from "../../core/model/losses.ts";
import { createModel, type Model, type ModelOptions, type StateDict, type Targets } from "../../core/model/model.ts";
import { resolveNetwork } from "../../core/model/network.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { philox, PURPOSES, Random, seedWords } from "../../core/random.ts";
import { createTrainer } from "../../core/train/trainer.ts";
import { LOSSES, randomBatch, randomMask, type RandomSequences, randomState, randomWeights } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { DEVICES, WEBGPU } from "../devices.ts";
import { reference } from "../reference.ts";

/** Every array of nested results under its path: "outputs.logits", …. */
function flatten(results: object, path = ""): Record<string, ArrayLike<number>> {
  return Object.fromEntries(
    Object.entries(results).flatMap(([name, value]) =>
      typeof value === "number"
        ? [[path + name, [value]]]
        : "data" in value
        ? [[path + name, value.data]]
        : Object.entries(flatten(value, `${path}${name}.`))
    ),
  );
}

function assertSame(actual: object, expected: object) {
  const values = flatten(actual);
  for (const [name, data] of Object.entries(flatten(expected))) assertIdentical(values[name]!, data, name);
}

/**
 * The reference's results, and how far those in single precision may be off. That is 16 times what becomes of the
 * reference when everything that is rounded in single precision moves about as much: weights, inputs and activations. So an
 * ill-conditioned case is allowed more, such as a saturated gate (1 − n²). Besides, some units in the last place of the
 * largest value, for sums and for the approximation of tanh.
 */
function expectations(
  config: ModelConfig,
  state: StateDict,
  { sequences, targets }: { sequences: RandomSequences; targets: Targets },
  options: Parameters<typeof reference>[4],
): { name: string; data: ArrayLike<number>; allowed: number }[] {
  const expected = flatten(reference(config, state, sequences, targets, options));
  const random = new Random(99, "data"),
    rounding = (value: number) => value * (1 + (random.uniform() - 0.5) * 2 ** -22);
  const change: Record<string, number> = {}, moved = (values: ArrayLike<number>) => Float64Array.from(values, rounding);
  for (let run = 0; run < 4; run++) {
    const weights = Object.fromEntries(
      Object.entries(state).map(([name, { shape, data }]) => [name, { shape, data: moved(data) }]),
    );
    const x = config.numEmbeddings ? sequences.x : moved(sequences.x),
      other = { ...sequences, x, h0: moved(sequences.h0) };
    const results = flatten(reference(config, weights, other, targets, { ...options, rounding }));
    for (const [name, data] of Object.entries(results)) {
      const distance = largest(Float64Array.from(data, (value, i) => value - expected[name]![i]!));
      change[name] = Math.max(change[name] ?? 0, distance);
    }
  }
  return Object.entries(expected).map(([name, data]) => {
    // A loss near 0 is the difference of logits, or the logarithm of 1 and a little.
    const size = name === "loss" ? 1 + largest(expected["outputs.logits"]!) : largest(data);
    return { name, data, allowed: 16 * change[name]! + 4e-6 * size + 1e-9 };
  });
}

/** What stands in results under a second name, which must be the same. */
const ALIASES: Record<string, string> = {
  "outputs.values.fc.output": "outputs.logits",
  "outputs.values.logits": "outputs.logits",
  "outputs.values.attention.weights": "outputs.attentionWeights",
  "outputs.values.attention.context": "outputs.context",
  "outputs.values.gru.output": "outputs.output",
  "outputs.values.gru.hidden": "outputs.hidden",
  "inputs.gru.h0": "inputs.h0",
  "inputs.embedding": "inputs.x",
};

/** Every array of results once. */
function withoutAliases(results: object): Record<string, ArrayLike<number>> {
  const all = flatten(results);
  for (const [alias, name] of Object.entries(ALIASES)) {
    if (alias in all || alias !== "inputs.embedding") assert.equal(all[alias], all[name], alias);
    delete all[alias];
  }
  return all;
}

interface Shape {
  config: ModelConfig;
  B: number;
  T: number;
  loss: LossName;
  lengths: boolean;
  /** How many times larger the weights are than a new model's. */
  scale: number;
  /** Whether sequences, classes and positive targets count differently. */
  weighted?: boolean;
  severalBlocks?: boolean;
}

/** Sizes that are no multiples of 4 and all different, so that no two can be mixed up unseen. */
function randomShapes(count: number): Shape[] {
  const random = new Random(7, "data"), flag = () => random.below(2) === 1;
  return Array.from({ length: count }, (_, i) => {
    const order = random.permutation(7), [B, T, I, H, O] = Array.from(order, (k) => [1, 2, 3, 5, 7, 13, 17][k]!);
    return {
      config: {
        inputSize: I!,
        hiddenSize: H!,
        outputSize: O!,
        numLayers: 1 + i % 3,
        bidirectional: flag(),
        bias: flag(),
      },
      B: B!,
      T: T!,
      // The cross-entropy of one class is 0 whatever the model does.
      loss: LOSSES.filter((loss) => O !== 1 || loss !== "crossEntropy")[random.below(O === 1 ? 2 : 3)]!,
      lengths: flag(),
      scale: [1, 3, 30][random.below(3)]!,
    };
  });
}

const LARGER: Shape[] = [
  // Several blocks of rows, the last of them smaller.
  {
    config: { inputSize: 6, hiddenSize: 33, outputSize: 3 },
    B: 37,
    T: 40,
    loss: "bce",
    lengths: true,
    scale: 2,
    severalBlocks: true,
  },
  {
    config: { inputSize: 3, hiddenSize: 29, outputSize: 2, numLayers: 2, bidirectional: true },
    B: 19,
    T: 23,
    loss: "crossEntropy",
    lengths: true,
    scale: 2,
    severalBlocks: true,
  },
  // Whole groups, tiles and vectors, nothing left over; sizes for which groups lie further apart (groupStride).
  { config: { inputSize: 16, hiddenSize: 40, outputSize: 5 }, B: 16, T: 8, loss: "mse", lengths: false, scale: 2 },
  {
    config: { inputSize: 64, hiddenSize: 64, outputSize: 5 },
    B: 11,
    T: 6,
    loss: "crossEntropy",
    lengths: true,
    scale: 2,
  },
  {
    config: { inputSize: 65, hiddenSize: 32, outputSize: 2, numLayers: 2, bidirectional: true },
    B: 9,
    T: 5,
    loss: "mse",
    lengths: true,
    scale: 2,
  },
  // Products that take several passes, over groups and over inputs (PASS in core/kernels/product.ts).
  { config: { inputSize: 9, hiddenSize: 65, outputSize: 1 }, B: 3, T: 37, loss: "bce", lengths: false, scale: 2 },
  { config: { inputSize: 530, hiddenSize: 6, outputSize: 3 }, B: 3, T: 13, loss: "mse", lengths: false, scale: 1 },
  // Gradients of weights in two strips (STRIP in core/device/kernels.ts).
  { config: { inputSize: 2, hiddenSize: 171, outputSize: 2 }, B: 3, T: 2, loss: "bce", lengths: true, scale: 1 },
];

/** Tokens, and losses that are weighed: of vocabularies smaller and larger than a batch. */
function tokenShapes(count: number): Shape[] {
  return randomShapes(count).map((shape, i) => ({
    ...shape,
    weighted: i % 2 === 0,
    scale: Math.min(shape.scale, 3),
    config: {
      ...shape.config,
      numEmbeddings: [1, 3, 11, 300][i % 4]!,
      ...i % 3 === 0 && { paddingIdx: i % 4 ? 1 : 0 },
    },
  }));
}

const LARGER_TOKENS: Shape[] = [
  // Several blocks, and so many numbers of the embedding that they are several ranges.
  {
    config: { inputSize: 33, hiddenSize: 33, outputSize: 3, numEmbeddings: 1111, paddingIdx: 0 },
    B: 37,
    T: 40,
    loss: "crossEntropy",
    lengths: true,
    scale: 2,
    weighted: true,
    severalBlocks: true,
  },
  {
    config: { inputSize: 4, hiddenSize: 29, outputSize: 2, numLayers: 2, bidirectional: true, numEmbeddings: 5 },
    B: 19,
    T: 23,
    loss: "bce",
    lengths: true,
    scale: 2,
    weighted: true,
    severalBlocks: true,
  },
];

const WEIGHTED: Shape[] = [...randomShapes(9), ...LARGER.slice(0, 2)].map((shape) => ({ ...shape, weighted: true }));

function describe({ config, B, T, loss, lengths, scale, weighted }: Shape): string {
  const { inputSize, hiddenSize, outputSize, numLayers = 1, bidirectional, bias = true, numEmbeddings } = config;
  return [
    `B ${B} T ${T} I ${inputSize} H ${hiddenSize} O ${outputSize} layers ${numLayers}`,
    ...bidirectional ? ["bidirectional"] : [],
    ...bias ? [] : ["no bias"],
    ...lengths ? ["lengths"] : [],
    ...numEmbeddings ? [`${numEmbeddings} tokens`, ...config.paddingIdx === undefined ? [] : ["padding"]] : [],
    ...weighted ? ["weighted"] : [],
    ...scale > 1 ? [`weights ×${scale}`] : [],
    loss,
  ].join(", ");
}

function assertMatch(all: object[], expected: ReturnType<typeof expectations>) {
  for (const results of all) {
    const values = withoutAliases(results);
    assert.deepEqual(Object.keys(values).sort(), expected.map(({ name }) => name).sort());
    for (const { name, data, allowed } of expected) assertClose(values[name]!, data, allowed, name);
  }
}

for (const shape of [...randomShapes(36), ...LARGER, ...WEIGHTED, ...tokenShapes(16), ...LARGER_TOKENS]) {
  const { config, B, T, loss, scale, weighted } = shape;
  const gradients = async (options: ModelOptions) => {
    const random = new Random(B + T, "data");
    const D = config.hiddenSize * (config.bidirectional ? 2 : 1), dropoutMask = randomMask(random, B * D, 0.25);
    const state = randomState(random, resolveNetwork(classifier(resolveConfig(config))).layout.list, scale);
    const batch = randomBatch(random, config, shape);
    const terms = { loss, dropoutMask, ...weighted && randomWeights(random, config, shape) };
    using model = await createModel(config, options);
    await model.loadStateDict(state);
    const results = await model.gradients(batch.sequences, batch.targets, terms);
    return { results, expected: () => expectations(config, state, batch, terms) };
  };

  Deno.test(`outputs and gradients match the reference: ${describe(shape)}`, async () => {
    const { results: relaxed, expected } = await gradients({ simd: "relaxed", threads: 1 });
    const { results: plain } = await gradients({ simd: "plain", threads: 1 });
    assertMatch([relaxed, plain], expected());
    assertSame((await gradients({ simd: "wide", threads: 1 })).results, relaxed);
    if (!shape.severalBlocks) return;
    const { work } = new PlacedNetwork(classifier(resolveConfig(config)));
    assert.ok(blockRows(work, B, T) < B, "one block only");
  });

  Deno.test(`on WebGPU they do too: ${describe(shape)}`, { ignore: WEBGPU.ignore }, async () => {
    const { results, expected } = await gradients(WEBGPU.options);
    assertMatch([results], expected());
  });
}

/** A model with random weights, and a batch for it with lengths. */
async function example(
  config: ModelConfig,
  sizes: { B: number; T: number; loss: LossName },
  options: ModelOptions = {},
): Promise<{ model: Model; state: StateDict; batch: ReturnType<typeof randomBatch> }> {
  const random = new Random(5, "data"), model = await createModel(config, { ...options, seed: 2 ** 40 + 3 });
  const state = randomState(random, model.parameters, 2);
  await model.loadStateDict(state);
  return { model, state, batch: randomBatch(random, config, { ...sizes, lengths: true }) };
}

const TWO_WAYS = { inputSize: 3, hiddenSize: 5, outputSize: 2, numLayers: 2, bidirectional: true };

for (const { name: device, options, ignore } of [DEVICES[0]!, WEBGPU]) {
  for (const config of [{ inputSize: 3, hiddenSize: 5, outputSize: 2 }, TWO_WAYS]) {
    const about = config === TWO_WAYS ? "two layers in both directions" : "one layer";
    Deno.test(
      `what stands behind a sequence's length never matters, NaN included: ${about}, ${device}`,
      { ignore },
      async () => {
        const B = 7, T = 9, I = 3, D = config === TWO_WAYS ? 10 : 5, loss = "bce";
        const { model, batch: { sequences, targets } } = await example(config, { B, T, loss }, options);
        using _ = model;
        const expected = await model.gradients(sequences, targets, { loss });
        const behind: [number, number][] = [];
        for (let b = 0; b < B; b++) for (let t = sequences.lengths[b]!; t < T; t++) behind.push([b, t]);
        assert.ok(behind.length > 0);
        const spoilt = sequences.x.slice();
        for (const [b, t] of behind) spoilt.fill([NaN, Infinity, 1e30][t % 3]!, (b * T + t) * I, (b * T + t + 1) * I);
        const results = await model.gradients({ ...sequences, x: spoilt }, targets, { loss });
        assertSame(results, expected);
        assertSame(await model.forward({ ...sequences, x: spoilt }), expected.outputs);
        for (const [b, t] of behind) {
          const { outputs: { attentionWeights, output }, inputs: { x } } = results;
          assert.equal(attentionWeights.data[b * T + t], 0);
          const zeros = (data: Float32Array, width: number) => {
            assertIdentical(
              data.slice((b * T + t) * width, (b * T + t + 1) * width),
              new Float32Array(width),
              "padding",
            );
          };
          zeros(output.data, D);
          zeros(x.data, I);
        }
      },
    );
  }

  Deno.test(`NaN in a valid step reaches the loss: ${device}`, { ignore }, async () => {
    const { model, batch: { sequences, targets } } = await example(TWO_WAYS, { B: 3, T: 4, loss: "bce" }, options);
    using _ = model;
    sequences.x[0] = NaN;
    assert.ok(Number.isNaN((await model.gradients(sequences, targets, { loss: "bce" })).loss));
  });
}

Deno.test("lengths of T and initial states of 0 are the defaults", async () => {
  const B = 3,
    T = 4,
    { model, batch: { sequences: { x, shape }, targets } } = await example(TWO_WAYS, {
      B,
      T,
      loss: "mse",
    });
  using _ = model;
  const full = { x, shape, lengths: new Int32Array(B).fill(T), h0: new Float32Array(4 * B * 5) };
  const expected = await model.gradients(full, targets, { loss: "mse" });
  assertSame(await model.gradients({ x, shape }, targets, { loss: "mse" }), expected);
});

/** Random dropout on (B, T, D), its words numbered as core/kernels/dropout.ts says. */
function dropoutMultipliers(
  D: number,
  { B, T, p, seed, step, stream }: { B: number; T: number; p: number; seed: number; step: number; stream: number },
): Float32Array<ArrayBuffer> {
  const mask = new Float32Array(B * T * D), words = new Uint32Array(4), single = Math.fround(p);
  for (let row = 0; row < B * T; row++) {
    for (let f = 0; f < D; f++) {
      const block = row * Math.ceil(D / 4) + Math.floor(f / 4);
      philox(words, block, stream, step, PURPOSES.dropout, ...seedWords(seed));
      mask[row * D + f] = words[f % 4]! < Math.floor(single * 2 ** 32) ? 0 : 1 / (1 - single);
    }
  }
  return mask;
}

/** The gradient that a step of SGD with learning rate 1 took, from the parameters before and after. */
function taken(before: StateDict, after: StateDict): Record<string, { data: Float64Array }> {
  return Object.fromEntries(
    Object.entries(before).map(([name, { data }]) => [
      name,
      { data: Float64Array.from(data, (value, i) => value - after[name]!.data[i]!) },
    ]),
  );
}

const DROPOUTS: { about: string; config: ModelConfig; B: number; T: number }[] = [
  {
    about: "three layers",
    config: { inputSize: 3, hiddenSize: 7, outputSize: 2, numLayers: 3, dropout: 0.5, layerDropout: 0.3 },
    B: 5,
    T: 6,
  },
  {
    about: "two layers in both directions, in several blocks",
    config: {
      inputSize: 2,
      hiddenSize: 29,
      outputSize: 3,
      numLayers: 2,
      bidirectional: true,
      dropout: 0.2,
      layerDropout: 0.6,
    },
    B: 18,
    T: 23,
  },
  {
    about: "between layers only",
    config: { inputSize: 3, hiddenSize: 5, outputSize: 2, numLayers: 2, dropout: 0, layerDropout: 0.4 },
    B: 4,
    T: 3,
  },
  {
    about: "on the context only",
    config: { inputSize: 3, hiddenSize: 5, outputSize: 2, numLayers: 2, dropout: 0.4, layerDropout: 0 },
    B: 4,
    T: 3,
  },
];

for (const { name: device, options: deviceOptions, ignore } of [DEVICES[0]!, WEBGPU]) {
  for (const { about, config, B, T } of DROPOUTS) {
    Deno.test(`steps with random dropout take the reference's gradient: ${about}, ${device}`, { ignore }, async () => {
      const { model, state, batch } = await example(config, { B, T, loss: "bce" }, deviceOptions);
      using _ = model;
      const { numLayers, dropout, layerDropout, hiddenSize, bidirectional } = resolveConfig(config);
      const D = hiddenSize * (bidirectional ? 2 : 1), { sequences, targets } = batch;
      const seed = 2 ** 33 + 12345;
      const trainer = createTrainer(model, { loss: "bce", seed, optimizer: { name: "sgd", learningRate: 1 } });
      let before = state;
      for (let step = 0; step < 2; step++) {
        const { loss, gradNorm } = await trainer.step(sequences, targets), after = await model.stateDict();
        const draw = (stream: number, T: number, p: number) =>
          p === 0 ? undefined : dropoutMultipliers(D, { B, T, p, seed, step, stream });
        const layerMasks = Array.from(
          { length: numLayers - 1 },
          (_, layer) => draw(layer, T, layerDropout) ?? new Float32Array(B * T * D).fill(1),
        );
        const options = { loss: "bce" as const, dropoutMask: draw(numLayers - 1, 1, dropout), layerMasks };
        const expected = reference(config, before, sequences, targets, options);
        assertClose([loss], [expected.loss], 2e-6 * expected.loss, "loss");
        const norm = Math.hypot(...Object.values(expected.parameters).flatMap(({ data }) => [...data]));
        assertClose([gradNorm], [norm], 1e-5 * norm, "gradient norm");
        for (const [name, { data }] of Object.entries(taken(before, after))) {
          const exact = expected.parameters[name]!.data;
          // Besides the gradient's own rounding, the parameter after the step is rounded.
          const allowed = 4e-5 * largest(exact) + 2 ** -24 * largest(after[name]!.data) + 1e-9;
          assertClose(data, exact, allowed, `${name} in step ${step}`);
        }
        before = after;
      }
    });
  }
}

Deno.test("dropout lets through the share it should, other words for other steps, seeds and layers", () => {
  const sizes = { B: 20, T: 50, p: 0.3 };
  const draw = (seed: number, step: number, stream: number) => dropoutMultipliers(7, { ...sizes, seed, step, stream });
  const mask = draw(0, 0, 0), share = mask.filter((value) => value === 0).length / mask.length;
  // The standard deviation of the share is √(0.3·0.7 / 7000) = 0.0055.
  assert.ok(Math.abs(share - 0.3) < 0.02, `${share} dropped`);
  for (const other of [draw(1, 0, 0), draw(2 ** 32, 0, 0), draw(0, 1, 0), draw(0, 0, 1)]) {
    const equal = mask.filter((value, i) => value === other[i]).length / mask.length;
    // Independent masks agree in 0.3² + 0.7² = 0.58 of all places.
    assert.ok(Math.abs(equal - 0.58) < 0.03, `${equal} the same`);
  }
});

Deno.test("a dropout mask from outside stands in for all random dropout of a step", async () => {
  const config = { ...TWO_WAYS, dropout: 0.5, layerDropout: 0.5 }, B = 6, T = 5, loss = "mse";
  const { model, state, batch: { sequences, targets } } = await example(config, { B, T, loss });
  using _ = model;
  const trainer = createTrainer(model, { loss, optimizer: { name: "sgd", learningRate: 1 } });
  const dropoutMask = randomMask(new Random(3, "data"), B * 10, 0.5);
  await trainer.step(sequences, targets, { dropoutMask });
  const { parameters } = reference(config, state, sequences, targets, { loss, dropoutMask });
  for (const [name, { data }] of Object.entries(taken(state, await model.stateDict()))) {
    assertClose(data, parameters[name]!.data, 2e-5 * largest(parameters[name]!.data) + 1e-7, name);
  }
});

for (const { name: device, options, ignore } of [DEVICES[0]!, WEBGPU]) {
  Deno.test(`training gives the same bits however often it is repeated: ${device}`, { ignore }, async () => {
    const config = { inputSize: 3, hiddenSize: 29, outputSize: 2, numLayers: 2, bidirectional: true, dropout: 0.5 };
    const run = async () => {
      const { model, batch: { sequences, targets } } = await example(config, { B: 21, T: 23, loss: "bce" }, options);
      using _ = model;
      const trainer = createTrainer(model, { loss: "bce", clipNorm: 0.5 });
      const steps = [];
      for (let step = 0; step < 3; step++) steps.push(await trainer.step(sequences, targets));
      return { steps, state: await model.stateDict(), slots: (await trainer.state()).slots };
    };
    const first = await run();
    for (let repeat = 0; repeat < 3; repeat++) assertSame(await run(), first);
  });

  Deno.test(`results do not depend on what a model computed before: ${device}`, { ignore }, async () => {
    const loss = "bce",
      { model, batch: { sequences, targets } } = await example(TWO_WAYS, { B: 3, T: 4, loss }, options);
    using _ = model;
    const random = new Random(8, "data");
    // From small to large, so that the memory is made anew in between, and back.
    const sizes = [[3, 4], [40, 30], [2, 2], [90, 60], [3, 4]];
    const batches = sizes.map(([B, T]) => randomBatch(random, TWO_WAYS, { B: B!, T: T!, loss, lengths: true }));
    const trainer = createTrainer(model, { loss, optimizer: { name: "adam", learningRate: 0.01 } });
    for (const { sequences, targets } of batches) {
      await model.forward(sequences);
      await trainer.step(sequences, targets);
      await model.gradients(sequences, targets, { loss });
      await trainer.step(sequences, targets);
    }
    using fresh = await createModel(TWO_WAYS, options);
    await fresh.loadStateDict(await model.stateDict());
    const expected = await fresh.gradients(sequences, targets, { loss });
    assertSame(await model.gradients(sequences, targets, { loss }), expected);
    assertSame(await model.forward(sequences), expected.outputs);

    // And new weights are taken up at once.
    const state = randomState(random, model.parameters);
    await model.loadStateDict(state);
    await fresh.loadStateDict(state);
    assertSame(await model.forward(sequences), await fresh.forward(sequences));
    assertSame(
      await model.gradients(sequences, targets, { loss }),
      await fresh.gradients(sequences, targets, { loss }),
    );
  });
}

for (
  const { name: device, options, ignore } of [
    ...[1, 3].map((threads) => ({ name: `${threads} threads`, options: { threads }, ignore: false })),
    WEBGPU,
  ]
) {
  Deno.test(`what is asked for at once gives what it gives one after the other: ${device}`, { ignore }, async () => {
    const random = new Random(6, "data"), config = { inputSize: 6, hiddenSize: 33, outputSize: 3 }, loss = "mse";
    using model = await createModel(config, options);
    const batches = [37, 2, 19].map((B) => randomBatch(random, config, { B, T: 20, loss, lengths: true }));
    const start = ({ sequences, targets }: typeof batches[number]) => model.gradients(sequences, targets, { loss });
    const together = await Promise.all(batches.map(start));
    for (const [i, batch] of batches.entries()) assertSame(together[i]!, await start(batch));
  });
}

Deno.test("each sequence of a batch is computed as if it were alone", async () => {
  const B = 7, T = 6, H = 5, { model, batch: { sequences } } = await example(TWO_WAYS, { B, T, loss: "bce" });
  using _ = model;
  const { logits, attentionWeights } = await model.forward(sequences);
  for (let b = 0; b < B; b++) {
    const h0 = Array.from({ length: 4 }, (_, s) => [...sequences.h0.slice((s * B + b) * H, (s * B + b + 1) * H)]);
    const one = await model.forward({
      x: sequences.x.slice(b * T * 3, (b + 1) * T * 3),
      shape: [1, T, 3],
      lengths: sequences.lengths.slice(b, b + 1),
      h0: Float32Array.from(h0.flat()),
    });
    assertIdentical(one.logits.data, logits.data.slice(b * 2, (b + 1) * 2), `logits of ${b}`);
    assertIdentical(one.attentionWeights.data, attentionWeights.data.slice(b * T, (b + 1) * T), `weights of ${b}`);
  }
});
