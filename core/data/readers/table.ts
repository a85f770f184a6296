/**
 * Tables of series for forecasting.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";
import { called, findColumn } from "./columns.ts";
import { blankColumns, readHead, unnamed } from "./head.ts";
import type { Lines } from "./lines.ts";
import type { Reading, ReadOptions, Table } from "./record.ts";
import { inTime } from "./time_order.ts";

/** Numbers as they come. */
class Growing {
  #numbers = new Float64Array(256);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#numbers.length) {
      const more = new Float64Array(2 * this.#length);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    this.#numbers[this.#length++] = value;
  }

  done(): Float64Array<ArrayBuffer> {
    return this.#numbers.slice(0, this.#length);
  }
}

/**
 * Reads a table from delimited text. A column whose first cell is no number, and that is none of `featureColumns`, is
 * one of text. Rows are brought in the order of the time, where a column tells it.
 */
export async function readCsvTable(
  lines: Lines,
  options: ReadOptions,
  limit: number,
  reading: Reading,
): Promise<Table> {
  const { rows, names, format } = await readHead(lines, options, limit), { name } = rows;
  const find = (column: string | number, option: string) => findColumn(name, names, column, option);
  const asked = options.featureColumns?.map((column) => find(column, "featureColumns"));
  const time = options.timeColumn === undefined ? undefined : find(options.timeColumn, "timeColumn");
  rows.dropsBlankEnd = true;
  const blank = blankColumns(names, options);
  const areBlank = new Set(blank), areAsked = asked && new Set(asked);
  const kept = names.map((_, i) => i).filter((i) => !areBlank.has(i) && (!areAsked || areAsked.has(i) || i === time));
  /** Cells of columns that have had nothing but marks of missing values so far: text may come. */
  const marks = new Map<number, string[]>();
  const numbers = new Map<number, Growing>(), texts = new Map<number, string[]>(), missing = new Map<number, string>();
  const places = new Growing();
  let count = 0;
  for (let cells = rows.take() ?? await rows.next(); cells; cells = rows.take() ?? await rows.next()) {
    if (cells.length !== names.length) {
      throw badFile("row-width", name, `line ${rows.number} must have ${names.length} columns, got ${cells.length}`);
    }
    for (const column of blank) if (cells[column]!.trim() !== "") throw unnamed(name, column);
    places.push(rows.number);
    for (const column of kept) {
      const cell = cells[column]!, where = () => `line ${rows.number}, ${called(names, column)}`;
      if (!count) {
        const isText = column === time || (!asked && !format.isNumber(cell));
        if (isText) texts.set(column, []);
        else numbers.set(column, new Growing());
        if (!isText && !asked) marks.set(column, []);
      }
      const series = numbers.get(column);
      if (!series) {
        texts.get(column)!.push(cell);
        continue;
      }
      const value = format.read(cell), before = marks.get(column);
      if (value === undefined && before && !format.isNumber(cell)) {
        texts.set(column, [...before, cell]);
        numbers.delete(column);
        continue;
      }
      if (value === undefined) throw format.bad(where(), cell);
      if (value !== value) before?.push(cell);
      else if (before) marks.delete(column);
      if (value !== value && !missing.has(column)) missing.set(column, `line ${rows.number}`);
      series.push(value);
    }
    count++;
  }
  if (!count) throw badFile("file-empty", name, "there are no rows");
  const nameOf = (column: number) => names[column] || `column ${column + 1}`;
  const columns = (asked ?? kept).filter((column) => numbers.has(column)), lineOf = places.done();
  const table: Table = {
    name,
    columns: columns.map(nameOf),
    values: columns.map((column) => numbers.get(column)!.done()),
    rows: count,
    texts: new Map([...texts].map(([column, cells]) => [nameOf(column), cells])),
    notes: format.notes,
    missing: columns.map((column) => missing.get(column)),
    place: (row) => `${name}, line ${lineOf[row]}`,
    reading: {
      ...reading,
      ...time !== undefined && { timeColumn: options.header === false ? time : nameOf(time) },
      ...format.hasCommas && { decimal: "," },
    },
  };
  return inTime(table, time === undefined ? undefined : nameOf(time), (cell) => format.plain(cell));
}
