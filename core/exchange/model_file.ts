/**
 * Models as files of other programs: what such a file holds of a model, to and from bytes. Nothing is read or written here.
 *
 * @module
 */

import { type AnyPreprocessing, restoreAny } from "../data/preprocessing.ts";
import { unitWord } from "../data/tokenizer.ts";
import { quote } from "../display.ts";
import { release } from "../model/arrays.ts";
import { checkArgument, errorCause, fail, whileReading } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { greatest } from "../greatest.ts";
import { type FullConfig, type ModelConfig, resolveConfig } from "../model/config.ts";
import { checkLoss, type LossName } from "../model/losses.ts";
import { createBlank, type Model, type ModelOptions, type NetworkModel } from "../model/model.ts";
import { type Network, resolveNetwork } from "../model/network.ts";
import { VERSION } from "../version.ts";
import { checkModelFile, configFromStateDict, type ModelFile, modelIn } from "./config.ts";
import { asJson, checkedEntries, joined, quoted } from "./numbers.ts";
import { onnxParts } from "./onnx.ts";
import { type PtFile, ptParts, readPt } from "./pt.ts";
import { readSafetensors, safetensorsParts } from "./safetensors.ts";
import { isZip } from "./zip.ts";

/** Formats of other programs: models are read from the first two, and written as all. */
export type ModelFormat = "safetensors" | "pt" | "onnx";

/** The text in a file's metadata that holds what a state dict does not: a JSON object. */
const KEY = "grutto";

/** The format that a file is in by its first bytes; undefined for any other, a checkpoint in JSON among them. */
export function modelFormat(bytes: Uint8Array): Exclude<ModelFormat, "onnx"> | undefined {
  checkArgument("find format", "bytes", bytes, "Uint8Array");
  // Behind the length of the header, whose upper half is 0 in any file there can be, stands the header: an object.
  if (bytes[8] === 0x7b && bytes.subarray(4, 8).every((byte) => byte === 0)) return "safetensors";
  return isZip(bytes) || bytes[0] === 0x80 ? "pt" : undefined;
}

/** The format that a name's ending asks for: `.safetensors`, `.onnx`, or `.pt`, `.pth` and `.bin`; undefined for any other. */
export function modelFormatOf(name: string): ModelFormat | undefined {
  checkArgument("find format", "name", name, "string");
  const ending = name.toLowerCase().match(/\.(\w+)$/)?.[1];
  if (ending === "safetensors" || ending === "onnx") return ending;
  return ["pt", "pth", "bin"].includes(ending!) ? "pt" : undefined;
}

/**
 * The model in a safetensors file or in a `.pt` file. One that Grutto wrote says its options, loss and preprocessing; of
 * any other, the options come from the names and shapes of the state dict, which may stand under a prefix ("module.").
 *
 * @param name What the errors call the file.
 * @throws {SyntaxError} If it is cut off, damaged or contradicts itself.
 * @throws {TypeError} If it is of another format, or of another model.
 * @throws {RangeError} If shapes and bytes do not fit together.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, loadModel, modelFile, writeModel } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5 }, { seed: 3 });
 * const bytes = writeModel(await modelFile(model), "safetensors");
 * const { model: copy } = await loadModel(bytes);
 * assert.deepEqual(await copy.stateDict(), await model.stateDict());
 * assert.equal(copy.config.dropout, 0.5);
 * copy.dispose();
 * ```
 */
export function readModel(bytes: Uint8Array, name = "model"): ModelFile {
  checkArgument("read model", "name", name, "string");
  const format = modelFormat(bytes), action = `read "${name}"`;
  if (!format) {
    throw fail("file-format-unknown", action, "it is neither a safetensors file nor a .pt file", { file: name });
  }
  const { tensors, metadata, ...pt }: PtFile = format === "pt" ? readPt(bytes, name) : readSafetensors(bytes, name);
  try {
    const own = Object.hasOwn(metadata, KEY) ? parseOwn(metadata[KEY]!) : undefined;
    if (own) {
      checkModelFile({ ...own, parameters: tensors });
      return { ...own, parameters: tensors };
    }
    const { parameters, leftOut: others } = modelIn(tensors), leftOut = [...others, ...pt.leftOut ?? []];
    return { config: configFromStateDict(parameters), parameters, ...leftOut.length && { leftOut } };
  } catch (error) {
    throw whileReading(action, error);
  }
}

