/**
 * The head of delimited text: what stands between cells and within numbers, and the names of the columns.
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { checkNames } from "./columns.ts";
import { isDecimal } from "./decimals.ts";
import type { Lines } from "./lines.ts";
import { NumberFormat } from "./number_format.ts";
import type { ReadOptions } from "./record.ts";
import { Rows } from "./rows.ts";

/** The rows of a file, and the names of its columns. */
export interface Head {
  readonly rows: Rows;
  /** "" where a column has none. */
  readonly names: readonly string[];
  /** How its numbers are written. */
  readonly format: NumberFormat;
}

/** The columns at the end that have no names. */
export function blankColumns(names: readonly string[], options: ReadOptions): number[] {
  const places = names.map((_, i) => i);
  return options.header === false || options.featureColumns
    ? []
    : places.slice(names.findLastIndex((name) => name) + 1);
}

/** A column without a name that holds something. */
export function unnamed(file: string, column: number): Error {
  return badFile("column-unnamed", file, `column ${column + 1} has no name`, {
    option: "featureColumns",
    advice: "name it, or say which columns to take (featureColumns)",
  });
}

/** What may stand between cells. */
const DELIMITERS = [",", "\t", ";", "|"];

/** Lines that are looked at, at most, to find out what stands between cells and within numbers. */
const LOOKED_AT = 64;

/** How often a character stands in a line, outside of quotation marks. */
function countOf(line: string, character: string): number {
  let count = 0, inQuotes = false;
  for (const c of line) {
    if (c === '"') inQuotes = !inQuotes;
    else if (c === character && !inQuotes) count++;
  }
  return count;
}

/** What stands between cells: the first that the head has; of several, the first that the other lines have as often. */
async function findDelimiter(lines: Lines, head: string): Promise<string> {
  const found = DELIMITERS.filter((one) => countOf(head, one) > 0);
  if (found.length < 2) return found[0] ?? ",";
  const [, ...others] = (await lines.ahead(LOOKED_AT)).filter((line) => line !== "");
  const even = found.find((one) => others.every((line) => countOf(line, one) === countOf(head, one)));
  return even ?? found[0]!;
}

/** Whether a first line is rather numbers than names: one with a decimal point, or nothing but integers in no even steps. */
function looksLikeData(cells: readonly string[]): boolean {
  if (cells.some((cell) => /^\s*-?\d+\.\d+\s*$/.test(cell))) return true;
  if (cells.length < 2 || !cells.every((cell) => /^\s*-?\d+\s*$/.test(cell))) return false;
  const step = Number(cells[1]) - Number(cells[0]);
  return step <= 0 || cells.some((cell, i) => i > 0 && Number(cell) - Number(cells[i - 1]!) !== step);
}

/** A cell of a first line that other lines have in the same place, where few different ones are: a class, and no name. */
function comesAgain(cells: readonly string[], others: readonly (readonly string[])[]): string | undefined {
  const names = cells.map((cell) => cell.trim());
  // A head that comes again, as where files are joined, is none.
  const rows = others.filter((row) => row.length === cells.length && row.some((cell, i) => cell.trim() !== names[i]));
  return names.find((name, i) => {
    if (name === "" || isDecimal(name)) return false;
    const column = rows.map((row) => row[i]!.trim());
    return column.filter((cell) => cell === name).length > 1 && 2 * new Set(column).size <= rows.length;
  });
}

/** Reads the names of the columns. */
export async function readHead(lines: Lines, options: ReadOptions, limit: number): Promise<Head> {
  const { name } = lines;
  let first = await lines.peek();
  // Excel's own line that says what stands between cells.
  const told = first?.toLowerCase().startsWith("sep=") && first.length === 5 ? first[4] : undefined;
  if (told) {
    await lines.next();
    first = await lines.peek();
  }
  if (first === undefined) throw badFile("file-empty", name, "the file is empty");
  const tabs = /\.tsv(\.gz)?$/i.test(name);
  const delimiter = options.delimiter ?? told ?? (tabs ? "\t" : await findDelimiter(lines, first));
  const format = new NumberFormat(name, options, delimiter);
  const rows = new Rows(lines, delimiter, limit, options.quote !== "none", options.faults);
  const cellsOf = (line: string) => line.split(delimiter).map((cell) => cell.replaceAll('"', ""));
  const own = options.header === false ? 0 : 1;
  if (format.isOpen) {
    const [row] = (await lines.ahead(own + 1)).slice(own);
    if (row && cellsOf(row).some((cell) => cell.includes(","))) {
      format.learn((await lines.ahead(own + LOOKED_AT)).slice(own).flatMap(cellsOf));
    }
  }
  if (options.header === false) {
    return { rows, names: new Array(countOf(first, delimiter) + 1).fill(""), format };
  }
  const cells = (await rows.next())!, line = rows.number;
  if (rows.fault) throw rows.fault;
  const again = options.header === undefined && comesAgain(cells, lines.atHand(LOOKED_AT).map(cellsOf));
  if (options.header === undefined && (looksLikeData(cells) || again)) {
    const why = again ? `: ${show(again)} stands below too` : "";
    throw badFile("header-unclear", name, `line ${line} looks like data, not like names of columns${why}`, {
      option: "header",
      advice: "say whether it is one (header: true or false)",
    });
  }
  return { rows, names: checkNames(name, line, cells), format };
}
