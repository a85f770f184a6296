/** Options of pipelines. */

import type { OptionSpec } from "../options.ts";
import { LABEL_TASKS, type LabelTask } from "./labels.ts";
import type { WindowState } from "./recordings.ts";
import type { Reading } from "./readers/record.ts";
import { MISSING_POLICIES, type MissingPolicy } from "./scaling.ts";
import { type Normalization, NORMALIZATIONS, TOKEN_UNITS, type TokenUnit } from "./vocabulary.ts";

/** Options of {@linkcode Pipeline.fit}. */
export interface PipelineOptions {
  /** The task. Default: guessed from the labels; `guesses` says what and why. */
  task?: LabelTask;
  /** Whether each channel, and each target of "regression", gets mean 0 and standard deviation 1. Default true. */
  standardize?: boolean;
  /**
   * What is done about missing values: an error; the sequence is left out ("drop"); 0, the channel's training mean, or the
   * last value before (the mean before the first) stand in for them. Default "error".
   */
  missing?: MissingPolicy;
  /** So many consecutive steps become one step with that many times the channels; a remainder is left out. Default 1. */
  patch?: number;
  /** Unit of tokens. Default: words where most texts have several, else characters; `guesses` says which. */
  tokens?: TokenUnit;
  /**
   * What is done to text: nothing; lower case; or "ascii": characters lose accents (NFD), and all but letters, spaces and
   * . , ; ' is taken off; words get lower case, and only a-z, 0-9 and ' make words: emoji and other signs, tokens of their
   * own otherwise, are left out. Default "lower" for words, "none" for characters.
   */
  normalize?: Normalization;
  /** How often the training texts must have a token to know it. Default 1. */
  minCount?: number;
  /** Steps or tokens that are taken of a sequence; the rest is cut off. Default: all. */
  maxLength?: number;
  /** Separator of several labels in one column, for "multilabel": "|". Default: nothing does. */
  labelSeparator?: string;
  /** Targets of "multiclass" as rows of 0 and one 1, for the loss "bce". Default false: "crossEntropy". */
  oneHot?: boolean;
  /** Whether each step has labels of its own (`stepLabels`), and outputs. Default false. */
  labelEveryStep?: boolean;
  /** Names of the label columns, as their reader gave them. */
  labelNames?: readonly string[];
  /** Names of the channels, as their reader gave them. */
  channelNames?: readonly string[];
  /** Names of the columns of a wide table that are the steps of a sequence, as its reader gave them. */
  stepNames?: readonly string[];
  /** How the files are read, as their reader gave it. */
  reading?: Reading;
  /** How recordings were cut into the records, as `RecordingWindows.options` says. Default: by the records' `rows`. */
  windows?: WindowState;
}

/** Options that a reader gives. */
export type ReaderOptions = "labelNames" | "channelNames" | "stepNames" | "reading" | "windows";

/** The options of a pipeline besides the names that a reader gives: types, defaults, ranges. */
export const PIPELINE_OPTIONS: {
  readonly [Name in keyof Required<Omit<PipelineOptions, ReaderOptions>>]: OptionSpec;
} = {
  task: { type: "choice", optional: true, choices: LABEL_TASKS, about: "what is predicted" },
  standardize: {
    type: "boolean",
    default: true,
    about: "channels with mean 0 and standard deviation 1",
    off: "leave the channels' scale as it is",
  },
  missing: { type: "choice", default: "error", choices: MISSING_POLICIES, about: "how to treat missing values" },
  patch: { type: "integer", default: 1, least: 1, most: 65536, about: "consecutive steps that become one" },
  tokens: { type: "choice", optional: true, choices: TOKEN_UNITS, about: "what a token of text is" },
  normalize: { type: "choice", optional: true, choices: NORMALIZATIONS, about: "how to normalize text first" },
  minCount: { type: "integer", default: 1, least: 1, most: 1e9, about: "how often a token must occur" },
  maxLength: { type: "integer", optional: true, least: 1, most: 1e9, about: "steps or tokens of a sequence" },
  labelSeparator: { type: "text", optional: true, about: "between the labels of one column" },
  labelEveryStep: { type: "boolean", optional: true, about: "predict a label for every step: rows have their own" },
  oneHot: { type: "boolean", default: false, about: "one-hot targets, for the loss bce" },
};

/** Options with their defaults. */
export type FullOptions =
  & Required<Pick<PipelineOptions, "standardize" | "missing" | "patch" | "minCount" | "oneHot">>
  & Omit<PipelineOptions, ReaderOptions>;
