import { loadValibot } from "../../deps.ts";
import type { ModelConfig } from "../model/config.ts";
import { createModel, type Model, type ModelOptions, type NamedArray, type StateDict } from "../model/model.ts";
import { VERSION } from "../version.ts";
import { resolveTraining, type Training, type TrainingOptions, type TrainingState } from "./train.ts";
import { createTrainer, type Trainer, type TrainerOptions } from "./trainer.ts";

/** The format's version that is written, and the only one there is. */
const FORMAT_VERSION = 1;
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

/** What is in a checkpoint file. */
interface StoredCheckpoint {
  readonly format: typeof FORMAT;
  readonly version: number;
  /** The program that wrote it. */
  readonly writtenBy: string;
  /** Options of the model. */
  readonly config: ModelConfig;
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
  /** What the program that trains wants to find again: the command line keeps its data options here. */
  readonly job: Record<string, unknown> | null;
}

/** What {@linkcode saveCheckpoint} writes. */
export interface CheckpointParts {
  /** Needed. */
  readonly model: Model;
  /** To go on training. Default: the training's. */
  readonly trainer?: Trainer;
  /** To go on in the middle of an epoch, with the history. */
  readonly training?: Training;
  /** Anything that JSON can hold. */
  readonly job?: Record<string, unknown>;
}

/** What {@linkcode loadCheckpoint} returns. */
export interface LoadedCheckpoint {
  /** With the parameters of the file. */
  readonly model: Model;
  /** With the optimizer's state; null if the file holds none. */
  readonly trainer: Trainer | null;
  /** For `train(model, data, { trainer, …training.options, state: training.state })`; null if the file holds none. */
  readonly training: { readonly options: TrainingOptions; readonly state: TrainingState } | null;
  /** As it was saved. */
  readonly job: Record<string, unknown> | null;
}

function store(name: string, { shape, data }: NamedArray): StoredArray {
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new RangeError(`Cannot save checkpoint: "${name}" holds ${data[bad]} at ${bad}`);
  return { shape, dtype: "float32", data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).toBase64() };
}

function storeAll(dict: StateDict): StoredDict {
  return Object.fromEntries(Object.entries(dict).map(([name, array]) => [name, store(name, array)]));
}

/**
 * A checkpoint as the text of a JSON file.
 *
 * @throws {RangeError} If a parameter or the optimizer's state holds a value that is not finite: such a training has
 * failed, and what was saved of it before is worth more.
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
export async function formatCheckpoint(
  { model, training, trainer = training?.trainer, job }: CheckpointParts,
): Promise<string> {
  const trained = trainer && await trainer.state();
  const checkpoint: StoredCheckpoint = {
    format: FORMAT,
    version: FORMAT_VERSION,
    writtenBy: `grutto ${VERSION}`,
    config: model.config,
    seed: model.seed,
    generator: {
      algorithm: GENERATOR,
      seed: trainer?.options.seed ?? model.seed,
      step: trained?.step ?? 0,
      epoch: training?.state.epoch ?? 0,
    },
    parameters: storeAll(await model.stateDict()),
    trainer: trained
      ? {
        options: trainer.options,
        step: trained.step,
        state: Object.fromEntries(Object.entries(trained.slots).map(([name, dict]) => [name, storeAll(dict)])),
      }
      : null,
    training: training ? { options: training.options, state: training.state, best: training.best ?? null } : null,
    job: job ?? null,
  };
  return `${JSON.stringify(checkpoint, null, 2)}\n`;
}

/**
 * The model, trainer and training in the text of a checkpoint.
 *
 * @param name What the errors call it.
 * @param options What the model is to compute on: a checkpoint does not say.
 * @throws {SyntaxError} If the text is not JSON, or was cut off.
 * @throws {TypeError} If something is missing, too much, of the wrong type, or not a finite number.
 * @throws {RangeError} If the version is another, or a shape does not fit the config.
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
    throw new SyntaxError(`Cannot ${action}: it is not JSON, or was cut off: ${(error as Error).message}`);
  }
  const { config, seed, parameters, trainer: trained, training, job } = await check(json, action);
  const within = <T>(place: string, run: () => T | Promise<T>) => inPlace(`${action}: ${place}`, run);
  const trainingOptions = training && await within("training.options", () => resolveTraining(training.options));
  const model = await within("config", () => createModel(config, { ...options, seed }));
  try {
    await within("parameters", () => model.loadStateDict(restoreAll(parameters)));
    const trainer = trained && await within("trainer.options", () => createTrainer(model, trained.options));
    await within("trainer.state", () => {
      const slots = Object.entries(trained?.state ?? {}).map(([slot, dict]) => [slot, restoreAll(dict)]);
      return trainer?.loadState({ step: trained!.step, slots: Object.fromEntries(slots) });
    });
    return { model, trainer, training: training && { options: trainingOptions!, state: training.state }, job };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Runs what has its own words for what it cannot do, and puts the place in the checkpoint before what is wrong. */
