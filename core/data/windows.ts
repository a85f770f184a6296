/** Windows over a table of series: rows before a point in time in, the rows after it out. */

import { spell } from "../display.ts";
import { checkArgument, checkInteger } from "../errors.ts";
import { log } from "../math.ts";
import { badData, checkSize } from "./errors.ts";
import { columnsOf, type ForecastState, type RowRange } from "./forecast_state.ts";
import { show } from "./readers/bad_data.ts";
import { markDetails, numberIn } from "./readers/numbers.ts";
import type { Table } from "./readers/record.ts";
import { fillMissing, MISSING_ADVICE, type Scaling } from "./scaling.ts";

/** Windows as a model takes them, and what its outputs start from. */
export interface ForecastInputs {
  /** Inputs (N, window, features), row-major. */
  readonly x: Float32Array;
  /** [N, window, features]. */
  readonly shape: readonly [number, number, number];
  /** The row that each window forecasts first (N): the one after its inputs. */
  readonly rows: Int32Array;
  /** Last known value of each target, in the data's units (N, targets). */
  readonly levels: Float64Array;
  /** The numbers that `center` subtracted (N, targets): 0 without. */
  readonly centers: Float64Array;
  /** What is to be known about them, in words; absent where nothing is. */
  readonly notes?: readonly string[];
}

/** How many windows are left out of a dataset. */
export interface LeftOut {
  /** As they reach across a break of the time. */
  readonly breaks: number;
  /** As they lack a value. */
  readonly missing: number;
}

/** Windows with what came after them. */
export interface ForecastDataset extends ForecastInputs {
  /** As the model learns them (N, horizon · targets): all targets of the first row, then of the next. */
  readonly targets: Float32Array;
  /** The same in the data's units. */
  readonly truth: Float64Array;
  /** How many windows are left out, and why; a window counts once. */
  readonly leftOut: LeftOut;
}

/** The columns of a table that are used, from one row on: raw, and as they go in and come out. */
interface Series {
  /** First row they hold. */
  readonly from: number;
  /** In the data's units, filled where missing values are filled. */
  readonly raw: readonly Float64Array[];
  /** Transformed and standardised, not yet rounded to float32; NaN where there is none. */
  readonly scaled: readonly Float64Array[];
}

/** The windows that a state asks for, over any table. */
export class Windows {
  readonly #state: ForecastState;
  readonly #scaling: Scaling | null;
  /** Targets, then features that are none. */
  readonly columns: readonly string[];
  /** Of each feature, its place among the columns. */
  readonly features: readonly number[];

  constructor(state: ForecastState, scaling: Scaling | null) {
    this.#state = state;
    this.#scaling = scaling;
    this.columns = columnsOf(state);
    this.features = state.featureColumns.map((name) => this.columns.indexOf(name));
  }

  /** Columns that come out. */
  get targets(): number {
    return this.#state.targetColumns.length;
  }

