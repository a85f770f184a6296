/** The flags for the user's own data: where they are, what their columns are, how they are prepared and divided. */

import { PIPELINE_OPTIONS, type PipelineOptions, type ReaderOptions } from "../data/pipeline_options.ts";
import { FORECAST_OPTIONS, type ForecastOptions } from "../data/forecast_state.ts";
import type { Task } from "../data/labels.ts";
import { RECORDING_OPTIONS, type RecordingOptions } from "../data/recordings.ts";
import { PAIR_OPTIONS, type PairOptions } from "../data/pair_options.ts";
import { FORMATS } from "../data/readers/record.ts";
import { SEARCH_OPTIONS, type SearchOptions } from "../model/beam.ts";
import { SEQ2SEQ_OPTIONS, type Seq2SeqConfig } from "../model/seq2seq.ts";
import { type OptionSpec, type OptionValues, resolveOptions } from "../options.ts";

const { task, ...pipeline } = PIPELINE_OPTIONS;
// What a token is, and what becomes of text first, is said for all data with the same flags.
const { tokens, normalize: _n, minCount: _c, maxLength: _l, standardize: _t, ...pairs } = PAIR_OPTIONS;
const { encoderSize, encoderLayers, bridge, attentionSize, tied } = SEQ2SEQ_OPTIONS;
const { width, nBest, maxLength, minLength, lengthPenalty, coveragePenalty, noRepeat } = SEARCH_OPTIONS;
// Features, scale and missing values have the same flags for sequences and forecasts.
const { featureColumns: _f, standardize: _s, missing: _m, targetColumns, window, ...windows } = FORECAST_OPTIONS;

const { stride, windowLabel } = RECORDING_OPTIONS;

const column = (about: string) => ({ type: "text", optional: true, about, takes: "NAME" }) as const;
const columns = (about: string) => ({ type: "texts", optional: true, about, takes: "NAME,…" }) as const;

/** The flags of training on files, by what they are about. */
export const DATA_OPTIONS = {
  files: {
    data: {
      type: "texts",
      optional: true,
      about: "train on these files or folders; - for standard input",
      takes: "FILE,…",
    },
    testData: { type: "texts", optional: true, about: "test on these", takes: "FILE,…" },
    format: {
      type: "choice",
      optional: true,
      choices: FORMATS,
      about: "their format (default: by their names)",
    },
    delimiter: column("field separator: , ; tab or another character"),
    header: {
      type: "boolean",
      optional: true,
      about: "the first row names the columns (default); --no-header: it is data",
    },
    decimal: {
      type: "choice",
      optional: true,
      choices: [".", ","],
      about: "the decimal sign (default: as the cells show)",
    },
    missingValues: {
      type: "texts",
      optional: true,
      about: "marks of missing values, besides NA, NaN, null and their like",
      takes: "MARK,…",
    },
    quote: {
      type: "choice",
      optional: true,
      choices: ['"', "none"],
      about: "none: quotation marks are text like any other",
    },
    encoding: { type: "text", optional: true, about: "of text that is not UTF-8: latin1, utf-16le, …", takes: "NAME" },
    layout: {
      type: "choice",
      optional: true,
      choices: ["ntc", "nct"],
      about: "arrays, json: nct where channels come before steps (default ntc)",
    },
    labelFile: { type: "text", optional: true, about: "npy: labels, in a separate array", takes: "FILE" },
    labelsTable: {
      type: "text",
      optional: true,
      about: "a table with the labels of sequences, by --key",
      takes: "FILE",
    },
    testLabelFile: { type: "text", optional: true, about: "npy: labels of --test-data", takes: "FILE" },
  },
  columns: {
    sequenceColumn: column("column that identifies a sequence: one row per time step"),
    sequencePerFile: { type: "boolean", optional: true, about: "a file is one sequence: one row per time step" },
    timeColumn: column("column with the time, rising within a sequence"),
    labelColumn: columns("labels or targets"),
    featureColumns: columns("input columns (default: all others; of forecasts, the targets)"),
    groupColumn: column("what sequences share that no split may part: the person recorded"),
    key: column("column of --labels-table that names sequences (default id)"),
    weightColumn: column("how much each sequence counts"),
    textColumn: column("column with text, in place of numbers"),
    sourceColumn: column("seq2seq: column with sources (default: source, x, or the first of two)"),
    xKey: column("npz: the array of sequences (default x)"),
    yKey: column("npz: the array of labels (default y)"),
  },
  preparation: {
    task: { ...task, choices: [...task.choices!, "forecast", "seq2seq"] },
    ...pipeline,
    stride,
    windowLabel,
    tokens,
    embeddingDim: {
      type: "integer",
      optional: true,
      least: 1,
      most: 65536,
      about: "text: width of the embedding (default 32)",
    },
    classWeights: {
      type: "texts",
      optional: true,
      about: '"balanced", or a weight for each class in the order of their names',
      takes: "X,…",
    },
    posWeight: {
      type: "list",
      optional: true,
      least: 0,
      above: true,
      words: ["balanced"],
      about: 'bce: "balanced", or how much a 1 counts, for each output',
    },
  },
  pairs: {
    targetFile: {
      type: "text",
      optional: true,
      about: "targets of --data, line by line, in a file of their own",
      takes: "FILE",
    },
    testTargetFile: { type: "text", optional: true, about: "those of --test-data", takes: "FILE" },
    ...pairs,
    encoderSize,
    encoderLayers,
    bridge,
    attentionSize,
    tied,
  },
  search: {
    width: { ...width, flag: "beam" },
    nBest,
    maxAnswer: { ...maxLength, default: undefined, optional: true, otherwise: "twice the longest target" },
    minAnswer: minLength,
    lengthPenalty,
    coveragePenalty,
    noRepeat,
    prefix: { type: "text", optional: true, about: "what answers begin with" },
    replaceUnknown: {
      type: "boolean",
      default: true,
      about: "unknown words are replaced",
      off: "leave unknown words as <unk>, rather than the source's word that the attention sees",
    },
  },
  division: {
    testSplit: {
      type: "number",
      optional: true,
      least: 0,
      below: 1,
      about: "share held out for testing (default 0.2 without --test-data)",
    },
    testEvery: {
      type: "integer",
      optional: true,
      least: 2,
      most: 1e9,
      about: "hold out sequences 0, N, 2N, … of each file instead",
    },
    validationSplit: {
      type: "number",
      optional: true,
      least: 0,
      above: true,
      below: 1,
      about: "share of the rest for validation; of forecasts, its last rows",
    },
    stratify: {
      type: "boolean",
      default: true,
      about: "preserve class proportions across splits",
      off: "do not preserve class proportions across splits",
    },
    folds: {
      type: "integer",
      optional: true,
      least: 2,
      most: 1000,
      about: "cross-validate with N folds instead",
    },
    walkForward: {
      type: "integer",
      optional: true,
      least: 1,
      most: 1000,
      about: "forecasts: cross-validate forward in time, with N parts",
    },
  },
  forecast: {
    targetColumns: { ...targetColumns, optional: true, takes: "NAME,…" },
    window: { ...window, optional: true, about: "rows that go in; of recordings: rows of a sequence cut from them" },
    ...windows,
    season: { type: "integer", optional: true, least: 1, most: 1e6, about: "rows of a period, for a second baseline" },
    trainRows: { type: "text", optional: true, about: "rows to train on, from 0, the last excluded", takes: "FROM:TO" },
    testRows: {
      type: "text",
      optional: true,
      about: "rows to test on (default: the last fifth); -24: is the last 24",
      takes: "FROM:TO",
    },
  },
} as const satisfies Record<string, Record<string, OptionSpec>>;

