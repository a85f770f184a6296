/**
 * Which columns of a table tell the time: text that is nothing but dates, days beside times of day, numbers that count
 * seconds, days or rows, or a column for each part of a date.
 *
 * @module
 */

import { bare } from "./bad_data.ts";
import { Clock } from "./clock.ts";
import { timeOfDay, timesIn } from "./dates.ts";
import type { Table } from "./record.ts";
import { turns } from "./series.ts";

/** Names by which a column of numbers is taken for the time. */
const TIME_NAMES = /^(time ?stamp|time_stamp|time|date|date_?time|ds|epoch|unix_?time)$/i;

/** Names by which it is where its steps are even: those of rows, of steps, of seconds. */
const COUNT_NAMES =
  /^(t|i|n|no|nr|num|index|idx|step|steps|row|rows|seq|period|tick|frame|sample|obs|day|days|week|weeks|month|hour|hours|min|mins|minute|minutes|sec|secs|second|seconds|elapsed.*|unnamed: 0|column 1)\.?$/i;

/** Names of the parts of a date, from the largest on, and the values of each. */
const PARTS: readonly (readonly [RegExp, number, number])[] = [
  [/^(year|yr|jahr|année|año|anno)$/i, 1000, 3000],
  [/^(month|mon|mo|monat|mois|mes|mese)$/i, 1, 12],
  [/^(day|tag|jour|d[ií]a|dom|day_?of_?month|giorno)$/i, 1, 31],
  [/^(hour|hr|stunde|heure|hora)$/i, 0, 24],
  [/^(minute|min|minuto)$/i, 0, 59],
];

/** Names of which a column of dates has one, though its rows are in no order. */
const DATE_NAMES = /date|time|^ds$/i;

const DAY = 86_400_000;

/** What the times of rows are like. */
export interface Times {
  /** The column, in words. */
  readonly called: string;
  /** Names of the columns that tell it. */
  readonly names: readonly string[];
  /** NaN where a cell holds none. */
  readonly at: Float64Array;
  /** A row's time as the file has it. */
  readonly cell: (row: number) => string;
}

/** Whether a column is named like a time. */
export function isTimeName(name: string): boolean {
  return TIME_NAMES.test(name);
}

/** A column, in words. */
const called = (name: string) => /^column \d+$/.test(name) ? name : `column ${bare(name)}`;

/** The column that tells the time: the one that was named; else the first that is nothing but dates, or named so. */
export function timesOf(
  table: Table,
  named: string | undefined,
  plain: (cell: string) => string,
): Times | undefined {
  const { columns, values, texts = new Map<string, readonly string[]>(), rows, name: file, place } = table;
  for (const [name, cells] of texts) {
    if (named !== undefined && name !== named) continue;
    const at = timesIn(cells.map(plain));
    // Other dates are in any order.
    if (at && (name === named || DATE_NAMES.test(name) || turns(at).length * 10 <= rows)) {
      const whole = named === undefined ? withTimes(table, at, name) : { names: [name], at };
      return { called: called(name), ...whole, cell: (row) => cells[row]! };
    }
    if (name !== named) continue;
    // One of its cells is no time, or written in another way than the others.
    const clock = new Clock(file);
    for (const [row, cell] of cells.entries()) {
      clock.read(plain(cell), () => `${place!(row).slice(file.length + 2)}, ${called(name)}`);
    }
  }
  if (named !== undefined) return undefined;
  const parts = partsIn(table);
  if (parts) return parts;
  const column = columns.findIndex((name, c) => isTime(name, values[c]!)), numbers = values[column];
  const at = numbers && timesIn(Array.from(numbers, String));
  if (at) {
    return {
      called: called(columns[column]!),
      names: [columns[column]!],
      at,
      cell: (row) => String(numbers![row]),
    };
  }
  return gappyTimes(table, plain);
}

/** Dates of which some are missing: those that are there may still tell the order. */
function gappyTimes({ texts = new Map(), rows }: Table, plain: (cell: string) => string): Times | undefined {
  for (const [name, all] of texts) {
    const cells: string[] = all.map(plain),
      dates = cells.flatMap((cell, row) => /\d\D*\d\D*\d/.test(cell) ? [row] : []);
    if (dates.length < 3 || dates.length === rows || 2 * dates.length < rows) continue;
    const known = timesIn(dates.map((row) => cells[row]!));
    if (!known || !DATE_NAMES.test(name) && turns(known).length * 10 > rows) continue;
    const at = new Float64Array(rows).fill(NaN);
    dates.forEach((row, i) => at[row] = known[i]!);
    return { called: called(name), names: [name], at, cell: (row) => cells[row]! };
  }
}

