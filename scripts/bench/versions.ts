/**
 * This version beside another one: training steps at S1 to S5, one prediction, `--help` and the cold start of the sample
 * job, the two taking turns in one run, after a check that both compute the same.
 *
 *     deno task bench:versions CLONE [--sizes S1,…] [--threads 1,2] [--rounds N] [--wide]
 *
 * CLONE is a folder with the other version. Prints medians and ratios; below 1 this version is faster.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as here from "../../mod.ts";
import { commandLine } from "../command_line.ts";
import { configOf, type Size, SIZES } from "./work.ts";

const FLAGS = {
  sizes: { type: "string", default: "S1,S2,S3,S4,S5", about: 'which sizes; none: ""', takes: "S1,…" },
  threads: { type: "string", default: "1,2", about: "numbers of threads", takes: "1,…" },
  rounds: { type: "string", default: "5", about: "rounds, of which the medians are taken" },
  ms: { type: "string", default: "400", about: "milliseconds of steps in a round" },
  wide: { type: "boolean", about: "wide tiles, for V8 under its flags" },
} as const;
const about = "This version beside another one, taking turns.";
const { values, operands: [clone] } = commandLine("deno task bench:versions", about, FLAGS, ["CLONE"]);
const root = await Deno.realPath(clone!), rounds = Number(values.rounds);
const there: typeof here = await import(`file://${root}/mod.ts`);
const VERSIONS = { here, there } as const;
type Name = keyof typeof VERSIONS;
const NAMES = Object.keys(VERSIONS) as Name[];

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

/** Turns of both sides; each gives a time. */
async function compare(what: string, sides: Record<Name, () => Promise<number>>, unit: string): Promise<void> {
  const times: Record<Name, number[]> = { here: [], there: [] };
  for (const name of NAMES) await sides[name](); // warm
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 ? NAMES.toReversed() : NAMES) times[name].push(await sides[name]());
  }
  const ratios = times.here.map((time, i) => time / times.there[i]!);
  const [ours, theirs] = [median(times.here), median(times.there)];
  console.log(
    `${what.padEnd(22)} ${ours.toPrecision(4).padStart(9)} ${theirs.toPrecision(4).padStart(9)} ${unit}  ` +
      `ratio of medians ${(ours / theirs).toFixed(3)}, median ratio ${median(ratios).toFixed(3)}, ` +
      `least ${(Math.min(...times.here) / Math.min(...times.there)).toFixed(3)}`,
  );
}

/** A trainer of a size, and a step. */
async function stepper(name: Name, size: Size, threads: number) {
  const { createModel, createTrainer } = VERSIONS[name];
  const model = await createModel(configOf(size), { threads, simd: values.wide ? "wide" : "relaxed", seed: 1 });
  const trainer = createTrainer(model, { loss: "bce" }), { B, T, I, O } = size;
  const x = Float32Array.from({ length: B * T * I }, (_, i) => Math.sin(i * 1.7)), shape = [B, T, I];
  const targets = Float32Array.from({ length: B * O }, (_, i) => i % 2);
  return { model, step: () => trainer.step({ x, shape }, targets) };
}

for (const threads of values.threads.split(",").map(Number)) {
  for (const name of values.sizes ? values.sizes.split(",") : []) {
    const size = SIZES[name]!,
      sides = { here: await stepper("here", size, threads), there: await stepper("there", size, threads) };
    const losses: Record<string, number[]> = { here: [], there: [] };
    for (const side of NAMES) for (let i = 0; i < 3; i++) losses[side]!.push((await sides[side].step()).loss);
    assert.deepEqual(losses.here, losses.there, `${name}: other losses`);
    const run = (side: Name) => async () => {
      const start = performance.now();
      let steps = 0;
      do {
        await sides[side].step();
        steps++;
      } while (performance.now() - start < Number(values.ms));
      return 1000 * (performance.now() - start) / steps;
    };
    await compare(
      `${name}, ${threads} thread${threads > 1 ? "s" : ""}`,
      { here: run("here"), there: run("there") },
      "µs",
    );
    for (const side of NAMES) sides[side].model.dispose();
  }
}

// One prediction.
const predictors = await Promise.all(NAMES.map(async (name) => {
  const { createModel, createPredictor } = VERSIONS[name];
  return await createPredictor(await createModel(configOf(SIZES.S1!), { seed: 1 }), { loss: "bce" });
}));
const x = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i));
assert.deepEqual(predictors[0]!.predict(x).probabilities, predictors[1]!.predict(x).probabilities);
const predicting = (i: number) => () => {
  const start = performance.now();
  for (let n = 0; n < 50_000; n++) predictors[i]!.predict(x);
  return Promise.resolve((performance.now() - start) / 50);
};
await compare("one prediction", { here: predicting(0), there: predicting(1) }, "µs");

// The command line.
const HERE = new URL("../..", import.meta.url).pathname;
for (const [what, args] of [["--help", ["--help"]], ["the sample job, cold", []]] as const) {
  const start = (folder: string) => async () => {
    const before = performance.now();
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", `${folder}/mod.ts`, ...args],
      stdout: "null",
      stderr: "null",
    }).output();
    assert.ok(success, `${folder}: ${what} fails`);
    return performance.now() - before;
  };
  await compare(what, { here: start(HERE), there: start(root) }, "ms");
}
Deno.exit(0);
