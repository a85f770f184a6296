/**
 * Peak memory of commands on large data and of large models: one case after the other, each made in a folder of its own.
 *
 *     deno task memory:peaks [CASE …] --percent 100
 *
 * `wide` and `long` are 5 million sequences of 10 values, a line each and a value a line; `classes` are 100,000 labels;
 * `parameters` is a model of 100 million parameters with Adam. `--percent 1` takes a hundredth of each.
 *
 * @module
 */

import { resolve } from "node:path";
import { commandLine, numberOption } from "./command_line.ts";

const MOD = resolve(import.meta.dirname!, "../mod.ts");

/** A command, and the most MB that it is to take at 100 percent. */
type Step = readonly [words: string, most: number];

/** What a case makes, and the commands that are run on it. */
interface Case {
  readonly lines: (share: number) => Generator<string>;
  readonly steps: (share: number) => readonly Step[];
}

/** A number with four decimals, some 40,000 different ones. */
const valueOf = (i: number) => (((i * 7919) % 40_009) / 1000 - 20).toFixed(4);

const SEQUENCES = 5e6, STEPS = 10, TRAIN = "--epochs 1 --hidden-size 2 --batch-size 16384 --checkpoint ck";

const CASES: Readonly<Record<string, Case>> = {
  wide: {
    *lines(share) {
      yield `${Array.from({ length: STEPS }, (_, t) => `t${t}`)},label`;
      for (let n = 0; n < SEQUENCES * share; n++) {
        yield `${Array.from({ length: STEPS }, (_, t) => valueOf(n * STEPS + t))},${"abc"[n % 3]}`;
      }
    },
    steps: () => [[`train data.csv ${TRAIN}`, 600]],
  },
  long: {
    *lines(share) {
      yield "id,v,label";
      for (let i = 0; i < SEQUENCES * STEPS * share; i++) {
        const n = Math.floor(i / STEPS);
        yield `s${n},${valueOf(i)},${"abc"[n % 3]}`;
      }
    },
    steps: () => [[`train data.csv --sequence-column id ${TRAIN}`, 600]],
  },
  classes: {
    *lines(share) {
      yield "a,b,label";
      for (let i = 0; i < 2e5 * share; i++) yield `${i % 317},${i % 331},c${i % (1e5 * share)}`;
    },
    steps: () => [
      ["train data.csv --hidden-size 8 --epochs 1 --batch-size 64 --checkpoint ck --loss crossEntropy", 1600],
      ["evaluate ck/last.json data.csv", 1600],
    ],
  },
  parameters: {
    *lines() {
      yield "a,b,label";
      for (let i = 0; i < 40; i++) yield `${i},${i * i % 7},${"xy"[i % 2]}`;
    },
    steps: (share) => [
      // 400 MB each: parameters, gradients, two moments, and the weights packed for the forward and for the backward pass.
      [
        `train data.csv --hidden-size ${Math.round(4470 * Math.sqrt(share))} --epochs 1 --batch-size 4 --checkpoint ck`,
        2800,
      ],
      ["train --resume ck/last.json --epochs 2 --checkpoint ck", 2800],
      ["evaluate ck/best.json data.csv", 1200],
      ["predict ck/best.json data.csv", 1200],
      ["info ck/last.json", 1200],
      ["convert ck/last.json model.safetensors", 1200],
      ["convert ck/last.json model.pt", 1200],
      ["convert model.safetensors back.json", 1200],
      ["convert model.pt back.json", 1200],
      ["evaluate model.pt data.csv", 1600],
    ],
  },
};

/** Writes lines, many at a time. */
async function writeLines(path: string, lines: Iterable<string>): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const encoder = new TextEncoder();
  let text = "";
  const flush = () => {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    text = "";
  };
  for (const line of lines) {
    text += `${line}\n`;
    if (text.length > 1 << 20) flush();
  }
  flush();
}

/** Peak memory of a command in MB, by the system's account of the process, and its exit code. */
async function peakOf(words: string, cwd: string): Promise<{ peak: number; code: number; seconds: number }> {
  const start = performance.now(), args = ["run", "--no-prompt", "-A", MOD, ...words.split(" ")];
  const child = new Deno.Command(Deno.execPath(), { args, cwd, stdout: "null", stderr: "null" }).spawn();
  let peak = 0;
  const look = () => {
    try {
      const [, kB] = /^VmHWM:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${child.pid}/status`)) ?? [];
      peak = Math.max(peak, Number(kB ?? 0) / 1e3);
    } catch { /* It has ended. */ }
  };
  const timer = setInterval(look, 100), { code } = await child.status;
  clearInterval(timer);
  return { peak, code, seconds: (performance.now() - start) / 1000 };
}

if (import.meta.main) {
  const { values, operands } = commandLine(
    "deno task memory:peaks",
    "Peak memory of commands on large data and of large models.",
    { percent: { type: "string", default: "100", about: "of their size" } },
    ["[CASE …]"],
  );
  const share = numberOption("percent", values.percent, 1) / 100;
  for (const name of operands.length ? operands : Object.keys(CASES)) {
    const folder = await Deno.makeTempDir(), { lines, steps } = CASES[name]!;
    try {
      await writeLines(`${folder}/data.csv`, lines(share));
      for (const [words, most] of steps(share)) {
        const { peak, code, seconds } = await peakOf(words, folder);
        console.log(
          `${name.padEnd(11)}${words.split(" --")[0]!.padEnd(40)}${
            peak.toFixed(0).padStart(6)
          } MB of ${most}, exit code ${code}, ${seconds.toFixed(0)} s`,
        );
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}
