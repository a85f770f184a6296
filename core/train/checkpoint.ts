import { loadValibot } from "../../deps.ts";
import { type DataHash, hashDataset } from "../data/hash.ts";
import { errorCause, fail, whileReading } from "../errors.ts";
import { checkStateDict, type NamedArray, type StateDict } from "../model/arrays.ts";
import { type ModelConfig, networkOf } from "../model/config.ts";
import type { OutputMeaning } from "../model/internals.ts";
import { LOSS_NAMES } from "../model/losses.ts";
import { createModel, internalsOf, type Model, type ModelOptions, type NetworkModel } from "../model/model.ts";
import { type Network, resolveNetwork } from "../model/network.ts";
import type { Parameter } from "../model/parameters.ts";
import { VERSION } from "../version.ts";
import { writeDurably } from "./durable.ts";
import { hashJson, withJson } from "./json_bytes.ts";
import { epochRecord, type TrainingState } from "./history.ts";
import type { Training } from "./training.ts";
import { resolveTraining, type TrainingOptions } from "./training_options.ts";
import { createTrainer, type Trainer, type TrainerOptions } from "./trainer.ts";

/** The format's version that is written. */
const FORMAT_VERSION = 3;
const FORMAT = "grutto-checkpoint";
const GENERATOR = "philox4x32-10";

/** Numbers as a checkpoint writes them. */
interface StoredArray {
  /** Length of each dimension. */
  readonly shape: readonly number[];
  /** Always "float32". */
  readonly dtype: "float32";
  /** Base64 of the little-endian bytes, row-major. */
  readonly data: string;
}

type StoredDict = Record<string, StoredArray>;

/** What is in a checkpoint file, but for the checksum of it all. */
interface StoredCheckpoint {
  readonly format: typeof FORMAT;
  readonly version: number;
  /** The program that wrote it. */
  readonly writtenBy: string;
  /** What computed the parameters: Model.device.arithmetic; null in version 1, which did not say. */
  readonly arithmetic: string | null;
  /** Options of the ready-made model; null for any other network. */
  readonly config: ModelConfig | null;
  /** What the model computes; null before version 3, where it was always the ready-made one. */
  readonly network: Network | null;
  /** What its outputs mean, by name, as far as that is known. */
  readonly meanings: Readonly<Record<string, OutputMeaning>>;
  /** Seed of the model. */
  readonly seed: number;
  /** Where the generator of all random numbers stands: dropout goes by steps, order by epochs. */
  readonly generator: {
    readonly algorithm: string;
    readonly seed: number;
    readonly step: number;
    readonly epoch: number;
  };
  /** Parameters under PyTorch's names. */
  readonly parameters: StoredDict;
  /** Those of the best epoch, where the training restores them at its end; else null. */
  readonly bestParameters: StoredDict | null;
  /** The trainer's options and the optimizer's state under PyTorch's names; null for a model by itself. */
  readonly trainer: {
    readonly options: TrainerOptions;
    readonly step: number;
    readonly state: Record<string, StoredDict>;
  } | null;
  /** Options and state of the training over epochs; null where there is none. */
  readonly training:
    | { readonly options: TrainingOptions; readonly state: TrainingState; readonly best: unknown }
    | null;
  /** Hashes of the data that it is trained and validated on; null where there is no training, and in version 1. */
  readonly data: DataHash | null;
  /** What was made of the data before the model saw them, as it was saved. */
  readonly preprocessing: Record<string, unknown> | null;
  /** What the program that trains wants to find again: the command line keeps its data options here. */
  readonly job: Record<string, unknown> | null;
}

/** What {@linkcode saveCheckpoint} writes. */
export interface CheckpointParts {
  /** Needed. */
  readonly model: NetworkModel;
  /** To go on training. Default: the training's. */
  readonly trainer?: Trainer;
  /** To go on in the middle of an epoch, with the history. */
  readonly training?: Training;
  /** How the data are made from what is in files: anything that JSON can hold. */
  readonly preprocessing?: Record<string, unknown> | null;
  /** Anything that JSON can hold. */
  readonly job?: Record<string, unknown> | null;
}

