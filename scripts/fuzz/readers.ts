/**
 * Reads mutated files of every format: each must give records or one of our errors, within a second. What does not is
 * kept in a folder.
 *
 *     deno run -A scripts/fuzz/readers.ts --runs 100000 --seed 0 --keep finds
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Random } from "../../core/random.ts";
import { checkReading, KINDS, mutate, type Mutation, samples, TOKENS } from "../../tests/data/readers/mutation.ts";

/** Most milliseconds for a file. */
const LIMIT = 1000;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10000" },
    seed: { type: "string", default: "0" },
    keep: { type: "string", default: "finds" },
  },
});
const random = new Random(Number(values.seed), "data"), files = await samples(), start = performance.now();
let read = 0, slowest = 0, finds = 0;
for (let run = 0; run < Number(values.runs); run++) {
  const sample = files[random.below(files.length)]!;
  const mutations = Array.from({ length: 1 + random.below(1 + random.below(4)) }, (): Mutation => ({
    kind: KINDS[random.below(KINDS.length)]!,
    at: random.uniform(),
    to: random.uniform(),
    size: random.below(1 + random.below(40)),
    token: random.below(TOKENS.length),
  }));
  const bytes = mutate(sample.bytes, mutations), begin = performance.now();
  let problem: string | undefined;
  try {
    if (await checkReading({ ...sample, bytes })) read++;
  } catch (error) {
    problem = (error as Error).stack;
  }
  const took = performance.now() - begin;
  slowest = Math.max(slowest, took);
  if (took > LIMIT) problem ??= `it took ${took.toFixed(0)} ms`;
  if (problem) {
    finds++;
    await Deno.mkdir(values.keep, { recursive: true });
    await Deno.writeFile(`${values.keep}/${run}-${sample.name}`, bytes);
    console.log(`run ${run}, ${sample.name}: ${problem}`);
  }
}
const peak = (await Deno.readTextFile("/proc/self/status").catch(() => "")).match(/VmHWM:\s*(\d+)/)?.[1];
console.log(
  `${values.runs} files: ${read} read, ${Number(values.runs) - read - finds} refused, ${finds} finds; slowest ${
    slowest.toFixed(0)
  } ms, ` +
    `peak ${(Number(peak) / 1024).toFixed(0)} MB, ${((performance.now() - start) / 1000).toFixed(0)} s`,
);
if (finds) Deno.exit(1);
