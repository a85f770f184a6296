/** Reading checkpoints: the model, the trainer and the training of a file, and how training resumes. */

import { checkArgument, fail } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { checkPreprocessing } from "./fit.ts";
import { checkStateDict, release, type StateDict } from "../../model/arrays.ts";
import { type ModelConfig, networkOf } from "../../model/config.ts";
import { createBlank, internalsOf, type Model, type ModelOptions } from "../../model/model.ts";
import { type Network, resolveNetwork } from "../../model/network.ts";
import type { Parameter } from "../../model/parameters.ts";
import type { TrainingData } from "../batch_source.ts";
import { epochRecord, type TrainingState } from "../history.ts";
import { checkPath, hasDeno, readByNode } from "../node_files.ts";
import { createTrainer, type Trainer, type TrainerOptions } from "../trainer.ts";
import { Training, type TrainOptions } from "../training.ts";
import { resolveTraining, type TrainingOptions } from "../training_options.ts";
import { readLargeJson, type Wanted } from "./large_json.ts";
import { decodeNumbers } from "./numbers.ts";
import { checkStored, inPlace, type StoredCheckpoint, type StoredDict } from "./schema.ts";

/** A training as a checkpoint holds it. */
export interface StoredTraining {
  /** Its settings, all filled in. */
  readonly options: TrainingOptions;
  /** How far it had come, with hashes of its data: a training on other data is refused. */
  readonly state: TrainingState;
  /** With `restoreBest`, the parameters of the best epoch so far. */
  readonly bestParameters?: StateDict;
}

/** What may differ when a training is resumed. What is not given is as it was saved. */
export type ResumeOptions = Omit<TrainOptions, keyof TrainerOptions | "state" | "bestParameters" | "trainer">;

/** Result of {@linkcode loadCheckpoint}. */
export class LoadedCheckpoint {
  /** With the parameters of the file. Of a network of your own, `config` is undefined and `forward` gives `values` alone. */
  readonly model: Model;
  /** With the optimizer's state; null if the file holds none. */
  readonly trainer: Trainer | null;
  /** Updates that the parameters have behind them; 0 if the file holds no trainer. */
  readonly steps: number;
  /** The state that {@linkcode LoadedCheckpoint.resume} starts from; null if the file holds no training. */
  readonly training: StoredTraining | null;
  /**
   * What computed its parameters, see `Model.device.arithmetic`: if the model's is another, training does not resume to the
   * same bits. Null in files of version 1, which do not say.
   */
  readonly arithmetic: string | null;
  /** The program that wrote it, such as "grutto 0.4.0"; null where it is no checkpoint. */
  readonly writtenBy: string | null;
  /** As it was saved. */
  readonly preprocessing: Record<string, unknown> | null;
  /** As it was saved. */
  readonly job: Record<string, unknown> | null;

  /** Use {@linkcode loadCheckpoint}. */
  constructor(
    { model, trainer, steps, training, arithmetic, writtenBy, preprocessing, job }: Omit<LoadedCheckpoint, "resume">,
  ) {
    this.model = model;
    this.trainer = trainer;
    this.steps = steps;
    this.training = training;
    this.arithmetic = arithmetic;
    this.writtenBy = writtenBy;
    this.preprocessing = preprocessing;
    this.job = job;
  }

  /**
   * The training of the checkpoint, where it stopped; `run()` takes it to its end, to the same bits as if it had never
   * stopped. A checkpoint resumes once: its model and trainer are used, not copied.
   *
   * @param dataset The data it was trained on.
   * @param options What is not in the file: the validation data, if there were some, callbacks, a signal; and what is to
   * differ, such as more `epochs`.
   * @throws {TypeError} If the file holds no training, it was validated and no validation data are given, or an option is
   * wrong or belongs to the trainer.
   * @throws {RangeError} If an option is out of range, or the data do not fit. `run()` throws if they are other data.
   *
   * @example Ten epochs, and ten more on another day
   * ```ts
   * import assert from "node:assert/strict";
   * import { createModel, formatCheckpoint, parseCheckpoint, randomSplit, sampleDataset, Training } from "@grutto/grutto";
   *
   * const [data, validation] = randomSplit(sampleDataset({ size: 100 }), [0.8, 0.2]);
   * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2 });
   * const training = new Training(model, data!, { epochs: 10, validation });
   * await training.run();
   * const text = await formatCheckpoint({ model, training }); // or saveCheckpoint
   *
   * const loaded = await parseCheckpoint(text); // or loadCheckpoint
   * const history = await loaded.resume(data!, { validation, epochs: 20 }).run();
   * assert.equal(history.length, 20);
   * loaded.model.dispose();
   * ```
   */
  resume(dataset: TrainingData, options: ResumeOptions = {}): Training {
    const { model, trainer, training } = this;
    if (!trainer || !training) throw fail("training-missing", "resume", "the checkpoint holds no training");
    const { state, bestParameters } = training, own = ownOptions("resume", options);
    if (state.data?.validationHash !== undefined && !own.validation) {
      throw fail("option-missing", "resume", "the training was validated: pass its validation data", {
        option: "validation",
      });
    }
    const all = Object.entries(own).filter(([, value]) => value !== undefined), given = Object.fromEntries(all);
    const stored = ["state", "bestParameters", "trainer"].find((option) => option in given);
    if (stored) {
      throw fail("option-conflict", "resume", `${stored} is in the checkpoint, and cannot be given`, {
        option: stored,
      });
    }
    return new Training(model, dataset, { ...training.options, ...given, state, bestParameters, trainer });
  }
}

