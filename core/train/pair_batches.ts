/** Pairs as a network with a decoder goes through them. */

import { type MeasuredPairs, measurePairs, type PairDataset, PairLoader, pairSubset } from "../data/pairs.ts";
import { fail } from "../errors.ts";
import type { Internals } from "../model/internals.ts";
import { END, PAD, START } from "../model/layers/decoder_options.ts";
import type { Shape, Sizes } from "../model/layers/node.ts";
import { quantilesOf } from "../model/losses.ts";
import { type Ports, portsOf } from "../model/pair_ports.ts";
import type { BatchOptions, BatchSource, TrainingBatch } from "./batch_source.ts";
import { repeated } from "../model/free_run.ts";
import { firstBad } from "../model/finite.ts";

/** A place in pairs, in words. */
function place({ starts }: MeasuredPairs["sources"], step: number): string {
  const after = starts.findIndex((start) => start > step), pair = after < 0 ? starts.length - 1 : after - 1;
  return `pair ${pair}, step ${step - starts[pair]!} (counted from 0)`;
}

/** Refuses a side that is not what the network takes there. */
function checkSide(
  action: string,
  name: "sources" | "targets",
  side: MeasuredPairs["sources"],
  shape: Pick<Shape, "kind" | "size">,
): void {
  const { data, size } = side, tokens = shape.kind === "tokens";
  if (tokens !== data instanceof Int32Array) {
    const wanted = tokens ? "tokens, an Int32Array" : "numbers, a Float32Array";
    throw fail("argument-type", action, `${name} must be ${wanted}`, { name });
  }
  if (!tokens && size !== shape.size) {
    const problem = `${name} must have ${shape.size} numbers for every step, got ${size}`;
    throw fail("shape-mismatch", action, problem, { name, value: size });
  }
  const bad = tokens ? data.findIndex((token: number) => !(token >= 0 && token < shape.size)) : -1;
  if (bad < 0) return;
  const problem = `${name} must be tokens from 0 to ${shape.size - 1}, got ${data[bad]} in ${place(side, bad)}`;
  throw fail("argument-out-of-range", action, problem, {
    name,
    value: data[bad],
    advice: "take the vocabulary that the model was made for",
  });
}

/** Refuses targets that no decoder can say. */
function checkTargets(action: string, { targets }: MeasuredPairs): void {
  const { data, lengths, starts } = targets, name = "targets";
  lengths.forEach((length, n) => {
    const end = starts[n]! + length - 1, last = data[end]!;
    const refuse = (problem: string, value: number) => {
      throw fail("argument-out-of-range", action, `the target of pair ${n} (counted from 0) ${problem}`, {
        name,
        value,
      });
    };
    if (last !== END) refuse(`must end with ${END}, END, got ${last}`, last);
    if (length === 1) refuse("is empty: it holds END alone", END);
    for (let i = starts[n]!; i < end; i++) {
      const token = data[i]!;
      if (token !== PAD && token !== START && token !== END) continue;
      const which = token === PAD ? "PAD" : token === START ? "START" : "END";
      refuse(`holds ${token}, ${which}, at step ${i - starts[n]!}, before its end`, token);
    }
  });
}

/** Pairs in batches. */
export class PairSource implements BatchSource {
  readonly rows: number;
  readonly mostRows: number;
  /** Steps of the longest target, and of all together. */
  readonly dataset: PairDataset;
  readonly #loader: PairLoader;
  readonly #ports: Ports;
  readonly #measured: MeasuredPairs;
  /** How many times the decoder is fed each number of a target: for each quantile of it. */
  readonly #each: number;

  constructor(internals: Internals, action: string, given: PairDataset, options: BatchOptions) {
    const { batchSize, shuffle, seed, buckets, firstOnly, keepVocabulary, quantiles } = options;
    const ports = this.#ports = portsOf(internals, action), all = measurePairs(given);
    internals.checkVocabulary(action, given.vocabulary, keepVocabulary);
    checkSide(action, "sources", all.sources, ports.sourceShape);
    const Q = this.#each = (quantiles ?? quantilesOf(internals))?.length ?? 1, { kind, size } = ports.targetShape;
    checkSide(action, "targets", all.targets, { kind, size: size / Q });
    if (ports.targetShape.kind === "tokens") checkTargets(action, all);
    if (given.start && !ports.start) {
      throw fail("argument-type", action, "the network has no input for start", { name: "start" });
    }
    const rows = Array.from({ length: Math.min(batchSize ?? 32, all.N) }, (_, n) => n);
    const dataset = this.dataset = firstOnly ? pairSubset(given, rows) : given;
    const loader = this.#loader = new PairLoader(dataset, { batchSize, shuffle, seed, buckets, sorted: true });
    const { targets: { lengths } } = this.#measured = measurePairs(dataset);
    this.rows = lengths.reduce((sum, length) => sum + length, 0);
    this.mostRows = loader.batchSize * loader.largest.U;
  }

  get length(): number {
    return this.#loader.length;
  }

  get largest(): Sizes {
    const { B, S, U } = this.#loader.largest;
    return { B, T: S, axes: { [this.#ports.axis]: U } };
  }

  *batches(pass: number, first?: number, { free = false } = {}): Iterable<TrainingBatch> {
    const { targets: name, axis, start, targetShape: { size }, teacher } = this.#ports;
    for (const { targets, targetSteps, targetLengths, ...batch } of this.#loader.batches(pass, first)) {
      const [B] = batch.shape, { x, shape, lengths, weights } = batch;
      const inputs = {
        [name]: repeated(targets, this.#each),
        ...start !== undefined && {
          [start]: batch.start ? repeated(batch.start, this.#each) : new Float32Array(B * size),
        },
        ...free && { [teacher]: new Float32Array(B * targetSteps) },
      };
      const axes = { [axis]: { steps: targetSteps, lengths: targetLengths } };
      yield { x, shape, lengths, inputs, axes, targets, ...weights && { weights } };
    }
  }

  checkFinite(action: string, what: string): void {
    const { sources, targets } = this.#measured, { start } = this.dataset;
    for (const [name, side] of [["sources", sources], ["targets", targets]] as const) {
      const bad = side.data instanceof Float32Array ? firstBad(side.data) : -1;
      if (bad >= 0) refuse(name, side.data[bad]!, place(side, Math.floor(bad / side.size)));
    }
    const bad = start ? firstBad(start) : -1;
    if (bad >= 0) refuse("start", start![bad]!, `pair ${Math.floor(bad / targets.size)} (counted from 0)`);
    function refuse(name: string, value: number, where: string): never {
      const problem = `${name} of the ${what} must be finite numbers, got ${value} in ${where}`;
      throw fail("not-finite", action, problem, { name, value });
    }
  }
}
