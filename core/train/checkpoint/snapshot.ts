/** Writing checkpoints: a snapshot of a training, its text, its file. */

import { ownOptions } from "../../options.ts";
import { type DataHash, hashDataset } from "../../data/hash.ts";
import { isPairs } from "../../data/pairs.ts";
import { checkArgument, fail } from "../../errors.ts";
import type { NamedArray, StateDict } from "../../model/arrays.ts";
import { internalsOf, type NetworkModel } from "../../model/model.ts";
import { VERSION } from "../../version.ts";
import { writeDurably } from "../durable.ts";
import { jsonChunks } from "../json_bytes.ts";
import { type TrainingState, writtenHistory } from "../history.ts";
import { checkPath, hasDeno, writeByNode } from "../node_files.ts";
import type { Trainer, TrainerState } from "../trainer.ts";
import type { Training } from "../training.ts";
import { firstBad } from "../../model/finite.ts";
import { Base64, LARGE } from "./numbers.ts";
import {
  FORMAT,
  FORMAT_VERSION,
  GENERATOR,
  inPlace,
  LARGE_VERSION,
  placed,
  type StoredCheckpoint,
  type StoredDict,
} from "./schema.ts";

/** Parts of a checkpoint for {@linkcode saveCheckpoint}. */
export interface CheckpointParts {
  /** Required. */
  readonly model: NetworkModel;
  /** To continue training. Default: the training's. */
  readonly trainer?: Trainer;
  /** To resume in the middle of an epoch, with the history. */
  readonly training?: Training;
  /** How data from files are prepared for the model, such as `pipeline.toJSON()`: anything that JSON can hold. */
  readonly preprocessing?: object | null;
  /** Anything that JSON can hold. */
  readonly job?: Record<string, unknown> | null;
}

/** The content of a checkpoint with its numbers copied, not yet encoded: training can continue while that is done. */
export type Snapshot = WithNumbers<StoredCheckpoint>;

/** A stored type with arrays of numbers in place of encoded ones. */
type WithNumbers<T> = T extends StoredDict[string] ? NamedArray
  : T extends object ? { readonly [Name in keyof T]: WithNumbers<T[Name]> }
  : T;

/** Records of epochs, as the schema has them: they may hold more numbers than are known today. */
type StoredRecords = NonNullable<StoredCheckpoint["training"]>["state"]["history"];

/** Copies what a checkpoint of this moment holds; {@linkcode snapshotChunks} makes its text. */
export async function takeSnapshot(parts: CheckpointParts): Promise<Snapshot> {
  const { model, trainer } = checked(parts), trained = await trainer?.state();
  return await snapshotOf(parts, trained, () => model.stateDict());
}

/**
 * Passes on what a checkpoint of this moment holds. Of a large model the numbers are not copied, which would take as much
 * memory again, but shown where they lie: no step begins until `write` has ended.
 *
 * @param large Bytes of numbers from which on they are shown.
 */
export async function withSnapshot<T>(
  parts: CheckpointParts,
  write: (snapshot: Snapshot, isShown: boolean) => Promise<T>,
  large = LARGE,
): Promise<T> {
  const { model, trainer } = checked(parts), { session } = internalsOf(model);
  const names = trainer?.stateNames() ?? [], bytes = 4 * session.net.resolved.layout.size * (1 + names.length);
  const isOwn = !trainer || trainer.model === model;
  if (!isOwn || bytes <= large || !session.device.view) return await write(await takeSnapshot(parts), false);
  return await session.exclusive(async () => {
    const [parameters, ...shown] = session.show(names.length);
    const slots = Object.fromEntries(names.map((name, i) => [name, shown[i]!]));
    return await write(await snapshotOf(parts, trainer && { step: trainer.steps, slots }, () => parameters!), true);
  });
}

const PARTS = { model: true, trainer: true, training: true, preprocessing: true, job: true } as const;

/** The model, and the trainer or the training's. */
function checked(parts: CheckpointParts): Pick<CheckpointParts, "model" | "trainer"> {
  checkArgument("save checkpoint", "parts", parts, ["model"]);
  ownOptions("save checkpoint", parts, PARTS);
  const { model, training, trainer = training?.trainer } = parts;
  checkArgument("save checkpoint", "model", model, ["stateDict", "device"]);
  return { model, trainer };
}

