/** Which sequences a report shows. */

import { spell } from "../display.ts";
import { checkArgument, checkInteger, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { spread } from "./scale.ts";

/** What examples are picked by. */
export interface PickOptions {
  /** How many. Default 8. */
  count?: number;
  /** How many of them are to be wrong, if there are so many. Default: half. */
  wrong?: number;
  /** How sure the model is of each prediction (N), such as its probability: the surest errors come first. */
  confidence?: ArrayLike<number>;
}

/**
 * Some sequences that a model is right about, and some that it is wrong about, of as many classes as there are.
 *
 * Classes take turns. Those that are right come in the order of the data, so that they are not the best ones; those that are
 * wrong, by falling confidence, as they tell most. The same input gives the same examples.
 *
 * @param truth Class of each sequence (N).
 * @param predicted Class that it was given (N).
 * @returns Places of the sequences: first right ones, then wrong ones.
 * @throws {RangeError} If lengths differ, or a count is not an integer from 0.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { pickExamples } from "@grutto/grutto";
 *
 * const truth = [0, 0, 0, 1, 1, 1], predicted = [0, 0, 1, 1, 1, 0];
 * assert.deepEqual(pickExamples(truth, predicted, { count: 4 }), [0, 3, 2, 5]);
 * ```
 */
export function pickExamples(
  truth: ArrayLike<number | string>,
  predicted: ArrayLike<number | string>,
  options: PickOptions = {},
): number[] {
  checkArgument("pick examples", "truth", truth, "list");
  checkArgument("pick examples", "predicted", predicted, "list");
  const own = ownOptions("pick examples", options, { count: true, wrong: true, confidence: true });
  const { count = 8, confidence } = own, N = truth.length;
  checkInteger("pick examples", "count", count);
  const { wrong = count >> 1 } = own;
  checkInteger("pick examples", "wrong", wrong);
  for (const [what, list] of [["predicted", predicted], ["confidence", confidence]] as const) {
    if (list && list.length !== N) {
      throw fail(
        "shape-mismatch",
        "pick examples",
        `${what} must have one value per sequence, got ${list.length} for ${N}`,
        { name: what },
      );
    }
  }
  const right: number[] = [], errors: number[] = [];
  for (let i = 0; i < N; i++) (truth[i] === predicted[i] ? right : errors).push(i);
  if (confidence) errors.sort((a, b) => confidence[b]! - confidence[a]! || a - b);
  const errorsWanted = Math.min(errors.length, Math.max(Math.min(wrong, count), count - right.length));
  return [...inTurn(right, truth, count - errorsWanted), ...inTurn(errors, truth, errorsWanted)];
}

/** The first `count` of some places, where classes take turns in the order in which they first occur. */
function inTurn(places: readonly number[], classes: ArrayLike<number | string>, count: number): number[] {
  const queues = new Map<number | string, number[]>(), chosen: number[] = [];
  for (const place of places) {
    const queue = queues.get(classes[place]!);
    if (queue) queue.push(place);
    else queues.set(classes[place]!, [place]);
  }
  for (let round = 0; chosen.length < Math.min(count, places.length); round++) {
    for (const queue of queues.values()) {
      if (round < queue.length && chosen.length < count) chosen.push(queue[round]!);
    }
  }
  return chosen;
}

/**
 * Sequences from the best predicted to the worst, evenly spread over the order of their errors: for numbers, where none is
 * simply right.
 *
 * @param errors Size of each sequence's error (N).
 * @param count How many. Default 6.
 * @returns Places of the sequences, by rising error.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { pickByError } from "@grutto/grutto";
 *
 * assert.deepEqual(pickByError([3, 1, 2, 5, 4], 3), [1, 0, 3]);
 * ```
 */
export function pickByError(errors: ArrayLike<number>, count = 6): number[] {
  checkArgument("pick examples", "errors", errors, "numbers");
  if (!Number.isSafeInteger(count) || count < 0) {
    throw fail("argument-out-of-range", "pick examples", `count must be an integer from 0, got ${spell(count)}`, {
      name: "count",
      value: count,
    });
  }
  const order = Array.from(errors, (_, i) => i).sort((a, b) => errors[a]! - errors[b]! || a - b);
  return spread(order.length, count).map((place) => order[place]!);
}
