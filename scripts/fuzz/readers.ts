/**
 * Reads mutated files of every format: each must give records or one of our errors, within a second. What does not is
 * kept in a folder. With `--most` files of every format grow in many ways, and the steepest slope of time over size is
 * printed for each reader.
 *
 *     deno task fuzz:readers --runs 100000 --seed 0 --keep finds --most 8
 *
 * @module
 */

import { Random } from "../../core/random.ts";
import { commandLine, numberOption } from "../command_line.ts";
import { computed } from "./harness.ts";
import { type Slope, slopes } from "./sizes.ts";
import { checkReading, KINDS, mutate, type Mutation, samples, TOKENS } from "../../tests/data/readers/mutation.ts";

/** Most milliseconds for a file, and the steepest that time may grow: 1 is linear, 2 quadratic. */
const LIMIT = 1000, STEEPEST = 1.5;

const { values } = commandLine("deno task fuzz:readers", "Reads mutated files of every format.", {
  runs: { type: "string", default: "10000", about: "how many" },
  seed: { type: "string", default: "0", about: "of the mutations" },
  most: {
    type: "string",
    default: "0",
    about: "megabytes of the largest file whose time is held against smaller ones",
  },
  keep: { type: "string", default: "finds", about: "where finds are kept", takes: "DIR" },
});
const runs = numberOption("runs", values.runs, 1);
const random = new Random(numberOption("seed", values.seed, 0), "data"),
  files = await samples(),
  start = performance.now();
let read = 0, slowest = 0, finds = 0, most = 0;
for (let run = 0; run < runs; run++) {
  const sample = files[random.below(files.length)]!;
  const mutations = Array.from({ length: 1 + random.below(1 + random.below(4)) }, (): Mutation => ({
    kind: KINDS[random.below(KINDS.length)]!,
    at: random.uniform(),
    to: random.uniform(),
    size: random.below(1 + random.below(40)),
    token: random.below(TOKENS.length),
  }));
  const bytes = mutate(sample.bytes, mutations), begin = computed();
  let problem: string | undefined;
  try {
    if (await checkReading({ ...sample, bytes })) read++;
  } catch (error) {
    problem = (error as Error).stack;
  }
  const took = computed() - begin;
  slowest = Math.max(slowest, took);
  most = Math.max(most, Deno.memoryUsage().rss);
  if (took > LIMIT) problem ??= `it took ${took.toFixed(0)} ms`;
  if (problem) {
    finds++;
    await Deno.mkdir(values.keep, { recursive: true });
    await Deno.writeFile(`${values.keep}/${run}-${sample.name}`, bytes);
    console.log(`run ${run}, ${sample.name}: ${problem}`);
  }
}
console.log(
  `${runs} files: ${read} read, ${runs - read - finds} refused, ${finds} finds; slowest ${slowest.toFixed(0)} ms, ` +
    `peak ${(most / 1e6).toFixed(0)} MB, ${((performance.now() - start) / 1000).toFixed(0)} s`,
);
const largest = numberOption("most", values.most, 0, false), steepest = new Map<string, Slope>();
if (largest) {
  for await (const one of slopes(largest * 1e6, STEEPEST)) {
    const { name, what, slope = 0, bytes, ms } = one, reader = name.replace(/^.*\./, "");
    const said = `${name}, ${what}: slope ${slope.toFixed(2)}, ${(bytes / 1e6).toFixed(1)} MB in ${ms.toFixed(0)} ms`;
    if (slope > STEEPEST) finds++, console.log(`find: ${said}`);
    if (slope >= (steepest.get(reader)?.slope ?? 0)) steepest.set(reader, one);
  }
  for (const [reader, { name, what, slope, bytes, ms }] of steepest) {
    console.log(
      `${reader.padEnd(6)} steepest slope ${slope?.toFixed(2) ?? "none"} of time over size: ${what} in ${name}, ` +
        `${(bytes / 1e6).toFixed(1)} MB in ${ms.toFixed(0)} ms`,
    );
  }
}
if (finds) Deno.exit(1);
