/** Windows over a table of series, for forecasting: rows before a point in time in, the rows after it out. */

import { fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { badData, checkSize } from "./errors.ts";
import { type RegressionMetrics, regressionMetrics } from "./metrics/regression.ts";
import type { Rows } from "./metrics/rows.ts";
import { decodeRows } from "./quantiles.ts";
import type { Table } from "./readers/record.ts";
import {
  channelMeans,
  fillMissing,
  MISSING_ADVICE,
  MISSING_POLICIES,
  type MissingPolicy,
  roundingNotes,
  Scaling,
  type ScalingState,
  storedMeans,
} from "./scaling.ts";
import { distinctTexts, fields, nullable, oneOf, truth, whole } from "./state.ts";

/** What stands for a series: its values, their differences, or the differences of their logarithms. */
export type Transform = "none" | "difference" | "logDifference";

const TRANSFORMS: readonly Transform[] = ["none", "difference", "logDifference"];

/** Rows of a table: from the first up to, but without, the second. */
export type RowRange = readonly [from: number, to: number];

/** Options of {@linkcode ForecastPipeline.fit}. */
export interface ForecastOptions {
  /** Columns to forecast. */
  targetColumns: readonly string[];
  /** Columns that go in. Default: the targets. */
  featureColumns?: readonly string[];
  /** Rows that go in. */
  window: number;
  /** Rows that come out. Default 1. */
  horizon?: number;
  /** What stands for the target columns, going in and coming out; the other columns stay as they are. Default "none". */
  transform?: Transform;
  /**
   * Whether the last known value of each target (transformed and standardised) is subtracted from it, going in and coming
   * out, so that only the change is forecast. Default false.
   */
  center?: boolean;
  /** Whether each column gets mean 0 and standard deviation 1. Default true. */
  standardize?: boolean;
  /**
   * What is done about missing values: an error; windows with one are left out ("drop"); 0, the column's training mean, or
   * the last value before (the mean before the first) stand in for them going in, while windows that should forecast one
   * are left out. Default "error".
   */
  missing?: MissingPolicy;
}

/** The options of forecasting: types, defaults, ranges. */
export const FORECAST_OPTIONS: { readonly [Name in keyof Required<ForecastOptions>]: OptionSpec } = {
  targetColumns: { type: "texts", flag: "target-column", about: "columns to forecast" },
  featureColumns: { type: "texts", optional: true, about: "columns that go in" },
  window: { type: "integer", least: 1, most: 1e6, about: "rows that go in" },
  horizon: { type: "integer", default: 1, least: 1, most: 1e6, about: "rows that come out" },
  transform: { type: "choice", default: "none", choices: TRANSFORMS, about: "what stands for the target columns" },
  center: { type: "boolean", default: false, about: "targets less their last known value" },
  standardize: { type: "boolean", default: true, about: "columns with mean 0 and standard deviation 1" },
  missing: { type: "choice", default: "error", choices: MISSING_POLICIES, about: "what is done about missing values" },
};

/** A {@linkcode ForecastPipeline} as JSON. */
export interface ForecastState {
  /** Always "forecast". */
  readonly kind: "forecast";
  /** Of this structure: 1. */
  readonly version: 1;
  /** Columns to forecast. */
  readonly targetColumns: readonly string[];
  /** Columns that go in. */
  readonly featureColumns: readonly string[];
  /** Rows that go in. */
  readonly window: number;
  /** Rows that come out. */
  readonly horizon: number;
  /** What stands for the target columns. */
  readonly transform: Transform;
  /** Whether the last known value is subtracted. */
  readonly center: boolean;
  /** What is done about missing values. */
  readonly missing: MissingPolicy;
  /** What stands in for missing values: of the targets, then of the features that are none; null where nothing does. */
  readonly means: readonly number[] | null;
  /** Of these columns, the targets transformed. */
  readonly scaling: ScalingState | null;
}

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
  /** What `center` subtracted (N, targets): 0 without. */
  readonly centers: Float64Array;
}

