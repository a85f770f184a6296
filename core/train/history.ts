import { checkArgument, checkInteger } from "../errors.ts";
import type { DataHash } from "../data/hash.ts";
import { withFormerNames } from "../options.ts";
import { Prefix } from "./json_bytes.ts";

/** The results of an epoch. */
export interface EpochRecord {
  /** Its number, from 1. */
  readonly epoch: number;
  /** Mean of the batches' losses, each before its step, with dropout on. */
  readonly trainLoss: number;
  /** Share of sequences that were right then, 0 to 1. */
  readonly trainAccuracy: number;
  /** Loss on the validation data after the epoch, as `validationReduction` says; absent without such data. */
  readonly validationLoss?: number;
  /** Share of validation sequences that are right, 0 to 1; absent without such data. */
  readonly validationAccuracy?: number;
  /**
   * Loss on validation pairs under teacher forcing, the targets being fed at every step: `validationLoss` is that of a decoder
   * that runs free. Absent of other data.
   */
  readonly validationForcedLoss?: number;
  /** Share of the tokens that are right under teacher forcing, likewise. */
  readonly validationForcedAccuracy?: number;
  /** @deprecated Since 0.3.0: use `validationLoss`. Not enumerable. */
  readonly testLoss?: number;
  /** @deprecated Since 0.3.0: use `validationAccuracy`. Not enumerable. */
  readonly testAccuracy?: number;
  /** Of the epoch's last update. */
  readonly learningRate?: number;
  /** Of the epoch's last update, where a `teacher` is set. */
  readonly teacherRatio?: number;
  /** Mean over the updates of the norm of the whole gradient, before clipping. */
  readonly gradNorm?: number;
}

/** The results of an epoch, and how long it took: the record itself is the same for every run, to the bit. */
export interface EpochReport extends EpochRecord {
  /** Since the epoch was started or resumed, validation included. */
  readonly seconds: number;
}

/** How far an epoch has come. */
export interface BatchProgress {
  /** The epoch's number, from 1. */
  readonly epoch: number;
  /** Batches done in it. */
  readonly batch: number;
  /** Batches it has. */
  readonly batches: number;
  /** Loss of the last batch. */
  readonly loss: number;
  /** Of the update that the batch belongs to. */
  readonly learningRate: number;
}

/**
 * How far a training has come, to the update: enough to resume, together with the model's parameters and the trainer's
 * state. It is plain JSON. Schedules, early stopping and the best epoch follow from the history.
 */
export interface TrainingState {
  /** Epochs finished. */
  readonly epoch: number;
  /** Batches done in the next one: a multiple of those per update. */
  readonly batch: number;
  /** Sum of their losses. */
  readonly lossSum: number;
  /** Sequences that were right in them. */
  readonly correct: number;
  /** Sum of the gradient's norms in their updates. Absent in states of earlier versions: the epoch's mean is not known. */
  readonly gradNormSum?: number;
  /** Of the epochs finished. */
  readonly history: readonly EpochRecord[];
  /** Whether training has ended and the model has the best epoch's parameters: it cannot be resumed. */
  readonly restored?: boolean;
  /** Hash of its data, if it comes from a checkpoint: other data are refused. */
  readonly data?: DataHash;
}

/** What 0.2.0 called the results on validation data. */
const FORMER = { testLoss: "validationLoss", testAccuracy: "validationAccuracy" } as const;

/** A record with its results under their present names, from one that may have the former; these can be read, too. */
export function epochRecord<T extends EpochRecord>(record: T): T {
  const current = Object.entries(record).map(([name, value]) => [FORMER[name as keyof typeof FORMER] ?? name, value]);
  return withFormerNames(Object.fromEntries(current) as T, FORMER);
}

/** Records of epochs that anybody may have made, as {@linkcode epochRecord} has them. */
export function epochRecords<T extends EpochRecord>(action: string, records: readonly T[]): T[] {
  checkArgument(action, "history", records, "objects");
  return records.map((record, i) => {
    checkArgument(action, `history[${i}]`, record, ["epoch"]);
    checkInteger(action, `history[${i}].epoch`, record.epoch);
    return epochRecord(record);
  });
}

/** The histories of states, which only grow. */
const prefixes = new WeakMap<TrainingState, Prefix>();

/**
 * The history of a state as it is written: a copy for each checkpoint would take memory that grows with the epochs, and stays
 * for long.
 */
export function writtenHistory(state: TrainingState): readonly EpochRecord[] {
  return (prefixes.get(state) as object | undefined ?? state.history) as readonly EpochRecord[];
}

/** The finished epochs of a training, and which is best. Adding an epoch costs the same however many there are. */
export class History {
  /** Whether the greater of two monitored values is better. */
  readonly greater: boolean;
  readonly #records: EpochRecord[] = [];
  #copy: readonly EpochRecord[] | undefined;
  #best: { readonly record: EpochRecord; readonly value: number } | undefined;

  /** @param monitor What tells better epochs from worse ones. */
  constructor(monitor: "loss" | "accuracy") {
    this.greater = monitor === "accuracy";
  }

  /** The records so far. */
  get records(): readonly EpochRecord[] {
    return this.#copy ??= this.#records.slice();
  }

  /** How far a training has come that has had these epochs. They are copied where they are read. */
  stateAt(position: Omit<TrainingState, "history">): TrainingState {
    const records = this.#records, count = records.length;
    let history: readonly EpochRecord[] | undefined;
    const state = {
      ...position,
      get history() {
        return history ??= records.slice(0, count);
      },
    };
    prefixes.set(state, new Prefix(records, count));
    return state;
  }

  /** The best record, the first of equals; undefined if there is none. */
  get best(): EpochRecord | undefined {
    return this.#best?.record;
  }

  /** Adds an epoch; returns its monitored value. */
  add(record: EpochRecord): number {
    const { trainLoss, trainAccuracy, validationLoss = trainLoss, validationAccuracy = trainAccuracy } = record;
    const value = this.greater ? validationAccuracy : validationLoss, best = this.#best?.value;
    if (best === undefined || (this.greater ? value > best : value < best)) this.#best = { record, value };
    this.#records.push(record);
    this.#copy = undefined;
    return value;
  }
}