/** What {@linkcode loadCheckpoint} returns. */
export interface LoadedCheckpoint {
  /** With the parameters of the file. Of a network of your own, `config` is undefined and `forward` gives `values` alone. */
  readonly model: Model;
  /** With the optimizer's state; null if the file holds none. */
  readonly trainer: Trainer | null;
  /**
   * For `train(model, data, { trainer, ...training.options, state: training.state })`, with `bestParameters` if there are
   * some; null if the file holds none. The state carries hashes of the data: a training on other data does not go on.
   */
  readonly training: {
    readonly options: TrainingOptions;
    readonly state: TrainingState;
    readonly bestParameters?: StateDict;
  } | null;
  /**
   * What computed its parameters, as `Model.device.arithmetic` says: where the model's is another, training does not go
   * on to the same bits. Null in files of version 1, which do not say.
   */
  readonly arithmetic: string | null;
  /** As it was saved. */
  readonly preprocessing: Record<string, unknown> | null;
  /** As it was saved. */
  readonly job: Record<string, unknown> | null;
}

function store(name: string, { shape, data }: NamedArray): StoredArray {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw fail("not-finite", "save checkpoint", `"${name}" holds ${data[bad]} at ${bad}`, { name, value: data[bad] });
  }
  return { shape, dtype: "float32", data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).toBase64() };
}

function storeAll(dict: StateDict): StoredDict {
  return Object.fromEntries(Object.entries(dict).map(([name, array]) => [name, store(name, array)]));
}

/**
 * A checkpoint as the text of a JSON file. To be called while no step is under way.
 *
 * @throws {RangeError} If a parameter or anything else in it is a number that is not finite: such a training has failed,
 * and what was saved of it before is worth more. Or if the text would be longer than the engine's strings.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, formatCheckpoint, parseCheckpoint } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 }, { seed: 3 });
 * const { model: copy } = await parseCheckpoint(await formatCheckpoint({ model }));
 * assert.deepEqual(await copy.stateDict(), await model.stateDict());
 * copy.dispose();
 * ```
 */
export async function formatCheckpoint(parts: CheckpointParts): Promise<string> {
  return await encodeSnapshot(await takeSnapshot(parts), (bytes) => new TextDecoder().decode(bytes));
}

/** What a checkpoint is to hold, copied, for a training that goes on: text takes longer to make. */
export type Snapshot = Omit<StoredCheckpoint, "parameters" | "bestParameters" | "trainer"> & {
  readonly parameters: StateDict;
  readonly bestParameters: StateDict | null;
  readonly trainer:
    | Omit<NonNullable<StoredCheckpoint["trainer"]>, "state"> & { readonly state: Record<string, StateDict> }
    | null;
};

/** Copies what a checkpoint of this moment holds; its text comes from {@linkcode encodeSnapshot}. */
export async function takeSnapshot(
  { model, training, trainer = training?.trainer, preprocessing, job }: CheckpointParts,
): Promise<Snapshot> {
  const trained = trainer && await trainer.state();
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    writtenBy: `grutto ${VERSION}`,
    arithmetic: model.device.arithmetic,
    config: model.config ?? null,
    network: model.network,
    meanings: model.meanings,
    seed: model.seed,
    generator: {
      algorithm: GENERATOR,
      seed: trainer?.options.seed ?? model.seed,
      step: trained?.step ?? 0,
      epoch: training?.state.epoch ?? 0,
    },
    parameters: await model.stateDict(),
    bestParameters: training?.bestParameters ?? null,
    trainer: trained ? { options: trainer.options, step: trained.step, state: trained.slots } : null,
    training: training
      ? { options: training.options, state: { ...training.state, data: undefined }, best: training.best ?? null }
      : null,
    data: training ? await hashData(training) : null,
    preprocessing: preprocessing ?? null,
    job: job ?? null,
  };
}

