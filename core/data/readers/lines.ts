/**
 * Text to lines, LF or CRLF, or CR alone.
 *
 * @module
 */

import { Blocks } from "./blocks.ts";

/** The lines of a stream, in order. */
export class Lines {
  /** Of the file, for errors. */
  readonly name: string;
  /** Number, from 1, of the line that {@linkcode take} gave last. */
  number = 0;
  readonly #blocks: Blocks;
  /** Whether the last of the lines at hand has no line end. */
  #isOpen = false;
  #lines: string[] = [];
  #next = 0;

  /** @param limit The longest line in bytes. */
  constructor(name: string, bytes: AsyncIterable<Uint8Array>, limit: number) {
    this.name = name;
    this.#blocks = new Blocks(name, bytes, 10, limit);
  }

  /** The next line without its end; undefined where more must be read first, by {@linkcode fill}. */
  take(): string | undefined {
    if (this.#next === this.#lines.length) return undefined;
    this.number++;
    const line = this.#lines[this.#next++]!;
    return line.charCodeAt(line.length - 1) === 13 ? line.slice(0, -1) : line;
  }

  /** Whether the line that {@linkcode take} gave last has no line end, as where a file is cut off. */
  get isOpen(): boolean {
    return this.#isOpen && this.#next === this.#lines.length;
  }

  /** Puts back the line that {@linkcode take} gave last. */
  putBack(): void {
    this.number--;
    this.#next--;
  }

  /** Reads on. False at the end. */
  async fill(): Promise<boolean> {
    const text = await this.#blocks.next();
    if (text === undefined) return false;
    // As on old Macs: a file of more than one line without any LF.
    const end = this.number === 0 && this.#next === 0 && /\r[^\r\n]/.test(text) && !text.includes("\n") ? "\r" : "\n";
    this.#lines = text.split(end);
    // What follows the last line's end is no line.
    this.#isOpen = !text.endsWith(end);
    if (!this.#isOpen) this.#lines.pop();
    this.#next = 0;
    return true;
  }

  /** The next line, read if need be; undefined at the end. */
  async next(): Promise<string | undefined> {
    return this.take() ?? (await this.fill() ? this.take() : undefined);
  }

  /** The next lines without their ends, at most `count`, which stay the next. */
  async ahead(count: number): Promise<string[]> {
    while (this.#lines.length - this.#next < count) {
      const left = this.#lines.slice(this.#next);
      if (!await this.fill()) break;
      this.#lines = [...left, ...this.#lines];
    }
    return this.atHand(count);
  }

  /** Those of the next lines that are here already, at most `count`; they stay the next. */
  atHand(count: number): string[] {
    return this.#lines.slice(this.#next, this.#next + count).map((line) =>
      line.endsWith("\r") ? line.slice(0, -1) : line
    );
  }

  /** The next line that is not empty, which stays the next; undefined if there is none. */
  async peek(): Promise<string | undefined> {
    let line = await this.next();
    while (line === "") line = await this.next();
    if (line !== undefined) this.putBack();
    return line;
  }
}