/** A snapshot, given its numbers. */
async function snapshotOf(
  { model, training, trainer = training?.trainer, preprocessing, job }: CheckpointParts,
  trained: TrainerState | undefined,
  parameters: () => StateDict | Promise<StateDict>,
): Promise<Snapshot> {
  const state = training?.state;
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    writtenBy: `grutto ${VERSION}`,
    arithmetic: model.device.arithmetic as Snapshot["arithmetic"],
    config: model.config ? { ...model.config } : null,
    network: model.network as Snapshot["network"],
    meanings: model.meanings as Snapshot["meanings"],
    seed: model.seed,
    generator: {
      algorithm: GENERATOR,
      seed: trainer?.options.seed ?? model.seed,
      step: trained?.step ?? 0,
      epoch: state?.epoch ?? 0,
    },
    parameters: await parameters(),
    bestParameters: training?.bestParameters ?? null,
    trainer: trainer && trained ? { options: { ...trainer.options }, step: trained.step, state: trained.slots } : null,
    training: training && state
      ? {
        options: { ...training.options },
        state: stored(state),
        best: training.best as StoredRecords[number] | undefined ?? null,
      }
      : null,
    data: training ? await hashData(training) : null,
    preprocessing: preprocessing as Record<string, unknown> | undefined ?? null,
    job: job ?? null,
  };
}

/** A state without the hashes of its data, which stand elsewhere; its history is not copied. */
function stored(state: TrainingState): NonNullable<Snapshot["training"]>["state"] {
  const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(state)) as ReturnType<typeof stored>;
  return Object.defineProperties(copy, {
    data: { value: undefined, enumerable: true },
    history: { value: writtenHistory(state), enumerable: true },
  });
}

/** Hashes of what a training trains and validates on. */
async function hashData({ dataset, validation }: Training): Promise<DataHash> {
  return {
    hash: await hashDataset(dataset),
    ...validation && { validationHash: await hashDataset(validation) },
    ...isPairs(dataset) && dataset.vocabulary !== undefined && { vocabulary: dataset.vocabulary },
  };
}

/**
 * The text of a checkpoint as UTF-8, see {@linkcode formatCheckpoint}, in chunks; each is valid until the next is asked for.
 *
 * @param large Bytes of numbers from which on they are written as lists of strings.
 */
export async function* snapshotChunks(
  snapshot: Snapshot,
  large = LARGE,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const { parameters, bestParameters, trainer } = snapshot;
  const all = [parameters, bestParameters ?? {}, ...Object.values(trainer?.state ?? {})];
  const isLarge = bytesIn(all) > large, encode = (dict: StateDict) => encoded(dict, isLarge);
  try {
    const slots = Object.entries(trainer?.state ?? {}).map(([name, dict]) => [name, encode(dict)]);
    yield* jsonChunks({
      ...snapshot,
      version: isLarge ? LARGE_VERSION : FORMAT_VERSION,
      parameters: encode(parameters),
      bestParameters: bestParameters && encode(bestParameters),
      trainer: trainer && { ...trainer, state: Object.fromEntries(slots) },
    });
  } catch (error) {
    throw placed("save checkpoint", error);
  }
}

function bytesIn(dicts: readonly StateDict[]): number {
  return dicts.flatMap((dict) => Object.values(dict)).reduce((sum, { data }) => sum + data.byteLength, 0);
}

/** Parameters as they stand in the file, which are put into words while they are written. */
function encoded(dict: StateDict, isLarge: boolean): object {
  return Object.fromEntries(
    Object.entries(dict).map(([name, { shape, data }]) => {
      const bad = firstBad(data);
      if (bad >= 0) {
        throw fail("not-finite", "save checkpoint", `"${name}" holds ${data[bad]} at ${bad}`, {
          name,
          value: data[bad],
        });
      }
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return [name, { shape, dtype: "float32", data: new Base64(bytes, isLarge) }];
    }),
  );
}

/**
 * A checkpoint as the text of a JSON file. To be called while no step is running.
 *
 * @throws {RangeError} If a parameter or another number in it is not finite: such a training has failed, and an earlier
 * checkpoint of it is worth more. Or if the text would be longer than the engine's strings: {@linkcode saveCheckpoint}
 * writes files of any size.
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
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of snapshotChunks(await takeSnapshot(parts))) {
    text += await inPlace("save checkpoint", () => decoder.decode(chunk, { stream: true }));
  }
  return text;
}

/**
 * Writes a checkpoint: one readable JSON file, complete enough to resume training to the same bits. It may be of any size:
 * it is written in pieces, and {@linkcode loadCheckpoint} reads it so.
 *
 * The file is written beside its place, flushed with fsync, and renamed: whatever fails, even the power, the path holds
 * either the old checkpoint or the new one, whole. Needs permission to read and write the folder
 * (`--allow-read=DIR --allow-write=DIR`).
 *
 * @throws {RangeError} If a number in it is not finite: see {@linkcode formatCheckpoint}.
 * @throws {TypeError} Where there are no files, as in browsers.
 * @throws {Deno.errors.NotCapable} Without these permissions.
 * @throws {Deno.errors.NotFound} If the folder does not exist.
 */
export async function saveCheckpoint(path: string | URL, parts: CheckpointParts): Promise<void> {
  checkPath("save checkpoint", path);
  await withSnapshot(parts, async (snapshot) => {
    const chunks = snapshotChunks(snapshot);
    await (hasDeno ? writeDurably(path, chunks) : writeByNode(path, chunks));
  });
}
