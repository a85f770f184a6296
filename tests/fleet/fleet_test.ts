/** The contract: the number of processes changes the time, and never a bit. */

import assert from "node:assert/strict";
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