/** What Grutto wrote beside the tensors. */
function parseOwn(text: string): Omit<ModelFile, "parameters"> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fail("file-not-json", "read model", `its metadata is not JSON: ${(error as Error).message}`, { error });
  }
  const { writtenBy: _, config, network, loss, meanings, preprocessing, ...rest } = Object(json) as Record<
    string,
    unknown
  >;
  const odd = Object.keys(rest)[0];
  if (odd !== undefined) {
    throw fail("file-structure", "read model", `its metadata has an unknown field ${quoted(odd)}`, { name: odd });
  }
  if (loss !== undefined) checkLoss(loss as LossName, "read model");
  if (network) resolveNetwork(network as Network);
  return {
    ...network ? { network: network as Network } : { config: resolveConfig(config as ModelConfig) },
    ...loss !== undefined && { loss: loss as LossName },
    ...network && meanings ? { meanings: meanings as ModelFile["meanings"] } : {},
    ...preprocessing !== undefined && preprocessing !== null && { preprocessing },
  };
}

/**
 * A model as a file: safetensors and `.pt` for {@linkcode readModel} and PyTorch, ONNX as `exportOnnx` says.
 *
 * @throws {TypeError | RangeError} If the parameters are not those of the config.
 */
export function writeModel(file: ModelFile, format: ModelFormat): Uint8Array<ArrayBuffer> {
  return joined(modelParts(file, format));
}

/** The bytes of {@linkcode writeModel}, one array after the other; those of the parameters are not copied. */
export function modelParts(file: ModelFile, format: ModelFormat): Uint8Array[] {
  checkArgument("write model", "file", file, ["parameters"]);
  if (!["safetensors", "pt", "onnx"].includes(format)) {
    const problem = `format must be safetensors, pt or onnx, got ${quote(format)}`;
    throw fail("argument-out-of-range", "write model", problem, { name: "format", value: format });
  }
  if (format === "onnx") return onnxParts(file);
  const { config, network, parameters, loss, meanings, preprocessing } = file;
  checkModelFile(file);
  if (loss !== undefined) checkLoss(loss, "write model");
  const rest = network ? { network, meanings } : { config };
  const own = { [KEY]: asJson("write model", { writtenBy: `grutto ${VERSION}`, ...rest, loss, preprocessing }) };
  // "format" is what other readers of safetensors look for.
  return format === "pt" ? ptParts(parameters, own) : safetensorsParts(parameters, { format: "pt", ...own });
}

/**
 * What a file is to hold of a model.
 *
 * @param options The loss it was trained with (default: what it was made with, else that of its last trainer), and its
 * pipeline as JSON.
 */
export async function modelFile(
  model: NetworkModel,
  options: { loss?: LossName; preprocessing?: unknown } = {},
): Promise<ModelFile> {
  checkArgument("describe model", "model", model, ["stateDict", "device"]);
  const own = ownOptions("describe model", options, { loss: true, preprocessing: true });
  const { loss = model.loss, preprocessing } = own;
  const { config, network, meanings } = model, parameters = await model.stateDict();
  if (!config) return { network, parameters, meanings, loss, preprocessing };
  return { config: { ...config, ...meanings.logits, ...loss && { loss } }, parameters, loss, preprocessing };
}

/** What {@linkcode loadModel} returns. */
export interface LoadedModel {
  /** With the parameters of the file. Of a network of your own, `config` is undefined and `forward` gives `values` alone. */
  readonly model: Model;
  /** The loss it was trained with, if the file says. */
  readonly loss?: LossName;
  /** Its pipeline as JSON, if the file holds one. */
  readonly preprocessing?: unknown;
  /** Names in the file that are none of the model's, such as the weights of its loss; absent if there are none. */
  readonly leftOut?: readonly string[];
}

/**
 * The model in a file, ready to predict: see {@linkcode readModel}.
 *
 * @param options What it is to compute on, and what the errors call the file.
 * @throws {SyntaxError | TypeError | RangeError} If the bytes are no model, or a parameter is no finite number.
 */
export async function loadModel(
  bytes: Uint8Array,
  given: ModelOptions & { name?: string } = {},
): Promise<LoadedModel> {
  const { name, ...options } = ownOptions("load model", given);
  const file = readModel(bytes, name), { loss = file.config?.loss, preprocessing, leftOut } = file;
  const model = await restoreModel(file, options);
  release(file.parameters);
  return { model, loss, preprocessing, ...leftOut && { leftOut } };
}

