/** Streams of models as one file: after each step they say what the whole sequence does, and compute that step alone. */

import assert from "node:assert/strict";
import { exportModule, type ModuleOptions } from "../../core/exchange/module.ts";
import type { ModelFile } from "../../core/exchange/config.ts";
import { modelFile } from "../../core/exchange/model_file.ts";
import { Pipeline } from "../../core/data/pipeline.ts";
import { defineNetwork } from "../../core/model/define.ts";
import { createModel, type NetworkModel } from "../../core/model/model.ts";
import { createPredictor } from "../../core/model/predictor.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";

/** An answer of a model without a pipeline. */
type Said = { readonly attention?: readonly number[] } & Readonly<Record<string, unknown>>;

interface Module {
  predict(sequence: unknown): Said;
  start(): {
    push(step: unknown, inputs?: Readonly<Record<string, Float32Array>>): Said;
    reset(): void;
    readonly steps: number;
  };
  useWasm(source?: BufferSource): Promise<void>;
}

const FORMS = ["inline", "none", "file"] as const;
let count = 0;

async function moduleOf(file: ModelFile, options: ModuleOptions) {
  const files = await exportModule(file, options), text = new TextDecoder().decode(files["model.js"]);
  const module: Module = await import(`data:text/javascript;base64,${files["model.js"]!.toBase64()}#streams${count++}`);
  return { ...module, text, wasm: files["model.wasm"] };
}

const simd = "plain";

/** Networks whose steps may come one by one. */
const NETWORKS: Record<string, () => Promise<NetworkModel>> = {
  "the ready-made model": () =>
    createModel({ inputSize: 3, hiddenSize: 7, outputSize: 2, numLayers: 2, dropout: 0.5, loss: "bce" }, { simd }),
  "softmax, LSTM": () =>
    createModel({ inputSize: 1, hiddenSize: 5, outputSize: 3, cell: "lstm", loss: "crossEntropy" }, { simd }),
  "an output at every step": () =>
    createModel(
      defineNetwork(({ numbers, gru, lstm, layerNorm, concat, tanh, linear }) => {
        const x = numbers("x", 3), below = gru("gru", x, { hiddenSize: 6 }).output;
        return linear(
          "fc",
          concat([layerNorm("norm", below), tanh(lstm("lstm", below, { hiddenSize: 5 }).output), x]),
          5,
        );
      }),
      { loss: "crossEntropy", simd },
    ),
  "all poolings": () =>
    createModel(
      defineNetwork(({ numbers, lstm, last, mean, max, concat, relu, linear }) => {
        const { output, state } = lstm("lstm", numbers("x", 2), { hiddenSize: 5, numLayers: 2 });
        return linear("fc", concat([last(output), mean(output), max(relu(output)), state]), 2);
      }),
      { loss: "mse", simd },
    ),
  "attention beside the mean": () =>
    createModel(
      defineNetwork(({ numbers, gru, attention, mean, concat, linear, layerNorm }) => {
        const { output, state } = gru("gru", linear("in", numbers("x", 3), 6), { hiddenSize: 5 });
        const keys = layerNorm("norm", output);
        return linear(
          "fc",
          concat([attention("attention", { query: state, keys }, { size: 9 }).context, mean(output)]),
          1,
        );
      }),
      { loss: "mse", simd },
    ),
};

for (const [name, make] of Object.entries(NETWORKS)) {
  Deno.test(`a module's stream has the bits of the whole sequence after every step: ${name}`, async () => {
    using model = await make();
    using predictor = await createPredictor(model);
    const file = await modelFile(model), isPerStep = name.includes("every step"), random = new Random(3, "data");
    const width = model.network.layers[0]!.options!.size as number, T = 150;
    const rows = [0, 1].map(() => Array.from({ length: T }, () => [...normals(random, width)]));
    const expected = rows.map((steps) =>
      steps.map((_, t) => {
        const { outputs, attentionWeights } = predictor.predict(Float32Array.from(steps.slice(0, t + 1).flat()));
        return [[...isPerStep ? outputs.slice(-5) : outputs], [...attentionWeights]];
      })
    );
    const saidOf = ({ attention = [], ...said }: Said) => [Object.values(said).flat(2), [...attention]];
    for (const wasm of FORMS) {
      const { start, predict, useWasm, wasm: binary } = await moduleOf(file, { wasm }), streams = [start(), start()];
      for (let t = 0; t < T; t++) {
        // They take turns, others are predicted in between, and some steps are wrong.
        if (wasm === "file" && t === 40) await useWasm(binary);
        if (t % 7 === 3) predict(rows[0]!.slice(0, t % 11 + 1));
        if (t % 29 === 5) {
          assert.throws(() => streams[0]!.push(Array(width).fill(NaN)), new RegExp(`in step ${t + 1}$`));
          assert.throws(() => streams[1]!.push([...rows[0]![0]!, 1]), new RegExp(`step ${t + 1} must have ${width}`));
        }
        for (const i of t % 3 ? [0, 1] : [1, 0]) {
          assert.deepEqual(saidOf(streams[i]!.push(rows[i]![t])), expected[i]![t], `${wasm}, ${t + 1} steps`);
          assert.equal(streams[i]!.steps, t + 1);
        }
      }
      streams[0]!.reset();
      assert.equal(streams[0]!.steps, 0);
      for (const t of [0, 1]) assert.deepEqual(saidOf(streams[0]!.push(rows[1]![t])), expected[1]![t], "after a reset");
    }
  });
}

