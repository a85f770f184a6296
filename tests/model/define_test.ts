import assert from "node:assert/strict";
import {
  createModel,
  createPredictor,
  createTrainer,
  defineNetwork,
  errorCause,
  formatCheckpoint,
  type Layers,
  type Network,
  type NetworkModel,
  parseCheckpoint,
  predict,
  type Sequences,
} from "../../mod.ts";
import { blockRows } from "../../core/model/block.ts";
import { PlacedNetwork } from "../../core/model/placed_network.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { signed } from "../checkpoints.ts";
import { assertClose, assertIdentical } from "../close.ts";
import { DEVICES } from "../devices.ts";
import { NETWORKS, type Sample } from "../networks.ts";

async function makeModel({ network, loss }: Sample, options: object = {}): Promise<NetworkModel> {
  return await createModel(network, { loss, seed: 7, simd: "plain", ...options });
}

// deno-lint-ignore no-explicit-any -- of any shape
type Json = any;

/** Trains some batches, different ones from step to step. */
async function train(sample: Sample, trainer: ReturnType<typeof createTrainer>, from: number, to: number) {
  for (let step = from; step < to; step++) {
    const random = new Random(step, "data"), [B, T] = [5 + step % 3, 4 + step % 4];
    await trainer.step(sample.sequences(random, B, T), sample.targets(random, B, T));
  }
}

for (const [name, sample] of Object.entries(NETWORKS)) {
  Deno.test(`a network trains, is saved, loaded and resumed to the same bits: ${name}`, async () => {
    using model = await makeModel(sample);
    const trainer = createTrainer(model, { optimizer: { learningRate: 0.01 } });
    await train(sample, trainer, 0, 3);
    const text = await formatCheckpoint({ model, trainer });
    await train(sample, trainer, 3, 6);
    const loaded = await parseCheckpoint(text);
    using copy = loaded.model;
    assert.deepEqual(copy.network, sample.network);
    assert.deepEqual(copy.meanings, model.meanings);
    await train(sample, loaded.trainer!, 3, 6);
    assert.deepEqual(await copy.stateDict(), await model.stateDict());
    const [ended, other] = [
      await formatCheckpoint({ model: copy, trainer: loaded.trainer! }),
      await formatCheckpoint({ model, trainer }),
    ];
    assert.ok(ended === other, "their checkpoints differ");
  });

  Deno.test(`a network learns: ${name}`, async () => {
    using model = await makeModel(sample);
    const trainer = createTrainer(model, { optimizer: { learningRate: 0.02 } });
    const random = new Random(1, "data"),
      sequences = sample.sequences(random, 9, 5),
      targets = sample.targets(random, 9, 5);
    const { loss: first } = await trainer.step(sequences, targets);
    for (let i = 0; i < 60; i++) await trainer.step(sequences, targets);
    const { loss: last } = await trainer.step(sequences, targets);
    assert.ok(last < 0.8 * first, `${first} to ${last}`);
  });

  Deno.test(`a network is the same bits on any number of threads: ${name}`, async () => {
    const found: unknown[] = [];
    // Two whole blocks and a bit: one alone leaves threads nothing to share.
    const T = 12, B = 2 * blockRows(new PlacedNetwork(sample.network).work, 1e9, T) + 5;
    for (const threads of [1, 2, 3]) {
      using model = await makeModel(sample, { threads });
      const trainer = createTrainer(model);
      const random = new Random(2, "data");
      for (let i = 0; i < 3; i++) await trainer.step(sample.sequences(random, B, T), sample.targets(random, B, T));
      found.push(await model.stateDict());
    }
    assert.deepEqual(found[1], found[0]);
    assert.deepEqual(found[2], found[0]);
  });

  Deno.test(`a network's predictor says what predict says: ${name}`, async () => {
    using model = await makeModel(sample);
    const random = new Random(3, "data");
    for (const output of Object.keys(sample.network.outputs)) {
      using predictor = await createPredictor(model, { output });
      for (const T of [6, 1, 3, 6]) {
        const { lengths: _, ...sequences } = sample.sequences(random, 1, T) as Sequences;
        const expected = await predict(model, sequences, { output });
        const { outputs, attentionWeights } = predictor.predict(sequences.x, sequences.inputs);
        assertClose(outputs, expected.outputs.data, 1e-6, `${output}, ${T} steps`);
        assert.equal(attentionWeights.length, expected.attentionWeights ? T : 0);
      }
    }
  });
}

