/** `convert FROM TO`: models between this program's checkpoints and the files of others. */

import type { ModelFile } from "../exchange/config.ts";
import { errorCause } from "../errors.ts";
import { modelFormatOf, modelParts, restoreModel } from "../exchange/model_file.ts";
import { givenMeaning } from "../job/loss.ts";
import { UsageError } from "../job/options.ts";
import { snapshotChunks, takeSnapshot } from "../train/checkpoint/snapshot.ts";
import type { Content } from "../train/durable.ts";
import { allowingCommand, reason } from "./files.ts";
import { openModel } from "./model_files.ts";
import type { Arguments } from "./options.ts";
import { remark, Terminal } from "./terminal.ts";
import { refuseInput, replaceFile } from "./written_files.ts";

/** Runs `convert`. Returns the exit code. */
export async function convertCommand(args: Arguments): Promise<number> {
  const [from, to, ...more] = args.operands;
  if (from === undefined || to === undefined || more.length) {
    throw new UsageError("convert takes two files, such as: convert checkpoints/best.json model.safetensors");
  }
  const format = modelFormatOf(to) ?? (to.endsWith(".json") ? "json" : undefined);
  if (!format) throw new UsageError(`convert writes .safetensors, .pt, .onnx and .json, got "${to}"`);
  await refuseInput("convert to", to, [from]);
  const opened = withMeaning(await openModel(from, args), from, args);
  const content = format === "json" ? await checkpointOf(opened) : modelParts(opened, format);
  let aside: string | undefined;
  try {
    aside = await replaceFile(to, content);
  } catch (error) {
    if (errorCause(error)) throw error;
    const why = error instanceof Deno.errors.NotCapable
      ? `no permission; to allow it: ${allowingCommand(args)}`
      : await reason(error, to);
    throw new Error(`cannot write "${to}": ${why}`);
  }
  if (aside !== undefined) remark(`note: the file that was there is kept as "${aside}"`);
  if (!args.quiet) {
    const left = opened.lines.length ? "; optimizer and history stay behind" : "";
    const others = opened.leftOut ? `; left out: ${opened.leftOut.join(", ")}` : "";
    new Terminal().line(`${from} (${opened.format}) written as ${to} (${format})${left}${others}`);
  }
  return 0;
}

/** The file with what --loss says of its outputs, if it does not say that itself. */
function withMeaning<File extends ModelFile>(file: File, path: string, args: Arguments): File {
  const { config, network, loss = config?.loss } = file,
    meaning = givenMeaning("convert", args.given.training, path, loss);
  if (!meaning) return file;
  if (!network) return { ...file, loss: meaning.loss, config: { ...config!, ...meaning } };
  return { ...file, loss: meaning.loss, meanings: { [Object.keys(network.outputs)[0]!]: meaning } };
}

/** A checkpoint of a model by itself. */
async function checkpointOf({ seed = 0, ...file }: ModelFile & { seed?: number }): Promise<Content> {
  using model = await restoreModel(file, { seed });
  return snapshotChunks(
    await takeSnapshot({ model, preprocessing: file.preprocessing as Record<string, unknown> | undefined }),
  );
}
