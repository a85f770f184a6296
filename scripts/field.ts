/**
 * Files from the field, each of which was once read wrong without a word: what the program makes of them now.
 *
 *     deno task field FOLDER [CASE …]
 *
 * FOLDER holds a folder for each case. For each check this prints "right", "refused" (with an error that says what to do) or
 * "wrong"; it ends with code 1 if anything is wrong.
 *
 * @module
 */

import { commandLine, fail } from "./command_line.ts";

const MOD = new URL("../mod.ts", import.meta.url).href;

/** What a run printed. */
interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Something to try with the files of a case. */
interface Check {
  /** Command lines, one after the other, with CASE for the folder; the last is judged. After "<" stands its input. */
  readonly lines: readonly string[];
  /** What the last of them must print, on either stream, if it does not refuse. */
  readonly right?: RegExp | ((result: Result) => boolean);
  /** The error that is right; without, a refusal is neither right nor wrong. */
  readonly error?: RegExp;
}

const QUICK = "--seed 1 --quiet --threads 1 --checkpoint ck", KEEP = "train CASE";
const accuracy = ({ out }: Result) => Number(out.match(/accuracy ([\d.]+) %/)?.[1] ?? NaN);
const atLeast = (least: number) => (result: Result) => accuracy(result) >= least;
const near = (value: number, of: number, within: number) => Math.abs(value - of) <= within;
const json = ({ out }: Result) => out.trim().split("\n").map((line) => JSON.parse(line));

const WIDE = [`${KEEP}/train.csv --epochs 40 --lr 0.01 ${QUICK}`];
const UCR = "--epochs 2 --quiet --threads 1";

