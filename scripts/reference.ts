/**
 * Thirteen tasks on real data beside PyTorch: the command line of each, or the library, several seeds, and whether the means
 * agree.
 *
 *     deno task reference FOLDER [NAME …]
 *
 * scripts/reference.json says what PyTorch came to on one thread: 1.13.1 with seeds 0 to 4, from sequences to sequences 2.13.0
 * with 3 or 10 seeds. The data are not ours to ship;
 * FOLDER holds them as their publishers do:
 *
 * - classification/NAME/NAME_TRAIN.ts and NAME_TEST.ts, from the UCR and UEA archives; SyntheticControl's in `.txt`
 * - text/names/, a file of names for each language: PyTorch's tutorial on names
 * - text/sentiment/, three `…_labelled.txt`: UCI's Sentiment Labelled Sentences
 * - reference-seq2seq/dates.tsv, 5,000 dates and their ISO form, and seq2seq/eng-deu.tsv: pairs of lines of Tatoeba
 * - forecast/airline-passengers.csv, daily-min-temperatures.csv, and ETTh1.csv of the ETDataset
 *
 * Equal work: the same preprocessing, hyper-parameters and number of updates. Two means agree if they differ by less than
 * 3·√(sd₁²/n₁ + sd₂²/n₂), of 3 runs with the larger sd on both sides. Every command is one that the README shows; what it
 * prints is what is compared.
 *
 * @module
 */

import { summarize, type Summary } from "../core/data/metrics/summary.ts";
import { commandLine, fail } from "./command_line.ts";
import reference from "./reference.json" with { type: "json" };
import { LIBRARY_TASKS, type LibraryTask } from "./reference_seq2seq.ts";

const SEEDS = 5;
const MOD = new URL("../mod.ts", import.meta.url).href;

/** A task: its flags, with FOLDER for the data's folder, and the scores that are compared. */
interface Task {
  readonly flags: string;
  /** Names in PyTorch's results, and how ours come from the numbers that a seed's line says. */
  readonly scores: Readonly<Record<string, (printed: Readonly<Record<string, number>>) => number>>;
}

const archive = (name: string, ending: string, flags: string): Task => ({
  flags: `--data FOLDER/classification/${name}/${name}_TRAIN.${ending} ` +
    `--test-data FOLDER/classification/${name}/${name}_TEST.${ending} --hidden-size 32 --dropout 0.2 ${flags}`,
  scores: CLASSES,
});

const CLASSES: Task["scores"] = {
  accuracy: (printed) => printed["accuracy"]! / 100,
  macro_f1: (printed) => printed["macro F1"]!,
};

const ERRORS: Task["scores"] = { rmse: (printed) => printed["RMSE"]!, mae: (printed) => printed["MAE"]! };

/** The reference scores ETTh1 on the scale of the model, where the loss is the mean squared error. */
const SCALED: Task["scores"] = {
  rmse: (printed) => Math.sqrt(printed["loss"]!),
  mae: (printed) => printed["MAE"]! * Math.sqrt(printed["loss"]!) / printed["RMSE"]!,
};

const TASKS: Readonly<Record<string, Task>> = {
  ItalyPowerDemand: archive("ItalyPowerDemand", "ts", "--batch-size 16 --epochs 150 --lr 0.002"),
  ArrowHead: archive("ArrowHead", "ts", "--patch 5 --batch-size 12 --epochs 400 --lr 0.003"),
  BasicMotions: archive("BasicMotions", "ts", "--batch-size 10 --epochs 100 --lr 0.002"),
  JapaneseVowels: archive("JapaneseVowels", "ts", "--batch-size 32 --epochs 40 --lr 0.002"),
  SyntheticControl: archive("SyntheticControl", "txt", "--batch-size 32 --epochs 60 --lr 0.002"),
  names: {
    flags: "--data FOLDER/text/names --tokens characters --normalize ascii --max-length 20 --test-every 5 " +
      "--hidden-size 64 --dropout 0.2 --batch-size 64 --epochs 6 --lr 0.002",
    scores: CLASSES,
  },
  sentiment: {
    flags: "--data FOLDER/text/sentiment/amazon_cells_labelled.txt,FOLDER/text/sentiment/imdb_labelled.txt," +
      "FOLDER/text/sentiment/yelp_labelled.txt --tokens words --normalize ascii --min-count 2 --max-length 40 " +
      "--test-every 5 --hidden-size 32 --dropout 0.5 --batch-size 32 --epochs 8 --lr 0.002",
    scores: CLASSES,
  },
  airline: {
    flags: "--data FOLDER/forecast/airline-passengers.csv --target-column Passengers --window 12 " +
      "--transform logDifference --test-rows 96: --hidden-size 16 --dropout 0 --batch-size 16 --epochs 150 --lr 0.003",
    scores: ERRORS,
  },
  "daily-min-temperatures": {
    flags: "--data FOLDER/forecast/daily-min-temperatures.csv --target-column Temp --window 14 --test-rows 2920: " +
      "--hidden-size 16 --dropout 0 --batch-size 32 --epochs 10 --lr 0.002",
    scores: ERRORS,
  },
  ETTh1: {
    flags: "--data FOLDER/forecast/ETTh1.csv --target-column OT --window 48 --horizon 24 --center " +
      "--train-rows 0:8640 --test-rows 11520:14400 --hidden-size 32 --dropout 0.1 --batch-size 64 --epochs 4 --lr 0.002",
    scores: SCALED,
  },
};

