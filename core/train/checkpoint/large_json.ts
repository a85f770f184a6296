/**
 * Reads JSON whose text is longer than a string of the engine's may be, from bytes in pieces. Strings of numbers are
 * decoded while they are read, and the checksum of all but the member "checksum" is taken on the way.
 *
 * @module
 */

import { loadCrypto } from "../../../deps.ts";
import { dispose, toHex } from "../../engine.ts";
import { fail } from "../../errors.ts";
import { Bytes } from "../json_bytes.ts";
import { NumberReader } from "./numbers.ts";

/** Fills a buffer with the next bytes; returns how many, or null at the end. */
export type ReadBytes = (buffer: Uint8Array<ArrayBuffer>) => number | null;

/** What was read. */
export interface LargeJson {
  readonly value: unknown;
  /** SHA-256 of the value without its checksum, as `hashJson` has it. */
  readonly checksum: string;
}

/** How deep objects and lists may stand within each other. */
const DEEPEST = 500;

/** Bytes read at a time; and the most that a string or number other than those of arrays may take. */
const WINDOW = 1 << 20, LONGEST = 256 << 20;

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c, COLON = 0x3a;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the member "data" of such an object holds numbers: its path is that of a parameter or of an optimizer's state. */
function holdsNumbers([part, name, ...rest]: readonly string[]): boolean {
  if (part === "parameters" || part === "bestParameters") return name !== undefined && rest.length === 0;
  return part === "trainer" && name === "state" && rest.length === 2;
}

/** What of a file is wanted. */
export interface Wanted {
  /**
   * Which of its numbers are kept: all, those of the parameters for a model that computes alone, or none. The others, the
   * optimizer's state and the parameters of the best epoch, are but checked. Default: all.
   */
  readonly numbers?: "all" | "parameters" | "none";
}

/**
 * The value that the text of a large checkpoint stands for.
 *
 * @param size Bytes of the text.
 * @throws {SyntaxError} If it is not JSON, or was cut off.
 * @throws {RangeError} If it is too deep, or a string in it is too long.
 */
export async function readLargeJson(
  read: ReadBytes,
  size: number,
  action: string,
  wanted: Wanted = {},
): Promise<LargeJson> {
  const hash = (await loadCrypto()).createHash("sha256");
  using parser = new Parser(read, size, action, (bytes) => void hash.update(bytes), wanted);
  const value = parser.whole();
  return { value, checksum: `sha256:${toHex(hash.digest())}` };
}

class Parser implements Disposable {
  readonly #read: ReadBytes;
  readonly #size: number;
  readonly #action: string;
  readonly #hash: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #wanted: Wanted;
  readonly #compact = new Bytes();
  readonly #path: string[] = [];
  #window = new Uint8Array(WINDOW);
  #at = 0;
  #end = 0;
  /** Bytes before the window. */
  #before = 0;
  #silent = false;

  constructor(
    read: ReadBytes,
    size: number,
    action: string,
    hash: (bytes: Uint8Array<ArrayBuffer>) => void,
    wanted: Wanted,
  ) {
    this.#wanted = wanted;
    this.#read = read;
    this.#size = size;
    this.#action = action;
    this.#hash = hash;
  }

  whole(): unknown {
    const value = this.#value();
    if (this.#peek() >= 0) throw this.#broken("more follows behind its end");
    this.#hash(this.#compact.value);
    return value;
  }

  #value(): unknown {
    const byte = this.#peek();
    if (this.#path.length > DEEPEST) throw fail("file-too-deep", this.#action, "it is too deep");
    if (byte === 0x7b) return this.#object();
    if (byte === 0x5b) return this.#list(() => this.#value());
    if (byte === QUOTE) return this.#emit(this.#string());
    return this.#emit(this.#scalar());
  }

  /** Text of the value goes into the checksum. */
  #emit<T>(value: T): T {
    this.#put(JSON.stringify(value));
    return value;
  }

