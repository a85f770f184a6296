/** A look at the beginning of a table: its columns, what is in them, and what each is rather for. */

import { guessLabel } from "../../core/data/readers/columns.ts";
import { readHead } from "../../core/data/readers/head.ts";
import { Lines } from "../../core/data/readers/lines.ts";
import { isMissing } from "../../core/data/readers/numbers.ts";
import { open } from "../../core/data/readers/open.ts";
import type { Input, ReadOptions } from "../../core/data/readers/record.ts";
import { errorCause } from "../../core/errors.ts";

/** What a column may be for. */
export const ROLES = {
  input: "input",
  label: "label",
  target: "to forecast",
  sequence: "names the sequence",
  time: "time",
  text: "text",
  group: "group",
  weight: "weight",
  source: "source",
  none: "not used",
} as const;

/** One of these. */
export type Role = keyof typeof ROLES;

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly kind: "numbers" | "times" | "words";
  /** Its first values. */
  readonly examples: readonly string[];
  /** Cells without a value, and cells, of the rows that were looked at. */
  readonly missing: number;
  readonly rows: number;
  /** What it is by the look of it. */
  readonly guess: Role;
}

/** A table as it begins. */
export interface LookedAt {
  readonly columns: readonly Column[];
  /** Whether all of its rows were looked at. */
  readonly isWhole: boolean;
  /** Options that its look suggests. */
  readonly header?: false;
  readonly task?: "seq2seq";
  readonly window?: number;
}

/** Rows that are looked at, and columns of them. */
const ROWS = 4000, COLUMNS = 256;

/** The longest line. */
const LIMIT = 2 ** 24;

/** Looks at a table. */
export async function lookAt(input: Input, options: ReadOptions): Promise<LookedAt> {
  try {
    return await look(input, options);
  } catch (error) {
    if (errorCause(error)?.code !== "header-unclear") throw error;
    return { ...await look(input, { ...options, header: false }), header: false };
  }
}

async function look(input: Input, options: ReadOptions): Promise<LookedAt> {
  const { bytes, close } = await open(input, options.encoding), lines = new Lines(input.name, bytes, LIMIT);
  try {
    const { rows, names } = await readHead(lines, options, LIMIT), cells: string[][] = [];
    let row = await rows.next();
    for (; row && cells.length < ROWS; row = await rows.next()) cells.push(row);
    return { ...guessed(names, cells), isWhole: !row };
  } finally {
    await close();
  }
}

