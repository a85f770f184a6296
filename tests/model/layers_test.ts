/**
 * Networks of layers against PyTorch's results: outputs, losses, every gradient, on every device; and one sequence at a
 * time. The fixtures were made by scripts/fixtures/layers.py.
 */

import assert from "node:assert/strict";
import {
  createModel,
  createPredictor,
  type LossName,
  type LossSettings,
  type Network,
  type NetworkModel,
  predict,
  type Sequences,
  type Targets,
} from "../../mod.ts";
import { LOSSES } from "../../core/model/losses.ts";
import { resolveNetwork } from "../../core/model/network.ts";
import { assertClose } from "../close.ts";
import { DEVICES } from "../devices.ts";
import { named, numbers, type StoredTensor, type StoredTensors } from "../golden.ts";

interface LayerCase {
  readonly network: Network;
  readonly losses: Record<string, { loss: LossName; weight?: number; perStep?: boolean } & LossSettings>;
  readonly params: StoredTensors;
  readonly inputs: StoredTensors;
  readonly float64: { outputs: StoredTensors; param_grads: StoredTensors; input_grads: StoredTensors };
  readonly float32_error: Record<string, { max_abs_error: number; max_abs_value: number }>;
}

const FOLDER = new URL("../testdata/layers/", import.meta.url);
const CASES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();

function read(name: string): LayerCase {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
}

const floats = (tensor: StoredTensor) => Float32Array.from(numbers(tensor));
const integers = (tensor: StoredTensor) => Int32Array.from(numbers(tensor));

/** The batch of a case, as a model takes it. */
function sequencesOf({ network, inputs }: LayerCase): Sequences {
  const entries = network.layers.filter(({ type }) => ["numbers", "vector", "tokens"].includes(type));
  const first = entries.find(({ type }) => type !== "vector") ?? entries[0]!, { shape } = inputs[first.name]!;
  const others = entries.filter((node) => node !== first).map(({ name }) => [name, floats(inputs[name]!)]);
  const states = Object.keys(inputs).filter((name) => /\.[hc]0$/.test(name)).map((
    name,
  ) => [name, floats(inputs[name]!)]);
  return {
    x: floats(inputs[first.name]!),
    shape: shape.length === 2 ? [shape[0]!, 1, shape[1]!] : shape,
    ...inputs.lengths && { lengths: integers(inputs.lengths) },
    ...others.length && { inputs: Object.fromEntries(others) },
    ...states.length && { states: Object.fromEntries(states) },
  };
}

function targetsOf({ inputs, losses }: LayerCase): Record<string, Targets> {
  return Object.fromEntries(
    Object.entries(losses).map(([output, { loss }]) => {
      const stored = inputs[`targets.${output}`]!;
      return [output, LOSSES[loss].targets === "classes" ? integers(stored) : floats(stored)];
    }),
  );
}

function lossesOf({ losses }: LayerCase) {
  return Object.fromEntries(Object.entries(losses).map(([output, { perStep: _, ...loss }]) => [output, loss]));
}

/** As the fixtures of the ready-made model: how far PyTorch itself is off, and a little for other orders of sums. */
function assertAll(
  c: LayerCase,
  group: "outputs" | "param_grads" | "input_grads",
  found: Record<string, ArrayLike<number>>,
) {
  for (const [name, expected] of Object.entries(c.float64[group])) {
    const { max_abs_error, max_abs_value } = c.float32_error[`${group}.${name}`]!;
    assert.ok(found[name], `${group}.${name} is missing`);
    assertClose(found[name], numbers(expected), 8 * max_abs_error + 2e-6 * max_abs_value + 1e-9, `${group}.${name}`);
  }
}

async function modelOf(c: LayerCase, options: object): Promise<NetworkModel> {
  const model = await createModel(c.network, options);
  await model.loadStateDict(named(c.params));
  return model;
}

for (const device of DEVICES) {
  for (const name of CASES) {
    Deno.test({
      name: `a network's outputs, loss and gradients are PyTorch's: ${name.slice(0, -5)}, ${device.name}`,
      ignore: device.ignore,
      async fn() {
        const c = read(name);
        using model = await modelOf(c, device.options);
        const { loss, outputs, parameters, inputs } = await model.gradients(sequencesOf(c), targetsOf(c), {
          losses: lossesOf(c),
          ...c.inputs.weights && { weights: floats(c.inputs.weights) },
        });
        const values = Object.entries(outputs.values).map(([name, { data }]) => [name, data]);
        assertAll(c, "outputs", { ...Object.fromEntries(values), loss: [loss] });
        assertAll(c, "param_grads", Object.fromEntries(Object.entries(parameters).map(([n, { data }]) => [n, data])));
        assertAll(c, "input_grads", Object.fromEntries(Object.entries(inputs).map(([n, { data }]) => [n, data])));
      },
    });
  }
}

for (const name of CASES) {
  const c = read(name), given = Object.keys(c.inputs).some((input) => /\.[hc]0$/.test(input));
  // Initial states of predictors are 0.
  if (given) continue;
  Deno.test(`a predictor says what predict says of a network: ${name.slice(0, -5)}`, async () => {
    using model = await modelOf(c, { simd: "plain" });
    const sequences = sequencesOf(c),
      { shape: [B, T, I], lengths } = sequences as Sequences & { shape: [number, number, number] };
    for (const [output, { loss, quantiles }] of Object.entries(c.losses)) {
      const { shape } = resolveNetwork(c.network).outputs[output]!, steps = shape.kind === "steps";
      using predictor = await createPredictor(model, { loss, output });
      const expected = await predict(model, sequences, { loss, output });
      assert.equal(expected.predicts, quantiles ? "quantiles" : LOSSES[loss].predicts);
      for (let b = 0; b < B; b++) {
        const length = lengths?.[b] ?? T,
          others = Object.entries(sequences.inputs ?? {}).map(([name, data]) => {
            const width = data.length / B;
            return [name, data.slice(b * width, (b + 1) * width)];
          });
        const x = sequences.x.slice(b * T * I, (b * T + length) * I),
          found = predictor.predict(x, Object.fromEntries(others));
        const start = b * (steps ? T : 1) * shape.size, n = (steps ? length : 1) * shape.size;
        assertClose(
          found.outputs,
          expected.outputs.data.subarray(start, start + n),
          2e-6,
          `${output} of sequence ${b}`,
        );
        if (!expected.attentionWeights) continue;
        const weights = expected.attentionWeights.data.subarray(b * T, b * T + length);
        assertClose(found.attentionWeights, weights, 1e-6, `attention weights of sequence ${b}`);
      }
    }
  });
}
