import { DataLoader, type Dataset, randomSplit } from "../data/dataset.ts";
import { sampleDataset } from "../data/sample.ts";
import type { ModelConfig } from "../model/config.ts";
import type { LossName } from "../model/head.ts";
import { createModel, type Model } from "../model/model.ts";
import type { LoadedCheckpoint } from "../train/checkpoint.ts";
import { type BatchProgress, type EpochReport, TRAIN_OPTIONS, Training, type TrainOptions } from "../train/train.ts";
import { createTrainer, TRAINER_OPTIONS, type TrainerOptions } from "../train/trainer.ts";
import { fasterDevice, modelOptions } from "./device.ts";
import { allowingCommand } from "./files.ts";
import { Keeper } from "./keeper.ts";
import { type Arguments, flagFor, type Group, type Job, resolveJob, UsageError } from "./options.ts";
import { readCheckpoint, remarkArithmetic, type StoredJob, storedJob } from "./read_checkpoint.ts";
import { clock, duration, remark, Terminal } from "./terminal.ts";

/** The exit code of a program that was stopped by Ctrl-C. */
const INTERRUPTED = 130;

/** The seed job's data: 80 % for training, 20 % for testing. */
export function jobData({ data, seed }: StoredJob): { train: Dataset; test: Dataset } {
  const [train, test] = randomSplit(sampleDataset({ ...data, seed }), [0.8, 0.2], seed);
  return { train: train!, test: test! };
}

