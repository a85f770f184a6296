/**
 * The rows of a table in time: which column tells it, whether or not anybody named it, and what it says about the rows.
 *
 * @module
 */

import { badFile, bare, show } from "./bad_data.ts";
import { timeIn } from "./clock.ts";
import type { Table } from "./record.ts";

/** Names by which a column of numbers is taken for the time. */
const TIME_NAMES = /^(time ?stamp|time_stamp|time|date|date_?time|ds|epoch|unix_?time)$/i;

/** Columns that tell the time of day or the part of a date, and no series from another. */
const PART_NAMES = /time|date|year|month|week|day|hour|minute|second/i;

/** A date without signs between its parts. */
const COMPACT = /^((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])?$/;

/** Names of which a column of dates has one, though its rows are in no order. */
const DATE_NAMES = /date|time|^ds$/i;

/** What the times of rows are like. */
interface Times {
  /** Of the column. */
  readonly name: string;
  readonly at: Float64Array;
  /** A row's time as the file has it. */
  readonly cell: (row: number) => string;
}

/** Whether a column is named like a time. */
export function isTimeName(name: string): boolean {
  return TIME_NAMES.test(name);
}

/**
 * A table with its rows in time, and with the rows before which the time does not take its usual step. Nothing happens
 * where no column tells the time.
 *
 * @param named The column that was said to tell it.
 * @param plain What makes a cell one that `timeIn` reads.
 * @throws {SyntaxError} If its rows are several series, or fall here and there in a way that sorting does not mend.
 */
export function inTime(table: Table, named: string | undefined, plain: (cell: string) => string): Table {
  const times = timesOf(table, named, plain);
  if (!times) return table;
  refuseSeveral(table, times);
  const { at, name } = times, called = `column ${bare(name)}`;
  const fall = at.findIndex((time, row) => time < at[row - 1]!);
  if (fall < 0) return withBreaks(table, at);
  const isFalling = at.every((time, row) => row === 0 || time <= at[row - 1]!), repeated = new Set(at).size < at.length;
  if (!isFalling && repeated) {
    const what = `the time goes back, to ${show(times.cell(fall))}: steps must be in order`;
    throw badFile("sequence-order", table.name, `${placeOf(table, fall)}, ${called}: ${what}`);
  }
  const order = Uint32Array.from(at.keys());
  if (isFalling) order.reverse();
  else order.sort((a, b) => at[a]! - at[b]!);
  const note = isFalling
    ? `${table.name}: ${called} falls from row to row: the rows are taken in reverse, the newest last`
    : `${table.name}: ${called} goes back at ${placeOf(table, fall)}: the rows are sorted by it`;
  return withBreaks(reordered(table, order, note), Float64Array.from(order, (row) => at[row]!));
}

function placeOf(table: Table, row: number): string {
  return table.place!(row).slice(table.name.length + 2);
}

/** The column that tells the time: the one that was named; else the first that is nothing but dates, or named so. */
function timesOf(
  { columns, values, texts = new Map(), rows }: Table,
  named: string | undefined,
  plain: (cell: string) => string,
): Times | undefined {
  for (const [name, cells] of texts) {
    if (named !== undefined && name !== named) continue;
    const at = numbersOf(rows, (row) => timeOf(plain(cells[row]!)));
    // Other dates are in any order.
    if (at && (name === named || DATE_NAMES.test(name) || turns(at).length * 10 <= rows)) {
      return { name, at, cell: (row) => cells[row]! };
    }
  }
  if (named !== undefined) return undefined;
  const column = columns.findIndex((name) => isTimeName(name)), numbers = values[column];
  const at = numbers && numbersOf(rows, (row) => timeOf(String(numbers[row])));
  return at && { name: columns[column]!, at, cell: (row) => String(numbers![row]) };
}

/** The rows at which times do not go the way that most of them go. */
function turns(at: Float64Array): number[] {
  const rows = Array.from(at.keys()).slice(1);
  const [falls, rises] = [rows.filter((row) => at[row]! < at[row - 1]!), rows.filter((row) => at[row]! > at[row - 1]!)];
  return falls.length > rises.length ? rises : falls;
}

function numbersOf(rows: number, read: (row: number) => number | undefined): Float64Array | undefined {
  const at = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const time = read(row);
    if (time === undefined) return undefined;
    at[row] = time;
  }
  return at;
}

