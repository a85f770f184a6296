/** Reading checkpoints and models, with the errors of the file system in the command line's words. */

import { loadModel, type ModelFormat, modelFormat, modelFormatOf } from "../exchange/model_file.ts";
import { modelOptions } from "../job/faster_device.ts";
import { takeLoss } from "../job/loss.ts";
import { type Job, UsageError } from "../job/options.ts";
import { LoadedCheckpoint, parseCheckpoint } from "../train/checkpoint/load.ts";
import { allowingCommand } from "./files.ts";
import type { Arguments } from "./options.ts";
import { remark } from "./terminal.ts";

/** The bytes of a model's file. */
export async function readBytes(what: string, path: string, args: Arguments): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw readError(what, path, error, args);
  }
}

/** The format of another program that a file is in, by its bytes; a damaged file is what its name says it is. */
export function foreignFormat(bytes: Uint8Array, path: string): ModelFormat | undefined {
  return modelFormat(bytes) ?? (bytes[0] === BRACE ? undefined : modelFormatOf(path));
}

/** What JSON begins with. */
const BRACE = 0x7b;

/**
 * The checkpoint that is resumed.
 *
 * @param device What its model is to compute on.
 */
export async function readResumed(path: string, args: Arguments, device: Job["device"]): Promise<LoadedCheckpoint> {
  const bytes = await readBytes("checkpoint", path, args), format = foreignFormat(bytes, path);
  if (!format) return await parseCheckpoint(new TextDecoder().decode(bytes), path, modelOptions(device));
  throw new Error(
    `cannot resume from "${path}": a .${format} file holds no training: train FILE --from ${path} starts from its weights`,
  );
}

/** How the command line calls what computes, and asks for it. */
const PLAIN = { words: "plain SIMD", flag: "--simd plain" };
const ARITHMETIC: Record<string, { words: string; flag: string }> = {
  plain: PLAIN,
  unfused: PLAIN,
  relaxed: { words: "relaxed SIMD", flag: "--simd relaxed" },
  webgpu: { words: "WebGPU", flag: "--gpu" },
};

/** Says if a training resumes on other arithmetic than before: its bits will differ. */
export function remarkArithmetic({ arithmetic, model }: LoadedCheckpoint, path: string): void {
  const before = ARITHMETIC[arithmetic ?? ""], now = ARITHMETIC[model.device.arithmetic]!;
  if (!before || before === now) return;
  remark(
    `note: "${path}" was trained on ${before.words} and resumes on ${now.words}: the bits will differ; for the same bits: ${before.flag}`,
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

/** The checkpoint of `evaluate` and `predict`, an operand or --checkpoint, and the operands behind it. */
export async function openCheckpoint(args: Arguments): Promise<{ loaded: LoadedCheckpoint; rest: readonly string[] }> {
  const { command, operands, checkpoint } = args,
    [path, ...rest] = checkpoint === undefined ? operands : [checkpoint, ...operands];
  if (path === undefined) {
    throw new UsageError(`${command} needs a checkpoint, such as: ${command} checkpoints/best.json`);
  }
  const bytes = await readBytes("checkpoint", path, args);
  const loaded = await loadBytes(bytes, path, args);
  takeLoss(loaded.model, command, args.given.training, path);
  return { loaded, rest };
}

/** A checkpoint, or a model in a file of another program as if it were one. */
async function loadBytes(bytes: Uint8Array, path: string, args: Arguments): Promise<LoadedCheckpoint> {
  const options = modelOptions(args.given.device);
  if (!foreignFormat(bytes, path)) return await parseCheckpoint(new TextDecoder().decode(bytes), path, options);
  const { model, preprocessing, leftOut } = await loadModel(bytes, { ...options, name: path });
  if (leftOut) remark(`note: "${path}" holds what is none of the model's and is left out: ${leftOut.join(", ")}`);
  return new LoadedCheckpoint({
    model,
    trainer: null,
    training: null,
    arithmetic: null,
    preprocessing: (preprocessing ?? null) as LoadedCheckpoint["preprocessing"],
    job: null,
  });
}
