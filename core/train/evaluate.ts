import { DataLoader, type Dataset } from "../data/dataset.ts";
import type { ClassificationOptions } from "../data/metrics/classification.ts";
import { isPairs, type PairDataset } from "../data/pairs.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import { fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { shares } from "../fleet/fleet.ts";
import type { NamedArray } from "../model/arrays.ts";
import type { Sequences } from "../model/batch.ts";
import { checkFiniteOutputs } from "../model/finite.ts";
import type { Internals } from "../model/internals.ts";
import { LOSSES, type LossName, type LossOptions, type ResolvedLoss } from "../model/losses.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import type { RunTask, TaskLoss } from "../model/session.ts";
import { Yielder } from "../device/event_loop.ts";
import { LazyResult, ResultQueue } from "../device/results.ts";
import type { BatchSource, TrainingData } from "./batch_source.ts";
import { batchSource, datasetFor } from "./batches.ts";
import { ACTION, allOutputs, run } from "./outputs.ts";
import { PairSource } from "./pair_batches.ts";
import type { PairMetrics } from "./pair_metrics.ts";
import { gatherNumbers } from "./together.ts";
import { checkWatchers } from "./validate.ts";

/** Loss and accuracy over data. */
export interface Scores {
  /** Mean of the batches' losses, as in the usual PyTorch loop. */
  readonly loss: number;
  /** Mean over all sequences by their weights, whatever the batches. */
  readonly lossOverSamples: number;
  /** Share of sequences that are right, 0 to 1; for an output of every step, share of steps; 0 for a loss of values. */
  readonly accuracy: number;
}

/**
 * Result of {@linkcode evaluate}. Of pairs they are those of a decoder that runs free: it is fed its own output at every step,
 * as in use, and compared with the targets step by step.
 */
export interface Metrics extends Scores {
  /** Of pairs: the same with the targets fed at every step, teacher forcing, which flatters; absent of other data. */
  readonly forced?: Scores;
}

/** Options of {@linkcode evaluate}. */
export interface EvaluateOptions extends Partial<LossOptions> {
  /** Sequences per batch. Default 32. */
  batchSize?: number;
  /** Stops the evaluation. */
  signal?: AbortSignal;
}

/** Options of {@linkcode evaluate} for more than loss and accuracy. */
export interface DetailedOptions extends EvaluateOptions, ClassificationOptions {
  /** Whether to compute {@linkcode DetailedMetrics}, which takes another pass over the data. */
  metrics: true;
}

/** Result of {@linkcode evaluate} with `metrics`. */
export interface DetailedMetrics extends Metrics {
  /** Metrics of classes, labels, or values, as the loss has it; those of values are in the unit of the targets. */
  readonly metrics: TaskMetrics;
  /** The outputs that they are computed from, (N, O) or for an output of every step (N, T, O): see {@linkcode Prediction.outputs}. */
  readonly outputs: NamedArray;
  /** @deprecated Since 0.3.0: use `outputs`, which does not call values probabilities. */
  readonly probabilities: NamedArray;
}

/**
 * Loss and accuracy of a model on a dataset, without dropout; with `metrics`, more of them.
 *
 * A sequence is right if its largest output is that of the class, or that of its largest target; with one output and "bce",
 * if the logit is above 0 and the target above 0.5, or neither.
 *
 * @param dataset Sequences (N, T, I) with targets (N, O), or class numbers (N) for "crossEntropy" and "focal"; or pairs, for a
 * network with a decoder.
 * @param options The loss and its settings (default: those of the model's trainer, or else of the model; with `loss`, only
 * the settings given here), `batchSize` (default 32), a `signal` that stops it; `metrics: true`, with the `labels` of the
 * classes, and `multilabel` if a sequence may have any number of them.
 * @throws {TypeError | RangeError} If the data do not fit the model.
 * @throws What `signal` was aborted with.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, evaluate, sampleDataset } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, loss: "bce" });
 * const { loss, accuracy } = await evaluate(model, sampleDataset({ size: 100 }));
 * assert.ok(loss > 0.5 && accuracy < 0.8); // nothing learned yet
 *
 * const { metrics } = await evaluate(model, sampleDataset({ size: 100 }), { metrics: true, labels: ["above", "below"] });
 * assert.ok(metrics.kind === "classification" && metrics.accuracy === accuracy && metrics.rocAuc! > 0.2);
 * ```
 */