for (const device of DEVICES) {
  Deno.test({
    name: `the ready-made model by hand gives the same bits: ${device.name}`,
    ignore: device.ignore,
    async fn() {
      const sample = NETWORKS["the ready-made model by hand"]!;
      using byHand = await createModel(sample.network, { loss: "bce", seed: 4, ...device.options });
      const config = { inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 };
      using ready = await createModel(config, { seed: 4, ...device.options });
      await train(sample, createTrainer(byHand), 0, 5);
      await train(sample, createTrainer(ready), 0, 5);
      const [a, b] = [await byHand.stateDict(), await ready.stateDict()];
      assert.deepEqual(Object.keys(a), Object.keys(b));
      for (const name of Object.keys(a)) assertIdentical(a[name]!.data, b[name]!.data, name);
      const batch = sample.sequences(new Random(5, "data"), 7, 6);
      const [x, y] = [await byHand.forward(batch), await ready.forward(batch)];
      assertIdentical(x.values.output!.data, y.logits.data, "outputs");
      assertIdentical(x.values["attention.weights"]!.data, y.attentionWeights.data, "attention weights");
    },
  });
}

Deno.test("a network is plain JSON", () => {
  for (const { network } of Object.values(NETWORKS)) {
    assert.deepEqual(JSON.parse(JSON.stringify(network)), JSON.parse(JSON.stringify(network)));
    assert.deepEqual(defineNetworkFrom(JSON.parse(JSON.stringify(network))), JSON.parse(JSON.stringify(network)));
  }
});

function defineNetworkFrom(network: Network): Network {
  return network;
}

Deno.test("any value can be asked for by its name", async () => {
  using model = await makeModel(NETWORKS["two heads"]!);
  const sequences = NETWORKS["two heads"]!.sequences(new Random(1, "data"), 3, 4);
  const { values } = await model.forward(sequences, { values: ["norm.output", "lstm.state"] });
  assert.deepEqual(values["norm.output"]!.shape, [3, 4, 10]);
  assert.deepEqual(values["lstm.state"]!.shape, [3, 10]);
  assert.deepEqual(values["lstm.cell"]!.shape, [4, 3, 5]);
  await assert.rejects(model.forward(sequences, { values: ["norm.outputs"] }), /there is no value "norm.outputs"/);
});

Deno.test("a loss of your own steps as the loss that it is", async () => {
  const sample = NETWORKS["an output at every step"]!, random = new Random(6, "data"), [B, T, O] = [6, 5, 3];
  const sequences = sample.sequences(random, B, T), lengths = sequences.lengths!;
  const valid = lengths.reduce((a, b) => a + b, 0), targets = new Float32Array(B * T * O).map(() => random.normal());
  using ours = await createModel(sample.network, { seed: 1 });
  using theirs = await createModel(sample.network, { seed: 1, loss: "mse" });
  const a = createTrainer(ours, { loss: "mse" }), b = createTrainer(theirs);
  for (let step = 0; step < 3; step++) {
    const { loss } = await b.step(sequences, targets);
    const own = await a.step(sequences, ({ values }) => {
      const dOutputs = new Float32Array(B * T * O);
      let sum = 0;
      for (let i = 0; i < dOutputs.length; i++) {
        if (Math.floor(i / O) % T >= lengths[Math.floor(i / O / T)]!) continue;
        const d = values.tags!.data[i]! - targets[i]!;
        sum += d * d / (valid * O);
        dOutputs[i] = 2 * d / (valid * O);
      }
      return { loss: sum, dOutputs };
    });
    assertClose([own.loss], [loss], 1e-6, "loss");
  }
  const [x, y] = [await ours.stateDict(), await theirs.stateDict()];
  for (const name of Object.keys(x)) assertClose(x[name]!.data, y[name]!.data, 2e-5, name);
});

