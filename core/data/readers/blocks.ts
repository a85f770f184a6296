/**
 * Bytes to text: UTF-8, with or without a byte order mark, in blocks that end where the format may be cut. Memory is
 * bounded by the longest piece between two cuts, and that by a limit.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";

/** Most bytes decoded at once, however large the pieces that come. */
const BLOCK = 1 << 18;

const LF = 10;

/** The text of a stream, in order. */
export class Blocks {
  /** Of the file, for errors. */
  readonly name: string;
  /** Number, from 1, of the line in which the block begins that {@linkcode next} gave last. */
  line = 1;
  readonly #bytes: AsyncIterator<Uint8Array>;
  readonly #cut: number;
  readonly #limit: number;
  /** What came since the last cut. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  /** The piece of the stream in work, and how far it is used. */
  #piece: Uint8Array = new Uint8Array();
  #used = 0;
  /** Bytes and line ends of the blocks before. */
  #position = 0;
  #lineEnds = 0;
  #ended = false;

  /**
   * @param cut The byte after which text may be cut.
   * @param limit Most bytes between two cuts.
   */
  constructor(name: string, bytes: AsyncIterable<Uint8Array>, cut: number, limit: number) {
    this.name = name;
    this.#bytes = bytes[Symbol.asyncIterator]();
    this.#cut = cut;
    this.#limit = limit;
  }

  /** The next block; undefined at the end. */
  async next(): Promise<string | undefined> {
    while (!this.#ended) {
      if (this.#used === this.#piece.length) {
        const { done, value } = await this.#bytes.next();
        this.#ended = !!done;
        if (done) break;
        this.#piece = value;
        this.#used = 0;
      }
      const block = this.#piece.subarray(this.#used, this.#used + BLOCK);
      this.#used += block.length;
      const first = block.indexOf(this.#cut);
      if (this.#openBytes + (first < 0 ? block.length : first) > this.#limit) {
        const what = this.#cut === LF ? `line ${this.#lineEnds + 1} is` : `a value near line ${this.#lineEnds + 1} is`;
        throw badFile("line-too-long", this.name, `${what} longer than ${this.#limit} bytes, the limit`, {
          option: "maxLineBytes",
          advice: "raise maxLineBytes",
        });
      }
      const end = first < 0 ? 0 : block.lastIndexOf(this.#cut) + 1;
      const text = end ? this.#decode(block.subarray(0, end)) : undefined;
      if (end < block.length) {
        // A copy: a stream may use its buffer again.
        this.#open.push(block.slice(end));
        this.#openBytes += block.length - end;
      }
      if (text !== undefined) return text;
    }
    return this.#openBytes ? this.#decode(new Uint8Array()) : undefined;
  }

  /** The text of what is open with some more bytes. */
  #decode(more: Uint8Array): string {
    let bytes = more;
    if (this.#openBytes) {
      bytes = new Uint8Array(this.#openBytes + more.length);
      let at = 0;
      for (const part of [...this.#open, more]) {
        bytes.set(part, at);
        at += part.length;
      }
      this.#open = [];
      this.#openBytes = 0;
    }
    this.line = this.#lineEnds + 1;
    // A mark is one at the start alone.
    const mark = this.#position === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(mark));
    } catch {
      throw this.#invalid(bytes);
    }
    this.#position += bytes.length;
    for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) this.#lineEnds++;
    return text;
  }

  #invalid(bytes: Uint8Array): SyntaxError {
    const at = firstInvalid(bytes), hex = (i: number) => (bytes[i] ?? 0).toString(16).padStart(2, "0");
    let line = this.line;
    for (let i = bytes.indexOf(LF); i >= 0 && i < at; i = bytes.indexOf(LF, i + 1)) line++;
    const what = `byte ${this.#position + at} is 0x${hex(at)}`;
    return badFile("file-malformed", this.name, `line ${line} is not UTF-8, ${what}`, {
      option: "encoding",
      advice: 'say what it is in (encoding: "latin1", for example)',
    });
  }
}

/** Where the first character that is not UTF-8 begins: found by halves, a decoder being the judge. */
function firstInvalid(bytes: Uint8Array): number {
  const isValid = (end: number, isOpen: boolean) => {
    try {
      // Where it is open, a character cut by `end` may yet be completed.
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: isOpen });
      return true;
    } catch {
      return false;
    }
  };
  let low = 0, high = bytes.length;
  if (isValid(high, true)) low = high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (isValid(middle, true)) low = middle;
    else high = middle;
  }
  while (!isValid(low, false)) low--;
  return low;
}