async function inPlace<T>(place: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Error) {
      // Of the words that go, a name stays: of 'Cannot load optimizer state "exp_avg": …'
      error.message = error.message.replace(
        /^Cannot [^":]*( "[^"]*")?: /,
        (_, name = "") => `Cannot ${place}${name}: `,
      );
    }
    throw error;
  }
}

function restoreAll(stored: StoredDict): StateDict {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { shape, data }]) => {
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = Uint8Array.fromBase64(data);
      } catch {
        throw new SyntaxError(`Cannot load array: the data of "${name}" is not base64`);
      }
      if (bytes.length % 4) {
        throw new RangeError(`Cannot load array: the data of "${name}" is cut off: ${bytes.length} bytes`);
      }
      return [name, { shape, data: new Float32Array(bytes.buffer) }];
    }),
  );
}

/** Names that valibot leaves out of a record without a word; none is a parameter's or an option's. */
const UNSAFE = ["__proto__", "constructor", "prototype"];

/** The structure of a checkpoint; the model, the trainer and their options check what they take over themselves. */
async function check(json: unknown, action: string): Promise<StoredCheckpoint> {
  const { format, version } = (json ?? {}) as Partial<StoredCheckpoint>;
  if (format !== FORMAT) {
    throw new TypeError(`Cannot ${action}: it is no checkpoint: format is ${JSON.stringify(format)}`);
  }
  if (version !== FORMAT_VERSION) {
    throw new RangeError(`Cannot ${action}: expected version ${FORMAT_VERSION}, got ${JSON.stringify(version)}`);
  }
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
  const record = v.strictObject({
    epoch: count,
    trainLoss: finite,
    trainAccuracy: finite,
    testLoss: v.optional(finite),
    testAccuracy: v.optional(finite),
    learningRate: v.optional(finite),
    gradNorm: v.optional(finite),
  });
  const schema = v.strictObject({
    format: v.literal(FORMAT),
    version: v.literal(FORMAT_VERSION),
    writtenBy: v.string(),
    config: values,
    seed: count,
    generator: v.strictObject({ algorithm: v.literal(GENERATOR), seed: count, step: count, epoch: count }),
    parameters: arrays,
    trainer: v.nullable(v.strictObject({
      options: values,
      step: count,
      state: v.pipe(safe, v.record(v.string(), arrays)),
    })),
    training: v.nullable(v.strictObject({
      options: values,
      state: v.strictObject({
        epoch: count,
        batch: count,
        lossSum: finite,
        correct: count,
        gradNormSum: v.optional(finite),
        history: v.array(record),
      }),
      best: v.nullable(record),
    })),
    job: v.nullable(v.record(v.string(), v.unknown())),
  });
  const result = v.safeParse(schema, json, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw new TypeError(`Cannot ${action}: ${v.getDotPath(issue)}: ${issue.message}`);
  }
  const { generator, trainer, training, seed } = result.output;
  const fits = generator.step === (trainer?.step ?? 0) && generator.epoch === (training?.state.epoch ?? 0) &&
    generator.seed === (trainer?.options.seed ?? seed) && (trainer || !training) &&
    (training?.state.history.length ?? 0) === generator.epoch &&
    (training?.state.history ?? []).every(({ epoch }, i) => epoch === i + 1);
  if (!fits) throw new TypeError(`Cannot ${action}: generator, trainer, training and history do not stand at one step`);
  // As it stands in the file: a job may hold any name.
  return json as StoredCheckpoint;
}

/**
 * Writes a checkpoint: one JSON file, readable, complete enough that training goes on to the same bits.
 *
 * The file is written beside its place and renamed, so that what stood there is never half overwritten. Needs permission
 * to read and write the folder (`--allow-read=DIR --allow-write=DIR`).
 *
 * @throws {Deno.errors.NotCapable} Without these permissions.
 * @throws {Deno.errors.NotFound} If the folder does not exist.
 */
export async function saveCheckpoint(path: string | URL, parts: CheckpointParts): Promise<void> {
  const text = await formatCheckpoint(parts);
  const temporary = path instanceof URL ? new URL(`${path.href}.tmp`) : `${path}.tmp`;
  try {
    await Deno.writeTextFile(temporary, text);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
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