Deno.test("losses of several outputs are added with their weights", async () => {
  const sample = NETWORKS["two heads"]!, random = new Random(8, "data");
  const sequences = sample.sequences(random, 5, 6),
    targets = sample.targets(random, 5, 6) as Record<string, Float32Array>;
  using model = await createModel(sample.network, { seed: 1 });
  const losses = { topic: { loss: "crossEntropy" as const, weight: 0.25 }, level: { loss: "mse" as const, weight: 3 } };
  const all = await model.gradients(sequences, targets, { losses });
  const [topic, level] = await Promise.all(
    (["topic", "level"] as const).map((name) =>
      model.gradients(sequences, targets, { losses: { [name]: { ...losses[name], weight: 1 } } }).catch((error) =>
        error
      )
    ),
  );
  // A loss of one output alone leaves the other head without a gradient.
  assertClose([all.loss], [0.25 * topic.loss + 3 * level.loss], 1e-6, "loss");
  for (const name of ["lstm.weight_ih_l0", "mix.weight", "embedding.weight"]) {
    const [x, y] = [topic.parameters[name].data, level.parameters[name].data];
    assertClose(all.parameters[name]!.data, x.map((d: number, i: number) => 0.25 * d + 3 * y[i]!), 1e-6, name);
  }
  assert.ok(
    topic.parameters["level.weight"].data.every((d: number) => d === 0),
    "a head without a loss has no gradient",
  );
  const trainer = createTrainer(model, { losses });
  const { losses: each, loss } = await trainer.step(sequences, targets);
  assertClose([loss], [0.25 * each!.topic! + 3 * each!.level!], 1e-6, "of a step");
});

Deno.test("losses of several outputs are saved with their weights and settings, and resumed to the same bits", async () => {
  const network = defineNetwork(({ numbers, gru, linear }) => {
    const { output, state } = gru("gru", numbers("x", 3), { hiddenSize: 4 });
    return { y: linear("fc", state, 3), z: linear("tags", output, 4), q: linear("q", output, 6) };
  });
  const losses = {
    y: { loss: "crossEntropy" as const, weight: 0.25, labelSmoothing: 0.1, classWeights: [1, 2, 3] },
    z: { loss: "huber" as const, weight: 3, delta: 0.5 },
    q: { loss: "quantile" as const, quantiles: [0.1, 0.5, 0.9] },
  };
  const random = new Random(1, "data"), draw = (n: number) => normals(random, n);
  const batch = { x: draw(2 * 5 * 3), shape: [2, 5, 3], lengths: Int32Array.of(5, 2) };
  const targets = { y: Int32Array.of(0, 2), z: draw(40), q: draw(20) };
  using model = await createModel(network, { seed: 1, simd: "plain" });
  const trainer = createTrainer(model, { losses });
  await trainer.step(batch, targets);
  const loaded = await parseCheckpoint(await formatCheckpoint({ model, trainer }));
  using copy = loaded.model;
  assert.deepEqual(loaded.trainer!.options, trainer.options);
  assert.deepEqual(copy.meanings.q, { loss: "quantile", quantiles: [0.1, 0.5, 0.9] });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await loaded.trainer!.step(batch, targets), await trainer.step(batch, targets));
  }
  assert.deepEqual(await copy.stateDict(), await model.stateDict());
});

