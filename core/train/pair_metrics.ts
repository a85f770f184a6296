/** Metrics of models of pairs beyond loss and accuracy. */

import { type RegressionMetrics, regressionMetrics } from "../data/metrics/regression.ts";
import { validRows } from "../data/metrics/rows.ts";
import { type SequenceMetrics, sequenceMetrics } from "../data/metrics/sequences.ts";
import { measurePairs, type PairDataset, PairLoader, type Ragged } from "../data/pairs.ts";
import { Yielder } from "../device/event_loop.ts";
import { type Fleet, gatherBytes, shares } from "../fleet/fleet.ts";
import type { NamedArray } from "../model/arrays.ts";
import { forecast } from "../model/free_run.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { createSearcher } from "../model/search.ts";
import { gatherFindings, stopTogether } from "./together.ts";

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
  const { fleet } = internalsOf(model).session, loader = new PairLoader(dataset, { batchSize });
  const yielder = new Yielder(), found: Float32Array[] = [], truth: Float32Array[] = [];
  // Each process answers some batches in a row.
  const bounds = shares(loader.length, fleet.size), first = bounds[fleet.rank]!, end = bounds[fleet.rank + 1]!;
  let left = end - first;
  for (const { targets, targetSteps: steps, targetLengths, start, ...batch } of left ? loader.batches(0, first) : []) {
    const { outputs } = await forecast(model, batch, { steps, start });
    const rows = validRows(outputs, targets, targetLengths);
    found.push(rows.outputs.data);
    truth.push(rows.targets as Float32Array);
    await yielder.yieldIfDue();
    if (fleet.size === 1) signal?.throwIfAborted();
    if (!--left) break;
  }
  stopTogether(fleet, signal);
  const data = gatherNumbers(fleet, joined(found)),
    wanted = gatherNumbers(fleet, joined(truth)),
    { size: O } = measurePairs(dataset).targets;
  const N = wanted.length / O, outputs = { shape: [N, data.length / N], data };
  return { metrics: regressionMetrics(outputs, { shape: [N, O], data: wanted }, { quantiles }), outputs };
}

/** The numbers of all processes, one after the other. */
function gatherNumbers(fleet: Fleet, own: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (fleet.size === 1) return own;
  const parts = gatherBytes(fleet, new Uint8Array(own.buffer));
  return joined(
    parts.map(({ buffer, byteOffset, byteLength }) => new Float32Array(buffer, byteOffset, byteLength / 4)),
  );
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
  const { N, sources, targets } = measurePairs(dataset), own: number[][] = [], { fleet } = internalsOf(model).session;
  // Each process answers some sources in a row.
  const bounds = shares(N, fleet.size), end = bounds[fleet.rank + 1]!;
  // As long as any target, and as much again: what has not ended by then goes on for ever.
  const maxLength = 2 * targets.lengths.reduce((most, length) => Math.max(most, length), 1);
  for (let first = bounds[fleet.rank]!; first < end; first += BATCH) {
    const lengths = sources.lengths.slice(first, Math.min(end, first + BATCH)), B = lengths.length, I = sources.size;
    const S = lengths.reduce((most, length) => Math.max(most, length), 1), n = B * S * I;
    const x = sources.data instanceof Int32Array ? new Int32Array(n) : new Float32Array(n);
    for (let b = 0; b < B; b++) x.set(stepsOf(sources, first + b), b * S * I);
    const found = await searcher.search({ x, shape: [B, S, I], lengths }, { maxLength });
    for (const [best] of found) own.push([...best!.tokens]);
    if (fleet.size === 1) signal?.throwIfAborted();
  }
  stopTogether(fleet, signal);
  const answers = fleet.size === 1 ? own : gatherFindings(fleet, own).flat();
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
