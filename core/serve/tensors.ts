/**
 * Tensors of the Open Inference Protocol: as JSON, and as bytes behind it.
 *
 * @module
 */

import { ended } from "../data/readers/ends.ts";
import type { SequenceRecord } from "../data/readers/record.ts";
import { digit } from "../job/prediction_json.ts";
import { textOf } from "./body.ts";
import { member, Problem } from "./problem.ts";

/** A tensor of a request or an answer. */
export interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[] | readonly string[] | Float64Array | Float32Array;
}

/** Datatypes of numbers: bytes of each, and how one is read. */
const NUMBERS: Readonly<Record<string, readonly [bytes: number, read: (view: DataView, at: number) => number]>> = {
  BOOL: [1, (view, at) => view.getUint8(at)],
  UINT8: [1, (view, at) => view.getUint8(at)],
  UINT16: [2, (view, at) => view.getUint16(at, true)],
  UINT32: [4, (view, at) => view.getUint32(at, true)],
  UINT64: [8, (view, at) => Number(view.getBigUint64(at, true))],
  INT8: [1, (view, at) => view.getInt8(at)],
  INT16: [2, (view, at) => view.getInt16(at, true)],
  INT32: [4, (view, at) => view.getInt32(at, true)],
  INT64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  FP32: [4, (view, at) => view.getFloat32(at, true)],
  FP64: [8, (view, at) => view.getFloat64(at, true)],
};

/** Dimensions at most: a batch of sequences of steps. */
const DIMENSIONS = 3;

/** The largest of them. */
const MOST = 2 ** 31 - 1;

/**
 * A tensor of a request.
 *
 * @param field Its place in the body.
 * @param bytes What follows the JSON, if it has some.
 */
export function tensorOf(json: unknown, field: string, bytes: Uint8Array | undefined): Tensor {
  const name = member(json, "name"), datatype = member(json, "datatype"), shape = member(json, "shape");
  if (typeof name !== "string") throw new Problem(400, `${field}.name must be a string`, { field: `${field}.name` });
  const isShape = Array.isArray(shape) && shape.length > 0 && shape.length <= DIMENSIONS &&
    shape.every((size) => Number.isInteger(size) && size > 0 && size <= MOST);
  if (!isShape) {
    const problem = `${field}.shape must be 1 to ${DIMENSIONS} integers from 1 to ${MOST}`;
    throw new Problem(400, problem, { field: `${field}.shape` });
  }
  if (typeof datatype !== "string" || datatype !== "BYTES" && !Object.hasOwn(NUMBERS, datatype)) {
    const problem = `${field}.datatype must be one of ${Object.keys(NUMBERS).join(", ")}, BYTES`;
    throw new Problem(400, problem, { field: `${field}.datatype` });
  }
  const count = (shape as number[]).reduce((a, b) => a * b, 1);
  const wrong = (got: number | string) =>
    new Problem(400, `${field}.data must have ${count} elements, as shape says, got ${got}`, {
      field: `${field}.data`,
    });
  if (bytes) {
    if (datatype === "BYTES") {
      const texts = stringsIn(bytes, field);
      if (texts.length !== count) throw wrong(texts.length);
      return { name, datatype, shape: shape as number[], data: texts };
    }
    const [size, read] = NUMBERS[datatype]!, view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length !== count * size) throw wrong(`${bytes.length} bytes`);
    return {
      name,
      datatype,
      shape: shape as number[],
      data: Float64Array.from({ length: count }, (_, i) => read(view, i * size)),
    };
  }
  const data: unknown[] = [];
  flatten(member(json, "data"), data, `${field}.data`, 0, count);
  if (data.length !== count) throw wrong(data.length > count ? `${data.length} or more` : data.length);
  const isText = datatype === "BYTES";
  data.forEach((value, i) => {
    const fits = isText
      ? typeof value === "string"
      : typeof value === "number" && holds(datatype, value) || value === null ||
        datatype === "BOOL" && typeof value === "boolean";
    if (!fits) {
      const problem = `${field}.data must be ${
        isText ? "strings" : `finite numbers that ${datatype} holds, or null where one is missing`
      }`;
      throw new Problem(400, problem, { field: `${field}.data[${i}]` });
    }
  });
  return {
    name,
    datatype,
    shape: shape as number[],
    data: isText ? data as string[] : Float64Array.from(data, (value) => value === null ? NaN : Number(value)),
  };
}

