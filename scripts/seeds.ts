/**
 * Trains the seed job over seeds 0 to 29 and holds what comes out against PyTorch's 30 runs of the same job.
 *
 *     deno task seeds [--seeds N]
 *
 * The two draw different random numbers, so single runs cannot agree: their distributions must. Each final figure is
 * compared by a two-sided Mann–Whitney U test; a p of 0.01 or less fails.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { createModel, type EpochRecord, randomSplit, sampleDataset, train } from "../mod.ts";
import { mannWhitney } from "./mann_whitney.ts";

/** What is compared, and the least p that passes. */
const FIGURES = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"] as const;
const LEAST_P = 0.01;

type Run = Record<(typeof FIGURES)[number], number>;

/** The seed job as `deno run mod.ts --seed N` does it; the record of the last epoch. */
async function seedJob(seed: number): Promise<EpochRecord> {
  const [training, test] = randomSplit(sampleDataset({ seed }), [0.8, 0.2], seed);
  using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 }, { seed });
  return (await train(model, training!, { validation: test! })).at(-1)!;
}

/**
 * A run as it is compared. PyTorch's losses were stored with four digits, and its accuracies (shares of 800 and of 200)
 * too: both sides are brought to the same values, so that what is a tie counts as one.
 */
function comparable(run: Run): Run {
  return {
    train_loss: Number(run.train_loss.toFixed(4)),
    train_accuracy: Math.round(run.train_accuracy * 800) / 800,
    test_loss: Number(run.test_loss.toFixed(4)),
    test_accuracy: Math.round(run.test_accuracy * 200) / 200,
  };
}

function summary(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b), n = sorted.length;
  const mean = sorted.reduce((a, b) => a + b) / n;
  const sd = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const median = (sorted[(n - 1) >> 1]! + sorted[n >> 1]!) / 2;
  return [mean, sd, sorted[0]!, median, sorted[n - 1]!].map((value) => value.toFixed(4).padStart(8)).join("");
}

const { values } = parseArgs({ options: { seeds: { type: "string", default: "30" } } });
const seeds = Number(values.seeds);
if (!(Number.isInteger(seeds) && seeds >= 2)) {
  console.error(`error: --seeds must be a whole number from 2, got "${values.seeds}"`);
  Deno.exit(2);
}

const file = new URL("../tests/testdata/golden/seed-distribution.json", import.meta.url);
const theirs = (JSON.parse(await Deno.readTextFile(file)).runs as Run[]).map(comparable);
const ours: Run[] = [], start = performance.now();
for (let seed = 0; seed < seeds; seed++) {
  const { trainLoss, trainAccuracy, testLoss, testAccuracy } = await seedJob(seed);
  ours.push(comparable({
    train_loss: trainLoss,
    train_accuracy: trainAccuracy,
    test_loss: testLoss!,
    test_accuracy: testAccuracy!,
  }));
}
const seconds = (performance.now() - start) / 1000;

console.log(
  `The seed job's last epoch: PyTorch, ${theirs.length} seeds; Grutto, seeds 0–${seeds - 1} (${
    seconds.toFixed(1)
  } s)\n`,
);
console.log(`${" ".repeat(26)}${["mean", "sd", "min", "median", "max"].map((word) => word.padStart(8)).join("")}`);
let failed = false;
for (const figure of FIGURES) {
  const [a, b] = [theirs, ours].map((runs) => runs.map((run) => run[figure])) as [number[], number[]];
  const { u, p } = mannWhitney(a, b), passed = p > LEAST_P;
  failed ||= !passed;
  console.log(`${figure.padEnd(16)}PyTorch   ${summary(a)}`);
  console.log(`${" ".repeat(16)}Grutto    ${summary(b)}   U ${u}  p ${p.toFixed(4)}  ${passed ? "ok" : "FAILED"}`);
}
console.log(`\n${failed ? "FAILED: p must be" : "ok: every p is"} above ${LEAST_P} (Mann–Whitney, two-sided)`);
Deno.exit(failed ? 1 : 0);
