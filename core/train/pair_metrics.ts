/** Metrics of models of pairs beyond loss and accuracy. */

import { type RegressionMetrics, regressionMetrics } from "../data/metrics/regression.ts";
import { validRows } from "../data/metrics/rows.ts";
import { type SequenceMetrics, sequenceMetrics } from "../data/metrics/sequences.ts";
import { measurePairs, type PairDataset, PairLoader, type Ragged } from "../data/pairs.ts";
import { Yielder } from "../device/event_loop.ts";
import type { NamedArray } from "../model/arrays.ts";
import { forecast } from "../model/free_run.ts";
import type { NetworkModel } from "../model/model.ts";
import { createSearcher } from "../model/search.ts";

/** What a decoder that runs free says of pairs, and what that is worth. */
export type PairMetrics =
  | {
    /** Of tokens: exact matches and error rate of the answers found greedily. Texts are the tokens' numbers. */
    readonly metrics: SequenceMetrics;
    /** The answers, without END. */
    readonly answers: readonly (readonly number[])[];
  }
  | {
    /** Of numbers: errors over all steps of all targets, in their unit. */
    readonly metrics: RegressionMetrics;
    /** Values (Σ lengths, O), or quantiles (Σ lengths, O·Q): of the steps of all targets, one after the other. */
    readonly outputs: NamedArray;
  };

/** How pairs are gone through. */
interface Measuring {
  readonly batchSize: number | undefined;
  readonly quantiles: readonly number[] | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What a decoder that runs free says of pairs, and what that is worth. */
export function pairMetrics(model: NetworkModel, dataset: PairDataset, options: Measuring): Promise<PairMetrics> {
  const isTokens = dataset.targets.data instanceof Int32Array;
  return isTokens ? tokenMetrics(model, dataset, options) : numberMetrics(model, dataset, options);
}

/** Of targets that are numbers. */
async function numberMetrics(
  model: NetworkModel,
  dataset: PairDataset,
  { batchSize, quantiles, signal }: Measuring,
): Promise<PairMetrics> {
  const yielder = new Yielder(), found: Float32Array[] = [], truth: Float32Array[] = [];
  for (
    const { targets, targetSteps: steps, targetLengths, start, ...batch } of new PairLoader(dataset, { batchSize })
  ) {
    const { outputs } = await forecast(model, batch, { steps, start });
    const rows = validRows(outputs, targets, targetLengths);
    found.push(rows.outputs.data);
    truth.push(rows.targets as Float32Array);
    await yielder.yieldIfDue();
    signal?.throwIfAborted();
  }
  const data = joined(found), wanted = joined(truth), { size: O } = measurePairs(dataset).targets;
  const N = wanted.length / O, outputs = { shape: [N, data.length / N], data };
  return { metrics: regressionMetrics(outputs, { shape: [N, O], data: wanted }, { quantiles }), outputs };
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Sources that are answered at once. */
const BATCH = 256;

/** Of targets that are tokens. */
async function tokenMetrics(
  model: NetworkModel,
  dataset: PairDataset,
  { signal }: Measuring,
): Promise<PairMetrics> {
  using searcher = await createSearcher(model);
  const { N, sources, targets } = measurePairs(dataset), answers: number[][] = [];
  // As long as any target, and as much again: what has not ended by then goes on for ever.
  const maxLength = 2 * targets.lengths.reduce((most, length) => Math.max(most, length), 1);
  for (let first = 0; first < N; first += BATCH) {
    const lengths = sources.lengths.slice(first, first + BATCH), B = lengths.length, I = sources.size;
    const S = lengths.reduce((most, length) => Math.max(most, length), 1), n = B * S * I;
    const x = sources.data instanceof Int32Array ? new Int32Array(n) : new Float32Array(n);
    for (let b = 0; b < B; b++) x.set(stepsOf(sources, first + b), b * S * I);
    const found = await searcher.search({ x, shape: [B, S, I], lengths }, { maxLength });
    for (const [best] of found) answers.push([...best!.tokens]);
    signal?.throwIfAborted();
  }
  const inWords = (tokens: ArrayLike<number>) => Array.from(tokens, String);
  const references = Array.from({ length: N }, (_, n) => [inWords(stepsOf(targets, n).slice(0, -1))]);
  return { metrics: sequenceMetrics(answers.map(inWords), references), answers };
}

/** The numbers of a sequence. */
function stepsOf(
  { data, lengths, starts, size }: ReturnType<typeof measurePairs>["sources"],
  n: number,
): Ragged["data"] {
  return data.subarray(starts[n]! * size, (starts[n]! + lengths[n]!) * size);
}
