/** `train`: one training, or several of different seeds or parts of the data. */

import { ALONE, type Fleet } from "../fleet/fleet.ts";
import { isUnreadable, launcher } from "../fleet/launcher.ts";
import type { Measured } from "../job/faster_device.ts";
import { resolveJob, UsageError } from "../job/options.ts";
import { type Scores, summaries } from "../job/scores.ts";
import { startedJob } from "../job/started_job.ts";
import { resumedJob } from "../job/stored_job.ts";
import { trainingsOf } from "../job/trainings.ts";
import type { TrainingRun } from "../job/training_run.ts";
import { dataFiles } from "./data_files.ts";
import { lineOf } from "./hints.ts";
import type { Arguments } from "./options.ts";
import { readResumed } from "./read_checkpoint.ts";
import { checkRequired } from "./check_required.ts";
import { runTraining } from "./run_training.ts";
import { inWords, meanAndDeviation } from "./score_lines.ts";
import { isLaunchersTerminal, remark, Terminal, writeDocument } from "./terminal.ts";

/** The measurements of `--device auto`. */
function measuredLine({ device, wasm, webgpu }: Measured): string {
  const cpu = `auto       wasm ${wasm.toFixed(3)}`;
  return typeof webgpu === "number"
    ? `${cpu}, webgpu ${webgpu.toFixed(3)} ms per step: ${device.device}`
    : `${cpu} ms per step; ${lineOf(webgpu.error)}`;
}

/** Runs the job, with the processes that were started for it. Returns the exit code. */
export async function trainCommand(typed: Arguments): Promise<number> {
  if (typed.mpi === undefined && !launcher()) {
    if (isUnreadable() && isLaunchersTerminal()) {
      Terminal.isKnown = false;
      remark(
        "note: if mpirun started this process, it trains by itself: --allow-env --allow-ffi, or -A, lets all train together",
      );
    }
    return await trainWith(ALONE, typed);
  }
  return await (await import("./together.ts")).runTogether(typed, (fleet) => trainWith(fleet, typed));
}

async function trainWith(fleet: Fleet, typed: Arguments): Promise<number> {
  const args = ofRank(fleet, withOperands(typed)),
    isJson = args.output === "json",
    terminal = new Terminal({ apart: isJson });
  const several = args.seeds > 1 || args.given.division.folds !== undefined ||
    args.given.division.walkForward !== undefined;
  for (const flag of ["resume", "checkpoint", "report", "tensorboard", "plot"] as const) {
    if (several && typed[flag]) throw new UsageError(`--${flag} is for one training, not for several seeds or folds`);
  }
  for (const [flag, value] of Object.entries({ keep: args.keep, "checkpoint-every": args.checkpointEvery })) {
    if (value !== undefined && typed.checkpoint === undefined) throw new UsageError(`--${flag} needs --checkpoint DIR`);
  }
  const { given, resume: name, from } = args, { data = [], testData = [] } = given.files;
  if (fleet.size > 1 && [...data, ...testData].includes("-")) {
    throw new UsageError("launchers give standard input to one process alone: several train on files");
  }
  if (name !== undefined && from !== undefined) {
    throw new UsageError("--resume continues a training and --from begins a new one: they contradict each other");
  }
  if (args.unknownTokens && from === undefined) throw new UsageError("--unknown-tokens belongs to --from");
  const start = from === undefined ? undefined : await (await import("./model_files.ts")).startFrom(from, args);
  const trainings = trainingsOf({
    seeds: args.seeds,
    source: dataFiles(args),
    device: given.device,
    resume: async (device) =>
      name === undefined ? undefined : { loaded: await readResumed(name, args, device, { fleet }), name },
    start,
    unknownTokens: args.unknownTokens,
    jobOf: (resumed) =>
      resumed ? resumedJob(resumed.loaded, given, resumed.name) : start ? startedJob(start, given) : resolveJob(given),
    onMeasured: (measured) => args.quiet || terminal.line(measuredLine(measured)),
  });
  if (!several) {
    for await (const run of trainings) {
      const { code, scores, document } = await runTraining({ ...run, fleet }, args, terminal);
      if (isJson && document) await writeDocument(document);
      return code || (document ? checkRequired(args.require, scores?.values) : 0);
    }
  }
  const runs: Finding[] = [],
    each = (run: TrainingRun, isFirst: boolean, lines?: string[]) =>
      oneOfSeveral({ ...run, isFirst, lines }, args, terminal);
  const found = fleet.size > 1
    ? await (await import("./farm.ts")).farmOut(fleet, trainings, {
      seeds: args.seeds,
      each,
      addToLog: async (lines) => {
        if (args.logFile !== undefined) await (await import("./log_file.ts")).appendLines(args.logFile, lines);
      },
    })
    : oneByOne(trainings, each);
  for await (const { code, ...finding } of found) {
    if (code) return code;
    runs.push(finding);
  }
  const all = runs.flatMap(({ scores }) => scores ? [{ values: scores }] : []);
  for (const text of meanAndDeviation(all)) terminal.line(text);
  const of = (which: "mean" | "sd") => Object.fromEntries(summaries(all).map(([name, found]) => [name, found[which]]));
  if (isJson) await writeDocument({ runs, mean: of("mean"), sd: of("sd") });
  return checkRequired(args.require, all.length ? of("mean") : undefined);
}

/** What came of one of several trainings. */
interface Finding {
  readonly name: string;
  readonly before?: Scores["values"];
  readonly count?: number;
  readonly scores?: Scores["values"];
}

async function* oneByOne<T>(
  trainings: AsyncIterable<TrainingRun>,
  each: (run: TrainingRun, isFirst: boolean) => Promise<T>,
): AsyncGenerator<T> {
  let isFirst = true;
  for await (const run of trainings) {
    yield await each(run, isFirst);
    isFirst = false;
  }
}

/** Runs one of several trainings, and says what it scores. */
async function oneOfSeveral(
  { isFirst, lines, ...run }: TrainingRun & { readonly isFirst: boolean; readonly lines: string[] | undefined },
  args: Arguments,
  terminal: Terminal,
): Promise<Finding & { readonly code: number }> {
  const name = run.name!, quiet = args.quiet || !isFirst, own = { name, isFirst, lines };
  const { code, scores, before } = await runTraining(
    run,
    { ...args, quiet, run: own, ...lines && { logFile: undefined } },
    terminal,
  );
  if (code) return { code, name };
  if (before) terminal.line(`${`${name}, before`.padEnd(20)}  ${inWords(before.values)}`);
  terminal.line(`${name.padEnd(20)}  ${scores ? inWords(scores.values) : "nothing was held out to score it on"}`);
  return {
    code,
    name,
    ...before && { before: before.values },
    ...scores && { count: scores.count, scores: scores.values },
  };
}

/** A process that is not the first writes nothing. */
function ofRank({ rank }: Fleet, args: Arguments): Arguments {
  if (rank === 0) return args;
  const nothing = { checkpoint: undefined, checkpointEvery: undefined, logFile: undefined, report: undefined };
  return { ...args, ...nothing, tensorboard: undefined, plot: false };
}

/** Words behind the command are files to train on. */
function withOperands(args: Arguments): Arguments {
  if (!args.operands.length) return args;
  const { files } = args.given, data = [...files.data ?? [], ...args.operands];
  return { ...args, operands: [], given: { ...args.given, files: { ...files, data } } };
}
