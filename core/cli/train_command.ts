/** `train`: one training, or several of different seeds or parts of the data. */

import { DataLoader } from "../data/dataset.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { fasterDevice } from "./device.ts";
import { sampleData } from "./job_data.ts";
import { type Arguments, flagFor, type Group, type Job, resolveJob, UsageError } from "./options.ts";
import { readCheckpoint, type StoredJob, storedJob } from "./read_checkpoint.ts";
import { configOf, type Run, runTraining, trainerOptions } from "./run_training.ts";
import { meanAndDeviation, type Scores } from "./scores.ts";
import { Terminal } from "./terminal.ts";

/** The job of a checkpoint that training goes on from; only the number of epochs, and where the files are, may be others. */
function resumedJob(loaded: LoadedCheckpoint, { given, resume }: Arguments): Job {
  const { model, trainer, training } = loaded, stored = storedJob(loaded);
  if (!trainer || !training || !stored) {
    throw new Error(`cannot resume from "${resume}": it holds no training of this command`);
  }
  const { inputSize: _i, outputSize: _o, loss: _l, quantiles: _q, ...config } = model.config;
  const { optimizer, seed: _s, ...options } = trainer.options, { schedule, earlyStopping, ...rest } = training.options;
  const kept: Job = {
    data: stored.data,
    own: stored.own,
    model: config,
    training: { ...rest, ...options },
    schedule,
    earlyStopping,
    optimizer,
    everything: { seed: stored.seed },
    device: given.device,
  };
  for (const [group, values] of Object.entries(given)) {
    for (const [name, value] of Object.entries(values)) {
      const from = { ...kept, ...kept.own } as unknown as Record<string, Record<string, unknown> | undefined>;
      const before = from[group]?.[name];
      if (group === "files" || name === "epochs" || String(before) === String(value)) continue;
      throw new UsageError(
        `--${flagFor(group as Group, name)} cannot be changed on --resume: "${resume}" has ${
          before ?? "none"
        }, got ${value}`,
      );
    }
  }
  const own = kept.own && { ...kept.own, files: { ...kept.own.files, ...given.files } };
  return { ...kept, own, training: { ...kept.training, ...given.training } };
}

/** The trainings that a command line asks for, one after the other: for each seed, each division of the data. */
async function* runsOf(args: Arguments, terminal: Terminal): AsyncGenerator<Run> {
  const auto = args.given.device.device === "auto";
  const read = async (device: Job["device"]) =>
    args.resume === undefined ? undefined : await readCheckpoint(args.resume, args, device);
  // What a checkpoint asks for is in it: it is read on the CPU first, and again where the GPU is faster.
  let resumed = await read(auto ? { ...args.given.device, device: "wasm" } : args.given.device);
  const first = resumed ? resumedJob(resumed, args) : resolveJob(args.given);
  let device = first.device;
  const own = first.own && new (await import("./own_data.ts")).OwnJobs(args, resumed?.preprocessing ?? undefined);
  for (let i = 0; i < args.seeds; i++) {
    const seed = first.everything.seed + i;
    const seeded = { ...first, everything: { seed } };
    for await (const { name, data } of own ? own.of(seeded) : [{ name: undefined, data: sampleData(seeded) }]) {
      let job: Job = { ...seeded, device };
      if (device.device === "auto") {
        const [batch] = new DataLoader(data.train, { batchSize: job.training.batchSize as number });
        const say = (line: string) => args.quiet || terminal.line(line);
        device = await fasterDevice(device, configOf(job, data), trainerOptions(job, data), batch!, say);
        job = { ...job, device };
        if (resumed && device.device !== "wasm") {
          resumed.model.dispose();
          resumed = await read(device);
        }
      }
      const names = [...args.seeds > 1 ? [`seed ${seed}`] : [], ...name ? [name] : []];
      const stored: StoredJob = { data: job.data, ...job.own && { own: job.own }, seed };
      yield { args, job, data, stored, resumed, name: names.join(", ") || undefined };
    }
  }
}

/** Runs the job. Returns the exit code. */
export async function trainCommand(given: Arguments): Promise<number> {
  const args = withOperands(given), terminal = new Terminal();
  const several = args.seeds > 1 || args.given.division.folds !== undefined ||
    args.given.division.walkForward !== undefined;
  for (const flag of ["resume", "checkpoint", "report", "tensorboard", "plot"] as const) {
    if (several && args[flag]) throw new UsageError(`--${flag} is for one training, not for several seeds or folds`);
  }
  const all: Scores[] = [];
  let isFirst = true;
  for await (const run of runsOf(args, terminal)) {
    if (!several) return (await runTraining(run, terminal)).code;
    const name = run.name!, quiet = args.quiet || !isFirst;
    const { code, scores } = await runTraining({ ...run, args: { ...args, quiet, run: { name, isFirst } } }, terminal);
    if (code) return code;
    terminal.line(`${name.padEnd(20)}  ${scores ? scores.line : "nothing was held back to score it on"}`);
    if (scores) all.push(scores);
    isFirst = false;
  }
  for (const text of meanAndDeviation(all)) terminal.line(text);
  return 0;
}

/** Words behind the command are files to train on. */
function withOperands(args: Arguments): Arguments {
  if (!args.operands.length) return args;
  const { files } = args.given, data = [...files.data as string[] ?? [], ...args.operands];
  return { ...args, operands: [], given: { ...args.given, files: { ...files, data } } };
}
