/**
 * Networks of layers chosen at random, against the same networks in double precision: values, losses, and gradients by
 * central differences. A value that two layers read, or none, is where layers that know nothing of each other may go wrong.
 */

import assert from "node:assert/strict";
import fc from "npm:fast-check@4.10.2";
import {
  createModel,
  createPredictor,
  createTrainer,
  defineNetwork,
  type NetworkModel,
  predict,
  type StateDict,
} from "../../mod.ts";
import { LOSSES, type LossName } from "../../core/model/losses.ts";
import { Random } from "../../core/random.ts";
import { resolveNetwork } from "../../core/model/network.ts";
import { normals } from "../batches.ts";
import { assertClose, largest } from "../close.ts";
import { DEVICES } from "../devices.ts";
import { makeTrial, type Trial } from "../random_networks.ts";
import { rowLoss } from "../reference_layers.ts";
import { type Arrays, type ReferenceValue, runNetwork } from "../reference_network.ts";

/** Half the distance of the points of a difference quotient in double precision. */
const STEP = 1e-5;

const trials = fc.tuple(fc.array(fc.nat(1000), { minLength: 90, maxLength: 90 }), fc.nat(1e6))
  .map(([choices, seed]) => ({ trial: makeTrial(choices, seed), toString: () => JSON.stringify([choices, seed]) }));

/** Runs a check on many networks, the same ones each time. FUZZ_RUNS and FUZZ_SEED try others. */
async function holds(runs: number, check: (trial: Trial) => Promise<void>) {
  const property = fc.asyncProperty(trials, async ({ trial }) => {
    try {
      await check(trial);
    } catch (error) {
      const { network, losses } = trial;
      throw new Error(`${(error as Error).message}\n${JSON.stringify({ network, losses })}`, { cause: error });
    }
  });
  const [numRuns, seed] = [Number(Deno.env.get("FUZZ_RUNS") ?? runs), Number(Deno.env.get("FUZZ_SEED") ?? 1)];
  await fc.assert(property, { numRuns, seed });
}

/** The inputs of all sequences by name; those that have a gradient come first. */
function inputsOf({ network, sequences: { x, inputs, states }, dropoutMask }: Trial): Arrays {
  const entries = network.layers.filter(({ type }) => ["numbers", "tokens", "vector"].includes(type));
  const first = entries.find(({ type }) => type !== "vector") ?? entries[0]!;
  const dropout = network.layers.find(({ type }) => type === "dropout");
  return {
    [first.name]: x,
    ...inputs,
    ...states,
    ...dropoutMask && dropout && { [`${dropout.name}.mask`]: dropoutMask },
  };
}

/** What sequence `b` has of an input. */
function rowsOf({ network, sequences: { shape: [B] } }: Trial, name: string, data: ArrayLike<number>, b: number) {
  const array = Array.from(data), n = array.length / B!;
  if (!/\.[hc]0$/.test(name)) return array.slice(b * n, (b + 1) * n);
  const { hiddenSize: H } = network.layers.find((layer) => name.startsWith(`${layer.name}.`))!.options as {
    hiddenSize: number;
  };
  return Array.from({ length: array.length / (B! * H) }, (_, l) => array.slice((l * B! + b) * H, (l * B! + b + 1) * H))
    .flat();
}

/** The values of each sequence. */
function reference(trial: Trial, parameters: Arrays, inputs: Arrays): Readonly<Record<string, ReferenceValue>>[] {
  return Array.from(trial.sequences.lengths, (length, b) => {
    const own = Object.entries(inputs).map(([name, data]) => [name, rowsOf(trial, name, data, b)]);
    return runNetwork(trial.network, parameters, Object.fromEntries(own), length);
  });
}

const KERNELS: Record<LossName, Parameters<typeof rowLoss>[0]> = {
  bce: "bceLoss",
  crossEntropy: "crossEntropyLoss",
  mse: "mseLoss",
  mae: "maeLoss",
  huber: "huberLoss",
  quantile: "quantileLoss",
  focal: "focalLoss",
  binaryFocal: "binaryFocalLoss",
};