export function evaluate(
  model: NetworkModel,
  dataset: Dataset,
  options: DetailedOptions,
): Promise<DetailedMetrics>;
/** The same of pairs, with what a decoder that runs free says. */
export function evaluate(
  model: NetworkModel,
  dataset: PairDataset,
  options: EvaluateOptions & { metrics: true },
): Promise<Metrics & PairMetrics>;
/** The same without `metrics`: loss and accuracy alone. */
export function evaluate(model: NetworkModel, dataset: TrainingData, options?: EvaluateOptions): Promise<Metrics>;
export async function evaluate(
  model: NetworkModel,
  dataset: TrainingData,
  given: EvaluateOptions & Partial<DetailedOptions> = {},
): Promise<Metrics | DetailedMetrics | Metrics & PairMetrics> {
  const options = checkWatchers(ACTION, ownOptions(ACTION, given));
  const internals = internalsOf(model), output = internals.only(ACTION);
  const task = evaluation(internals, output, options), [{ loss }] = task.losses as [TaskLoss & { loss: ResolvedLoss }];
  const { batchSize, signal } = options, { quantiles } = loss.settings;
  const source = batchSource(internals, ACTION, dataset, { batchSize, quantiles });
  source.checkFinite(ACTION, "data");
  const metrics = await scored(internals, task, { output, source, signal });
  checkFiniteOutputs(Float32Array.of(metrics.loss, metrics.lossOverSamples), ACTION);
  if (!options.metrics) return metrics;
  if (isPairs(dataset)) {
    const { pairMetrics } = await import("./pair_metrics.ts");
    return { ...metrics, ...await pairMetrics(model, dataset, { batchSize, quantiles, signal }) };
  }
  const loader = new DataLoader(datasetFor(internals, ACTION, dataset), { batchSize });
  const outputs = await allOutputs(internals, output, loader, {
    loss: loss.loss,
    fleet: internals.session.fleet,
    signal,
  });
  // Few ask for more than loss and accuracy.
  const { taskMetrics } = await import("./task_metrics.ts");
  const taskResult = taskMetrics(loss, outputs, dataset, options);
  return { ...metrics, metrics: taskResult, outputs, probabilities: outputs };
}

/** Loss and accuracy over batches, with the losses of the model's trainer. */
export function evaluateOn(
  model: NetworkModel,
  source: BatchSource,
  { signal }: { readonly signal: AbortSignal | undefined },
): Promise<Metrics> {
  const internals = internalsOf(model), output = internals.only(ACTION);
  return scored(internals, evaluation(internals, output, {}), { output, source, signal });
}

/** Where loss and accuracy are computed. */
interface Scored {
  readonly output: string;
  readonly source: BatchSource;
  readonly signal: AbortSignal | undefined;
}

/** Loss and accuracy over all batches: of a decoder when it runs free, and when it is forced. */
async function scored(internals: Internals, task: RunTask, what: Scored): Promise<Metrics> {
  if (!(what.source instanceof PairSource)) return await scores(internals, task, what, false);
  return { ...await scores(internals, task, what, true), forced: await scores(internals, task, what, false) };
}