/** Windows with what came after them. */
export interface ForecastDataset extends ForecastInputs {
  /** As the model learns them (N, horizon · targets): all targets of the first row, then of the next. */
  readonly targets: Float32Array;
  /** The same in the data's units. */
  readonly truth: Float64Array;
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

/**
 * What makes windows over a table a model's inputs and targets, and a model's outputs numbers in the data's units. All it
 * knows (means, deviations) comes from the training rows; as JSON it goes into the checkpoint.
 *
 * A window belongs to a part of the rows when all it forecasts lies in that part; its inputs may reach back before it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ForecastPipeline } from "@grutto/grutto";
 *
 * const sales = Float64Array.of(10, 12, 11, 13, 12, 14, 13, 15);
 * const table = { name: "sales.csv", columns: ["sales"], values: [sales], rows: 8 };
 * const pipeline = ForecastPipeline.fit(table, { targetColumns: ["sales"], window: 3, transform: "difference" }, [0, 6]);
 * const { x, shape, targets } = pipeline.dataset(table, [0, 6]);
 * assert.deepEqual([shape, targets.length], [[2, 3, 1], 2]);
 *
 * const next = pipeline.inputs(table); // the last three rows
 * const output = Float32Array.of(0); // in place of a model: nothing but the mean step of the training rows
 * assert.deepEqual([...pipeline.decode(output, next)], [15 + (2 - 1 + 2 - 1 + 2) / 5]);
 * ```
 */
export class ForecastPipeline {
  readonly #state: ForecastState;
  readonly #scaling: Scaling | null;
  /** What is to be known about the training rows when it was fitted, in words; none where nothing is. */
  readonly notes: readonly string[];
  /** Targets, then features that are none. */
  readonly #columns: readonly string[];
  /** Of each feature, its place among the columns. */
  readonly #features: readonly number[];

  private constructor(state: ForecastState, scaling: Scaling | null, notes: readonly string[] = []) {
    this.#state = state;
    this.notes = notes;
    this.#scaling = scaling;
    this.#columns = [...new Set([...state.targetColumns, ...state.featureColumns])];
    this.#features = state.featureColumns.map((name) => this.#columns.indexOf(name));
  }

  /**
   * A pipeline that knows the training rows, and nothing else.
   *
   * @param rows The training rows. Default: all.
   * @throws {TypeError} If an option is missing, unknown or of the wrong type.
   * @throws {RangeError} If an option is out of range, a column does not exist, the rows hold no window, a value is missing
   * or is not above 0 where its logarithm is wanted: the message names the row and the column.
   */
  static fit(table: Table, options: ForecastOptions, rows: RowRange = [0, table.rows]): ForecastPipeline {
    const full = resolveOptions("prepare data", FORECAST_OPTIONS, options) as unknown as Required<ForecastOptions>;
    const { targetColumns, window, horizon, transform, center, missing, standardize } = full;
    const featureColumns = full.featureColumns ?? targetColumns;
    for (const [name, columns] of Object.entries({ targetColumns, featureColumns })) {
      if (new Set(columns).size !== columns.length) {
        throw badData("option-out-of-range", `${name} must be distinct names, got ${columns.join(", ")}`, {
          option: name,
          expected: "distinct names",
          value: columns,
        });
      }
    }
    const state: ForecastState = {
      kind: "forecast",
      version: 1,
      targetColumns: [...targetColumns],
      featureColumns: [...featureColumns],
      window,
      horizon,
      transform,
      center,
      missing,
      means: null,
      scaling: null,
    };
    const draft = new ForecastPipeline(state, null);
    const [from, to] = draft.#range(table, rows), name = (column: number) => draft.#quoted(column);
    const values = draft.#values(table).map((column) => column.subarray(from, to));
    let means: number[] | null = null;
    if (missing === "mean" || missing === "last") {
      means = values.map((column) => channelMeans([column], 1)[0]!);
      const empty = means.findIndex((mean) => !Number.isFinite(mean));
      if (empty >= 0) {
        throw badData("value-missing", `${name(empty)} has no value in rows ${from + 1} to ${to}`, {
          column: name(empty),
        });
      }
    }
    const filled = new ForecastPipeline({ ...state, means }, null);
    const { transformed } = filled.#transformed(table, from, to);
    const scaling = standardize ? Scaling.ofColumns(transformed, name) : null;
    // What is centered is less its last value, whatever its mean.
    const notes = transformed.flatMap((column, c) =>
      standardize || center && c < targetColumns.length ? [] : roundingNotes([column], 1, () => name(c))
    );
    const pipeline = new ForecastPipeline({ ...state, means, scaling: scaling?.toJSON() ?? null }, scaling, notes);
    pipeline.#windows(table, [from, to]); // The training rows must hold one.
    return pipeline;
  }