Deno.test("a long stream has the bits of the whole sequence, from 1 to 2,000 steps", async () => {
  using model = await createModel({ inputSize: 2, hiddenSize: 6, outputSize: 2, loss: "bce" }, { simd });
  using predictor = await createPredictor(model);
  const T = 2000, x = normals(new Random(4, "data"), 2 * T), own = predictor.stream(), file = await modelFile(model);
  const streams = await Promise.all(
    ["inline", "none"].map(async (wasm) => (await moduleOf(file, { wasm } as ModuleOptions)).start()),
  );
  for (let t = 0; t < T; t++) {
    const step = x.subarray(2 * t, 2 * t + 2), { outputs, attentionWeights } = own.push(step);
    const expected = { probabilities: [...outputs], attention: [...attentionWeights] };
    for (const stream of streams) assert.deepEqual(stream.push([...step]), expected, `${t + 1} steps`);
  }
  const { outputs } = predictor.predict(x), last = own.push(Float32Array.of(0, 0));
  assert.equal(outputs.length, last.outputs.length);
});

Deno.test("a push computes its step alone: kernels see one row, however long the stream is", async () => {
  using model = await createModel({ inputSize: 2, hiddenSize: 6, outputSize: 2, loss: "bce" }, { simd });
  const { text } = await moduleOf(await modelFile(model), { wasm: "none" });
  // What the plan calls over rows is over those from `s` on.
  assert.match(text, /\(T,r,c,s=0,C=T\)=>/);
  assert.equal(text.match(/,T-s,/g)!.length, 3);
  using both = await createModel(
    defineNetwork(({ numbers, gru, mean, linear }) =>
      linear("fc", mean(gru("gru", numbers("x", 2), { hiddenSize: 3, bidirectional: true }).output), 1)
    ),
    { loss: "mse", simd },
  );
  const module = await moduleOf(await modelFile(both), { wasm: "inline" }),
    stream = module.start(),
    all: number[][] = [];
  assert.doesNotMatch(module.text, /T-s/);
  for (let t = 0; t < 9; t++) {
    all.push([t / 9, 1 - t]);
    assert.deepEqual(stream.push(all.at(-1)), module.predict(all));
  }
});

Deno.test("streams of sequences with gaps say what the whole sequence does", async () => {
  const random = new Random(8, "data");
  const records = Array.from({ length: 12 }, (_, n) => ({
    values: Float64Array.from({ length: 12 }, () => random.below(5) ? 1000 + random.below(977) / 7 : NaN),
    steps: 6,
    channels: 2,
    labels: [["a", "b", "c"][n % 3]!],
    place: `record ${n}`,
  }));
  for (const missing of ["zero", "mean", "last"] as const) {
    const pipeline = Pipeline.fit(records, { missing }), { inputSize, outputSize, loss } = pipeline;
    using model = await createModel({ inputSize, outputSize, loss, hiddenSize: 5 }, { seed: 1, simd });
    const file = await modelFile(model, { preprocessing: pipeline.toJSON() });
    const { predict, start, text } = await moduleOf(file, { wasm: "inline" }), stream = start(), all: unknown[] = [];
    assert.match(text, /T-s/);
    for (let t = 0; t < 120; t++) {
      const gap = (every: number) => t % every ? 1000 + random.below(90) : null;
      all.push(t % 13 === 12 || t % 31 === 30 ? [null, null] : [gap(17), gap(19)]);
      assert.deepEqual(stream.push(all.at(-1)), predict(all), `${missing}, ${t + 1} steps`);
    }
    // What came before is not read again but for a value that is missing, and where more room is made.
    const fresh = start(), reads: number[] = [];
    const counted = (t: number, step: (number | null)[]) =>
      new Proxy(step, {
        get(target, field) {
          if (field === "0") reads[t] = (reads[t] ?? 0) + 1;
          return Reflect.get(target, field);
        },
      });
    for (let t = 0; t < 180; t++) {
      fresh.push(counted(t, [1000 + t, t % 5 ? 1000 - t : null]));
      if (t === 70) reads.length = 0;
    }
    assert.ok(reads.slice(0, 70).every((count) => !count), missing);
    assert.ok(reads.slice(71).every((count) => count <= 4), `${missing}: ${reads}`);
  }
});

Deno.test("streams take a network's other inputs a step at a time, as those of createPredictor do", async () => {
  const make = (bidirectional: boolean) =>
    createModel(
      defineNetwork(({ numbers, vector, gru, mean, concat, linear }) => {
        const { output, state } = gru("gru", concat([numbers("x", 2), numbers("clock", 3)]), {
          hiddenSize: 4,
          bidirectional,
        });
        return linear("fc", concat([mean(output), state, vector("place", 2)]), 2);
      }),
      { loss: "mse", simd },
    );
  const T = 90, random = new Random(2, "data"), place = normals(random, 2, 1);
  const [x, clock] = [normals(random, 2 * T, 1), normals(random, 3 * T, 1)];
  for (const bidirectional of [false, true]) {
    using model = await make(bidirectional);
    using predictor = await createPredictor(model);
    const file = await modelFile(model), own = bidirectional ? undefined : predictor.stream();
    for (const wasm of ["inline", "none"] as const) {
      const { start, text } = await moduleOf(file, { wasm }), stream = start();
      assert.equal(/T-s/.test(text), !bidirectional);
      for (let t = 0; t < T; t++) {
        const inputs = { clock: clock.slice(3 * t, 3 * t + 3), place }, step = x.slice(2 * t, 2 * t + 2);
        const all = { clock: clock.slice(0, 3 * t + 3), place };
        const { outputs } = predictor.predict(x.slice(0, 2 * t + 2), all), said = stream.push(step, inputs);
        assert.deepEqual(said, { values: [...outputs] }, `${t + 1} steps`);
        if (wasm === "none" && own) assert.deepEqual([...own.push(step, inputs).outputs], said.values);
        if (t === 50) assert.throws(() => stream.push(step, { clock, place }), /"clock" must have 156 numbers/);
      }
    }
  }
});
