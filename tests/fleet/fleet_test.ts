/** The contract: the number of processes changes the time, and never a bit. */

import assert from "node:assert/strict";
import { ALONE } from "../../core/fleet/fleet.ts";
import { blockBounds } from "../../core/model/share.ts";
import { choicesOf, outputsOf } from "../../core/train/outputs.ts";
import { createModel, sampleDataset } from "../../mod.ts";
import { overRing } from "../../scripts/fleet/bytes.ts";
import { JOBS } from "./jobs.ts";
import { runTogether } from "./run_together.ts";

for (const job of Object.keys(JOBS)) {
  Deno.test(`any number of processes and threads ends with the same bytes: ${job}`, async () => {
    const [alone] = await runTogether(job, 1, 1);
    for (const [size, threads] of [[2, 1], [3, 2], [5, 1]] as const) {
      const results = await runTogether(job, size, threads);
      results.forEach((result, rank) => assert.ok(result === alone, `process ${rank} of ${size}`));
    }
  });
}

Deno.test("each process computes its share of a test set's outputs, and no more", async () => {
  const nothing = () => {},
    data = sampleDataset({ size: 50 }),
    config = { inputSize: 5, hiddenSize: 10, outputSize: 2 };
  const fleet = { ...ALONE, rank: 1, size: 2, hosts: ["", ""], gather: nothing, exchange: nothing };
  using alone = await createModel(config, { threads: 1 });
  using shared = await createModel(config, { threads: 1, fleet });
  const asking = { loss: "bce", batchSize: 10, together: true } as const;
  const all = (await outputsOf(alone, data, asking)).data, own = (await outputsOf(shared, data, asking)).data;
  // Two of five batches are the first process's, whose rows never come.
  assert.deepEqual(own, new Float32Array(100).map((_, i) => i < 40 ? 0 : all[i]!));
  const chosen = await choicesOf(alone, data, asking), { score } = await choicesOf(shared, data, asking);
  assert.deepEqual(score, chosen.score.map((value, row) => row < 20 ? 0 : value));
  // What a report shows of a few is asked for by one process.
  assert.deepEqual((await outputsOf(shared, data, { ...asking, together: false })).data, all);
});

Deno.test("each process has as many blocks as any other, or one more", () => {
  for (let size = 1; size <= 9; size++) {
    for (let blocks = 0; blocks <= 40; blocks++) {
      const bounds = blockBounds(blocks, size), counts = bounds.slice(1).map((end, r) => end - bounds[r]!);
      assert.deepEqual([bounds[0], bounds[size], bounds.length], [0, blocks, size + 1]);
      assert.ok(Math.max(...counts) <= Math.ceil(blocks / size) && Math.min(...counts) >= Math.floor(blocks / size));
    }
  }
  // 32 blocks are one branch, 31 the other.
  assert.deepEqual(blockBounds(63, 2), [0, 32, 63]);
});

Deno.test("each process receives as many bytes as in a ring, or not much more", () => {
  const isPower = (n: number) => (n & (n - 1)) === 0;
  for (let size = 2; size <= 8; size++) {
    for (let blocks = size; blocks <= 64; blocks++) {
      const times = overRing(size, blocks), most = isPower(blocks) && isPower(size) ? 1 : 2.4;
      assert.ok(times >= 1 && times <= most, `${size} processes, ${blocks} blocks: ${times}`);
    }
  }
});
