/**
 * The safetensors format: 8 bytes with the length of a header, the header (JSON: each tensor's type, shape and bytes, and
 * texts of the writer's own under "__metadata__"), and the numbers, one tensor right behind the other.
 *
 * @module
 */

import { checkArgument, fail } from "../errors.ts";
import type { StateDict } from "../model/model.ts";
import {
  bytesOf,
  checkedEntries,
  checkMetadata,
  type Dtype,
  elements,
  isCount,
  joined,
  quoted,
  sizeOf,
  toFloat32,
} from "./numbers.ts";

/** What {@linkcode readSafetensors} returns. */
export interface Safetensors {
  /** All tensors, by name. */
  readonly tensors: StateDict;
  /** Texts that the writer put beside them. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reserved name of the header that is no tensor. */
const METADATA = "__metadata__";

/** The most bytes of header that are parsed: some hundred thousand tensors. */
const MOST_HEADER = 16e6;

const DTYPES: ReadonlyMap<unknown, Dtype> = new Map<string, Dtype>([
  ["F32", "float32"],
  ["F64", "float64"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);

/**
 * The tensors of a safetensors file. Numbers of other types than F32 are converted: floats rounded, integers where
 * 32-bit floats hold them exactly.
 *
 * @param name What the errors call the file.
 * @throws {SyntaxError} If the header is cut off or is not JSON.
 * @throws {TypeError} If the header says something else than tensors do, a name twice, or an unknown type of numbers.
 * @throws {RangeError} If lengths, shapes and bytes do not fit together, or a number does not fit 32-bit floats.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readSafetensors, writeSafetensors } from "@grutto/grutto";
 *
 * const bytes = writeSafetensors({ "fc.bias": { shape: [2], data: Float32Array.of(1, 2) } }, { author: "me" });
 * const { tensors, metadata } = readSafetensors(bytes);
 * assert.deepEqual([tensors["fc.bias"]!.data, metadata.author], [Float32Array.of(1, 2), "me"]);
 * ```
 */
export function readSafetensors(bytes: Uint8Array, name = "safetensors"): Safetensors {
  checkArgument("read safetensors", "name", name, "string");
  const action = `read "${name}"`;
  checkArgument(action, "bytes", bytes, "Uint8Array");
  if (bytes.length < 8) {
    throw fail("file-cut-off", action, `it is cut off: a header's length takes 8 bytes, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset), length = Number(view.getBigUint64(0, true));
  const rest = bytes.length - 8;
  if (length > rest) throw fail("file-damaged", action, `its header would be ${length} bytes, and ${rest} follow`);
  if (length > MOST_HEADER) {
    throw fail("file-too-large", action, `its header is ${length} bytes, and at most ${MOST_HEADER} are read`);
  }
  let text: string, header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + length));
    header = JSON.parse(text);
  } catch (error) {
    throw fail("file-not-json", action, `its header is not JSON: ${(error as Error).message}`, { error });
  }
  const entries = Object.entries(record(header, `${action}: its header`)), data = bytes.subarray(8 + length);
  let metadata: [string, string][] = [];
  const tensors: [string, Entry][] = [];
  for (const [key, value] of entries) {
    const fields = record(value, `${action}: ${quoted(key)}`);
    if (key === METADATA) metadata = texts(fields, action);
    else tensors.push([key, entry(fields, `${action}: ${quoted(key)}`)]);
  }
  // JSON.parse takes the last of two entries of a name without a word.
  const names = entries.length + metadata.length + 3 * tensors.length;
  if (countNames(text) !== names) throw fail("file-structure", action, "a name occurs twice in its header");

  // Every byte belongs to one tensor: what is checked here is all that is allocated below.
  tensors.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const [key, tensor] of tensors) {
    if (tensor.begin !== end) {
      throw fail("file-damaged", action, `${quoted(key)} begins at byte ${tensor.begin}, expected ${end}`);
    }
    end = tensor.end;
  }
  if (end !== data.length) {
    throw fail("file-damaged", action, `its tensors take ${end} bytes, and ${data.length} are there`);
  }
  return {
    tensors: Object.fromEntries(tensors.map(([key, { dtype, shape, begin, end }]) => {
      const values = toFloat32(data.subarray(begin, end), dtype, shape, `${action}: ${quoted(key)}`);
      return [key, { shape, data: values }];
    })),
    metadata: Object.fromEntries(metadata),
  };
}

/** What a header says of a tensor. */
interface Entry {
  readonly dtype: Dtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

function record(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fail("file-structure", place, `it must be an object, got ${quoted(value)}`, { value });
  }
  return value as Record<string, unknown>;
}

function texts(fields: Record<string, unknown>, action: string): [string, string][] {
  return Object.entries(fields).map(([key, value]) => {
    if (typeof value !== "string") {
      throw fail("file-structure", action, `${METADATA} ${quoted(key)} must be a string, got ${quoted(value)}`, {
        name: key,
        value,
      });
    }
    return [key, value];
  });
}

function entry(fields: Record<string, unknown>, place: string): Entry {
  const odd = Object.keys(fields).find((key) => !["dtype", "shape", "data_offsets"].includes(key));
  if (odd !== undefined) throw fail("file-structure", place, `it has an unknown field ${quoted(odd)}`, { name: odd });
  const own = (key: string) => Object.hasOwn(fields, key) ? fields[key] : undefined;
  const counts = (key: string): number[] => {
    const value = own(key);
    if (!Array.isArray(value) || !value.every(isCount)) {
      throw fail("file-structure", place, `${key} must be a list of integers from 0, got ${quoted(value)}`, {
        name: key,
        value,
      });
    }
    return value;
  };
  const dtype = DTYPES.get(own("dtype")), shape = counts("shape"), offsets = counts("data_offsets");
  if (!dtype) {
    throw fail(
      "file-structure",
      place,
      `dtype must be one of ${[...DTYPES.keys()].join(", ")}, got ${quoted(own("dtype"))}`,
      { name: "dtype" },
    );
  }
  if (offsets.length !== 2) {
    throw fail("file-structure", place, `data_offsets must be two numbers, got ${quoted(offsets)}`, {
      name: "data_offsets",
    });
  }
  const [begin, end] = offsets as [number, number], count = elements(shape);
  if (count === undefined || end - begin !== count * sizeOf(dtype)) {
    throw fail(
      "file-damaged",
      place,
      `${dtype} of shape ${quoted(shape)} do not take the bytes from ${begin} to ${end}`,
    );
  }
  return { dtype, shape, begin, end };
}

/** The names in a text of JSON: strings with a colon behind them. */
function countNames(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"\s*(:)?/gs)) if (colon) count++;
  return count;
}

/**
 * Tensors as a safetensors file, in the order of the dict, F32.
 *
 * @param metadata Texts to put beside them. Default: none.
 * @throws {TypeError | RangeError} If an entry is no tensor, or has another count of numbers than its shape says.
 */
export function writeSafetensors(
  dict: StateDict,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  return joined(safetensorsParts(dict, metadata));
}

/** The bytes of {@linkcode writeSafetensors}, one array after the other; those of the tensors are not copied. */
export function safetensorsParts(dict: StateDict, metadata: Readonly<Record<string, string>>): Uint8Array[] {
  const action = "write safetensors", tensors = checkedEntries(dict, action);
  checkMetadata(action, metadata);
  const header: [string, unknown][] = Object.keys(metadata).length ? [[METADATA, metadata]] : [];
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA) throw fail("argument-type", action, `no tensor can be named ${METADATA}`, { name });
    header.push([name, { dtype: "F32", shape, data_offsets: [end, end += data.byteLength] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  // Padded so that the numbers begin at a multiple of 8.
  const length = Math.ceil(json.length / 8) * 8, head = new Uint8Array(8 + length);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.fill(0x20, 8).set(json, 8);
  return [head, ...tensors.map(([, tensor]) => bytesOf(tensor))];
}
