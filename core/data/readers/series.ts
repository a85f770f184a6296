/**
 * Several series in one table: one below the other, or side by side for each time.
 *
 * @module
 */

import { badFile, bare } from "./bad_data.ts";
import type { Table } from "./record.ts";

/** Columns that tell the time of day or the part of a date, and no series from another. */
const PART_NAMES = /time|date|year|quarter|month|week|day|hour|minute|second/i;

/** Names of columns of numbers that tell series apart. */
const ID_NAMES =
  /(^|[^a-z])(id|store|shop|item|series|sensor|station|site|group|region|unit|machine|device|household)s?$/i;

/** A column that may tell series apart. */
interface Candidate {
  readonly name: string;
  readonly cells: ArrayLike<string | number>;
  readonly isText: boolean;
  /** How many different cells it has. */
  readonly kinds: number;
  /** The rows at which it changes. */
  readonly changes: readonly number[];
}

/** The columns of words and of integers, but for those of the time. */
function candidatesIn({ columns, values, texts = new Map(), rows }: Table, times: readonly string[]): Candidate[] {
  const isOther = (column: string) => !times.includes(column) && !PART_NAMES.test(column);
  const all: readonly (readonly [string, ArrayLike<string | number>])[] = [
    ...texts,
    ...columns.flatMap((column, c) => values[c]!.every(Number.isInteger) ? [[column, values[c]!] as const] : []),
  ];
  return all.filter(([name]) => isOther(name)).map(([name, cells]) => {
    const list = Array.from<string | number>(cells);
    const changes = list.flatMap((cell, row) => row > 0 && cell !== list[row - 1] ? [row] : []);
    return { name, cells, isText: texts.has(name), kinds: new Set(list).size, changes };
  }).filter(({ kinds }) => kinds > 1 && 2 * kinds <= rows);
}

/** The rows at which times do not go the way that most of them go. */
export function turns(at: Float64Array): number[] {
  const rows = Array.from(at.keys()).slice(1);
  const [falls, rises] = [rows.filter((row) => at[row]! < at[row - 1]!), rows.filter((row) => at[row]! > at[row - 1]!)];
  return falls.length > rises.length ? rises : falls;
}

const listed = (columns: readonly Candidate[]) => columns.map(({ name }) => bare(name)).join(" and ");

/** Columns that change where the time starts again: one for all restarts, or several that do together. */
function stackedBy(all: readonly Candidate[], restarts: readonly number[], rows: number): Candidate[] | undefined {
  if (!restarts.length || 4 * restarts.length > rows) return undefined;
  const areRestarts = new Set(restarts);
  const holdsAll = ({ changes }: Candidate) => {
    const own = new Set(changes);
    return restarts.every((row) => own.has(row));
  };
  // Runs of a name each: where the next series begins later than the last one ends, the time does not start again.
  const whole = all.find((one) =>
    one.kinds === one.changes.length + 1 && 4 * one.changes.length <= rows && holdsAll(one)
  );
  if (whole) return [whole];
  const within = all.filter(({ changes }) => changes.every((row) => areRestarts.has(row)));
  const covered = new Set(within.flatMap(({ changes }) => changes));
  return covered.size === restarts.length ? within : undefined;
}

/** Columns that together tell apart the rows of each time, where at least half of the rows share theirs with others. */
function besideBy(all: readonly Candidate[], at: Float64Array): Candidate[] | undefined {
  const counts = new Map<number, number>();
  for (const time of at) counts.set(time, (counts.get(time) ?? 0) + 1);
  if (2 * counts.size > at.length) return undefined;
  const most = [...counts.values()].reduce((a, b) => Math.max(a, b));
  // Words may be many; amounts that are names come again with every time.
  const few = all.filter(({ isText, kinds }) => isText || kinds <= 2 * most);
  const pairs = few.flatMap((one, i) => few.slice(i + 1).map((other) => [one, other]));
  const sets = [...few.map((one) => [one]), ...pairs.slice(0, 64), ...few.length > 2 ? [few] : []];
  return sets.find((set) => {
    const seen = new Set<string>(), names = new Set<string>();
    for (const [row, time] of at.entries()) {
      const name = JSON.stringify(set.map(({ cells }) => cells[row]));
      names.add(name);
      const key = `${time} ${name}`;
      if (seen.has(key)) return false;
      seen.add(key);
    }
    return 2 * names.size <= at.length && (set.some(({ isText }) => isText) || names.size <= 2 * most);
  });
}

/**
 * Refuses several series in one table.
 *
 * @param called The column of the time, in words.
 * @param times Names of the columns that tell it.
 * @throws {SyntaxError} If the time starts again where a column changes, or has several rows that columns tell apart.
 */
export function refuseSeveral(table: Table, called: string, times: readonly string[], at: Float64Array): void {
  const all = candidatesIn(table, times), restarts = turns(at);
  const stacked = stackedBy(all, restarts, at.length), beside = stacked ? undefined : besideBy(all, at);
  const columns = stacked ?? beside;
  if (!columns) return;
  const name = columns.length > 1 ? `columns ${listed(columns)}` : `column ${bare(columns[0]!.name)}`;
  const place = stacked && table.place!(restarts[0]!).slice(table.name.length + 2);
  const tell = columns.length > 1 ? "tell" : "tells", change = columns.length > 1 ? "change" : "changes";
  const how = stacked
    ? `starts again in ${place} where ${name} ${change}`
    : `has several rows for a time, which ${name} ${tell} apart`;
  const own = (row: number) => JSON.stringify(columns.map(({ cells }) => cells[row]));
  const count = new Set(Array.from(at.keys(), own)).size;
  throw badFile(
    "series-several",
    table.name,
    `${called} ${how}: these are ${count} series, and windows would run across them`,
    { column: columns[0]!.name, advice: `make a table of each ${listed(columns)}` },
  );
}

/** What is to be said of columns that may tell series apart, where the time does not say so. */
export function seriesRemarks(table: Table, times: readonly string[]): string[] {
  return candidatesIn(table, times).flatMap(({ name, isText, kinds, changes }) => {
    const areRuns = 10 * changes.length <= table.rows && kinds === changes.length + 1;
    if (!areRuns || !isText && !ID_NAMES.test(name)) return [];
    const at = table.place!(changes[0]!).slice(table.name.length + 2);
    return [
      `${table.name}: column ${
        bare(name)
      } changes at ${at}: if these are several series, windows run across; a table ` +
      "of each is right",
    ];
  });
}
