import { DataLoader, type Dataset } from "../data/dataset.ts";
import { fail } from "../errors.ts";
import type { LossName, LossOptions } from "../model/head.ts";
import { coreOf, type Model, type NamedArray, type Sequences } from "../model/model.ts";
import { Ahead, Later } from "./ahead.ts";
import { classificationMetrics, type ClassificationOptions, regressionMetrics, type TaskMetrics } from "./metrics.ts";
import { Turns } from "../device/turns.ts";

/** What {@linkcode evaluate} returns. */
export interface Metrics {
  /** Mean of the batches' losses, as the usual loop in PyTorch prints it. */
  readonly loss: number;
  /** Mean over all sequences by their weights, whatever the batches. */
  readonly lossOverSamples: number;
  /** Share of sequences that are right, 0 to 1; 0 for "mse". */
  readonly accuracy: number;
}

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions extends Partial<LossOptions> {
  /** Sequences per batch. Default 32. */
  batchSize?: number;
  /** Stops at it. */
  signal?: AbortSignal;
}

/** Options of {@linkcode evaluate} for more than loss and accuracy. */
export interface DetailedOptions extends EvaluateOptions, ClassificationOptions {
  /** Computes {@linkcode DetailedMetrics}, which takes another pass over the data. */
  metrics: true;
}

/** What {@linkcode evaluate} returns with `metrics`. */
export interface DetailedMetrics extends Metrics {
  /** By the loss: of classes, of labels, or of numbers, these in the unit of the targets. */
  readonly metrics: TaskMetrics;
  /** What they are computed from (N, O): probabilities, or values for "mse". */
  readonly probabilities: NamedArray;
}

/**
 * Loss and accuracy of a model on a dataset, in evaluation mode; with `metrics`, all that predictions can be judged by.
 *
 * A sequence is right where the largest logit stands over the largest target (or the class); with one output and "bce",
 * where the logit is above 0 as the target is above 0.5.
 *
 * @param options The loss and its weights (default: those of the model's trainer, else "bce"; with `loss`, only the weights
 * given here), the sequences per batch (default 32), a signal to stop at; `metrics`, with the `labels` of the classes, and
 * `multilabel` where a sequence may have any number of them.
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
 *
 * const { metrics } = await evaluate(model, sampleDataset({ size: 100 }), { metrics: true, labels: ["above", "below"] });
 * assert.ok(metrics.kind === "classification" && metrics.accuracy === accuracy && metrics.rocAuc! > 0.2);
 * ```
 */
export function evaluate(
  model: Model,
  dataset: Dataset,
  options: DetailedOptions,
): Promise<DetailedMetrics>;
/** The same without `metrics`: loss and accuracy alone. */
export function evaluate(model: Model, dataset: Dataset, options?: EvaluateOptions): Promise<Metrics>;
export async function evaluate(
  model: Model,
  dataset: Dataset,
  options: EvaluateOptions & Partial<DetailedOptions> = {},
): Promise<Metrics | DetailedMetrics> {
  const core = coreOf(model), trained = options.loss ? undefined : core.trained, { batchSize } = options;
  const { loss = trained?.loss ?? "bce", classWeights = trained?.classWeights, posWeight = trained?.posWeight } =
    options;
  const loader = new DataLoader(dataset, { batchSize }), turns = new Turns();
  let sum = 0, weighted = 0, weights = 0, correct = 0;
  const ahead = new Ahead<{ loss: number; correct: number; weight: number }>(model, core.stepsAhead, (stats) => {
    sum += stats.loss;
    weighted += stats.loss * stats.weight;
    weights += stats.weight;
    correct += stats.correct;
  });
  for (const batch of loader) {
    const { fetch, weight } = await core.exclusive(async () => {
      const request = { loss, classWeights, posWeight, targets: batch.targets, weights: batch.weights };
      const { plan, weight } = await core.run(batch, { purpose: "evaluate", ...request });
      return { fetch: core.stats(plan), weight };
    });
    await ahead.add(new Later(async () => ({ ...await fetch(), weight })));
    await turns.offer();
    options.signal?.throwIfAborted();
  }
  await ahead.drain();
  if (weights === 0) throw fail("weights-zero", "evaluate model", "the weights of all sequences are 0");
  const accuracy = correct / dataset.shape[0]!;
  const metrics = { loss: sum / loader.length, lossOverSamples: weighted / weights, accuracy };
  if (!options.metrics) return metrics;
  const probabilities = await gather(model, loader, loss, options.signal);
  return { ...metrics, metrics: taskMetrics(loss, probabilities, dataset.targets, options), probabilities };
}

/** What the model says of all sequences, one batch after the other. */
async function gather(model: Model, loader: DataLoader, loss: LossName, signal?: AbortSignal): Promise<NamedArray> {
  const N = loader.dataset.shape[0]!, O = model.config.outputSize, core = coreOf(model), turns = new Turns();
  const data = new Float32Array(N * O);
  let row = 0;
  for (const batch of loader) {
    const { probabilities } = await core.predict(batch, loss);
    data.set(probabilities.data, row * O);
    row += batch.shape[0]!;
    await turns.offer();
    signal?.throwIfAborted();
  }
  return { shape: [N, O], data };
}

/** The metrics that a loss calls for. */
function taskMetrics(
  loss: LossName,
  probabilities: NamedArray,
  targets: Dataset["targets"],
  { labels, multilabel }: ClassificationOptions,
): TaskMetrics {
  if (loss !== "mse") return classificationMetrics(probabilities, targets, { labels, multilabel });
  return regressionMetrics(probabilities, { shape: probabilities.shape, data: targets });
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
