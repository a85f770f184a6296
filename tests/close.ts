/** Comparing arrays of numbers. */

import assert from "node:assert/strict";
import { share } from "./golden.ts";

/** Fails where a number is further than `allowed` from the expected one, or NaN. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, allowed: number, what: string) {
  const worst = share(actual, expected, allowed);
  if (worst <= 1) return;
  let at = 0;
  while (Math.abs(actual[at]! - expected[at]!) <= allowed) at++;
  assert.fail(
    `${what}: ${actual[at]} at ${at}, expected ${expected[at]} ± ${allowed}; the worst is off ${worst} times that`,
  );
}

/** Fails where two arrays differ in a bit: −0 is not 0. NaN equals NaN. */
export function assertIdentical(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) assert.fail(`${what}: ${actual[i]} at ${i}, expected ${expected[i]}`);
  }
}

/** The largest absolute value, 0 of nothing. */
export function largest(numbers: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < numbers.length; i++) most = Math.max(most, Math.abs(numbers[i]!));
  return most;
}
