/** `info FILE`: what a model file holds. */

import { shellWord } from "../display.ts";
import { describeModel, describeOwn, modelFormatOf } from "../exchange/model_file.ts";
import { LOSS_NAMES } from "../job/loss.ts";
import { UsageError } from "../job/options.ts";
import { type OpenedModel, openModel } from "./model_files.ts";
import type { Arguments } from "./options.ts";
import { ModelBytes } from "./read_checkpoint.ts";
import { Terminal } from "./terminal.ts";

/** Runs `info`. Returns the exit code. */
export async function infoCommand(args: Arguments): Promise<number> {
  const [path = args.checkpoint, ...more] = args.operands;
  if (path === undefined || more.length) {
    throw new UsageError("info takes one file, such as: info checkpoints/best.json");
  }
  const terminal = new Terminal();
  if (modelFormatOf(path) === "onnx") {
    using bytes = await ModelBytes.open("model", path, args);
    if (bytes.format === "onnx") return await describeFile(await bytes.whole(), path, terminal);
  }
  const opened = await openModel(path, args);
  terminal.line(`${path}: ${opened.format}`);
  for (const text of [...opened.lines, ...describeModel(opened)]) terminal.line(text);
  for (const text of missingLines(opened, path)) terminal.line(text);
  return 0;
}

/** An ONNX file: what it says of itself, and what this program wrote beside the graph. */
async function describeFile(bytes: Uint8Array, path: string, terminal: Terminal): Promise<number> {
  const { describeOnnx } = await import("../exchange/onnx_info.ts"), { lines, own } = describeOnnx(bytes, path);
  terminal.line(`${path}: onnx`);
  for (const text of [...own === undefined ? [] : describeOwn(own), ...lines]) terminal.line(text);
  return 0;
}

/** What the file does not say, and how it is given. */
function missingLines({ config, loss = config?.loss, preprocessing }: OpenedModel, path: string): string[] {
  const lines: string[] = [];
  if (loss === undefined && (preprocessing ?? null) === null) {
    lines.push(
      `the loss is missing, which says what the outputs mean: predict ${path} --input FILE gives scores (logits)`,
      `  with --loss NAME (${LOSS_NAMES.join(", ")}) it gives classes or values`,
      `  convert ${path} NEW.safetensors --loss NAME writes it down`,
    );
  }
  if ((preprocessing ?? null) === null) {
    lines.push("preprocessing is missing: predict takes numbers as the model does, and knows no names of classes");
    if (config) lines.push(`  train FILE --from ${shellWord(path)} fits it on data, and trains on`);
  }
  return lines.length ? ["", ...lines] : [];
}
