import assert from "node:assert/strict";
import { ForecastPipeline, Pipeline, type ReadOptions, readRecords, readTable } from "../../../mod.ts";
import { input } from "./read.ts";

// Made by scripts/fixtures/foreign.py: files as other programs write them, and what those read.
interface Case {
  name: string;
  file: string;
  content: string;
  options: ReadOptions;
  table?: Record<string, (number | null)[]>;
  records: { values?: (number | null)[]; text?: string; steps: number; channels: number; labels?: string[] }[];
  /** Of a table in time: what the windows of v that have no gap forecast first. */
  rows?: number[];
  window?: number;
  x?: number[];
  targets?: number[];
}

const cases = JSON.parse(
  await Deno.readTextFile(new URL("../../testdata/foreign.json", import.meta.url)),
) as Case[];

for (const { name, file, content, options, records, table, rows, window, x, targets } of cases) {
  Deno.test(`a file of another program: ${name}`, async () => {
    const bytes = Uint8Array.fromBase64(content);
    if (table) {
      const whole = await readTable(input(file, bytes, 61), options), { columns, values } = whole;
      const read = Object.fromEntries(
        columns.map((column, c) => [column, Array.from(values[c]!, (v) => v === v ? v : null)]),
      );
      assert.deepEqual(read, table);
      if (!rows) return;
      const windows = ForecastPipeline.fit(whole, { targetColumns: ["v"], window: window! }).dataset(whole);
      assert.deepEqual([...windows.rows], rows);
      assert.equal(windows.leftOut.breaks, whole.rows - window! - rows.length);
      return;
    }
    const source = await readRecords(input(file, bytes, 61), options);
    const read = await Array.fromAsync(source.records);
    assert.deepEqual(
      read.map(({ values, text, steps, channels, labels }) => ({
        ...values && { values: [...values] },
        ...text !== undefined && { text },
        steps,
        channels,
        ...labels && { labels },
      })),
      records.map(({ values, ...rest }) => ({ ...values && { values: values.map((value) => value ?? NaN) }, ...rest })),
    );
    for (const { values, missing } of read) assert.equal(missing !== undefined, values?.some(Number.isNaN) ?? false);
    if (targets) assert.deepEqual([...Pipeline.fit(read, { task: "multiclass" }).dataset(read).targets], targets);
    if (!x) return;
    const labelled = read.map((record, n) => ({ ...record, labels: record.labels ?? [String(n)] }));
    // The deviation has 1e-8 added to it; the rest is one rounding to float32.
    const prepared = Pipeline.fit(labelled).dataset(labelled).x;
    x.forEach((value, i) => assert.ok(Math.abs(prepared[i]! - value) < 2e-6, `${i}: ${prepared[i]} is not ${value}`));
    assert.equal(prepared.length, x.length);
  });
}
