/**
 * What an ONNX file says of itself: who wrote it, what goes in, what comes out, its operators and tensors. The model is not
 * run.
 *
 * @module
 */

import { fail } from "../errors.ts";

/** A field of a message: its number, and its integer or its bytes. */
type ReadField = readonly [field: number, value: number | Uint8Array];

/** Reads the fields of messages: protocol buffers. */
class Reader {
  readonly #name: string;
  readonly #decoder = new TextDecoder();

  /** @param name What errors call the file. */
  constructor(name: string) {
    this.#name = name;
  }

  #damaged(): Error {
    return fail("file-damaged", `read "${this.#name}"`, "it is no ONNX file, or was cut off", { file: this.#name });
  }

  /** The fields of a message, in order. */
  *fields(bytes: Uint8Array): Generator<ReadField, void> {
    let at = 0;
    const whole = () => {
      let value = 0, scale = 1;
      for (let i = 0;; i++, scale *= 128) {
        const byte = bytes[at++];
        if (byte === undefined || i > 9) throw this.#damaged();
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    const take = (size: number) => {
      if (!(size <= bytes.length - at)) throw this.#damaged();
      return bytes.subarray(at, at += size);
    };
    while (at < bytes.length) {
      const key = whole(), field = Math.floor(key / 8), type = key % 8;
      if (!field) throw this.#damaged();
      if (type === 0) yield [field, whole()];
      else if (type === 1) yield [field, take(8)];
      else if (type === 2) yield [field, take(whole())];
      else if (type === 5) yield [field, take(4)];
      else throw this.#damaged();
    }
  }

  /** The values of a field that holds bytes. */
  all(bytes: Uint8Array, field: number): Uint8Array[] {
    return [...this.fields(bytes)].flatMap(([number, value]) =>
      number === field && typeof value !== "number" ? [value] : []
    );
  }

  text(bytes: Uint8Array, field: number): string {
    return this.#decoder.decode(this.all(bytes, field)[0] ?? new Uint8Array());
  }

  /** Integers of a field, one by one or packed. */
  integers(bytes: Uint8Array, field: number): number[] {
    const found: number[] = [];
    for (const [number, value] of this.fields(bytes)) {
      if (number !== field) continue;
      if (typeof value === "number") found.push(value);
      else found.push(...[...this.fields(prefixed(value))].map(([, one]) => one as number));
    }
    return found;
  }
}

/** Packed integers as fields of their own. */
function prefixed(packed: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  let isStart = true;
  for (const byte of packed) {
    if (isStart) bytes.push(8);
    bytes.push(byte);
    isStart = byte < 128;
  }
  return Uint8Array.from(bytes);
}

/** Types of elements, by their numbers. */
const TYPES: Readonly<Record<number, string>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "float64",
  16: "bfloat16",
};

const typeOf = (number = 0) => TYPES[number] ?? `type ${number}`;

/** What `describeOnnx` finds. */
export interface OnnxInfo {
  /** What it is, in lines. */
  readonly lines: readonly string[];
  /** What Grutto wrote beside the graph, as JSON; absent in files of others. */
  readonly own?: string;
}

/**
 * What an ONNX file says of itself.
 *
 * @param name What errors call the file.
 * @throws {RangeError} If it is none, or was cut off.
 */
export function describeOnnx(bytes: Uint8Array, name: string): OnnxInfo {
  const reader = new Reader(name), graph = reader.all(bytes, 7)[0];
  if (!graph) throw fail("file-damaged", `read "${name}"`, "it is no ONNX file, or was cut off", { file: name });
  const tensors = reader.all(graph, 5).map((tensor) => ({
    name: reader.text(tensor, 8),
    shape: reader.integers(tensor, 1),
    type: typeOf(reader.integers(tensor, 2)[0]),
  }));
  const known = new Set(tensors.map((tensor) => tensor.name));
  const values = (field: number) =>
    reader.all(graph, field).map((value) => {
      const [tensor = new Uint8Array()] = reader.all(reader.all(value, 2)[0] ?? new Uint8Array(), 1);
      const shape = reader.all(reader.all(tensor, 2)[0] ?? new Uint8Array(), 1).map((dimension) =>
        reader.text(dimension, 2) || String(reader.integers(dimension, 1)[0] ?? "?")
      );
      return { name: reader.text(value, 1), type: typeOf(reader.integers(tensor, 1)[0]), shape };
    });
  const counts = new Map<string, number>();
  for (const node of reader.all(graph, 1)) {
    const operator = reader.text(node, 4);
    counts.set(operator, (counts.get(operator) ?? 0) + 1);
  }
  const operators = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const line = (
    word: string,
    { name, type, shape }: { name: string; type: string; shape: readonly (string | number)[] },
  ) => `${word} ${name}: ${type} [${shape.join(", ")}]`;
  const producer = [reader.text(bytes, 2), reader.text(bytes, 3)].filter((text) => text).join(" ");
  const sets = reader.all(bytes, 8).map((set) => {
    const domain = reader.text(set, 1);
    return `${domain ? `${domain} ` : ""}${reader.integers(set, 2)[0] ?? 1}`;
  });
  const size = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return {
    lines: [
      `written by ${producer || "nobody knows what"}, operator set ${sets.join(", ")}`,
      ...values(11).filter(({ name }) => !known.has(name)).map((value) => line("input", value)),
      ...values(12).map((value) => line("output", value)),
      `operators ${operators.map(([name, count]) => count > 1 ? `${name} (${count})` : name).join(", ")}`,
      `${size} numbers in ${tensors.length} tensor${tensors.length === 1 ? "" : "s"}:`,
      ...tensors.map((tensor) => `  ${line("", tensor).trim()}`),
    ],
    own:
      reader.all(bytes, 14).filter((entry) => reader.text(entry, 1) === "grutto").map((entry) =>
        reader.text(entry, 2)
      )[0],
  };
}