/** Σ over outputs of weight · Σ s·l / Σ s over all rows. */
function lossOf(trial: Trial, values: readonly Readonly<Record<string, ReferenceValue>>[]): number {
  const { network, losses, targets, weights, sequences: { shape: [, T] } } = trial;
  let total = 0;
  for (const [output, { loss, weight = 1, quantiles }] of Object.entries(losses)) {
    const source = network.outputs[output]!, own = targets[output]!;
    const steps = !(values[0]![source] instanceof Float64Array),
      width = own.length / (values.length * (steps ? T! : 1));
    let sum = 0, count = 0;
    values.forEach((sequence, b) => {
      const value = sequence[source]!, rows = value instanceof Float64Array ? [value] : value, s = weights?.[b] ?? 1;
      rows.forEach((row, t) => {
        const start = (b * (steps ? T! : 1) + t) * width, target = own.subarray(start, start + width);
        const [term] = rowLoss(KERNELS[loss], target, { quantiles, gamma: 2, delta: 1 }).forward([row])[0]!;
        sum += s * term! / (LOSSES[loss].targets === "classes" ? 1 : row.length);
        count += s;
      });
    });
    total += weight * sum / count;
  }
  return total;
}

/** Parameters far from a new model's zeros and ones. */
async function shake(model: NetworkModel, seed: number): Promise<StateDict> {
  const random = new Random(seed, "init"), state = await model.stateDict();
  for (const { data } of Object.values(state)) data.forEach((value, i) => data[i] = value + 0.3 * random.normal());
  await model.loadStateDict(state);
  return state;
}

const datas = (dict: Readonly<Record<string, { data: Float32Array }>>) =>
  Object.fromEntries(Object.entries(dict).map(([name, { data }]) => [name, data]));

/** A random direction of length 1 in which a parameter may move: not along the row of a padding token. */
function directionOf({ network }: Trial, name: string, n: number, random: Random): Float64Array {
  const direction = Float64Array.from({ length: n }, () => random.normal());
  const { options = {} } = network.layers.find((layer) => name === `${layer.name}.weight`) ?? {};
  const { paddingIdx: padding, embeddingDim: E } = options as { paddingIdx?: number; embeddingDim: number };
  if (padding !== undefined) direction.fill(0, padding * E, (padding + 1) * E);
  const length = Math.hypot(...direction) || 1;
  return direction.map((d) => d / length);
}

const along = (direction: Float64Array, gradient: ArrayLike<number>) =>
  direction.reduce((sum, d, i) => sum + d * gradient[i]!, 0);

/** Gradients along directions of each array, against difference quotients. */
function checkGradients(
  trial: Trial,
  found: Arrays,
  arrays: Arrays,
  loss: (name: string, moved: Float64Array) => number,
  scale: number,
) {
  const random = new Random(5, "data");
  for (const [name, gradient] of Object.entries(found)) {
    for (let turn = 0; turn < 2; turn++) {
      const direction = directionOf(trial, name, gradient.length, random), size = Math.hypot(...Array.from(gradient));
      const at = (step: number) => loss(name, Float64Array.from(arrays[name]!, (v, i) => v + step * direction[i]!));
      const slope = (at(STEP) - at(-STEP)) / (2 * STEP);
      const allowed = 2e-5 * size + 2e-6 * scale;
      assertClose([along(direction, gradient)], [slope], allowed, `gradient of ${name}, of size ${size}`);
    }
  }
}

