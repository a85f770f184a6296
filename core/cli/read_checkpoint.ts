import { resolveOptions } from "../options.ts";
import { seedWords } from "../random.ts";
import { loadCheckpoint, type LoadedCheckpoint } from "../train/checkpoint.ts";
import { modelOptions } from "./device.ts";
import { allowingCommand } from "./files.ts";
import { type Arguments, type Job, JOB_OPTIONS } from "./options.ts";
import { remark } from "./terminal.ts";

/** What a checkpoint of the command line keeps beside model and training. */
export interface StoredJob {
  readonly data: Job["data"];
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

/** The data that a checkpoint's model was trained on, if it was trained by this command. */
export function storedJob({ model, job }: LoadedCheckpoint): StoredJob | undefined {
  const { data, seed } = (job ?? {}) as Partial<StoredJob>, { inputSize, outputSize } = model.config;
  if (data?.features !== inputSize || outputSize !== 2) return undefined;
  try {
    seedWords(seed!);
    return { data: resolveOptions("read job", JOB_OPTIONS.data, data) as unknown as Job["data"], seed: seed! };
  } catch {
    return undefined;
  }
}
