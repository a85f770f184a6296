/** The outputs of a model for whole datasets: each process computes some, where all of them do. */

import { DataLoader, type Dataset } from "../data/dataset.ts";
import { checkSize } from "../data/errors.ts";
import type { Choices } from "../data/metrics/classification.ts";
import { highest, sizes } from "../data/metrics/rows.ts";
import { Yielder } from "../device/event_loop.ts";
import { ALONE, type Fleet, MOST_BYTES, shares } from "../fleet/fleet.ts";
import type { NamedArray } from "../model/arrays.ts";
import type { Sequences } from "../model/batch.ts";
import { checkFiniteInputs, checkFiniteOutputs } from "../model/finite.ts";
import type { Internals } from "../model/internals.ts";
import type { LossName } from "../model/losses.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { stopTogether } from "./together.ts";

/** What errors of evaluations say. */
export const ACTION = "evaluate model";

/** How the outputs for a dataset are asked for. */
interface Asking {
  readonly loss: LossName;
  readonly batchSize: number;
  /** Whether all processes that train the model ask at once, so that each computes some. Default false. */
  readonly together?: boolean;
}

/** Who computes them, and what stops it. */
interface Computing {
  readonly loss: LossName;
  readonly fleet: Fleet;
  readonly signal?: AbortSignal;
}

/** The processes that share the work on a model. */
function fleetFor({ session }: Internals, together = false): Fleet {
  return together ? session.fleet : ALONE;
}

/** A model's predictions for all sequences of a dataset: see {@linkcode Prediction.outputs}. */
export async function outputsOf(
  model: NetworkModel,
  dataset: Dataset,
  { loss, batchSize, together }: Asking,
): Promise<NamedArray> {
  const internals = internalsOf(model), loader = new DataLoader(dataset, { batchSize });
  return await allOutputs(internals, internals.only(ACTION), loader, { loss, fleet: fleetFor(internals, together) });
}

/**
 * The class that a model takes each sequence of a dataset for, by its highest output: without room for N × O outputs.
 *
 * @throws {RangeError} If an output is not finite.
 */
export async function choicesOf(
  model: NetworkModel,
  dataset: Dataset,
  { loss, batchSize, together }: Asking,
): Promise<Choices> {
  const internals = internalsOf(model), output = internals.only(ACTION), N = dataset.shape[0]!;
  const fleet = fleetFor(internals, together), loader = new DataLoader(dataset, { batchSize });
  const choices = { found: new Int32Array(N), score: new Float32Array(N) };
  for await (const { outputs, row } of predictions(internals, output, loader, { loss, fleet })) {
    const { shape, data } = outputs, [B, O] = sizes({ shape, data }, "scores");
    for (let b = 0; b < B; b++) {
      choices.found[row + b] = highest(data, b, O);
      choices.score[row + b] = data[b * O + choices.found[row + b]!]!;
    }
  }
  for (const array of [choices.found, choices.score]) gatherRows(fleet, loader, array);
  return choices;
}

/** The predictions for all sequences. */
export async function allOutputs(
  internals: Internals,
  output: string,
  loader: DataLoader,
  { fleet: all, ...rest }: Computing,
): Promise<NamedArray> {
  const { shape } = internals.session.net.resolved.outputs[output]!, [N, T] = loader.dataset.shape as [number, number];
  const steps = shape.kind === "steps", O = shape.size, size = N * O * (steps ? T : 1);
  checkSize(size, `outputs of ${N} sequences${steps ? ` of ${T} steps` : ""}, ${O} each,`);
  const data = new Float32Array(size), computing = { ...rest, fleet: 4 * size < MOST_BYTES ? all : ALONE };
  for await (const { outputs, shape: [B, Tb], row } of predictions(internals, output, loader, computing)) {
    if (!steps || Tb === T) data.set(outputs.data, row * O * (steps ? T : 1));
    else {
      for (let b = 0; b < B!; b++) {
        data.set(outputs.data.subarray(b * Tb! * O, (b + 1) * Tb! * O), (row + b) * T * O);
      }
    }
  }
  gatherRows(computing.fleet, loader, data);
  return { shape: steps ? [N, T, O] : [N, O], data };
}

/** The own part of an array, as many numbers for each sequence, becomes known to all processes. */
function gatherRows(fleet: Fleet, { batchSize, dataset: { shape: [N] }, length }: DataLoader, array: Numbers): void {
  const rows = shares(length, fleet.size).map((batch) => Math.min(N!, batch * batchSize));
  const { buffer, byteOffset, byteLength } = array, each = byteLength / N!;
  fleet.gather(
    new Uint8Array(buffer, byteOffset, byteLength),
    rows.slice(1).map((end, r) => each * (end - rows[r]!)),
  );
}

type Numbers = Float32Array | Int32Array;

/** The predictions of the own batches one by one, and the number of the batch's first sequence. */
async function* predictions(
  internals: Internals,
  output: string,
  loader: DataLoader,
  { loss, fleet, signal }: Computing,
): AsyncGenerator<{ outputs: NamedArray; shape: readonly number[]; row: number }> {
  const yielder = new Yielder(), bounds = shares(loader.length, fleet.size);
  let next = bounds[fleet.rank]!;
  const end = bounds[fleet.rank + 1]!;
  for (const batch of end > next ? loader.batches(0, next) : []) {
    const { outputs } = await run(internals, batch, output, loss), { shape } = batch;
    yield { outputs, shape, row: next * loader.batchSize };
    await yielder.yieldIfDue();
    if (fleet.size === 1) signal?.throwIfAborted();
    if (++next === end) break;
  }
  stopTogether(fleet, signal);
}

/** The predictions of an output, and the weights of the first attention layer. */
export function run(
  internals: Internals,
  sequences: Sequences,
  output: string,
  loss: LossName,
  action = ACTION,
): Promise<{ outputs: NamedArray; weights: NamedArray | undefined }> {
  const { session } = internals, weights = session.net.valuesOf("weights").slice(0, 1);
  return session.exclusive(async () => {
    const { plan } = await session.run(sequences, internals.predictionTask({ [output]: loss }, weights));
    const [outputs, values] = await Promise.all([
      session.array(plan.io.get(`@${output}.prediction`)!),
      session.values(plan, weights),
    ]);
    checkFiniteInputs(session.net, sequences, action);
    checkFiniteOutputs(outputs.data, action);
    return { outputs, weights: values[weights[0]!] };
  });
}