function timeOf(cell: string): number | undefined {
  const compact = cell.trim().match(COMPACT);
  return compact ? Date.UTC(Number(compact[1]), Number(compact[2]) - 1, Number(compact[3] ?? 1)) : timeIn(cell);
}

/** Several series in one table: one below the other, or side by side for each time. */
function refuseSeveral(table: Table, { name, at }: Times): void {
  const { columns, values, texts = new Map<string, readonly string[]>() } = table;
  const isOther = (column: string) => column !== name && !PART_NAMES.test(column);
  const words = [...texts].filter(([column]) => isOther(column)),
    amounts = columns.flatMap((column, c) =>
      isOther(column) && values[c]!.every(Number.isInteger) ? [[column, values[c]!] as const] : []
    );
  const restarts = turns(at);
  const stacked = restarts.length > 0 && 4 * restarts.length <= at.length &&
    [...words, ...amounts].find(([, cells]) => changesAt(cells, restarts));
  const beside = stacked || words.find(([, cells]) => tellsApart(cells, at));
  if (!beside) return;
  const [column, cells] = beside, called = `column ${bare(column)}`;
  const how = stacked
    ? `starts again in ${placeOf(table, restarts[0]!)} where ${called} changes`
    : `has several rows for a time, which ${called} tells apart`;
  throw badFile(
    "series-several",
    table.name,
    `column ${bare(name)} ${how}: these are ${new Set<unknown>(cells).size} series, and windows would run across them`,
    { column, advice: `make a table of each ${bare(column)}` },
  );
}

/** Whether a column changes at these rows and nowhere else. */
function changesAt(cells: ArrayLike<unknown>, rows: readonly number[]): boolean {
  let next = 0;
  for (let row = 1; row < cells.length; row++) {
    if (cells[row] === cells[row - 1]) continue;
    if (rows[next++] !== row) return false;
  }
  return next === rows.length;
}

/** Whether at least half of the rows share their time with others, and a column's few words are once in each time. */
function tellsApart(cells: readonly string[], at: Float64Array): boolean {
  const rowsOf = new Map<number, Set<string>>();
  for (const [row, time] of at.entries()) {
    const seen = rowsOf.get(time);
    if (seen?.has(cells[row]!)) return false;
    if (seen) seen.add(cells[row]!);
    else rowsOf.set(time, new Set([cells[row]!]));
  }
  return 2 * rowsOf.size <= at.length && 2 * new Set(cells).size <= at.length;
}

/** The same rows in another order. */
function reordered(table: Table, order: Uint32Array, note: string): Table {
  const { values, texts, notes = [], place } = table;
  return {
    ...table,
    values: values.map((column) => Float64Array.from(order, (row) => column[row]!)),
    texts: texts && new Map([...texts].map(([name, cells]) => [name, Array.from(order, (row) => cells[row]!)])),
    notes: [...notes, note],
    place: (row) => place!(order[row]!),
  };
}

/** With the rows before which a step is none of the usual ones, where there are usual ones. */
function withBreaks(table: Table, at: Float64Array): Table {
  const { step, breaks } = breaksIn(at);
  return breaks.length ? { ...table, breaks, stepsOf: (row) => (at[row]! - at[row - 1]!) / step } : table;
}

/** The usual step of rising times, and the rows before which a step is none of the usual ones. */
export function breaksIn(at: Float64Array): { readonly step: number; readonly breaks: readonly number[] } {
  const steps = Float64Array.from({ length: Math.max(0, at.length - 1) }, (_, i) => at[i + 1]! - at[i]!);
  const sorted = steps.slice().sort(), quantile = (q: number) => sorted[Math.round(q * (sorted.length - 1))]!;
  const step = quantile(0.5);
  const usual = steps.reduce((count, one) => count + Number(Math.abs(one - step) <= 0.1 * step), 0);
  if (!(step > 0) || 2 * usual < steps.length) return { step, breaks: [] };
  // Weekends and short months are usual: what a twentieth of the steps are.
  const [least, most] = [quantile(0.05) / 2, quantile(0.95) * 1.5];
  const breaks = Array.from(steps.keys()).filter((i) => steps[i]! < least || steps[i]! > most).map((i) => i + 1);
  return { step, breaks };
}
