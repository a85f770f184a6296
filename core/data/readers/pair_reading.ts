/**
 * How pairs were read, as options by which others are read alike.
 *
 * @module
 */

import { fields, oneOf, truth, wrong } from "../state.ts";
import { badFile } from "./bad_data.ts";
import type { PairFormat, PairReadOptions } from "./pair_formats.ts";

/** The options that hold for other files of the same kind. */
const LASTING = ["sourceColumn", "targetColumn", "delimiter", "header", "quote", "encoding"] as const;

/** How pairs were read: their format, and of {@linkcode PairReadOptions} those that hold for other files of the same kind. */
export interface PairReading
  extends Pick<PairReadOptions, "sourceColumn" | "targetColumn" | "delimiter" | "header" | "quote" | "encoding"> {
  /** The format. */
  readonly format: PairFormat;
}

/** What of the options of a reading holds for other files, and the columns that were found. */
export function pairReading(
  format: PairFormat,
  options: PairReadOptions,
  columns: Partial<PairReading> = {},
): PairReading {
  const all: PairReadOptions = { ...options, ...columns };
  const kept = LASTING.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]);
  return { format, ...Object.fromEntries(kept) };
}

/** How pairs are read, as it was stored. */
export function pairReadingState(value: unknown, place: string, formats: readonly PairFormat[]): PairReading {
  const state = fields(value, place, ["format"], LASTING);
  for (const name of LASTING) {
    const one = state[name];
    if (one === undefined) continue;
    if (name === "header") truth(one, `${place}.${name}`);
    else if (name === "quote") oneOf(one, `${place}.${name}`, ['"', "none"]);
    else if (typeof one !== "string") throw wrong(`${place}.${name}`, "a string", one);
  }
  return pairReading(oneOf(state.format, `${place}.format`, formats), state as PairReadOptions);
}

/**
 * Options for a file that others came before: what is asked for comes first, then how those were read, then what else is
 * given.
 */
export function pairsReadAs(
  format: PairFormat,
  given: PairReadOptions,
  asked: ReadonlySet<string>,
  before?: PairReading,
): PairReadOptions {
  if (!before) return given;
  const { format: trained, encoding, ...others } = before;
  const known: PairReadOptions = { ...encoding !== undefined && { encoding }, ...trained === format && others };
  const first = Object.entries(given).filter(([name, value]) =>
    value !== undefined && (asked.has(name) || known[name as keyof PairReadOptions] === undefined)
  );
  return { ...known, ...Object.fromEntries(first) };
}

/** Whether a first line is that of a table as the ones before: one without a header, or with the names of its columns. */
export function isLikePairs(
  line: string,
  { format, header, delimiter, sourceColumn, targetColumn }: PairReading,
): boolean {
  if (format !== "csv") return false;
  if (header === false) return true;
  const cells = line.split(delimiter ?? /[,\t;|]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));
  return cells.some((cell) => cell === sourceColumn || cell === targetColumn);
}

/** The place of a column of pairs that were trained on, in a table that lacks it; a column by itself is that of sources. */
export function lackingColumn(
  name: string,
  names: readonly string[],
  option: "sourceColumn" | "targetColumn",
  column: string,
): number {
  if (option === "sourceColumn" && names.length === 1) return 0;
  throw badFile("column-missing", name, `there is no column ${column}, only ${names.slice(0, 8).join(", ")}`, {
    column,
    advice: "the training pairs have it",
  });
}
