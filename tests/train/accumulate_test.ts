/** Gradients of several batches for one update, between steps that do not accumulate: no plan may serve both. */

import assert from "node:assert/strict";
import {
  createModel,
  createTrainer,
  type Dataset,
  type ModelOptions,
  sampleDataset,
  type StateDict,
  subset,
} from "../../mod.ts";
import { assertClose } from "../close.ts";
import { DEVICES } from "../devices.ts";

const CONFIG = { inputSize: 5, hiddenSize: 6, outputSize: 2 };
const DATA = sampleDataset({ size: 24, steps: 4, seed: 1 });
/** Four batches of one shape, so that all steps ask for the same plans but for what they do with the gradient. */
const BATCHES = [0, 1, 2, 3].map((batch) => subset(DATA, Array.from({ length: 6 }, (_, i) => 6 * batch + i)));

const LEARNING_RATE = 0.5;

/** What trainings come to: the norm of the gradient at every update, and the parameters at the end. */
interface Outcome {
  readonly norms: readonly number[];
  readonly parameters: StateDict;
}

/** Trains; batches in one list share an update. */
async function trained(device: ModelOptions, updates: readonly (readonly Dataset[])[]): Promise<Outcome> {
  using model = await createModel(CONFIG, { seed: 3, ...device });
  const optimizer = { name: "sgd", learningRate: LEARNING_RATE } as const;
  const trainer = createTrainer(model, { optimizer }), norms: number[] = [];
  for (const batches of updates) {
    for (const batch of batches.slice(0, -1)) await trainer.step(batch, batch.targets, { update: false });
    const last = batches.at(-1)!;
    norms.push((await trainer.step(last, last.targets)).gradNorm);
  }
  assert.equal(trainer.steps, updates.length);
  return { norms, parameters: await model.stateDict() };
}

/** The same without a trainer: the gradient of all an update's batches as one, taken off by hand. */
async function byHand(device: ModelOptions, updates: readonly (readonly Dataset[])[]): Promise<Outcome> {
  using model = await createModel(CONFIG, { seed: 3, ...device });
  const norms: number[] = [];
  for (const batches of updates) {
    const rows = batches.flatMap((batch) => Array.from({ length: 6 }, (_, i) => 6 * BATCHES.indexOf(batch) + i));
    const large = subset(DATA, rows);
    const { parameters: gradients } = await model.gradients(large, large.targets, { loss: "bce" });
    const parameters = await model.stateDict();
    for (const [name, { data }] of Object.entries(gradients)) {
      for (const [i, gradient] of data.entries()) parameters[name]!.data[i]! -= LEARNING_RATE * gradient;
    }
    await model.loadStateDict(parameters);
    norms.push(Math.hypot(...Object.values(gradients).flatMap(({ data }) => [...data])));
  }
  return { norms, parameters: await model.stateDict() };
}

const [a, b, c, d] = BATCHES as [Dataset, Dataset, Dataset, Dataset];
for (const { name, options, ignore } of DEVICES) {
  for (
    const [order, updates] of [
      ["alone, together, alone", [[a], [b, c], [d], [a, b, c], [d]]],
      ["together, alone, together", [[a, b], [c], [d, a], [b]]],
    ] as const
  ) {
    Deno.test(`batches that share an update are one large batch, ${order} (${name})`, { ignore }, async () => {
      const shared = await trained(options, updates), large = await byHand(options, updates);
      assertClose(Float32Array.from(shared.norms), large.norms, 1e-6, "norms");
      for (const [key, { data }] of Object.entries(large.parameters)) {
        assertClose(shared.parameters[key]!.data, data, 1e-6, key);
      }
    });
  }
}
