/**
 * Kills trainings with SIGKILL at random instants, resumes them, and holds what they end with against a training that was
 * never killed, byte for byte; every checkpoint that a killed one leaves must load.
 *
 *     deno task kill --times 200 [-- FLAGS OF TRAIN]
 *
 * @module
 */

import { resolve } from "node:path";
import { parseCheckpoint } from "../mod.ts";
import { Random } from "../core/random.ts";
import { commandLine, numberOption } from "./command_line.ts";

/** The training that is killed: a second of work, with everything random, and a checkpoint wherever it may be. */
export const JOB = "--size 200 --steps 4 --hidden-size 4 --batch-size 4 --epochs 150 --dropout 0.3 --lr 0.01 " +
  "--bidirectional --num-layers 2 --accumulate 2 --restore-best";

/** When checkpoints are written: in turn. */
const EVERY = ["--checkpoint-every 1", "--checkpoint-every 0.0002m --keep 2", "--checkpoint-every 2 --keep 1", ""];

const MOD = resolve(import.meta.dirname!, "../mod.ts");

/** What came of it. */
export interface Report {
  /** Trainings that were killed while they ran. */
  kills: number;
  /** How many of them left a checkpoint in the middle of an epoch. */
  within: number;
  /** How many had written nothing yet. */
  early: number;
  /** Trainings that came to their end, and were compared. */
  finished: number;
  /** Files that killed writers left: removed by the next. */
  leftovers: number;
}

/** What a training says that finds a best.json without a last.json: the one before was killed between the two. */
const SET_ASIDE = /^note: the checkpoints of an earlier run are kept as "\S+best\.\d+\.json"\n$/;

/**
 * Runs the command line in a folder. Returns its exit code, or undefined if it was killed after `delay` ms.
 *
 * @param remark What it may say on stderr. Default: nothing.
 */
async function run(folder: string, flags: string, delay?: number, remark = /^$/): Promise<number | undefined> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
      MOD,
      ...flags.split(/ +/),
      "--quiet",
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let killed = false;
  const timer = delay === undefined ? undefined : setTimeout(() => {
    try {
      child.kill("SIGKILL");
      killed = true;
    } catch {
      // It has come to its end in this instant.
    }
  }, delay);
  const [{ code, signal }, error] = await Promise.all([child.status, new Response(child.stderr).text()]);
  clearTimeout(timer);
  if (killed && (signal === "SIGKILL" || code !== 0)) return undefined;
  if (code !== 0 || error && !remark.test(error)) throw new Error(`${flags} ended with ${code}: ${error}`);
  return code;
}

/** Reads a checkpoint, if it is there; throws if it does not load. */
async function check(path: string): Promise<{ batch: number } | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const { model, training } = await parseCheckpoint(text, path, { threads: 1 });
  model.dispose();
  return training!.state;
}

/**
 * Kills trainings so many times.
 *
 * @param job Flags of the training.
 * @param seed Of the instants.
 * @throws {Error} If a checkpoint does not load, or a resumed training ends with other bytes.
 */
export async function killTrainings(times: number, job = JOB, seed = 1, say = (_: string) => {}): Promise<Report> {
  const folder = await Deno.makeTempDir({ prefix: "grutto-kill-" }), random = new Random(seed, "data");
  const report: Report = { kills: 0, within: 0, early: 0, finished: 0, leftovers: 0 };
  try {
    // A checkpoint does not say on what to go on.
    const device = job.match(/ --(gpu|(threads|simd|device) \w+)/g)?.join("") ?? "", start = performance.now();
    await run(folder, `${job} --checkpoint whole`);
    const whole = performance.now() - start, files = ["last.json", "best.json"];
    const expected = await Promise.all(files.map((name) => Deno.readTextFile(`${folder}/whole/${name}`)));
    for (let chain = 0; report.kills < times || report.finished === 0; chain++) {
      const here = `ck${chain}`, path = `${folder}/${here}`;
      for (;;) {
        const at = await check(`${path}/last.json`);
        const best = await check(`${path}/best.json`);
        const every = EVERY[random.below(EVERY.length)], resume = at ? `--resume ${here}/last.json${device}` : job;
        const delay = report.kills < times ? random.uniform() * whole * 1.2 : undefined;
        const flags = `${resume} --checkpoint ${here} ${every}`.trim(), remark = best && !at ? SET_ASIDE : undefined;
        if (await run(folder, flags, delay, remark) !== undefined) break;
        report.kills++;
        const left = await check(`${path}/last.json`);
        if (!left) report.early++;
        if (left?.batch) report.within++;
        for (const { name } of left ? Deno.readDirSync(path) : []) report.leftovers += Number(name.endsWith(".tmp"));
        if (report.kills % 10 === 0) say(JSON.stringify(report));
      }
      report.finished++;
      for (const [i, name] of files.entries()) {
        if (await Deno.readTextFile(`${path}/${name}`) === expected[i]) continue;
        throw new Error(`${name} is another after a training that was killed and resumed`);
      }
      const names = Array.from(Deno.readDirSync(path), ({ name }) => name);
      // A training that was killed before its first last.json left a best.json, which the next counts as another's.
      const strange = names.find((name) => !/^(last|best(\.\d+)?|step-\d+)\.json$/.test(name));
      if (strange) throw new Error(`${strange} is left behind`);
    }
    return report;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const end = Deno.args.indexOf("--"), own = end < 0 ? Deno.args : Deno.args.slice(0, end);
  const about = "Kills trainings at random instants and resumes them; what follows -- are flags of train.";
  const { values } = commandLine(
    "deno task kill",
    about,
    {
      times: { type: "string", default: "200", about: "how many are killed" },
      seed: { type: "string", default: "1", about: "of the instants" },
    },
    [],
    own,
  );
  const flags = end < 0 ? JOB : Deno.args.slice(end + 1).join(" ");
  console.log(
    await killTrainings(
      numberOption("times", values.times, 1),
      flags,
      numberOption("seed", values.seed, 0),
      console.log,
    ),
  );
}
