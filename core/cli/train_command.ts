import { type Dataset, randomSplit } from "../data/dataset.ts";
import { sampleDataset } from "../data/sample.ts";
import { createModel, type Model } from "../model/model.ts";
import { type LoadedCheckpoint, saveCheckpoint } from "../train/checkpoint.ts";
import { type EpochReport, Training, type TrainOptions } from "../train/train.ts";
import { createTrainer } from "../train/trainer.ts";
import { commandWith, folderOf, mayWrite, reason } from "./files.ts";
import { type Arguments, type Job, resolveJob, UsageError } from "./options.ts";
import { readCheckpoint } from "./read_checkpoint.ts";
import { clock, duration, remark, Terminal } from "./terminal.ts";

/** The exit code of a program that was stopped by Ctrl-C. */
const INTERRUPTED = 130;

/** What a checkpoint of the command line keeps beside model and training. */
export interface StoredJob {
  readonly data: Job["data"];
  readonly seed: number;
}

/** The seed job's data: 80 % for training, 20 % for testing. */
export function jobData({ data, seed }: StoredJob): { train: Dataset; test: Dataset } {
  const [train, test] = randomSplit(sampleDataset({ ...data, seed }), [0.8, 0.2], seed);
  return { train: train!, test: test! };
}

/** Data for the loss: "crossEntropy" wants class numbers in place of one-hot rows. */
export function targetsFor(loss: string, dataset: Dataset): Dataset {
  if (loss !== "crossEntropy") return dataset;
  const { targets, shape } = dataset;
  return { ...dataset, targets: Int32Array.from({ length: shape[0]! }, (_, i) => targets[2 * i] ? 0 : 1) };
}

/** Where checkpoints go. */
interface Target {
  readonly last: string;
  readonly best: string;
}

/** `PATH.json` is the last checkpoint itself; anything else is a folder. */
function checkpointTarget(path: string): Target {
  return path.endsWith(".json")
    ? { last: path, best: path.replace(/\.json$/, ".best.json") }
    : { last: `${path.replace(/\/+$/, "")}/last.json`, best: `${path.replace(/\/+$/, "")}/best.json` };
}

/** Makes sure that checkpoints can be written, before anything is trained; undefined without permission. */
async function openTarget(path: string): Promise<Target | undefined> {
  const target = checkpointTarget(path), folder = folderOf(target.last);
  if (!await mayWrite(folder, "checkpoints")) return undefined;
  try {
    if (!path.endsWith(".json")) {
      await Deno.mkdir(folder).catch((error) => {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      });
    }
    const probe = `${target.last}.tmp`;
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
  } catch (error) {
    throw new Error(`cannot write checkpoint "${target.last}": ${reason(error)}`);
  }
  return target;
}

/** Opens the log, before anything is trained; undefined without permission. */
async function openLog(path: string | undefined, append: boolean): Promise<Deno.FsFile | undefined> {
  if (path === undefined || !await mayWrite(path, `the log "${path}"`)) return undefined;
  try {
    return await Deno.open(path, { create: true, write: true, append, truncate: !append });
  } catch (error) {
    throw new Error(`cannot write log "${path}": ${reason(error)}`);
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2).padStart(6)} %`;
}

function epochLine(
  { epoch, trainLoss, trainAccuracy, testLoss, testAccuracy, seconds }: EpochReport,
  epochs: number,
): string {
  const number = String(epoch).padStart(String(epochs).length);
  const test = testLoss === undefined ? "" : `   test loss ${testLoss.toFixed(4)}  accuracy ${percent(testAccuracy!)}`;
  return `epoch ${number}/${epochs}   train loss ${trainLoss.toFixed(4)}  accuracy ${percent(trainAccuracy)}${test}   ${
    duration(seconds)
  }`;
}

/** What a run uses, in the order it is stored. */
function describe(job: Job, model: Model): string[] {
  const words = (values: object) =>
    Object.entries(values).filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(",") : value}`).join(", ");
  const numbers = model.parameters.reduce((sum, { length }) => sum + length, 0);
  return [
    `device     ${model.device.description}`,
    `data       ${words(job.data)}, seed ${job.everything.seed}`,
    `model      ${words(job.model)}: ${numbers} parameters`,
    `training   ${words(job.training)}`,
    `optimizer  ${words(job.optimizer)}`,
  ];
}

/** The job of a checkpoint that training goes on from; only the number of epochs may be another. */
function resumedJob({ model, trainer, training, job }: LoadedCheckpoint, { given, resume }: Arguments): Job {
  const stored = job as Partial<StoredJob> | null;
  if (!trainer || !training || typeof stored?.data !== "object" || typeof stored.seed !== "number") {
    throw new Error(`cannot resume from "${resume}": it holds no training of this command`);
  }
  const { inputSize: _i, outputSize: _o, ...config } = model.config;
  const { optimizer, seed, ...options } = trainer.options;
  const kept: Job = {
    data: stored.data,
    model: config,
    training: { ...training.options, ...options },
    optimizer,
    everything: { seed },
  };
  for (const [group, values] of Object.entries(given)) {
    for (const [name, value] of Object.entries(values)) {
      const before = (kept as unknown as Record<string, Record<string, unknown>>)[group]![name];
      if (name === "epochs" || String(before) === String(value)) continue;
      throw new UsageError(`${name} cannot be changed on --resume: it is ${before} there, ${value} was given`);
    }
  }
  return { ...kept, training: { ...kept.training, ...given.training } };
}

