import { resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";
import { quantilesOf } from "../model/losses.ts";
import { loadModel, modelFormatOf } from "../exchange/model_file.ts";
import { loadCheckpoint, LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { modelOptions } from "./device.ts";
import { allowingCommand } from "./files.ts";
import { remark } from "./terminal.ts";
import { DATA_OPTIONS, type DataJob } from "./data_options.ts";
import { type Arguments, type Job, JOB_OPTIONS, UsageError } from "./options.ts";

/** What a checkpoint of the command line keeps beside model and training. */
export interface StoredJob {
  readonly data: Job["data"];
  /** How data of one's own are read. */
  readonly own?: Job["own"];
  readonly seed: number;
}

/**
 * loadCheckpoint with the errors of the file system in the command line's words.
 *
 * @param device What its model is to compute on. Default: what the command line says.
 */
export async function readCheckpoint(
  path: string,
  args: Arguments,
  device: Job["device"] = args.given.device,
): Promise<LoadedCheckpoint> {
  try {
    return await loadCheckpoint(path, modelOptions(device));
  } catch (error) {
    throw readError("checkpoint", path, error, args);
  }
}

/** How the command line calls what computes, and asks for it. */
const ARITHMETIC: Record<string, { words: string; flag: string }> = {
  plain: { words: "plain SIMD", flag: "--simd plain" },
  relaxed: { words: "relaxed SIMD", flag: "--simd relaxed" },
  webgpu: { words: "WebGPU", flag: "--gpu" },
};

/** Says if a training goes on on something else than it was on so far: the bits are others then. */
export function remarkArithmetic({ arithmetic, model }: LoadedCheckpoint, path: string): void {
  const before = ARITHMETIC[arithmetic ?? ""], now = ARITHMETIC[model.device.arithmetic]!;
  if (!before || before === now) return;
  remark(
    `note: "${path}" was trained on ${before.words} and goes on on ${now.words}, to other bits; to the same: ${before.flag}`,
  );
}

/** What is wrong with a file that cannot be read; other errors as they are. */
export function readError(what: string, path: string, error: unknown, args: Arguments): unknown {
  const text = error instanceof Deno.errors.NotFound
    ? "there is no such file"
    : error instanceof Deno.errors.NotADirectory
    ? "its folder is a file"
    : error instanceof Deno.errors.IsADirectory
    ? "it is a folder"
    : error instanceof Deno.errors.PermissionDenied
    ? "the system does not allow it"
    : error instanceof Deno.errors.NotCapable
    ? `no permission; to allow it: ${allowingCommand(args)}`
    : undefined;
  return text === undefined ? error : new Error(`cannot read ${what} "${path}": ${text}`);
}

/** What of a checkpoint says how its data are read. */
type LoadedJob = Pick<LoadedCheckpoint, "model" | "job" | "preprocessing">;

/** The data that a checkpoint's model was trained on, if it was trained by this command. */
export function storedJob({ model, job, preprocessing }: LoadedJob): StoredJob | undefined {
  const { data, own, seed } = (job ?? {}) as Partial<StoredJob>, { inputSize, outputSize } = model.config;
  try {
    seedWords(seed!);
    const made = resolveOptions("read job", JOB_OPTIONS.data, data!) as unknown as Job["data"];
    if (!preprocessing) {
      return data?.features === inputSize && outputSize === 2 * (quantilesOf(model)?.length ?? 1)
        ? { data: made, seed: seed! }
        : undefined;
    }
    const groups = Object.entries(DATA_OPTIONS).map(([group, table]) =>
      [group, resolveOptions("read job", table, own![group as keyof DataJob])] as const
    );
    return { data: made, own: Object.fromEntries(groups) as unknown as DataJob, seed: seed! };
  } catch {
    return undefined;
  }
}

/** How a checkpoint's data are read: as it says, but for what the command line says. */
export function dataJob(loaded: LoadedJob, { given }: Arguments): DataJob {
  const { format: _, ...files } = storedJob(loaded)?.own?.files ?? { data: ["-"] }, own = storedJob(loaded)?.own;
  return Object.fromEntries(
    Object.entries(DATA_OPTIONS).map(([group, table]) => {
      const before = group === "files" ? files : own?.[group as keyof DataJob];
      return [group, resolveOptions("read data", table, { ...before, ...given[group as keyof DataJob] })];
    }),
  ) as unknown as DataJob;
}

/** The checkpoint of `evaluate` and `predict`, an operand or --checkpoint, and the operands behind it. */
export async function openCheckpoint(args: Arguments): Promise<{ loaded: LoadedCheckpoint; rest: readonly string[] }> {
  const { command, operands, checkpoint } = args,
    [path, ...rest] = checkpoint === undefined ? operands : [checkpoint, ...operands];
  if (path === undefined) {
    throw new UsageError(`${command} needs a checkpoint, such as: ${command} checkpoints/best.json`);
  }
  return { loaded: modelFormatOf(path) ? await readForeign(path, args) : await readCheckpoint(path, args), rest };
}

/** A model in a file of another program, as if it were a checkpoint of it. */
async function readForeign(path: string, args: Arguments): Promise<LoadedCheckpoint> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw readError("model", path, error, args);
  }
  const { model, preprocessing } = await loadModel(bytes, { ...modelOptions(args.given.device), name: path });
  return new LoadedCheckpoint({
    model,
    trainer: null,
    training: null,
    arithmetic: null,
    preprocessing: (preprocessing ?? null) as LoadedCheckpoint["preprocessing"],
    job: null,
  });
}
