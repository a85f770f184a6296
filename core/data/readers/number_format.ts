/**
 * Numbers as a file writes them: with a decimal point or comma, thousands in groups, and marks of its own where a value is
 * missing.
 *
 * @module
 */

import type { ErrorDetails } from "../../errors.ts";
import { badFile, show } from "./bad_data.ts";
import { plainNumber } from "./decimals.ts";
import { badNumber, isMissing, numberIn } from "./numbers.ts";
import type { ReadOptions } from "./record.ts";

/** What may stand between groups of three digits, besides the other of point and comma. */
const SPACES = " '’\u00a0\u2009\u202f";

const isDigit = (code: number) => code >= 48 && code <= 57;

/** Where a run of digits ends. */
function endOfDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/**
 * A number with a decimal sign, whose digits before it may be in groups of three, all with the same sign between them; in
 * the form that `Number` takes. Undefined for any other text. Goes over the text once.
 */
function ungrouped(cell: string, decimal: "." | ","): string | undefined {
  const text = cell.trim(), first = text[0] === "-" || text[0] === "+" ? 1 : 0, other = decimal === "." ? "," : ".";
  let at = endOfDigits(text, first), whole = text.slice(first, at);
  const sign = text[at];
  if (sign !== undefined && (sign === other || SPACES.includes(sign))) {
    if (whole.length < 1 || whole.length > 3) return undefined;
    while (text[at] === sign) {
      const end = endOfDigits(text, at + 1);
      if (end - at !== 4) return undefined;
      whole += text.slice(at + 1, end);
      at = end;
    }
  }
  let rest = "";
  if (text[at] === decimal) {
    const end = endOfDigits(text, at + 1);
    rest = `.${text.slice(at + 1, end)}`;
    at = end;
  }
  if (whole === "" && rest.length < 2) return undefined;
  const power = text.slice(at);
  if (power !== "" && !/^e[+-]?\d+$/i.test(power)) return undefined;
  return `${text.slice(0, first)}${whole}${rest}${power}`;
}

/** What a cell says of the decimal sign: it has one; it may have one, or groups of thousands; or nothing. */
function signOf(cell: string): "." | "," | "unclear" | undefined {
  const hasComma = cell.includes(","), hasPoint = cell.includes(".");
  if (!hasComma && !hasPoint) return undefined;
  const point = ungrouped(cell, ".") !== undefined, comma = ungrouped(cell, ",") !== undefined;
  if (point && comma) {
    // One sign with three digits behind it; no number is written 0.123 in groups.
    return /^[+-]?0/.test(cell.trim()) ? (hasPoint ? "." : ",") : "unclear";
  }
  return point ? "." : comma ? "," : undefined;
}

/** Reads the numbers of one file. */
export class NumberFormat {
  /** What was found out about them, in words. */
  readonly notes: string[] = [];
  readonly #file: string;
  readonly #marks: ReadonlySet<string>;
  readonly #markNumbers: ReadonlySet<number>;
  readonly #isCommaCells: boolean;
  /** The decimal sign, once it is known. */
  #decimal: "." | "," | undefined;
  /** Whether a cell with a point was read that may have had groups of thousands. */
  #hadUnclear = false;
  #hadGroups = false;
  /** Whether a plain number may say more than its value. */
  #isWatched: boolean;

  /** @param delimiter What stands between cells, if that is known. */
  constructor(file: string, { decimal, missingValues = [] }: ReadOptions, delimiter?: string) {
    this.#file = file;
    this.#decimal = decimal;
    // In cells between commas, a point is what is left.
    this.#isCommaCells = delimiter === ",";
    this.#marks = new Set(missingValues.map((mark) => mark.trim()));
    this.#markNumbers = new Set(missingValues.filter((mark) => plainNumber(mark) !== undefined).map(Number));
    this.#isWatched = this.isOpen || this.#markNumbers.size > 0;
  }

  /** Whether what `numberIn` takes is all there is to a number: what it does not take may still be one. */
  get isPlain(): boolean {
    return this.#decimal !== "," && !this.#isWatched;
  }

  /** Whether the decimal sign is a comma, as far as is known. */
  get hasCommas(): boolean {
    return this.#decimal === ",";
  }