/** Days with the times of day that another column has, if there is one. */
function withTimes({ columns, values, texts = new Map() }: Table, days: Float64Array, name: string) {
  if (days.some((day) => day % DAY !== 0)) return { names: [name], at: days };
  for (const [other, cells] of texts as ReadonlyMap<string, readonly string[]>) {
    if (other === name) continue;
    const times = cells.map((cell) => timeOfDay(cell));
    if (times.every((time) => time !== undefined)) {
      return { names: [name, other], at: days.map((day, row) => day + times[row]!) };
    }
  }
  const hour = columns.findIndex((column, c) => isPart(3, column, values[c]!));
  if (hour < 0) return { names: [name], at: days };
  return { names: [name, columns[hour]!], at: days.map((day, row) => day + DAY / 24 * values[hour]![row]!) };
}

function isPart(part: number, column: string, values: Float64Array): boolean {
  const [names, least, most] = PARTS[part]!;
  return names.test(column) && values.every((value) => Number.isInteger(value) && value >= least && value <= most);
}

/** A column for each part of a date, the year and what follows without a hole. */
function partsIn({ columns, values }: Table): Times | undefined {
  const found: number[] = [];
  for (let part = 0; part < PARTS.length; part++) {
    const place = columns.findIndex((column, c) => isPart(part, column, values[c]!));
    if (place < 0) break;
    found.push(place);
  }
  if (!found.length) return undefined;
  const names = found.map((place) => columns[place]!);
  const numbers = (row: number) => found.map((place) => values[place]![row]!);
  const at = Float64Array.from(values[found[0]!]!.keys(), (row) => {
    const [year, month = 1, day = 1, hour = 0, minute = 0] = numbers(row);
    return Date.UTC(year!, month - 1, day, hour, minute);
  });
  const all = names.map(bare).join(", ");
  return {
    called: names.length > 1 ? `the time of columns ${all}` : called(names[0]!),
    names,
    at,
    cell: (row) => numbers(row).join("-"),
  };
}

/** Whether a column of numbers tells the time: by its name; or days and months as 20240131 and 202401, or a clock's. */
function isTime(name: string, values: Float64Array): boolean {
  if (isTimeName(name)) return true;
  if (values.length < 3) return false;
  const rises = isOneWay(values);
  // What starts again may count the hours of a day.
  if (COUNT_NAMES.test(name) && rises && hasEvenSteps(values)) return true;
  const every = (pattern: RegExp) => values.every((value) => pattern.test(String(value)));
  if (every(/^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$/)) return true;
  if (rises && every(/^(19|20)\d\d(0[1-9]|1[0-2])$/)) return true;
  // Since 1970: seconds, and what is a thousandth of the one before.
  const isClock = [1, 1e3, 1e6, 1e9].some((unit) => values.every((value) => value > 5e8 * unit && value < 4e9 * unit));
  return isClock && hasEvenSteps(values);
}

/** Whether numbers never turn, and are not all the same. */
function isOneWay(values: Float64Array): boolean {
  return values[0] !== values.at(-1) && turns(values).length === 0;
}

/** Whether most steps are the same, and most go one way. */
function hasEvenSteps(values: Float64Array): boolean {
  const steps = values.subarray(1).map((value, i) => value - values[i]!),
    usual = steps.slice().sort()[steps.length >> 1]!;
  if (!usual) return false;
  const count = steps.reduce((sum, step) => sum + Number(Math.abs(step - usual) <= 0.1 * Math.abs(usual)), 0);
  return 10 * count >= 8 * steps.length;
}

/** Names of columns that are called dates, hold text, and are none that is understood. */
export function strangeDates({ texts = new Map<string, readonly string[]>() }: Table): (readonly [string, string])[] {
  return [...texts].flatMap(([name, cells]) => {
    const isDated = DATE_NAMES.test(name) &&
      2 * cells.filter((cell) => /\d\D*\d\D*\d\D*\d/.test(cell)).length > cells.length;
    return isDated ? [[name, cells[0]!] as const] : [];
  });
}
