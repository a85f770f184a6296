import { ForecastPipeline } from "./forecast.ts";
import type { ForecastState } from "./forecast_state.ts";
import { PairPipeline } from "./pair_pipeline.ts";
import { Pipeline, type PipelineState } from "./pipeline.ts";

/** Preprocessing between data and a model, of either kind: sequences with labels, or windows over a table. */
export type Preprocessing = Pipeline | ForecastPipeline;

/** The same as JSON, as a checkpoint holds it. */
export type PreprocessingState = PipelineState | ForecastState;

/** Preprocessing of any kind: besides those, of pairs of texts. */
export type AnyPreprocessing = Preprocessing | PairPipeline;

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

/** The same of any kind; that of pairs is also {@linkcode PairPipeline.from}'s. */
export function restoreAny(json: unknown): AnyPreprocessing {
  const kind = (json as { readonly kind?: unknown } | null | undefined)?.kind;
  return kind === "pairs" ? PairPipeline.from(json) : restorePreprocessing(json);
}

/** What is done with preprocessing of any kind: whoever needs to know the kind asks here. */
export function byKind<T>(
  preprocessing: AnyPreprocessing,
  cases: {
    readonly sequences: (pipeline: Pipeline) => T;
    readonly forecasts: (pipeline: ForecastPipeline) => T;
    readonly pairs: (pipeline: PairPipeline) => T;
  },
): T {
  switch (preprocessing.task) {
    case "forecast":
      return cases.forecasts(preprocessing);
    case "seq2seq":
      return cases.pairs(preprocessing);
    default:
      return cases.sequences(preprocessing);
  }
}
