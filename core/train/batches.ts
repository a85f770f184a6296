/** Data as a training or an evaluation goes through them: in batches that fit the model. */

import { type Batch, DataLoader, type Dataset, everyStep, targetRows } from "../data/dataset.ts";
import { isPairs } from "../data/pairs.ts";
import { fail } from "../errors.ts";
import type { Internals } from "../model/internals.ts";
import type { PlacedNetwork } from "../model/placed_network.ts";
import type { Sizes } from "../model/layers/node.ts";
import type { BatchOptions, BatchSource, TrainingData } from "./batch_source.ts";
import { PairSource } from "./pair_batches.ts";
import { checkFinite } from "./validate.ts";

/**
 * Data in the batches that a model takes.
 *
 * @throws {TypeError | RangeError} If they do not fit it.
 */
export function batchSource(
  internals: Internals,
  action: string,
  data: TrainingData,
  options: BatchOptions = {},
): BatchSource {
  if (isPairs(data)) return new PairSource(internals, action, data, options);
  if (options.buckets !== undefined) {
    throw fail("option-conflict", action, "buckets belong to pairs of sequences", { option: "buckets" });
  }
  return new LabelledSource(internals.session.net, datasetFor(internals, action, data), options);
}

class LabelledSource implements BatchSource {
  readonly rows: number;
  readonly mostRows: number;
  readonly #net: PlacedNetwork;
  readonly #loader: DataLoader;

  constructor(net: PlacedNetwork, dataset: Dataset, { batchSize, shuffle, seed, firstOnly }: BatchOptions) {
    const used = firstOnly ? new DataLoader(dataset, { batchSize }).batches(0).next().value! : dataset;
    const loader = this.#loader = new DataLoader(used, { batchSize, shuffle, seed });
    this.#net = net;
    this.rows = targetRows(used);
    this.mostRows = loader.batchSize * (used.targetsPerStep ? used.shape[1]! : 1);
  }

  get length(): number {
    return this.#loader.length;
  }

  get largest(): Sizes {
    const [B, T] = this.#loader.largest;
    return { B, T };
  }

  batches(pass: number, first?: number): Iterable<Batch> {
    return this.#loader.batches(pass, first);
  }

  checkFinite(action: string, what: string): void {
    checkFinite(this.#net, this.#loader.dataset, action, what);
  }
}

/**
 * The dataset as a network with one output takes it: with targets for every step if that output has steps.
 *
 * @throws {RangeError} If it has targets for every step, but the output does not.
 */
export function datasetFor(internals: Internals, action: string, dataset: Dataset): Dataset {
  const output = internals.only(action), { kind, axis } = internals.session.net.resolved.outputs[output]!.shape;
  if (axis !== undefined) {
    const problem = `the network's output "${output}" is that of a decoder, which learns from pairs`;
    const advice = "pass { sources, targets }, each made with ragged";
    throw fail("argument-type", action, problem, { name: "dataset", advice });
  }
  if (kind === "steps") return everyStep(dataset);
  if (!dataset?.targetsPerStep) return dataset;
  const problem = `the targets are of every step, and the network's output "${output}" is of whole sequences`;
  throw fail("shape-mismatch", action, problem, { name: "targets" });
}