for (const device of DEVICES) {
  Deno.test({
    name: `a random network's values, loss and gradients are those in double precision: ${device.name}`,
    ignore: device.ignore,
    fn: () =>
      holds(device.name === "WebGPU" ? 12 : 80, async (trial) => {
        const { network, losses, sequences, targets, weights, dropoutMask } = trial;
        using model = await createModel(network, { seed: 1, ...device.options });
        const parameters = datas(await shake(model, 2)), inputs = inputsOf(trial);
        const found = await model.gradients(sequences, targets, { losses, weights, dropoutMask });
        // Nothing of an earlier batch is left in memory that is added to.
        assert.deepEqual(await model.gradients(sequences, targets, { losses, weights, dropoutMask }), found);
        const values = reference(trial, parameters, inputs), [B, T] = sequences.shape as [number, number];
        for (const [name, { shape }] of Object.entries(resolveNetwork(network).outputs)) {
          if (shape.kind === "states") continue;
          const rows = values.flatMap((sequence) => {
            const value = sequence[network.outputs[name]!]!, all = value instanceof Float64Array ? [value] : value;
            const padding = value instanceof Float64Array ? 0 : T - value.length;
            return [...all.flatMap((row) => [...row]), ...new Float64Array(padding * shape.size)];
          });
          assert.equal(rows.length, B * shape.size * (shape.kind === "rows" ? 1 : T));
          assertClose(found.outputs.values[name]!.data, rows, 1e-5 * (1 + largest(rows)), name);
        }
        const loss = lossOf(trial, values);
        assertClose([found.loss], [loss], 1e-5 * (1 + Math.abs(loss)), "loss");
        const gradients = datas(found.parameters), byInput = datas(found.inputs);
        const wanted = Object.fromEntries(
          Object.keys(inputs).filter((name) => inputs[name] instanceof Float32Array && !name.endsWith(".mask")).map(
            (name) => [name, byInput[name]!],
          ),
        );
        const scale = 1 + Math.max(...Object.values({ ...gradients, ...wanted }).map(largest));
        // The row of a padding token gets no gradient.
        for (const { type, name, options } of network.layers) {
          const padding = type === "embedding" && options!.paddingIdx as number;
          if (!padding) continue;
          const E = options!.embeddingDim as number,
            row = gradients[`${name}.weight`]!.subarray(padding * E, (padding + 1) * E);
          assert.ok(row.every((g) => g === 0));
        }
        checkGradients(trial, gradients, parameters, (name, moved) =>
          lossOf(trial, reference(trial, { ...parameters, [name]: moved }, inputs)), scale);
        checkGradients(trial, wanted, inputs, (name, moved) =>
          lossOf(trial, reference(trial, parameters, { ...inputs, [name]: moved })), scale);
      }),
  });
}

Deno.test("a random network steps along the gradient, in one batch or in several", async () => {
  await holds(80, async (trial) => {
    const { network, losses, sequences, targets, weights, dropoutMask } = trial;
    using model = await createModel(network, { seed: 1, simd: "plain" });
    const before = await shake(model, 2);
    if (!model.parameters.length) return;
    const options = { losses, optimizer: { name: "sgd" as const, learningRate: 1 } }, given = { weights, dropoutMask };
    // Without dropout, but for the mask.
    const all = dropoutMask ?? firstMask(trial, 1), rest = { ...given, dropoutMask: all };
    const { parameters, loss } = await model.gradients(sequences, targets, { losses, ...rest });
    const check = async (what: string) => {
      const after = await model.stateDict();
      for (const [name, { data }] of Object.entries(before)) {
        const expected = data.map((v, i) => v - parameters[name]!.data[i]!);
        assertClose(after[name]!.data, expected, 1e-5 * (1 + largest(parameters[name]!.data)), `${what}: ${name}`);
      }
      await model.loadStateDict(before);
    };
    if (!all) {
      const trainer = createTrainer(model, options), layers = network.layers;
      if (layers.some(({ options }) => (options?.dropout as number) > 0)) return;
      assertClose([(await trainer.step(sequences, targets, given)).loss], [loss], 1e-6 * (1 + loss), "loss of a step");
      await check("a step");
      return await inParts(trial, model, options, () => check("two batches"));
    }
    await createTrainer(model, options).step(sequences, targets, rest);
    await check("a step");
  });
});