/**
 * Reads a checkpoint. Needs Deno, with permission to read the file, or Node or Bun.
 *
 * @throws {SyntaxError | TypeError | RangeError} If it is not what {@linkcode saveCheckpoint} wrote: see
 * {@linkcode parseCheckpoint}.
 * @throws {TypeError} Where there are no files, as in browsers.
 * @throws {Deno.errors.NotFound} If there is no such file; in Node, its error with code "ENOENT".
 */
export async function loadCheckpoint(
  path: string | URL,
  options: Omit<ModelOptions, "seed"> = {},
): Promise<LoadedCheckpoint> {
  checkPath("load checkpoint", path);
  if (!hasDeno) return await parseCheckpoint(await readByNode(path), String(path), options);
  return await restore(await readStored(path), `load checkpoint "${path}"`, options);
}

/** Bytes of a file that is read as one text, which takes five times as much memory. */
const LARGE_TEXT = 32 << 20;

/** The checked content of a checkpoint file, of any size; of a large one, with the numbers that are wanted. */
export async function readStored(path: string | URL, wanted: Wanted = {}): Promise<StoredCheckpoint> {
  using file = await Deno.open(path);
  return await readFrom(file, new Uint8Array(0), String(path), wanted);
}

/**
 * The model, trainer and training in an open file.
 *
 * @param head Its first bytes, which are read already.
 * @param name What errors call it.
 */
export async function loadFrom(
  file: Deno.FsFile,
  head: Uint8Array<ArrayBuffer>,
  name: string,
  options: FileOptions,
): Promise<LoadedCheckpoint> {
  const { size, isFile } = await file.stat();
  // A small file is checked whole: what is passed over saves no memory there.
  const modelOnly = options.modelOnly && !(isFile && size <= LARGE_TEXT), own = { ...options, modelOnly };
  const stored = await readFrom(file, head, name, { numbers: modelOnly ? "parameters" : "all" });
  return await restore(stored, `load checkpoint "${name}"`, own);
}

/** How a file is loaded. */
export interface FileOptions extends Omit<ModelOptions, "seed"> {
  /** Whether its model computes alone: the optimizer's state, which takes twice the model's memory, is passed over in a large file. */
  readonly modelOnly?: boolean;
}

async function readFrom(
  file: Deno.FsFile,
  head: Uint8Array<ArrayBuffer>,
  name: string,
  wanted: Wanted,
): Promise<StoredCheckpoint> {
  const action = `load checkpoint "${name}"`;
  const { size, isFile } = await file.stat();
  if (isFile && size <= LARGE_TEXT) {
    const text = new TextDecoder().decode(await readRest(file, head));
    return await checkStored(parseJson(text, action, name), action);
  }
  // What is no file may never end, and is refused where it is no checkpoint.
  let first = head;
  const read = (buffer: Uint8Array<ArrayBuffer>) => {
    if (!first.length) return file.readSync(buffer);
    const { length } = first;
    buffer.set(first);
    first = first.subarray(length);
    return length;
  };
  const { value, checksum } = await inPlace(action, () => readLargeJson(read, size, action, wanted));
  return await checkStored(value, action, checksum);
}

/** All bytes of a file whose first are read already. */
export async function readRest(file: Deno.FsFile, head: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array((await file.stat()).size + 1), length = head.length;
  if (bytes.length < length + 1) bytes = new Uint8Array(1 << 16);
  bytes.set(head);
  for (let count; (count = await file.read(bytes.subarray(length))); length += count) {
    if (length + count < bytes.length) continue;
    const larger = new Uint8Array(2 * bytes.length);
    larger.set(bytes);
    bytes = larger;
  }
  return bytes.subarray(0, length);
}

/**
 * The model, trainer and training in the text of a checkpoint.
 *
 * @param name What errors call it.
 * @param options What the model computes on. Default: the CPU, with plain SIMD if that is what it was trained with.
 * @throws {SyntaxError} If the text is not JSON, or was cut off.
 * @throws {TypeError} If something is missing, unknown, of the wrong type, or not a finite number.
 * @throws {RangeError} If the version is a later one, the checksum does not match the content, or a shape does not fit the
 * model.
 */
export async function parseCheckpoint(
  text: string,
  name = "checkpoint",
  options: Omit<ModelOptions, "seed"> = {},
): Promise<LoadedCheckpoint> {
  checkArgument("load checkpoint", "text", text, "string");
  checkArgument("load checkpoint", "name", name, "string");
  const action = `load checkpoint "${name}"`;
  return await restore(await checkStored(parseJson(text, action, name), action), action, options);
}