async function scores(
  { session }: Internals,
  task: RunTask,
  { output, source, signal }: Scored,
  free: boolean,
): Promise<Scores> {
  const yielder = new Yielder(), { fleet } = session;
  // Each process takes some batches in a row; all of them add up what all found, in the order of the batches.
  const bounds = shares(source.length, fleet.size), [first, end] = [bounds[fleet.rank]!, bounds[fleet.rank + 1]!];
  const own: number[] = [];
  const queue = new ResultQueue<{ loss: number; correct: number; weight: number }>(
    session,
    session.device.stepsAhead,
    ({ loss, correct, weight }) => own.push(loss, correct, weight),
  );
  let next = first;
  for (const batch of end > first ? source.batches(0, first, { free }) : []) {
    const { fetch, weight } = await session.exclusive(async () => {
      const { plan, weight } = await session.run(batch, task, {
        targets: { [output]: batch.targets },
        weights: batch.weights,
      });
      return { fetch: session.stats(plan), weight };
    });
    await queue.add(new LazyResult(async () => ({ ...await fetch(), weight })));
    await yielder.yieldIfDue();
    if (fleet.size === 1) signal?.throwIfAborted();
    if (++next === end) break;
  }
  await queue.drain();
  const found = gatherNumbers(fleet, own, bounds.map((batch) => 3 * batch), signal);
  let sum = 0, weighted = 0, weights = 0, correct = 0;
  for (let i = 0; i < found.length; i += 3) {
    const loss = found[i]!, weight = found[i + 2]!;
    sum += loss;
    weighted += loss * weight;
    weights += weight;
    correct += found[i + 1]!;
  }
  if (weights === 0) {
    throw fail("batch-value", ACTION, "the weights of all sequences are 0", { name: "weights", value: 0 });
  }
  return { loss: sum / source.length, lossOverSamples: weighted / weights, accuracy: correct / source.rows };
}

/** Evaluations by the losses of a trainer: always the same task, because plans are looked up by it. */
const evaluations = new WeakMap<object, RunTask>();

/** What to compute: the loss and settings given, or else those of the trainer. */
function evaluation(internals: Internals, output: string, options: EvaluateOptions): RunTask {
  const { batchSize: _, signal: _s, metrics: _m, labels: _l, multilabel: _b, ...given } = options as DetailedOptions;
  const trained = given.loss ? undefined : internals.trained?.[output];
  const known = trained && evaluations.get(trained);
  if (known && !Object.keys(given).length) return known;
  const meaning = internals.meaning(ACTION, output, given);
  const losses = internals.resolveLosses(ACTION, { [output]: { ...trained, ...meaning, ...given } as LossOptions });
  const task: RunTask = { purpose: "evaluate", losses };
  if (trained && !Object.keys(given).length) evaluations.set(trained, task);
  return task;
}

/** Result of {@linkcode predict}. */
export interface Prediction {
  /**
   * The predictions (B, O), or (B, T, O) for an output of every step: probabilities, independent ("bce", "binaryFocal") or
   * adding up to 1 ("crossEntropy", "focal"); values ("mse", "mae", "huber"); or quantiles of values ("quantile").
   */
  readonly outputs: NamedArray;
  /** Kind of `outputs`. */
  readonly predicts: "probabilities" | "values" | "quantiles";
  /** Attention weights (B, T), each row adding up to 1; of the first attention layer, absent if there is none. */
  readonly attentionWeights: NamedArray;
  /** @deprecated Since 0.3.0: use `outputs`, which does not call values probabilities. */
  readonly probabilities: NamedArray;
}

/**
 * A model's predictions for sequences.
 *
 * @param sequences Inputs (B, T, I).
 * @param options `loss`: the loss that the model was trained with, which says what its outputs mean; default: what the
 * model was made or loaded with, or its trainer's. `output`: the output to predict, if the network has several.
 * @throws {TypeError} If the model does not know what its outputs mean, or the sequences are of the wrong type.
 * @throws {RangeError} If the sequences do not fit the model.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, predict } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, loss: "bce" });
 * const { outputs, predicts, attentionWeights } = await predict(model, { x: new Float32Array(50), shape: [1, 10, 5] });
 * assert.deepEqual([outputs.shape, attentionWeights.shape], [[1, 2], [1, 10]]);
 * assert.equal(predicts, "probabilities");
 * ```
 */
export async function predict(
  model: NetworkModel,
  sequences: Sequences,
  options: { loss?: LossName; output?: string } = {},
): Promise<Prediction> {
  const own = ownOptions("predict", options, { loss: true, output: true });
  const internals = internalsOf(model), { output = internals.only("predict", "pass { output }") } = own;
  internals.session.net.outputShape("predict", output);
  const { loss } = internals.meaning("predict", output, own);
  const { outputs, weights } = await run(internals, sequences, output, loss, "predict");
  const prediction = { outputs, predicts: LOSSES[loss].predicts, probabilities: outputs };
  return { ...prediction, attentionWeights: weights } as Prediction;
}
