/**
 * JSON as UTF-8, made in pieces: long strings, made again and again, would leave the engine's heap several times their
 * size.
 *
 * @module
 */

import { fail } from "../errors.ts";

/** Buffers larger than this are not reused: bytes. */
const MOST = 4 << 20;

const encoder = new TextEncoder(), spare: Uint8Array<ArrayBuffer>[] = [];

/** A buffer of bytes that grows. */
class Bytes implements Disposable {
  #bytes: Uint8Array<ArrayBuffer> = spare.pop() ?? new Uint8Array(1 << 16);
  #length = 0;

  put(text: string): void {
    const most = this.#length + 3 * text.length;
    if (most > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(most, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  /** Removes the last bytes. */
  drop(count: number): void {
    this.#length -= count;
  }

  get value(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  [Symbol.dispose](): void {
    if (this.#bytes.length <= MOST) spare.push(this.#bytes);
  }
}

/** Refuses numbers that JSON cannot express: they would be read back as null. */
function finite(name: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw fail("not-finite", "write", `${name} is ${value}`, { name, value });
}

/**
 * Passes a value's JSON to `put`, piece by piece, and the line breaks and spaces that make it readable to `blank`.
 *
 * @param depth Members of an object at depth 0 and 1 get a line each.
 */
function pieces(value: unknown, put: (text: string) => void, blank: (text: string) => void, depth = 0): void {
  if (typeof value !== "object" || value === null || "toJSON" in value) return put(JSON.stringify(value, finite));
  const isList = Array.isArray(value), indent = `\n${"  ".repeat(depth)}`;
  put(isList ? "[" : "{");
  let first = true;
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined && !isList) continue;
    if (!first) put(",");
    first = false;
    if (isList) {
      put(JSON.stringify(finite(name, member) ?? null, finite));
      continue;
    }
    if (depth < 2) blank(`${indent}  `);
    put(`${JSON.stringify(name)}:`);
    if (depth < 2) blank(" ");
    finite(name, member);
    pieces(member, put, blank, depth + 1);
  }
  if (depth < 2 && !isList && !first) blank(indent);
  put(isList ? "]" : "}");
}

/** SHA-256 of an object's JSON without line breaks and spaces. */
export async function hashJson(value: object): Promise<string> {
  using bytes = new Bytes();
  pieces(value, (text) => bytes.put(text), () => {});
  return await sha256(bytes.value);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return `sha256:${new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex()}`;
}

/**
 * An object's JSON, with a line for each member and each member's member, and with a `checksum`: {@linkcode hashJson} of
 * the object without it. The bytes are valid until `use` ends.
 */
export async function withJson<T>(value: object, use: (bytes: Uint8Array<ArrayBuffer>) => T | Promise<T>): Promise<T> {
  using compact = new Bytes();
  using lines = new Bytes();
  pieces(value, (text) => {
    compact.put(text);
    lines.put(text);
  }, (text) => lines.put(text));
  const checksum = await sha256(compact.value);
  lines.drop("\n}".length);
  lines.put(`,\n  "checksum": "${checksum}"\n}\n`);
  return await use(lines.value);
}
