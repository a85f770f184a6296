import type { NamedArray, StateDict } from "../model/arrays.ts";
import type { NetworkModel, NetworkOutputs, Outputs } from "../model/model.ts";
import type { TrainingBatch } from "./batch_source.ts";
import type { StepResult, Trainer } from "./trainer.ts";
import { firstBad } from "../model/finite.ts";

/** A tensor with a number that is not finite. */
interface Anomaly {
  /** What it is, in words. */
  readonly what: string;
  /** The number. */
  readonly value: number;
  /** Its index, counted from 0. */
  readonly at: readonly number[];
}

/** In words: "the context (sequence, unit) is the first that is not finite: NaN at [3,0]". */
function words({ what, value, at }: Anomaly): string {
  return `${what} is the first that is not finite: ${value}${at.length ? ` at [${at}]` : ""}`;
}

function anomalyIn(what: string, { shape, data }: NamedArray, start = 0, end = data.length): Anomaly | undefined {
  const bad = firstBad(data, start, end);
  if (bad < 0) return undefined;
  const at: number[] = [];
  for (let d = shape.length - 1, rest = bad; d >= 0; rest = Math.floor(rest / shape[d]!), d--) {
    at.unshift(rest % shape[d]!);
  }
  return { what, value: data[bad]!, at };
}

/** The first in the order given. */
function firstOf(found: Iterable<Anomaly | undefined>): Anomaly | undefined {
  for (const anomaly of found) if (anomaly) return anomaly;
}

/** The first bad tensor of the forward pass. */
function* forward({ config }: NetworkModel, found: NetworkOutputs): Generator<Anomaly | undefined> {
  if (!config) {
    for (const [name, array] of Object.entries(found.values)) yield anomalyIn(`the value "${name}"`, array);
    return;
  }
  const { numLayers, cell } = config, kind = cell.toUpperCase();
  const { hidden, output, attentionWeights, context, logits } = found as Outputs, size = hidden.data.length / numLayers;
  // A state that is not finite stays so to the end of its sequence, so final states show whether any was.
  for (let layer = 0; layer < numLayers - 1; layer++) {
    yield anomalyIn(`the state (layer, sequence, unit) of the ${kind}`, hidden, layer * size, (layer + 1) * size);
  }
  yield anomalyIn(`the output (sequence, step, unit) of ${kind} layer ${numLayers - 1}`, output);
  yield anomalyIn("the attention weights (sequence, step)", attentionWeights);
  yield anomalyIn("the context (sequence, unit)", context);
  yield anomalyIn("the logits (sequence, output)", logits);
}

/** A single number. */
function anomalyOf(what: string, value: number): Anomaly | undefined {
  return Number.isFinite(value) ? undefined : { what, value, at: [] };
}

/**
 * Names the first tensor that went bad in training. It keeps the parameters from before each update. A batch whose loss or
 * gradient is not finite is computed again with them, with the same dropout, and examined; the model is left with them.
 */
export class AnomalyDetector {
  readonly #trainer: Trainer;
  #parameters: StateDict;
  #step: number;
  /** The batches since the last update. */
  #batches: { readonly batch: TrainingBatch; readonly teacherRatio: number | undefined }[] = [];

  constructor(trainer: Trainer, parameters: StateDict) {
    this.#trainer = trainer;
    this.#parameters = parameters;
    this.#step = trainer.steps;
  }

  /** A detector for a trainer in its present state. */
  static async of(trainer: Trainer): Promise<AnomalyDetector> {
    return new AnomalyDetector(trainer, await trainer.model.stateDict());
  }

  /**
   * Examines a batch that was just trained on.
   *
   * @param how Whether the parameters were updated, and how often its decoder was fed targets.
   * @returns What is wrong, in words, if anything is.
   */
  async check(
    batch: TrainingBatch,
    { loss, gradNorm }: StepResult,
    { update, teacherRatio }: { readonly update: boolean; readonly teacherRatio?: number },
  ): Promise<string | undefined> {
    this.#batches.push({ batch, teacherRatio });
    if (!Number.isFinite(loss) || update && !Number.isFinite(gradNorm)) return words(await this.#cause(gradNorm));
    if (!update) return undefined;
    const { model, steps } = this.#trainer;
    this.#parameters = await model.stateDict();
    this.#step = steps;
    this.#batches = [];
    const bad = firstOf(
      Object.entries(this.#parameters).map(([name, array]) => anomalyIn(`parameter "${name}", updated,`, array)),
    );
    return bad && words(bad);
  }

  /** Computes the batches since the last update again, up to the first that goes wrong. */
  async #cause(gradNorm: number): Promise<Anomaly> {
    const { model } = this.#trainer;
    await model.loadStateDict(this.#parameters);
    let rows = 0;
    for (const { batch, teacherRatio } of this.#batches) {
      const { loss, outputs, parameters } = await this.#trainer.replay(batch, batch.targets, {
        weights: batch.weights,
        step: this.#step,
        rows,
        teacherRatio,
      });
      const bad = firstOf(forward(model, outputs)) ?? anomalyOf("the loss", loss) ?? firstOf(
        // The backward pass reaches the last layers first.
        Object.entries(parameters).reverse().map(([name, array]) => anomalyIn(`the gradient of "${name}"`, array)),
      );
      if (bad) return bad;
      rows += batch.shape[0]!;
    }
    return { what: "the norm of the gradient, of finite numbers,", value: gradNorm, at: [] };
  }
}

/** The first bad tensor in evaluating a model on batches, in words. */
export async function evaluationAnomaly(model: NetworkModel, batches: Iterable<TrainingBatch>): Promise<string> {
  let number = 0;
  for (const batch of batches) {
    const bad = firstOf(forward(model, await model.forward(batch)));
    number++;
    if (bad) return `batch ${number}: ${words(bad)}`;
  }
  return "the loss is the first that is not finite";
}
