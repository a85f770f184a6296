/**
 * The Mann–Whitney U test: whether one of two samples tends to larger values than the other.
 *
 * @module
 */

/** What the test says. */
export interface MannWhitney {
  /** Pairs in which the value of `a` is the larger one; a tie counts one half. */
  readonly u: number;
  /** How likely a U at least as far from its mean is, either way, if both samples come from one distribution. */
  readonly p: number;
}

/**
 * Two-sided, by the normal approximation with corrections for ties and for continuity, as
 * `scipy.stats.mannwhitneyu(a, b, method="asymptotic")`. It is good from some eight values on.
 *
 * @throws {RangeError} If a sample is empty or holds what is not a number.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): MannWhitney {
  if (!a.length || !b.length || [...a, ...b].some(Number.isNaN)) {
    throw new RangeError("Cannot compare samples: each must have a value, and none may be NaN");
  }
  const all = [...a.map((value) => ({ value, ofA: true })), ...b.map((value) => ({ value, ofA: false }))]
    .sort((first, second) => first.value - second.value);
  const n = all.length;
  let rankSum = 0, ties = 0;
  for (let start = 0, end = 0; start < n; start = end) {
    while (end < n && all[end]!.value === all[start]!.value) end++;
    // Equal values share the mean of the ranks start + 1 to end.
    rankSum += all.slice(start, end).filter(({ ofA }) => ofA).length * (start + 1 + end) / 2;
    ties += (end - start) ** 3 - (end - start);
  }
  const u = rankSum - a.length * (a.length + 1) / 2, mean = a.length * b.length / 2;
  const deviation = Math.sqrt(a.length * b.length / 12 * (n + 1 - ties / (n * (n - 1))));
  // All values alike: nothing speaks for a difference.
  if (!(deviation > 0)) return { u, p: 1 };
  const z = (Math.abs(u - mean) - 0.5) / deviation;
  return { u, p: Math.min(1, erfc(z / Math.SQRT2)) };
}

/** The complementary error function, to about 1e-12 of its value: Abramowitz and Stegun 7.1.6 and 7.1.14. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  const factor = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2.5) {
    let sum = 0, term = 2 * x;
    for (let k = 1; sum + term !== sum; k++) {
      sum += term;
      term *= 2 * x * x / (2 * k + 1);
    }
    return 1 - factor * sum;
  }
  let fraction = x;
  for (let k = 60; k > 0; k--) fraction = x + k / 2 / fraction;
  return factor / fraction;
}