/** Whether a number is one that a datatype can hold. */
function holds(datatype: string, value: number): boolean {
  const [, unsigned, bits] = /^(U?)INT(\d+)$/.exec(datatype) ?? [];
  if (bits === undefined) return datatype === "BOOL" ? value === 0 || value === 1 : Number.isFinite(value);
  const [least, end] = unsigned ? [0, 2 ** Number(bits)] : [-(2 ** (Number(bits) - 1)), 2 ** (Number(bits) - 1)];
  return Number.isInteger(value) && value >= least && value < end;
}

/** Elements of lists in lists, row by row; no more than are wanted, and one. */
function flatten(json: unknown, into: unknown[], field: string, depth: number, count: number): void {
  if (!Array.isArray(json) || depth >= DIMENSIONS) {
    throw new Problem(400, `${field} must be a list of elements, or lists of them as shape says`, { field });
  }
  for (const one of json) {
    if (into.length > count) return;
    if (Array.isArray(one)) flatten(one, into, field, depth + 1, count);
    else into.push(one);
  }
}

/** Strings that stand behind their lengths. */
function stringsIn(bytes: Uint8Array, field: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), texts: string[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const from = at + 4, end = from + view.getUint32(at, true);
    if (end > bytes.length) break;
    texts.push(textOf(bytes.subarray(from, end)));
    at = end;
  }
  if (at === bytes.length) return texts;
  throw new Problem(400, `${field}: its bytes must be strings, each behind its length in 4 bytes`, { field });
}

/** The sequences in a tensor (N, T, I) or (N, T), of as many steps each as is said; or texts (N), (N, 1). */
export function recordsOf({ shape, data, datatype }: Tensor, field: string, lengths?: Tensor): SequenceRecord[] {
  const [N, T = 1, I = 1] = shape as [number, number?, number?], place = (n: number) => `body, record ${n + 1}`;
  if (datatype === "BYTES") {
    if (T * I !== 1) {
      throw new Problem(400, `${field}.shape must be [N] or [N, 1] of texts`, { field: `${field}.shape` });
    }
    return Array.from(data as string[], (text, n) => ({ text, steps: 0, channels: 0, place: place(n) }));
  }
  if (shape.length < 2) {
    throw new Problem(400, `${field}.shape must be [sequences, steps, numbers of a step]`, { field: `${field}.shape` });
  }
  const counts = lengths?.data ?? [];
  if (
    lengths && (counts.length !== N || !Array.from(counts, Number).every((n) => Number.isInteger(n) && n > 0 && n <= T))
  ) {
    throw new Problem(400, `lengths must be ${N} integers from 1 to ${T}`, { field: "lengths" });
  }
  return Array.from({ length: N }, (_, n) => {
    const steps = lengths ? Number(counts[n]) : T, from = n * T * I;
    const values = (data as Float64Array).subarray(from, from + steps * I);
    const missing = values.some(Number.isNaN) ? place(n) : undefined;
    return ended({ values, steps, channels: I, place: place(n), ...missing && { missing } });
  });
}

/** A tensor of an answer as JSON has it. */
export function tensorJson({ data, ...about }: Tensor): object {
  return {
    ...about,
    data: Array.from<string | number, string | number>(
      data,
      (value) => typeof value === "number" ? digit(value) : value,
    ),
  };
}

/** The bytes of a tensor of an answer. */
export function tensorBytes({ datatype, data }: Tensor): Uint8Array {
  if (datatype === "BYTES") {
    const texts = Array.from(data as string[], (text) => new TextEncoder().encode(text));
    const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 4 + text.length, 0)),
      view = new DataView(bytes.buffer);
    let at = 0;
    for (const text of texts) {
      view.setUint32(at, text.length, true);
      bytes.set(text, at + 4);
      at += 4 + text.length;
    }
    return bytes;
  }
  const size = datatype === "FP64" ? 8 : 4,
    bytes = new Uint8Array(data.length * size),
    view = new DataView(bytes.buffer);
  Array.from<string | number, number>(data, Number).forEach((value, i) => {
    if (datatype === "FP64") view.setFloat64(i * size, value, true);
    else if (datatype === "INT32") view.setInt32(i * size, value, true);
    else view.setFloat32(i * size, value, true);
  });
  return bytes;
}