  #put(text: string): void {
    if (this.#silent) return;
    this.#compact.put(text);
    if (!this.#compact.isFull) return;
    this.#hash(this.#compact.value);
    this.#compact.clear();
  }

  #object(): object {
    const entries: [string, unknown][] = [], names = new Set<string>(), depth = this.#path.length;
    this.#take();
    this.#put("{");
    let emitted = 0;
    while (this.#peek() !== 0x7d) {
      if (entries.length) this.#expect(COMMA);
      if (this.#peek() !== QUOTE) throw this.#broken("a name must stand here");
      const name = this.#string();
      this.#expect(COLON);
      if (names.has(name)) throw this.#broken(`the name ${JSON.stringify(name.slice(0, 80))} stands there twice`);
      names.add(name);
      this.#silent ||= depth === 0 && name === "checksum";
      this.#put(`${emitted ? "," : ""}${JSON.stringify(name)}:`);
      if (!this.#silent) emitted++;
      const isNumbers = name === "data" && holdsNumbers(this.#path);
      this.#path.push(name);
      entries.push([name, isNumbers ? this.#numbers(entries) : this.#value()]);
      this.#path.pop();
      if (depth === 0) this.#silent = false;
    }
    this.#take();
    this.#put("}");
    return Object.fromEntries(entries);
  }

  #list<T>(item: () => T): T[] {
    const items: T[] = [];
    this.#take();
    this.#put("[");
    this.#path.push("");
    while (this.#peek() !== 0x5d) {
      if (items.length) {
        this.#expect(COMMA);
        this.#put(",");
      }
      items.push(item());
    }
    this.#path.pop();
    this.#take();
    this.#put("]");
    return items;
  }

  /** The numbers of an array, decoded. What else stands in their place is left for the schema to refuse. */
  #numbers(siblings: readonly [string, unknown][]): unknown {
    const { shape } = Object.fromEntries(siblings) as { shape?: unknown };
    const count = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0)
      ? shape.reduce((a, b) => a * b, 4)
      : 0;
    // A shape may claim anything: room is made for what the file can hold.
    const { numbers = "all" } = this.#wanted, isWanted = numbers === "all" || this.#path[0] === numbers;
    const reader = new NumberReader(isWanted && count <= this.#size ? count : 0, isWanted), byte = this.#peek();
    if (byte === QUOTE) this.#base64(reader);
    else if (byte === 0x5b) {
      this.#list(() => {
        if (this.#peek() !== QUOTE) throw this.#broken("a string of base64 must stand here");
        this.#base64(reader);
      });
    } else return this.#value();
    return reader.value;
  }

  /** A string of base64, as much of it at a time as there is. */
  #base64(reader: NumberReader): void {
    this.#take();
    this.#put('"');
    for (let isOver = false, padded = false; !isOver;) {
      let end = this.#window.subarray(0, this.#end).indexOf(QUOTE, this.#at);
      isOver = end >= 0;
      // Four letters are three bytes.
      if (!isOver) end = this.#at + Math.floor((this.#end - this.#at) / 4) * 4;
      if (end > this.#at) {
        const text = decoder.decode(this.#window.subarray(this.#at, end));
        if (padded || !/^[\w+/=]/.test(text) || !reader.add(text)) throw this.#broken("this is not base64");
        padded = text.endsWith("=");
        this.#put(text);
        this.#at = end;
      }
      if (isOver) this.#at++;
      else if (!this.#fill()) throw this.#broken("it was cut off");
    }
    this.#put('"');
  }

  #string(): string {
    let from = this.#at + 1;
    for (;;) {
      const quote = this.#window.subarray(0, this.#end).indexOf(QUOTE, from);
      if (quote < 0) {
        from -= this.#at;
        const searched = this.#end - this.#at;
        if (!this.#fill()) throw this.#broken("it was cut off");
        from = this.#at + Math.max(from, searched);
        continue;
      }
      let slashes = 0;
      while (this.#window[quote - 1 - slashes] === BACKSLASH && quote - 1 - slashes > this.#at) slashes++;
      if (slashes % 2 === 0) return this.#parse(quote + 1) as string;
      from = quote + 1;
    }
  }

  /** A number, or a word. */
  #scalar(): unknown {
    let end = this.#at;
    for (;;) {
      if (end === this.#end) {
        const length = end - this.#at, more = this.#fill();
        end = this.#at + length;
        if (!more) break;
      }
      if (!/[\w.+-]/.test(String.fromCharCode(this.#window[end]!))) break;
      end++;
    }
    const value = this.#parse(end);
    if (typeof value === "number" && !Number.isFinite(value)) throw this.#broken("a number is too large");
    return value;
  }

  /** What stands from here to an end. */
  #parse(end: number): unknown {
    try {
      const value = JSON.parse(decoder.decode(this.#window.subarray(this.#at, end)));
      this.#at = end;
      return value;
    } catch (error) {
      throw this.#broken((error as Error).message);
    }
  }

  /** The next byte behind white space; -1 at the end. */
  #peek(): number {
    for (;;) {
      for (; this.#at < this.#end; this.#at++) {
        const byte = this.#window[this.#at]!;
        if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      }
      if (!this.#fill()) return -1;
    }
  }

  #take(): void {
    this.#at++;
  }

  #expect(byte: number): void {
    if (this.#peek() !== byte) throw this.#broken(`"${String.fromCharCode(byte)}" must stand here`);
    this.#take();
  }

  /** Reads on, and makes room where what is not taken fills the window. Returns whether there was more. */
  #fill(): boolean {
    this.#window.copyWithin(0, this.#at, this.#end);
    this.#before += this.#at;
    this.#end -= this.#at;
    this.#at = 0;
    if (this.#end === this.#window.length) {
      if (this.#end >= LONGEST) throw fail("file-too-deep", this.#action, `a string in it is over ${LONGEST} bytes`);
      const larger = new Uint8Array(2 * this.#end);
      larger.set(this.#window);
      this.#window = larger;
    }
    const count = this.#read(this.#window.subarray(this.#end)) ?? 0;
    this.#end += count;
    return count > 0;
  }

  #broken(why: string): SyntaxError {
    const place = `at byte ${this.#before + this.#at}`;
    return fail("file-not-json", this.#action, `it is not JSON, or was cut off: ${why} (${place})`);
  }

  [dispose](): void {
    this.#compact[dispose]();
  }
}
