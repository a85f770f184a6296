/** Reading checkpoints and models, with the errors of the file system in the command line's words. */

import type { Fleet } from "../fleet/fleet.ts";
import { checkPreprocessing } from "../train/checkpoint/fit.ts";
import { shellWord } from "../display.ts";
import { loadModel, type ModelFormat, modelFormat, modelFormatOf } from "../exchange/model_file.ts";
import { modelOptions } from "../job/faster_device.ts";
import { takeLoss } from "../job/loss.ts";
import { type Job, UsageError } from "../job/options.ts";
import { LoadedCheckpoint, loadFrom, readRest, readStored } from "../train/checkpoint/load.ts";
import { History, type TrainingState } from "../train/history.ts";
import type { TrainingOptions } from "../train/training_options.ts";
import { allowingCommand, folderOf } from "./files.ts";
import type { Arguments } from "./options.ts";
import { remark } from "./terminal.ts";

/** Bytes that tell what a file is. */
const HEAD = 16;

/** What JSON begins with. */
const BRACE = 0x7b;

/** A model's file: its format is known before more than a few bytes are read, and a checkpoint of any size is read in pieces. */
export class ModelBytes implements Disposable {
  /** The format of another program that it is in, by its bytes; a damaged file is what its name says it is. */
  readonly format: ModelFormat | undefined;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #head: Uint8Array<ArrayBuffer>;
  readonly #isKnown: boolean;

  private constructor(path: string, file: Deno.FsFile, head: Uint8Array<ArrayBuffer>) {
    const format = modelFormat(head);
    this.#path = path;
    this.#file = file;
    this.#head = head;
    this.format = format ?? (head[0] === BRACE ? undefined : modelFormatOf(path));
    // No bytes tell an ONNX file.
    this.#isKnown = format !== undefined || this.format === "onnx";
  }

  /** Opens a file, with the errors of the file system in the command line's words. */
  static async open(what: string, path: string, args: Arguments): Promise<ModelBytes> {
    let file: Deno.FsFile | undefined;
    try {
      file = await Deno.open(path);
      return new ModelBytes(path, file, await readHead(file));
    } catch (error) {
      file?.close();
      throw readError(what, path, error, args);
    }
  }

  /** All bytes of another program's file; of one that is none by its first bytes, no more than those. */
  async whole(): Promise<Uint8Array> {
    return this.#isKnown ? await readRest(this.#file, this.#head) : this.#head;
  }

  /**
   * @param device What its model is to compute on, and with whom.
   * @param modelOnly Whether the model is to compute, and not to be trained.
   */
  async checkpoint(
    device: Job["device"] = {},
    { fleet, modelOnly }: { readonly fleet?: Fleet; readonly modelOnly?: boolean } = {},
  ): Promise<LoadedCheckpoint> {
    return await loadFrom(this.#file, this.#head, this.#path, { ...modelOptions(device), fleet, modelOnly });
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function readHead(file: Deno.FsFile): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(HEAD);
  let length = 0;
  for (let count; length < HEAD && (count = await file.read(bytes.subarray(length))); length += count);
  return bytes.subarray(0, length);
}

/**
 * The checkpoint that is resumed.
 *
 * @param device What its model is to compute on.
 * @param how With whom, and whether it is to compute alone.
 */
export async function readResumed(
  path: string,
  args: Arguments,
  device: Job["device"],
  how?: { readonly fleet?: Fleet; readonly modelOnly?: boolean },
): Promise<LoadedCheckpoint> {
  using bytes = await ModelBytes.open("checkpoint", path, args);
  const { format } = bytes;
  if (!format) return await bytes.checkpoint(device, how);
  throw new Error(
    `cannot resume from "${path}": a .${format} file holds no training: train FILE --from ${
      shellWord(path)
    } starts from its weights`,
  );
}

/**
 * The checkpoint of a training's best epoch, which is next to the one that is resumed, or is that one; undefined if none is.
 *
 * @param state Of the one that is resumed.
 */
export async function bestOf(from: string, { history }: TrainingState): Promise<string | undefined> {
  for (const path of [from, `${folderOf(from)}/best.json`, from.replace(/json$/, "best.json")]) {
    const { training, generator } = await readStored(path, { numbers: "none" }).catch(() => undefined) ?? {};
    if (!training || training.state.batch > 0) continue;
    const all = new History((training.options as unknown as TrainingOptions).monitor ?? "loss");
    for (const record of history) all.add(record);
    const own = training.state.history.map(({ trainLoss }) => trainLoss);
    const isOfIt = own.every((loss, i) => loss === history[i]?.trainLoss);
    if (isOfIt && all.best?.epoch === generator!.epoch) return path;
  }
  return undefined;
}

/** How the command line calls what computes, and asks for it. */
const PLAIN = { words: "plain SIMD", flag: "--simd plain" };
const ARITHMETIC: Record<string, { words: string; flag: string }> = {
  plain: PLAIN,
  unfused: PLAIN,
  relaxed: { words: "relaxed SIMD", flag: "--simd relaxed" },
  webgpu: { words: "WebGPU", flag: "--gpu" },
};

/** Programs that added up the gradients of a batch's blocks in another order, and the largest batches that this leaves alone. */
const OTHER_SUMS = /^grutto 0\.[0-3]\./, THREE_BLOCKS = 24;

/** Says if a training resumes on other arithmetic than before, or with sums in another order: its bits will differ. */
export function remarkArithmetic({ arithmetic, model, training, writtenBy }: LoadedCheckpoint, path: string): void {
  if (OTHER_SUMS.test(writtenBy ?? "") && training!.options.batchSize > THREE_BLOCKS) {
    remark(
      `note: "${path}" was written by ${writtenBy}, which added up large batches in another order: the bits will differ`,
    );
  }
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
    ? `it is a folder${what === "checkpoint" ? ": name a file in it" : ""}`
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
    const data = command === "predict" ? " --input FILE" : "";
    throw new UsageError(`${command} needs a checkpoint, such as: ${command} checkpoints/best.json${data}`);
  }
  const loaded = await loadAny(path, args);
  takeLoss(loaded.model, command, args.given.training, path);
  return { loaded, rest };
}

/** A checkpoint, or a model in a file of another program as if it were one. */
export async function loadAny(path: string, args: Arguments): Promise<LoadedCheckpoint> {
  using bytes = await ModelBytes.open("checkpoint", path, args);
  const { device } = args.given, options = modelOptions(device);
  if (!bytes.format) return await bytes.checkpoint(device, { modelOnly: true });
  if (bytes.format === "onnx") {
    throw new Error(
      `cannot read model "${path}": .onnx is written, not read: take the .json, .safetensors or .pt that it was made of`,
    );
  }
  const { model, preprocessing, leftOut } = await loadModel(await bytes.whole(), { ...options, name: path });
  try {
    await checkPreprocessing(model, preprocessing, `load model "${path}"`);
  } catch (error) {
    model.dispose();
    throw error;
  }
  if (leftOut) remark(`note: "${path}" holds what is none of the model's and is left out: ${leftOut.join(", ")}`);
  return new LoadedCheckpoint({
    model,
    trainer: null,
    steps: 0,
    training: null,
    arithmetic: null,
    writtenBy: null,
    preprocessing: (preprocessing ?? null) as LoadedCheckpoint["preprocessing"],
    job: null,
  });
}
