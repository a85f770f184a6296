/** Pairs of texts in files, read as a job says. */

import type { PairRecord } from "../data/pair_records.ts";
import { PAIR_FORMATS, type PairFormat, type PairReadOptions } from "../data/readers/pair_formats.ts";
import type { PairReading } from "../data/readers/pair_reading.ts";
import { readParallel, readSuitedPairs } from "../data/readers/pairs.ts";
import { formatOf } from "../data/readers/read.ts";
import type { DataJob } from "./data_options.ts";
import { UsageError } from "./options.ts";
import { type DataSource, pathName } from "./read_data.ts";
import { refuseUnsuited } from "./suits.ts";

/** The pairs of some files. */
export interface LoadedPairs {
  readonly records: readonly PairRecord[];
  /** The file of each. */
  readonly files: readonly number[];
  /** How the first was read; undefined of two files side by side. */
  readonly reading?: PairReading;
}

/** How a job's pairs are read. */
function readOptions({ files, columns, forecast }: DataJob): PairReadOptions {
  const { format, delimiter, header, quote, encoding } = files,
    [targetColumn, ...others] = forecast.targetColumns ?? [];
  if (others.length) throw new UsageError(`--target-column names one column of targets, got ${others.length + 1}`);
  if (format !== undefined && !PAIR_FORMATS.includes(format as PairFormat)) {
    throw new UsageError(`--format must be one of ${PAIR_FORMATS.join(", ")} for pairs, got "${format}"`);
  }
  return {
    format: format as PairFormat | undefined,
    sourceColumn: columns.sourceColumn,
    targetColumn,
    delimiter: delimiter === "tab" ? "\t" : delimiter,
    header,
    quote,
    encoding,
  };
}

/** The options of reading that were asked for. */
function askedOf({ given: { files, columns, forecast } }: DataSource): ReadonlySet<string> {
  const { targetColumns } = forecast, names = Object.keys({ ...files, ...columns });
  return new Set([...names, ...targetColumns === undefined ? [] : ["targetColumn"]]);
}

/** Refuses what says where pairs are in a file, where none is read so: the lines of two files are whole texts. */
function refuseColumns({ given: { files, columns, forecast, pairs } }: DataSource): void {
  if (files.testData && !(pairs.targetFile && pairs.testTargetFile)) return;
  const { format, delimiter, header, quote } = files, { sourceColumn } = columns, { targetColumns } = forecast;
  const asked = { format: format === "text" ? undefined : format, delimiter, header, quote };
  const idle = Object.entries(asked).find(([, value]) => value !== undefined)?.[0] ??
    (sourceColumn !== undefined ? "source-column" : targetColumns && "target-column");
  if (idle !== undefined) throw new UsageError(`--${idle} is for pairs in one file: leave it out with --target-file`);
}

/**
 * Reads all pairs of some files.
 *
 * @param targetFile Where targets are, if they are the lines of another file.
 * @param before How others were read: these are read alike.
 */
export async function loadPairs(
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  targetFile?: string,
  before?: PairReading,
): Promise<LoadedPairs> {
  const options = readOptions(job), records: PairRecord[] = [], files: number[] = [];
  const inputs = await source.inputs(paths, false);
  if (targetFile !== undefined && inputs.length !== 1) {
    throw new UsageError(`--target-file goes with one file, got ${inputs.length}`);
  }
  if (targetFile !== undefined) refuseColumns(source);
  let reading = before;
  for (const [file, input] of inputs.entries()) {
    const read = targetFile === undefined
      ? readSuitedPairs(input, options, askedOf(source), reading)
      : readParallel(input, source.file(targetFile), { encoding: options.encoding });
    for await (const record of read) {
      records.push(record);
      files.push(file);
    }
    if ("reading" in read) reading ??= read.reading as PairReading;
  }
  if (!records.length) {
    throw new Error(`cannot ${source.action}: there is no pair in ${paths.map(pathName).join(", ")}`);
  }
  return { records, files, reading };
}

/**
 * Sources of one file after the other, as they come; targets may be there, and are not looked at.
 *
 * @param areNumbers Whether sources are numbers: a file whose name does not tell is JSON Lines then.
 * @param before How others were read: these are read alike.
 */
export async function* streamSources(
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  areNumbers: boolean,
  before?: PairReading,
): AsyncGenerator<PairRecord> {
  const { format: _, ...options } = readOptions(job), { format: given } = source.given.files;
  for (const input of await source.inputs(paths, false)) {
    const format = given ?? (areNumbers && !formatOf(input.name) ? "jsonl" : undefined);
    const own = { ...options, format: format as PairFormat | undefined, optionalTargets: true };
    yield* readSuitedPairs(input, own, askedOf(source), before);
  }
}

/** A job's pairs, kept for the next of several trainings: standard input comes but once. */
export class ReadPairs {
  readonly #job: DataJob;
  readonly #source: DataSource;
  #train?: Promise<LoadedPairs>;
  #test?: Promise<LoadedPairs>;

  constructor(job: DataJob, source: DataSource) {
    this.#job = job;
    this.#source = source;
  }

  /** @param before How others were read: these are read alike. */
  train(before?: PairReading): Promise<LoadedPairs> {
    refuseUnsuited(this.#source.given, { form: "pairs" });
    const { files: { data }, pairs: { targetFile } } = this.#job;
    return this.#train ??= loadPairs(data, this.#job, this.#source, targetFile, before);
  }

  /** The test data, where they are files of their own. */
  async test(): Promise<LoadedPairs | undefined> {
    const { files: { testData }, pairs: { testTargetFile } } = this.#job;
    if (!testData) return undefined;
    const { reading } = await this.train();
    return await (this.#test ??= loadPairs(testData, this.#job, this.#source, testTargetFile, reading));
  }
}