/** The model, trainer and training of a checkpoint. */
async function restore(
  stored: StoredCheckpoint,
  action: string,
  given: FileOptions,
): Promise<LoadedCheckpoint> {
  const { modelOnly, ...options } = ownOptions(action, given);
  const within = <T>(place: string, run: () => T | Promise<T>) => inPlace(`${action}: ${place}`, run);
  const training = await within("training.options", () => trainingOf(stored));
  // A config may ask for any size: the file must hold as much before memory is allocated for it.
  const list = await within(stored.config ? "config" : "network", () => parametersOf(stored));
  const parameters = await within("parameters", () => decodeParameters(stored.parameters, list));
  const bestParameters = await within(
    "bestParameters",
    () => !modelOnly && stored.bestParameters && decodeParameters(stored.bestParameters, list),
  );
  const model = await within("config", () => modelOf(stored, options));
  try {
    // A large model is there once, not twice.
    await within("parameters", () => model.loadStateDict(parameters));
    release(parameters);
    const trainer = await within("trainer.options", () => trainerOf(stored, model));
    await within("trainer.state", async () => {
      if (modelOnly) return;
      const slots = Object.entries(stored.trainer?.state ?? {}).map(([slot, dict]) => [slot, decodeAll(dict)] as const);
      await trainer?.loadState({ step: stored.trainer!.step, slots: Object.fromEntries(slots) });
      for (const [, dict] of slots) release(dict);
    });
    const { arithmetic, writtenBy, preprocessing, job } = stored;
    internalsOf(model).checkVocabulary(action, stored.data?.vocabulary, true);
    await within("preprocessing", () => checkPreprocessing(model, preprocessing, `${action}: preprocessing`));
    return new LoadedCheckpoint({
      model,
      // Without its state too it knows what the loss was.
      trainer,
      steps: stored.generator.step,
      training: training && { ...training, ...bestParameters && { bestParameters } },
      arithmetic,
      writtenBy,
      preprocessing,
      job,
    });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function parseJson(text: string, action: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const problem = `it is not JSON, or was cut off: ${(error as Error).message}`;
    throw fail("file-not-json", action, problem, { file, error });
  }
}

/** A checkpoint's training, without the best parameters. */
function trainingOf({ training, data }: StoredCheckpoint): Omit<StoredTraining, "bestParameters"> | null {
  if (!training) return null;
  const { options, state } = training;
  return {
    options: resolveTraining(options),
    state: { ...state, history: state.history.map(epochRecord), data: data ?? undefined },
  };
}

/** The parameters of a checkpoint's model. Its config and its network must say the same. */
function parametersOf({ config, network }: StoredCheckpoint): readonly Parameter[] {
  const ready = config && networkOf({ config: config as unknown as ModelConfig });
  const found = network as Network | null ?? ready;
  if (ready && network && JSON.stringify(ready) !== JSON.stringify(network)) {
    throw fail("file-structure", "load", "network and config are of different models", { name: "network" });
  }
  if (!found) throw fail("file-structure", "load", "there is neither a config nor a network", { name: "config" });
  return resolveNetwork(found).layout.list;
}

/** A checkpoint's model, without its parameters. It knows what its outputs mean if the one that was saved did. */
async function modelOf(
  { config, network, meanings, seed, arithmetic }: StoredCheckpoint,
  given: Omit<ModelOptions, "seed">,
): Promise<Model> {
  // What was trained with plain SIMD resumes with it, to the same bits.
  const simd = given.simd ??
    ((arithmetic === "plain" || arithmetic === "unfused") && given.device !== "webgpu" ? "plain" : undefined);
  const options = { ...given, simd, seed };
  if (!config) return await createBlank(network as Network, { ...options, loss: meanings });
  const model = await createBlank(config as unknown as ModelConfig, options);
  internalsOf(model).remember("load checkpoint", meanings);
  return model;
}

/** A checkpoint's trainer, without the optimizer's state. Its losses must be what the outputs mean. */
function trainerOf({ trainer: stored, meanings }: StoredCheckpoint, model: Model): Trainer | null {
  if (!stored) return null;
  const trainer = createTrainer(model, stored.options);
  const isKnown = Object.keys(meanings).length > 0; // since version 3
  if (!isKnown || JSON.stringify(model.meanings) === JSON.stringify(meanings)) return trainer;
  throw fail("file-structure", "load", "the trainer's losses are not what the outputs mean", { name: "loss" });
}

/** All parameters of a model. */
function decodeParameters(stored: StoredDict, list: readonly Parameter[]): StateDict {
  const dict = decodeAll(stored);
  checkStateDict("load", dict, list);
  return dict;
}

function decodeAll(stored: StoredDict): StateDict {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { shape, data }]) => [name, { shape, data: decodeNumbers(name, shape, data) }]),
  );
}