/** A model with the parameters of a file; it knows what its outputs mean if the file does. */
export async function restoreModel(file: ModelFile, options: ModelOptions): Promise<Model> {
  const model = await blankModel(file, options);
  try {
    await model.loadStateDict(file.parameters);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

/** The same without the parameters, which are 0. */
export async function blankModel(
  { config, network, loss, meanings }: Omit<ModelFile, "parameters">,
  options: ModelOptions,
): Promise<Model> {
  return network
    ? await createBlank(network, { ...options, loss: meanings ?? loss })
    : await createBlank({ ...config!, ...loss && { loss } }, options);
}

/**
 * What Grutto wrote of a model beside its tensors, in lines.
 *
 * @throws {SyntaxError | TypeError | RangeError} If it is not what Grutto writes.
 */
export function describeOwn(text: string): string[] {
  return describeHead(parseOwn(text));
}

/** What a file holds of a model, in lines: its shape, its options, and each tensor with its least and greatest number. */
export function describeModel(file: ModelFile): string[] {
  checkArgument("describe model", "file", file, ["parameters"]);
  const { parameters } = file, tensors = checkedEntries(parameters, "describe model");
  const size = tensors.reduce((sum, [, { data }]) => sum + data.length, 0);
  const width = greatest(tensors.map(([name]) => name.length));
  return [
    ...describeHead(file),
    ...file.leftOut ? [`left out, none of the model's: ${file.leftOut.join(", ")}`] : [],
    `${plural(size, "number")} in ${plural(tensors.length, "tensor")}:`,
    ...tensors.map(([name, { shape, data }]) => {
      let least = Infinity, greatest = -Infinity;
      for (const value of data) {
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
      const of = `[${shape.join(", ")}]`.padEnd(14);
      return `  ${name.padEnd(width)}  ${of}  ${least.toPrecision(4)} to ${greatest.toPrecision(4)}`;
    }),
  ];
}

/** What a file says of a model besides its tensors. */
function describeHead(
  { config, network, preprocessing, loss = config?.loss }: Omit<ModelFile, "parameters">,
): string[] {
  return [
    ...network ? describeNetwork(network) : describeConfig(resolveConfig(config!)),
    `loss ${loss ?? "not known"}${config?.quantiles ? ` ${config.quantiles.join(", ")}` : ""}`,
    ...describePreprocessing(preprocessing),
  ];
}

function plural(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

/** The ready-made model in two lines. */
function describeConfig(config: FullConfig): string[] {
  const { inputSize, hiddenSize, outputSize, numLayers, bidirectional, bias, dropout, layerDropout, numEmbeddings } =
    config;
  return [
    `${config.cell.toUpperCase()} with additive attention: ${
      [
        ...numEmbeddings ? [plural(numEmbeddings, "token"), `embedding ${inputSize}`] : [plural(inputSize, "input")],
        `${plural(numLayers, "layer")} of ${hiddenSize}`,
        plural(outputSize, "output"),
      ].join(", ")
    }`,
    `bidirectional ${bidirectional}, bias ${bias}, dropout ${dropout}, between layers ${layerDropout}`,
  ];
}

/** A network that is not the ready-made one, a line for each layer. */
function describeNetwork({ layers, outputs }: Network): string[] {
  const name = greatest(layers.map((layer) => layer.name.length));
  const type = greatest(layers.map((layer) => layer.type.length));
  return [
    `network of ${plural(layers.length, "layer")}, outputs ${Object.keys(outputs).join(", ")}:`,
    ...layers.map((layer) => {
      const options = Object.entries(layer.options ?? {}).map(([option, value]) => `${option} ${value}`);
      const from = Object.values(layer.inputs ?? {});
      const parts = [
        layer.name.padEnd(name),
        layer.type.padEnd(type),
        options.join(", "),
        from.length ? `← ${from.join(", ")}` : "",
      ];
      return `  ${parts.filter(Boolean).join("  ")}`;
    }),
  ];
}

/** What comes before and after the model, in a line or two. */
function describePreprocessing(json: unknown): string[] {
  if (json === undefined || json === null) return ["preprocessing none"];
  let preprocessing: AnyPreprocessing;
  try {
    preprocessing = restoreAny(json);
  } catch (error) {
    return [`preprocessing of another kind: ${errorCause(error)?.problem ?? error}`];
  }
  if (preprocessing.task === "seq2seq") {
    const { source, target } = preprocessing,
      says = ({ unit, size }: typeof source) =>
        unit === "numbers" ? `${plural(size, "number")} for every step` : `${size} ${unitWord(unit)}`;
    return [`preprocessing of pairs: sources of ${says(source)}, targets of ${says(target)}`];
  }
  const { task, labels, inputSize, numEmbeddings } = preprocessing;
  const inputs = numEmbeddings ? `text, ${numEmbeddings} tokens` : `${inputSize} numbers per step`;
  const some = labels.slice(0, 20).map(quoted).join(", ");
  return [`preprocessing of ${inputs}`, `${task}: ${some}${labels.length > 20 ? `, … (${labels.length})` : ""}`];
}
