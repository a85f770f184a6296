/**
 * The whole sample job, each time in a fresh process, here and in PyTorch (scripts/sample_job.py), in the same minutes.
 *
 *     deno task versus [--rounds 5] [--python python3]
 *
 * Both sides use one thread and the same data shapes, model, optimizer, batches, epochs and evaluations, and print every
 * epoch. Each side runs once beforehand, so that files are in the disk cache (and Deno's and Python's own caches are
 * filled); its result must be that of a trained model, as must every later one. The order changes from round to round.
 *
 * @module
 */

import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { VERSION } from "../mod.ts";
import { commandLine, fail, numberOption } from "./command_line.ts";

interface Run {
  /** Seconds from start to end of the process. */
  readonly wall: number;
  /** Seconds of the training loop, evaluations and printing included, as the program itself says. */
  readonly loop: number;
  readonly trainAccuracy: number;
  readonly testAccuracy: number;
}

interface Side {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly read: (output: string) => Omit<Run, "wall">;
}

/** What PyTorch's 30 seeds stay above with room to spare (tests/testdata/golden/seed-distribution.json). */
const LEAST = { trainAccuracy: 0.97, testAccuracy: 0.88 };

/** The text of a match that must be there. */
function find(pattern: RegExp, text: string): RegExpMatchArray {
  return text.match(pattern) ?? fail(`no ${pattern} in the output:\n${text.slice(-500)}`);
}

function readGrutto(output: string): Omit<Run, "wall"> {
  const [, train, test] = find(/epoch 100\/100 .*accuracy +([\d.]+) % .*accuracy +([\d.]+) %/, output);
  const [, time, unit] = find(/^done in ([\d.]+) (ms|s):/m, output);
  return {
    loop: Number(time) / (unit === "ms" ? 1000 : 1),
    trainAccuracy: Number(train) / 100,
    testAccuracy: Number(test) / 100,
  };
}

function readPyTorch(output: string): Omit<Run, "wall"> {
  const { seconds, train_accuracy, test_accuracy } = JSON.parse(find(/^\{.*\}$/m, output)[0]);
  return { loop: seconds, trainAccuracy: train_accuracy, testAccuracy: test_accuracy };
}

/** What a program prints, run on one thread. */
async function output(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env: { OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} failed: ${text.decode(stderr).trim()}`);
  return text.decode(stdout);
}

async function run({ name, command, args, read }: Side): Promise<Run> {
  const start = performance.now();
  const text = await output(command, args).catch((error) => fail(error.message));
  const wall = (performance.now() - start) / 1000;
  const result = { wall, ...read(text) };
  for (const [figure, least] of Object.entries(LEAST) as [keyof typeof LEAST, number][]) {
    if (!(result[figure] >= least)) fail(`${name} did not learn: ${figure} ${result[figure]} is below ${least}`);
  }
  return result;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

const { values } = commandLine("deno task versus", "Times the whole sample job, started cold, against PyTorch's.", {
  rounds: { type: "string", default: "5", about: "times each side runs" },
  python: { type: "string", default: "python3", about: "the Python that has PyTorch", takes: "PATH" },
});
const rounds = numberOption("rounds", values.rounds, 1), { python } = values;

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const grutto: Side = {
  name: "Grutto",
  command: Deno.execPath(),
  args: ["run", script("../mod.ts"), "--threads", "1"],
  read: readGrutto,
};
const pytorch: Side = { name: "PyTorch", command: python, args: [script("sample_job.py")], read: readPyTorch };

const versions = await output(python, [
  "-c",
  "import platform, torch; print(f'PyTorch {torch.__version__} on Python {platform.python_version()}')",
]).catch(() => fail(`PyTorch cannot be imported by ${python}: name another interpreter with --python PATH`));

console.log(`Grutto ${VERSION} on Deno ${Deno.version.deno} (V8 ${Deno.version.v8}); ${versions.trim()}`);
console.log(
  `${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} CPUs, load ${Deno.loadavg()[0]!.toFixed(2)}; ` +
    `one thread for the arithmetic on each side\n`,
);
const results = new Map<Side, Run[]>([[grutto, []], [pytorch, []]]);
const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
for (const side of results.keys()) {
  const { trainAccuracy, testAccuracy } = await run(side);
  console.log(`${side.name.padEnd(8)} learns: accuracy ${percent(trainAccuracy)} train, ${percent(testAccuracy)} test`);
}
console.log("");
for (let round = 1; round <= rounds; round++) {
  const order = [...results.keys()];
  if (round % 2 === 0) order.reverse();
  for (const side of order) results.get(side)!.push(await run(side));
  const times = [...results].map(([{ name }, runs]) => `${name} ${runs.at(-1)!.wall.toFixed(3)} s`);
  console.log(`round ${round}/${rounds}   ${times.join("   ")}`);
}

const [ours, theirs] = [results.get(grutto)!, results.get(pytorch)!];
console.log(`\n${"median (least to most)".padEnd(24)}${"Grutto".padEnd(28)}${"PyTorch".padEnd(28)}PyTorch/Grutto`);
for (const [figure, title] of [["wall", "whole program, s"], ["loop", "training loop, s"]] as const) {
  const medians = [ours, theirs].map((runs) => median(runs.map((result) => result[figure]))) as [number, number];
  const cells = [ours, theirs].map((runs, i) => {
    const times = runs.map((result) => result[figure]);
    return `${medians[i]!.toFixed(3)} (${Math.min(...times).toFixed(3)} to ${Math.max(...times).toFixed(3)})`.padEnd(
      28,
    );
  });
  console.log(`${title.padEnd(24)}${cells.join("")}${(medians[1] / medians[0]).toFixed(1)}`);
}
