/** Where a training is: within its epoch, and whether a state can be resumed. */

import { type DataHash, hashDataset } from "../data/hash.ts";
import { fail } from "../errors.ts";
import type { TrainingData } from "./batch_source.ts";
import type { TrainingState } from "./history.ts";
import type { StepResult } from "./trainer.ts";
import type { TrainingOptions } from "./training_options.ts";

/** Where a training is within its epoch. */
export type Position = Omit<TrainingState, "history">;

/** How an epoch starts. */
export const START = { batch: 0, lossSum: 0, correct: 0, gradNormSum: 0 } as const;

/** What to do about a training that diverges. */
export const ADVICE =
  "try a smaller learning rate or clipping; detectAnomaly (--detect-anomaly) names where it comes from";

/** The error of a training whose numbers are no longer finite. */
export function diverged(problem: string): RangeError {
  return fail("training-diverged", "continue training", problem);
}

/** Sums over the batches of an epoch. */
export class EpochSums {
  #position: Position;

  /** @param position Where the epoch is resumed. */
  constructor(position: Position) {
    this.#position = position;
  }

  /** Where training is after the batches added. */
  get position(): Position {
    return this.#position;
  }

  /**
   * Adds the next batch.
   *
   * @param update Whether it completes an update.
   * @throws {RangeError} If its loss, or the gradient of its update, is not finite.
   */
  add({ loss, gradNorm, correct: right }: StepResult, update: boolean): void {
    const { epoch, batch, lossSum, correct, gradNormSum } = this.#position;
    if (!Number.isFinite(loss) || update && !Number.isFinite(gradNorm)) {
      const what = Number.isFinite(loss) ? `norm of the gradient is ${gradNorm}` : `loss is ${loss}`;
      throw diverged(`the ${what} in epoch ${epoch + 1}, batch ${batch + 1}; ${ADVICE}`);
    }
    this.#position = {
      epoch,
      batch: batch + 1,
      lossSum: lossSum + loss,
      correct: correct + right,
      gradNormSum: update && gradNormSum !== undefined ? gradNormSum + gradNorm : gradNormSum,
    };
  }
}

/** What a state is checked against. */
interface Progress {
  /** Batches per epoch. */
  readonly length: number;
  /** Most rows of a batch that can be right: its sequences, or their steps. */
  readonly rows: number;
  /** Whether the training has nothing left to do. */
  readonly finished: boolean;
  /** Whether the best epoch's parameters are known. */
  readonly hasBest: boolean;
}

/**
 * Checks that a state is one of a training with these options: otherwise the history would hold sums of batches that were
 * never done.
 *
 * @throws {TypeError | RangeError} If it is not, or cannot be resumed.
 */
export function checkState(
  { epoch, batch, lossSum, correct, gradNormSum = 0, restored, history }: TrainingState,
  { accumulate, restoreBest }: TrainingOptions,
  { length, rows, finished, hasBest }: Progress,
): void {
  const counts = [epoch, batch, correct].every((n) => Number.isSafeInteger(n) && n >= 0);
  const sums = [lossSum, gradNormSum].every(Number.isFinite) && (batch > 0 || lossSum === 0 && gradNormSum === 0);
  const follows = history.length === epoch && history.every((record, i) => record.epoch === i + 1);
  const whole = batch % accumulate === 0 || batch === length;
  if (!counts || !sums || !follows || !whole || batch > length || correct > batch * rows) {
    throw fail(
      "state-mismatch",
      "train",
      `state must be one of this training, with ${length} batches per epoch` +
        `${accumulate > 1 ? ` and ${accumulate} per update` : ""}, got epoch ${epoch}, batch ${batch}, ` +
        `${correct} right, loss ${lossSum}, ${history.length} records`,
    );
  }
  if (restoreBest && epoch && !hasBest) {
    throw fail("option-missing", "train", "with a state, restoreBest needs the bestParameters that belong to it", {
      option: "bestParameters",
    });
  }
  if (restored && !finished) {
    throw fail(
      "training-ended",
      "train",
      `state is that of a training which ended with the best parameters restored; to train beyond epoch ` +
        `${epoch}, use a state or checkpoint from onEpoch`,
    );
  }
}

/**
 * Checks that data are those of a state: its order and its history belong to them.
 *
 * @throws {RangeError} If they are not.
 */
export async function checkSameData(
  before: DataHash | undefined,
  { dataset, validation }: { readonly dataset: TrainingData; readonly validation: TrainingData | undefined },
): Promise<void> {
  const { hash, validationHash } = before ?? {};
  for (const [what, was, data] of [["data", hash, dataset], ["validation data", validationHash, validation]] as const) {
    if (!was || !data || was === await hashDataset(data)) continue;
    const problem = `the ${what} must be those of before, ${was}, got ${await hashDataset(data)}`;
    throw fail("data-changed", "train", problem, { name: what });
  }
}
