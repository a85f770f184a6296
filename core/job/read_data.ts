/** Data in files, read as a job says. Whoever runs the job opens them. */

import { badFile } from "../data/readers/bad_data.ts";
import { formatOf, readSuited, readSuitedTable } from "../data/readers/read.ts";
import { type LabelsTable, readLabelsTable } from "../data/readers/labels_table.ts";
import type { Input, LastingOption, Reading, ReadOptions, RecordSource, Table } from "../data/readers/record.ts";
import { READ_SUITS } from "../data/readers/suits.ts";
import { Columns } from "../data/records.ts";
import { RecordingWindows } from "../data/recordings.ts";
import { amend, errorCause } from "../errors.ts";
import type { DataJob } from "./data_options.ts";
import { flagFor, type GivenOptions, UsageError } from "./options.ts";
import { askedOf, column, isText, like, readOptions, STDIN, windowsOf } from "./reading_options.ts";
import { isOnce, piped } from "./piped.ts";
import { smallClasses } from "./small_classes.ts";
import { refuseUnsuited, type Traits } from "./suits.ts";
import { nameOf, plural } from "./words.ts";

export { askedOf, type Input, readOptions, STDIN, windowsOf };

/** A path as it is spoken of. */
export function pathName(path: string): string {
  return path === "-" ? STDIN : path;
}

/** A path without its folders, as it is spoken of. */
export function bareName(path: string): string {
  return pathName(nameOf(path.replace(/(?<=.)\/+$/, "")));
}

/** Where the paths of a job lead. */
export interface DataSource {
  /** The action that needs data: "train". */
  readonly action: string;
  /** The options that were asked for: what does not suit the data is refused. Others hold where they suit. */
  readonly given: GivenOptions;
  /** The files of a folder that holds training data and test data; undefined where it is no such folder. */
  parts(path: string): Promise<Record<"train" | "test", string> | undefined>;
  /** The files of the paths, in order; a folder is the files in it. */
  inputs(paths: readonly string[], isText: boolean): Promise<Input[]>;
  /** A file. */
  file(path: string): Input;
}

/** The records of some files. */
export interface Loaded extends ColumnNames {
  readonly records: Columns;
  /** The file of each. */
  readonly files: ArrayLike<number>;
  readonly labelNames?: readonly string[];
  /** Whether one of the files holds test data beside these. */
  readonly hasTest: boolean;
  /** What is to be said about them. */
  readonly notes: readonly string[];
}

/** Names by which columns of other files are found, in the order that a model takes them. */
export interface ColumnNames {
  /** Of the channels of long tables. */
  readonly channelNames?: readonly string[];
  /** Of the steps of wide ones. */
  readonly stepNames?: readonly string[];
  /** How the files are written. */
  readonly reading?: Reading;
}

/**
 * Opens a file whose columns must be those of others: by name where the file and they have names, in whatever order the
 * file has them; what it has beside them is left out.
 */
export async function openRecords(
  input: Input,
  options: ReadOptions,
  known: ColumnNames,
  asked: ReadonlySet<string>,
): Promise<RecordSource> {
  try {
    return await openNamed(input, options, known, asked);
  } catch (error) {
    const { code, option } = errorCause(error) ?? {}, name = option === "labelColumns" ? "labelColumn" : option!;
    const isTheirs = known.reading?.[option as LastingOption] !== undefined && !asked.has(option!);
    if (code !== "column-missing" || !isTheirs) throw error;
    const flag = flagFor("columns", name);
    throw amend(error, {
      option: undefined,
      advice: `the training data have it; --${flag} says which one it is here`,
    });
  }
}

