/** Options of sources and targets. */

import type { OptionSpec } from "../options.ts";
import type { PairReading } from "./readers/pair_reading.ts";
import { SEQUENCE_NORMALIZATIONS, SEQUENCE_UNITS, type SequenceNormalization, type SequenceUnit } from "./tokenizer.ts";

/** Options of {@linkcode PairPipeline.fit}. */
export interface PairOptions {
  /** Unit of tokens on both sides. Default: words where most texts have three or more of letters, else characters. */
  tokens?: SequenceUnit;
  /** That of sources, where it is another. */
  sourceTokens?: SequenceUnit;
  /** That of targets, where it is another. */
  targetTokens?: SequenceUnit;
  /** Normalization of texts. Default "lower" for words, "none" for all else. */
  normalize?: SequenceNormalization;
  /** How often the training texts must have a token, of subwords a character, to know it. Default 1. */
  minCount?: number;
  /** Tokens of a vocabulary at most. Default: of subwords 2000, else all. */
  vocabSize?: number;
  /** Whether each side has tokens of its own, or both have those of all texts. Default "separate". */
  vocabulary?: "separate" | "joint";
  /** Steps that are taken of a source; the rest is cut off. Default: all. */
  maxLength?: number;
  /** Steps that a target may have, END apart; a longer one is an error. Default 500. */
  maxTargetLength?: number;
  /** Whether numbers are scaled by the mean and deviation of the training pairs. Default true. */
  standardize?: boolean;
  /** How the pairs are read, as their reader gave it. */
  reading?: PairReading;
}

/** The options of pairs: types, defaults, ranges. */
export const PAIR_OPTIONS: { readonly [Name in keyof Required<Omit<PairOptions, "reading">>]: OptionSpec } = {
  tokens: { type: "choice", optional: true, choices: SEQUENCE_UNITS, about: "what a token of text is" },
  sourceTokens: { type: "choice", optional: true, choices: SEQUENCE_UNITS, about: "what a token of a source is" },
  targetTokens: { type: "choice", optional: true, choices: SEQUENCE_UNITS, about: "what a token of a target is" },
  normalize: { type: "choice", optional: true, choices: SEQUENCE_NORMALIZATIONS, about: "how to normalize text first" },
  minCount: { type: "integer", default: 1, least: 1, most: 1e9, about: "how often a token must occur" },
  vocabSize: {
    type: "integer",
    optional: true,
    otherwise: "all, of subwords 2000",
    least: 1,
    most: 1e7,
    about: "tokens of a vocabulary at most",
  },
  vocabulary: {
    type: "choice",
    default: "separate",
    choices: ["separate", "joint"],
    about: "joint: both sides share their tokens",
  },
  maxLength: { type: "integer", optional: true, least: 1, most: 1e9, about: "tokens of a source; the rest is cut off" },
  maxTargetLength: {
    type: "integer",
    default: 500,
    least: 1,
    most: 1e6,
    about: "tokens of a target; more are refused",
  },
  standardize: { type: "boolean", default: true, about: "numbers are scaled", off: "take numbers as they are" },
};

/** Options with their defaults. */
export type FullPairOptions =
  & Required<Pick<PairOptions, "minCount" | "vocabulary" | "maxTargetLength" | "standardize">>
  & PairOptions;