const NUMBER = /^[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?%?$/, TIME = /^\d{4}([-/]\d{1,2}){1,2}|^\d{1,2}[:/]\d{2}/;

const SEQUENCE =
  /^(id|.*[_ ]id|.*Id|seq|sequence|series|case|session|trial|recording|sample|unit|subject|user|window)$/i;
const CLOCK = /^(t|time|timestamp|date|datetime|step|frame|index|cycle|tick|second|seconds|ms|year|month|day|hour)$/i;

/** What the columns are rather for, by their names and cells. */
function guessed(names: readonly string[], rows: readonly string[][]): Omit<LookedAt, "isWhole"> {
  const all = names.map((name, i) => about(name, rows.map((row) => row[i]?.trim() ?? "")));
  const roles = new Array<Role>(names.length).fill("input"),
    find = (fits: (i: number) => boolean) => {
      const places = names.slice(0, COLUMNS).map((_, i) => i);
      return places.filter(fits);
    };
  const done = (extra: Partial<LookedAt> = {}) => ({
    columns: all.map((column, i) => ({ ...column, guess: roles[i]! })),
    ...extra,
  });
  const named = (pattern: RegExp) => find((i) => pattern.test(names[i]!))[0];
  const source = named(/^(source|src)$/i), target = named(/^(target|tgt)$/i);
  if (source !== undefined && target !== undefined) {
    roles.fill("none");
    roles[source] = "source";
    roles[target] = "target";
    return done({ task: "seq2seq" });
  }
  const cells = (i: number) => rows.map((row) => row[i] ?? "");
  const [sequence] = find((i) => SEQUENCE.test(names[i]!) && isInBlocks(cells(i)));
  const runs = sequence === undefined ? undefined : runsOf(cells(sequence));
  const [time] = find((i) =>
    i !== sequence && (CLOCK.test(names[i]!) || all[i]!.kind === "times") && all[i]!.kind !== "words" &&
    isRising(cells(i), runs)
  );
  if (sequence !== undefined) roles[sequence] = "sequence";
  if (time !== undefined && (runs || all[time]!.kind === "times" || names[time] !== "")) roles[time] = "time";
  const free = find((i) => roles[i] === "input");
  const words = free.filter((i) => all[i]!.kind === "words");
  const known = guessLabel(names);
  const isConstant = (i: number) =>
    runs?.every(([from, to]) => cells(i).slice(from, to).every((c) => c === cells(i)[from]));
  const [text] = words.filter((i) => i !== known && isProse(cells(i)));
  const label = known ?? words.filter((i) => i !== text && (!runs || isConstant(i))).at(-1) ??
    (runs ? free.filter((i) => isConstant(i)).at(-1) : undefined);
  if (label === undefined && time !== undefined && !runs && text === undefined) {
    // A table in time without labels: its first numbers are forecast.
    const first = free.find((i) => all[i]!.kind === "numbers");
    for (const i of free) roles[i] = i === first ? "target" : "none";
    return done({ window: Math.max(1, Math.min(12, Math.floor(rows.length / 6))) });
  }
  if (label !== undefined) roles[label] = "label";
  if (text !== undefined) {
    for (const i of free) if (i !== label) roles[i] = i === text ? "text" : "none";
  } else {
    for (const i of words) if (i !== label) roles[i] = "none";
    // Without sequences of rows, a row is one, and time is no step of it.
    if (!runs && time !== undefined) roles[time] = "none";
    const id = find((i) => /^id$/i.test(names[i]!))[0];
    if (!runs && id !== undefined && id !== label) roles[id] = "none";
  }
  return done();
}

/** A column by its cells. */
function about(name: string, cells: readonly string[]): Omit<Column, "guess"> {
  const there = cells.filter((cell) => !isMissing(cell)), some = there.slice(0, 200);
  const share = (pattern: RegExp) => some.filter((cell) => pattern.test(cell)).length / some.length;
  const kind = !some.length || share(NUMBER) > 0.9 ? "numbers" : share(TIME) > 0.9 ? "times" : "words";
  return {
    name,
    kind,
    examples: [...new Set(there)].slice(0, 3),
    missing: cells.length - there.length,
    rows: cells.length,
  };
}

/** Where the same cell stands in a row: from, to. */
function runsOf(cells: readonly string[]): [number, number][] {
  const runs: [number, number][] = [];
  cells.forEach((cell, i) => {
    if (i && cells[i - 1] === cell) runs.at(-1)![1] = i + 1;
    else runs.push([i, i + 1]);
  });
  return runs;
}

/** Whether rows that share a cell follow one another, several each. */
function isInBlocks(cells: readonly string[]): boolean {
  const runs = runsOf(cells);
  return runs.length < cells.length / 1.5 && new Set(cells).size === runs.length;
}

/** Whether cells rise, within each run if there are some. */
function isRising(cells: readonly string[], runs: readonly [number, number][] = [[0, cells.length]]): boolean {
  const values = cells.map((cell) => NUMBER.test(cell) ? Number(cell) : Date.parse(cell));
  return runs.every(([from, to]) => values.slice(from + 1, to).every((value, i) => !(value < values[from + i]!)));
}

/** Whether cells are sentences rather than names. */
function isProse(cells: readonly string[]): boolean {
  const some = cells.slice(0, 200), words = some.reduce((sum, cell) => sum + cell.trim().split(/\s+/).length, 0);
  return new Set(some).size > some.length / 2 && words / some.length > 2;
}
