/** A model's outputs in the units of the data. */

import type { Pipeline } from "../data/pipeline.ts";
import type { ForecastInputs, ForecastPipeline } from "../data/windows.ts";
import type { NamedArray } from "../model/model.ts";

/** Rows of a regression (N, O) in the data's units. */
export function inUnits(pipeline: Pipeline, values: ArrayLike<number>): Float64Array {
  const O = pipeline.outputSize, units = new Float64Array(values.length), row = new Array<number>(O);
  for (let start = 0; start < values.length; start += O) {
    for (let o = 0; o < O; o++) row[o] = values[start + o]!;
    units.set(pipeline.decode(row).values!, start);
  }
  return units;
}

/** Forecasts in the data's units (N, O). */
export function forecastValues(pipeline: ForecastPipeline, inputs: ForecastInputs, { data }: NamedArray): Float64Array {
  const O = pipeline.outputSize, values = new Float64Array(data.length);
  for (let n = 0; n * O < values.length; n++) {
    values.set(pipeline.decode(data.subarray(n * O, (n + 1) * O), inputs, n), n * O);
  }
  return values;
}