async function openNamed(
  given: Input,
  asGiven: ReadOptions,
  known: ColumnNames,
  asked: ReadonlySet<string>,
): Promise<RecordSource> {
  const { reading } = known, { sequenceColumn, sequencePerFile } = { ...reading, ...asGiven };
  const isLong = sequenceColumn !== undefined || sequencePerFile === true;
  const names = isLong ? known.channelNames : known.stepNames, before = reading && { reading, names };
  const isSaid = asGiven.header === false || asGiven.featureColumns || asGiven.textColumn !== undefined;
  if (!names || isSaid) return await readSuited(given, asGiven, asked, before);
  // What comes but once is looked at first: JSON has no columns.
  const { input, format: told } = asGiven.format ? { input: given } : await piped(given, false);
  const options: ReadOptions = { ...asGiven, ...told && { format: told } };
  let format = options.format ?? formatOf(input.name);
  if (format === undefined && !isOnce(input)) {
    const { format: found, records } = await readSuited(input, options, asked, before);
    format = found;
    // To leave closes it, once there is a record; what is wrong with that is told below.
    try {
      for await (const _ of records) break;
    } catch { /* The columns that are asked for may be fine. */ }
  }
  if (format !== undefined && format !== "csv" && (isLong || format !== "arff")) {
    return await readSuited(input, options, asked, before);
  }
  let source: RecordSource;
  try {
    source = await readSuited(input, { ...options, featureColumns: names }, asked, before);
  } catch (error) {
    const isTheirs = errorCause(error)?.code === "column-missing" && errorCause(error)!.option === "featureColumns";
    throw isTheirs ? amend(error, { option: undefined, advice: "the training data have it" }) : error;
  }
  // A name that is a number may also be a place.
  const found = isLong ? source.channelNames : source.stepNames, lacking = names.find((name, i) => found?.[i] !== name);
  if (lacking !== undefined) {
    const problem = `there is no column ${lacking}: the training data have it`;
    throw badFile("column-missing", input.name, problem, { column: lacking });
  }
  const extra = source.extraNames ?? [], list = extra.slice(0, 5).join(", ") + (extra.length > 5 ? ", …" : "");
  const note = `${input.name}: ${
    plural(extra.length, "column")
  } left out, which the training data do not have: ${list}`;
  if (!extra.length) return source;
  // What is found out while reading comes later.
  return {
    ...source,
    get notes() {
      return [note, ...source.notes ?? []];
    },
  };
}

/** The table of labels that a job names, if it does. */
async function labelsTable(job: DataJob, options: ReadOptions, source: DataSource): Promise<LabelsTable | undefined> {
  const { files: { labelsTable: path }, columns: { key, labelColumn, groupColumn, sequenceColumn } } = job;
  if (path === undefined) {
    if (key !== undefined) throw new UsageError("--key needs --labels-table FILE");
    return undefined;
  }
  if (job.preparation.labelEveryStep) {
    throw new UsageError("--label-every-step needs labels in the rows, not in --labels-table");
  }
  const { delimiter, decimal, missingValues, quote, encoding } = options;
  const labelColumns = labelColumn?.map((name) => column(name)!);
  const written = { delimiter, decimal, missingValues, quote, encoding, labelColumns, groupColumn };
  return await readLabelsTable(source.file(path), column(key ?? sequenceColumn), written);
}

/** Reads all records of some files. */
export async function loadRecords(
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  { labelFile, part, asked = askedOf(source.given), ...known }:
    & { labelFile?: string; part?: "train" | "test"; asked?: ReadonlySet<string> }
    & ColumnNames = {},
): Promise<Loaded> {
  const options = { ...readOptions(job), ...part && { part } },
    records = Columns.empty(),
    ends: number[] = [],
    notes: string[] = [];
  let { channelNames, stepNames, reading } = known, labelNames: readonly string[] | undefined, hasTest = false;
  const text = isText(job, reading), places = await partsOf(paths, source, part);
  const inputs = await source.inputs(places, options.format === "text" || !options.format && text);
  if (labelFile !== undefined && inputs.length !== 1) {
    throw new UsageError(`--label-file goes with one file, got ${inputs.length}`);
  }
  const listed = job.preparation.labelSeparator !== undefined, cut = windowsOf(job);
  const table = await labelsTable(job, options, source), windows = cut && new RecordingWindows(cut);
  const { labelEveryStep } = job.preparation;
  if ((cut || labelEveryStep) && !table) options.labelsPerRow = true;
  if (table?.hasGroups) delete options.groupColumn;
  const labels = labelFile !== undefined && { labelsFrom: source.file(labelFile) };
  // What suits one of several files is not in vain.
  const idle = new Set(asked), none: ReadonlySet<string> = new Set();
  for (const [file, input] of inputs.entries()) {
    const opened = await openRecords(
      input,
      { ...like(input, options, text, known.reading), ...labels, ...listed && { optionalLabels: true } },
      { channelNames, stepNames, reading: known.reading },
      file === inputs.length - 1 ? idle : none,
    );
    for (const [option, { formats }] of Object.entries(READ_SUITS)) {
      if (formats.includes(opened.format)) idle.delete(option);
    }
    hasTest ||= opened.hasTest ?? false;
    labelNames ??= opened.labelNames;
    channelNames ??= opened.channelNames;
    stepNames ??= opened.stepNames;
    for await (const read of opened.records) {
      // Where a cell lists labels, an empty one lists none.
      const listing = listed && !read.labels && !table ? { ...read, labels: [] } : read;
      const whole = table ? table.labeled(listing) : listing;
      if (!windows) records.push(whole);
      else for (const record of windows.of(whole)) records.push(record);
    }
    ends.push(records.length);
    notes.push(...opened.notes ?? []);
    reading ??= opened.reading;
  }
  notes.push(...smallClasses(inputs, ends), ...table?.notes ?? [], ...windows?.notes ?? []);
  labelNames = table?.labelNames ?? labelNames;
  if (!records.length) {
    const rows = stepNames ? ": --sequence-column NAME or --sequence-per-file if a row is a step" : "";
    const why = windows?.notes.length ? `: ${windows.notes.join("; ")}${rows}` : "";
    throw new Error(`cannot ${source.action}: there is no sequence in ${paths.map(pathName).join(", ")}${why}`);
  }
  const files = new Uint32Array(ends.length > 1 ? records.length : 0);
  for (let file = 1; file < ends.length; file++) files.fill(file, ends[file - 1], ends[file]);
  return { records, files, labelNames, channelNames, stepNames, reading, hasTest, notes };
}

