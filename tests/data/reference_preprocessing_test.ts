import assert from "node:assert/strict";
import { everyNth, type ForecastOptions, ForecastPipeline, Pipeline, type PreparedDataset } from "../../mod.ts";
import { series, table, text } from "./records.ts";

// Made by scripts/preprocessing_fixtures.py from the reference tasks' own functions; scripts/preprocessing.ts holds the
// whole data sets to the same.
interface Fixtures {
  series: {
    patch: number;
    train: number[][][];
    test: number[][][];
    labels: [string[], string[]];
    names: string[];
    classes: [number[], number[]];
    x: [number[], number[]];
    lengths: [number[], number[]];
  }[];
  texts: {
    texts: string[];
    unit: "characters" | "words";
    maxLength: number;
    minCount: number;
    vocab: number;
    x: [number[], number[]];
    lengths: [number[], number[]];
  }[];
  table: number[];
  forecasts: {
    options: Omit<ForecastOptions, "targetColumns">;
    rows: [[number, number], [number, number]];
    x: [number[], number[]];
    y: [number[], number[]];
    output: number;
    decoded: number[];
  }[];
}

const fixtures = JSON.parse(
  await Deno.readTextFile(new URL("../testdata/preprocessing.json", import.meta.url)),
) as Fixtures;

/** Sums in float64 differ in their order alone, and deviations by the 1e-8 that the forecasting tasks do without. */
function assertClose(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6) {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const error = Math.abs(actual[i]! - value) / Math.max(1, Math.abs(value));
    assert.ok(error <= tolerance, `${i}: ${actual[i]} is not ${value}`);
  });
}

/** The inputs without their padding. */
function unpadded({ x, shape: [N, T, I], lengths = new Int32Array(N).fill(T) }: PreparedDataset): number[] {
  return Array.from(lengths, (length, i) => [...x.subarray(i * T * I, (i * T + length) * I)]).flat();
}

for (const { patch, train, test, labels, names, classes, x, lengths } of fixtures.series) {
  Deno.test(`series are prepared as for the reference tasks, in patches of ${patch}`, () => {
    const records = [train, test].map((part, p) => part.map((steps, i) => series(steps, labels[p]![i])));
    const pipeline = Pipeline.fit(records[0]!, { patch });
    assert.deepEqual(pipeline.labels, names);
    records.forEach((part, p) => {
      const dataset = pipeline.dataset(part), { lengths: got, shape: [N, T] } = dataset;
      assertClose(unpadded(dataset), x[p]!);
      assert.deepEqual([...got ?? new Int32Array(N).fill(T)], lengths[p]);
      assert.deepEqual([...dataset.targets], classes[p]);
    });
  });
}

for (const { texts, unit, maxLength, minCount, vocab, x, lengths } of fixtures.texts) {
  Deno.test(`${unit} are prepared as for the reference tasks`, () => {
    const records = texts.map((line, i) => text(line, String(i % 2))), { train, test } = everyNth(texts.length, 5);
    const parts = [train, test].map((part) => Array.from(part, (i) => records[i]!));
    const pipeline = Pipeline.fit(parts[0]!, { tokens: unit, normalize: "ascii", maxLength, minCount });
    assert.equal(pipeline.numEmbeddings, vocab);
    parts.forEach((part, p) => {
      const dataset = pipeline.dataset(part), { lengths: got, shape: [N, T] } = dataset;
      assert.deepEqual(unpadded(dataset), x[p]);
      assert.deepEqual([...got ?? new Int32Array(N).fill(T)], lengths[p]);
    });
  });
}

for (const { options, rows, x, y, output, decoded } of fixtures.forecasts) {
  const { transform = "none", center = false } = options;
  Deno.test(`windows are prepared as for the reference tasks: transform ${transform}, center ${center}`, () => {
    const data = table({ value: fixtures.table });
    const pipeline = ForecastPipeline.fit(data, { targetColumns: ["value"], ...options }, rows[0]);
    rows.forEach((part, p) => {
      const dataset = pipeline.dataset(data, part);
      assertClose(dataset.x, x[p]!);
      assertClose(dataset.targets, y[p]!);
      if (p === 0) return;
      const outputs = Array.from(dataset.rows, (_, i) => {
        return [...pipeline.decode(new Float32Array(pipeline.outputSize).fill(output), dataset, i)];
      });
      assertClose(outputs.flat(), decoded);
    });
  });
}
