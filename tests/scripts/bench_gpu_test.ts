import assert from "node:assert/strict";
import { stepDispatches } from "../../scripts/bench/dispatches.ts";
import { SIZES } from "../../scripts/bench/work.ts";
import { runDeno } from "../cli/run.ts";
import { WEBGPU } from "../devices.ts";

Deno.test("a training step is few dispatches on a GPU, whatever its size, besides a large GRU's steps", () => {
  for (const [name, size] of Object.entries(SIZES)) {
    const all = stepDispatches(size), steps = all.filter(({ times }) => times > 1);
    assert.ok(all.length - steps.length <= 50 + 15 * (size.layers - 1), `${all.length} at ${name}`);
    // Forward and backward of each layer.
    assert.equal(steps.length, size.H > 256 ? 2 * size.layers : 0);
    for (const { entry, workgroups } of steps) assert.ok(workgroups >= 128, `${workgroups} workgroups of ${entry}`);
    // What grows with model and batch is spread over many workgroups.
    if (size.H < 256) continue;
    for (const { entry, workgroups, calls } of all) {
      if (/Weight$|Scores|Weights$|adam|sumSquares/.test(entry)) {
        assert.ok(workgroups * calls >= 4, `${workgroups} workgroups of ${entry} at ${name}`);
      }
    }
  }
});

Deno.test("the benchmark of GPUs runs on whatever adapter there is, and says what it did not run", async () => {
  const { code, out, err } = await runDeno(
    ["task", "bench:gpu", "--size", "S1", "--ms", "1", "--rounds", "2", "--python", "no-such-python"],
  );
  assert.equal(code, 0, err);
  const figure = String.raw`\d[\d.]*`, webgpu = WEBGPU.ignore ? `(${figure}|not run)` : figure;
  assert.match(out, new RegExp(String.raw`\| S1 \| 32, 10, 5, 10, 1 \| ${figure} \| ${webgpu} \| not run \|`));
  assert.match(out, /^wasm: WebAssembly/m);
  assert.match(out, /^PyTorch CUDA was not run at S1: .*no-such-python/m);
});
