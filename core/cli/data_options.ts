/** The flags for data of one's own: where they are, what their columns are, how they are prepared and divided. */

import { PIPELINE_OPTIONS, type PipelineOptions } from "../data/pipeline.ts";
import type { ReadOptions } from "../data/readers/record.ts";
import { FORECAST_OPTIONS, type ForecastOptions } from "../data/windows.ts";
import type { OptionSpec } from "../options.ts";

const { task, ...pipeline } = PIPELINE_OPTIONS;
// Features, scale and missing values have the same flags for sequences and forecasts.
const { featureColumns: _f, standardize: _s, missing: _m, targetColumns, window, ...windows } = FORECAST_OPTIONS;

const column = (about: string): OptionSpec => ({ type: "text", optional: true, about, takes: "NAME" });
const columns = (about: string): OptionSpec => ({ type: "texts", optional: true, about, takes: "NAME,…" });

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
      choices: ["csv", "json", "jsonl", "ts", "arff", "ucr", "npy", "npz", "text"],
      about: "their format (default: by their names)",
    },
    delimiter: column("what stands between fields: , ; tab or another character"),
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
    labelFile: { type: "text", optional: true, about: "npy: labels, an array of their own", takes: "FILE" },
    testLabelFile: { type: "text", optional: true, about: "npy: labels of --test-data", takes: "FILE" },
  },
  columns: {
    sequenceColumn: column("column that tells sequences apart: one row per time step"),
    timeColumn: column("column with the time, rising within a sequence"),
    labelColumn: columns("what is to be predicted"),
    featureColumns: columns("what is predicted from (default: all other columns)"),
    weightColumn: column("how much each sequence counts"),
    textColumn: column("column with text, in place of numbers"),
    xKey: column("npz: the array of sequences (default x)"),
    yKey: column("npz: the array of labels (default y)"),
  },
  preparation: {
    task: { ...task, choices: [...task.choices!, "forecast"] },
    ...pipeline,
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
      about: "bce: how much a 1 counts, for each output",
    },
  },
  division: {
    testSplit: {
      type: "number",
      optional: true,
      least: 0,
      below: 1,
      about: "share for testing (default 0.2 without --test-data)",
    },
    testEvery: {
      type: "integer",
      optional: true,
      least: 2,
      most: 1e9,
      about: "instead: sequences 0, N, 2N, … of each file",
    },
    validationSplit: {
      type: "number",
      optional: true,
      least: 0,
      above: true,
      below: 1,
      about: "share of the rest to watch while training; of forecasts, its last rows",
    },
    stratify: {
      type: "boolean",
      default: true,
      about: "the classes' shares in every part",
      off: "divide at random, whatever the classes' shares",
    },
    folds: {
      type: "integer",
      optional: true,
      least: 2,
      most: 1000,
      about: "cross-validation with so many parts instead",
    },
    walkForward: {
      type: "integer",
      optional: true,
      least: 1,
      most: 1000,
      about: "forecasts: cross-validation forward in time",
    },
  },
  forecast: {
    targetColumns: { ...targetColumns, optional: true, takes: "NAME,…" },
    window: { ...window, optional: true },
    ...windows,
    season: { type: "integer", optional: true, least: 1, most: 1e6, about: "rows of a period, for a second baseline" },
    trainRows: { type: "text", optional: true, about: "rows to train on, from 0, the last excluded", takes: "FROM:TO" },
    testRows: { type: "text", optional: true, about: "rows to test on (default: the last fifth)", takes: "FROM:TO" },
  },
} satisfies Record<string, Record<string, OptionSpec>>;

/** Options of training on files, all filled in. */
export interface DataJob {
  readonly files: {
    readonly data: readonly string[];
    readonly testData?: readonly string[];
    readonly format?: string;
    readonly delimiter?: string;
    readonly header?: boolean;
    readonly decimal?: ReadOptions["decimal"];
    readonly missingValues?: readonly string[];
    readonly quote?: ReadOptions["quote"];
    readonly encoding?: string;
    readonly layout?: ReadOptions["layout"];
    readonly labelFile?: string;
    readonly testLabelFile?: string;
  };
  readonly columns: {
    readonly sequenceColumn?: string;
    readonly timeColumn?: string;
    readonly labelColumn?: readonly string[];
    readonly featureColumns?: readonly string[];
    readonly weightColumn?: string;
    readonly textColumn?: string;
    readonly xKey?: string;
    readonly yKey?: string;
  };
  readonly preparation: Omit<PipelineOptions, "task" | "labelNames" | "channelNames" | "stepNames"> & {
    readonly task?: PipelineOptions["task"] | "forecast";
    readonly embeddingDim?: number;
    readonly classWeights?: readonly string[];
    readonly posWeight?: readonly number[];
  };
  readonly division: {
    readonly testSplit?: number;
    readonly testEvery?: number;
    readonly validationSplit?: number;
    readonly stratify: boolean;
    readonly folds?: number;
    readonly walkForward?: number;
  };
  readonly forecast:
    & Partial<Pick<ForecastOptions, "targetColumns" | "window">>
    & Pick<ForecastOptions, keyof typeof windows>
    & {
      readonly season?: number;
      readonly trainRows?: string;
      readonly testRows?: string;
    };
}