/** The text of a checkpoint, see {@linkcode formatCheckpoint}, as UTF-8 that is valid until `use` ends. */
export async function encodeSnapshot<T>(
  snapshot: Snapshot,
  use: (bytes: Uint8Array<ArrayBuffer>) => T | Promise<T>,
): Promise<T> {
  const { parameters, bestParameters, trainer } = snapshot;
  const state = (slots: Record<string, StateDict>) =>
    Object.fromEntries(Object.entries(slots).map(([name, dict]) => [name, storeAll(dict)]));
  const checkpoint: StoredCheckpoint = {
    ...snapshot,
    parameters: storeAll(parameters),
    bestParameters: bestParameters && storeAll(bestParameters),
    trainer: trainer && { ...trainer, state: state(trainer.state) },
  };
  return await inPlace("save checkpoint", () => withJson(checkpoint, use));
}

/** Hashes of what a training trains and validates on. */
async function hashData({ dataset, validation }: Training): Promise<DataHash> {
  return { hash: await hashDataset(dataset), ...validation && { validationHash: await hashDataset(validation) } };
}

/**
 * The model, trainer and training in the text of a checkpoint.
 *
 * @param name What the errors call it.
 * @param options What the model is to compute on. Default: the CPU, with plain SIMD if that is what it was trained with.
 * @throws {SyntaxError} If the text is not JSON, or was cut off.
 * @throws {TypeError} If something is missing, too much, of the wrong type, or not a finite number.
 * @throws {RangeError} If the version is a later one, the checksum is not that of the content, or a shape does not fit
 * the config.
 */
export async function parseCheckpoint(
  text: string,
  name = "checkpoint",
  options: Omit<ModelOptions, "seed"> = {},
): Promise<LoadedCheckpoint> {
  const action = `load checkpoint "${name}"`;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fail("file-not-json", action, `it is not JSON, or was cut off: ${(error as Error).message}`, {
      file: name,
      error,
    });
  }
  const stored = await check(json, action);
  const { seed, arithmetic, trainer: trained, training, preprocessing, job, data } = stored;
  const within = <T>(place: string, run: () => T | Promise<T>) => inPlace(`${action}: ${place}`, run);
  const trainingOptions = training && await within("training.options", () => resolveTraining(training.options));
  // A config may ask for any size: the file must hold as much before there is memory for it.
  const list = await within(stored.config ? "config" : "network", () => parametersOf(stored));
  const parameters = await within("parameters", () => restoreParameters(stored.parameters, list));
  const bestParameters = await within(
    "bestParameters",
    () => stored.bestParameters && restoreParameters(stored.bestParameters, list),
  );
  // What was trained on plain SIMD goes on on it, to the same bits.
  const simd = options.simd ?? (arithmetic === "plain" && options.device !== "webgpu" ? "plain" : undefined);
  const model = await within("config", () => modelOf(stored, { ...options, simd, seed }));
  try {
    await within("parameters", () => model.loadStateDict(parameters));
    const trainer = trained && await within("trainer.options", () => createTrainer(model, trained.options));
    await within("trainer.options", () => {
      if (!trained || JSON.stringify(model.meanings) === JSON.stringify(stored.meanings)) return;
      if (!Object.keys(stored.meanings).length) return; // before version 3
      throw fail("file-structure", "load", "the trainer's losses are not what the outputs mean", { name: "loss" });
    });
    await within("trainer.state", () => {
      const slots = Object.entries(trained?.state ?? {}).map(([slot, dict]) => [slot, restoreAll(dict)]);
      return trainer?.loadState({ step: trained!.step, slots: Object.fromEntries(slots) });
    });
    return {
      model,
      trainer,
      training: training && {
        options: trainingOptions!,
        state: { ...training.state, history: training.state.history.map(epochRecord), data: data ?? undefined },
        ...bestParameters && { bestParameters },
      },
      arithmetic,
      preprocessing,
      job,
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Runs a part of saving or loading; its errors say at which place of the checkpoint. */
async function inPlace<T>(place: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    // The engine's own, of strings and of its stack; it is not kept, for it would keep the stack.
    if (error instanceof RangeError && !errorCause(error)) {
      throw fail("file-too-deep", place, `it is too long or too deep: ${error.message}`);
    }
    throw whileReading(place, error);
  }
}

function restoreAll(stored: StoredDict): StateDict {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { shape, data }]) => {
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = Uint8Array.fromBase64(data, { lastChunkHandling: "strict" });
      } catch {
        throw fail("file-malformed", "load array", `the data of "${name}" is not base64`, { name });
      }
      if (bytes.length % 4) {
        throw fail("file-damaged", "load array", `the data of "${name}" is cut off: ${bytes.length} bytes`, { name });
      }
      return [name, { shape, data: new Float32Array(bytes.buffer) }];
    }),
  );
}

