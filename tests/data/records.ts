import type { SequenceRecord, Table } from "../../mod.ts";

/** A record of numbers: steps as lists of channels, or as numbers where there is one channel. */
export function series(
  steps: readonly (number | readonly number[])[],
  labels?: string | readonly string[],
  more: Partial<SequenceRecord> = {},
): SequenceRecord {
  return {
    values: Float32Array.from(steps.flat()),
    steps: steps.length,
    channels: typeof steps[0] === "object" ? steps[0].length : 1,
    ...labels !== undefined && { labels: typeof labels === "string" ? [labels] : labels },
    place: "data.csv, line 1",
    ...more,
  };
}

/** A record of text. */
export function text(text: string, label?: string, place = "data.tsv, line 1"): SequenceRecord {
  return { text, steps: 0, channels: 0, ...label !== undefined && { labels: [label] }, place };
}

/** What JSON makes of a value. */
export function throughJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** A table of named columns. */
export function table(columns: Record<string, readonly number[]>, more: Partial<Table> = {}): Table {
  const values = Object.values(columns).map((column) => Float64Array.from(column));
  return { name: "table.csv", columns: Object.keys(columns), values, rows: values[0]!.length, ...more };
}
