/** What a checkpoint answers for one sequence. */

import type { Decoded } from "../data/labels.ts";
import type { NumberAnswer, TextAnswer } from "./answers.ts";

/** The prediction for one sequence. */
export interface NamedPrediction {
  readonly id: string;
  /** Of a window: the rows of its recording, from the first, counted from 0, up to, but without, the second. */
  readonly rows?: readonly [from: number, to: number];
  /** Of a step of a sequence: its row, counted from 0. */
  readonly row?: number;
  /** Of a sequence with labels of every step: those. */
  readonly steps?: readonly NamedPrediction[];
  readonly decoded: Decoded;
  /** Probabilities by name, where there are some. */
  readonly known?: readonly (readonly [string, number])[];
  /** Of classes or values. */
  readonly names: readonly string[];
  /** Where values are quantiles: which, those of a name side by side. */
  readonly quantiles?: readonly number[];
  readonly weights?: Float32Array;
}

/** The prediction of a model without names for one sequence. */
export interface PlainPrediction {
  readonly id: string;
  /** What the values are; "scores": the model's outputs as they are, where nobody knows what they mean. */
  readonly predicts: "probabilities" | "values" | "scores";
  /** Number of the class, of probabilities. */
  readonly number?: number;
  readonly values: Float32Array;
  readonly weights: Float32Array;
}

/** The answers to one source. */
export interface AnsweredSource {
  /** Where it stands. */
  readonly id: string;
  readonly source: string;
  /** Its tokens. */
  readonly tokens: readonly string[];
  /** The best first; none for a source without text. */
  readonly answers: readonly TextAnswer[];
}

/** The answer to one source that is numbers. */
export interface AnsweredNumbers extends Omit<NumberAnswer, "attention"> {
  /** Where the source stands. */
  readonly id: string;
  /** How much each step of the source counted; absent where there is no answer. */
  readonly attention?: NumberAnswer["attention"];
}

/** Why there is no prediction for one sequence. */
export interface NoPrediction<Prediction> {
  readonly id: string;
  readonly error: unknown;
  /** A prediction that says nothing, for what there would be. */
  readonly blank: Prediction;
}

/** What a checkpoint answers for one sequence. */
export type Answer =
  | NamedPrediction
  | PlainPrediction
  | AnsweredSource
  | AnsweredNumbers
  | NoPrediction<NamedPrediction | PlainPrediction | AnsweredSource | AnsweredNumbers>;