/** Data for the loss: "crossEntropy" wants class numbers in place of one-hot rows. */
export function targetsFor(loss: LossName, dataset: Dataset): Dataset {
  if (loss !== "crossEntropy") return dataset;
  const { targets, shape } = dataset;
  return { ...dataset, targets: Int32Array.from({ length: shape[0]! }, (_, i) => targets[2 * i] ? 0 : 1) };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** Loss and accuracy; for "mse", which has none, the loss. */
export function scores(name: LossName, loss: number, accuracy: number): string {
  return `loss ${loss.toFixed(4)}${name === "mse" ? "" : `  accuracy ${percent(accuracy).padStart(8)}`}`;
}

function epochLine(report: EpochReport, epochs: number, loss: LossName): string {
  const number = String(report.epoch).padStart(String(epochs).length);
  const train = scores(loss, report.trainLoss, report.trainAccuracy);
  const test = scores(loss, report.testLoss!, report.testAccuracy!);
  return `epoch ${number}/${epochs}   train ${train}   test ${test}   ${duration(report.seconds)}`;
}

/** The live line; the time left goes by the time that was spent since `first`, in epochs. */
function progressLine(
  { epoch, batch, batches }: BatchProgress,
  { first, epochs, seconds }: { first: number; epochs: number; seconds: number },
): string {
  const done = epoch - 1 + batch / batches, left = seconds / (done - first) * (epochs - done);
  const bar = "#".repeat(Math.round(20 * batch / batches)).padEnd(20, "-");
  return `epoch ${epoch}/${epochs}  [${bar}] ${batch}/${batches}  ${clock(left)} left`;
}

/** What a run uses, in the order it is stored. */
function describe(job: Job, model: Model): string[] {
  const { inputSize: _i, outputSize: _o, numEmbeddings: _n, paddingIdx: _p, ...config } = model.config;
  const words = (values: object) =>
    Object.entries(values).filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(",") : value}`).join(", ");
  const numbers = model.parameters.reduce((sum, { length }) => sum + length, 0);
  return [
    `device     ${model.device.description}`,
    `data       ${words(job.data)}, seed ${job.everything.seed}`,
    `model      ${words(config)}: ${numbers} parameters`,
    `training   ${words(job.training)}`,
    `optimizer  ${words(job.optimizer)}`,
  ];
}

/** The job of a checkpoint that training goes on from; only the number of epochs may be another. */
function resumedJob(loaded: LoadedCheckpoint, { given, resume }: Arguments): Job {
  const { model, trainer, training } = loaded, stored = storedJob(loaded);
  if (!trainer || !training || !stored) {
    throw new Error(`cannot resume from "${resume}": it holds no training of this command`);
  }
  const { inputSize: _i, outputSize: _o, numEmbeddings: _n, paddingIdx: _p, ...config } = model.config;
  const { optimizer, seed: _s, ...options } = trainer.options;
  const kept: Job = {
    data: stored.data,
    model: config,
    training: { ...training.options, ...options },
    optimizer,
    everything: { seed: stored.seed },
    device: given.device,
  };
  for (const [group, values] of Object.entries(given)) {
    for (const [name, value] of Object.entries(values)) {
      const before = (kept as unknown as Record<string, Record<string, unknown>>)[group]![name];
      if (name === "epochs" || String(before) === String(value)) continue;
      throw new UsageError(
        `--${flagFor(group as Group, name)} cannot be changed on --resume: "${resume}" has ${
          before ?? "none"
        }, got ${value}`,
      );
    }
  }
  return { ...kept, training: { ...kept.training, ...given.training } };
}

/** Runs what only a file can make fail, and names the file. */
function resumable<T>(file: string | undefined, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (file === undefined) throw error;
    throw new Error(`cannot resume from "${file}": ${(error as Error).message.replace(/^Cannot train: /, "")}`);
  }
}

function configOf({ data, model }: Job): ModelConfig {
  return { inputSize: data.features, outputSize: 2, ...model };
}

function trainerOptions({ training, optimizer, everything: { seed } }: Job): TrainerOptions {
  return { ...named(training, TRAINER_OPTIONS), optimizer, seed };
}

/** The options that a table has. */
function named(values: Record<string, unknown>, table: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(table, name)));
}

/** The job of a command line, and the checkpoint it goes on from; `--device auto` is settled by measuring. */
async function settle(args: Arguments, terminal: Terminal): Promise<{ job: Job; resumed?: LoadedCheckpoint }> {
  const auto = args.given.device.device === "auto";
  const read = async (device: Job["device"]) =>
    args.resume === undefined ? undefined : await readCheckpoint(args.resume, args, device);
  // What a checkpoint asks for is in it: it is read on the CPU first, and again where the GPU is faster.
  const first = await read(auto ? { ...args.given.device, device: "wasm" } : args.given.device);
  const job = first ? resumedJob(first, args) : resolveJob(args.given);
  if (!auto) return { job, resumed: first };
  const { batchSize, loss } = job.training as Required<TrainOptions>;
  const [batch] = new DataLoader(targetsFor(loss, jobData({ data: job.data, seed: job.everything.seed }).train), {
    batchSize,
  });
  const say = (line: string) => args.quiet || terminal.line(line);
  const device = await fasterDevice(job.device, configOf(job), trainerOptions(job), batch!, say);
  if (!first || device.device === "wasm") return { job: { ...job, device }, resumed: first };
  first.model.dispose();
  return { job: { ...job, device }, resumed: await read(device) };
}

/** Runs the job: trains, prints every epoch, keeps checkpoints and a log. Returns the exit code. */
export async function trainCommand(args: Arguments): Promise<number> {
  if (args.operands.length) throw new UsageError(`train takes no "${args.operands[0]}": see --help`);
  const terminal = new Terminal();
  const { job, resumed } = await settle(args, terminal);
  if (resumed) remarkArithmetic(resumed, args.resume!);
  const { seed } = job.everything, stored: StoredJob = { data: job.data, seed };
  const loss = job.training.loss as LossName, data = jobData(stored);
  using model = resumed?.model ?? await createModel(configOf(job), { seed, ...modelOptions(job.device) });
  const { epochs, batchSize } = job.training as Required<TrainOptions>;
  const trainer = resumed?.trainer ?? createTrainer(model, trainerOptions(job));

  const abort = new AbortController();
  using keeper = await Keeper.open(args, stored, terminal);
  const start = performance.now(), seconds = () => (performance.now() - start) / 1000;
  const training = resumable(args.resume, () =>
    new Training(model, targetsFor(loss, data.train), {
      ...named(job.training, TRAIN_OPTIONS),
      trainer,
      validation: targetsFor(loss, data.test),
      signal: abort.signal,
      state: resumed?.training?.state,
      bestParameters: resumed?.training?.bestParameters,
      onBatch(progress) {
        if (!args.quiet) terminal.progress(() => progressLine(progress, { first, epochs, seconds: seconds() }));
      },
      async onEpoch(report) {
        if (!args.quiet || report.epoch === epochs) terminal.line(epochLine(report, epochs, loss));
        await keeper.epoch(report, training);
      },
    }));
  keeper.watch(training);
  const { epoch: done, batch } = training.state, first = done + batch / Math.ceil(data.train.shape[0]! / batchSize);
  if (done >= epochs) {
    terminal.line(`nothing to do: "${args.resume}" has all ${done} epochs; to go further: --epochs ${done + 100}`);
    return 0;
  }
  if (!args.quiet) {
    for (const text of describe({ ...job, optimizer: trainer.options.optimizer }, model)) terminal.line(text);
  }

  const interrupt = () => {
    if (abort.signal.aborted) Deno.exit(INTERRUPTED);
    abort.abort("interrupted");
  };
  for (const signal of SIGNALS) Deno.addSignalListener(signal, interrupt);
  try {
    await training.run();
    if (!args.quiet) terminal.line(summary(training, keeper, loss, seconds()));
    return keeper.complete ? 0 : 1;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    terminal.clear();
    if (error === abort.signal.reason) return await stop(training, keeper, args);
    await keeper.flush();
    const last = keeper.target?.last;
    const kept = last && keeper.kept.has(last)
      ? `; the checkpoint of epoch ${keeper.keptEpoch} is kept in "${last}"`
      : "";
    throw new Error(`${(error as Error).message}${kept}`);
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, interrupt);
  }
}

const SIGNALS = (Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"]) as Deno.Signal[];

/** After Ctrl-C: keeps what there is, and says how to go on. Returns the exit code. */
async function stop(training: Training, keeper: Keeper, args: Arguments): Promise<number> {
  const { epoch, batch } = training.state, last = keeper.target?.last;
  const place = `stopped after epoch ${epoch}${batch ? ` and ${batch} batches of the next` : ""}`;
  if (last && await keeper.save(last, training)) {
    const resume = args.resume === last ? [] : ["--resume", last];
    remark(`${place}; to go on: ${allowingCommand({ ...args, resume: last }, [...Deno.args, ...resume])}`);
  } else remark(`${place}; it is not saved${last ? "" : ": --checkpoint DIR keeps what --resume goes on from"}`);
  return INTERRUPTED;
}

/** The last line: what came out, and where it is. */
function summary({ best }: Training, { target, kept }: Keeper, loss: LossName, seconds: number): string {
  const { epoch, testLoss, testAccuracy } = best!;
  const accuracy = loss === "mse" ? "" : `, accuracy ${percent(testAccuracy!)}`;
  const files = target ? [target.best, target.last].filter((path) => kept.has(path)) : [];
  const where = files.length ? `; kept in ${files.join(" and ")}` : "";
  return `done in ${duration(seconds)}: best epoch ${epoch}, test loss ${testLoss!.toFixed(4)}${accuracy}${where}`;
}
