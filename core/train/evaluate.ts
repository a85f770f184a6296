import { DataLoader, type Dataset } from "../data/dataset.ts";
import type { LossName, LossOptions } from "../model/head.ts";
import { coreOf, type Model, type NamedArray, type Sequences } from "../model/model.ts";
import { Ahead, Later } from "./ahead.ts";
import { Turns } from "../device/turns.ts";

/** What {@linkcode evaluate} returns. */
export interface Metrics {
  /** Mean of the batches' losses, as the usual loop in PyTorch prints it. */
  readonly loss: number;
  /** Mean over all sequences, whatever the batches. */
  readonly lossOverSamples: number;
  /** Share of sequences that are right, 0 to 1; 0 for "mse". */
  readonly accuracy: number;
}

/**
 * Loss and accuracy of a model on a dataset, in evaluation mode.
 *
 * A sequence is right where the largest logit stands over the largest target (or the class); with one output and "bce",
 * where the logit is above 0 as the target is above 0.5.
 *
 * @param options The loss and its weights (default: those of the model's trainer, else "bce"; with `loss`, only the weights
 * given here), the sequences per batch (default 32), and a signal to stop at.
 * @throws {TypeError | RangeError} If the data do not fit the model.
 * @throws What `signal` was aborted with.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, evaluate, sampleDataset } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
 * const { loss, accuracy } = await evaluate(model, sampleDataset({ size: 100 }));
 * assert.ok(loss > 0.5 && accuracy < 0.8); // nothing learnt yet
 * ```
 */
export async function evaluate(
  model: Model,
  dataset: Dataset,
  options: Partial<LossOptions> & { batchSize?: number; signal?: AbortSignal } = {},
): Promise<Metrics> {
  if (dataset.weights ?? options.classWeights ?? options.posWeight) {
    throw new TypeError("Cannot evaluate model: weights are not built yet");
  }
  const { loss = model.loss ?? "bce", batchSize } = options;
  const loader = new DataLoader(dataset, { batchSize }), core = coreOf(model), turns = new Turns();
  let sum = 0, weighted = 0, correct = 0;
  const ahead = new Ahead<{ loss: number; correct: number; rows: number }>(model, core.stepsAhead, (stats) => {
    sum += stats.loss;
    weighted += stats.loss * stats.rows;
    correct += stats.correct;
  });
  for (const batch of loader) {
    const fetch = await core.exclusive(async () =>
      core.stats(await core.run(batch, { purpose: "evaluate", loss, targets: batch.targets }))
    );
    await ahead.add(new Later(async () => ({ ...await fetch(), rows: batch.shape[0]! })));
    await turns.offer();
    options.signal?.throwIfAborted();
  }
  await ahead.drain();
  const N = dataset.shape[0]!;
  return { loss: sum / loader.length, lossOverSamples: weighted / N, accuracy: correct / N };
}

/** What {@linkcode predict} returns. */
export interface Prediction {
  /** (B, O): probabilities, each output by itself ("bce") or adding up to 1 ("crossEntropy"), or values ("mse"). */
  readonly probabilities: NamedArray;
  /** How much each step counted (B, T); rows add up to 1. */
  readonly attentionWeights: NamedArray;
}

/**
 * What a model says of sequences.
 *
 * @param sequences Inputs (B, T, I).
 * @param options The loss that the model was trained with, which says what its outputs mean. Default: that of the model's
 * trainer, else "bce".
 * @throws {TypeError | RangeError} If the sequences do not fit the model.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, predict } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
 * const { probabilities, attentionWeights } = await predict(model, { x: new Float32Array(50), shape: [1, 10, 5] });
 * assert.deepEqual([probabilities.shape, attentionWeights.shape], [[1, 2], [1, 10]]);
 * ```
 */
export async function predict(
  model: Model,
  sequences: Sequences,
  options: { loss?: LossName } = {},
): Promise<Prediction> {
  const { loss = model.loss ?? "bce" } = options;
  return await coreOf(model).predict(sequences, loss);
}
