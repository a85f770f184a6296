/**
 * What is in a checkpoint file, said once: the schema is what files are checked against, and the types come from it. What
 * the parts mean is checked by those who take them over: the model, the trainer, the training.
 *
 * @module
 */

import { loadValibot } from "../../../deps.ts";
import { errorCause, fail, whileReading } from "../../errors.ts";
import { LOSS_NAMES } from "../../model/losses.ts";
import { epochRecord } from "../history.ts";
import { hashJson } from "../json_bytes.ts";
import type { StoredNumbers } from "./numbers.ts";

/** The version of the format that is written, and that of files with more numbers than one text can hold: see LARGE. */
export const FORMAT_VERSION = 3, LARGE_VERSION = 4;
export const FORMAT = "grutto-checkpoint";
/** The generator of all random numbers. */
export const GENERATOR = "philox4x32-10";

/** Names that valibot silently drops from records; none is a parameter's or an option's. */
const UNSAFE = ["__proto__", "constructor", "prototype"];

/** The schema of a checkpoint, without its checksum. */
// deno-lint-ignore explicit-module-boundary-types -- the type is what it is for
export function schemaOf(v: Awaited<ReturnType<typeof loadValibot>>) {
  const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
  const finite = v.pipe(v.number(), v.finite());
  const safe = v.custom<Record<string, unknown>>(
    (value) => !UNSAFE.some((name) => Object.hasOwn(Object(value), name)),
    `a name is one of ${UNSAFE.join(", ")}`,
  );
  const values = v.pipe(safe, v.record(v.string(), v.unknown()));
  const strings = v.pipe(safe, v.record(v.string(), v.string()));
  const numbers = v.custom<StoredNumbers>(
    (value) =>
      typeof value === "string" || value instanceof Uint8Array ||
      Array.isArray(value) && value.every((piece) => typeof piece === "string"),
    "expected base64: a string, or since version 4 a list of strings",
  );
  /** Numbers: the shape, and base64 of the little-endian bytes, row-major. */
  const array = v.strictObject({ shape: v.array(count), dtype: v.literal("float32"), data: numbers });
  const arrays = v.pipe(safe, v.record(v.string(), array));
  const layer = v.strictObject({
    type: v.string(),
    name: v.string(),
    inputs: v.optional(strings),
    options: v.optional(values),
  });
  const meaning = v.strictObject({ loss: v.picklist(LOSS_NAMES), quantiles: v.optional(v.array(finite)) });
  const hash = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, "it is no hash"));
  // Later programs may note more of an epoch, and of how far a training has come: it checks that itself.
  const record = v.objectWithRest({
    epoch: count,
    trainLoss: finite,
    trainAccuracy: finite,
    validationLoss: v.optional(finite),
    validationAccuracy: v.optional(finite),
  }, finite);
  const state = v.objectWithRest({
    epoch: count,
    batch: count,
    lossSum: finite,
    correct: v.pipe(finite, v.minValue(0)),
    history: v.array(record),
  }, v.unknown());
  return v.strictObject({
    format: v.literal(FORMAT),
    version: v.picklist([FORMAT_VERSION, LARGE_VERSION]),
    /** The program that wrote it. */
    writtenBy: v.string(),
    /** What computed the parameters: Model.device.arithmetic; null in version 1, which did not say. */
    arithmetic: v.nullable(v.picklist(["plain", "relaxed", "unfused", "webgpu"])),
    /** Options of the ready-made model; null for any other network. */
    config: v.nullable(values),
    /** What the model computes; null before version 3, where it was always the ready-made one. */
    network: v.nullable(v.strictObject({ layers: v.array(layer), outputs: strings })),
    /** What its outputs mean, by name, if that is known. */
    meanings: v.pipe(safe, v.record(v.string(), meaning)),
    /** Seed of the model. */
    seed: count,
    /** The state of the random generator: dropout counts steps, the order of the sequences counts epochs. */
    generator: v.strictObject({ algorithm: v.literal(GENERATOR), seed: count, step: count, epoch: count }),
    /** Parameters under PyTorch's names. */
    parameters: arrays,
    /** Those of the best epoch, if the training restores them at its end; else null. */
    bestParameters: v.nullable(arrays),
    /** The trainer's options and the optimizer's state under PyTorch's names; null for a model by itself. */
    trainer: v.nullable(v.strictObject({
      options: values,
      step: count,
      state: v.pipe(safe, v.record(v.string(), arrays)),
    })),
    /** Options and state of the training over epochs; null if there is none. */
    training: v.nullable(v.strictObject({ options: values, state: v.pipe(safe, state), best: v.nullable(record) })),
    /** Hashes of the data it is trained and validated on; null if there is no training, and in version 1. */
    data: v.nullable(v.strictObject({
      hash,
      validationHash: v.optional(hash),
      vocabulary: v.optional(v.string()),
    })),
    /** How the data were prepared for the model, as it was saved. */
    preprocessing: v.nullable(v.record(v.string(), v.unknown())),
    /** What the program that trains wants to find again: the command line keeps its data options here. */
    job: v.nullable(v.record(v.string(), v.unknown())),
  });
}

