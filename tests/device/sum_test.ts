import assert from "node:assert/strict";
import { from } from "../../core/device/arena.ts";
import { Random } from "../../core/random.ts";
import { kernelTest, runCalls } from "./calls.ts";

/** The sum of some numbers by halves, of which the first is the largest power of two below their count. */
function treeSum(numbers: readonly number[]): number {
  if (numbers.length === 1) return numbers[0]!;
  let half = 1;
  while (2 * half < numbers.length) half *= 2;
  return Math.fround(treeSum(numbers.slice(0, half)) + treeSum(numbers.slice(half)));
}

kernelTest("sumBlocks adds up as a tree, to the last bit, whatever the number of blocks", async (device) => {
  const random = new Random(3, "data"), n = 12, stride = 16;
  for (const count of [...Array(20).keys(), 31, 36, 64, 99].map((i) => i + 1)) {
    const blocks = Float32Array.from({ length: count * stride }, () => random.normal());
    const { grads } = await runCalls(device, { grads: new Float32Array(n), blocks }, (task, { grads, blocks }) => {
      task.call("sumBlocks", { grads, blocks, n, count, stride });
    });
    const all = [...Array(count).keys()];
    const wanted = Float32Array.from({ length: n }, (_, i) => treeSum(all.map((b) => blocks[b * stride + i]!)));
    assert.deepEqual(grads, wanted, `${count} blocks`);
  }
});

kernelTest("sums of aligned ranges of blocks are branches of the tree", async (device) => {
  const random = new Random(4, "data"), n = 8, ranges = [[0, 4], [4, 2], [6, 1]] as const;
  const given = Float32Array.from({ length: 7 * n }, () => random.normal());
  const contents = { whole: new Float32Array(n), parts: new Float32Array(3 * n), given };
  const { whole, parts } = await runCalls(device, contents, (task, { whole, parts, given }) => {
    task.call("sumBlocks", { grads: whole, blocks: given, n, count: 7, stride: n });
    ranges.forEach(([first, count], i) => {
      const grads = from(parts, i * n, n), blocks = from(given, first * n);
      task.call("sumBlocks", { grads, blocks, n, count, stride: n });
    });
  });
  const [a, b, c] = [0, 1, 2].map((i) => parts.subarray(i * n, (i + 1) * n));
  assert.deepEqual(whole, a!.map((x, i) => Math.fround(x + Math.fround(b![i]! + c![i]!))));
});
