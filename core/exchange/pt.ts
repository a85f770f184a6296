/**
 * PyTorch's files of state dicts, as torch.save has written them since version 1.6: a zip archive of a pickle, which
 * says what tensors there are, and of their numbers.
 *
 * @module
 */

import { checkArgument, fail } from "../errors.ts";
import type { StateDict } from "../model/model.ts";
import {
  bytesOf,
  checkedEntries,
  checkMetadata,
  contiguousStrides,
  elements,
  joined,
  quoted,
  sizeOf,
  toFloat32,
} from "./numbers.ts";
import { Pickler, Storage, Tensor, unpickle, type Value } from "./pickle.ts";
import { isZip, storedEntries, zipParts } from "./zip.ts";

/** What {@linkcode readPt} returns. */
export interface PtFile {
  /** The tensors of the state dict, by name. */
  readonly tensors: StateDict;
  /** What {@linkcode writePt} put beside them; PyTorch passes it over. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Entries that are no tensors, PyTorch's "_extra_state"; absent if there are none. */
  readonly leftOut?: readonly string[];
}

/** Under which names a training's file keeps the state dict, those of most use first. */
const NESTED = ["state_dict", "model_state_dict", "model", "net", "module"];

/** How many times the bytes of the file its tensors may take: views of one storage stand for more than is there. */
const MOST_SHARING = 4;

/** The entry of the archive that holds the metadata. */
const METADATA = "extra/grutto.json";

/**
 * The state dict of a `.pt` file: of `torch.save(model.state_dict(), path)`, or under "state_dict", "model_state_dict",
 * "model", "net" or "module" of a dict. The pickle in it is not executed: only what makes tensors, dicts, lists, texts and
 * numbers is followed. Floats of other types are rounded to 32 bits.
 *
 * @param name What the errors call the file.
 * @throws {SyntaxError} If it is cut off, damaged or contradicts itself.
 * @throws {TypeError} If it is no such file, names something else of Python's, or holds no state dict.
 * @throws {RangeError} If a tensor reaches beyond its numbers, or a number does not fit 32-bit floats.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readPt, writePt } from "@grutto/grutto";
 *
 * const bytes = writePt({ "fc.bias": { shape: [2], data: Float32Array.of(1, 2) } });
 * assert.deepEqual(readPt(bytes).tensors["fc.bias"]!.data, Float32Array.of(1, 2));
 * ```
 */