/** The paths, with one part of a folder in place of a folder that holds both. */
export async function partsOf(
  paths: readonly string[],
  source: DataSource,
  part?: "train" | "test",
): Promise<readonly string[]> {
  return await Promise.all(paths.map(async (path) => {
    const parts = await source.parts(path);
    if (!parts) return path;
    if (part) return parts[part];
    throw new UsageError(`"${path}" holds training data and test data: name one, such as ${parts.test}`);
  }));
}

/** How many sequences do not take part. */
export function leftOutLine(count: number): string {
  return `${plural(count, "sequence")} left out: values are missing`;
}

/** Reads the one table of a forecast. */
export async function loadTable(
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  reading?: Reading,
): Promise<Table> {
  const inputs = await source.inputs(await partsOf(paths, source), false);
  if (inputs.length !== 1) throw new UsageError(`forecasts are made on one table, got ${inputs.length} files`);
  const { labelColumns: _, featureColumns: __, ...options } = readOptions(job);
  return await readSuitedTable(inputs[0]!, options, askedOf(source.given), reading);
}

/** A job's data, kept for the next of several trainings: standard input comes but once. */
export class ReadData {
  readonly #job: DataJob;
  readonly #source: DataSource;
  #train?: Promise<Loaded>;
  #test?: Promise<Loaded>;
  #table?: Promise<Table>;

  constructor(job: DataJob, source: DataSource) {
    this.#job = job;
    this.#source = source;
  }

  /** Refuses options that were asked for and do not suit the data. */
  refuseUnsuited(traits: Traits): void {
    refuseUnsuited(this.#source.given, traits);
  }

  train({ channelNames, stepNames, reading }: ColumnNames = {}): Promise<Loaded> {
    const { data, labelFile } = this.#job.files;
    const known = { labelFile, channelNames, stepNames, reading, part: "train" as const };
    return this.#train ??= loadRecords(data, this.#job, this.#source, known);
  }

  /** The test data, where they are files of their own, or beside the training data and no other way to test is asked for. */
  async test(): Promise<Loaded | undefined> {
    const { data, testLabelFile: labelFile } = this.#job.files, { testSplit, testEvery, folds } = this.#job.division;
    const { channelNames, stepNames, reading, hasTest } = await this.train();
    const beside = (testSplit ?? testEvery ?? folds) === undefined && !data.includes("-") &&
      (hasTest || await this.#isFolder());
    const testData = this.#job.files.testData ?? (beside ? data : undefined);
    if (!testData) return undefined;
    return await (this.#test ??= loadRecords(testData, this.#job, this.#source, {
      labelFile,
      part: "test",
      channelNames,
      stepNames,
      reading,
      // What else is asked for is for the training data, if not for these.
      asked: new Set(labelFile === undefined ? [] : ["labelsFrom"]),
    }));
  }

  /** Whether the data are a folder that holds test data too. */
  async #isFolder(): Promise<boolean> {
    const { data } = this.#job.files;
    return (await Promise.all(data.map((path) => this.#source.parts(path)))).some((parts) => parts);
  }

  table(reading?: Reading): Promise<Table> {
    return this.#table ??= loadTable(this.#job.files.data, this.#job, this.#source, reading);
  }
}
