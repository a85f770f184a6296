/**
 * Reads files of any format that we know. A format's reader is loaded when a file of it is read: nobody else waits for it.
 *
 * @module
 */

import { spell } from "../../display.ts";
import { checkArgument } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { badFile } from "./bad_data.ts";
import { Blocks } from "./blocks.ts";
import { Lines } from "./lines.ts";
import { NumberFormat } from "./number_format.ts";
import { refuseForeign } from "./foreign.ts";
import { isEncoding, open } from "./open.ts";
import {
  type Format,
  FORMATS,
  type Input,
  type Reading,
  type ReadOptions,
  type RecordSource,
  type SequenceRecord,
  type Table,
} from "./record.ts";
import { isLike, lasting, readAs, type ReadBefore } from "./reading.ts";
import { suited } from "./suits.ts";
import { archiveCells, readArchive, readText } from "./text.ts";

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

/** The type of each option's value, in words, or the values it may have; "column" is a name or a number. */
export type OptionType =
  | "text"
  | "list of texts"
  | "column"
  | "columns"
  | "yes or no"
  | "count"
  | "input"
  | readonly string[];

const OPTIONS: { readonly [Name in keyof Required<ReadOptions>]: OptionType } = {
  format: FORMATS,
  delimiter: "text",
  header: "yes or no",
  sequenceColumn: "column",
  timeColumn: "column",
  labelColumns: "columns",
  optionalLabels: "yes or no",
  sequencePerFile: "yes or no",
  labelsPerRow: "yes or no",
  groupColumn: "column",
  faults: "yes or no",
  weightColumn: "column",
  featureColumns: "columns",
  textColumn: "column",
  columnCount: "count",
  xKey: "text",
  yKey: "text",
  part: ["train", "test"],
  labelsFrom: "input",
  decimal: [".", ","],
  missingValues: "list of texts",
  quote: ['"', "none"],
  encoding: "text",
  layout: ["ntc", "nct"],
  maxLineBytes: "count",
  maxBytes: "count",
};

const MAX_LINE = 2 ** 24, MAX_BYTES = 2 ** 28;

/** Checks options of reading by a table of them. */
export function checkOptions(
  name: string,
  options: object,
  table: Readonly<Record<string, OptionType>> = OPTIONS,
): void {
  const isColumn = (value: unknown) => typeof value === "string" || Number.isInteger(value);
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(table, option)) {
      throw badFile("option-unknown", name, `there is no option "${option}"`, { option });
    }
    if (value === undefined) continue;
    const type = table[option]!;
    const fits = type === "text"
      ? typeof value === "string"
      : type === "yes or no"
      ? typeof value === "boolean"
      : type === "count"
      ? Number.isSafeInteger(value) && (value as number) > 0
      : type === "input"
      ? typeof value === "object" && value !== null && typeof (value as Input).stream === "function"
      : type === "column"
      ? isColumn(value)
      : type === "columns"
      ? Array.isArray(value) && value.every(isColumn)
      : type === "list of texts"
      ? Array.isArray(value) && value.every((one) => typeof one === "string")
      : type.includes(value as string);
    if (!fits) {
      const wanted = typeof type !== "string"
        ? `one of ${type.join(", ")}`
        : type === "columns"
        ? "a list of columns"
        : `a ${type}`;
      const got = typeof type === "string" ? spell(value) : `"${spell(value)}"`;
      throw badFile("option-type", name, `${option} must be ${wanted}, got ${got}`, {
        option,
        expected: wanted,
        value,
      });
    }
  }
  const { encoding } = options as ReadOptions;
  if (encoding !== undefined && !isEncoding(encoding)) {
    const expected = "the name of an encoding, as latin1 or utf-16le";
    throw badFile("option-type", name, `encoding must be ${expected}, got "${encoding}"`, {
      option: "encoding",
      expected,
      value: encoding,
    });
  }
}

/** The format that a name's ending tells (".gz" apart); undefined for `.tsv`, `.txt` and others, where the content tells. */
export function formatOf(name: string): Format | undefined {
  checkArgument("tell format", "name", name, "string");
  const ending = name.toLowerCase().replace(/\.gz$/, "").match(/\.(\w+)$/)?.[1] ?? "";
  return Object.hasOwn(ENDINGS, ending) ? ENDINGS[ending] : undefined;
}

/** Checks what a reader is given. */
export function checkInput(input: Input): void {
  checkArgument("read data", "input", input, ["name", "stream"]);
  checkArgument("read data", "input.name", input.name, "string");
  checkArgument("read data", "input.stream", input.stream, "function");
}

