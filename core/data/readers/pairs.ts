/**
 * Pairs: lines of source, tab and target; tables with a column for each; JSON and JSON Lines with x and y, each a text or
 * numbers for every step; or the lines of two files, side by side. Read without targets, a line is a source.
 *
 * @module
 */

import type { PairRecord, PairSide } from "../pair_records.ts";
import { errorCause } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { badFile, show } from "./bad_data.ts";
import { findColumn } from "./columns.ts";
import { refuseForeign } from "./foreign.ts";
import { readHead } from "./head.ts";
import { what } from "./json.ts";
import { Lines } from "./lines.ts";
import { open, type Opened } from "./open.ts";
import { PAIR_FORMATS, type PairFormat, type PairReadOptions } from "./pair_formats.ts";
import { isLikePairs, lackingColumn, type PairReading, pairReading, pairsReadAs } from "./pair_reading.ts";
import { checkInput, checkOptions, formatOf, type OptionType } from "./read.ts";
import type { Input } from "./record.ts";

/** The longest line in bytes. */
const LIMIT = 2 ** 24;

/** Names of columns that nobody asked for. */
const SOURCES = /^(source|src|x)$/i, TARGETS = /^(target|tgt|y)$/i;

/** The pairs of a file, as they come, and how they are read. */
export interface PairSource extends AsyncGenerator<PairRecord, void> {
  /** How the file is read, for {@linkcode PairOptions}; known once the first pair has come. */
  readonly reading: PairReading | undefined;
}

/**
 * The pairs of a file, as they come.
 *
 * @throws {SyntaxError | TypeError | RangeError} If an option is not for the file's format, or the data are bad.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PairPipeline, readPairs } from "@grutto/grutto";
 *
 * const file = new Blob(["question,answer\n1 + 1,2\n2 + 3,5\n"]);
 * const source = readPairs({ name: "sums.csv", stream: () => file.stream() });
 * const records = await Array.fromAsync(source);
 * assert.deepEqual(source.reading, { format: "csv", sourceColumn: "question", targetColumn: "answer" });
 * const pipeline = PairPipeline.fit(records, { reading: source.reading }); // predict finds the columns by these names
 * assert.equal(pipeline.reading?.sourceColumn, "question");
 * ```
 */
export function readPairs(input: Input, options: PairReadOptions = {}): PairSource {
  return withReading((found) => checkedPairs(input, options, found));
}

async function* checkedPairs(input: Input, options: PairReadOptions, found: Found): AsyncGenerator<PairRecord, void> {
  checkInput(input);
  const own = ownOptions("read data", options);
  yield* pairsOf(input, own, new Set(Object.keys(own)), found);
}

/** Types of the options. */
const OPTIONS: { readonly [Name in keyof Required<PairReadOptions>]: OptionType } = {
  format: PAIR_FORMATS,
  sourceColumn: "text",
  targetColumn: "text",
  delimiter: "text",
  header: "yes or no",
  quote: ['"', "none"],
  encoding: "text",
  optionalTargets: "yes or no",
};

/** Formats that options are for, where not for all. */
const SUITS: { readonly [Name in keyof PairReadOptions]?: readonly PairFormat[] } = {
  delimiter: ["csv"],
  header: ["csv"],
  quote: ["csv"],
  sourceColumn: ["csv", "text"],
  targetColumn: ["csv", "text"],
};

/**
 * The same, by options of which some may be for other formats.
 *
 * @param asked The options that are refused where they are not for the format; others do nothing there.
 * @param before How others were read: this one is read alike.
 */
export function readSuitedPairs(
  input: Input,
  options: PairReadOptions,
  asked: ReadonlySet<string>,
  before?: PairReading,
): PairSource {
  return withReading((found) => pairsOf(input, options, asked, found, before));
}

function withReading(read: (found: Found) => AsyncGenerator<PairRecord, void>): PairSource {
  const found: Found = {};
  return Object.defineProperty(read(found), "reading", { get: () => found.reading }) as PairSource;
}

/** What turns out of a file. */
interface Found {
  reading?: PairReading;
}

async function* pairsOf(
  input: Input,
  given: PairReadOptions,
  asked: ReadonlySet<string>,
  found: Found,
  before?: PairReading,
): AsyncGenerator<PairRecord, void> {
  const { name } = input;
  checkOptions(name, given, OPTIONS);
  const { head, bytes, close } = await open(input, given.encoding ?? before?.encoding);
  try {
    if (!head.length) throw badFile("file-empty", name, "the file is empty");
    const lines = new Lines(name, bytes, LIMIT), format = await formatOfPairs(input, head, lines, given, before);
    for (const [option, formats] of Object.entries(SUITS)) {
      if (formats.includes(format) || !asked.has(option) || given[option as "quote"] === undefined) continue;
      const expected = formats.join(" and ");
      throw badFile("option-unsuited", name, `${option} is for ${expected}, not for ${format}`, {
        option,
        expected,
        name: format,
      });
    }
    refuseForeign(name, head, format);
    const options = pairsReadAs(format, given, asked, before);
    found.reading = pairReading(format, options);
    const records = format === "csv"
      ? tablePairs(lines, options, found, before && !asked.has("sourceColumn") ? before : undefined)
      : format === "text"
      ? linePairs(lines, options)
      : jsonPairs(lines, format, options);
    let count = 0;
    for await (const record of records) {
      count++;
      yield record;
    }
    if (!count && !given.optionalTargets) throw badFile("file-empty", name, "there is no pair in it");
  } finally {
    await close();
  }
}

