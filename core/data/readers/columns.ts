/**
 * Columns of a table: their names, and which of them is what.
 *
 * @module
 */

import { badFile, bare } from "./bad_data.ts";

const MAX_COLUMNS = 1e6, MANY = 256;

/** Names by which a column is taken for the label's. */
const LABEL_NAMES = /^(label|class|y|target)$/i;

/** The names in a head, once they are found to be names. */
export function checkNames(file: string, line: number, names: readonly string[]): string[] {
  if (names.length > MAX_COLUMNS) {
    throw badFile("file-too-large", file, `line ${line} must have at most ${MAX_COLUMNS} columns, got ${names.length}`);
  }
  const seen = new Map<string, number>();
  return names.map((cell, i) => {
    const name = cell.trim(), before = seen.get(name);
    if (name && before !== undefined) {
      throw badFile("columns-alike", file, `line ${line} names columns ${before + 1} and ${i + 1} both ${bare(name)}`, {
        column: name,
      });
    }
    seen.set(name, i);
    return name;
  });
}

/** How a column is called in an error: by its name, or its place counted from 1. */
export function called(names: readonly string[], column: number): string {
  return `column ${names[column] ? bare(names[column]!) : column + 1}`;
}

/** The places of many names, once some have been looked for; before, how many were. */
const places = new WeakMap<readonly string[], number | ReadonlyMap<string, number>>();

/** The place of a name, -1 where there is none. Where names are many, as many of them may be looked for. */
function placeOf(names: readonly string[], name: string): number {
  if (names.length < MANY) return names.indexOf(name);
  const known = places.get(names) ?? 0;
  if (typeof known !== "number") return known.get(name) ?? -1;
  places.set(names, known < 8 ? known + 1 : new Map(names.map((one, i) => [one, i] as const).reverse()));
  return names.indexOf(name);
}

/**
 * The place of a column, from 0.
 *
 * @param column A name; or a number from 0, negative from the end.
 * @param option The option that says so, for the error.
 */
export function findColumn(file: string, names: readonly string[], column: string | number, option: string): number {
  const named = placeOf(names, String(column));
  if (named >= 0 && column !== "") return named;
  if (/^-?\d+$/.test(String(column))) {
    const number = Number(column), place = number < 0 ? names.length + number : number;
    if (place >= 0 && place < names.length) return place;
    throw badFile("column-missing", file, `there is no column ${column}, only 0 to ${names.length - 1}`, {
      option,
      column: String(column),
      advice: `${option} asks for it`,
    });
  }
  throw badFile("column-missing", file, `there is no column ${bare(String(column))}${onlyThese(names)}`, {
    option,
    column: String(column),
    advice: `${option} asks for it`,
  });
}

/** The names there are, behind what is missing among them. */
export function onlyThese(names: readonly string[]): string {
  const known = names.filter((name) => name).slice(0, 8).map(bare).join(", ");
  return known ? `, only ${known}${names.length > 8 ? ", …" : ""}` : "";
}

/** The last column that is called like a label, if any. */
export function guessLabel(names: readonly string[]): number | undefined {
  const place = names.findLastIndex((name) => LABEL_NAMES.test(name));
  return place < 0 ? undefined : place;
}

/** The column that is called id, if any: it names sequences, and is nothing to train on. */
export function guessId(names: readonly string[]): number | undefined {
  const place = names.findIndex((name) => /^id$/i.test(name));
  return place < 0 ? undefined : place;
}