type Tables = typeof DATA_OPTIONS;

/** Options of training on files, all filled in. */
export interface DataJob {
  readonly files: OptionValues<Tables["files"]> & { readonly data: readonly string[] };
  readonly columns: OptionValues<Tables["columns"]>;
  readonly preparation:
    & Omit<PipelineOptions, "task" | "tokens" | ReaderOptions>
    & Pick<PairOptions, "tokens">
    & OptionValues<Pick<Tables["preparation"], "embeddingDim" | "classWeights" | "posWeight">>
    & Pick<RecordingOptions, "stride" | "windowLabel">
    & { readonly task?: Task | "seq2seq" };
  readonly pairs:
    & Omit<PairOptions, "tokens" | "normalize" | "minCount" | "maxLength" | "standardize" | "reading">
    & Pick<Seq2SeqConfig, "encoderSize" | "encoderLayers" | "bridge" | "attentionSize" | "tied">
    & OptionValues<Pick<Tables["pairs"], "targetFile" | "testTargetFile">>;
  readonly search:
    & Pick<SearchOptions, "width" | "nBest" | "lengthPenalty" | "coveragePenalty" | "noRepeat">
    & OptionValues<Pick<Tables["search"], "prefix">>
    & { readonly maxAnswer?: number; readonly minAnswer?: number; readonly replaceUnknown?: boolean };
  readonly division: OptionValues<Tables["division"]>;
  readonly forecast:
    & Partial<Pick<ForecastOptions, "targetColumns" | "window">>
    & Pick<ForecastOptions, keyof typeof windows>
    & OptionValues<Pick<Tables["forecast"], "season" | "trainRows" | "testRows">>;
}

/**
 * Options of training on files, all filled in.
 *
 * @param before Those that hold where none are given.
 */
export function resolveDataJob(
  action: string,
  given: { readonly [G in keyof DataJob]?: object },
  before: { readonly [G in keyof DataJob]?: object } = {},
): DataJob {
  const resolve = <G extends keyof DataJob>(group: G) =>
    resolveOptions<DataJob[G]>(action, DATA_OPTIONS[group], { ...before[group], ...given[group] });
  return {
    files: resolve("files"),
    columns: resolve("columns"),
    preparation: resolve("preparation"),
    pairs: resolve("pairs"),
    search: resolve("search"),
    division: resolve("division"),
    forecast: resolve("forecast"),
  };
}
