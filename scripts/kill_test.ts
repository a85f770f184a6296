/**
 * Ends trainings at random instants, by SIGKILL or another signal, resumes them, and holds what they end with against a
 * training that was never stopped: checkpoints byte for byte, logs line for line but for the seconds. Every checkpoint that
 * one leaves must load. Or takes the reader of their output away, which no training with a checkpoint may mind.
 *
 *     deno task kill --times 300 [--signal SIGTERM] [-- FLAGS OF TRAIN]
 *
 * @module
 */

import { resolve } from "node:path";
import { loadCheckpoint } from "../mod.ts";
import { Random } from "../core/random.ts";
import { commandLine, numberOption } from "./command_line.ts";

/** A training that is stopped: a second of work, with everything random, and a checkpoint wherever it may be. */
export const JOB = "--size 200 --steps 4 --hidden-size 4 --batch-size 4 --epochs 150 --dropout 0.3 --lr 0.01 " +
  "--bidirectional --num-layers 2 --accumulate 2 --restore-best";

const MOVES = "train moves.csv --sequence-column id --time-column t --label-column kind --batch-size 2";

/** Kinds of training. */
export const JOBS: readonly string[] = [
  JOB,
  "--size 160 --steps 8 --hidden-size 32 --batch-size 64 --epochs 60 --threads 3 --dropout 0.2",
  "--size 200 --steps 4 --hidden-size 4 --batch-size 4 --epochs 100 --cell lstm --optimizer adamw --schedule cosine " +
  "--warmup-steps 20 --clip-norm 1",
  "--size 200 --steps 4 --hidden-size 4 --batch-size 8 --epochs 200 --optimizer sgd --lr 0.05 --momentum 0.9 --nesterov " +
  "--schedule plateau --plateau-patience 2 --seed 3",
  "--size 200 --steps 4 --hidden-size 4 --batch-size 8 --epochs 200 --optimizer rmsprop --simd plain --clip-value 0.1 " +
  "--no-shuffle",
  "--size 200 --steps 4 --hidden-size 6 --batch-size 8 --epochs 150 --loss crossEntropy --label-smoothing 0.1 " +
  "--monitor accuracy --amsgrad",
  "--size 200 --steps 4 --hidden-size 6 --batch-size 8 --epochs 500 --lr 0.02 --patience 40",
  `${MOVES} --epochs 120 --validation-split 0.2 --restore-best --class-weights balanced --loss crossEntropy`,
  "train moves.csv --sequence-column id --time-column t --label-column speed --feature-columns turn --task regression " +
  "--window 4 --window-label last --epochs 60 --batch-size 4",
  "train reviews.txt --format text --tokens words --epochs 150 --batch-size 4 --embedding-dim 8",
  "train sales.csv --target-column sales --window 6 --horizon 2 --epochs 60 --batch-size 4",
  "train sales.csv --target-column sales --window 6 --loss quantile --quantiles 0.1,0.5,0.9 --epochs 60 --batch-size 4 " +
  "--cell lstm --transform difference",
  "train pairs.tsv --task seq2seq --tokens characters --embedding-dim 6 --hidden-size 12 --batch-size 4 --epochs 300 " +
  "--teacher-schedule linear --buckets 3 --dropout 0.2 --validation-split 0.2 --restore-best --num-layers 2",
  "train series.jsonl --task seq2seq --hidden-size 8 --batch-size 4 --epochs 200 --teacher-ratio 0.5 --loss quantile " +
  "--quantiles 0.2,0.8",
];

/** Pairs of a word and the same word backwards. */
const PAIRS = Array.from({ length: 60 }, (_, i) => [...(i * 7919 + 10007).toString(5)])
  .map((word) => `${word.join("")}\t${word.toReversed().join("")}\n`).join("");

/** Pairs of numbers: a line, and how it goes on. */
const SERIES = Array.from({ length: 60 }, (_, i) => {
  const at = (t: number) => Math.sin(i + t / 2);
  return `${JSON.stringify({ x: [0, 1, 2, 3, 4].map(at), y: [5, 6, 7].map(at) })}\n`;
}).join("");

/** When checkpoints are written: in turn. */
const EVERY = ["--checkpoint-every 1", "--checkpoint-every 0.0002m --keep 2", "--checkpoint-every 2 --keep 1", ""];

