/**
 * Where a sequence ends: tables and arrays pad shorter sequences with missing values.
 *
 * @module
 */

import type { SequenceRecord } from "./record.ts";

/**
 * A record without the steps at its end that have no value in any channel: they are padding. Where no step has one, all
 * stay.
 *
 * @param where Where a value stands, for readers that go through one channel after the other; the first missing one that is
 * left is then looked for in that order.
 */
export function ended(
  record: SequenceRecord,
  where?: (step: number, channel: number) => string,
): SequenceRecord {
  const { values, channels, missing } = record;
  if (missing === undefined || !values) return record;
  let size = values.length;
  while (size > 0 && Number.isNaN(values[size - 1])) size--;
  const steps = Math.ceil(size / channels);
  if (steps === 0 || steps === record.steps) return record;
  const kept = values.slice(0, steps * channels), { missing: _, ...rest } = record;
  if (!kept.some(Number.isNaN)) return { ...rest, values: kept, steps };
  if (!where) return { ...record, values: kept, steps };
  for (let c = 0; c < channels; c++) {
    for (let t = 0; t < steps; t++) {
      if (Number.isNaN(kept[t * channels + c])) return { ...rest, values: kept, steps, missing: where(t, c) };
    }
  }
  return { ...rest, values: kept, steps };
}
