import { ForecastPipeline } from "./forecast.ts";
import type { ForecastState } from "./forecast_state.ts";
import { Pipeline, type PipelineState } from "./pipeline.ts";

/** Preprocessing between data and a model, of either kind: sequences with labels, or windows over a table. */
export type Preprocessing = Pipeline | ForecastPipeline;

/** The same as JSON, as a checkpoint holds it. */
export type PreprocessingState = PipelineState | ForecastState;

/**
 * Preprocessing as it was stored, of whichever kind it is: its `task` tells.
 *
 * @param json What `toJSON` gave; it may come from anybody, and is checked in full.
 * @throws {TypeError} If something is missing, too much, of the wrong type, not finite, or does not fit the rest.
 */
export function restorePreprocessing(json: unknown): Preprocessing {
  const kind = (json as Partial<PreprocessingState> | null | undefined)?.kind;
  return kind === "forecast" ? ForecastPipeline.from(json) : Pipeline.from(json);
}

/** What is done with preprocessing of either kind: whoever needs to know the kind asks here. */
export function byKind<T>(
  preprocessing: Preprocessing,
  cases: { readonly sequences: (pipeline: Pipeline) => T; readonly forecasts: (pipeline: ForecastPipeline) => T },
): T {
  return preprocessing.task === "forecast" ? cases.forecasts(preprocessing) : cases.sequences(preprocessing);
}
