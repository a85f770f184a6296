/**
 * Trains the same with other numbers of processes and threads: `last.json` must be the same bytes.
 *
 *     deno task fleet:equal --sizes 1,2,3 --threads 1,2 --only pairs --launcher "mpirun -n {}" --mpi libmpi.so.40
 *
 * @module
 */

import { Random } from "../../core/random.ts";
import { JOBS } from "../../tests/fleet/jobs.ts";
import { commandLine } from "../command_line.ts";
import { hashOf, LAUNCHER, run } from "./launch.ts";

const OWN = new URL("../../tests/testdata/own/", import.meta.url).pathname;

/** What is trained, by name. */
const TRAININGS: Readonly<Record<string, string>> = {
  "dropout, clipping, accumulation":
    "--size 210 --steps 40 --features 12 --hidden-size 96 --batch-size 100 --epochs 2 --accumulate 2 --clip-norm 0.5 --seed 4",
  "two layers, both directions, adamw":
    "--size 150 --steps 30 --features 7 --hidden-size 48 --num-layers 2 --layer-dropout 0.2 --bidirectional --optimizer adamw --batch-size 120 --epochs 2",
  "text, embedding, class weights":
    `--data ${OWN}reviews.txt --epochs 2 --batch-size 24 --hidden-size 128 --class-weights balanced --dropout 0.3`,
  "early stopping, best epoch":
    "--size 220 --steps 40 --features 12 --hidden-size 64 --batch-size 64 --epochs 12 --patience 2 --restore-best --lr 0.02",
  "plateau":
    "--size 200 --steps 20 --features 8 --hidden-size 64 --batch-size 80 --epochs 4 --schedule plateau --plateau-patience 0 --lr 0.02",
  "forecast, LSTM, quantiles":
    `--data ${OWN}sales.csv --target-column sales --window 24 --cell lstm --hidden-size 64 --loss quantile --quantiles 0.1,0.5,0.9 --batch-size 64 --epochs 3`,
  "a class for every step":
    `--data ${OWN}moves.csv --sequence-column id --time-column t --label-column kind --label-every-step --hidden-size 64 --batch-size 40 --epochs 3`,
  "pairs, free-running validation": "--sample dates --hidden-size 48 --batch-size 64 --epochs 1 --fast-dev-run",
  "pairs of text, sorted by length, a schedule of the teacher":
    "--data TEXT --task seq2seq --source-tokens words --target-tokens subwords --vocab-size 90 --hidden-size 40 --dropout 0.2 --batch-size 48 --buckets 2 --teacher-schedule linear --teacher-last 0.5 --epochs 2",
  "pairs of numbers, quantiles":
    "--data NUMBERS --task seq2seq --loss quantile --quantiles 0.1,0.5,0.9 --hidden-size 40 --num-layers 2 --layer-dropout 0.1 --teacher-ratio 0.5 --batch-size 40 --epochs 2",
  "batch smaller than the processes": "--size 60 --steps 20 --features 5 --hidden-size 32 --batch-size 16 --epochs 2",
};

/** Those of one of `JOBS` by its name, of the command line by its flags. */
const ALL: readonly (readonly [name: string, words: readonly string[], program: "train" | "job"])[] = [
  ...Object.entries(TRAININGS).map(([name, words]) => [name, words.split(" "), "train"] as const),
  ...Object.keys(JOBS).map((name) => [name, [name], "job"] as const),
];

/** Writes pairs of text and of numbers into a folder: the files that stand for TEXT and NUMBERS. */
async function samplePairs(folder: string): Promise<Record<string, string>> {
  const random = new Random(1, "data"), words = ["one", "two", "three", "four", "five", "six", "seven"];
  const texts = Array.from({ length: 240 }, () => {
    const own = Array.from({ length: 1 + random.below(9) }, () => words[random.below(words.length)]!);
    return { x: own.join(" "), y: own.toReversed().join(" ") };
  });
  const numbers = Array.from({ length: 160 }, () => {
    const phase = 6 * random.uniform(), at = (t: number) => [Math.sin(phase + 0.4 * t), Math.cos(phase + 0.4 * t)];
    const x = Array.from({ length: 5 + random.below(8) }, (_, t) => at(t));
    return { x, y: Array.from({ length: 1 + random.below(5) }, (_, t) => [at(x.length + t)[0]]) };
  });
  const files = { TEXT: `${folder}/text.jsonl`, NUMBERS: `${folder}/numbers.jsonl` };
  const write = (file: string, records: readonly object[]) =>
    Deno.writeTextFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  await write(files.TEXT, texts);
  await write(files.NUMBERS, numbers);
  return files;
}

const { values } = commandLine("deno task fleet:equal", "Compares the bytes of trainings by several processes.", {
  sizes: { type: "string", default: "1,2,3,4,5,7", about: "numbers of processes" },
  threads: { type: "string", default: "1,2", about: "threads of each" },
  launcher: { type: "string", default: LAUNCHER, about: "what starts them, {} in place of their number" },
  mpi: { type: "string", default: "", about: "the MPI library", takes: "PATH" },
  only: { type: "string", default: "", about: "trainings whose name holds this" },
});
const numbers = (text: string) => text.split(",").map(Number);
const folder = await Deno.makeTempDir({ prefix: "grutto-" });
let right = 0, wrong = 0;
try {
  const files = await samplePairs(folder);
  for (const [name, words, program] of ALL) {
    if (!name.includes(values.only)) continue;
    let wanted: string | undefined;
    for (const threads of numbers(values.threads)) {
      for (const size of [1, ...numbers(values.sizes).filter((size) => size > 1)]) {
        const place = `${folder}/${crypto.randomUUID()}`, flags = ["--threads", `${threads}`, "--checkpoint", place];
        const { code, err } = await run(size, [...words.map((word) => files[word] ?? word), ...flags], values, program);
        const found = await hashOf(`${place}/last.json`);
        wanted ??= found;
        const isRight = code === 0 && found === wanted && found !== "none";
        isRight ? right++ : wrong++;
        console.log(
          `${isRight ? "same " : "OTHER"}  ${found}  ${size} × ${threads}  ${name}${
            code ? `: ${err.slice(0, 400)}` : ""
          }`,
        );
      }
    }
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
console.log(`${right} the same, ${wrong} not`);
if (wrong) Deno.exit(1);