/** A wiring mistake: what is built, and what the error must say. */
const MISTAKES: Record<string, { build: (layers: Layers) => unknown; says: RegExp; layer: string }> = {
  "tokens into a GRU": {
    build: ({ tokens, gru }) => gru("gru", tokens("x", 5) as never, { hiddenSize: 3 }).state,
    layer: "gru",
    says: /layer "gru": its input "input" must be a row per step .* got tokens .*: put an embedding between them/,
  },
  "steps as a query": {
    build: ({ numbers, attention }) => {
      const x = numbers("x", 3);
      return attention("attention", { query: x as never, keys: x }).context;
    },
    layer: "attention",
    says: /layer "attention": its input "query" must be a row per sequence .*: use attention, last, mean or max/,
  },
  "a row as keys": {
    build: ({ vector, attention }) => {
      const q = vector("q", 3);
      return attention("attention", { query: q, keys: q as never }).context;
    },
    layer: "attention",
    says: /layer "attention": its input "keys" must be a row per step .*: read a value of every step/,
  },
  "final states into a linear layer": {
    build: ({ numbers, gru, linear }) =>
      linear("fc", gru("gru", numbers("x", 3), { hiddenSize: 3 }).hidden as never, 2),
    layer: "fc",
    says: /layer "fc": .* got final states .*: read the layer's "state"/,
  },
  "attention weights into a linear layer": {
    build: ({ numbers, vector, attention, linear }) =>
      linear("fc", attention("a", { query: vector("q", 3), keys: numbers("x", 3) }).weights as never, 2),
    layer: "fc",
    says: /layer "fc": .* got attention weights/,
  },
  "a name twice": {
    build: ({ numbers, linear }) => linear("fc", linear("fc", numbers("x", 3), 4), 2),
    layer: "fc",
    says: /layer "fc": another layer has the same name: give each layer a name of its own/,
  },
  "a name that is none": {
    build: ({ numbers, linear }) => linear("out put", numbers("x", 3), 4),
    layer: "out put",
    says: /layer "out put": its name must be letters, digits, _ and dots/,
  },
  "an empty name": {
    build: ({ numbers, linear }) => linear("", numbers("x", 3), 4),
    layer: "",
    says: /layer "": its name must be letters, digits, _ and dots/,
  },
  "a layer that nothing reads": {
    build: ({ numbers, linear }) => {
      const x = numbers("x", 3);
      linear("spare", x, 2);
      return linear("fc", x, 2);
    },
    layer: "spare",
    says: /layer "spare": nothing reads it: use one of its values, or leave the layer out/,
  },
  "rows beside steps": {
    build: ({ numbers, vector, concat }) => concat([numbers("x", 3), vector("q", 2) as never]),
    layer: "concat",
    says: /layer "concat": its inputs must be all rows or all steps, got steps and rows/,
  },
  "a single value side by side": {
    build: ({ numbers, concat }) => concat([numbers("x", 3)], "both"),
    layer: "both",
    says: /layer "both": it must have two inputs or more, got 1/,
  },
  "a padding token beyond the vocabulary": {
    build: ({ tokens, embedding }) => embedding("embedding", tokens("x", 5), 3, { paddingIdx: 5 }),
    layer: "embedding",
    says: /layer "embedding": paddingIdx must be below the size of the vocabulary, 5, got 5/,
  },
  "a value of another network": {
    build: ({ numbers, linear }) => {
      let other: unknown;
      defineNetwork(({ numbers }) => other = numbers("y", 3));
      numbers("x", 3);
      return linear("fc", other as never, 2);
    },
    layer: "fc",
    says: /layer "fc": its input is no value of this network: pass what a layer of the same defineNetwork gave/,
  },
  "all that a GRU gives in place of one value": {
    build: ({ numbers, gru, linear }) => linear("fc", gru("gru", numbers("x", 3), { hiddenSize: 3 }) as never, 2),
    layer: "fc",
    says: /layer "fc": its input is several values: pass one of them: \.output, \.state, \.hidden/,
  },
  "an input that is not there": {
    build: ({ numbers, linear }) => linear("fc", numbers("x", 3) && undefined as never, 2),
    layer: "fc",
    says: /layer "fc": its input is no value of this network/,
  },
  "a width of nothing": {
    build: ({ numbers, linear }) => linear("fc", numbers("x", 3), 0),
    layer: "fc",
    says: /layer "fc": outFeatures must be an integer from 1 to 1048576, got 0/,
  },
  "an option of another layer": {
    build: ({ numbers, gru }) => gru("gru", numbers("x", 3), { hiddenSize: 3, outFeatures: 2 } as never).state,
    layer: "gru",
    says: /layer "gru": unknown option "outFeatures"/,
  },
};

