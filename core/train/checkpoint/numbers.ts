/**
 * The numbers of a checkpoint: base64 of their little-endian bytes. A file of up to {@linkcode LARGE} bytes of numbers has
 * them as one string each; a larger one, as lists of strings, none of them long.
 *
 * @module
 */

import { fromBase64, toBase64 } from "../../engine.ts";
import { fail } from "../../errors.ts";
import { Made } from "../json_bytes.ts";

/** Bytes of numbers up to which a checkpoint is a text that the engine can hold as one string. */
export const LARGE = 256 << 20;

/** Bytes in one string of a list: a multiple of 3, so that base64 has no padding in between. */
const PIECE = 3 << 18;

/** Bytes that are put into words at a time: the collector lets larger strings be for long. */
const PART = PIECE / 16;

/** Numbers as they stand in a file: one string or several, or decoded already. */
export type StoredNumbers = string | readonly string[] | Uint8Array<ArrayBuffer>;

/** Base64 of bytes, made while it is written. */
export class Base64 extends Made {
  readonly #bytes: Uint8Array;
  readonly #isList: boolean;

  constructor(bytes: Uint8Array, isList: boolean) {
    super();
    this.#bytes = bytes;
    this.#isList = isList;
  }

  override *texts(): Generator<string> {
    const [open, between, close] = this.#isList ? ['["', '","', '"]'] : ['"', "", '"'];
    yield open;
    for (let start = 0; start < this.#bytes.length; start += PART) {
      if (start % PIECE === 0 && start && between) yield between;
      yield toBase64(this.#bytes.subarray(start, start + PART));
    }
    yield close;
  }
}

/** Decodes base64 that comes in pieces. */
export class NumberReader {
  #bytes: Uint8Array<ArrayBuffer>;
  readonly #keeps: boolean;
  #length = 0;

  /**
   * @param expected How many bytes there will be, if that is known.
   * @param keeps Whether they are kept, or but checked.
   */
  constructor(expected = 0, keeps = true) {
    this.#bytes = new Uint8Array(expected);
    this.#keeps = keeps;
  }

  /**
   * Adds bytes.
   *
   * @returns False if the text is not base64 by itself.
   */
  add(base64: string): boolean {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = fromBase64(base64);
    } catch {
      return false;
    }
    if (!this.#keeps) return true;
    const least = this.#length + bytes.length;
    if (!this.#bytes.length) this.#bytes = bytes;
    else if (least > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(least, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    if (this.#bytes !== bytes) this.#bytes.set(bytes, this.#length);
    this.#length = least;
    return true;
  }

  /** The bytes, which are not copied where as many came as were expected. */
  get value(): Uint8Array<ArrayBuffer> {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#length);
  }
}

/** The numbers that a file holds under a name. */
export function decodeNumbers(
  name: string,
  shape: readonly number[],
  stored: StoredNumbers,
): Float32Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  if (stored instanceof Uint8Array) bytes = stored;
  else {
    const texts = typeof stored === "string" ? [stored] : stored;
    const length = texts.reduce((sum, { length }) => sum + length, 0), expected = 4 * shape.reduce((a, b) => a * b, 1);
    // One string needs no room besides its own bytes.
    const reader = new NumberReader(texts.length > 1 && expected <= length ? expected : 0);
    if (!texts.every((text) => reader.add(text))) {
      throw fail("file-malformed", "load array", `the data of "${name}" is not base64`, { name });
    }
    bytes = reader.value;
  }
  if (bytes.length % 4 === 0) return new Float32Array(bytes.buffer);
  throw fail("file-damaged", "load array", `the data of "${name}" is cut off: ${bytes.length} bytes`, { name });
}
