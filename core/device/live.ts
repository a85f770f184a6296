/** Numbers of calls that follow the steps which the rows of a block have left. */

/**
 * Steps from `first` on, one or all that follow: what a number of a call counts, in a block whose rows may have ended. The
 * device puts those in its place that measureSteps found along the axis, 0 or 1; or none, where it looks for no ends.
 */
export interface LiveSteps {
  readonly axis: number;
  readonly first: number;
  /** Steps that the number in the call counts. */
  readonly count: number;
}

/** Numbers of a call that may follow the steps that a block has left. */
export const LIVE_NAMES = ["T", "groups"] as const;

/** Which numbers of a call follow them. */
export type Live = { readonly [Name in typeof LIVE_NAMES[number]]?: LiveSteps };

/** Bits of the word for such a number, but for its sign: the axis, whether one step, the first step, what a step counts. */
const AXIS = 2 ** 30, ONE = 2 ** 29, FIRST = 2 ** 16;

/** What these have room for: steps of an axis, and groups of a block. */
export const MOST_STEPS = 2 ** 13 - 1, MOST_GROUPS = 2 ** 16 - 1;

/** A number that follows the steps left, as the word that `liveSteps` in core/kernels/copy.ts reads. */
export function liveWord(value: number, { axis, first, count }: LiveSteps): number {
  return (2 ** 31 + axis * AXIS + Number(count === 1) * ONE + first * FIRST + value / count) >>> 0;
}
