import assert from "node:assert/strict";
import { JOB, killTrainings } from "../../scripts/kill_test.ts";

Deno.test("trainings that are killed at any instant and resumed end with the same bytes", async () => {
  const { kills, finished } = await killTrainings(10, [JOB], 7);
  assert.ok(kills >= 10 && finished >= 1);
});

Deno.test("so do those on several threads", async () => {
  const job = "--size 160 --steps 8 --hidden-size 32 --batch-size 64 --epochs 60 --threads 3 --dropout 0.2";
  const { kills, finished } = await killTrainings(3, [job], 8);
  assert.ok(kills >= 3 && finished >= 1);
});

for (const by of ["SIGTERM", "reader"] as const) {
  Deno.test({
    name: `so do those that are stopped by ${by}, with the same log`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const { finished } = await killTrainings(4, [JOB], 9, undefined, by);
      assert.ok(finished >= 1);
    },
  });
}
