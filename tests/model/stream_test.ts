import assert from "node:assert/strict";
import { createModel, createPredictor, defineNetwork, type NetworkModel, type Predictor } from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertIdentical } from "../close.ts";

/** Networks whose steps may come one by one, each with the numbers of a step. */
const NETWORKS: Record<string, () => Promise<NetworkModel>> = {
  "the ready-made model": () =>
    createModel({ inputSize: 3, hiddenSize: 7, outputSize: 2, numLayers: 2, dropout: 0.5, loss: "bce" }),
  "softmax, LSTM": () =>
    createModel({ inputSize: 1, hiddenSize: 5, outputSize: 3, cell: "lstm", loss: "crossEntropy" }),
  "an output at every step": () =>
    createModel(
      defineNetwork(({ numbers, gru, layerNorm, linear }) =>
        linear("fc", layerNorm("norm", gru("gru", numbers("x", 3), { hiddenSize: 6 }).output), 5)
      ),
      { loss: "crossEntropy" },
    ),
  "all poolings": () =>
    createModel(
      defineNetwork(({ numbers, lstm, last, mean, max, concat, relu, linear }) => {
        const { output } = lstm("lstm", numbers("x", 2), { hiddenSize: 5, numLayers: 2 });
        return linear("fc", concat([last(output), mean(output), max(relu(output))]), 2);
      }),
      { loss: "mse" },
    ),
  "attention beside the mean": () =>
    createModel(
      defineNetwork(({ numbers, gru, attention, mean, concat, linear }) => {
        const { output, state } = gru("gru", numbers("x", 3), { hiddenSize: 5 });
        return linear(
          "fc",
          concat([attention("attention", { query: state, keys: output }, { size: 9 }).context, mean(output)]),
          1,
        );
      }),
      { loss: "mse" },
    ),
};

/** What is predicted of the first steps, as copies. */
function whole(predictor: Predictor, x: Float32Array, width: number, T: number) {
  const { outputs, attentionWeights } = predictor.predict(x.slice(0, T * width));
  return { outputs: outputs.slice(), attentionWeights: attentionWeights.slice() };
}

for (const [name, make] of Object.entries(NETWORKS)) {
  Deno.test(`a stream has the bits of the whole sequence after every step: ${name}`, async () => {
    using model = await make();
    using predictor = await createPredictor(model);
    const width = model.network.layers[0]!.options!.size as number, T = 150, random = new Random(3, "data");
    const sequences = [normals(random, T * width), normals(random, T * width)], isPerStep = name.includes("every step");
    const streams = sequences.map(() => predictor.stream());
    for (let t = 0; t < T; t++) {
      // One of them pushes more often: they take turns, and one gets ahead.
      for (const i of t % 3 ? [0, 1] : [1, 0]) {
        const x = sequences[i]!, found = streams[i]!.push(x.subarray(t * width, (t + 1) * width));
        const { outputs, attentionWeights } = whole(predictor, x, width, t + 1);
        const own = isPerStep ? outputs.subarray(-found.outputs.length) : outputs;
        assertIdentical(found.outputs, own, `outputs after ${t + 1} steps`);
        assertIdentical(found.attentionWeights, attentionWeights, `weights after ${t + 1} steps`);
      }
    }
    streams[0]!.reset();
    assert.equal(streams[0]!.steps, 0);
    const again = streams[0]!.push(sequences[1]!.subarray(0, width));
    assertIdentical(again.outputs, whole(predictor, sequences[1]!, width, 1).outputs, "after a reset");
  });
}

Deno.test("a long stream has the bits of the whole sequence", async () => {
  using model = await createModel({ inputSize: 2, hiddenSize: 6, outputSize: 2, loss: "bce" });
  using predictor = await createPredictor(model);
  const T = 2000, x = normals(new Random(4, "data"), T * 2), stream = predictor.stream();
  for (let t = 0; t < T; t++) {
    const found = stream.push(x.subarray(2 * t, 2 * t + 2));
    if (t % 97 && t + 1 < T) continue;
    const expected = whole(predictor, x, 2, t + 1);
    assertIdentical(found.outputs, expected.outputs, `outputs after ${t + 1} steps`);
    assertIdentical(found.attentionWeights, expected.attentionWeights, `weights after ${t + 1} steps`);
  }
});

Deno.test("tokens come one by one too", async () => {
  using model = await createModel({
    numEmbeddings: 20,
    paddingIdx: 0,
    inputSize: 4,
    hiddenSize: 5,
    outputSize: 2,
    loss: "bce",
  });
  using predictor = await createPredictor(model);
  const stream = predictor.stream(), tokens = Int32Array.of(3, 19, 1, 7);
  tokens.forEach((token, t) => {
    const { outputs } = stream.push(Int32Array.of(token));
    assertIdentical(outputs, predictor.predict(tokens.slice(0, t + 1)).outputs, `${t + 1} tokens`);
  });
  // What is refused leaves the stream as it was.
  assert.throws(() => stream.push(Int32Array.of(20)), RangeError);
  assert.throws(() => stream.push(Int32Array.of(1, 2)), RangeError);
  assert.equal(stream.steps, 4);
  const after = Int32Array.of(...tokens, 5);
  assertIdentical(stream.push(Int32Array.of(5)).outputs, predictor.predict(after).outputs, "after what was refused");
});

Deno.test("what cannot be a stream is refused", async () => {
  using model = await createModel({ inputSize: 1, hiddenSize: 2, outputSize: 1, bidirectional: true, loss: "mse" });
  using predictor = await createPredictor(model);
  assert.throws(() => predictor.stream(), { name: "TypeError", message: /"gru" is bidirectional/ });
  using rows = await createModel(defineNetwork(({ vector, linear }) => linear("fc", vector("x", 2), 1)), {
    loss: "mse",
  });
  using ofRows = await createPredictor(rows);
  assert.throws(() => ofRows.stream(), { name: "TypeError", message: /"x" has no steps/ });
});

Deno.test("a stream ends with its predictor", async () => {
  using model = await createModel({ inputSize: 1, hiddenSize: 2, outputSize: 1, loss: "mse" });
  const predictor = await createPredictor(model), stream = predictor.stream();
  predictor.dispose();
  assert.throws(() => stream.push(Float32Array.of(1)), { name: "TypeError", message: /disposed/ });
  const other = await createPredictor(model);
  other.dispose();
  for (const gone of [predictor, other]) {
    assert.throws(() => gone.stream(), { name: "TypeError", message: /disposed/ });
  }
});
