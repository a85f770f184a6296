import type { Dataset } from "../data/dataset.ts";
import { fail } from "../errors.ts";

/**
 * Checks that all numbers of a dataset are finite, before anything is trained on them. Steps beyond a sequence's length are
 * not checked: they are never used.
 *
 * @param what What the error calls them: "data".
 * @throws {RangeError} If one is not; the message says where the first is.
 */
export function checkFinite({ x, shape, targets, targetsPerStep, lengths }: Dataset, what: string): void {
  const [N, T, I] = shape as [number, number, number], width = targets.length / N;
  const refuse = (name: string, value: number, place: string) => {
    throw fail(
      "not-finite",
      "train",
      `${name} of the ${what} must be finite numbers, got ${value} in ${place} (counted from 0)`,
      { name, value },
    );
  };
  if (x instanceof Float32Array) {
    for (let row = 0; row < N; row++) {
      const start = row * T * I, bad = firstBad(x, start, start + (lengths?.[row] ?? T) * I);
      if (bad < 0) continue;
      const at = bad - start;
      refuse("x", x[bad]!, `sequence ${row}, step ${Math.floor(at / I)}, channel ${at % I}`);
    }
  }
  if (!(targets instanceof Float32Array)) return;
  const outputs = targetsPerStep ? width / T : width;
  for (let row = 0; row < N; row++) {
    const start = row * width, end = start + (targetsPerStep ? (lengths?.[row] ?? T) * outputs : width);
    const bad = firstBad(targets, start, end), at = bad - start;
    if (bad < 0) continue;
    const step = targetsPerStep ? `step ${Math.floor(at / outputs)}, ` : "";
    refuse("targets", targets[bad]!, `sequence ${row}, ${step}output ${at % outputs}`);
  }
}

/** The index of the first number in a range that is not finite, or −1. */
export function firstBad(values: Float32Array, start = 0, end = values.length): number {
  for (let i = start; i < end; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}