/** A mask of ones for the first dropout layer: nothing is dropped then. */
function firstMask({ network, sequences: { shape: [B, T] } }: Trial, value: number): Float32Array | undefined {
  const node = resolveNetwork(network).nodes.find(({ type }) => type === "dropout");
  if (!node) return undefined;
  const { kind, size } = node.inputs.input!;
  return new Float32Array(B! * size * (kind === "steps" ? T! : 1)).fill(value);
}

/** Two batches for one update, where losses count rows alike. */
async function inParts(trial: Trial, model: NetworkModel, options: object, check: () => Promise<void>) {
  const { sequences: { x, shape: [B, T, I], lengths, inputs = {}, states = {} }, targets, weights } = trial;
  if (B! < 2) return;
  const kinds = new Set(
    Object.keys(trial.losses).map((name) => resolveNetwork(trial.network).outputs[name]!.shape.kind),
  );
  if (kinds.size > 1 && !lengths.every((length) => length === 1)) return;
  const trainer = createTrainer(model, options), at = 1;
  for (const [from, to] of [[0, at], [at, B!]] as const) {
    // deno-lint-ignore no-explicit-any -- of either type
    const part = (data: any) => data.slice(from * data.length / B!, to * data.length / B!);
    const state = (name: string, data: Float32Array) => {
      const rows = Array.from({ length: to - from }, (_, i) => rowsOf(trial, name, data, from + i));
      const { hiddenSize: H } = trial.network.layers.find((l) => name.startsWith(`${l.name}.`))!.options as {
        hiddenSize: number;
      };
      const count = rows[0]!.length / H;
      return Float32Array.from(
        Array.from({ length: count }, (_, l) => rows.map((r) => r.slice(l * H, (l + 1) * H))).flat(2),
      );
    };
    const each = <T>(all: Readonly<Record<string, T>>, f: (data: T, name: string) => T) =>
      Object.fromEntries(Object.entries(all).map(([name, data]) => [name, f(data, name)]));
    const batch = {
      x: part(x),
      shape: [to - from, T!, I!],
      lengths: part(lengths),
      inputs: each(inputs, part),
      states: each(states, (data, name) => state(name, data)),
    };
    await trainer.step(batch, each(targets, part), { weights: weights && part(weights), update: to === B });
  }
  await check();
}

/** The gradient of a step with dropout at random, against difference quotients in single precision. */
async function checkDropout(trial: Trial) {
  const { network, losses, sequences, targets, weights } = trial;
  using model = await createModel(network, { seed: 1, simd: "plain" });
  const before = await shake(model, 2), trainer = createTrainer(model, { losses }), random = new Random(3, "data");
  if (!model.parameters.length) return;
  const run = () => trainer.replay(sequences, targets as never, { weights, step: 3 });
  const { parameters } = await run();
  const size = Math.hypot(...Object.values(parameters).map(({ data }) => Math.hypot(...data)));
  for (const [name, { shape, data }] of Object.entries(before)) {
    const direction = directionOf(trial, name, data.length, random), step = 5e-3;
    const at = async (step: number) => {
      const moved = { shape, data: data.map((v, i) => v + step * direction[i]!) };
      await model.loadStateDict({ ...before, [name]: moved });
      return (await run()).loss;
    };
    const [ahead, here, behind] = [await at(step), await at(0), await at(-step)], allowed = 0.02 * size + 2e-3;
    // Absolute values and largest ones have corners.
    if (Math.abs(ahead + behind - 2 * here) > allowed * step) continue;
    const slope = (ahead - behind) / (2 * step);
    assertClose([along(direction, parameters[name]!.data)], [slope], allowed, `gradient of ${name}`);
  }
}

Deno.test("a random network's gradient is that of the dropout it draws", () => holds(60, checkDropout));

