/**
 * NumPy's `.npy`, format versions 1 to 3: numbers in C or Fortran order, of either byte order; for labels also texts. Written, too.
 *
 * @module
 */

import { checkArgument, fail } from "../../errors.ts";
import { badFile, show } from "./bad_data.ts";
import type { ByteReader } from "./bytes.ts";

/** An array of numbers, row-major. */
export interface NpyArray {
  /** Sizes of its dimensions. */
  readonly shape: readonly number[];
  /** Its numbers. */
  readonly data:
    | Float32Array
    | Float64Array
    | Int8Array
    | Uint8Array
    | Int16Array
    | Uint16Array
    | Int32Array
    | Uint32Array
    | BigInt64Array
    | BigUint64Array;
}

/** What the head of an array says. */
export interface NpyHead {
  readonly shape: readonly number[];
  /** Bytes of an element. */
  readonly size: number;
  /** Reads the element at a byte: a number; of the larger integers, and of texts, as such. */
  readonly get: (view: DataView, at: number) => number | bigint | string;
  /** Whether elements are texts. */
  readonly isText: boolean;
  /** Whether they are float32 as this machine has them. */
  readonly isFloat32: boolean;
  /** Whether the first index changes fastest, as pandas writes it, and not the last. */
  readonly isFortran: boolean;
}

/** Longest head, as in NumPy. */
const MAX_HEAD = 10_000;

const MAGIC = "\u0093NUMPY";