/** What PyTorch came to: each score of each task, one number per seed. */
const REFERENCE: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = reference;

/** The files that a task reads. */
function filesOf(flags: string, folder: string): string[] {
  return [...flags.matchAll(/FOLDER[^ ,]*/g)].map(([path]) => path.replace("FOLDER", folder));
}

/** Runs a task's command; what each seed's line says, and the seconds per seed. */
async function run(flags: string, folder: string): Promise<{ seeds: Record<string, number>[]; seconds: number }> {
  const words = flags.split(" ").map((word) => word.replaceAll("FOLDER", folder));
  const start = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", `--allow-read=${folder}`, MOD, "train", ...words, "--seeds", String(SEEDS), "--quiet"],
    env: { NO_COLOR: "1" },
  }).output();
  if (code) throw new Error(new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("seed "));
  if (lines.length !== SEEDS) throw new Error(`${lines.length} seeds in place of ${SEEDS}`);
  const seeds = lines.map((line) =>
    Object.fromEntries(
      line.replace(/^seed \d+\s+/, "").split(", ").map((score) => {
        const [, name, value] = score.match(/^(.*) (-?[\d.e+-]+)( %)?$/)!;
        return [name!, Number(value)];
      }),
    )
  );
  return { seeds, seconds: (performance.now() - start) / 1000 / SEEDS };
}

/** Runs a task of the library: the scores of each seed, and the seconds that a training takes. */
async function runLibrary({ file, seeds, run }: LibraryTask, folder: string) {
  const text = await Deno.readTextFile(`${folder}/${file}`), found: Record<string, number>[] = [];
  let seconds = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const one = await run(text, seed);
    found.push(one.scores);
    seconds += one.seconds / seeds;
  }
  return { seeds: found, seconds };
}

/** How far the means of two lists of values may be apart. */
function allowed(theirs: readonly number[], ours: readonly number[]): number {
  const sds = [theirs, ours].map((values) => summarize(values).sd), few = Math.min(theirs.length, ours.length) < 5;
  const [first, second] = few ? [Math.max(...sds), Math.max(...sds)] : sds as [number, number];
  return 3 * Math.sqrt(first ** 2 / theirs.length + second ** 2 / ours.length);
}

if (import.meta.main) {
  const { operands } = commandLine("deno task reference", "Tasks on real data beside PyTorch's results.", {}, [
    "FOLDER",
    "[NAME …]",
  ]);
  const [folder, ...names] = operands as [string, ...string[]],
    all = [...Object.keys(TASKS), ...Object.keys(LIBRARY_TASKS)];
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) fail(`there is no task "${unknown}": they are ${all.join(", ")}`, 2);
  const chosen = all.filter((name) => !names.length || names.includes(name));
  const needed = (name: string) => {
    const own = LIBRARY_TASKS[name];
    return own ? [`${folder}/${own.file}`] : filesOf(TASKS[name]!.flags, folder);
  };
  for (const path of chosen.flatMap(needed)) {
    await Deno.stat(path).catch(() => fail(`${path} is missing: the head of scripts/reference.ts says what it is`));
  }
  let agree = true;
  console.log(
    "task                    score                         PyTorch            Grutto             difference  allowed  s a run",
  );
  for (const name of chosen) {
    const own = LIBRARY_TASKS[name], task = TASKS[name];
    const { seeds, seconds } = own ? await runLibrary(own, folder) : await run(task!.flags, folder);
    for (const [score, values] of Object.entries(REFERENCE[name]!)) {
      const from = task?.scores[score] ?? ((found: Readonly<Record<string, number>>) => found[score]!);
      const found = seeds.map(from), theirs = summarize(values), ours = summarize(found);
      const difference = Math.abs(ours.mean - theirs.mean), most = allowed(values, found), fits = difference < most;
      agree &&= fits;
      const shown = ({ mean, sd }: Summary) => `${mean.toFixed(4)} ± ${sd.toFixed(4)}`.padEnd(18);
      console.log(
        `${name.padEnd(22)}  ${score.padEnd(28)}  ${shown(theirs)} ${shown(ours)} ${
          difference.toFixed(4).padStart(10)
        }` +
          `  ${most.toFixed(4).padStart(7)}  ${seconds.toFixed(1).padStart(7)}  ${fits ? "agrees" : "DIFFERS"}`,
      );
    }
  }
  if (!agree) Deno.exit(1);
}
