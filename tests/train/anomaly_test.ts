import assert from "node:assert/strict";
import {
  createModel,
  type Dataset,
  type ModelConfig,
  sampleDataset,
  type StateDict,
  Training,
  type TrainOptions,
} from "../../mod.ts";

const CONFIG: ModelConfig = { inputSize: 5, hiddenSize: 8, outputSize: 2, numLayers: 2, dropout: 0.2 };
const DATA: Dataset = sampleDataset({ size: 70, steps: 4, seed: 1 });
const QUICK: TrainOptions = { epochs: 3, batchSize: 16, shuffle: false, detectAnomaly: true };

/** How training ends. */
async function failure(
  options: TrainOptions,
  { data = DATA, config = CONFIG, change = (_: StateDict): void => {} } = {},
): Promise<string> {
  using model = await createModel(config, { seed: 1 });
  const state = await model.stateDict();
  change(state);
  await model.loadStateDict(state);
  const training = new Training(model, data, { ...QUICK, ...options });
  try {
    await training.run();
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
    assert.match(error.message, /^Cannot continue training: /);
    return error.message.replace("Cannot continue training: ", "");
  }
  return "none";
}

/** Sequence 20, in batch 2, brings +∞ into the n gate, where it meets the −∞ of SPOIL's weights. */
const SPOILT: Dataset = { ...DATA, x: (DATA.x as Float32Array).slice().fill(3e38, 20 * 20, 21 * 20) };
const SPOIL = (state: StateDict) => {
  state["gru.weight_ih_l0"]!.data.fill(0, 0, 5).fill(0, 8 * 5, 9 * 5)[16 * 5] = 10;
  state["gru.weight_hh_l0"]!.data[16 * 8] = -3e38;
  state["gru.bias_hh_l0"]!.data[16] = -3e38;
};

/** Targets of "mse", all 0 but one. */
function targets(at: number, value: number): Dataset {
  const all = new Float32Array(140);
  all[at] = value;
  return { ...DATA, targets: all };
}

Deno.test("detectAnomaly names the parameter that an update spoilt", async () => {
  const sgd: TrainOptions = { optimizer: { name: "sgd", learningRate: 3e38, momentum: 0.9 }, clipValue: 3e38 };
  const message = await failure({ ...sgd, loss: "mse" }, { data: targets(0, 1e3) });
  assert.match(
    message,
    /^in epoch 1, batch 1, parameter "[\w.]+", updated, is the first that is not finite: -?(Infinity|NaN) at \[[\d,]+\]$/,
  );
});

Deno.test("detectAnomaly names what goes wrong in the forward pass, with its place", async () => {
  const huge = 3e38;
  const layer = await failure({}, {
    change(state) {
      // The first layer's states are 1; in the second's n gate, +∞ from the input meets −∞ from the state.
      state["gru.bias_ih_l0"]!.data.fill(-100, 8, 16).fill(100, 16);
      state["gru.weight_ih_l1"]!.data.fill(huge, 16 * 8, 17 * 8);
      state["gru.weight_hh_l1"]!.data.fill(-huge, 16 * 8, 17 * 8);
      state["gru.bias_hh_l1"]!.data[16] = -huge;
    },
  });
  assert.match(
    layer,
    /^in epoch 1, batch 1, the output \(sequence, step, unit\) of GRU layer 1 .*NaN at \[0,[123],0\]$/,
  );
  const first = await failure({ optimizer: { learningRate: 0 } }, { data: SPOILT, change: SPOIL });
  assert.match(first, /^in epoch 1, batch 2, the state \(layer, sequence, unit\) of the GRU is .*NaN at \[0,4,0\]$/);
  const logits = await failure({}, {
    change(state) {
      // The context is made of ones.
      for (const layer of [0, 1]) state[`gru.bias_ih_l${layer}`]!.data.fill(-100, 8, 16).fill(100, 16);
      state["fc.weight"]!.data.fill(huge);
    },
  });
  assert.match(logits, /^in epoch 1, batch 1, the logits .* at \[\d+,\d\]$/);
});

Deno.test("detectAnomaly names the loss, a gradient, or its norm", async () => {
  const loss = await failure({ loss: "mse" }, { data: targets(2 * 40, 1e30) });
  assert.equal(loss, "in epoch 1, batch 3, the loss is the first that is not finite: Infinity");
  // Of a single number 1e19 off, the loss is 1e38 and the gradient 2e19, whose square is no float32.
  const single: Dataset = { ...DATA, targets: new Float32Array(70).fill(1e19, 3, 4) };
  const norm = await failure({ loss: "mse", batchSize: 1 }, { data: single, config: { ...CONFIG, outputSize: 1 } });
  assert.equal(
    norm,
    "in epoch 1, batch 4, the norm of the gradient, of finite numbers, is the first that is not finite: Infinity",
  );
  // Two equal units of the first layer cancel out in the second, but not in what comes back from it.
  const gradient = await failure({}, {
    config: { ...CONFIG, dropout: 0 },
    change(state) {
      for (const [name, { shape, data }] of Object.entries(state)) {
        if (!/^gru.*_l0$/.test(name)) continue;
        const width = shape[1] ?? 1;
        for (const gate of [0, 8, 16]) data.copyWithin((gate + 1) * width, gate * width, (gate + 1) * width);
      }
      state["gru.weight_ih_l1"]!.data.fill(0).set([2 ** 100, -(2 ** 100)], 16 * 8);
      state["fc.weight"]!.data.fill(1e20);
    },
  });
  assert.match(gradient, /^in epoch 1, batch 1, the gradient of "gru.bias_hh_l0" is the first .* at \[\d+\]$/);
});

Deno.test("detectAnomaly looks at every batch of an update, with the dropout it had", async () => {
  const message = await failure({ loss: "mse", accumulate: 5 }, { data: targets(2 * 20, 1e30) });
  assert.equal(message, "in epoch 1, batch 2, the loss is the first that is not finite: Infinity");
});

Deno.test("detectAnomaly names what goes wrong in validation", async () => {
  const message = await failure({ validation: SPOILT, optimizer: { learningRate: 0 } }, { change: SPOIL });
  assert.match(message, /^the validation loss is NaN after epoch 1; batch 2: the state .*NaN at \[0,4,\d\]$/);
  const loss = await failure({ loss: "mse", validation: targets(0, 1e30) }, { data: targets(0, 1) });
  assert.equal(loss, "the validation loss is Infinity after epoch 1; the loss is the first that is not finite");
});

Deno.test("detectAnomaly leaves the parameters from before the update, and changes no result", async () => {
  using model = await createModel(CONFIG, { seed: 1 });
  const before = await model.stateDict();
  const training = new Training(model, targets(0, 1e30), { ...QUICK, loss: "mse" });
  await assert.rejects(training.run(), /the loss is the first/);
  assert.deepEqual(await model.stateDict(), before);

  const run = async (detectAnomaly: boolean) => {
    using model = await createModel(CONFIG, { seed: 1 });
    const training = new Training(model, DATA, { ...QUICK, accumulate: 2, validation: DATA, detectAnomaly });
    return { history: await training.run(), parameters: await model.stateDict() };
  };
  assert.deepEqual(await run(true), await run(false));
});

Deno.test("without detectAnomaly the batch is named, and that detectAnomaly says more", async () => {
  const message = await failure({ loss: "mse", detectAnomaly: false }, { data: targets(2 * 40, 1e30) });
  assert.match(message, /^the loss is Infinity in epoch 1, batch 3; .*detectAnomaly \(--detect-anomaly\)/);
});
