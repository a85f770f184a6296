/** `convert FROM TO`: models between this program's checkpoints and the files of others. */

import type { ModelFile } from "../exchange/config.ts";
import { errorCause } from "../errors.ts";
import { exportSeq2SeqOnnx } from "../exchange/onnx_seq2seq.ts";
import { blankModel, modelFormatOf, modelParts } from "../exchange/model_file.ts";
import { givenMeaning } from "../job/loss.ts";
import { UsageError } from "../job/options.ts";
import { snapshotChunks, withSnapshot } from "../train/checkpoint/snapshot.ts";
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
  const ending = to.match(/[^\\/]\.(js|html|json)$/)?.[1] as "js" | "html" | "json" | undefined;
  const format = modelFormatOf(to) ?? ending;
  if (!format) throw new UsageError(`convert writes .safetensors, .pt, .onnx, .js, .html and .json, got "${to}"`);
  const isModule = format === "js" || format === "html";
  if (args.wasm !== "inline" && !isModule) {
    throw new UsageError(
      `--${args.wasm === "file" ? "wasm-file" : "no-wasm"} is for .js${
        args.wasm === "file" ? "" : " and .html"
      }, got "${to}"`,
    );
  }
  if (args.wasm === "file" && format === "html") throw new UsageError("--wasm-file is for .js: a page is one file");
  const base = isModule ? to.slice(0, -format.length - 1) : to;
  for (const path of isModule ? [to, `${base}.d.ts`, `${base}.wasm`] : [to]) {
    await refuseInput("convert to", path, [from]);
  }
  const opened = withMeaning(await openModel(from, args), from, args);
  const written = isModule
    ? await modulePaths(opened, base, format, args)
    : format === "onnx" && hasDecoder(opened)
    ? new Map(Object.entries(exportSeq2SeqOnnx(opened)).map(([part, bytes]) => [partName(to, part), [bytes]]))
    : new Map<string, Content>([[to, format === "json" ? await checkpointOf(opened) : modelParts(opened, format)]]);
  for (const [path, content] of written) await write(path, content, args);
  if (!args.quiet) {
    const left = opened.lines.length ? "; optimizer and history stay behind" : "";
    const others = opened.leftOut ? `; left out: ${opened.leftOut.join(", ")}` : "";
    const beside = [...written.keys()].slice(1).map((path) => `, ${path}`).join("");
    const form = isModule ? `${format === "js" ? "module" : "page"}, ${sizeOf(written.get(to)!)} bytes` : format;
    new Terminal().line(
      `${from} (${opened.format}) written as ${[...written.keys()][0]} (${form})${beside}${left}${others}`,
    );
  }
  return 0;
}

/** Writes a file with the care of checkpoints, and says where an older one is kept. */
async function write(path: string, content: Content, args: Arguments): Promise<void> {
  let aside: string | undefined;
  try {
    aside = await replaceFile(path, content);
  } catch (error) {
    if (errorCause(error)) throw error;
    const why = error instanceof Deno.errors.NotCapable
      ? `no permission; to allow it: ${allowingCommand(args)}`
      : await reason(error, path);
    throw new Error(`cannot write "${path}": ${why}`);
  }
  if (aside !== undefined) remark(`note: the file that was there is kept as "${aside}"`);
}

/** Steps that a sequence of unknown length is taken to have, and multiply-adds of one from which plain JavaScript is slow. */
const USUAL_STEPS = 100, SLOW = 1e6;

/** Nanoseconds of a multiply-add in plain JavaScript. */
const PLAIN_NANOSECONDS = 1.3;

/** The files of a module by path. */
async function modulePaths(
  file: ModelFile,
  base: string,
  format: "js" | "html",
  { wasm }: Arguments,
): Promise<Map<string, Content>> {
  const { exportModule, stepWork } = await import("../exchange/module.ts");
  const work = stepWork(file) * USUAL_STEPS;
  if (wasm === "none" && work > SLOW) {
    const milliseconds = Number((work * PLAIN_NANOSECONDS / 1e6).toPrecision(1));
    remark(
      `note: without WebAssembly ${USUAL_STEPS} steps take about ${milliseconds} ms, some 15 times as long: leave ` +
        "--no-wasm out",
    );
  }
  const name = base.match(/[^\\/]*$/)![0], folder = base.slice(0, base.length - name.length);
  const files = await exportModule(file, { wasm, format, name });
  return new Map(Object.entries(files).map(([name, bytes]) => [`${folder}${name}`, [bytes]]));
}

/** Bytes of a file to be written. */
function sizeOf(content: Content): number {
  return (content as Uint8Array[]).reduce((sum, { length }) => sum + length, 0);
}

/** Whether a model is one from sequences to sequences, which two ONNX files hold. */
function hasDecoder({ network }: ModelFile): boolean {
  return network?.layers.some(({ type }) => type === "decoder") ?? false;
}

/** The name of a part: of dates.onnx dates.encoder.onnx and dates.step.onnx. */
function partName(path: string, part: string): string {
  return path.replace(/onnx$/i, (ending) => `${part}.${ending}`);
}

/** The file with what --loss says of its outputs, if it does not say that itself. */
function withMeaning<File extends ModelFile>(file: File, path: string, args: Arguments): File {
  const { config, network, loss = config?.loss } = file,
    meaning = givenMeaning("convert", args.given.training, path, loss);
  if (!meaning) return file;
  if (!network) return { ...file, loss: meaning.loss, config: { ...config!, ...meaning } };
  return { ...file, loss: meaning.loss, meanings: { [Object.keys(network.outputs)[0]!]: meaning } };
}

/** A checkpoint of a model by itself. Its numbers go from file to file: they need no place in the model. */
async function checkpointOf({ seed = 0, ...file }: ModelFile & { seed?: number }): Promise<Content> {
  using model = await blankModel(file, { seed });
  const preprocessing = file.preprocessing as Record<string, unknown> | undefined;
  const parameters = Object.fromEntries(model.parameters.map(({ name }) => [name, file.parameters[name]!]));
  // deno-lint-ignore require-await -- nothing is written here
  return await withSnapshot({ model, preprocessing }, async (all) => snapshotChunks({ ...all, parameters }), 0);
}
