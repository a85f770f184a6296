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

/** Characters of a short text. */
const SHORT = 256;

/** Buffers larger than this are not reused: bytes. */
const MOST = 4 << 20;

/** A piece of JSON: text, or its bytes. */
type Piece = string | Uint8Array;

const encoder = new TextEncoder(), spare: Uint8Array<ArrayBuffer>[] = [];

/** A buffer of bytes that grows. */
export class Bytes implements Disposable {
  #bytes: Uint8Array<ArrayBuffer> = spare.pop() ?? new Uint8Array(1 << 16);
  #length = 0;

  put(piece: Piece): void {
    const isText = typeof piece === "string", most = this.#length + (isText ? 3 : 1) * piece.length;
    if (most > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(most, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    if (!isText) {
      this.#bytes.set(piece, this.#length);
      this.#length = most;
    } else if (!this.#putShort(piece)) {
      this.#length += encoder.encodeInto(piece, this.#bytes.subarray(this.#length)).written;
    }
  }

  /** Puts a short text of ASCII: most are, and a view for each takes more room than they do. Returns whether it could. */
  #putShort(text: string): boolean {
    if (text.length > SHORT) return false;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return false;
      this.#bytes[this.#length + i] = code;
    }
    this.#length += text.length;
    return true;
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

  put(piece: Piece): void {
    this.#bytes.put(piece);
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

/** The first items of a list that only grows, which are not copied to be written. */
export class Prefix {
  readonly items: readonly unknown[];
  readonly length: number;

  constructor(items: readonly unknown[], length = items.length) {
    this.items = items;
    this.length = length;
  }
}

/** Refuses numbers that JSON cannot express: they would be read back as null. */
function finite(name: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw fail("not-finite", "write", `${name} is ${value}`, { name, value });
}

/** Records that are put into words at a time: each text takes some objects to pass on. */
const RECORDS = 64;

/** Records that were put into words, by the first of them: every checkpoint has those of the one before it. */
const written = new WeakMap<object, { readonly records: readonly unknown[]; readonly bytes: Uint8Array }>();

/** JSON of the items from a place on, if they are {@linkcode RECORDS} records: without brackets. */
function recordBytes({ items, length }: Prefix, start: number): Uint8Array | undefined {
  const first = items[start];
  if (typeof first !== "object" || first === null || start + RECORDS > length) return undefined;
  const known = written.get(first);
  if (known?.records.every((record, i) => record === items[start + i])) return known.bytes;
  const records = items.slice(start, start + RECORDS);
  if (!records.every(isRecord)) return undefined;
  const bytes = encoder.encode(JSON.stringify(records).slice(1, -1));
  written.set(first, { records, bytes });
  return bytes;
}

/** Whether it is an object of finite numbers alone, as the records of a history are. */
function isRecord(item: unknown): boolean {
  if (typeof item !== "object" || item === null || "toJSON" in item) return false;
  for (const name in item) if (!Number.isFinite((item as Record<string, unknown>)[name])) return false;
  return true;
}

/** Whether JSON of an object is short and at once: it has no list, and nothing that is made while it is written. */
function isPlain(value: object): boolean {
  if (Array.isArray(value) || value instanceof Prefix || value instanceof Made || ArrayBuffer.isView(value)) {
    return false;
  }
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (typeof member === "object" && member !== null && !isPlain(member)) return false;
  }
  return true;
}

/**
 * A value's JSON, piece by piece. Members of an object at depth 0 and 1 get a line each: line breaks and spaces, which are
 * pieces of their own.
 */
function* pieces(value: unknown, depth = 0): Generator<Piece> {
  if (value instanceof Made) return yield* value.texts();
  if (typeof value !== "object" || value === null || "toJSON" in value || depth > 1 && isPlain(value)) {
    return yield JSON.stringify(value, finite);
  }
  if (Array.isArray(value) || value instanceof Prefix) {
    const list = value instanceof Prefix ? value : new Prefix(value), { items, length } = list;
    yield "[";
    for (let i = 0, end; i < length; i = end) {
      if (i) yield ",";
      end = i;
      const known = recordBytes(list, i);
      if (known) {
        yield known;
        end += RECORDS;
        continue;
      }
      while (end < length && end < i + RECORDS && isRecord(items[end])) end++;
      if (end > i) yield JSON.stringify(items.slice(i, end)).slice(1, -1);
      else {
        if (typeof items[i] === "number") finite(String(i), items[i]);
        yield JSON.stringify(items[i] ?? null, finite);
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

function isBlank(piece: Piece): boolean {
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
  // The end, which is text, waits: the checksum stands before it.
  let last = ["", ""];
  for (const piece of pieces(value)) {
    lines.put(last[0]!);
    if (typeof piece === "string") last = [last[1]!, piece];
    else {
      lines.put(last[1]!);
      lines.put(piece);
      last = ["", ""];
    }
    if (!isBlank(piece)) checksum.put(piece);
    if (checksum.isFull) await checksum.pass();
    if (!lines.isFull) continue;
    yield lines.value;
    lines.clear();
  }
  lines.put(`,\n  "checksum": "${await checksum.value()}"\n}\n`);
  yield lines.value;
}
