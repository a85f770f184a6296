import assert from "node:assert/strict";
import { createModel } from "../../core/model/model.ts";
import { evaluate } from "../../core/train/evaluate.ts";
import { createTrainer } from "../../core/train/trainer.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { DEVICES, WEBGPU } from "../devices.ts";
import {
  batchOf,
  type Case,
  comparisons,
  configOf,
  fixtures,
  named,
  numbers,
  readFixture,
  stepOf,
  type StoredTensor,
  type StoredTensors,
  trainerOptionsOf,
  type Trajectory,
} from "../golden.ts";

for (const { name: device, options: deviceOptions, ignore } of DEVICES) {
  for (const { name, read } of fixtures<Case>("cases-")) {
    Deno.test(`outputs, loss and gradients are PyTorch's: ${name}, ${device}`, { ignore }, async () => {
      const stored = read(), { sequences, targets, ...options } = batchOf(stored.config, stored.inputs);
      using model = await createModel(configOf(stored.config), deviceOptions);
      await model.loadStateDict(named(stored.params));
      const results = await model.gradients(sequences, targets, options);
      for (const { name, actual, expected, allowed } of comparisons(stored, results)) {
        assertClose(actual, expected, allowed, name);
      }
      const { values, ...outputs } = await model.forward(sequences);
      assert.equal(values.logits, outputs.logits);
      for (const [name, { shape, data }] of Object.entries(outputs)) {
        const same = results.outputs[name as keyof typeof outputs];
        assert.deepEqual(shape, same.shape);
        // forward has no dropout mask, which acts behind the context.
        if (name !== "logits" || !options.dropoutMask) assertIdentical(data, same.data, `${name} of forward`);
      }
    });
  }
}

for (const { name: device, options, ignore } of [DEVICES[0]!, WEBGPU]) {
  for (const { name, read } of fixtures<Trajectory>("trajectories-")) {
    Deno.test(`training goes the way of PyTorch's: ${name}, ${device}`, { ignore }, async () => {
      const { config, params, batches, float64, float32, float32_error } = read();
      using model = await createModel(configOf(config), options);
      await model.loadStateDict(named(params));
      const trainer = createTrainer(model, trainerOptionsOf(config));
      // As for the parameters: ten times PyTorch's own error in single precision, taken over all steps because a single one
      // may be right by luck, and what a unit in the last place does.
      const relative = (a: number, k: number) => Math.abs(a / float64.grad_norms[k]! - 1);
      const normError = Math.max(...float32.grad_norms.map(relative));
      let compared = 0;
      for (let k = 0; k < float64.losses.length; k++) {
        const { loss, gradNorm } = await stepOf(trainer, config, batches[k % batches.length]!);
        assertClose([loss], [float64.losses[k]!], 2e-6, `loss of step ${k}`);
        const norm = float64.grad_norms[k]!;
        assertClose([gradNorm], [norm], norm * (10 * normError + 2e-6), `gradient norm of step ${k}`);
        const expected = float64.steps[k + 1];
        if (!expected) continue;
        compared++;
        const state = await model.stateDict(), { slots } = await trainer.state();
        for (const [parameter, tensor] of Object.entries(expected.params)) {
          const allowed = 10 * float32_error[k + 1]! + 2e-6;
          assertClose(state[parameter]!.data, numbers(tensor), allowed, `${parameter} after step ${k}`);
          const single: StoredTensors = float32.steps[k + 1]!.optimizer_state[parameter]!;
          const optimizerState: StoredTensors = expected.optimizer_state[parameter]!;
          assert.deepEqual(Object.keys(slots), Object.keys(optimizerState));
          for (const [slot, moment] of Object.entries(optimizerState)) {
            // Again ten times PyTorch's own error, and a share of the largest value: state goes from 1 down to 1e-12.
            const exact = numbers(moment), own = numbers(single[slot]!);
            const allowed = 10 * largest(own.map((value, i) => value - exact[i]!)) + 2e-6 * largest(exact);
            assertClose(slots[slot]![parameter]!.data, exact, allowed, `${slot} of ${parameter} after step ${k}`);
          }
        }
      }
      assert.equal(compared, Object.keys(float64.steps).length);
    });
  }
}

Deno.test("a PyTorch checkpoint gives the same accuracy, logits and losses", async () => {
  const { params } = readFixture<{ params: StoredTensors }>("checkpoint/model.json");
  const data = readFixture<StoredTensors>("checkpoint/data.json");
  const { final_model_in_eval_mode: metrics } = readFixture<{
    final_model_in_eval_mode: Record<
      "train" | "test",
      { loss: number; loss_over_samples: number; accuracy: number; logits: StoredTensor }
    >;
  }>("checkpoint/metrics.json");
  using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 });
  await model.loadStateDict(named(params));
  for (const part of ["train", "test"] as const) {
    const x = data[`${part}_x`]!, { data: targets } = named({ y: data[`${part}_y`]! }).y!;
    const dataset = { x: Float32Array.from(numbers(x)), shape: x.shape, targets };
    const { loss, lossOverSamples, accuracy } = await evaluate(model, dataset, { loss: "bce", batchSize: 32 });
    const expected = metrics[part];
    assert.equal(accuracy, expected.accuracy);
    assertClose([loss], [expected.loss], 1e-5, `${part} loss`);
    assertClose([lossOverSamples], [expected.loss_over_samples], 1e-5, `${part} loss over samples`);
    const { logits } = await model.forward(dataset);
    assertClose(logits.data, numbers(expected.logits), 1e-4, `${part} logits`);
  }
});