/** The format that the first bytes tell, if any. */
function formatOfBytes(head: Uint8Array): Format | undefined {
  const text = String.fromCharCode(...head).replace(/^\u00ef\u00bb\u00bf/, "").trimStart().toLowerCase();
  if (text.startsWith("\u0093numpy")) return "npy";
  if (text.startsWith("pk\u0003\u0004")) return "npz";
  if (text.startsWith("{") || text.startsWith("[")) return "json";
  if (text.startsWith("@rel") || text.startsWith("%")) return "arff";
  if (text.startsWith("@") || text.startsWith("#")) return "ts";
  return undefined;
}

/** Options that only tables have. */
const TABLE_OPTIONS = [
  "header",
  "delimiter",
  "sequenceColumn",
  "sequencePerFile",
  "timeColumn",
  "labelColumns",
  "groupColumn",
  "weightColumn",
  "featureColumns",
  "textColumn",
] as const;

/** The format that the first line tells: of a table, of the archive, or of text. */
function formatOfLine(
  line: string,
  input: Input,
  options: ReadOptions,
  before?: ReadBefore,
): "csv" | "ucr" | "text" {
  if (input.label !== undefined) return "text";
  const isTable = TABLE_OPTIONS.some((option) => options[option] !== undefined);
  if (!isTable && before?.reading.format === "text") return "text";
  if (before && isLike(line, before)) return "csv";
  const format = new NumberFormat(input.name, options),
    cells = archiveCells(line, options.decimal),
    tabs = line.split("\t").length - 1;
  if (!isTable && cells.length > 1 && cells.every((cell) => format.isNumber(cell))) return "ucr";
  if (/\.txt(\.gz)?$/i.test(input.name)) return isTable && tabs !== 1 ? "csv" : "text";
  return isTable || tabs !== 1 ? "csv" : "text";
}

/** So many times as many channels as steps: rather steps that stand where channels should. */
const WIDE = 2;

/** Hands on records; closes what they come from, whatever happens. */
async function* guarded(
  source: RecordSource,
  { name, label }: Input,
  { layout }: ReadOptions,
  notes: string[],
  close: () => Promise<void>,
): AsyncGenerator<SequenceRecord, void> {
  // Rows of tables have the channels they name.
  const isArray = source.format === "npy" || source.format === "npz" || source.format === "json" ||
    source.format === "jsonl";
  let count = 0, wide: SequenceRecord | undefined, isWide = isArray && layout === undefined;
  try {
    for await (const record of source.records) {
      count++;
      if (record.fault) {
        yield record;
        continue;
      }
      isWide &&= record.channels > WIDE * record.steps;
      if (isWide) wide = record;
      yield label === undefined || record.labels ? record : { ...record, labels: [label] };
    }
    if (!count) throw badFile("file-empty", name, "there are no sequences");
    if (isWide && wide) {
      const { steps, channels } = wide, step = steps === 1 ? "1 step" : `${steps} steps`;
      notes.push(
        `${name}: a sequence is ${step} of ${channels} channels; the layout nct takes it for ${channels} steps of ${steps}`,
      );
    }
    notes.push(...source.notes ?? []);
  } finally {
    await close();
  }
}

/**
 * Reads sequences as they come.
 *
 * @returns What the head says, once that is read; the records follow as they are asked for.
 * @throws {SyntaxError | TypeError | RangeError} Here or from the records, if an option is wrong or the data are bad,
 * naming file, line and column.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readRecords } from "@grutto/grutto";
 *
 * const csv = new TextEncoder().encode("id,t,speed,label\na,0,1.5,walk\na,1,1.7,walk\nb,0,4.1,run\n");
 * const source = await readRecords({ name: "moves.csv", stream: () => new Blob([csv]).stream() }, {
 *   sequenceColumn: "id",
 *   timeColumn: "t",
 * });
 * const records = await Array.fromAsync(source.records);
 * assert.deepEqual(records.map(({ id, steps, labels }) => [id, steps, labels?.[0]]), [["a", 2, "walk"], ["b", 1, "run"]]);
 * ```
 */
export async function readRecords(input: Input, options: ReadOptions = {}): Promise<RecordSource> {
  checkInput(input);
  const own = ownOptions("read data", options);
  return await readSuited(input, own, new Set(Object.keys(own)));
}

/**
 * Reads sequences as they come, by options of which some may be for other formats.
 *
 * @param asked The options that are refused where they are not for the format; others are left out there.
 * @param before How others of its kind were read. What is asked for comes first.
 */
