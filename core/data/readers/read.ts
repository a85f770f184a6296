/**
 * Reads files of any format that we know.
 *
 * @module
 */

import type { Format, Input, ReadOptions, RecordSource, Table } from "./record.ts";

const ENDINGS: Readonly<Record<string, Format>> = {
  csv: "csv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  ts: "ts",
  arff: "arff",
  npy: "npy",
  npz: "npz",
};

/** The format that a name's ending tells (".gz" apart); undefined for `.tsv`, `.txt` and others, where the content tells. */
export function formatOf(name: string): Format | undefined {
  const ending = name.toLowerCase().replace(/\.gz$/, "").match(/\.(\w+)$/)?.[1] ?? "";
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
}

/**
 * Reads sequences as they come.
 *
 * @returns What the head says, once that is read; the records follow as they are asked for.
 * @throws {SyntaxError | TypeError | RangeError} Here or from the records, if the data are bad, naming file, line and column.
 */
export function readRecords(input: Input, _options: ReadOptions = {}): Promise<RecordSource> {
  return Promise.reject(new TypeError(`Cannot read ${input.name}: readers are not there yet`));
}

/**
 * Reads a whole table of series.
 *
 * @throws {SyntaxError | TypeError | RangeError} If the data are bad, naming file, line and column.
 */
export function readTable(input: Input, _options: ReadOptions = {}): Promise<Table> {
  return Promise.reject(new TypeError(`Cannot read ${input.name}: readers are not there yet`));
}