for (const [name, { build, says, layer }] of Object.entries(MISTAKES)) {
  Deno.test(`a wiring mistake is refused with the layer's name: ${name}`, () => {
    assert.throws(() => defineNetwork(build as never), (error: Error) => {
      assert.match(error.message, says);
      assert.ok(error.message.includes(layer));
      assert.ok(errorCause(error), "no cause");
      return true;
    });
  });
}

/** Mistakes that only a file can hold. */
const FILES: Record<string, { network: unknown; says: RegExp }> = {
  "a loop": {
    network: {
      layers: [
        { type: "numbers", name: "x", options: { size: 2 } },
        { type: "concat", name: "a", inputs: { "0": "x.output", "1": "b.output" } },
        { type: "tanh", name: "b", inputs: { input: "a.output" } },
      ],
      outputs: { y: "b.output" },
    },
    says: /layer "a": its input "1" reads "b.output", which is not there before it: .* no loops/,
  },
  "a layer that does not exist": {
    network: { layers: [{ type: "rnn", name: "rnn" }], outputs: { y: "rnn.output" } },
    says: /layer "rnn": there is no layer "rnn": take one of numbers, vector, /,
  },
  "a port that does not exist": {
    network: {
      layers: [{ type: "numbers", name: "x", options: { size: 2 } }, {
        type: "tanh",
        name: "y",
        inputs: { input: "x.state" },
      }],
      outputs: { y: "y.output" },
    },
    says: /layer "y": its input "input" reads "x.state", which/,
  },
  "an input too many": {
    network: {
      layers: [{ type: "numbers", name: "x", options: { size: 2 } }, {
        type: "tanh",
        name: "y",
        inputs: { input: "x.output", other: "x.output" },
      }],
      outputs: { y: "y.output" },
    },
    says: /layer "y": it has no input "other": its inputs are input/,
  },
  "a source that is none": {
    network: {
      layers: [{ type: "numbers", name: "x", options: { size: 2 } }, { type: "tanh", name: "y", inputs: { input: 5 } }],
      outputs: { y: "y.output" },
    },
    says: /layer "y": its input "input" must be "layer.port", got 5/,
  },
  "a layer that is null": { network: { layers: [null], outputs: {} }, says: /it must be { layers, outputs }/ },
  "an output that files cannot keep": {
    network: { layers: [{ type: "numbers", name: "x", options: { size: 2 } }], outputs: { constructor: "x.output" } },
    says: /output "constructor": its name must be/,
  },
  "no outputs": {
    network: { layers: [{ type: "numbers", name: "x", options: { size: 2 } }], outputs: {} },
    says: /it has no outputs/,
  },
  "an output of nothing": {
    network: { layers: [{ type: "numbers", name: "x", options: { size: 2 } }], outputs: { y: "z.output" } },
    says: /output "y": there is no value "z.output"/,
  },
};

/** A change to a file whose checksum was made to fit, and what it is refused with. */
const TAMPERED: Record<string, { change: (network: Json, file: Json) => void; says: RegExp }> = {
  "an unknown option": {
    change: ({ layers }) => layers[1].options.size = 1,
    says: /network: layer "lstm": unknown option "size"/,
  },
  "an immense input": {
    change: ({ layers }) => layers[0].options.size = 1e9,
    says: /layer "x": size must be .* to 100000000/,
  },
  "an immense layer": {
    change: ({ layers }) => layers[1].options.hiddenSize = 65536,
    says: /weight_ih_l0" must have shape/,
  },
  "a name that is none": {
    change: ({ layers }) => layers[0].name = "__proto__",
    says: /layer "__proto__": its name must be/,
  },
  "ports of another kind": {
    change: ({ layers }) => layers[2].inputs = { a: "lstm.state", b: "lstm.state" },
    says: /layer "concat": it has no input "a": its inputs are 0, 1, 2, …/,
  },
  "a layer too few": { change: ({ layers }) => layers.splice(1, 1), says: /reads "lstm.state", which does not exist/ },
  "a parameter too few": {
    change: (_, { parameters }) => delete parameters["lstm.bias_hh_l0"],
    says: /missing parameter/,
  },
  "the meaning of another output": {
    change: (_, { meanings }) => meanings.y = { loss: "mse" },
    says: /the network has no output "y"; there is "output"/,
  },
  "quantiles that do not fit": {
    change: (_, { meanings }) => meanings.output = { loss: "quantile", quantiles: [0.1, 0.5, 0.9] },
    says: /2 outputs must be a multiple of the 3 quantiles/,
  },
};