/** How trainings can be ended; "reader": whoever reads their output goes away. */
export const ENDINGS = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "reader"] as const;
export type Ending = typeof ENDINGS[number];

const MOD = resolve(import.meta.dirname!, "../mod.ts");

const DATA = resolve(import.meta.dirname!, "../tests/testdata/own");

/** What came of it. */
export interface Report {
  /** Trainings that were stopped while they ran. */
  kills: number;
  /** How many of them left a checkpoint in the middle of an epoch. */
  within: number;
  /** How many had written nothing yet. */
  early: number;
  /** Trainings that came to their end, and were compared. */
  finished: number;
  /** Files that killed writers left: removed by the next. */
  leftovers: number;
  /** Logs that were ahead of their checkpoint, and cut back. */
  ahead: number;
}

/** What a training may say on stderr: that it finds a best.json without a last.json, since the one before was killed between. */
const SET_ASIDE = /^(note: the (checkpoints|log) of an earlier run (are|is) kept as [^\n]*\n)*$/;

/** What one may say whose reader goes away; without --quiet it says what would make it faster, too. */
const GONE = /^(note: --wide [^\n]*\n|warning: standard output cannot be written: [^\n]*\n)*$/;

/** How a run is ended: after `delay` ms. */
interface End {
  readonly by: Ending;
  readonly delay: number;
}

/**
 * Runs the command line in a folder. Returns whether it came to its end.
 *
 * @param remark What it may say on stderr. Default: nothing.
 */
async function run(folder: string, flags: string, end?: End, remark = /^$/): Promise<boolean> {
  const isRead = end?.by === "reader", permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, MOD, ...flags.split(/ +/), ...isRead ? [] : ["--quiet"]],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdout: isRead ? "piped" : "null",
    stderr: "piped",
  }).spawn();
  let told = false;
  const timer = end && setTimeout(async () => {
    try {
      if (end.by === "reader") await child.stdout.cancel();
      else child.kill(end.by);
      told = true;
    } catch {
      // It has come to its end in this instant.
    }
  }, end.delay);
  const [{ code, signal }, error] = await Promise.all([child.status, new Response(child.stderr).text()]);
  clearTimeout(timer);
  if (isRead && !told) await child.stdout.cancel();
  // Told early, before it listens, it ends as any program does.
  if (told && end!.by === "SIGKILL" && (signal === "SIGKILL" || code !== 0)) return false;
  if (told && !isRead && (signal === end!.by || [129, 130, 143].includes(code))) return false;
  const isGone = isRead && code === 141 && GONE.test(error);
  if (isGone) return true;
  if (code !== 0 || !(isRead ? GONE : remark).test(error)) throw new Error(`${flags} ended with ${code}: ${error}`);
  return true;
}