/** Parameters of a model, all of them. */
function restoreParameters(stored: StoredDict, list: readonly Parameter[]): StateDict {
  const dict = restoreAll(stored);
  checkStateDict("load", dict, list);
  return dict;
}

/** The parameters that a checkpoint's model has. Its config and its network must say the same. */
function parametersOf({ config, network }: StoredCheckpoint): readonly Parameter[] {
  const ready = config && networkOf({ config }), found = network ?? ready;
  if (ready && network && JSON.stringify(ready) !== JSON.stringify(network)) {
    throw fail("file-structure", "load", "network and config are of different models", { name: "network" });
  }
  if (!found) throw fail("file-structure", "load", "there is neither a config nor a network", { name: "config" });
  return resolveNetwork(found).layout.list;
}

/** A checkpoint's model, without its parameters. It knows what its outputs mean as far as the one that was saved did. */
async function modelOf({ config, network, meanings }: StoredCheckpoint, options: ModelOptions): Promise<Model> {
  if (!config) return await createModel(network!, { ...options, loss: meanings }) as Model;
  const model = await createModel(config, options);
  internalsOf(model).remember("load checkpoint", meanings);
  return model;
}

/** Names that valibot leaves out of a record without a word; none is a parameter's or an option's. */
const UNSAFE = ["__proto__", "constructor", "prototype"];

/** The structure of a checkpoint; the model, the trainer and their options check what they take over themselves. */
async function check(json: unknown, action: string): Promise<StoredCheckpoint> {
  const { format, version } = (json ?? {}) as Partial<StoredCheckpoint>;
  if (format !== FORMAT) {
    throw fail("file-format-unknown", action, `it is no checkpoint: format is ${show(format)}`, { value: format });
  }
  if (!Number.isInteger(version) || version! < 1 || version! > FORMAT_VERSION) {
    const { writtenBy } = json as Partial<StoredCheckpoint>, isLater = Number(version) > FORMAT_VERSION;
    const by = isLater ? `: a later program wrote it, ${show(writtenBy)}` : "";
    throw fail("file-version", action, `expected version 1 to ${FORMAT_VERSION}, got ${show(version)}${by}`, {
      value: version,
    });
  }
  // Version 1 had no checksum, and each version has more to tell than the one before.
  const since3 = { version: FORMAT_VERSION, network: null, meanings: {} };
  const since2 = { arithmetic: null, bestParameters: null, data: null, preprocessing: null };
  if (version === 1) return await checkStructure({ ...json as object, ...since2, ...since3 }, action);
  const { checksum, ...content } = json as { checksum?: unknown };
  const found = await inPlace(action, () => hashJson(content));
  if (checksum !== found) {
    throw fail(
      "file-damaged",
      action,
      `it was altered or damaged: its checksum is ${show(checksum)}, its content's ${show(found)}`,
    );
  }
  return await checkStructure(version === 2 ? { ...content, ...since3 } : content, action);
}