/**
 * The lines of two files, side by side.
 *
 * @param options `encoding`, of both: lines have no columns.
 */
export async function* readParallel(
  sources: Input,
  targets: Input,
  options: Pick<PairReadOptions, "encoding"> = {},
): AsyncGenerator<PairRecord, void> {
  for (const input of [sources, targets]) checkInput(input);
  const own = ownOptions("read data", options), { encoding } = own;
  checkOptions(sources.name, own, { encoding: OPTIONS.encoding });
  const left = await open(sources, encoding);
  let right: Opened | undefined;
  try {
    right = await open(targets, encoding);
    const [one, other] = [new Lines(sources.name, left.bytes, LIMIT), new Lines(targets.name, right.bytes, LIMIT)];
    for (let count = 0;; count++) {
      const source = await one.next(), target = await other.next();
      if (source === undefined && target === undefined) {
        if (count) return;
        throw badFile("file-empty", sources.name, "the file is empty");
      }
      if (source === undefined || target === undefined) {
        const [short, long] = source === undefined ? [sources, targets] : [targets, sources];
        const problem = `it ends after ${count} lines, and ${long.name} goes on: line by line they are pairs`;
        throw badFile("file-cut-off", short.name, problem);
      }
      if (source.trim() === "" && target.trim() === "") continue;
      if (source.trim() === "") throw badFile("text-missing", sources.name, `line ${one.number}: the source is empty`);
      if (target.trim() === "") {
        throw badFile("text-missing", targets.name, `line ${other.number}: the target is empty`);
      }
      yield { source, target, place: `${targets.name}, line ${other.number}` };
    }
  } finally {
    await left.close();
    await right?.close();
  }
}

async function formatOfPairs(
  { name }: Input,
  head: Uint8Array,
  lines: Lines,
  options: PairReadOptions,
  before?: PairReading,
): Promise<PairFormat> {
  const { format, sourceColumn, targetColumn, delimiter, header } = options;
  const named = format ?? formatOf(name);
  if (named !== undefined) {
    if (PAIR_FORMATS.includes(named as PairFormat)) return named as PairFormat;
    throw badFile("file-unsupported", name, `pairs must be ${PAIR_FORMATS.join(", ")}, got ${named}`, { value: named });
  }
  const isNamed = [sourceColumn, targetColumn].some((column) => column !== undefined && !/^-?\d+$/.test(column));
  if (isNamed || delimiter !== undefined || header !== undefined) return "csv";
  const first = String.fromCharCode(...head).replace(/^\u00ef\u00bb\u00bf/, "").trimStart()[0];
  if (first === "{") return "jsonl";
  return before?.format === "csv" && isLikePairs(await lines.peek() ?? "", before) ? "csv" : "text";
}

async function* linePairs(lines: Lines, options: PairReadOptions): AsyncGenerator<PairRecord, void> {
  const { name } = lines, { optionalTargets, sourceColumn = "0", targetColumn = "1" } = options;
  const asked = options.sourceColumn !== undefined || options.targetColumn !== undefined;
  let width: number | undefined;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const at = `line ${lines.number}`, place = `${name}, ${at}`;
    if (line.trim() === "" && !optionalTargets) continue;
    const cells = line.split("\t");
    if (cells.length === 1) {
      if (optionalTargets) yield { source: line, place };
      else throw badFile("text-missing", name, `${at} must be a source, a tab and a target: there is no tab`);
      continue;
    }
    yield faulty(place, options, () => {
      if (cells.length > 2 && !asked) {
        throw badFile("row-width", name, `${at} must be a source, a tab and a target, got ${cells.length} columns`, {
          option: "sourceColumn",
          advice: "say which columns to take (sourceColumn, targetColumn)",
        });
      }
      if (cells.length !== (width ??= cells.length)) {
        throw badFile("row-width", name, `${at} must have ${width} columns, got ${cells.length}`);
      }
      const names = cells.map(() => "");
      const source = cells[findColumn(name, names, sourceColumn, "sourceColumn")]!;
      const target = cells[findColumn(name, names, targetColumn, "targetColumn")]!;
      return pairOf(name, at, { source, target, place }, options);
    });
  }
}