/** Types by NumPy's kind and size; kinds of any size by the kind. */
const GETTERS: Readonly<Record<string, (view: DataView, at: number, little: boolean) => number | bigint>> = {
  b1: (view, at) => view.getUint8(at),
  i1: (view, at) => view.getInt8(at),
  u1: (view, at) => view.getUint8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  u2: (view, at, little) => view.getUint16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i8: (view, at, little) => view.getBigInt64(at, little),
  u8: (view, at, little) => view.getBigUint64(at, little),
  f2: (view, at, little) => half(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
};

/** The number that 16 bits are. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

function elementOf(name: string, descr: string): Omit<NpyHead, "shape" | "isFortran"> {
  const found = descr.match(/^([<>|=]?)([a-zA-Z])(\d{0,9})(.*)$/);
  const [, order, kind, digits, rest] = found ?? ["", "", "", "", ""];
  const little = order !== ">", key = `${kind}${digits}`;
  if (kind === "O") {
    throw badFile("file-unsupported", name, "dtype is object, and pickled Python objects are not read", {
      advice: "save texts as .astype(str), numbers as .astype(float), sequences of different lengths padded with NaN",
    });
  }
  if (!rest && Object.hasOwn(GETTERS, key)) {
    const get = GETTERS[key]!;
    return {
      size: Number(digits),
      get: (view, at) => get(view, at, little),
      isText: false,
      isFloat32: key === "f4" && little,
    };
  }
  if (!rest && (kind === "U" || kind === "S") && Number(digits) > 0) {
    const width = kind === "U" ? 4 : 1;
    const get = (view: DataView, at: number) => {
      let text = "";
      for (let i = 0; i < Number(digits); i++) {
        const code = kind === "U" ? view.getUint32(at + 4 * i, little) : view.getUint8(at + i);
        if (code > 0x10ffff) throw badFile("file-malformed", name, "a text of the array is not Unicode");
        if (code) text += String.fromCodePoint(code);
      }
      return text;
    };
    return { size: width * Number(digits), get, isText: true, isFloat32: false };
  }
  throw badFile("file-unsupported", name, `dtype must be one of float, int, uint or bool, got ${show(descr)}`);
}

/** The fields of a head: a Python dictionary of a known form. Undefined where it is none. */
function fieldsOf(text: string): Map<string, string> | undefined {
  const fields = new Map<string, string>(), end = /\s*\}\s*$/y;
  const key = /\s*['"](descr|fortran_order|shape)['"]\s*:\s*/y;
  const value = /('[^']*'|"[^"]*"|True|False|\([\d\s,L]*\)|\[[^\]]*\])\s*,?/y;
  if (text[0] !== "{") return undefined;
  for (key.lastIndex = 1;; key.lastIndex = value.lastIndex) {
    const name = key.exec(text)?.[1];
    value.lastIndex = key.lastIndex;
    const found = name && value.exec(text)?.[1];
    if (!found) break;
    fields.set(name, found);
    end.lastIndex = value.lastIndex;
  }
  return end.test(text) ? fields : undefined;
}

/** Reads the head of an array. */
export async function readNpyHead(name: string, bytes: ByteReader): Promise<NpyHead> {
  const start = await bytes.read(8);
  if (!start.length) throw badFile("file-empty", name, "the file is empty");
  if (String.fromCharCode(...start.subarray(0, 6)) !== MAGIC) {
    throw badFile("file-malformed", name, "it does not begin as a .npy does");
  }
  const version = start[6]!;
  const isCut = () => badFile("file-cut-off", name, "the file ends within its head");
  if (start.length < 8) throw isCut();
  if (version < 1 || version > 3) {
    throw badFile("file-unsupported", name, `.npy version must be 1 to 3, got ${version}`);
  }
  const size = await bytes.read(version === 1 ? 2 : 4), view = new DataView(size.buffer);
  if (size.length < (version === 1 ? 2 : 4)) throw isCut();
  const length = version === 1 ? view.getUint16(0, true) : view.getUint32(0, true);
  if (length > MAX_HEAD) {
    throw badFile("file-too-large", name, `its head must be at most ${MAX_HEAD} bytes, got ${length}`);
  }
  const head = await bytes.read(length);
  if (head.length < length) throw isCut();
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(head).trimEnd(), fields = fieldsOf(text);
  if (!fields) {
    throw badFile("file-malformed", name, `its head must be a Python dictionary of three fields, got ${show(text)}`);
  }
  const descr = fields.get("descr"), order = fields.get("fortran_order"), shape = fields.get("shape");
  if (!descr || !order || !shape?.startsWith("(")) {
    throw badFile("file-malformed", name, "its head must have descr, fortran_order and shape");
  }
  if (descr.startsWith("[")) {
    throw badFile("file-unsupported", name, "dtype has fields: save the columns as one array of numbers");
  }
  const sizes = shape.slice(1, -1).split(",").map((one) => one.trim()).filter((one) => one).map((one) =>
    Number(one.replace(/L$/, ""))
  );
  if (sizes.some((one) => !Number.isSafeInteger(one) || one < 0)) {
    throw badFile("file-malformed", name, `shape must be integers, got ${show(shape)}`);
  }
  return { shape: sizes, isFortran: order === "True", ...elementOf(name, descr.slice(1, -1)) };
}

/** How NumPy calls the types that are written. */
function descrOf({ data }: NpyArray): string {
  const kind = data instanceof Float32Array || data instanceof Float64Array
    ? "f"
    : data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint32Array ||
        data instanceof BigUint64Array
    ? "u"
    : "i";
  return `${data.BYTES_PER_ELEMENT === 1 ? "|" : "<"}${kind}${data.BYTES_PER_ELEMENT}`;
}

/**
 * An array as a `.npy` file.
 *
 * @throws {RangeError} If the numbers do not fill the shape.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readRecords, writeNpy } from "@grutto/grutto";
 *
 * const bytes = writeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
 * const input = { name: "x.npy", stream: () => new Blob([bytes]).stream() };
 * const { records } = await readRecords(input, { optionalLabels: true });
 * assert.deepEqual((await Array.fromAsync(records)).map(({ values }) => values), [
 *   Float32Array.of(1, 2, 3),
 *   Float32Array.of(4, 5, 6),
 * ]);
 * ```
 */
export function writeNpy(array: NpyArray): Uint8Array<ArrayBuffer> {
  checkArgument("write array", "array", array, ["shape", "data"]);
  checkArgument("write array", "shape", array.shape, "numbers");
  checkArgument("write array", "data", array.data, ["buffer", "length"]);
  const { shape, data } = array, count = shape.reduce((a, b) => a * b, 1);
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0) || count !== data.length) {
    throw fail("shape-mismatch", "write array", `shape [${shape}] must hold its ${data.length} numbers`);
  }
  const sizes = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const text = `{'descr': '${descrOf(array)}', 'fortran_order': False, 'shape': ${sizes}, }`;
  // The numbers begin at a multiple of 64 bytes, as in NumPy's own files.
  const head = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + head.length + data.byteLength), view = new DataView(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  bytes[6] = 1;
  view.setUint16(8, head.length, true);
  for (let i = 0; i < head.length; i++) bytes[10 + i] = head.charCodeAt(i);
  // Typed arrays are little-endian wherever this runs.
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + head.length);
  return bytes;
}