/** The checks of each case, by its folder. */
const CASES: Readonly<Record<string, readonly Check[]>> = {
  "01-gzip-two-members": [
    {
      lines: ["train --data CASE/two.txt.gz --tokens words --epochs 1"],
      right: /: 48 sequences[^]*test: 12 sequences/,
    },
    {
      lines: ["train --data CASE/one.txt.gz --tokens words --epochs 1"],
      right: /: 48 sequences[^]*test: 12 sequences/,
    },
  ],
  "02-nan-padded-lengths": [
    {
      lines: ["train --data CASE/G_TRAIN.tsv --test-data CASE/G_TEST.tsv --epochs 1"],
      right: /80 sequences, 6 to 20 steps/,
    },
    {
      lines: ["train --data CASE/G_TRAIN.csv --test-data CASE/G_TEST.csv --epochs 1"],
      right: /80 sequences, 6 to 20 steps/,
    },
    {
      lines: ["train --data CASE/G_TRAIN.tsv --test-data CASE/G_TEST.tsv --missing mean --epochs 1"],
      right: /80 sequences, 6 to 20 steps/,
    },
  ],
  "03-label-1-and-1.0": [
    { lines: ["train --data CASE/jan.csv,CASE/feb.csv --epochs 1"], right: /, 3 classes/ },
    { lines: ["train --data CASE/jan.csv,CASE/feb.csv --epochs 60 --lr 0.01 --quiet"], right: atLeast(90) },
    {
      lines: [`train CASE/jan.csv --epochs 40 --lr 0.01 ${QUICK}`, "evaluate ck/last.json CASE/feb.csv"],
      right: atLeast(99),
    },
    { lines: ["train CASE/jan.csv --test-data CASE/new.csv --epochs 1"], error: /line 9, column label has no label/ },
    {
      lines: [`train CASE/jan.csv --epochs 40 --lr 0.01 ${QUICK}`, "predict ck/last.json CASE/new.csv"],
      right: (result) => json(result).every(({ label }) => ["1", "2", "3"].includes(label)),
    },
  ],
  "04-excel-decimal-comma": [
    {
      lines: [
        "train --data CASE/air-trimmed.csv --target-column T --window 12 --missing-values -200 --missing drop --epochs 1",
      ],
      right: /decimal sign is a comma/,
    },
    {
      lines: ["train --data CASE/excel-de.csv --target-column Temperatur --window 12 --epochs 1"],
      right: /decimal sign is a comma/,
    },
  ],
  "05-newest-row-first": [
    {
      lines: [
        `train CASE/newest-first.csv --target-column Close --window 6 --transform difference --epochs 40 --lr 0.01 ${QUICK}`,
        "predict ck/last.json --input CASE/newest-first.csv",
      ],
      right: (result) => near(json(result)[0].values.Close, 220, 0.5),
    },
    {
      lines: [
        `train CASE/oldest-first.csv --target-column Close --window 6 --transform difference --epochs 40 --lr 0.01 ${QUICK}`,
        "predict ck/last.json --input CASE/oldest-first.csv",
      ],
      right: (result) => near(json(result)[0].values.Close, 220, 0.5),
    },
  ],
  "06-panel-of-series": ["", " --time-column ds", " --sequence-column unique_id"].map((flags) => ({
    lines: [`train CASE/panel.csv --target-column y --window 7 --epochs 1${flags}`],
    error: /these are 3 series|--sequence-column is for labeled sequences/,
  })),
  "07-gaps-and-repeated-hours": ["", " --time-column time"].map((flags) => ({
    lines: [`train CASE/gap.csv --target-column load --window 24 --epochs 1${flags}`],
    right: /windows? left out that would reach across a break/,
  })),
  "08-wide-columns-in-another-order": [
    ...["new", "new-reversed", "new-extra", "new-sorted"].flatMap((name) => [
      { lines: [...WIDE, `evaluate ck/last.json CASE/${name}.csv`], right: atLeast(99) },
      {
        lines: [`train CASE/train.csv --test-data CASE/${name}.csv --epochs 40 --lr 0.01 --quiet`],
        right: atLeast(99),
      },
    ]),
    { lines: [...WIDE, "evaluate ck/last.json CASE/new-lacking.csv"], error: /there is no column t5/ },
    { lines: [...WIDE, "predict ck/last.json CASE/new-lacking.csv"], error: /there is no column t5/ },
  ],
  "09-arrays-channels-before-time": [
    { lines: ["train CASE/time-last.npz --epochs 1"], right: /layout nct|40 steps of 3/ },
    { lines: ["train CASE/time-last.npz --layout nct --epochs 1"], right: /40 steps of 3/ },
    { lines: ["train CASE/time-second.npz --epochs 1"], right: /40 steps of 3/ },
  ],
  "10-one-npz-train-and-test": [
    {
      lines: [`train CASE/data.npz --epochs 120 --lr 0.01 --hidden-size 64 --dropout 0 ${UCR}`],
      right: /test of 40 sequences/,
    },
    {
      lines: [`train CASE/data.npz --x-key x_train --y-key y_train --test-data CASE/data.npz ${UCR}`],
      right: /test of 40 sequences|note: .*(same|shared|training data)/,
      error: /test data|training data|same/,
    },
  ],
  "11-lightning-checkpoint": [
    { lines: ["info CASE/net-only.ckpt"], right: /gru\.weight_ih_l0/ },
    {
      lines: ["predict CASE/net-only.ckpt --input CASE/x.npy --loss mse"],
      right: (result) => json(result).length === 2,
    },
    { lines: ["predict CASE/plain.pt --input CASE/x.npy --loss mse"], right: (result) => json(result).length === 2 },
  ],
  "12-pytorch-softmax-model": [
    {
      lines: ["predict CASE/model.pt --input CASE/x.npy"],
      right: (result) => /not say what the outputs mean/.test(result.err) && !result.out.includes("probabilities"),
    },
    {
      lines: ["predict CASE/model.pt --input CASE/x.npy --loss crossEntropy"],
      // PyTorch's softmax.
      right: (result) => [0.0079, 0.9828, 0.0093].every((p, i) => near(json(result)[1].probabilities[i], p, 1e-4)),
    },
  ],
  "13-emoji-in-words": [
    { lines: ["train CASE/posts.txt --epochs 25 --lr 0.01 --quiet --seed 1"], right: atLeast(99) },
  ],
  "15-one-bad-row-in-a-pipe": [
    {
      lines: [...WIDE, "predict ck/last.json --input - < CASE/gap.csv"],
      // The fourth of eight rows has an empty cell.
      right: (result) =>
        json(result).length === 8 && json(result).every((row, i) => ("error" in row) === (i === 3)) &&
        result.err.split("\n").length === 2 && result.code === 1,
    },
    {
      lines: [...WIDE, "predict ck/last.json --input - < CASE/cut.csv"],
      right: (result) => json(result).length === 8 && /line 5.*(end early|must have)/.test(result.err),
    },
    {
      lines: [`${WIDE[0]} --missing mean`, "predict ck/last.json --input - < CASE/gap.csv"],
      right: (result) => json(result).length === 8 && !result.out.includes("error"),
    },
    { lines: [...WIDE, "predict ck/last.json --input CASE/gap.csv --missing drop"], error: /the checkpoint holds it/ },
  ],
  "17-npy-from-a-dataframe": [
    {
      lines: ["train CASE/X.npy --label-file CASE/y.npy --epochs 1"],
      right: /48 sequences, 8 steps/,
      error: /astype\(str\)/,
    },
  ],
  "18-large-offset-float32": ["utm", "local"].map((name) => ({
    lines: [
      `train CASE/${name}.csv --sequence-column station --time-column second --label-column motion --epochs 60 --lr 0.01 --quiet`,
    ],
    right: atLeast(99),
  })),
  "19-label-per-row-recordings": [
    {
      lines: ["train CASE/raw.csv --label-column activity --epochs 1"],
      error: /timestamp is a time|--sequence-column/,
    },
    {
      lines: [
        "train CASE/raw.csv --label-column activity --sequence-column user --time-column timestamp --window 20 --epochs 1",
      ],
      right: /\d+ sequences, 20 steps of 3/,
    },
    {
      lines: ["train CASE/raw.csv --label-column activity --sequence-column user --time-column timestamp --epochs 1"],
      error: /column activity must be the same throughout.*--window/,
    },
  ],
  "22-go-on-with-new-data": [
    {
      lines: [
        `train CASE/march.csv --epochs 20 ${QUICK}`,
        "train CASE/april.csv --from ck/last.json --epochs 20 --quiet",
      ],
      right: /accuracy/,
    },
    {
      lines: [`train CASE/march.csv --epochs 20 ${QUICK}`, "train CASE/april.csv --resume ck/last.json --epochs 30"],
      error: /the data must be those of before.*--from/,
    },
  ],
};

