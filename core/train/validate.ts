import { type Dataset, isDeferred } from "../data/dataset.ts";
import { checkArgument, fail } from "../errors.ts";
import { checkFiniteInputs, firstBad } from "../model/finite.ts";
import type { PlacedNetwork } from "../model/placed_network.ts";

/**
 * Checks that all numbers of a dataset are finite, before anything is computed from them. Steps beyond a sequence's length
 * are not checked: they are never used.
 *
 * @param what What the error calls them: "data".
 * @throws {RangeError} If one is not; the message says where the first is.
 */
export function checkFinite(net: PlacedNetwork, dataset: Dataset, action: string, what: string): void {
  const { shape, targets, targetsPerStep, lengths } = dataset, [N, T] = shape as [number, number, number];
  // What is made as it is needed was checked where it comes from, and is not to be made as a whole.
  if (!isDeferred(dataset)) checkFiniteInputs(net, dataset, action, ` of the ${what}`);
  if (!(targets instanceof Float32Array)) return;
  const width = targets.length / N, outputs = targetsPerStep ? width / T : width;
  for (let row = 0; row < N; row++) {
    const start = row * width, end = start + (targetsPerStep ? (lengths?.[row] ?? T) * outputs : width);
    const bad = firstBad(targets, start, end), at = bad - start;
    if (bad < 0) continue;
    const place = `sequence ${row}, ${targetsPerStep ? `step ${Math.floor(at / outputs)}, ` : ""}output ${
      at % outputs
    }`;
    const problem = `targets of the ${what} must be finite numbers, got ${targets[bad]} in ${place} (counted from 0)`;
    throw fail("not-finite", action, problem, { name: "targets", value: targets[bad] });
  }
}

/**
 * Checks callbacks and a signal, before any of them is met in the middle of a training.
 *
 * @returns The same options.
 */
export function checkWatchers<
  T extends { signal?: AbortSignal; onEpoch?: unknown; onBatch?: unknown; onRun?: unknown },
>(
  action: string,
  options: T,
): T {
  for (const name of ["onEpoch", "onBatch", "onRun"] as const) {
    if (options[name] !== undefined) checkArgument(action, name, options[name], "function");
  }
  const { signal } = options;
  if (signal !== undefined) checkArgument(action, "signal", signal, ["aborted", "throwIfAborted"]);
  return options;
}