  /** Whether it has not been found out which sign is the decimal one. */
  get isOpen(): boolean {
    return this.#decimal === undefined && !this.#isCommaCells;
  }

  /** Finds out the decimal sign from some cells, where they tell. */
  learn(cells: Iterable<string>): void {
    const signs = new Set<string | undefined>();
    for (const cell of cells) if (!this.#marks.has(cell.trim())) signs.add(signOf(cell));
    if (signs.has(",") && !signs.has(".")) this.#comma();
    else if (signs.has(".") && !signs.has(",")) this.#decimal = ".";
  }

  #comma(): void {
    this.#decimal = ",";
    this.notes.push(`${this.#file}: the decimal sign is a comma`);
  }

  /** Whether a text, or a number, is a mark of a missing value. */
  isMark(value: string | number): boolean {
    if (typeof value === "number") return this.#markNumbers.size > 0 && this.#markNumbers.has(value);
    return this.#marks.has(value.trim());
  }

  /** The number in a cell; NaN where it is missing; undefined where it is neither, or not clear. */
  read(cell: string): number | undefined {
    if (this.#decimal !== ",") {
      const value = numberIn(cell);
      if (value !== undefined) return this.#isWatched ? this.#watch(cell, value) : value;
    }
    if (this.#marks.size && this.isMark(cell)) return NaN;
    return this.#local(cell);
  }

  /** What else a number says: which sign is the decimal one, or that there is none. */
  #watch(cell: string, value: number): number {
    if (this.isOpen && cell.includes(".")) {
      if (signOf(cell) === "unclear") this.#hadUnclear = true;
      else this.#decimal = ".";
      this.#isWatched = this.isOpen || this.#markNumbers.size > 0;
    }
    return this.isMark(value) || this.isMark(cell) ? NaN : value;
  }

  #local(cell: string): number | undefined {
    let decimal = this.#decimal;
    if (decimal === undefined) {
      const sign = signOf(cell);
      if (sign === "," && this.isOpen && !this.#hadUnclear) this.#comma();
      else if (sign === "," || (sign === "unclear" && this.isOpen)) return undefined;
      decimal = this.#decimal ?? ".";
      if (sign === ".") this.#decimal = ".";
    }
    const text = ungrouped(cell, decimal);
    if (text === undefined) return isMissing(cell) ? NaN : undefined;
    const value = numberIn(text);
    if (value !== undefined && !this.#hadGroups && cell.trim().replace(",", ".") !== text) {
      this.#hadGroups = true;
      this.notes.push(`${this.#file}: ${show(cell.trim())} is read as ${text}, its thousands in groups`);
    }
    return value !== undefined && this.isMark(value) ? NaN : value;
  }

  /** A cell as other programs write it, where it is a number with a decimal comma or with groups: a label, a time. */
  plain(cell: string): string {
    if (signOf(cell) === undefined || this.read(cell) === undefined) return cell;
    return plainNumber(cell) !== undefined && this.#decimal !== ","
      ? cell
      : ungrouped(cell, this.#decimal ?? ".") ?? cell;
  }

  /** Whether a cell is a number, if not a clear one. */
  isNumber(cell: string): boolean {
    return signOf(cell) !== undefined || this.read(cell) !== undefined;
  }

  /** What is wrong with a cell that {@linkcode read} does not take: as of `badNumber`. */
  bad(where: string, cell: string, details?: Parameters<typeof badNumber>[3]): Error {
    const sign = signOf(cell);
    if (this.#decimal === "," && sign === ".") {
      return this.#unclear(`${where} must be a number with a decimal comma, got ${show(cell)}`);
    }
    if (this.#decimal !== undefined || (sign !== "," && sign !== "unclear")) {
      return badNumber(this.#file, where, cell, details);
    }
    return this.#unclear(
      sign === "unclear" && cell.includes(",")
        ? `${where} may be ${ungrouped(cell, ".")} or ${ungrouped(cell, ",")}, got ${show(cell)}`
        : `${where} has a decimal comma where others have a point, got ${show(cell)}`,
    );
  }

  #unclear(problem: string): Error {
    const details: ErrorDetails = { option: "decimal", advice: 'say which is the decimal sign (decimal: "." or ",")' };
    return badFile("not-a-number", this.#file, problem, details);
  }
}
