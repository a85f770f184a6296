/**
 * Reads mutated checkpoints: each must be refused in words of ours, or taken for what it says, in less than a second and
 * in bounded memory.
 *
 *     deno task fuzz:checkpoints --runs 25000 --seed 1
 *
 * What was found goes to the folder `finds`.
 *
 * @module
 */

import fc from "npm:fast-check@4.10.2";
import { commandLine, numberOption } from "../command_line.ts";
import { computed } from "./harness.ts";
import { type Mutated, mutated, read } from "../../tests/train/mutated.ts";

const { values } = commandLine("deno task fuzz:checkpoints", "Reads mutated checkpoints.", {
  runs: { type: "string", default: "25000", about: "how many" },
  seed: { type: "string", default: "1", about: "of the mutations" },
});
const runs = numberOption("runs", values.runs, 1), seed = numberOption("seed", values.seed, 0);
const folder = new URL("../../tests/testdata/checkpoints/", import.meta.url), bases: string[] = [];
for (const version of Deno.readDirSync(folder)) {
  if (!/^v\d+$/.test(version.name)) continue;
  const here = new URL(`${version.name}/`, folder);
  for (const { name } of Deno.readDirSync(here)) {
    if (!name.includes("expected")) bases.push(Deno.readTextFileSync(new URL(name, here)));
  }
}

const counts = { runs: 0, taken: 0, slowest: 0, hungriest: 0 };
async function attempt(one: Mutated) {
  const start = computed(), before = Deno.memoryUsage().rss;
  counts.taken += Number(await read(one));
  let spent = computed() - start;
  const memory = Deno.memoryUsage().rss - before;
  if (spent > 1000) {
    // What is collected or compiled meanwhile may come out of one: not out of the same again.
    const again = computed();
    await read(one);
    spent = Math.min(spent, computed() - again);
  }
  counts.runs++;
  counts.slowest = Math.max(counts.slowest, spent);
  counts.hungriest = Math.max(counts.hungriest, memory);
  if (spent > 1000) throw new Error(`it took ${spent} ms`);
  if (memory > 256e6) throw new Error(`it took ${memory} bytes`);
}

const result = await fc.check(fc.asyncProperty(mutated(bases), attempt), {
  numRuns: runs,
  seed,
});
console.log(`${bases.length} checkpoints:`, counts);
if (result.failed) {
  const [{ text }] = result.counterexample as [Mutated];
  Deno.mkdirSync("finds", { recursive: true });
  Deno.writeTextFileSync(`finds/checkpoint-${seed}.json`, text);
  console.error(fc.defaultReportMessage(result));
  Deno.exit(1);
}