  /**
   * A pipeline as it was stored.
   *
   * @param json What `toJSON` gave; it may come from anybody, and is checked in full.
   * @throws {TypeError} If something is missing, too much, of the wrong type, not finite, or does not fit the rest.
   */
  static from(json: unknown): ForecastPipeline {
    const place = "preprocessing";
    const state = fields(json, place, [
      "kind",
      "version",
      "targetColumns",
      "featureColumns",
      "window",
      "horizon",
      "transform",
      "center",
      "missing",
      "means",
      "scaling",
    ]);
    oneOf(state.kind, `${place}.kind`, ["forecast"]);
    whole(state.version, `${place}.version`, 1, 1);
    const targetColumns = distinctTexts(state.targetColumns, `${place}.targetColumns`, 1);
    const featureColumns = distinctTexts(state.featureColumns, `${place}.featureColumns`, 1);
    const count = new Set([...targetColumns, ...featureColumns]).size;
    const missing = oneOf(state.missing, `${place}.missing`, MISSING_POLICIES);
    const scaling = nullable(state.scaling, (value) => Scaling.from(value, `${place}.scaling`, count));
    return new ForecastPipeline({
      kind: "forecast",
      version: 1,
      targetColumns,
      featureColumns,
      window: whole(state.window, `${place}.window`, 1, 1e6),
      horizon: whole(state.horizon, `${place}.horizon`, 1, 1e6),
      transform: oneOf(state.transform, `${place}.transform`, TRANSFORMS),
      center: truth(state.center, `${place}.center`),
      missing,
      means: storedMeans(state.means, `${place}.means`, missing, count),
      scaling: scaling?.toJSON() ?? null,
    }, scaling);
  }

  /** As JSON can hold it; numbers to the bit. */
  toJSON(): ForecastState {
    return this.#state;
  }

  /** Always "forecast". */
  get task(): "forecast" {
    return "forecast";
  }

  /** Always "mse". */
  get loss(): "mse" {
    return "mse";
  }

  /** Names of the outputs: "OT", or "OT +1", "OT +2", … where several rows come out. */
  get labels(): readonly string[] {
    const { horizon, targetColumns } = this.#state;
    if (horizon === 1) return targetColumns;
    return Array.from({ length: horizon }, (_, h) => targetColumns.map((name) => `${name} +${h + 1}`)).flat();
  }

  /** Columns that go in, I. */
  get inputSize(): number {
    return this.#features.length;
  }

  /** Numbers that come out, O: horizon · targets. */
  get outputSize(): number {
    return this.#state.horizon * this.#targets;
  }

  /** Always 0: inputs are numbers. */
  get numEmbeddings(): number {
    return 0;
  }

  /** Names of the columns that go in. */
  get channelNames(): readonly string[] {
    return this.#state.featureColumns;
  }

  /** Rows that go in. */
  get window(): number {
    return this.#state.window;
  }

  /** Rows that come out. */
  get horizon(): number {
    return this.#state.horizon;
  }

  /** Rows of a table that a forecast needs before it. */
  get reach(): number {
    return this.#state.window + this.#lag;
  }

  get #targets(): number {
    return this.#state.targetColumns.length;
  }

