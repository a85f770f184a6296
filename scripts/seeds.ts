/**
 * Trains the sample job over seeds 0 to 29 and holds what comes out against PyTorch's 30 runs of the same job.
 *
 *     deno task seeds [--seeds N] [--device webgpu]
 *
 * The two draw different random numbers, so single runs cannot agree: their distributions must. Each final figure is
 * compared by a two-sided Mann–Whitney U test; a p of 0.01 or less fails.
 *
 * With `--device webgpu`, the GPU's runs are held against the CPU's in the same way. Those draw the same numbers and part
 * only as roundings grow: the losses of the first 10 epochs must be within 1e-3 of each other, seed by seed.
 *
 * @module
 */

import type { DeviceName } from "../core/model/model.ts";
import { createModel, type EpochRecord, randomSplit, sampleDataset, train } from "../mod.ts";
import { commandLine, fail, numberOption } from "./command_line.ts";
import { mannWhitney } from "./mann_whitney.ts";

/** What is compared, and the least p that passes. */
const FIGURES = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"] as const;
const LEAST_P = 0.01;

/** Epochs at the start in which two devices agree, and how closely: relative to the loss. */
const ALIKE = { epochs: 10, within: 1e-3 };

type Run = Record<(typeof FIGURES)[number], number>;

/** The sample job as `deno run mod.ts --seed N` does it. */
async function seedJob(seed: number, device: DeviceName): Promise<readonly EpochRecord[]> {
  const [training, test] = randomSplit(sampleDataset({ seed }), [0.8, 0.2], seed);
  using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 }, { seed, device });
  return await train(model, training!, { validation: test! });
}

/** The job over all seeds, and the seconds it took. */
async function allSeeds(
  seeds: number,
  device: DeviceName,
): Promise<{ runs: (readonly EpochRecord[])[]; seconds: number }> {
  const runs: (readonly EpochRecord[])[] = [], start = performance.now();
  for (let seed = 0; seed < seeds; seed++) runs.push(await seedJob(seed, device));
  return { runs, seconds: (performance.now() - start) / 1000 };
}

/** What a run ends with. */
function last(history: readonly EpochRecord[]): Run {
  const { trainLoss, trainAccuracy, validationLoss, validationAccuracy } = history.at(-1)!;
  return {
    train_loss: trainLoss,
    train_accuracy: trainAccuracy,
    test_loss: validationLoss!,
    test_accuracy: validationAccuracy!,
  };
}

/** The largest difference of a loss in the first epochs, relative to the loss. */
function apart(a: readonly EpochRecord[], b: readonly EpochRecord[]): number {
  const losses = (history: readonly EpochRecord[]) =>
    history.slice(0, ALIKE.epochs).flatMap(({ trainLoss, validationLoss }) => [trainLoss, validationLoss!]);
  const others = losses(b);
  return Math.max(...losses(a).map((loss, i) => Math.abs(others[i]! / loss - 1)));
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

const { values } = commandLine("deno task seeds", "Trains the sample job over many seeds, beside PyTorch's.", {
  seeds: { type: "string", default: "30", about: "how many" },
  device: { type: "string", default: "wasm", about: "wasm; or webgpu, compared with wasm", takes: "NAME" },
});
const seeds = numberOption("seeds", values.seeds, 2), device = values.device as DeviceName;
if (device !== "wasm" && device !== "webgpu") fail(`--device must be wasm or webgpu, got "${device}"`, 2);

/** What the runs are held against. */
async function reference(): Promise<
  { name: string; runs: Run[]; about: string; histories?: (readonly EpochRecord[])[] }
> {
  if (device === "webgpu") {
    const { runs, seconds } = await allSeeds(seeds, "wasm");
    return { name: "wasm", runs: runs.map(last), about: `${seconds.toFixed(1)} s`, histories: runs };
  }
  const file = new URL("../tests/testdata/golden/seed-distribution.json", import.meta.url);
  const { runs } = JSON.parse(await Deno.readTextFile(file)) as { runs: Run[] };
  return { name: "PyTorch", runs, about: `${runs.length} seeds` };
}

const theirs = await reference(), { runs, seconds } = await allSeeds(seeds, device);
const name = device === "webgpu" ? device : "Grutto";
console.log(
  `The sample job's last epoch: ${theirs.name}, ${theirs.about}; ${name}, seeds 0–${seeds - 1}, ${
    seconds.toFixed(1)
  } s\n`,
);
console.log(`${" ".repeat(26)}${["mean", "sd", "min", "median", "max"].map((word) => word.padStart(8)).join("")}`);
let failed = false;
for (const figure of FIGURES) {
  const [a, b] = [theirs.runs, runs.map(last)].map((side) => side.map((run) => comparable(run)[figure])) as [
    number[],
    number[],
  ];
  const { u, p } = mannWhitney(a, b), passed = p > LEAST_P;
  failed ||= !passed;
  console.log(`${figure.padEnd(16)}${theirs.name.padEnd(10)}${summary(a)}`);
  console.log(
    `${" ".repeat(16)}${name.padEnd(10)}${summary(b)}   U ${u}  p ${p.toFixed(4)}  ${passed ? "ok" : "FAILED"}`,
  );
}
console.log(`\n${failed ? "FAILED: p must be" : "ok: every p is"} above ${LEAST_P} (Mann–Whitney, two-sided)`);
if (theirs.histories) {
  const most = Math.max(...runs.map((history, seed) => apart(theirs.histories![seed]!, history)));
  const passed = most <= ALIKE.within;
  failed ||= !passed;
  console.log(
    `${passed ? "ok" : "FAILED"}: losses of the first ${ALIKE.epochs} epochs differ by ${
      most.toExponential(1)
    } at most, ` +
      `of ${ALIKE.within} allowed (relative)`,
  );
}
Deno.exit(failed ? 1 : 0);
