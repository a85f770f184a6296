/** `convert FROM TO` and `info FILE`: models between this program's checkpoints and the files of others. */

import type { ModelFile } from "../exchange/config.ts";
import {
  describeModel,
  modelFile,
  modelFormat,
  modelFormatOf,
  readModel,
  restoreModel,
  writeModel,
} from "../exchange/model_file.ts";
import { parseCheckpoint } from "../train/checkpoint/load.ts";
import { formatCheckpoint } from "../train/checkpoint/snapshot.ts";
import { writeDurably } from "../train/durable.ts";
import { allowingCommand, reason } from "./files.ts";
import { type Arguments, UsageError } from "./options.ts";
import { readError, type StoredJob, storedJob } from "./read_checkpoint.ts";
import { words } from "./job_data.ts";
import { Terminal } from "./terminal.ts";

/** A model file of any format, and what only a checkpoint of this program holds. */
interface Opened extends ModelFile {
  readonly format: string;
  readonly job?: StoredJob;
  readonly seed?: number;
  readonly lines: readonly string[];
}

/** Runs `convert`. Returns the exit code. */
export async function convertCommand(args: Arguments): Promise<number> {
  const [from, to, ...more] = args.operands;
  if (from === undefined || to === undefined || more.length) {
    throw new UsageError("convert takes two files, such as: convert checkpoints/best.json model.safetensors");
  }
  const format = modelFormatOf(to) ?? (to.endsWith(".json") ? "json" : undefined);
  if (!format) throw new UsageError(`convert writes .safetensors, .pt, .onnx and .json, got "${to}"`);
  const opened = await open(from, args);
  const content = format === "json" ? await checkpointOf(opened) : writeModel(opened, format);
  try {
    await writeDurably(to, content);
  } catch (error) {
    const why = error instanceof Deno.errors.NotCapable
      ? `no permission; to allow it: ${allowingCommand(args)}`
      : await reason(error, to);
    throw new Error(`cannot write "${to}": ${why}`);
  }
  if (!args.quiet) {
    const left = opened.lines.length && format !== "json" ? "; optimizer and history stay behind" : "";
    new Terminal().line(`${from} (${opened.format}) written as ${to} (${format})${left}`);
  }
  return 0;
}

/** Runs `info`. Returns the exit code. */
export async function infoCommand(args: Arguments): Promise<number> {
  const [path = args.checkpoint, ...more] = args.operands;
  if (path === undefined || more.length) {
    throw new UsageError("info takes one file, such as: info checkpoints/best.json");
  }
  const opened = await open(path, args), terminal = new Terminal();
  terminal.line(`${path}: ${opened.format}`);
  for (const text of [...opened.lines, ...describeModel(opened)]) terminal.line(text);
  return 0;
}

async function open(path: string, args: Arguments): Promise<Opened> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw readError("model", path, error, args);
  }
  const format = modelFormat(bytes);
  if (!format && modelFormatOf(path) === "onnx") {
    throw new Error(`cannot read model "${path}": .onnx is written, not read; .safetensors, .pt and .json are both`);
  }
  // A damaged file is what its name says it is.
  const meant = format ?? (path.endsWith(".json") ? undefined : modelFormatOf(path));
  if (meant) return { ...readModel(bytes, path), format: meant, lines: [] };
  const loaded = await parseCheckpoint(new TextDecoder().decode(bytes), path);
  using model = loaded.model;
  const { trainer, training, preprocessing } = loaded, job = storedJob(loaded);
  const file = await modelFile(model, { preprocessing: preprocessing ?? undefined });
  const best = training?.state.history.reduce(
    (a, b) => (b.validationLoss ?? b.trainLoss) < (a.validationLoss ?? a.trainLoss) ? b : a,
    training.state.history[0]!,
  );
  return {
    ...file,
    format: "checkpoint",
    job,
    seed: model.seed,
    lines: [
      ...job?.own
        ? [`trained on ${job.own.files.data.join(", ")}, seed ${job.seed}`]
        : job
        ? [`trained on the seed job's data: ${words(job.data)}, seed ${job.seed}`]
        : [],
      ...training
        ? [`${training.state.epoch} of ${training.options.epochs} epochs${best ? `, the best ${best.epoch}` : ""}`]
        : [],
      ...trainer ? [`optimizer ${words(trainer.options.optimizer)}, ${trainer.steps} steps`] : [],
    ],
  };
}

/** A checkpoint of a model by itself. */
async function checkpointOf(
  { seed = 0, ...file }: ModelFile & { seed?: number },
): Promise<string> {
  using model = await restoreModel(file, { seed });
  return await formatCheckpoint({ model, preprocessing: file.preprocessing as Record<string, unknown> | undefined });
}