  /** Rows that a transform looks back. */
  get #lag(): 0 | 1 {
    return this.#state.transform === "none" ? 0 : 1;
  }

  /** Rows of a table that a forecast needs before it. */
  get reach(): number {
    return this.#state.window + this.#lag;
  }

  /** A column, for errors. */
  quoted(column: number): string {
    return `column ${JSON.stringify(this.columns[column])}`;
  }

  /** Where a row stands, for errors. */
  place(table: Table, row: number): string {
    return table.place?.(row) ?? `${table.name}, row ${row + 1}`;
  }

  #missingAt(table: Table, { row, column }: { row: number; column: number }): RangeError {
    return badData("value-missing", `a value is missing at ${this.place(table, row)}, ${this.quoted(column)}`, {
      option: "missing",
      advice: MISSING_ADVICE,
    });
  }

  /** Rows as they were given, which must lie in the table. */
  range(table: Table, part: RowRange): RowRange {
    checkTable(table);
    checkArgument("prepare data", "rows", part, "numbers");
    const { name, rows } = table, [from, to] = part;
    if (Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from < to && to <= rows) return [from, to];
    throw badData("argument-out-of-range", `${name}: a part must lie in rows 0 to ${rows}, got ${from} to ${to}`, {
      name: "rows",
    });
  }

  /** The columns of a table that are used. */
  values({ name, columns, values, rows, texts, place }: Table): Float64Array[] {
    return this.columns.map((column, c) => {
      const at = columns.indexOf(column), known = columns.map((name) => JSON.stringify(name)).join(", ");
      if (at < 0) {
        const cells = texts?.get(column), bad = cells?.findIndex((cell) => !isNumeric(cell)) ?? -1;
        const shown = cells && bad >= 0 ? ` (${place?.(bad) ?? `row ${bad + 1}`}: ${show(cells[bad]!)})` : "";
        const why = cells ? `holds no numbers${shown}` : "does not exist";
        throw badData("series-missing", `${name}: ${this.quoted(c)} ${why}; columns of numbers: ${known || "none"}`, {
          column,
          ...shown && markDetails(cells![bad]!),
        });
      }
      if (values[at]?.length !== rows) {
        throw badData("shape-mismatch", `${name}: ${this.quoted(c)} must have ${rows} values`, { column });
      }
      return values[at]!;
    });
  }

  /** Rows [from, to) of the columns, gaps filled where that was asked for; targets transformed. */
  transformed(table: Table, from: number, to: number): { raw: Float64Array[]; transformed: Float64Array[] } {
    const { missing, means, transform } = this.#state;
    const raw: Float64Array[] = [], transformed: Float64Array[] = [];
    this.values(table).forEach((column, c) => {
      const whole = column.slice(0, to), lag = c < this.targets ? this.#lag : 0;
      fillMissing(whole, missing, [means?.[c] ?? 0]);
      const values = new Float64Array(to - from).fill(NaN);
      for (let row = Math.max(from, lag); row < to; row++) {
        if (transform !== "logDifference" || !lag) {
          values[row - from] = whole[row]! - (lag ? whole[row - 1]! : 0);
          continue;
        }
        const bad = [row - 1, row].find((r) => whole[r]! <= 0);
        if (bad !== undefined) {
          const place = this.place(table, bad);
          throw badData(
            "number-out-of-range",
            `${place}, ${this.quoted(c)}: "logDifference" needs values above 0, got ${whole[bad]}`,
            { value: whole[bad] },
          );
        }
        values[row - from] = log(whole[row]!) - log(whole[row - 1]!);
      }
      raw.push(whole.slice(from));
      transformed.push(values);
    });
    return { raw, transformed };
  }

  #series(table: Table, from: number, to: number): Series {
    const { raw, transformed } = this.transformed(table, from, to);
    const scaled = transformed.map((column, c) =>
      column.map((value, i) => {
        const scaled = this.#scaling ? this.#scaling.apply(value, c) : value;
        if (Number.isFinite(Math.fround(scaled)) || Number.isNaN(value)) return scaled;
        throw badData(
          "number-out-of-range",
          `${this.place(table, from + i)}, ${this.quoted(c)} is too large, got ${raw[c]![i]}`,
          { value: raw[c]![i] },
        );
      })
    );
    return { from, raw, scaled };
  }

  /** The first row and column that a window to forecast `start` lacks, if any; with its targets where `horizon` is not 0. */
  #gap({ from, scaled }: Series, start: number, horizon: number): { row: number; column: number } | undefined {
    const { window } = this.#state, targets = this.targets;
    const look = (values: ArrayLike<number>, first: number, last: number) => {
      for (let row = first; row < last; row++) if (Number.isNaN(values[row - from])) return row;
    };
    for (let column = 0; column < scaled.length; column++) {
      const isInput = this.features.includes(column), isTarget = column < targets;
      const row = (isInput ? look(scaled[column]!, start - window, start) : undefined) ??
        (isTarget ? look(scaled[column]!, start - 1, start + horizon) : undefined);
      if (row !== undefined) return { row, column };
    }
  }

  /** The first break of the time after a row and before another, if any. */
  #breakIn({ breaks = [] }: Table, first: number, end: number): number | undefined {
    return breaks.find((row) => row > first && row < end);
  }

  /** The first rows of all that is forecast by windows whose targets lie in a part of the rows. */
  within(table: Table, [from, to]: RowRange): { series: Series; starts: number[]; leftOut: LeftOut } {
    const { horizon, missing } = this.#state, first = Math.max(from, this.reach), starts: number[] = [];
    const series = this.#series(table, Math.max(0, from - this.#state.window), to);
    const values = this.values(table).slice(0, this.targets);
    let broken = 0, lacking = 0;
    for (let start = first; start + horizon <= to; start++) {
      if (this.#breakIn(table, start - this.reach, start + horizon) !== undefined) {
        broken++;
        continue;
      }
      const gap = this.#gap(series, start, horizon);
      if (gap && missing === "error") throw this.#missingAt(table, gap);
      // What was filled is no truth to learn or to be scored by.
      const made = missing !== "error" && values.some((column) => {
        for (let row = start; row < start + horizon; row++) if (Number.isNaN(column[row])) return true;
      });
      if (gap || made) lacking++;
      else starts.push(start);
    }
    if (starts.length) return { series, starts, leftOut: { breaks: broken, missing: lacking } };
    const why = lacking ? "has missing values" : "reaches across a break of the time";
    throw badData(
      first + horizon > to ? "table-too-short" : "value-missing",
      first + horizon > to
        ? `${table.name}: rows ${
          from + 1
        } to ${to} hold no window: each needs ${this.reach} input rows before the ${horizon} to forecast`
        : `${table.name}: every window in rows ${from + 1} to ${to} ${why}`,
    );
  }

  /** The rows before one of a table, or its last ones, to forecast what follows. */
  before(table: Table, given?: number): ForecastInputs {
    checkTable(table);
    const { reach } = this, end = given ?? table.rows;
    if (!(Number.isInteger(end) && end <= table.rows)) {
      throw badData("table-too-short", `${table.name}: there is no row ${spell(end)} after its ${table.rows} rows`, {
        count: table.rows,
      });
    }
    if (end < reach) {
      throw badData("table-too-short", `${table.name}: a forecast needs ${reach} rows, got ${end}`, { count: end });
    }
    const series = this.#series(table, end - reach, end);
    const gap = this.#gap(series, end, 0);
    if (gap) throw this.#missingAt(table, gap);
    const inputs = this.inputs(series, [end]), row = this.#breakIn(table, end - reach, end);
    if (row === undefined) return inputs;
    return { ...inputs, notes: [`the ${reach} rows before the forecast reach across ${breakAt(table, row)}`] };
  }

  /** Windows that forecast from these rows on, as a model takes them. */
  inputs({ from, raw, scaled }: Series, starts: readonly number[]): ForecastInputs {
    const { window, center } = this.#state, targets = this.targets, N = starts.length, I = this.features.length;
    checkSize(N * window * I, `${N} windows of ${window} rows of ${I}`);
    const x = new Float32Array(N * window * I);
    const levels = new Float64Array(N * targets), centers = new Float64Array(N * targets);
    starts.forEach((start, n) => {
      const last = start - 1 - from;
      for (let c = 0; c < targets; c++) {
        levels[n * targets + c] = raw[c]![last]!;
        if (center) centers[n * targets + c] = scaled[c]![last]!;
      }
      for (let step = 0; step < window; step++) {
        this.features.forEach((column, i) => {
          const less = column < targets ? centers[n * targets + column]! : 0;
          x[(n * window + step) * I + i] = scaled[column]![last - window + 1 + step]! - less;
        });
      }
    });
    return { x, shape: [N, window, I], rows: Int32Array.from(starts), levels, centers };
  }
}

/** Whether a cell is a number as far as anybody can tell, or marks a missing one. */
function isNumeric(cell: string): boolean {
  return numberIn(cell.replace(",", ".")) !== undefined;
}

/** A break of the time, in words. */
export function breakAt({ name, place, stepsOf }: Table, row: number): string {
  const steps = stepsOf?.(row), where = place?.(row) ?? `${name}, row ${row + 1}`;
  return `a break of the time at ${where}` + (steps === undefined ? "" : ` (${Number(steps.toPrecision(3))} steps)`);
}

/** Checks what is read as a table. */
export function checkTable(table: Table): void {
  checkArgument("prepare data", "table", table, ["name", "columns", "values", "rows"]);
  checkArgument("prepare data", "table.columns", table.columns, "strings");
  checkArgument("prepare data", "table.values", table.values, "lists");
  checkInteger("prepare data", "table.rows", table.rows);
}