/** A checkpoint as JSON. */
export type StoredCheckpoint = NonNullable<ReturnType<typeof schemaOf>["~types"]>["output"];
/** Parameters, or a state of the optimizer, as JSON. */
export type StoredDict = StoredCheckpoint["parameters"];

/**
 * The content of a checkpoint of any version, in the form of the present one.
 *
 * @param action What cannot be done if it is not one: 'load checkpoint "last.json"'.
 * @param found The checksum of its content, if it was taken already.
 * @throws {TypeError | RangeError} If it is not a checkpoint, of a later version, damaged, or not of this structure.
 */
export async function checkStored(json: unknown, action: string, found?: string): Promise<StoredCheckpoint> {
  const { format, version } = (json ?? {}) as Record<string, unknown>;
  if (format !== FORMAT) {
    throw fail("file-format-unknown", action, `it is no checkpoint: format is ${show(format)}`, { value: format });
  }
  // Nothing but a number is made one: a list may be so deep that the engine gives up.
  const number = typeof version === "number" ? version : 0;
  if (!Number.isInteger(number) || number < 1 || number > LARGE_VERSION) {
    const { writtenBy } = json as Record<string, unknown>, isLater = number > LARGE_VERSION;
    const by = isLater ? `: a later program wrote it, ${show(writtenBy)}` : "";
    throw fail("file-version", action, `expected version 1 to ${LARGE_VERSION}, got ${show(version)}${by}`, {
      value: version,
    });
  }
  const content = number === 1 ? json as object : await checkSum(json as object, action, found);
  return await checkStructure(upgrade(content, number), action);
}

/** The content without its checksum, which must be right. */
async function checkSum(json: { checksum?: unknown }, action: string, given?: string): Promise<object> {
  const { checksum, ...content } = json, found = given ?? await inPlace(action, () => hashJson(content));
  if (checksum === found) return content;
  throw fail(
    "file-damaged",
    action,
    `it was altered or damaged: its checksum is ${show(checksum)}, its content's ${show(found)}`,
  );
}

/** What each version has more than the one before: version 1 had no checksum either. */
const SINCE = {
  2: { arithmetic: null, bestParameters: null, data: null, preprocessing: null },
  3: { network: null, meanings: {} },
};

/** The content of an earlier version as one of the present version. */
function upgrade(content: object, version: number): object {
  if (version >= FORMAT_VERSION) return content;
  const { training, ...rest } = content as { training?: unknown };
  return { ...rest, ...version < 2 && SINCE[2], ...SINCE[3], version: FORMAT_VERSION, training: renamed(training) };
}

/** A training whose records have their present names; what is not one is left for the schema to refuse. */
function renamed(training: unknown): unknown {
  const { state, best } = (training ?? {}) as { state?: { history?: unknown }; best?: unknown };
  const isRecord = (value: unknown): value is Parameters<typeof epochRecord>[0] =>
    typeof value === "object" && value !== null;
  const rename = (value: unknown) => isRecord(value) ? epochRecord(value) : value;
  if (!Array.isArray(state?.history)) return training;
  return { ...training as object, state: { ...state, history: state.history.map(rename) }, best: rename(best) };
}

async function checkStructure(json: object, action: string): Promise<StoredCheckpoint> {
  const v = await loadValibot(), result = v.safeParse(schemaOf(v), json, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues, name = v.getDotPath(issue) ?? undefined;
    throw fail("file-structure", action, `${name}: ${issue.message}`, { name });
  }
  const { generator, trainer, training, seed } = result.output;
  const fits = generator.step === (trainer?.step ?? 0) && generator.epoch === (training?.state.epoch ?? 0) &&
    generator.seed === (trainer?.options.seed ?? seed) && (trainer || !training) &&
    (training?.state.history.length ?? 0) === generator.epoch &&
    (training?.state.history ?? []).every(({ epoch }, i) => epoch === i + 1);
  if (!fits) throw fail("file-structure", action, "generator, trainer, training and history are not at the same step");
  // As it is in the file: a job may hold any name.
  return json as StoredCheckpoint;
}

/** A value of a file, as far as it fits a line. */
function show(value: unknown): string {
  if (typeof value === "object" && value) return Array.isArray(value) ? "a list" : "an object";
  const text = String(JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Runs a part of saving or loading; its errors say at which place of the checkpoint. */
export async function inPlace<T>(place: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw placed(place, error);
  }
}

/** An error that was met at a place of a checkpoint. */
export function placed(place: string, error: unknown): unknown {
  // An error of the engine, about long strings or its stack; it is not kept, because it would keep the stack.
  if (error instanceof RangeError && !errorCause(error)) {
    return fail("file-too-deep", place, `it is too long or too deep: ${error.message}`);
  }
  return whileReading(place, error);
}
