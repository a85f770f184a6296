/**
 * Lines to rows of cells. Lines are cut at the delimiter, and quotes around whole cells taken off; from the first line on
 * where quotes do more than that, what has been read goes to csv-parse, which is slower.
 *
 * @module
 */

import { loadCsvParse } from "../../../deps.ts";
import { badFile } from "./bad_data.ts";
import type { Lines } from "./lines.ts";

const QUOTE = '"';

/** The rows of a table, in order; empty lines are none. */
export class Rows {
  /** Of the file, for errors. */
  readonly name: string;
  /** Number of the line where the row begins that {@linkcode take} gave last. */
  number = 0;
  readonly #lines: Lines;
  readonly #delimiter: string;
  readonly #limit: number;
  /** Rows of csv-parse, each with its first line, and how many are taken. */
  #parsed: { cells: string[]; line: number }[] = [];
  #next = 0;
  #hasQuotes = false;
  readonly #isQuoted: boolean;
  /** Whether rows of nothing but delimiters are none where no other follows them. */
  dropsBlankEnd = false;
  /** Lines of nothing but delimiters, which are rows if others follow. */
  #blank: number[] = [];
  #blankTaken = 0;

  /**
   * @param limit The longest row in bytes, where cells hold line ends.
   * @param isQuoted Whether quotation marks stand around cells, and are not text like any other.
   */
  constructor(lines: Lines, delimiter: string, limit: number, isQuoted = true) {
    if (delimiter.length !== 1 || /[\n\r"]/.test(delimiter)) {
      const wanted = "one character, no quotation mark and no line end";
      throw badFile("option-type", lines.name, `delimiter must be ${wanted}`, {
        option: "delimiter",
        expected: wanted,
        value: delimiter,
      });
    }
    this.name = lines.name;
    this.#lines = lines;
    this.#delimiter = delimiter;
    this.#limit = limit;
    this.#isQuoted = isQuoted;
  }

  /** Whether the row that {@linkcode take} gave last has no line end, as where a file is cut off. */
  get isOpen(): boolean {
    return this.#next >= this.#parsed.length && this.#lines.isOpen;
  }

  /** The next row; undefined where more must be read first, by {@linkcode fill}. */
  take(): string[] | undefined {
    if (this.#next < this.#parsed.length) {
      const { cells, line } = this.#parsed[this.#next++]!;
      this.number = line;
      return cells;
    }
    for (let line = this.#lines.take(); line !== undefined; line = this.#lines.take()) {
      if (line === "") continue;
      if (this.dropsBlankEnd && line[0] === this.#delimiter && isBlank(line, this.#delimiter)) {
        this.#blank.push(this.#lines.number);
        continue;
      }
      const cells = line.split(this.#delimiter);
      if (this.#blank.length) {
        this.#lines.putBack();
        this.number = this.#blank[this.#blankTaken++]!;
        if (this.#blankTaken === this.#blank.length) [this.#blank, this.#blankTaken] = [[], 0];
        return new Array<string>(cells.length).fill("");
      }
      if (this.#isQuoted && line.includes(QUOTE) && !takeOffQuotes(cells)) {
        this.#lines.putBack();
        this.#hasQuotes = true;
        return undefined;
      }
      this.number = this.#lines.number;
      return cells;
    }
    return undefined;
  }

  /** Reads on. False at the end. */
  async fill(): Promise<boolean> {
    if (!this.#hasQuotes) return await this.#lines.fill();
    this.#hasQuotes = false;
    await this.#parse();
    return true;
  }

  /** The next row, read if need be; undefined at the end. */
  async next(): Promise<string[] | undefined> {
    for (;;) {
      const row = this.take();
      if (row) return row;
      if (!await this.fill()) return undefined;
    }
  }

  /** Parses the lines at hand, and those after them that belong to the last row. */
  async #parse(): Promise<void> {
    const batch: string[] = [], first = this.#lines.number + 1;
    let isOpen = false, opened = 0, bytes = 0;
    for (;;) {
      const line = this.#lines.take() ?? (isOpen ? await this.#lines.next() : undefined);
      if (line === undefined) break;
      if (!isOpen) [opened, bytes] = [this.#lines.number, 0];
      for (let at = line.indexOf(QUOTE); at >= 0; at = line.indexOf(QUOTE, at + 1)) isOpen = !isOpen;
      bytes += line.length + 1;
      if (bytes > this.#limit) {
        const what = `the row that begins in line ${opened} is longer than ${this.#limit} bytes, the limit`;
        throw badFile("line-too-long", this.name, what, {
          advice: "a quotation mark may be missing",
        });
      }
      batch.push(line);
    }
    if (isOpen) {
      throw badFile("file-malformed", this.name, `line ${opened} has a quotation mark without its second`, {
        option: "quote",
        advice: 'if it is text like any other, say so (quote: "none")',
      });
    }
    const { parse } = await loadCsvParse();
    try {
      const rows = parse(batch.join("\n"), {
        delimiter: this.#delimiter,
        relaxColumnCount: true,
        skipEmptyLines: true,
        recordDelimiter: "\n",
      });
      let at = 0;
      this.#parsed = rows.map((cells) => {
        while (batch[at] === "") at++;
        const line = first + at;
        at += 1 + lineEnds(cells);
        return { cells, line };
      });
    } catch (error) {
      const at = (error as { lines?: number }).lines;
      throw badFile(
        "file-malformed",
        this.name,
        `line ${first + (at ?? 1) - 1} has a quotation mark in the wrong place: inside quotes it is doubled`,
        { option: "quote", advice: 'if it is text like any other, say so (quote: "none")' },
      );
    }
    this.#next = 0;
  }
}

/** Whether a line is nothing but delimiters. */
function isBlank(line: string, delimiter: string): boolean {
  for (const c of line) if (c !== delimiter) return false;
  return true;
}

/** Takes off quotes around cells. False where cells are not what the delimiter cuts: a quote begins or ends within one. */
function takeOffQuotes(cells: string[]): boolean {
  for (const [i, cell] of cells.entries()) {
    const first = cell.indexOf(QUOTE);
    if (first < 0) continue;
    const end = cell.length - 1;
    if (first > 0 || end === 0 || cell.indexOf(QUOTE, 1) !== end) return false;
    cells[i] = cell.slice(1, -1);
  }
  return true;
}

function lineEnds(cells: readonly string[]): number {
  let count = 0;
  for (const cell of cells) {
    for (let at = cell.indexOf("\n"); at >= 0; at = cell.indexOf("\n", at + 1)) count++;
  }
  return count;
}