export async function readSuited(
  input: Input,
  given: ReadOptions,
  asked: ReadonlySet<string>,
  before?: ReadBefore,
): Promise<RecordSource> {
  checkOptions(input.name, given);
  const { name } = input, limit = given.maxLineBytes ?? MAX_LINE, notes: string[] = [];
  const { head, bytes, close } = await open(input, given.encoding ?? before?.reading.encoding);
  try {
    if (!head.length) throw badFile("file-empty", name, "the file is empty");
    let format: Format | undefined = given.format ?? formatOf(name) ?? formatOfBytes(head);
    refuseForeign(name, head, format ?? "text");
    const lines = format === "json" || format === "npy" || format === "npz" ? undefined : new Lines(name, bytes, limit);
    format ??= formatOfLine(await lines!.peek() ?? "", input, given, before);
    const options = suited(name, format, readAs(format, given, asked, before?.reading), asked);
    let source: RecordSource;
    if (format === "json") {
      const { readJson } = await import("./json.ts");
      source = await readJson(new Blocks(name, bytes, "}".charCodeAt(0), limit), options, limit);
    } else if (format === "npy" || format === "npz") {
      const { readNpyRecords, readNpzRecords } = await import("./arrays.ts");
      const readArrays = format === "npy" ? readNpyRecords : readNpzRecords;
      source = await readArrays(name, bytes, input, options, options.maxBytes ?? MAX_BYTES);
    } else {
      switch (format) {
        case "csv":
          source = await (await import("./csv.ts")).readCsv(lines!, input, options, limit, asked);
          break;
        case "jsonl":
          source = await (await import("./json.ts")).readJsonLines(lines!, options);
          break;
        case "ts":
          source = await (await import("./ts.ts")).readTs(lines!, input, options);
          break;
        case "text":
          source = await readText(lines!, input, options);
          break;
        case "ucr":
          source = await readArchive(lines!, options);
          break;
        case "arff":
          source = await (await import("./arff.ts")).readArff(lines!, input, options);
          break;
        default:
          throw format satisfies never;
      }
    }
    return {
      reading: lasting(format, options),
      ...source,
      notes,
      records: guarded(source, input, options, notes, close),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Reads a whole table of series.
 *
 * @param options `timeColumn` must go up, and is carried as text; `featureColumns` must hold numbers, and are all that is
 * kept. Without them, a column whose first cell is no number is one of text.
 * @throws {SyntaxError | TypeError | RangeError} If an option is wrong or the data are bad, naming file, line and column.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readTable } from "@grutto/grutto";
 *
 * const csv = new TextEncoder().encode("Month,Passengers\n1949-01,112\n1949-02,118\n");
 * const table = await readTable({ name: "airline.csv", stream: () => new Blob([csv]).stream() });
 * assert.deepEqual([table.columns, table.values[0]], [["Passengers"], Float64Array.of(112, 118)]);
 * assert.deepEqual(table.texts?.get("Month"), ["1949-01", "1949-02"]);
 * ```
 */
export async function readTable(input: Input, options: ReadOptions = {}): Promise<Table> {
  checkInput(input);
  const own = ownOptions("read data", options);
  return await readSuitedTable(input, own, new Set(Object.keys(own)));
}

/** Reads a whole table of series, by options as {@linkcode readSuited} takes them. */
export async function readSuitedTable(
  input: Input,
  given: ReadOptions,
  asked: ReadonlySet<string>,
  before?: Reading,
): Promise<Table> {
  checkOptions(input.name, given);
  const limit = given.maxLineBytes ?? MAX_LINE, encoding = given.encoding ?? before?.encoding;
  const { head, bytes, close } = await open(input, encoding), lines = new Lines(input.name, bytes, limit);
  try {
    if (!head.length) throw badFile("file-empty", input.name, "the file is empty");
    const format = given.format ?? formatOf(input.name) ?? formatOfBytes(head) ?? "csv";
    refuseForeign(input.name, head, format);
    const own = readAs(format, given, asked, before);
    const options = format === "csv" || format === "npy" ? suited(input.name, format, own, asked, true) : own;
    const reading = lasting(format, { ...options, featureColumns: undefined });
    if (format === "npy") {
      const most = options.maxBytes ?? MAX_BYTES;
      return { ...await (await import("./arrays.ts")).readNpyTable(input.name, bytes, options, most), reading };
    }
    if (format !== "csv") {
      throw badFile("file-unsupported", input.name, `a table of series must be csv or npy, got ${format}`, {
        value: format,
      });
    }
    return await (await import("./table.ts")).readCsvTable(lines, options, limit, reading);
  } finally {
    await close();
  }
}