/** Runs the job: trains, prints every epoch, keeps checkpoints and a log. Returns the exit code. */
export async function trainCommand(args: Arguments): Promise<number> {
  if (args.operands.length) throw new UsageError(`train takes no "${args.operands[0]}": see --help`);
  const resumed = args.resume === undefined ? undefined : await readCheckpoint(args.resume);
  const job = resumed ? resumedJob(resumed, args) : resolveJob(args.given);
  const { seed } = job.everything, stored: StoredJob = { data: job.data, seed };
  const loss = job.training.loss as "bce";
  const data = jobData(stored);
  const train = targetsFor(loss, data.train), validation = targetsFor(loss, data.test);
  using model = resumed?.model ??
    await createModel({ inputSize: job.data.features, outputSize: 2, ...job.model }, { seed });
  const { epochs, batchSize, shuffle, ...rest } = job.training as TrainOptions;
  const trainer = resumed?.trainer ?? createTrainer(model, { ...rest, optimizer: job.optimizer, seed });

  const target = args.checkpoint === undefined ? undefined : await openTarget(args.checkpoint);
  using log = await openLog(args.logFile, resumed !== undefined);
  const terminal = new Terminal();
  if (!args.quiet) {
    for (const text of describe({ ...job, optimizer: trainer.options.optimizer }, model)) terminal.line(text);
  }

  const abort = new AbortController();
  const interrupt = () => {
    if (abort.signal.aborted) Deno.exit(INTERRUPTED);
    abort.abort("interrupted");
  };
  let failed = "";
  const save = async (path: string) => {
    try {
      await saveCheckpoint(path, { model, training, job: { ...stored } });
    } catch (error) {
      const text = `cannot write checkpoint "${path}": ${reason(error)}`;
      terminal.clear();
      if (text !== failed) remark(`warning: ${text}; training goes on`);
      failed = text;
      return false;
    }
    return true;
  };
  const start = performance.now(), first = resumed?.training?.state.epoch ?? 0;
  const training = new Training(model, train, {
    trainer,
    epochs,
    batchSize,
    shuffle,
    validation,
    signal: abort.signal,
    ...resumed?.training && { state: resumed.training.state },
    onBatch({ epoch, batch, batches }) {
      if (args.quiet) return;
      terminal.progress(() => {
        const done = epoch - 1 - first + batch / batches,
          left = (performance.now() - start) / done * (epochs! - first - done);
        const filled = Math.round(20 * batch / batches);
        return `epoch ${epoch}/${epochs}  [${"#".repeat(filled)}${"-".repeat(20 - filled)}] ${batch}/${batches}  ${
          clock(left / 1000)
        } left`;
      });
    },
    async onEpoch(report) {
      if (!args.quiet || report.epoch === epochs) terminal.line(epochLine(report, epochs!));
      if (target) {
        await save(target.last);
        if (training.best!.epoch === report.epoch) await save(target.best);
      }
      await log?.write(new TextEncoder().encode(`${JSON.stringify({ seed, ...report })}\n`));
    },
  });
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  try {
    await training.run();
    if (!args.quiet) terminal.line(summary(training, target, (performance.now() - start) / 1000));
    return 0;
  } catch (error) {
    terminal.clear();
    const { epoch, batch } = training.state;
    if (!abort.signal.aborted) {
      const kept = target && epoch > first ? `; the checkpoint of epoch ${epoch} is kept in "${target.last}"` : "";
      throw new Error(`${(error as Error).message}${kept}`);
    }
    const place = `stopped after epoch ${epoch}${batch ? ` and ${batch} batches of the next` : ""}`;
    if (target && await save(target.last)) {
      const folder = folderOf(target.last);
      const flags = `--allow-read=${folder} --allow-write=${folder}`;
      remark(
        `${place}; to go on: ${
          commandWith(flags, ["train", "--checkpoint", args.checkpoint!, "--resume", target.last])
        }`,
      );
    } else {
      remark(`${place}; nothing was saved: with --checkpoint DIR, training can be gone on with`);
    }
    return INTERRUPTED;
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
  }
}

const SIGNALS = (Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"]) as Deno.Signal[];

/** The last line: what came out, and where it is. */
function summary({ best }: Training, target: Target | undefined, seconds: number): string {
  const where = target ? `; kept in ${target.best} and ${target.last}` : "";
  return `done in ${duration(seconds)}: best epoch ${best!.epoch}, test loss ${best!.testLoss!.toFixed(4)}, accuracy ${
    percent(best!.testAccuracy!).trim()
  }${where}`;
}
