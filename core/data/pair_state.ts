/** A pipeline of pairs as JSON. */

import type { PairReading } from "./readers/pair_reading.ts";
import type { StepScalerState } from "./step_scaler.ts";
import type { TokenizerState } from "./tokenizer.ts";

/** A {@linkcode PairPipeline} as JSON. */
export interface PairPipelineState {
  /** Always "pairs". */
  readonly kind: "pairs";
  /** Of this structure: 1. */
  readonly version: 1;
  /** Tokens of sources, or the scale of their numbers. */
  readonly source: TokenizerState | StepScalerState;
  /** The same of targets. */
  readonly target: TokenizerState | StepScalerState;
  /** Steps that are taken of a source; null: all. */
  readonly maxLength: number | null;
  /** Steps that a target may have. */
  readonly maxTargetLength: number;
  /** Steps of the longest training target, END among them. */
  readonly longest: number;
  /** How the pairs were read that it was fitted on; absent where nobody said. */
  readonly reading?: PairReading;
}