/** Reads a checkpoint, if it is there; throws if it does not load. */
async function check(path: string): Promise<{ batch: number; epoch: number } | undefined> {
  try {
    const { model, training } = await loadCheckpoint(path, { threads: 1 });
    model.dispose();
    return training!.state;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The lines of a log, without how long epochs took. */
function linesOf(path: string): string {
  const text = Deno.readTextFileSync(path);
  if (!text.endsWith("\n")) throw new Error(`${path} ends within a line`);
  return text.replace(/"seconds":[^,}]*/g, '"seconds":0');
}

/** Epochs in the whole lines of a log, if it is there. */
function epochsIn(path: string): number {
  try {
    return Deno.readTextFileSync(path).split("\n").length - 1;
  } catch {
    return 0;
  }
}

/** What a training that is never stopped leaves, and how long it takes. */
async function wholeOf(folder: string, name: string, job: string) {
  const start = performance.now();
  await run(folder, `${job} --checkpoint ${name} --log-file ${name}.jsonl`);
  const files = ["last.json", "best.json"].map((file) => Deno.readTextFileSync(`${folder}/${name}/${file}`));
  return { time: performance.now() - start, files, log: linesOf(`${folder}/${name}.jsonl`) };
}

/**
 * Stops trainings so many times.
 *
 * @param jobs Flags of trainings, which take turns.
 * @param seed Of the instants.
 * @throws {Error} If a checkpoint does not load, or a resumed training ends with other bytes or another log.
 */
export async function killTrainings(
  times: number,
  jobs: readonly string[] = JOBS,
  seed = 1,
  say = (_: string) => {},
  by: Ending = "SIGKILL",
): Promise<Report> {
  const folder = await Deno.makeTempDir({ prefix: "grutto-kill-" }), random = new Random(seed, "data");
  const report: Report = { kills: 0, within: 0, early: 0, finished: 0, leftovers: 0, ahead: 0 };
  const wholes = new Map<string, Awaited<ReturnType<typeof wholeOf>>>();
  try {
    for (const { name } of Deno.readDirSync(DATA)) Deno.copyFileSync(`${DATA}/${name}`, `${folder}/${name}`);
    Deno.writeTextFileSync(`${folder}/pairs.tsv`, PAIRS);
    Deno.writeTextFileSync(`${folder}/series.jsonl`, SERIES);
    // All kinds come to their end, and the last kills fall where they fall.
    for (let chain = 0; report.kills < times || report.finished === 0; chain++) {
      const job = jobs[chain % jobs.length]!, here = `ck${chain}`, path = `${folder}/${here}`;
      const whole = wholes.get(job) ?? await wholeOf(folder, `whole${chain}`, job);
      wholes.set(job, whole);
      // A checkpoint does not say on what to go on.
      const device = job.match(/ --(gpu|(threads|simd|device) \w+)/g)?.join("") ?? "";
      // As many as it takes for all kinds to have their turn.
      for (let left = Math.ceil(times / jobs.length);;) {
        const at = await check(`${path}/last.json`);
        const best = await check(`${path}/best.json`);
        const every = EVERY[random.below(EVERY.length)], resume = at ? `--resume ${here}/last.json${device}` : job;
        const isLast = report.kills >= times || left <= 0;
        const end = isLast ? undefined : { by, delay: random.uniform() * whole.time * 1.2 };
        const flags = `${resume} --checkpoint ${here} --log-file ${here}.jsonl ${every}`.trim();
        if (at && epochsIn(`${path}.jsonl`) > at.epoch) report.ahead++;
        const isOver = await run(folder, flags, end, at ? undefined : SET_ASIDE);
        if (by === "reader" && end) report.kills++;
        if (isOver) break;
        report.kills++;
        left--;
        const found = await check(`${path}/last.json`);
        if (!found) report.early++;
        if (found?.batch) report.within++;
        for (const { name } of found ? Deno.readDirSync(path) : []) report.leftovers += Number(name.endsWith(".tmp"));
        if (report.kills % 10 === 0) say(JSON.stringify(report));
        if (best && !found && by !== "SIGKILL") throw new Error("a best.json without a last.json is left behind");
      }
      report.finished++;
      for (const [i, name] of ["last.json", "best.json"].entries()) {
        if (await Deno.readTextFile(`${path}/${name}`) === whole.files[i]) continue;
        throw new Error(`${name} is another after a training that was stopped and resumed: ${job}`);
      }
      if (linesOf(`${path}.jsonl`) !== whole.log) throw new Error(`the log is another after a resumption: ${job}`);
      const names = Array.from(Deno.readDirSync(path), ({ name }) => name);
      // A training that was killed before its first last.json left a best.json, which the next counts as another's.
      const strange = names.find((name) => !/^(last|best(\.\d+)?|step-\d+)\.json$/.test(name));
      if (strange) throw new Error(`${strange} is left behind`);
      await Deno.remove(path, { recursive: true });
    }
    return report;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const end = Deno.args.indexOf("--"), own = end < 0 ? Deno.args : Deno.args.slice(0, end);
  const about = "Stops trainings at random instants and resumes them; what follows -- are flags of train.";
  const { values } = commandLine(
    "deno task kill",
    about,
    {
      times: { type: "string", default: "200", about: "how many are killed" },
      seed: { type: "string", default: "1", about: "of the instants" },
      signal: { type: "string", default: "SIGKILL", about: `what stops them: ${ENDINGS.join(", ")}` },
    },
    [],
    own,
  );
  const jobs = end < 0 ? JOBS : [Deno.args.slice(end + 1).join(" ")], by = values.signal as Ending;
  if (!ENDINGS.includes(by)) throw new Error(`--signal must be one of ${ENDINGS.join(", ")}, got "${by}"`);
  console.log(
    await killTrainings(
      numberOption("times", values.times, 1),
      jobs,
      numberOption("seed", values.seed, 0),
      console.log,
      by,
    ),
  );
}