  /** Rows that a transform looks back. */
  get #lag(): 0 | 1 {
    return this.#state.transform === "none" ? 0 : 1;
  }

  /**
   * All windows whose targets lie in a part of the rows.
   *
   * @throws {RangeError} If there are none, or as `fit`.
   */
  dataset(table: Table, rows: RowRange = [0, table.rows]): ForecastDataset {
    const { horizon } = this.#state, targets = this.#targets;
    const { series, starts } = this.#windows(table, this.#range(table, rows)), inputs = this.#inputs(series, starts);
    const O = this.outputSize;
    const values = new Float32Array(starts.length * O), truth = new Float64Array(starts.length * O);
    starts.forEach((start, n) => {
      for (let h = 0; h < horizon; h++) {
        for (let c = 0; c < targets; c++) {
          const row = start + h - series.from, at = n * O + h * targets + c;
          values[at] = series.scaled[c]![row]! - inputs.centers[n * targets + c]!;
          truth[at] = series.raw[c]![row]!;
        }
      }
    });
    return { ...inputs, targets: values, truth };
  }

  /**
   * The last rows of a table, to forecast those that are not there yet.
   *
   * @throws {RangeError} If the table has too few rows, or as `fit`.
   */
  inputs(table: Table): ForecastInputs {
    const { rows } = table, { reach } = this;
    if (rows < reach) {
      throw badData("table-too-short", `${table.name}: a forecast needs ${reach} rows, got ${rows}`, { count: rows });
    }
    const series = this.#series(table, rows - reach, rows);
    const gap = this.#gap(series, rows, 0);
    if (gap) throw this.#missingAt(table, gap);
    return this.#inputs(series, [rows]);
  }

  /**
   * What a model's output for one window says, in the data's units (horizon · targets): the last known value comes in where
   * differences or changes were forecast.
   *
   * @param output Of the model (O).
   * @param inputs What `dataset` or `inputs` made.
   * @param window Which of the windows in them. Default 0.
   * @throws {RangeError} If they are not O numbers.
   */
  decode(output: ArrayLike<number>, inputs: ForecastInputs, window = 0): Float64Array {
    const { horizon, transform } = this.#state, targets = this.#targets, values = new Float64Array(this.outputSize);
    if (output.length !== values.length) {
      throw fail("shape-mismatch", "decode outputs", `there must be ${values.length}, got ${output.length}`);
    }
    for (let c = 0; c < targets; c++) {
      let level = inputs.levels[window * targets + c]!;
      for (let h = 0; h < horizon; h++) {
        const at = h * targets + c, scaled = output[at]! + inputs.centers[window * targets + c]!;
        const value = this.#scaling ? this.#scaling.undo(scaled, c) : scaled;
        level = transform === "none" ? value : transform === "difference" ? level + value : level * Math.exp(value);
        values[at] = level;
      }
    }
    return values;
  }

  /**
   * Forecasts of several windows in the data's units (N, O).
   *
   * @param outputs Of the model (N, O); quantiles are (N, O·Q), and stay so.
   * @param inputs What `dataset` or `inputs` made.
   * @param quantiles Which they are (Q).
   */
  values(outputs: ArrayLike<number>, inputs: ForecastInputs, quantiles?: readonly number[]): Float64Array {
    return decodeRows(outputs, this.outputSize, quantiles?.length ?? 1, (row, n) => this.decode(row, inputs, n));
  }

  /**
   * What forecasts are worth in the data's units, beside the forecast that nothing changes.
   *
   * @param outputs As `evaluate` gives them with `metrics` (N, O); quantiles are (N, O·Q).
   * @param dataset What `dataset` made.
   * @param options The quantiles, if they are predicted; what `seasonal` gives, as the second baseline.
   * @throws {RangeError} If they do not fit one another.
   */
  score(
    { shape, data }: Rows,
    dataset: ForecastDataset,
    { quantiles, seasonal }: { quantiles?: readonly number[]; seasonal?: Float64Array } = {},
  ): RegressionMetrics {
    const all = [shape[0]!, this.outputSize], rows = (data: Float64Array) => ({ shape: all, data });
    return regressionMetrics({ shape, data: this.values(data, dataset, quantiles) }, rows(dataset.truth), {
      quantiles,
      baseline: rows(this.persistence(dataset)),
      ...seasonal && { seasonal: rows(seasonal) },
    });
  }

  /** The forecast that nothing changes: the last known value of each target for every row, in the data's units (N, O). */
  persistence({ rows, levels }: ForecastInputs): Float64Array {
    const O = this.outputSize, targets = this.#targets;
    return Float64Array.from({ length: rows.length * O }, (_, i) => {
      return levels[Math.floor(i / O) * targets + i % targets]!;
    });
  }

  /**
   * The forecast that things are as they were one period before, in the data's units (N, O): of the last period that was
   * known when the window ended.
   *
   * @param period Rows of a period: 12 for months of a year.
   * @throws {RangeError} If the table does not reach back so far, or a value there is missing.
   */
  seasonal(table: Table, { rows }: ForecastInputs, period: number): Float64Array {
    const O = this.outputSize, targets = this.#targets, columns = this.#values(table);
    if (!Number.isSafeInteger(period) || period < 1) {
      throw fail("argument-out-of-range", "forecast by season", `period must be an integer from 1, got ${period}`, {
        name: "period",
        value: period,
      });
    }
    return Float64Array.from({ length: rows.length * O }, (_, i) => {
      const h = Math.floor(i % O / targets), c = i % targets;
      const row = rows[Math.floor(i / O)]! + h - period * (Math.floor(h / period) + 1), value = columns[c]![row];
      if (value === undefined || Number.isNaN(value)) {
        throw fail(
          "value-missing",
          "forecast by season",
          `${this.#quoted(c)} has no value ${period} rows before ${this.#place(table, row + period)}`,
        );
      }
      return value;
    });
  }

  /** A column, for errors. */
  #quoted(column: number): string {
    return `column ${JSON.stringify(this.#columns[column])}`;
  }

  #place(table: Table, row: number): string {
    return table.place?.(row) ?? `${table.name}, row ${row + 1}`;
  }

  #missingAt(table: Table, { row, column }: { row: number; column: number }): RangeError {
    return badData("value-missing", `a value is missing at ${this.#place(table, row)}, ${this.#quoted(column)}`, {
      option: "missing",
      advice: MISSING_ADVICE,
    });
  }

  /** Rows as they were given, which must lie in the table. */
  #range({ name, rows }: Table, [from, to]: RowRange): RowRange {
    if (Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from < to && to <= rows) return [from, to];
    throw badData("argument-out-of-range", `${name}: a part must lie in rows 0 to ${rows}, got ${from} to ${to}`, {
      name: "rows",
    });
  }

  /** The columns of a table that are used. */
  #values({ name, columns, values, rows, texts }: Table): Float64Array[] {
    return this.#columns.map((column, c) => {
      const at = columns.indexOf(column), known = columns.map((name) => JSON.stringify(name)).join(", ");
      if (at < 0) {
        const why = texts?.has(column) ? "holds no numbers" : "does not exist";
        throw badData("series-missing", `${name}: ${this.#quoted(c)} ${why}; columns of numbers: ${known || "none"}`, {
          column,
        });
      }
      if (values[at]?.length !== rows) {
        throw badData("shape-mismatch", `${name}: ${this.#quoted(c)} must have ${rows} values`, { column });
      }
      return values[at]!;
    });
  }

  /** Rows [from, to) of the columns, gaps filled where that was asked for; targets transformed. */
  #transformed(table: Table, from: number, to: number): { raw: Float64Array[]; transformed: Float64Array[] } {
    const { missing, means, transform } = this.#state;
    const raw: Float64Array[] = [], transformed: Float64Array[] = [];
    this.#values(table).forEach((column, c) => {
      const whole = column.slice(0, to), lag = c < this.#targets ? this.#lag : 0;
      fillMissing(whole, missing, [means?.[c] ?? 0]);
      const values = new Float64Array(to - from).fill(NaN);
      for (let row = Math.max(from, lag); row < to; row++) {
        if (transform !== "logDifference" || !lag) {
          values[row - from] = whole[row]! - (lag ? whole[row - 1]! : 0);
          continue;
        }
        const bad = [row - 1, row].find((r) => whole[r]! <= 0);
        if (bad !== undefined) {
          const place = this.#place(table, bad);
          throw badData(
            "number-out-of-range",
            `${place}, ${this.#quoted(c)}: "logDifference" needs values above 0, got ${whole[bad]}`,
            { value: whole[bad] },
          );
        }
        values[row - from] = Math.log(whole[row]!) - Math.log(whole[row - 1]!);
      }
      raw.push(whole.slice(from));
      transformed.push(values);
    });
    return { raw, transformed };
  }

  #series(table: Table, from: number, to: number): Series {
    const { raw, transformed } = this.#transformed(table, from, to);
    const scaled = transformed.map((column, c) =>
      column.map((value, i) => {
        const scaled = this.#scaling ? this.#scaling.apply(value, c) : value;
        if (Number.isFinite(Math.fround(scaled)) || Number.isNaN(value)) return scaled;
        throw badData(
          "number-out-of-range",
          `${this.#place(table, from + i)}, ${this.#quoted(c)} is too large, got ${raw[c]![i]}`,
          { value: raw[c]![i] },
        );
      })
    );
    return { from, raw, scaled };
  }

  /** The first row and column that a window to forecast `start` lacks, if any; with its targets where `horizon` is not 0. */
  #gap({ from, scaled }: Series, start: number, horizon: number): { row: number; column: number } | undefined {
    const { window } = this.#state, targets = this.#targets;
    const look = (values: ArrayLike<number>, first: number, last: number) => {
      for (let row = first; row < last; row++) if (Number.isNaN(values[row - from])) return row;
    };
    for (let column = 0; column < scaled.length; column++) {
      const isInput = this.#features.includes(column), isTarget = column < targets;
      const row = (isInput ? look(scaled[column]!, start - window, start) : undefined) ??
        (isTarget ? look(scaled[column]!, start - 1, start + horizon) : undefined);
      if (row !== undefined) return { row, column };
    }
  }

  /** The first rows of all that is forecast by windows whose targets lie in a part of the rows. */
  #windows(table: Table, [from, to]: RowRange): { series: Series; starts: number[] } {
    const { horizon, missing } = this.#state, first = Math.max(from, this.reach), starts: number[] = [];
    const series = this.#series(table, Math.max(0, from - this.#state.window), to);
    const values = this.#values(table).slice(0, this.#targets);
    for (let start = first; start + horizon <= to; start++) {
      const gap = this.#gap(series, start, horizon);
      if (gap && missing === "error") throw this.#missingAt(table, gap);
      // What was filled is no truth to learn or to be scored by.
      const made = missing !== "error" && values.some((column) => {
        for (let row = start; row < start + horizon; row++) if (Number.isNaN(column[row])) return true;
      });
      if (!gap && !made) starts.push(start);
    }
    if (starts.length) return { series, starts };
    throw badData(
      first + horizon > to ? "table-too-short" : "value-missing",
      first + horizon > to
        ? `${table.name}: rows ${
          from + 1
        } to ${to} hold no window: ${this.reach} rows must come before the ${horizon} to forecast`
        : `${table.name}: every window in rows ${from + 1} to ${to} has missing values`,
    );
  }

  #inputs({ from, raw, scaled }: Series, starts: readonly number[]): ForecastInputs {
    const { window, center } = this.#state, targets = this.#targets, N = starts.length, I = this.#features.length;
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
        this.#features.forEach((column, i) => {
          const less = column < targets ? centers[n * targets + column]! : 0;
          x[(n * window + step) * I + i] = scaled[column]![last - window + 1 + step]! - less;
        });
      }
    });
    return { x, shape: [N, window, I], rows: Int32Array.from(starts), levels, centers };
  }
}
