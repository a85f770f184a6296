/**
 * What files do to sequences: they pad shorter ones with missing values, and may hold the steps of each channel together.
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

/** A record of steps of channels (T, I), where `isTurned` says that it holds channels of steps. */
export function turned(record: SequenceRecord, isTurned: boolean): SequenceRecord {
  const { values, steps: channels, channels: steps } = record;
  if (!isTurned || !values || steps === 1) return isTurned ? { ...record, steps, channels } : record;
  const own = new (values instanceof Float32Array ? Float32Array : Float64Array)(values.length);
  for (let c = 0; c < channels; c++) {
    for (let t = 0; t < steps; t++) own[t * channels + c] = values[c * steps + t]!;
  }
  return { ...record, values: own, steps, channels };
}
