/** One sequence of a file, before anything was done to it. */
export interface SequenceRecord {
  /** Numbers (T, I), row-major; NaN where one is missing. Absent for text. */
  readonly values?: Float32Array;
  /** Text, where the sequence is one of characters or words. */
  readonly text?: string;
  /** Steps of `values`, T; 0 for text. */
  readonly steps: number;
  /** Numbers per step, I; 0 for text. */
  readonly channels: number;
  /** A class name, or numbers as text: one per label column. Absent where the file has none. */
  readonly labels?: readonly string[];
  /** How much the sequence counts in the loss. Default 1. */
  readonly weight?: number;
  /** What the file calls it. */
  readonly id?: string;
  /** Where it begins, for errors: "train.csv, line 12". */
  readonly place: string;
  /** Where its first missing value stands, if there is any: "line 14, column temperature". */
  readonly missing?: string;
}

/** Series side by side, one row per point in time, before anything was done to them. */
export interface Table {
  /** What errors call it: "airline.csv". */
  readonly name: string;
  /** Names of the columns. */
  readonly columns: readonly string[];
  /** Each column's numbers (rows); NaN where one is missing. */
  readonly values: readonly Float64Array[];
  /** Rows. */
  readonly rows: number;
}
