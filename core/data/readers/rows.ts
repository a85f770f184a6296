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
  /** What is wrong with the row that {@linkcode take} gave last, where it could be told from others. */
  fault: Error | undefined;
  /** Rows of csv-parse, each with its first line, and how many are taken. */
  #parsed: ParsedRow[] = [];
  #next = 0;
  #hasQuotes = false;
  readonly #isQuoted: boolean;
  readonly #keepsFaults: boolean;
  /** Whether rows of nothing but delimiters are none where no other follows them. */
  dropsBlankEnd = false;
  /** Lines of nothing but delimiters, which are rows if others follow. */
  #blank: number[] = [];
  #blankTaken = 0;

  /**
   * @param limit The longest row in bytes, where cells hold line ends.
   * @param isQuoted Whether quotation marks stand around cells, and are not text like any other.
   * @param keepsFaults Whether a row with wrong quotation marks is one with a `fault`. Default: it is an error.
   */
  constructor(lines: Lines, delimiter: string, limit: number, isQuoted = true, keepsFaults = false) {
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
    this.#keepsFaults = keepsFaults;
  }

  /** Whether the row that {@linkcode take} gave last has no line end, as where a file is cut off. */
  get isOpen(): boolean {
    return this.#next >= this.#parsed.length && this.#lines.isOpen;
  }

  /** The next row; undefined where more must be read first, by {@linkcode fill}. */
  take(): string[] | undefined {
    if (this.#next < this.#parsed.length) {
      const { cells, line, fault } = this.#parsed[this.#next++]!;
      this.number = line;
      this.fault = fault;
      return cells;
    }
    this.fault = undefined;
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
    const batch: string[] = [], first = this.#lines.number + 1, starts: number[] = [];
    let isOpen = false, opened = 0, bytes = 0;
    for (;;) {
      const line = this.#lines.take() ?? (isOpen ? await this.#lines.next() : undefined);
      if (line === undefined) break;
      if (!isOpen) {
        [opened, bytes] = [this.#lines.number, 0];
        starts.push(batch.length);
      }
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
    const parse = await this.#parser();
    this.#next = 0;
    try {
      if (isOpen) throw this.#wrongQuotes(`line ${opened} has a quotation mark without its second`);
      this.#parsed = parse(batch, first);
    } catch (error) {
      if (!this.#keepsFaults) throw error;
      this.#parsed = starts.flatMap((start, i) => {
        const lines = batch.slice(start, starts[i + 1]);
        try {
          return parse(lines, first + start);
        } catch {
          // Its lines may still be rows, each by itself.
          return lines.flatMap((line, k) => this.#rowOf(parse, line, first + start + k));
        }
      });
    }
  }

  /** A line as a row, or with what is wrong with it. */
  #rowOf(parse: (lines: readonly string[], first: number) => ParsedRow[], line: string, number: number): ParsedRow[] {
    try {
      return parse([line], number);
    } catch (error) {
      // As far as it can be told, for its name.
      const cells = line.split(this.#delimiter).map((cell) => cell.replaceAll(QUOTE, ""));
      return [{ cells, line: number, fault: error as Error }];
    }
  }

  #wrongQuotes(problem: string): Error {
    return badFile("file-malformed", this.name, problem, {
      option: "quote",
      advice: 'if it is text like any other, say so (quote: "none")',
    });
  }

  /** What makes rows of lines, the first of which has a number. */
  async #parser(): Promise<(lines: readonly string[], first: number) => ParsedRow[]> {
    const { parse } = await loadCsvParse();
    const options = {
      delimiter: this.#delimiter,
      relaxColumnCount: true,
      skipEmptyLines: true,
      recordDelimiter: "\n",
    };
    return (lines, first) => {
      let rows: string[][];
      try {
        rows = parse(lines.join("\n"), options);
      } catch (error) {
        const line = first + ((error as { lines?: number }).lines ?? 1) - 1;
        const isOpen = (error as { code?: string }).code === "CSV_QUOTE_NOT_CLOSED";
        throw this.#wrongQuotes(
          isOpen
            ? `line ${first} has a quotation mark without its second`
            : `line ${line} has a quotation mark in the wrong place: inside quotes it is doubled`,
        );
      }
      let at = 0;
      return rows.map((cells) => {
        while (lines[at] === "") at++;
        const line = first + at;
        at += 1 + lineEnds(cells);
        return { cells, line };
      });
    };
  }
}

/** A row, or what is wrong with it. */
interface ParsedRow {
  readonly cells: string[];
  /** Its first. */
  readonly line: number;
  readonly fault?: Error;
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
