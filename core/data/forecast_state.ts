/** Options of forecasts, and their JSON. */

import type { OptionSpec } from "../options.ts";
import { readingState } from "./readers/reading.ts";
import type { Reading } from "./readers/record.ts";
import { MISSING_POLICIES, type MissingPolicy, Scaling, type ScalingState, storedMeans } from "./scaling.ts";
import { distinctTexts, fields, nullable, oneOf, truth, whole, wrong } from "./state.ts";

/** Transform of a series: its values, their differences, or the differences of their logarithms. */
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
  /** Transform of the target columns, undone in forecasts; other columns stay as they are. Default "none". */
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
  missing: { type: "choice", default: "error", choices: MISSING_POLICIES, about: "how to treat missing values" },
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
  /** Transform of the target columns. */
  readonly transform: Transform;
  /** Whether the last known value is subtracted. */
  readonly center: boolean;
  /** Treatment of missing values. */
  readonly missing: MissingPolicy;
  /** Replacements of missing values: of the targets, then of the other features; null for none. */
  readonly means: readonly number[] | null;
  /** Of these columns, the targets transformed. */
  readonly scaling: ScalingState | null;
  /** How the table was read that it was fitted on; absent where nobody knows. */
  readonly reading?: Reading;
  /** The rows that it was fitted on; absent where nobody knows. */
  readonly rows?: RowRange;
}

/** Columns that are used: targets, then features that are none. */
export function columnsOf(
  { targetColumns, featureColumns }: Pick<ForecastState, "targetColumns" | "featureColumns">,
): string[] {
  return [...new Set([...targetColumns, ...featureColumns])];
}

/**
 * A state as it was stored, checked in full.
 *
 * @throws {TypeError} If something is missing, too much, of the wrong type, not finite, or does not fit the rest.
 */
export function forecastState(json: unknown): ForecastState {
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
  ], ["reading", "rows"]);
  oneOf(state.kind, `${place}.kind`, ["forecast"]);
  whole(state.version, `${place}.version`, 1, 1);
  const targetColumns = distinctTexts(state.targetColumns, `${place}.targetColumns`, 1);
  const featureColumns = distinctTexts(state.featureColumns, `${place}.featureColumns`, 1);
  const count = columnsOf({ targetColumns, featureColumns }).length;
  const missing = oneOf(state.missing, `${place}.missing`, MISSING_POLICIES);
  return {
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
    scaling: nullable(state.scaling, (value) => Scaling.from(value, `${place}.scaling`, count).toJSON()),
    ...state.reading !== undefined && { reading: readingState(state.reading, `${place}.reading`) },
    ...state.rows !== undefined && { rows: rowsOf(state.rows, `${place}.rows`) },
  };
}

/** Rows as they were stored. */
function rowsOf(value: unknown, place: string): RowRange {
  if (!Array.isArray(value) || value.length !== 2) throw wrong(place, "two numbers", value);
  const from = whole(value[0], `${place}[0]`, 0);
  return [from, whole(value[1], `${place}[1]`, from + 1)];
}
