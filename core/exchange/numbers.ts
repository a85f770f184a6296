import { quote, spell } from "../display.ts";
import { checkArgument, fail } from "../errors.ts";
import type { NamedArray, StateDict } from "../model/model.ts";

/** Types of numbers in other programs' files, under PyTorch's names. */
export type Dtype =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool";

/** What a type takes per number, and how the number at a byte is read; float32 is copied as it is, bit for bit. */
const DTYPES: {
  readonly [Name in Dtype]: { readonly size: number; readonly read?: (view: DataView, at: number) => number };
} = {
  float32: { size: 4 },
  float64: { size: 8, read: (view, at) => view.getFloat64(at, true) },
  float16: { size: 2, read: (view, at) => view.getFloat16(at, true) },
  bfloat16: { size: 2, read: (view, at) => bfloat16(view.getUint16(at, true)) },
  int64: { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  int32: { size: 4, read: (view, at) => view.getInt32(at, true) },
  int16: { size: 2, read: (view, at) => view.getInt16(at, true) },
  int8: { size: 1, read: (view, at) => view.getInt8(at) },
  uint8: { size: 1, read: (view, at) => view.getUint8(at) },
  bool: { size: 1, read: (view, at) => Number(view.getUint8(at) !== 0) },
};

const word = new DataView(new ArrayBuffer(4));

/** A number from the upper half of a 32-bit float. */
function bfloat16(bits: number): number {
  word.setUint16(0, bits);
  return word.getFloat32(0);
}

/** Bytes of a number. */
export function sizeOf(dtype: Dtype): number {
  return DTYPES[dtype].size;
}

/** Where the numbers of a tensor lie: the element of index (i, j, …) is number offset + i·strides[0] + j·strides[1] + …. */
export interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * Numbers of any type as 32-bit floats, row-major. Floats of another width are rounded to the nearest; integers must
 * be ones that a 32-bit float holds exactly.
 *
 * @param bytes Exactly the numbers, little-endian; with a layout, a storage that holds at least those.
 * @param place What errors call the tensor.
 * @throws {RangeError} If a number does not fit 32-bit floats.
 */
export function toFloat32(
  bytes: Uint8Array,
  dtype: Dtype,
  shape: readonly number[],
  place: string,
  layout?: Layout,
): Float32Array<ArrayBuffer> {
  const { size, read } = DTYPES[dtype], strides = contiguousStrides(shape);
  const { offset, strides: given } = layout ?? { offset: 0, strides };
  const count = elements(shape)!, start = offset * size;
  const dense = given.every((stride, d) => stride === strides[d] || shape[d] === 1);
  if (!read && dense) return new Float32Array(bytes.slice(start, start + count * size).buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), result = new Float32Array(count);
  // The same by bits: a signalling NaN read as a number would not come out as it was.
  const words = new Uint32Array(result.buffer);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = offset; i < count; i++) {
    if (read) {
      const value = read(view, at * size), rounded = Math.fround(value);
      const exact = dtype.startsWith("int") ? rounded === value : Number.isFinite(rounded) || !Number.isFinite(value);
      if (!exact) throw fail("number-out-of-range", place, `a 32-bit float cannot hold its ${dtype} ${value} at ${i}`);
      result[i] = rounded;
    } else {
      words[i] = view.getUint32(at * size, true);
    }
    for (let d = shape.length - 1; d >= 0; d--) {
      at += given[d]!;
      if (++index[d]! < shape[d]!) break;
      at -= shape[d]! * given[d]!;
      index[d] = 0;
    }
  }
  return result;
}

/** Strides of a row-major tensor without gaps. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let d = shape.length - 1, n = 1; d >= 0; d--) {
    strides[d] = n;
    n *= shape[d]!;
  }
  return strides;
}

/** Product of a shape; undefined if a dimension or the product is no count. */
export function elements(shape: readonly number[]): number | undefined {
  const count = shape.reduce((a, b) => a * b, 1);
  return shape.every(isCount) && isCount(count) ? count : undefined;
}

/** Whether a value is an integer from 0 that is exact. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The bytes of a tensor. */
export function bytesOf({ data }: NamedArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * The tensors of a dict, checked before they are written.
 *
 * @throws {TypeError | RangeError} If one is no { shape, data }, or the numbers are not as many as its shape says.
 */
export function checkedEntries(dict: StateDict, action: string): [string, NamedArray][] {
  if (typeof dict !== "object" || dict === null) {
    throw fail("argument-type", action, `it must be a dict, got ${spell(dict)}`, { value: dict });
  }
  return Object.entries(dict).map(([name, tensor]) => {
    const { shape, data } = tensor ?? {} as Partial<NamedArray>;
    if (!Array.isArray(shape) || !(data instanceof Float32Array)) {
      throw fail("argument-type", action, `"${name}" must be { shape, data } with data a Float32Array`, { name });
    }
    if (elements(shape) !== data.length) {
      throw fail("shape-mismatch", action, `"${name}" has shape [${shape}], but ${data.length} numbers`, { name });
    }
    return [name, tensor];
  });
}

/** JSON of what goes into a file. */
export function asJson(action: string, value: object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw fail("argument-type", action, "there is something in it that JSON cannot hold", { name: "file", error });
  }
}

/** Checks that metadata are strings by name. */
export function checkMetadata(action: string, metadata: unknown): void {
  checkArgument(action, "metadata", metadata, []);
  for (const [name, value] of Object.entries(metadata as object)) {
    if (typeof value === "string") continue;
    const problem = `metadata ${quoted(name)} must be a string, got ${spell(value)}`;
    throw fail("argument-type", action, problem, { name, value });
  }
}

/** A name as errors show it: quoted, and cut to what fits a line. */
export function quoted(name: unknown): string {
  const text = quote(name);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** Bytes of some arrays. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** Arrays of bytes as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
