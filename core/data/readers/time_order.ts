/**
 * The rows of a table in time: which column tells it, whether or not anybody named it, and what it says about the rows.
 *
 * @module
 */

import { badFile, bare, show } from "./bad_data.ts";
import { timesIn } from "./dates.ts";
import type { Table } from "./record.ts";
import { refuseSeveral, seriesRemarks } from "./series.ts";
import { strangeDates, type Times, timesOf } from "./time_columns.ts";

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
  if (!times) return withRemarks(table, strangeRemarks(table), []);
  const { at, called, names } = times, { name } = table;
  const dated = Array.from(at.keys()).filter((row) => at[row]! === at[row]!),
    known = Float64Array.from(dated, (row) => at[row]!);
  const isWhole = known.length === at.length;
  if (isWhole) refuseSeveral(table, called, names, at);
  const fall = known.findIndex((time, i) => time < known[i - 1]!),
    steps = known.subarray(1).map((time, i) => time - known[i]!);
  const remarks = isWhole ? [] : [withoutDate(table, called, at)];
  if (fall < 0) {
    const ordered = withRemarks(table, [...remarks, ...isWhole ? sharedTimes(table, times) : []], names);
    return isWhole ? withBreaks(ordered, at) : ordered;
  }
  const isFalling = steps.every((step) => step <= 0), repeated = new Set(known).size < known.length;
  const place = placeOf(table, dated[fall]!);
  if (!isFalling && !isWhole) {
    return withRemarks(
      table,
      [...remarks, `${name}: ${called} goes back at ${place}: the rows stay as they are`],
      names,
    );
  }
  if (!isFalling && repeated) {
    const back = setBack(steps);
    if (back !== undefined) {
      const note =
        `${name}: ${called} goes back by ${back} at ${place}, as a clock that is set back: no window reaches across`;
      return withBreaks(withRemarks(table, [note], names), at);
    }
    const what = `the time goes back, to ${show(times.cell(fall))}: steps must be in order`;
    throw badFile("sequence-order", name, `${placeOf(table, fall)}, ${called}: ${what}`);
  }
  const order = Uint32Array.from(at.keys());
  if (isFalling) order.reverse();
  else order.sort((a, b) => at[a]! - at[b]!);
  const note = isFalling
    ? `${name}: ${called} falls from row to row: the rows are taken in reverse, the newest last`
    : `${name}: ${called} goes back at ${place}: the rows are sorted by it`;
  const turned = withRemarks(reordered(table, order), [note, ...remarks], names);
  return isWhole ? withBreaks(turned, Float64Array.from(order, (row) => at[row]!)) : turned;
}

const HOUR = 3_600_000;

/** By how much a clock is set back, in words, where that is all that is wrong: an hour, or less as rows go on. */
function setBack(steps: Float64Array): string | undefined {
  const falls = steps.filter((step) => step < 0), usual = steps.slice().sort()[steps.length >> 1]!;
  const isClock = usual > 0 && usual < HOUR && falls.every((step) => step === usual - HOUR);
  // Twice in three years at most, as seasons go.
  const days = steps.reduce((sum, step) => sum + step, 0) / (24 * HOUR);
  return isClock && falls.length <= 1 + days / 300 ? `${(HOUR - usual) / 60_000} minutes` : undefined;
}

function placeOf(table: Table, row: number): string {
  return table.place!(row).slice(table.name.length + 2);
}

/** That some rows have no date. */
function withoutDate(table: Table, called: string, at: Float64Array): string {
  const count = at.reduce((sum, time) => sum + Number(time !== time), 0),
    first = placeOf(table, at.findIndex((t) => t !== t));
  return `${table.name}: ${called} holds no date in ${count === 1 ? first : `${count} rows, the first ${first}`}: ` +
    "gaps of the time are not found";
}

/** That most rows share their time with others, and no column tells them apart. */
function sharedTimes(table: Table, { at, called, names }: Times): string[] {
  // Years are coarse.
  if (2 * new Set(at).size > at.length || names.length === 1 && new Set(at).size < 3) return [];
  const row = at.findIndex((time, i) => time === at[i - 1]);
  return [
    `${table.name}: ${called} has several rows for a time, first at ${placeOf(table, row)}: if these are several ` +
    "series, windows run across them",
  ];
}

/** What is to be said where nothing tells the time for certain. */
function strangeRemarks(table: Table): string[] {
  const { name, texts = new Map<string, readonly string[]>() } = table;
  const loose = [...texts].flatMap(([column, cells]) =>
    timesIn(cells)
      ? [
        `${name}: column ${
          bare(column)
        } holds dates in no order, and the rows stay as they are: as the time column it ` +
        "sorts them",
      ]
      : []
  );
  const strange = strangeDates(table).map(([column, cell]) =>
    `${name}: column ${bare(column)} is no time that is understood in all rows, as ${
      show(cell)
    }: the rows stay as they are`
  );
  return loose.length ? loose : strange;
}

/** A table with remarks, and those on columns that may tell series apart. */
function withRemarks(table: Table, remarks: readonly string[], times: readonly string[]): Table {
  const all = [...remarks, ...seriesRemarks(table, times)];
  return all.length ? { ...table, notes: [...table.notes ?? [], ...all] } : table;
}

/** The same rows in another order. */
function reordered(table: Table, order: Uint32Array): Table {
  const { values, texts, place } = table;
  return {
    ...table,
    values: values.map((column) => Float64Array.from(order, (row) => column[row]!)),
    texts: texts && new Map([...texts].map(([name, cells]) => [name, Array.from(order, (row) => cells[row]!)])),
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
