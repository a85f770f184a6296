/** What trainings and evaluations take data as. */

import type { Dataset } from "../data/dataset.ts";
import type { PairDataset } from "../data/pairs.ts";
import type { Sequences, Targets } from "../model/batch.ts";
import type { Sizes } from "../model/layers/node.ts";

/** What a model is trained on: labelled sequences, or for a network with a decoder pairs. */
export type TrainingData = Dataset | PairDataset;

/** A batch with what is to be learned. */
export interface TrainingBatch extends Sequences {
  readonly targets: Targets;
  readonly weights?: Float32Array;
}

/** How data are cut into batches. */
export interface BatchOptions {
  /** Default 32. */
  readonly batchSize?: number;
  readonly shuffle?: boolean;
  readonly seed?: number;
  /** Of pairs alone. */
  readonly buckets?: number;
  /** Of pairs: the quantiles that the decoder says of each number. Default: those of the model. */
  readonly quantiles?: readonly number[];
  /** The first batch alone. */
  readonly firstOnly?: boolean;
  /** Of pairs: whether a model without a vocabulary is now one of theirs. */
  readonly keepVocabulary?: boolean;
}

/** Data in batches. */
export interface BatchSource {
  /** Batches in a pass. */
  readonly length: number;
  /** Sizes of the largest batch. */
  readonly largest: Sizes;
  /** How many times all data, and a batch at most, are right or wrong: once for each sequence, or each valid step. */
  readonly rows: number;
  readonly mostRows: number;
  /** The batches of a pass, from batch number `first` on; with `free` decoders are fed their own output. */
  batches(pass: number, first?: number, options?: { readonly free?: boolean }): Iterable<TrainingBatch>;
  /** Refuses numbers that are not finite, for an action; `what` the error calls the data. */
  checkFinite(action: string, what: string): void;
}
