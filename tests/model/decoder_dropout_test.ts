/** Dropout between a decoder's layers, as torch.nn.GRU and torch.nn.LSTM have it: tests/testdata/decoder_dropout.json. */

import assert from "node:assert/strict";
import type { CellName } from "../../core/model/layers/cells.ts";
import { defineNetwork } from "../../core/model/define.ts";
import { createModel, type NetworkModel } from "../../core/model/model.ts";
import { createTrainer } from "../../core/train/trainer.ts";
import { assertClose } from "../close.ts";
import { DEVICES as COMMON, type TestDevice } from "../devices.ts";
import { named, numbers, type StoredTensor, type StoredTensors } from "../golden.ts";

interface Case {
  readonly cell: CellName;
  readonly shape: readonly [B: number, S: number, U: number];
  readonly sizes: {
    readonly D: number;
    readonly H: number;
    readonly A: number;
    readonly O: number;
    readonly L: number;
  };
  readonly params: StoredTensors;
  readonly inputs: StoredTensors;
  readonly lengths: StoredTensor;
  readonly targetLengths: StoredTensor;
  readonly layerMasks: readonly StoredTensor[];
  readonly loss: number;
  readonly outputs: StoredTensor;
  readonly param_grads: StoredTensors;
  readonly input_grads: StoredTensors;
}

const CASES: Case[] = JSON.parse(
  Deno.readTextFileSync(new URL("../testdata/decoder_dropout.json", import.meta.url)),
);

const WIDE: TestDevice = { name: "wide SIMD on 4 threads", options: { simd: "wide", threads: 4 }, ignore: false };
const DEVICES = [...COMMON, WIDE];

const floats = (tensor: StoredTensor) => Float32Array.from(numbers(tensor));
const integers = (tensor: StoredTensor) => Int32Array.from(numbers(tensor));

function networkOf({ cell, sizes: { D, H, A, O, L } }: Case, layerDropout = 0) {
  return defineNetwork(({ numbers, vector, decoder }) => ({
    output: decoder("decoder", {
      keys: numbers("keys", D),
      state: vector("state", L * H),
      targets: numbers("targets", O, { axis: "target" }),
      start: vector("start", O),
      ...cell === "lstm" && { cell: vector("cell", L * H) },
    }, { hiddenSize: H, numLayers: L, cell, attentionSize: A, layerDropout }).output,
  }));
}

function batchOf({ shape: [B, S, U], sizes: { D }, inputs, lengths, targetLengths }: Case) {
  const { keys, ...others } = inputs;
  return {
    x: floats(keys!),
    shape: [B, S, D],
    lengths: integers(lengths),
    axes: { target: { steps: U, lengths: integers(targetLengths) } },
    inputs: Object.fromEntries(Object.entries(others).map(([name, tensor]) => [name, floats(tensor)])),
  };
}

for (const device of DEVICES) {
  for (const stored of CASES) {
    Deno.test({
      name: `dropout between a decoder's layers is PyTorch's: ${stored.cell}, ${device.name}`,
      ignore: device.ignore,
      async fn() {
        using model = await createModel(networkOf(stored), device.options);
        await model.loadStateDict(named(stored.params));
        const sequences = batchOf(stored), { targets } = sequences.inputs;
        const masks = stored.layerMasks.map((mask, l) => [`decoder.layerMask${l + 1}`, floats(mask)] as const);
        const found = await model.gradients(sequences, { output: targets! }, {
          loss: "mse",
          dropoutMasks: Object.fromEntries(masks),
        });
        const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) =>
          assertClose(actual, expected, 2e-6 * Math.max(1, ...Array.from(expected, Math.abs)), what);
        close([found.loss], [stored.loss], "loss");
        close(found.outputs.values.output!.data, numbers(stored.outputs), "outputs");
        assert.deepEqual(Object.keys(found.parameters).sort(), Object.keys(stored.param_grads).sort());
        for (const [name, tensor] of Object.entries(stored.param_grads)) {
          close(found.parameters[name]!.data, numbers(tensor), name);
        }
        for (const [name, tensor] of Object.entries(stored.input_grads)) {
          close(found.inputs[name]!.data, numbers(tensor), name);
        }
        const plain = await model.gradients(sequences, { output: targets! }, { loss: "mse" });
        assert.ok(Math.abs(plain.loss - stored.loss) > 1e-4, "the masks matter");
      },
    });
  }
}

Deno.test("it is drawn in training alone, the same on any number of threads, and other by layer and step", async () => {
  const [stored] = CASES as [Case], batch = batchOf(stored), targets = { output: batch.inputs.targets! };
  const steps = async (options: object, layerDropout: number) => {
    using model: NetworkModel = await createModel(networkOf(stored, layerDropout), { ...options, seed: 4 });
    const before = await model.forward(batch), trainer = createTrainer(model, { loss: "mse", seed: 5 });
    const losses = [];
    for (let i = 0; i < 3; i++) losses.push((await trainer.step(batch, targets.output)).loss);
    return { before: before.values.output!.data, losses, state: await model.stateDict() };
  };
  const one = await steps({ threads: 1 }, 0.5), four = await steps({ threads: 4 }, 0.5), none = await steps({}, 0);
  assert.deepEqual(four, one);
  assert.deepEqual(none.before, one.before);
  assert.notDeepEqual(none.losses, one.losses);
});
