/**
 * The rows of a table in time: which column tells it, whether or not anybody named it, and what it says about the rows.
 *
 * @module
 */

import { badFile, bare, show } from "./bad_data.ts";
import { Clock } from "./clock.ts";
import { timeOfDay, timesIn } from "./dates.ts";
import type { Table } from "./record.ts";

/** Names by which a column of numbers is taken for the time. */
const TIME_NAMES = /^(time ?stamp|time_stamp|time|date|date_?time|ds|epoch|unix_?time)$/i;

/** The same for whole numbers that look like years. */
const YEAR_NAMES = /^(year|jahr|année|año)$/i;

/** Columns that tell the time of day or the part of a date, and no series from another. */
const PART_NAMES = /time|date|year|month|week|day|hour|minute|second/i;

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
  if (!times) return withRemarks(table);
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
  { columns, values, texts = new Map(), rows, name: file, place }: Table,
  named: string | undefined,
  plain: (cell: string) => string,
): Times | undefined {
  for (const [name, cells] of texts) {
    if (named !== undefined && name !== named) continue;
    const at = timesIn(cells.map(plain));
    // Other dates are in any order.
    if (at && (name === named || DATE_NAMES.test(name) || turns(at).length * 10 <= rows)) {
      return { name, at: named === undefined ? withTimes(at, name, texts) : at, cell: (row) => cells[row]! };
    }
    if (name !== named) continue;
    // One of its cells is no time, or written in another way than the others.
    const clock = new Clock(file);
    for (const [row, cell] of cells.entries()) {
      clock.read(plain(cell), () => `${place!(row).slice(file.length + 2)}, column ${bare(name)}`);
    }
  }
  if (named !== undefined) return undefined;
  const column = columns.findIndex((name, c) => isTime(name, values[c]!)), numbers = values[column];
  const at = numbers && timesIn(Array.from(numbers, String));
  return at && { name: columns[column]!, at, cell: (row) => String(numbers![row]) };
}

/** Days with the times of day that another column has, if there is one. */
function withTimes(days: Float64Array, name: string, texts: ReadonlyMap<string, readonly string[]>): Float64Array {
  if (days.some((day) => day % 86_400_000 !== 0)) return days;
  for (const [other, cells] of texts) {
    if (other === name) continue;
    const times = cells.map((cell) => timeOfDay(cell));
    if (times.every((time) => time !== undefined)) return days.map((day, row) => day + times[row]!);
  }
  return days;
}

/** Whether a column of numbers tells the time: by its name; or days as 20240131, or seconds or milliseconds since 1970. */
function isTime(name: string, values: Float64Array): boolean {
  if (isTimeName(name)) return true;
  if (!values.every(Number.isInteger) || values.length < 3) return false;
  if (YEAR_NAMES.test(name) && values.every((value) => value >= 1000 && value <= 3000)) return true;
  if (values.every((value) => /^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$/.test(String(value)))) return true;
  const isClock = [1, 1000].some((unit) => values.every((value) => value > 5e8 * unit && value < 4e9 * unit));
  return isClock && hasEvenSteps(values);
}

/** Whether most steps are the same, and most go one way. */
function hasEvenSteps(values: Float64Array): boolean {
  const counts = new Map<number, number>();
  for (let i = 1; i < values.length; i++) {
    const step = values[i]! - values[i - 1]!;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  const [step, count] = [...counts].reduce((a, b) => b[1] > a[1] ? b : a);
  return step !== 0 && 10 * count >= 8 * (values.length - 1);
}

/** What is to be said of a table in which nothing tells the time for certain. */
function withRemarks(table: Table): Table {
  const { texts = new Map<string, readonly string[]>(), rows, notes = [] } = table, remarks: string[] = [];
  for (const [name, cells] of texts) {
    const called = `${table.name}: column ${bare(name)}`;
    if (timesIn(cells)) {
      remarks.push(
        `${called} holds dates in no order, and the rows stay as they are: as the time column it sorts them`,
      );
      continue;
    }
    const changes = cells.flatMap((cell, row) => row > 0 && cell !== cells[row - 1] ? [row] : []);
    const isStacked = changes.length > 0 && 10 * changes.length <= rows && new Set(cells).size === changes.length + 1;
    if (!isStacked || PART_NAMES.test(name)) continue;
    const at = placeOf(table, changes[0]!);
    remarks.push(
      `${called} changes at ${at}: if these are several series, windows run across; a table of each is right`,
    );
  }
  return remarks.length ? { ...table, notes: [...notes, ...remarks] } : table;
}

/** The rows at which times do not go the way that most of them go. */
function turns(at: Float64Array): number[] {
  const rows = Array.from(at.keys()).slice(1);
  const [falls, rises] = [rows.filter((row) => at[row]! < at[row - 1]!), rows.filter((row) => at[row]! > at[row - 1]!)];
  return falls.length > rises.length ? rises : falls;
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
