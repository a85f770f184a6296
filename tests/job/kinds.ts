/** Small data of every kind that a training takes, and what a job makes of them. */

import type { Dataset } from "../../core/data/dataset.ts";
import { isPairs, type PairDataset } from "../../core/data/pairs.ts";
import { sequencesIn } from "../../core/job/training_data.ts";
import { hashDataset } from "../../core/data/hash.ts";
import { writeNpz } from "../../core/data/readers/arrays.ts";
import { type NpyArray, writeNpy } from "../../core/data/readers/npy.ts";
import { dataFiles } from "../../core/cli/data_files.ts";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { resolveJob } from "../../core/job/options.ts";
import { configOf, trainerOptions } from "../../core/job/training_run.ts";
import { trainingsOf } from "../../core/job/trainings.ts";

/** Sequences of each file. */
const COUNT = 24;

/** A number with a decimal point, of which the files are full. */
const value = (n: number, t: number) => (n * 37 + t * t * 11) % 17 + 0.5;
const label = (n: number) => ["up", "down"][n % 2]!;
const rows = (row: (n: number) => string, count = COUNT) =>
  Array.from({ length: count }, (_, n) => row(n)).join("\n") + "\n";
const steps = (n: number, length = 6) => Array.from({ length }, (_, t) => value(n, t));
const flat = (width: number) => Float32Array.from({ length: COUNT * width }, (_, i) => value(i % 23, i));

/** The files, by name. */
export async function files(): Promise<Readonly<Record<string, string | Uint8Array>>> {
  const x: NpyArray = { shape: [COUNT, 6, 2], data: flat(12) },
    other: NpyArray = { shape: [COUNT, 5, 2], data: flat(10) };
  const y: NpyArray = { shape: [COUNT], data: Int32Array.from({ length: COUNT }, (_, n) => n % 2) };
  const z: NpyArray = { shape: [COUNT], data: Int32Array.from({ length: COUNT }, (_, n) => n % 3) };
  const wide = (say: (n: number) => string, name = "label") =>
    `"${name}",w,t0,t1,t2,t3\n` + rows((n) => `${say(n)},${1 + n % 3},${steps(n, 4).join(",")}`);
  const ts = (n: number) => `${steps(n).join(",")}:${steps(n + 1).join(",")}:${label(n)}`;
  return {
    "wide.csv": wide((n) => `"${label(n)}"`),
    "amounts.csv": wide((n) => String(value(n, 3)), "target"),
    "lists.csv": wide((n) => `${label(n)}${n % 3 ? "|odd" : ""}`),
    "long.csv": 'id,at,"label",w,a,b\n' +
      rows((i) => `s${i >> 2},${i},"${label(i >> 2)}",${1 + (i >> 2) % 3},${steps(i, 2).join(",")}`, COUNT * 4),
    "texts.csv": 'label,w,"text",other\n' +
      rows((n) => `${label(n)},${1 + n % 3},"one ${n % 5} Two é","${n % 3} more"`),
    "records.json": JSON.stringify(
      Array.from({ length: COUNT }, (_, n) => ({ x: [steps(n), steps(n + 1)], y: label(n) })),
    ),
    "lines.jsonl": rows((n) => JSON.stringify({ x: [steps(n), steps(n + 1)], y: label(n) })),
    "texts.jsonl": rows((n) => JSON.stringify({ x: `one ${n % 5} Two é`, y: label(n) })),
    "archive.ts": "@univariate false\n@classLabel true up down\n@data\n" + rows(ts),
    "weka.arff": "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute kind {u,v}\n" +
      "@attribute label {up,down}\n@data\n" + rows((n) => `${steps(n, 2)},${"uv"[n % 2]},${label(n)}`),
    "ucr.txt": rows((n) => `${n % 2} ${steps(n).join(" ")}`),
    "texts.txt": rows((n) => `one ${n % 5} Two é\t${label(n)}`),
    "pairs.csv": 'read,said,other,"more"\n' + rows((n) => `"one ${n} Two é",${n % 7} three four,${n},"${n}"`),
    "pairs.tsv": rows((n) => `one ${n} Two é\t${n % 7} three four\t${n}`),
    "x.npy": writeNpy(x),
    "y.npy": writeNpy(y),
    "z.npy": writeNpy(z),
    "arrays.npz": await writeNpz({ x, y, other, z }),
    "series.csv": 'when,"sales",price\n' + rows((n) => `2024-01-${String(n + 1).padStart(2, "0")},${steps(n, 2)}`),
    "series.npy": writeNpy({ shape: [COUNT, 2], data: flat(2) }),
  };
}

/** A command line for each kind of data. */
export const KINDS: Readonly<Record<string, string>> = {
  "the sample job": "",
  "wide table": "wide.csv",
  "wide table of amounts": "amounts.csv",
  "wide table of lists of labels": "lists.csv --label-separator |",
  "wide table, two classes in one output": "wide.csv --task binary",
  "long table": "long.csv --sequence-column id --time-column at",
  "table of texts": "texts.csv --text-column text",
  "json": "records.json",
  "jsonl": "lines.jsonl",
  "jsonl of texts": "texts.jsonl",
  "ts": "archive.ts",
  "arff": "weka.arff --feature-columns a,b",
  "ucr": "ucr.txt",
  "text": "texts.txt",
  "npy": "x.npy --label-file y.npy",
  "npz": "arrays.npz",
  "forecast of a table": "series.csv --target-column sales --window 4",
  "forecast of an array": "series.npy --target-column 0 --window 4",
  "pairs": "pairs.tsv --task seq2seq --source-column 0 --target-column 1",
  "pairs of a table": "pairs.csv --task seq2seq --source-column read --target-column said",
};

/** What a training would be: its data, its model, its loss, how it is scored. */
export async function madeBy(words: readonly string[]): Promise<unknown> {
  const args = parseCommandLine(["train", ...words]), { operands } = args;
  const given = operands.length ? { ...args.given, files: { ...args.given.files, data: operands } } : args.given;
  const all: unknown[] = [];
  const runs = trainingsOf({
    seeds: 1,
    source: dataFiles({ ...args, given }),
    device: given.device,
    resume: () => Promise.resolve(undefined),
    jobOf: () => resolveJob(given),
    onMeasured: () => {},
  });
  for await (const { job, data } of runs) {
    const { train, watched, watchedName, hasAccuracy, own } = data, config = configOf(job, data);
    const N = own?.test ? sequencesIn(own.test) : 0, O = "outputSize" in config ? config.outputSize : 0;
    all.push({
      config,
      trainer: trainerOptions(job, data),
      settings: [job.training, job.earlyStopping, job.schedule, job.teacher, job.own?.search, job.device],
      watchedName,
      hasAccuracy,
      parts: await Promise.all([train, watched, own?.test].map((part) => part && contentOf(part))),
      preprocessing: own?.preprocessing,
      scores: O && own?.test && own.metrics(zeros(own.test, N, O), data.loss.quantiles),
    });
  }
  return JSON.parse(JSON.stringify(all));
}

/** Outputs for a part of the data, of every step where it has targets of every step. */
function zeros(part: Dataset | PairDataset, N: number, O: number) {
  const shape = "targetsPerStep" in part && part.targetsPerStep ? [N, part.shape[1]!, O] : [N, O];
  return { shape, data: new Float32Array(shape.reduce((a, b) => a * b)) };
}

/** What is in a part of the data. */
async function contentOf(part: Dataset | PairDataset): Promise<unknown> {
  if (isPairs(part)) return part;
  return [await hashDataset(part), part.shape, part.lengths?.join(), part.weights?.join()];
}