for (const [name, { change, says }] of Object.entries(TAMPERED)) {
  Deno.test(`a checkpoint of a network is refused with ${name}`, async () => {
    const network = defineNetwork(({ numbers, lstm, concat, linear }) => {
      const { state } = lstm("lstm", numbers("x", 3), { hiddenSize: 2 });
      return linear("fc", concat([state, state]), 2);
    });
    using model = await createModel(network, { loss: "mse" });
    const file = JSON.parse(await formatCheckpoint({ model }));
    change(file.network, file);
    await assert.rejects(parseCheckpoint(signed(file)), (error: Error) => {
      assert.match(error.message, says);
      assert.ok(errorCause(error), "it has no code");
      return true;
    });
  });
}

for (const [name, { network, says }] of Object.entries(FILES)) {
  Deno.test(`a network from a file is refused: ${name}`, async () => {
    await assert.rejects(createModel(network as Network), says);
  });
}

Deno.test("a trainer's steps are of this batch's kind: weights, dropout masks and initial states come and go", async () => {
  const network = defineNetwork(({ numbers, gru, dropout, linear }) =>
    linear("fc", dropout(gru("gru", numbers("x", 3), { hiddenSize: 4 }).state, 0.5), 2)
  );
  using model = await createModel(network, { loss: "mse", simd: "plain" });
  const random = new Random(1, "data"), trainer = createTrainer(model);
  const plain = { x: normals(random, 2 * 5 * 3), shape: [2, 5, 3] }, targets = normals(random, 4);
  const started = { ...plain, h0: normals(random, 8) }, weights = Float32Array.of(3, 0.5);
  const dropoutMask = Float32Array.of(2, 0, 2, 0, 0, 2, 2, 2), ones = new Float32Array(8).fill(1);
  for (let turn = 0; turn < 2; turn++) {
    for (const batch of [plain, started]) {
      for (
        const options of [{ dropoutMask: ones }, { dropoutMask }, { dropoutMask, weights }, {
          dropoutMask: ones,
          weights,
        }]
      ) {
        const { loss } = await model.gradients(batch, targets, options);
        assert.equal((await trainer.step(batch, targets, options)).loss, loss);
      }
    }
  }
});

Deno.test("each dropout layer draws a mask of its own", async () => {
  const network = defineNetwork(({ numbers, dropout }) => {
    const x = numbers("x", 16);
    return { a: dropout(x, 0.5), b: dropout(x, 0.5), c: dropout(dropout(x, 0.5), 0.5) };
  });
  using model = await createModel(network);
  const trainer = createTrainer(model, { losses: { a: { loss: "mse" } } }), n = 3 * 20 * 16;
  const kept = new Map<string, number[]>();
  await trainer.step({ x: new Float32Array(n).fill(1), shape: [3, 20, 16] }, ({ values }) => {
    for (const name of ["a", "b", "c"]) kept.set(name, [...values[name]!.data].map((y) => Number(y !== 0)));
    return { loss: 0, dOutputs: {} };
  });
  const share = (names: string[]) =>
    kept.get("a")!.filter((_, i) => names.every((name) => kept.get(name)![i])).length / n;
  for (const [names, expected] of [[["a"], 0.5], [["b"], 0.5], [["a", "b"], 0.25], [["c"], 0.25]] as const) {
    // Six standard deviations.
    assert.ok(Math.abs(share([...names]) - expected) < 6 * Math.sqrt(expected / n), `${names}: ${share([...names])}`);
  }
});
