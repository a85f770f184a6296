/** A model that is asked for ever new shapes forgets the plans of old ones. */

import assert from "node:assert/strict";
import { ROOT, runDeno } from "../cli/run.ts";

/** Heap in bytes after predictions of 100 shapes, and after 300. */
const SCRIPT = `
import { createModel, predict } from "file://${ROOT}/mod.ts";
const config = { inputSize: 1, hiddenSize: 4, outputSize: 2, numLayers: 3, bidirectional: true, loss: "bce" }, marks = [];
using model = await createModel(config, { threads: 1 });
for (let T = 1; T <= 300; T++) {
  await predict(model, { x: new Float32Array(T), shape: [1, T, 1] });
  if (T !== 100 && T !== 300) continue;
  gc();
  await new Promise((resolve) => setTimeout(resolve, 20));
  gc();
  marks.push(Deno.memoryUsage().heapUsed);
}
console.log(JSON.stringify(marks));`;

Deno.test("memory levels off however many shapes a model has seen", async () => {
  const { code, out, err } = await runDeno(["eval", "--v8-flags=--expose-gc", SCRIPT]);
  assert.equal(code, 0, err);
  const [before, after] = JSON.parse(out) as [number, number];
  // A plan of this model takes about 12 kB.
  assert.ok(after - before < 1e6, `${before} bytes after 100 shapes, ${after} after 300`);
});
