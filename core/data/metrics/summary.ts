/** The metrics of a task, and what several of them come to together. */

import { checkArgument, fail } from "../../errors.ts";
import type { ClassificationMetrics, MultilabelMetrics } from "./classification.ts";
import type { RegressionMetrics } from "./regression.ts";
import { sum } from "./rows.ts";
import type { SequenceMetrics } from "./sequences.ts";

/** One of the kinds of metrics. */
export type TaskMetrics = ClassificationMetrics | MultilabelMetrics | RegressionMetrics | SequenceMetrics;

/** Mean and spread of some values. */
export interface Summary {
  /** Their mean. */
  readonly mean: number;
  /** Their sample standard deviation (n − 1); 0 of a single value. */
  readonly sd: number;
}

/**
 * Mean and sample standard deviation, as in "0.956 ± 0.006".
 *
 * @throws {RangeError} If there are no values.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { summarize } from "@grutto/grutto";
 *
 * assert.deepEqual(summarize([1, 2, 3]), { mean: 2, sd: 1 });
 * ```
 */
export function summarize(values: readonly number[]): Summary {
  checkArgument("summarize", "values", values, "numbers");
  const n = values.length;
  if (!n) throw fail("empty", "summarize", "there are no values");
  const mean = sum(values) / n;
  return { mean, sd: n > 1 ? Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (n - 1)) : 0 };
}

/**
 * Mean and standard deviation of everything that several evaluations have in common, by name: such as those of several
 * seeds. Names are those of {@linkcode Metrics} and of the metrics themselves.
 *
 * @param runs As {@linkcode evaluate} returns them, with or without metrics.
 * @throws {RangeError} If there are none.
 */
export function summarizeMetrics(
  runs: readonly { readonly loss: number; readonly accuracy: number; readonly metrics?: TaskMetrics }[],
): Record<string, Summary> {
  checkArgument("summarize", "runs", runs, "objects");
  const numbers = runs.map(({ metrics, ...rest }) =>
    Object.entries({ ...rest, ...metrics }).filter(([, value]) => typeof value === "number") as [string, number][]
  );
  // What has no accuracy has 0.
  const skip = runs.some(({ metrics }) => metrics?.kind === "regression") ? ["accuracy"] : [];
  const names = numbers[0]?.map(([name]) => name).filter((name) => !skip.includes(name)) ?? [];
  const values = (name: string) => numbers.flatMap((run) => run.filter(([other]) => other === name).map(([, v]) => v));
  const common = names.filter((name) => values(name).length === runs.length);
  if (!runs.length) throw fail("empty", "summarize", "there are no values");
  return Object.fromEntries(common.map((name) => [name, summarize(values(name))]));
}
