/**
 * Numbers in text, as every text format here takes them.
 *
 * @module
 */

import type { ErrorDetails } from "../../errors.ts";
import { badFile, show } from "./bad_data.ts";

/** Marks of missing values, as pandas, R, Excel and SQL write them. */
const MISSING: ReadonlySet<string> = new Set(
  ["", "?", "nan", "+nan", "-nan", "na", "n/a", "#na", "#n/a", "#n/a n/a", "<na>", "null", "none", "nat"]
    .concat(["1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"]),
);

/** What a label's cell holds where there is none: "NA" and "null" may be names of classes. */
const NO_LABEL: ReadonlySet<string> = new Set(["", "?", "nan", "+nan", "-nan"]);

/** Whether a cell is a mark of a missing value. */
export function isMissing(cell: string): boolean {
  return MISSING.has(cell.trim().toLowerCase());
}

/** What people and programs write where a value is missing, and nothing else by it: signs alone, errors of Excel, words. */
const LIKE_MARKS =
  /^[^\p{L}\p{N}]+$|^#[\p{L}/0]+[!?]?$|^(nil|void|missing|unknown|blank|empty|err(or)?|bad|fail|n\.a\.?|k\.a\.?)$/iu;

const INFINITE = /^\s*[+-]?(inf|infinity|∞)\s*$/i;

/** Half a step above the greatest float32: what is below rounds to a finite one. */
const LIMIT = 2 ** 128 - 2 ** 103;

/** Whether a cell holds no label: empty, "?" or NaN. */
export function isNoLabel(cell: string): boolean {
  return NO_LABEL.has(cell.trim().toLowerCase());
}

/** The number in a cell; NaN where it is missing; undefined where it is neither. */
export function numberIn(cell: string): number | undefined {
  const value = +cell;
  // Number() takes "" and " " for 0, and reads 0x10, 0b1 and 0o7.
  if (value === value && value < LIMIT && value > -LIMIT && (value !== 0 || cell.trim() !== "") && !isPrefixed(cell)) {
    return value;
  }
  return isMissing(cell) ? NaN : undefined;
}

/** Whether a number is one in another base. */
function isPrefixed(cell: string): boolean {
  const first = cell.charCodeAt(0);
  // Most cells begin with a digit from 1, a sign or "0.".
  if (first === 48) return (cell.charCodeAt(1) | 32) > 97 && !/^0e/i.test(cell);
  return (first <= 32 || first > 57) && /^\s*0[xbo]/i.test(cell);
}

/** Details of an error about a cell that may be a mark of a missing value, if it may. */
export function markDetails(cell: string): ErrorDetails | undefined {
  if (!LIKE_MARKS.test(cell.trim()) || cell.includes(",")) return undefined;
  return {
    value: cell,
    option: "missingValues",
    advice: "if it marks a missing value, say so (missingValues)",
  };
}

/**
 * What is wrong with a cell that {@linkcode numberIn} does not take.
 *
 * @param where "line 3, column temp".
 * @param details `code`: what it is if it is no number.
 */
export function badNumber(
  file: string,
  where: string,
  cell: string,
  { code = "not-a-number", ...details }: ErrorDetails & { code?: "not-a-number" | "column-not-numbers" } = {},
): Error {
  const value = +cell;
  if (INFINITE.test(cell) || (value === value && Math.abs(value) >= LIMIT)) {
    return badFile("number-out-of-range", file, `${where} must be a finite float32, got ${show(cell.trim())}`, {
      value: cell,
      column: details.column,
    });
  }
  const mark = markDetails(cell), all = { value: cell, ...details, ...mark };
  return badFile(mark ? "not-a-number" : code, file, `${where} must be a number, got ${show(cell)}`, all);
}

/** Whether a number is one that training can take. */
export function isFloat(value: number): boolean {
  return value < LIMIT && value > -LIMIT;
}

/** Holds that a number of a binary array is one that training can take, or NaN. */
export function checkFinite(file: string, where: () => string, value: number, field?: string): void {
  if (value >= LIMIT || value <= -LIMIT) {
    const details = { value, ...field !== undefined && { name: field } };
    throw badFile("number-out-of-range", file, `${where()} must be a finite float32, got ${value}`, details);
  }
}