export function readPt(bytes: Uint8Array, name = "state dict"): PtFile {
  checkArgument("read state dict", "name", name, "string");
  const action = `read "${name}"`;
  checkArgument(action, "bytes", bytes, "Uint8Array");
  if (!isZip(bytes)) {
    throw fail(
      "file-format-unknown",
      action,
      bytes[0] === 0x80
        ? "it is a pickle, as PyTorch wrote it before version 1.6: load it in PyTorch and save it again"
        : "it is no .pt file: it does not begin as a zip archive",
    );
  }
  const entries = storedEntries(bytes, `"${name}"`);
  const folder = entries.keys().next().value?.match(/^[^/]+\//)?.[0], pickle = entries.get(`${folder}data.pkl`);
  if (!folder || !pickle || [...entries.keys()].some((path) => !path.startsWith(folder))) {
    throw fail("file-format-unknown", action, "it is no .pt file: its archive must be one folder with data.pkl");
  }
  if (entries.has(`${folder}constants.pkl`)) {
    throw fail("file-unsupported", action, "it is a TorchScript program: save model.state_dict() by itself");
  }
  const text = (path: string) => {
    const bytes = entries.get(folder + path)?.();
    return bytes && new TextDecoder().decode(bytes);
  };
  const version = text("version"), order = text("byteorder");
  if (version === undefined) throw fail("file-malformed", action, "its version is missing");
  if (order !== undefined && order !== "little") {
    throw fail("file-unsupported", action, `its numbers are ${quoted(order)}-endian, expected little`);
  }
  const { dict, leftOut } = stateDictOf(unpickle(pickle(), action), action);
  const tensors = readTensors(dict, entries, { folder, action, most: MOST_SHARING * bytes.length });
  return { tensors, metadata: parseMetadata(text(METADATA), action), ...leftOut.length && { leftOut } };
}

/** Whether an entry is what a module keeps beside its tensors: a value of any kind. */
const isExtra = ([key, value]: [Value, Value]) =>
  typeof key === "string" && /(^|\.)_extra_state$/.test(key) && !(value instanceof Tensor);

/** The dict of tensors in what was saved, and the names of what else is in it. */
function stateDictOf(root: Value, action: string): { dict: [string, Tensor][]; leftOut: string[] } {
  const isTensor = ([key, value]: [Value, Value]) => typeof key === "string" && value instanceof Tensor;
  let dict = root;
  // As deep as somebody would nest: a pickle can hold a dict within itself.
  for (let depth = 0; dict instanceof Map && depth < 4; depth++) {
    const entries: [Value, Value][] = [...dict], tensors = entries.filter(isTensor), extra = entries.filter(isExtra);
    if (tensors.length && tensors.length + extra.length === entries.length) {
      return { dict: tensors as [string, Tensor][], leftOut: extra.map(([key]) => key as string) };
    }
    const held: Map<Value, Value> = dict, nested = NESTED.find((key) => held.get(key) instanceof Map);
    if (nested === undefined) {
      const others = entries.filter((entry) => !isTensor(entry)).map(([key]) => quoted(String(key)));
      throw fail(
        "file-structure",
        action,
        `it holds no state dict: of tensors alone, by itself or as ${NESTED.map(quoted).join(", ")}; ` +
          (others.length ? `${others.slice(0, 4).join(", ")}${others.length > 4 ? ", …" : ""} is none` : "it is empty"),
      );
    }
    dict = held.get(nested)!;
  }
  throw fail(
    "file-structure",
    action,
    `it holds no state dict, but ${dict instanceof Map ? "dicts in dicts" : "something else"}`,
  );
}

function readTensors(
  dict: readonly [string, Tensor][],
  entries: ReadonlyMap<string, () => Uint8Array>,
  { folder, action, most }: { folder: string; action: string; most: number },
): StateDict {
  const storages = new Map<string, Uint8Array>();
  const storageBytes = ({ key, count, dtype }: Storage, place: string): Uint8Array => {
    const bytes = storages.get(key) ?? entries.get(`${folder}data/${key}`)?.();
    if (!bytes) throw fail("file-malformed", place, `its storage ${quoted(key)} is missing`);
    storages.set(key, bytes);
    if (bytes.length !== count * sizeOf(dtype)) {
      throw fail("file-damaged", place, `its storage of ${count} ${dtype} must not take ${bytes.length} bytes`);
    }
    return bytes;
  };
  let total = 0;
  return Object.fromEntries(dict.map(([name, { storage, offset, shape, strides }]) => {
    const place = `${action}: ${quoted(name)}`, bytes = storageBytes(storage, place), count = elements(shape);
    const last = shape.reduce((sum, n, d) => sum + (n - 1) * strides[d]!, offset);
    if (count === undefined || count > 0 && !(last < storage.count)) {
      throw fail(
        "file-damaged",
        place,
        `shape ${quoted(shape)} reaches beyond the ${storage.count} numbers of its storage`,
      );
    }
    if ((total += count * sizeOf(storage.dtype)) > most) {
      throw fail("file-damaged", place, `the tensors up to here stand for ${MOST_SHARING} times the bytes of the file`);
    }
    return [name, { shape: [...shape], data: toFloat32(bytes, storage.dtype, shape, place, { offset, strides }) }];
  }));
}

function parseMetadata(text: string | undefined, action: string): Record<string, string> {
  if (text === undefined) return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fail("file-not-json", action, `${METADATA} is not JSON: ${(error as Error).message}`, { error });
  }
  if (typeof json !== "object" || json === null || Object.values(json).some((value) => typeof value !== "string")) {
    throw fail("file-structure", action, `${METADATA} must be an object of strings`);
  }
  return json as Record<string, string>;
}

/**
 * A state dict as a `.pt` file, for `model.load_state_dict(torch.load(path))`, weights_only=True included.
 *
 * @param metadata Texts to put beside it, which PyTorch passes over and {@linkcode readPt} returns. Default: none.
 * @throws {TypeError | RangeError} If an entry is no tensor, or has another count of numbers than its shape says.
 */
export function writePt(
  dict: StateDict,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return joined(ptParts(dict, metadata));
}

/** The bytes of {@linkcode writePt}, one array after the other; those of the tensors are not copied. */
export function ptParts(dict: StateDict, metadata: Readonly<Record<string, string>>): Uint8Array[] {
  const action = "write state dict", tensors = checkedEntries(dict, action);
  checkMetadata(action, metadata);
  const broken = tensors.find(([name]) => !name.isWellFormed());
  if (broken) throw fail("argument-type", action, `the name ${quoted(broken[0])} is not Unicode`, { name: broken[0] });
  const pickle = new Pickler().tensors(tensors.map(([name, { shape, data }], i) => {
    const storage = new Storage("float32", String(i), data.length);
    return [name, new Tensor(storage, 0, shape, contiguousStrides(shape))];
  })).end();
  const utf8 = (text: string) => new TextEncoder().encode(text);
  return zipParts([
    ["archive/data.pkl", pickle],
    ["archive/byteorder", utf8("little")],
    ...tensors.map(([, tensor], i) => [`archive/data/${i}`, bytesOf(tensor)] as const),
    ["archive/version", utf8("3\n")],
    ...Object.keys(metadata).length ? [[`archive/${METADATA}`, utf8(JSON.stringify(metadata))] as const] : [],
  ]);
}
