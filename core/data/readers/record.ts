/**
 * What a file of sequences becomes, whatever its format, and what can be said about how to read it.
 *
 * @module
 */

/** One sequence, or one text. */
export interface SequenceRecord {
  /**
   * Numbers (T, I), row-major; NaN where a value is missing; absent for text. Float64 wherever the file holds more than
   * float32: they are rounded once their mean is off.
   */
  readonly values?: Float32Array | Float64Array;
  /** The text, untouched; absent for numbers. */
  readonly text?: string;
  /** Of a text whose label is optional: the line with both, as what looks like a label may be part of the text. */
  readonly line?: string;
  /** Steps T; 0 for text. */
  readonly steps: number;
  /** Channels I; 0 for text. */
  readonly channels: number;
  /** Class names, or numbers as text: one for each label column. Absent where the file has none. */
  readonly labels?: readonly string[];
  /**
   * Labels of each step (T), one for each label column, where they were asked for; undefined where a step has none. It has
   * then no `labels`.
   */
  readonly stepLabels?: readonly (readonly string[] | undefined)[];
  /** Steps before which the time does not take its usual step, where step labels were asked for and a column tells the time. */
  readonly breaks?: readonly number[];
  /** What it has in common with others that must not be parted from it in a split: the person who was recorded. */
  readonly group?: string;
  /** The rows of a recording that it is a window of: from the first, counted from 0, up to, but without, the second. */
  readonly rows?: readonly [from: number, to: number];
  /** Its weight in the loss, above 0, where the file says one. */
  readonly weight?: number;
  /** Its name in the file. */
  readonly id?: string;
  /** Where it begins, for errors: "train.csv, line 12". */
  readonly place: string;
  /** Where its first missing value stands, if any: "line 14, column temperature". */
  readonly missing?: string;
  /** Why it could not be read, where `faults` asks for such records: there is nothing else in it. */
  readonly fault?: Error;
}

/** Options of reading that hold for other files of the same kind. */
export type LastingOption =
  | "delimiter"
  | "header"
  | "decimal"
  | "missingValues"
  | "quote"
  | "encoding"
  | "layout"
  | "sequenceColumn"
  | "sequencePerFile"
  | "timeColumn"
  | "labelColumns"
  | "labelsPerRow"
  | "groupColumn"
  | "weightColumn"
  | "featureColumns"
  | "textColumn"
  | "columnCount"
  | "xKey"
  | "yKey";

/**
 * How a file turned out to be written and was asked to be read: options by which others of its kind are read alike.
 * Columns are named where the file has names, and else counted from 0.
 */
export interface Reading extends Readonly<Pick<ReadOptions, LastingOption>> {
  /** Its format. */
  readonly format: Format;
}

/** A file being read: what its head says, and its sequences as they come. */
export interface RecordSource {
  /** As what it is read. */
  readonly format: Format;
  /** Names of the channels, where the file has them. */
  readonly channelNames?: readonly string[];
  /** Names of the columns that are the steps of a sequence, in order, where the file has them: of a wide table. */
  readonly stepNames?: readonly string[];
  /** Names of columns of numbers that nobody asked for, where `featureColumns` says which ones to take. */
  readonly extraNames?: readonly string[];
  /** Names of the label columns, where the file has them. */
  readonly labelNames?: readonly string[];
  /** How it turned out to be written; complete once the records have been gone through. */
  readonly reading?: Reading;
  /** Whether the file holds test data beside these. */
  readonly hasTest?: boolean;
  /** Notes from reading, in words; complete once the records have been gone through. */
  readonly notes?: readonly string[];
  /** The sequences in the file's order. To be gone through once; leaving early closes the stream. */
  readonly records: AsyncIterable<SequenceRecord>;
}

/** Bytes with a name: a file, standard input, a download. */
export interface Input {
  /** For errors; its ending tells the format. A path is as good as a bare name. */
  readonly name: string;
  /** Opens it. Called once for each reading. */
  readonly stream: () => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>;
  /** The class of everything in it, where a class is a file. */
  readonly label?: string;
}

/**
 * A file format: "csv" is any table with a delimiter (tabs in a `.tsv`), "ucr" the archive's `.tsv` and `.txt` (a class, then
 * numbers), "text" one text a line, with a tab and its class where the file is not one class.
 */
export type Format = "csv" | "json" | "jsonl" | "ts" | "arff" | "ucr" | "npy" | "npz" | "text";

/** All of them. */
export const FORMATS: readonly Format[] = ["csv", "json", "jsonl", "ts", "arff", "ucr", "npy", "npz", "text"];

/**
 * How to read a file. A column is named by its name, or by its number from 0, negative ones from the end. An option that is
 * not for the file's format is refused.
 */
