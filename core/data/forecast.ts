/** Forecasting: windows over a table as a model takes them, and what it says in the data's units. */

import { checkArgument, checkInteger, fail } from "../errors.ts";
import { exp } from "../math.ts";
import { ownOptions, resolveOptions } from "../options.ts";
import { badData } from "./errors.ts";
import {
  columnsOf,
  FORECAST_OPTIONS,
  type ForecastOptions,
  type ForecastState,
  forecastState,
  type RowRange,
} from "./forecast_state.ts";
import { type RegressionMetrics, regressionMetrics } from "./metrics/regression.ts";
import { checkRows, type Rows } from "./metrics/rows.ts";
import { decodeRows } from "./quantiles.ts";
import { readingState } from "./readers/reading.ts";
import type { Reading, Table } from "./readers/record.ts";
import { channelMeans, roundingNotes, Scaling } from "./scaling.ts";
import { checkTable, type ForecastDataset, type ForecastInputs, Windows } from "./windows.ts";

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
  /** Notes about the training rows, in words, made when it was fitted. */
  readonly notes: readonly string[];
  readonly #windows: Windows;

  private constructor(state: ForecastState, scaling: Scaling | null, notes: readonly string[] = []) {
    this.#state = state;
    this.notes = notes;
    this.#scaling = scaling;
    this.#windows = new Windows(state, scaling);
  }

  /**
   * A pipeline that knows the training rows, and nothing else.
   *
   * @param rows The training rows. Default: all.
   * @throws {TypeError} If an option is missing, unknown or of the wrong type.
   * @throws {RangeError} If an option is out of range, a column does not exist, the rows hold no window, a value is missing
   * or is not above 0 where its logarithm is wanted: the message names the row and the column.
   */
  static fit(table: Table, options: ForecastOptions, given?: RowRange): ForecastPipeline {
    checkTable(table);
    const rows = given ?? [0, table.rows] as const;
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
      ...table.reading && { reading: readingState(table.reading, "reading") },
    };
    const draft = new Windows(state, null);
    const [from, to] = draft.range(table, rows), name = (column: number) => draft.quoted(column);
    const values = draft.values(table).map((column) => column.subarray(from, to));
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
    const { transformed } = new Windows({ ...state, means }, null).transformed(table, from, to);
    const scaling = standardize ? Scaling.ofColumns(transformed, name) : null;
    // What is centered is less its last value, whatever its mean.
    const notes = transformed.flatMap((column, c) =>
      standardize || center && c < targetColumns.length ? [] : roundingNotes([column], 1, () => name(c))
    );
    const fitted = { ...state, means, scaling: scaling?.toJSON() ?? null, rows: [from, to] as const };
    const pipeline = new ForecastPipeline(fitted, scaling, notes);
    pipeline.#windows.within(table, [from, to]); // The training rows must hold one.
    return pipeline;
  }

  /**
   * A pipeline as it was stored.
   *
   * @param json What `toJSON` gave; it may come from anybody, and is checked in full.
   * @throws {TypeError} If something is missing, too much, of the wrong type, not finite, or does not fit the rest.
   */
  static from(json: unknown): ForecastPipeline {
    const state = forecastState(json);
    const { scaling } = state, { length } = columnsOf(state);
    return new ForecastPipeline(state, scaling && Scaling.from(scaling, "preprocessing.scaling", length));
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
    return this.#windows.features.length;
  }

  /** Numbers that come out, O: horizon · targets. */
  get outputSize(): number {
    return this.#state.horizon * this.#windows.targets;
  }

  /** Always 0: inputs are numbers. */
  get numEmbeddings(): number {
    return 0;
  }

  /** Names of the columns that go in. */
  get channelNames(): readonly string[] {
    return this.#state.featureColumns;
  }

  /** How the table was read that it was fitted on, as options for reading others; undefined where nobody knows. */
  get reading(): Reading | undefined {
    return this.#state.reading;
  }

  /** The rows that it was fitted on; undefined where nobody knows. */
  get rows(): RowRange | undefined {
    return this.#state.rows;
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
    return this.#windows.reach;
  }

  /**
   * All windows whose targets lie in a part of the rows.
   *
   * @throws {RangeError} If there are none, or as `fit`.
   */
  dataset(table: Table, rows?: RowRange): ForecastDataset {
    checkTable(table);
    const { horizon } = this.#state, targets = this.#windows.targets;
    const { series, starts, leftOut } = this.#windows.within(
      table,
      this.#windows.range(table, rows ?? [0, table.rows]),
    );
    const inputs = this.#windows.inputs(series, starts);
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
    return { ...inputs, targets: values, truth, leftOut };
  }

  /**
   * The rows of a table before one, to forecast that one and those after it.
   *
   * @param row The first row to forecast. Default: the one that is not there yet, after the table's last.
   * @throws {RangeError} If the table has too few rows, or as `fit`.
   */
  inputs(table: Table, row?: number): ForecastInputs {
    return this.#windows.before(table, row);
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
    const { horizon, transform } = this.#state,
      targets = this.#windows.targets,
      values = new Float64Array(this.outputSize);
    checkArgument("decode outputs", "output", output, "numbers");
    checkInputs(inputs);
    checkInteger("decode outputs", "window", window, 0, inputs.rows.length - 1);
    if (output.length !== values.length) {
      throw fail("shape-mismatch", "decode outputs", `there must be ${values.length}, got ${output.length}`);
    }
    for (let c = 0; c < targets; c++) {
      let level = inputs.levels[window * targets + c]!;
      for (let h = 0; h < horizon; h++) {
        const at = h * targets + c, scaled = output[at]! + inputs.centers[window * targets + c]!;
        const value = this.#scaling ? this.#scaling.undo(scaled, c) : scaled;
        level = transform === "none" ? value : transform === "difference" ? level + value : level * exp(value);
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
    checkInputs(inputs);
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
    outputs: Rows,
    dataset: ForecastDataset,
    options: { quantiles?: readonly number[]; seasonal?: Float64Array } = {},
  ): RegressionMetrics {
    checkRows(outputs, "outputs");
    checkInputs(dataset);
    checkArgument("score forecasts", "dataset", dataset, ["truth"]);
    const { shape, data } = outputs;
    const { quantiles, seasonal } = ownOptions("score forecasts", options, { quantiles: true, seasonal: true });
    const all = [shape[0]!, this.outputSize], rows = (data: Float64Array) => ({ shape: all, data });
    return regressionMetrics({ shape, data: this.values(data, dataset, quantiles) }, rows(dataset.truth), {
      quantiles,
      baseline: rows(this.persistence(dataset)),
      ...seasonal && { seasonal: rows(seasonal) },
    });
  }

  /** The forecast that nothing changes: the last known value of each target for every row, in the data's units (N, O). */
  persistence(inputs: ForecastInputs): Float64Array {
    checkInputs(inputs);
    const { rows, levels } = inputs;
    const O = this.outputSize, targets = this.#windows.targets;
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
  seasonal(table: Table, inputs: ForecastInputs, period: number): Float64Array {
    checkTable(table);
    checkInputs(inputs);
    const { rows } = inputs,
      O = this.outputSize,
      targets = this.#windows.targets,
      columns = this.#windows.values(table);
    checkInteger("forecast by season", "period", period, 1);
    return Float64Array.from({ length: rows.length * O }, (_, i) => {
      const h = Math.floor(i % O / targets), c = i % targets;
      const row = rows[Math.floor(i / O)]! + h - period * (Math.floor(h / period) + 1), value = columns[c]![row];
      if (value === undefined || Number.isNaN(value)) {
        throw fail(
          "value-missing",
          "forecast by season",
          `${this.#windows.quoted(c)} has no value ${period} rows before ${this.#windows.place(table, row + period)}`,
        );
      }
      return value;
    });
  }
}

/** Checks what was made of a table. */
function checkInputs(inputs: ForecastInputs): void {
  checkArgument("decode outputs", "inputs", inputs, ["rows", "levels", "centers"]);
  for (const name of ["rows", "levels", "centers"] as const) {
    checkArgument("decode outputs", `inputs.${name}`, inputs[name], "numbers");
  }
}
