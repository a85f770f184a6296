/** Sequences in parts of similar lengths. */

import assert from "node:assert/strict";
import { createModel, Pipeline, predict, type SequenceRecord } from "../../mod.ts";

const record = (steps: number, channels: number, i: number): SequenceRecord => ({
  values: Float64Array.from({ length: steps * channels }, (_, t) => Math.sin(t * (i + 1))),
  steps,
  channels,
  labels: [`class ${i % 3}`],
  place: `x.csv, line ${i + 1}`,
});

Deno.test("parts of similar lengths hold every sequence once, padded by little", () => {
  const lengths = [60_000, 2, 2, 17, 16, 3, 33, 64, 65, 1, 129, 2], records = lengths.map((n, i) => record(n, 1, i));
  const parts = Pipeline.fit(records).parts(records), rows = parts.flatMap((part) => [...part.rows]);
  assert.deepEqual(rows.toSorted((a, b) => a - b), [...lengths.keys()]);
  for (const { shape: [N, T], lengths: own, rows } of parts) {
    assert.deepEqual(Array.from(rows, (row) => lengths[row]), own ? [...own] : new Array(N).fill(T));
    assert.ok(rows.every((row) => T <= Math.max(16, 2 * lengths[row]!)), `${T} steps for ${own}`);
  }
});

Deno.test("a part is no larger than what is predicted at a time", () => {
  const records = Array.from({ length: 300 }, (_, i) => record(1025, 1, i)), { length } = records;
  const parts = Pipeline.fit(records).parts(records);
  assert.deepEqual(parts.map(({ shape }) => shape[0]), [128, 128, length - 256]);
});

Deno.test("texts come in parts too, and what is dropped is in none", () => {
  const text = (text: string, label: string) => ({ text, steps: 0, channels: 0, labels: [label], place: text });
  const records = [text("so good", "yes"), text("bad ".repeat(40), "no"), text("!", "no")];
  const pipeline = Pipeline.fit(records, { tokens: "words" });
  assert.deepEqual(pipeline.parts(records).map(({ rows, x }) => [[...rows], x.constructor]), [
    [[0, 2], Int32Array],
    [[1], Int32Array],
  ]);
  const lacking = { ...record(3, 1, 1), values: Float64Array.of(1, NaN, 2) },
    others = [0, 2].map((i) => record(3, 1, i));
  const dropping = Pipeline.fit([others[0]!, lacking, others[1]!], { missing: "drop" });
  assert.deepEqual(dropping.parts([others[0]!, lacking, others[1]!]).map(({ rows }) => [...rows]), [[0, 2]]);
});

Deno.test("a sequence is predicted to the same bits in any part", async () => {
  for (const [I, hiddenSize, bidirectional] of [[1, 16, false], [3, 7, true]] as const) {
    const records = Array.from({ length: 40 }, (_, i) => record(1 + (i * i * 7) % 150, I, i)),
      pipeline = Pipeline.fit(records);
    using model = await createModel({ inputSize: I, hiddenSize, outputSize: 3, bidirectional, loss: "crossEntropy" }, {
      seed: 1,
    });
    const all = pipeline.sequences(records), whole = await predict(model, all), parts = pipeline.parts(records);
    assert.ok(parts.length > 3);
    for (const part of parts) {
      const { outputs, attentionWeights } = await predict(model, part), T = part.shape[1];
      part.rows.forEach((row, i) => {
        const steps = part.lengths?.[i] ?? T;
        assert.deepEqual(outputs.data.subarray(i * 3, i * 3 + 3), whole.outputs.data.subarray(row * 3, row * 3 + 3));
        assert.deepEqual(
          attentionWeights.data.subarray(i * T, i * T + steps),
          whole.attentionWeights.data.subarray(row * all.shape[1], row * all.shape[1] + steps),
        );
      });
    }
  }
});