export interface ReadOptions {
  /** The format. Default: by the name's ending, and by the first bytes where that leaves a choice. */
  format?: Format;
  /** csv: what stands between cells. Default: the first of comma, tab, semicolon and bar that the first line has. */
  delimiter?: string;
  /** csv: whether the first line names the columns. Default true. */
  header?: boolean;
  /** csv: the column that tells one sequence from the next, in long format: a row is a step. Default: a row is a sequence. */
  sequenceColumn?: string | number;
  /** csv: the column by which a sequence's rows are in order: numbers, or dates however they are written. Not a channel. */
  timeColumn?: string | number;
  /**
   * csv, arff, text: columns with the class, or the targets. Default: the last column that is called label, class, y or target;
   * in arff the last attribute that is nominal; in text what follows the last tab. None ([]): sequences without labels.
   */
  labelColumns?: readonly (string | number)[];
  /** Whether a file may lack labels, as for prediction. Default false. */
  optionalLabels?: boolean;
  /** csv: whether the file is one sequence, and a row a step of it. Default false. */
  sequencePerFile?: boolean;
  /**
   * csv, in long format, and json: whether each row, or step, may have labels of its own, as a recording's do. In json y is
   * then a list of as many as x has steps. Default false.
   */
  labelsPerRow?: boolean;
  /** csv: the column with what sequences must have in common to stay in one part of a split. */
  groupColumn?: string | number;
  /** Whether a row that cannot be read comes as a record with its `fault`, and the others after it. Default false. */
  faults?: boolean;
  /** csv: the column with each sequence's weight. */
  weightColumn?: string | number;
  /**
   * csv without a header: columns of a table with labels. One with as many fewer as there are label columns has none, where
   * labels are optional.
   */
  columnCount?: number;
  /** csv: the columns with the numbers, in that order. Default: all others but one called id, which names a sequence. */
  featureColumns?: readonly (string | number)[];
  /** csv: the column with the text, in place of numbers. text: the one that is not the label's. */
  textColumn?: string | number;
  /** npz: the array of sequences. Default "x" or "X", or the only one. */
  xKey?: string;
  /** npz: the array of labels. Default "y" or "Y", if there is one. Lengths of sequences are in "lengths", if there is one. */
  yKey?: string;
  /**
   * npz: which arrays are x, y and lengths where the file holds both parts, as x_train, y_train, x_test, y_test, or by
   * other usual names. `xKey` and `yKey` come first; those of the training part stand for their counterparts. Default:
   * such a file is refused, unless `xKey` is given.
   */
  part?: "train" | "test";
  /** npy: where the labels are, a `.npy` (N) or (N, O). */
  labelsFrom?: Input;
  /**
   * csv, and the archive's text: the decimal sign; what stands between groups of three digits before it is passed over.
   * Default: a point, unless the cells show that it is a comma.
   */
  decimal?: "." | ",";
  /**
   * Marks of missing values, besides the usual ones (empty, "?", "NaN", "NA", "N/A", "#N/A", "null", "None"); a number as
   * any of its spellings, and in arrays as well.
   */
  missingValues?: readonly string[];
  /** csv: "none" where quotation marks are text like any other. Default '"': they stand around cells. */
  quote?: '"' | "none";
  /** Encoding of the text, by its name in the Encoding Standard: "latin1". Default UTF-8, or UTF-16 with its mark. */
  encoding?: string;
  /** npy, npz, json: "nct" where a sequence is a list of steps for each channel. Default "ntc": of channels for each step. */
  layout?: "ntc" | "nct";
  /** The longest line in bytes. Default 16 MiB. */
  maxLineBytes?: number;
  /** npz: the largest file, and the most that its arrays may unpack to, in bytes; npy: the largest row. Default 256 MiB. */
  maxBytes?: number;
}

/** Series side by side, one row per point in time. */
export interface Table {
  /** Its name in errors: "airline.csv". */
  readonly name: string;
  /** Names of the columns of numbers, in the file's order. */
  readonly columns: readonly string[];
  /** Each column's numbers (rows); NaN where one is missing. */
  readonly values: readonly Float64Array[];
  /** Rows. */
  readonly rows: number;
  /** Columns that hold no numbers, such as dates: their cells (rows) by name. */
  readonly texts?: ReadonlyMap<string, readonly string[]>;
  /** Where each column's first missing value stands, if any: "line 14". */
  readonly missing?: readonly (string | undefined)[];
  /** How it turned out to be written. */
  readonly reading?: Reading;
  /** Notes from reading, in words. */
  readonly notes?: readonly string[];
  /** Rows, rising, that do not follow the one before by a usual step of the time: windows do not reach across. */
  readonly breaks?: readonly number[];
  /** How many usual steps lie between the row before and this one. */
  readonly stepsOf?: (row: number) => number;
  /** Where a row, counted from 0, stands, for errors: "ETTh1.csv, line 2". */
  readonly place?: (row: number) => string;
}