/** Runs a command line in a folder. */
async function run(line: string, place: string, folder: string): Promise<Result> {
  const [words, input] = line.replaceAll("CASE", place).split(" < ") as [string, string?];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      `--allow-read=${place},${folder}`,
      `--allow-write=${folder}`,
      MOD,
      ...words.split(" "),
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: input ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input) await (await Deno.open(input)).readable.pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output(), text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** What a check comes to, and why. */
async function judge({ lines, right, error }: Check, place: string): Promise<[verdict: string, why: string]> {
  const folder = await Deno.makeTempDir({ prefix: "grutto-field-" });
  try {
    let result: Result = { code: 0, out: "", err: "" };
    for (const line of lines) result = await run(line, place, folder);
    const why = result.err.trim().split("\n").at(-1)! || result.out.trim().split("\n").at(-1)!;
    if (result.code && error?.test(result.err)) return ["right", why];
    const isRight = right !== undefined && fits(right, result);
    return [isRight ? "right" : result.code ? (error ? "wrong" : "refused") : "wrong", why];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function fits(right: NonNullable<Check["right"]>, result: Result): boolean {
  if (typeof right !== "function") return result.code === 0 && right.test(result.out + result.err);
  try {
    return right(result);
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const { operands } = commandLine("deno task field", "Files from the field: what the program makes of them.", {}, [
    "FOLDER",
    "[CASE …]",
  ]);
  const [given, ...asked] = operands as [string, ...string[]], folder = await Deno.realPath(given).catch(() => given);
  const found: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(folder)) if (isDirectory) found.push(name);
  } catch {
    fail(`${given} is no folder that can be read`, 2);
  }
  const counts: Record<string, number> = { right: 0, refused: 0, wrong: 0 };
  for (const name of found.sort().filter((name) => !asked.length || asked.some((one) => name.startsWith(one)))) {
    const checks = Object.hasOwn(CASES, name) ? CASES[name]! : [];
    if (!checks.length) console.log(`${name}: no check is known`);
    for (const check of checks) {
      const [verdict, why] = await judge(check, `${folder}/${name}`);
      counts[verdict]!++;
      console.log(`${verdict.padEnd(8)}  ${name}: ${check.lines.at(-1)}`);
      if (verdict !== "right") console.log(`          ${why}`);
    }
  }
  console.log(Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`).join(", "));
  if (counts.wrong) Deno.exit(1);
}
