/** The contract: the number of processes changes the time, and never a bit. */

import assert from "node:assert/strict";
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

Deno.test("each process receives as many bytes as in a ring, or not much more", () => {
  const isPower = (n: number) => (n & (n - 1)) === 0;
  for (let size = 2; size <= 8; size++) {
    for (let blocks = size; blocks <= 64; blocks++) {
      const times = overRing(size, blocks), most = !isPower(blocks) ? 3 : isPower(size) ? 1 : 2.6;
      assert.ok(times >= 1 && times <= most, `${size} processes, ${blocks} blocks: ${times}`);
    }
  }
});
