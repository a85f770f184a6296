/** A model that is asked for ever new shapes forgets the plans of old ones. */

import assert from "node:assert/strict";
import { blockRows } from "../../core/model/block.ts";
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

Deno.test("a batch is cut into blocks by the model's size alone, of eight sequences or more", () => {
  const rows = (products: number, state: number, T: number) => blockRows({ products, state }, 1e6, T);
  // Sums of blocks are added up: another size gives other bits.
  assert.deepEqual([rows(168, 4, 12), rows(650, 10, 10), rows(15360, 64, 24), rows(3e5, 256, 40)], [336, 104, 8, 16]);
  assert.equal(rows(0, 0, 1), 1e6);
  assert.equal(blockRows({ products: 168, state: 4 }, 5, 12), 5);
});