/** A value of a file, as far as it fits a line. */
function show(value: unknown): string {
  if (typeof value === "object" && value) return Array.isArray(value) ? "a list" : "an object";
  const text = String(JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

async function checkStructure(json: object, action: string): Promise<StoredCheckpoint> {
  const v = await loadValibot();
  const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
  const finite = v.pipe(v.number(), v.finite());
  const array = v.strictObject({ shape: v.array(count), dtype: v.literal("float32"), data: v.string() });
  const safe = v.custom<Record<string, unknown>>(
    (value) => !UNSAFE.some((name) => Object.hasOwn(Object(value), name)),
    `a name is one of ${UNSAFE.join(", ")}`,
  );
  const values = v.pipe(safe, v.record(v.string(), v.unknown()));
  const arrays = v.pipe(safe, v.record(v.string(), array));
  // Later programs may note more of an epoch, and of how far a training has come: these check it themselves.
  const record = v.objectWithRest({
    epoch: count,
    trainLoss: finite,
    trainAccuracy: finite,
    validationLoss: v.optional(finite),
    validationAccuracy: v.optional(finite),
  }, finite);
  const state = {
    epoch: count,
    batch: count,
    lossSum: finite,
    correct: v.pipe(finite, v.minValue(0)),
    history: v.array(record),
  };
  const strings = v.pipe(safe, v.record(v.string(), v.string()));
  const layer = v.strictObject({
    type: v.string(),
    name: v.string(),
    inputs: v.optional(strings),
    options: v.optional(values),
  });
  const network = v.strictObject({ layers: v.array(layer), outputs: strings });
  const meaning = v.strictObject({ loss: v.picklist(LOSS_NAMES), quantiles: v.optional(v.array(finite)) });
  const hash = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, "it is no hash"));
  const schema = v.strictObject({
    format: v.literal(FORMAT),
    version: v.literal(FORMAT_VERSION),
    writtenBy: v.string(),
    arithmetic: v.nullable(v.picklist(["plain", "relaxed", "webgpu"])),
    config: v.nullable(values),
    network: v.nullable(network),
    meanings: v.pipe(safe, v.record(v.string(), meaning)),
    seed: count,
    generator: v.strictObject({ algorithm: v.literal(GENERATOR), seed: count, step: count, epoch: count }),
    parameters: arrays,
    bestParameters: v.nullable(arrays),
    trainer: v.nullable(v.strictObject({
      options: values,
      step: count,
      state: v.pipe(safe, v.record(v.string(), arrays)),
    })),
    training: v.nullable(v.strictObject({
      options: values,
      state: v.pipe(safe, v.objectWithRest(state, v.unknown())),
      best: v.nullable(record),
    })),
    data: v.nullable(v.strictObject({ hash, validationHash: v.optional(hash) })),
    preprocessing: v.nullable(v.record(v.string(), v.unknown())),
    job: v.nullable(v.record(v.string(), v.unknown())),
  });
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw fail("file-structure", action, `${v.getDotPath(issue)}: ${issue.message}`, {
      name: v.getDotPath(issue) ?? undefined,
    });
  }
  const { generator, trainer, training, seed } = result.output;
  const fits = generator.step === (trainer?.step ?? 0) && generator.epoch === (training?.state.epoch ?? 0) &&
    generator.seed === (trainer?.options.seed ?? seed) && (trainer || !training) &&
    (training?.state.history.length ?? 0) === generator.epoch &&
    (training?.state.history ?? []).every(({ epoch }, i) => epoch === i + 1);
  if (!fits) throw fail("file-structure", action, "generator, trainer, training and history are not at the same step");
  // As it stands in the file: a job may hold any name.
  return json as StoredCheckpoint;
}

/**
 * Writes a checkpoint: one JSON file, readable, complete enough that training goes on to the same bits.
 *
 * The file is written beside its place, brought to the disk, and renamed: whatever fails, and whenever the power does,
 * there stands the old checkpoint or the new one, whole. Needs permission to read and write the folder
 * (`--allow-read=DIR --allow-write=DIR`).
 *
 * @throws {Deno.errors.NotCapable} Without these permissions.
 * @throws {Deno.errors.NotFound} If the folder does not exist.
 */
export async function saveCheckpoint(path: string | URL, parts: CheckpointParts): Promise<void> {
  await encodeSnapshot(await takeSnapshot(parts), (bytes) => writeDurably(path, bytes));
}

/**
 * Reads a checkpoint. Needs permission to read the file.
 *
 * @throws {SyntaxError | TypeError | RangeError} If it is not what {@linkcode saveCheckpoint} wrote: see
 * {@linkcode parseCheckpoint}.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function loadCheckpoint(
  path: string | URL,
  options: Omit<ModelOptions, "seed"> = {},
): Promise<LoadedCheckpoint> {
  return await parseCheckpoint(await Deno.readTextFile(path), String(path), options);
}
