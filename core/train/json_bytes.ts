/**
 * JSON as UTF-8, made in pieces: no file is ever one string, which the engine could not hold, and long strings, made again
 * and again, would leave its heap several times their size.
 *
 * @module
 */

import { loadCrypto } from "../../deps.ts";
import { dispose, toHex } from "../engine.ts";
import { fail } from "../errors.ts";

/** Bytes that are gathered before they are passed on. */
const CHUNK = 1 << 20;

/** Buffers larger than this are not reused: bytes. */
const MOST = 4 << 20;

const encoder = new TextEncoder(), spare: Uint8Array<ArrayBuffer>[] = [];

/** A buffer of bytes that grows. */
export class Bytes implements Disposable {
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

  clear(): void {
    this.#length = 0;
  }

  get isFull(): boolean {
    return this.#length >= CHUNK;
  }

  get value(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  [dispose](): void {
    if (this.#bytes.length <= MOST) spare.push(this.#bytes);
  }
}

/** SHA-256 of text that comes in pieces. */
class Checksum implements Disposable {
  readonly #bytes = new Bytes();
  /** Hashes in pieces; null in browsers, which hash but whole texts. */
  #hash: ReturnType<Awaited<ReturnType<typeof loadCrypto>>["createHash"]> | null | undefined;

  /** Whether {@linkcode Checksum.pass} is due. */
  get isFull(): boolean {
    return this.#hash !== null && this.#bytes.isFull;
  }

  put(text: string): void {
    this.#bytes.put(text);
  }

  /** Hashes what was gathered. */
  async pass(): Promise<void> {
    if (this.#hash === undefined) this.#hash = await createHash();
    if (!this.#hash) return;
    this.#hash.update(this.#bytes.value);
    this.#bytes.clear();
  }

  async value(): Promise<string> {
    // The module that hashes in pieces is loaded only where there are several.
    if (!this.#hash) return hashText(await crypto.subtle.digest("SHA-256", this.#bytes.value));
    await this.pass();
    return hashText(this.#hash.digest());
  }

  [dispose](): void {
    this.#bytes[dispose]();
  }
}

async function createHash() {
  try {
    return (await loadCrypto()).createHash("sha256");
  } catch {
    return null;
  }
}

function hashText(digest: ArrayBuffer | Uint8Array): string {
  return `sha256:${toHex(new Uint8Array(digest))}`;
}

/** Text that is made while it is written, such as many numbers; what it yields is JSON without line breaks and spaces. */
export abstract class Made {
  abstract texts(): Iterable<string>;
}

/** Refuses numbers that JSON cannot express: they would be read back as null. */
function finite(name: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw fail("not-finite", "write", `${name} is ${value}`, { name, value });
}

/** Records that are put into words at a time: each text takes some objects to pass on. */
const RECORDS = 64;

/** Whether it is an object of finite numbers alone, as the records of a history are. */
function isRecord(item: unknown): boolean {
  if (typeof item !== "object" || item === null || "toJSON" in item) return false;
  for (const name in item) if (!Number.isFinite((item as Record<string, unknown>)[name])) return false;
  return true;
}

/**
 * A value's JSON, piece by piece. Members of an object at depth 0 and 1 get a line each: line breaks and spaces, which are
 * pieces of their own.
 */
function* pieces(value: unknown, depth = 0): Generator<string> {
  if (value instanceof Made) return yield* value.texts();
  if (typeof value !== "object" || value === null || "toJSON" in value) return yield JSON.stringify(value, finite);
  if (Array.isArray(value)) {
    yield "[";
    for (let i = 0, end; i < value.length; i = end) {
      if (i) yield ",";
      for (end = i; end < value.length && end < i + RECORDS && isRecord(value[end]);) end++;
      if (end > i) yield JSON.stringify(value.slice(i, end)).slice(1, -1);
      else {
        if (typeof value[i] === "number") finite(String(i), value[i]);
        yield JSON.stringify(value[i] ?? null, finite);
        end = i + 1;
      }
    }
    return yield "]";
  }
  const indent = `\n${"  ".repeat(depth)}`;
  yield "{";
  let first = true;
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    if (!first) yield ",";
    first = false;
    if (depth < 2) yield `${indent}  `;
    yield `${JSON.stringify(name)}:`;
    if (depth < 2) yield " ";
    finite(name, member);
    yield* pieces(member, depth + 1);
  }
  if (depth < 2 && !first) yield indent;
  yield "}";
}

function isBlank(piece: string): boolean {
  return piece[0] === "\n" || piece[0] === " ";
}

/** SHA-256 of an object's JSON without line breaks and spaces. */
export async function hashJson(value: object): Promise<string> {
  using checksum = new Checksum();
  for (const piece of pieces(value)) {
    if (isBlank(piece)) continue;
    checksum.put(piece);
    if (checksum.isFull) await checksum.pass();
  }
  return await checksum.value();
}

/**
 * An object's JSON in chunks, with a line for each member and each member's member, and with a `checksum`:
 * {@linkcode hashJson} of the object without it. Each chunk is valid until the next is asked for.
 */
export async function* jsonChunks(value: object): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  using checksum = new Checksum();
  using lines = new Bytes();
  // The end waits: the checksum stands before it.
  const last = ["", ""];
  for (const piece of pieces(value)) {
    lines.put(last.shift()!);
    last.push(piece);
    if (!isBlank(piece)) checksum.put(piece);
    if (checksum.isFull) await checksum.pass();
    if (!lines.isFull) continue;
    yield lines.value;
    lines.clear();
  }
  lines.put(`,\n  "checksum": "${await checksum.value()}"\n}\n`);
  yield lines.value;
}