async function* tablePairs(
  lines: Lines,
  options: PairReadOptions,
  found: Found,
  before?: PairReading,
): AsyncGenerator<PairRecord, void> {
  const { rows, names } = await readHead(lines, options, LIMIT), { name } = lines, { optionalTargets } = options;
  const column = (option: "sourceColumn" | "targetColumn", usual: RegExp, place: number) => {
    const asked = options[option];
    if (asked !== undefined) {
      if (option === "targetColumn" && optionalTargets && !names.includes(asked)) return undefined;
      const isTheirs = before?.[option] === asked && !/^-?\d+$/.test(asked) && !names.includes(asked);
      if (isTheirs) return lackingColumn(name, names, option, asked);
      return findColumn(name, names, asked, option);
    }
    const found = names.findIndex((one) => usual.test(one));
    if (found >= 0) return found;
    if (names.length <= 2 && place < names.length) return place;
    if (optionalTargets && option === "targetColumn") return undefined;
    const word = option === "sourceColumn" ? "source or x" : "target or y";
    throw badFile("column-missing", name, `there is no column ${word}, only ${names.slice(0, 8).join(", ")}`, {
      option,
      column: word,
      advice: `name it (${option})`,
    });
  };
  const from = column("sourceColumn", SOURCES, 0)!, to = column("targetColumn", TARGETS, 1);
  const nameOf = (place: number) => names[place] || String(place);
  const columns = { sourceColumn: nameOf(from), ...to !== undefined && { targetColumn: nameOf(to) } };
  found.reading = pairReading("csv", options, columns);
  for (let cells = await rows.next(); cells !== undefined; cells = await rows.next()) {
    const at = `line ${rows.number}`, place = `${name}, ${at}`, row = cells;
    yield faulty(place, options, () => {
      if (row.length !== names.length) {
        throw badFile("row-width", name, `${at} must have ${names.length} columns, got ${row.length}`);
      }
      const target = to === undefined ? undefined : row[to]!;
      return pairOf(name, at, { source: row[from]!, target, place }, options);
    });
  }
}

async function* jsonPairs(
  lines: Lines,
  format: "json" | "jsonl",
  options: PairReadOptions,
): AsyncGenerator<PairRecord, void> {
  const { name } = lines;
  if (format === "json") {
    const all: string[] = [];
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) all.push(line);
    const json = parse(name, "the file", all.join("\n"));
    if (!Array.isArray(json)) throw badFile("file-malformed", name, "it must be a list of pairs");
    for (const [i, one] of json.entries()) {
      const at = `pair ${i + 1}`;
      yield faulty(`${name}, ${at}`, options, () => jsonPair(name, at, one, options));
    }
    return;
  }
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.trim() === "") continue;
    const at = `line ${lines.number}`, text = line;
    yield faulty(`${name}, ${at}`, options, () => jsonPair(name, at, parse(name, at, text), options));
  }
}

function parse(name: string, at: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badFile("file-not-json", name, `${at} is not JSON, got ${show(text.trim())}`);
  }
}

/** A pair, or with optional targets what is wrong with it. */
function faulty(place: string, { optionalTargets }: PairReadOptions, read: () => PairRecord): PairRecord {
  try {
    return read();
  } catch (fault) {
    if (!optionalTargets || !errorCause(fault)) throw fault;
    return { source: "", place, fault };
  }
}

function jsonPair(name: string, at: string, json: unknown, options: PairReadOptions): PairRecord {
  // What is no object is a source by itself.
  const object = typeof json === "string" || Array.isArray(json) ? { x: json } : json as Record<string, unknown> | null;
  if (typeof object !== "object" || object === null) {
    throw badFile("file-malformed", name, `${at} must be an object with x and y`);
  }
  const side = (key: "x" | "y") => {
    const value = Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;
    return value === undefined || value === null ? undefined : jsonSide(name, `${at}: ${key}`, value);
  };
  const source = side("x"), start = (object as Record<string, unknown>).start;
  if (source === undefined) throw badFile("text-missing", name, `${at}: there is no x, the source`);
  return pairOf(name, at, {
    source,
    target: side("y"),
    ...start !== undefined && start !== null && { start: stepOf(name, `${at}: start`, start) },
    place: `${name}, ${at}`,
  }, options);
}

/** A text, or numbers for every step: a list of lists, or a list of numbers where there is one for each. */
function jsonSide(name: string, at: string, value: unknown): PairSide {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) {
    throw badFile("file-malformed", name, `${at} must be a text, or numbers for every step, got ${typeof value}`);
  }
  return value.map((step, t) => stepOf(name, `${at}, step ${t + 1}`, step));
}

function stepOf(name: string, at: string, value: unknown): readonly number[] {
  const step = Array.isArray(value) ? value : [value], bad = step.findIndex((one) => typeof one !== "number");
  if (bad < 0 && step.length) return step;
  if (step[bad] === null) throw badFile("value-missing", name, `${at}: a number is missing`);
  throw badFile("file-malformed", name, `${at} must be numbers, got ${what(step[bad])}`);
}

/** A pair of which both sides are there, unless they need not. */
function pairOf(name: string, at: string, record: PairRecord, { optionalTargets }: PairReadOptions): PairRecord {
  const { source, target, ...rest } = record,
    isEmpty = (side: PairSide) => (typeof side === "string" ? side.trim() : side).length === 0;
  if (!optionalTargets) {
    if (isEmpty(source)) throw badFile("text-missing", name, `${at}: the source is empty`);
    if (target === undefined || isEmpty(target)) {
      throw badFile("text-missing", name, `${at}: the target is ${target === undefined ? "missing" : "empty"}`);
    }
  }
  return { source, ...target !== undefined && { target }, ...rest };
}