Deno.test("dropout after a dropout of nothing leaves the gradient of what others read alone", async () => {
  const random = new Random(1, "data"), [B, T] = [3, 4];
  const network = defineNetwork(({ numbers, linear, dropout }) => {
    const x = linear("a", numbers("x", 5), 3);
    return { dropped: linear("b", dropout(dropout(x, 0), 0.5), 2), read: linear("c", x, 2) };
  });
  const targets = { dropped: normals(random, B * T * 2), read: normals(random, B * T * 2) };
  const sequences = { x: normals(random, B * T * 5), shape: [B, T, 5], lengths: Int32Array.of(4, 1, 3) };
  await checkDropout({ network, losses: { dropped: { loss: "mse" }, read: { loss: "mse" } }, sequences, targets });
});

Deno.test("nothing behind a length matters to a random network", async () => {
  await holds(60, async (trial) => {
    const { network, losses, sequences, targets, weights } = trial, { lengths, shape: [B, T] } = sequences;
    // deno-lint-ignore no-explicit-any -- of either type
    const dirty = (data: any) => {
      const copy = data.slice(), width = copy.length / (B! * T!), behind = copy instanceof Int32Array ? -7 : NaN;
      for (let b = 0; b < B!; b++) copy.fill(behind, (b * T! + lengths[b]!) * width, (b + 1) * T! * width);
      return copy;
    };
    const kindOf = (name: string) => network.layers.find((layer) => layer.name === name)!.type;
    const shapes = resolveNetwork(network).outputs, perStep = (name: string) => shapes[name]!.shape.kind === "steps";
    const other = {
      ...sequences,
      x: dirty(sequences.x),
      inputs: Object.fromEntries(
        Object.entries(sequences.inputs!).map(([name, data]) => [name, kindOf(name) === "vector" ? data : dirty(data)]),
      ),
    };
    const behind = Object.entries(targets).map(([name, data]) => [name, perStep(name) ? dirty(data) : data]);
    using model = await createModel(network, { seed: 1, simd: "plain" });
    await shake(model, 2);
    const a = await model.gradients(sequences, targets, { losses, weights });
    const b = await model.gradients(other, Object.fromEntries(behind), { losses, weights });
    assert.deepEqual(b, a);
  });
});

Deno.test("a predictor says of each sequence of a random network what predict says", async () => {
  await holds(60, async (trial) => {
    const { network, losses, sequences } = trial, { lengths, shape: [B, T] } = sequences;
    using model = await createModel(network, { seed: 1, simd: "plain" });
    await shake(model, 2);
    const { states: _, ...batch } = sequences, shapes = resolveNetwork(network).outputs;
    for (const [output, { loss }] of Object.entries(losses)) {
      using predictor = await createPredictor(model, { loss, output });
      const { data } = (await predict(model, batch, { loss, output })).outputs, { kind, size } = shapes[output]!.shape;
      for (let b = 0; b < B!; b++) {
        const entries = Object.entries(inputsOf({ ...trial, dropoutMask: undefined })).filter(([name]) =>
          !/\.[hc]0$/.test(name)
        );
        const own = entries.map(([name, all]) => {
          const rows = rowsOf(trial, name, all, b),
            vector = network.layers.find((l) => l.name === name)!.type === "vector";
          const kept = vector ? rows : rows.slice(0, rows.length / T! * lengths[b]!);
          return [name, all instanceof Int32Array ? Int32Array.from(kept) : Float32Array.from(kept)] as const;
        });
        const [[, x], ...others] = own as [readonly [string, Float32Array], ...(readonly [string, Float32Array])[]];
        const { outputs } = predictor.predict(x, Object.fromEntries(others)),
          n = kind === "rows" ? size : lengths[b]! * size;
        const start = b * (kind === "rows" ? 1 : T!) * size;
        const expected = data.subarray(start, start + n);
        assertClose(outputs, expected, 3e-6 * (1 + largest(expected)), `${output} of sequence ${b}`);
      }
    }
  });
});
