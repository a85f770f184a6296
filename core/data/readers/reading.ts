/**
 * How a file was read, as options by which others of its kind are read alike.
 *
 * @module
 */

import { fields, oneOf, truth, whole, wrong } from "../state.ts";
import { type Format, FORMATS, type LastingOption, type Reading, type ReadOptions } from "./record.ts";

/** A stored option, checked. */
type Check = (value: unknown, place: string) => unknown;

const text: Check = (value, place) => {
  if (typeof value === "string") return value;
  throw wrong(place, "a string", value);
};

const column: Check = (value, place) => {
  if (typeof value === "string" || Number.isSafeInteger(value)) return value;
  throw wrong(place, "a column", value);
};

const list = (check: Check): Check => (value, place) => {
  if (!Array.isArray(value)) throw wrong(place, "a list", value);
  const all = value.map((one, i) => check(one, `${place}[${i}]`));
  if (new Set(all).size === all.length) return all;
  throw wrong(place, "a list of distinct ones", value);
};

const choice = (...choices: string[]): Check => (value, place) => oneOf(value, place, choices);

/** The options that hold for other files of the same kind, each with a check of what is stored. */
const LASTING: Readonly<Record<LastingOption, Check>> = {
  delimiter: text,
  header: truth,
  decimal: choice(".", ","),
  missingValues: list(text),
  quote: choice('"', "none"),
  encoding: text,
  layout: choice("ntc", "nct"),
  sequenceColumn: column,
  sequencePerFile: truth,
  timeColumn: column,
  labelColumns: list(column),
  labelsPerRow: truth,
  groupColumn: column,
  weightColumn: column,
  featureColumns: list(column),
  textColumn: column,
  columnCount: (value, place) => whole(value, place, 1),
  xKey: text,
  yKey: text,
};

/** Their names. */
export const LASTING_OPTIONS = Object.keys(LASTING) as readonly LastingOption[];

/** What of the options of a reading holds for other files of the same kind. */
export function lasting(format: Format, given: ReadOptions): Reading {
  const marks = given.missingValues && [...new Set(given.missingValues)];
  const options: ReadOptions = { ...given, ...marks && { missingValues: marks } };
  const kept = LASTING_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  return { format, ...Object.fromEntries(kept) };
}

/** How others of a file's kind were read, and the names of the columns that a model takes. */
export interface ReadBefore {
  readonly reading: Reading;
  readonly names?: readonly string[];
}

/** Whether a first line is that of a table as the ones before: it has no header as they have none, or one of their names. */
export function isLike(line: string, { reading, names = [] }: ReadBefore): boolean {
  if (reading.format !== "csv") return false;
  if (reading.header === false) return true;
  const { sequenceColumn, timeColumn, textColumn, labelColumns = [] } = reading;
  const known = new Set([...names, ...labelColumns, sequenceColumn, timeColumn, textColumn]);
  return line.split(reading.delimiter ?? /[,\t;|]/).some((cell) => known.has(cell.trim().replace(/^"(.*)"$/, "$1")));
}

/** Options of reading that say the same of any format. */
const OF_ALL: ReadonlySet<string> = new Set<LastingOption>(["missingValues", "encoding", "layout"]);

/**
 * Options for a file that others came before: what is asked for comes first, then how those were read, whose columns have
 * names, then what else is given.
 */
export function readAs(
  format: Format,
  given: ReadOptions,
  asked: ReadonlySet<string>,
  before?: Reading,
): ReadOptions {
  if (!before) return given;
  const { format: trained, ...options } = before, known: ReadOptions = { ...options };
  if (trained !== format) { for (const name of LASTING_OPTIONS) if (!OF_ALL.has(name)) delete known[name]; }
  // One that had its labels elsewhere may have been trained on, and one with labels be scored.
  if (!known.labelColumns?.length && !given.optionalLabels) delete known.labelColumns;
  if (asked.has("sequenceColumn")) delete known.sequencePerFile;
  if (asked.has("sequencePerFile")) delete known.sequenceColumn;
  const first = Object.entries(given).filter(([name]) => asked.has(name) || !Object.hasOwn(known, name));
  return { ...known, ...Object.fromEntries(first) };
}

/** How files are read, as it was stored; without what is undefined. */
export function readingState(value: unknown, place: string): Reading {
  const state = fields(value, place, ["format"], LASTING_OPTIONS);
  const known = LASTING_OPTIONS.filter((name) => state[name] !== undefined);
  return {
    format: oneOf(state.format, `${place}.format`, FORMATS),
    ...Object.fromEntries(known.map((name) => [name, LASTING[name](state[name], `${place}.${name}`)])),
  };
}
