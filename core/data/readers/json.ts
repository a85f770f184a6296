/**
 * JSON: an array of records, or records one after the other; and JSON Lines. A record is `{"x": [[…], …], "y": …}`: x has
 * a list of channels for each step, or a number where there is but one channel, null where a value is missing; it may
 * also be a text. y is a label, or a list of them; where rows have labels of their own, one or a list for each step; "id" and "weight" may be there.
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import type { Blocks } from "./blocks.ts";
import { ended, turned } from "./ends.ts";
import { faulty } from "./faults.ts";
import type { Lines } from "./lines.ts";
import { NumberFormat } from "./number_format.ts";
import { checkFinite, isFloat } from "./numbers.ts";
import type { ReadOptions, RecordSource, SequenceRecord } from "./record.ts";

/** Deeper than any record goes. */
const DEPTH = 16;

/** Characters from which a line is looked over before it is parsed: lists in lists take a hundred times its room. */
const LONG = 1 << 16;

/** Reads JSON Lines. */
export async function readJsonLines(lines: Lines, options: ReadOptions): Promise<RecordSource> {
  if (await lines.peek() === undefined) throw badFile("file-empty", lines.name, "the file is empty");
  return { format: "jsonl", records: lineRecords(lines, new JsonRecords(lines.name, options)) };
}

async function* lineRecords(lines: Lines, reader: JsonRecords): AsyncGenerator<SequenceRecord, void> {
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.trim() === "") continue;
    yield reader.read(lines.number, () => {
      const json = parseShallow(lines.name, lines.number, line);
      // A line may be the list of steps by itself.
      return Array.isArray(json) ? { x: json } : json;
    });
  }
}

/** The value of a line that nests no deeper than any record: what looks through it later may do so by calls. */
export function parseShallow(name: string, number: number, line: string): unknown {
  const isLong = line.length > LONG;
  if (isLong) checkDepth(name, number, line);
  const json = parseJson(name, number, line);
  if (!isLong && isDeeper(json, DEPTH)) throw tooDeep(name, number);
  return json;
}

function tooDeep(name: string, line: number): Error {
  return badFile("file-malformed", name, `line ${line} nests deeper than a record does`);
}

/** Whether a value has lists and objects in each other, more of them than so many. */
function isDeeper(json: unknown, depth: number): boolean {
  if (typeof json !== "object" || json === null) return false;
  if (depth === 0) return true;
  const parts = Array.isArray(json) ? json : Object.values(json);
  // No function is called with each number.
  for (let i = 0; i < parts.length; i++) if (typeof parts[i] === "object" && isDeeper(parts[i], depth - 1)) return true;
  return false;
}

/** Refuses text that nests deeper, before it takes memory. */
function checkDepth(name: string, number: number, line: string): void {
  let depth = 0, inString = false;
  for (let i = 0; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if (inString) {
      if (c === 92) i++;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 123 || c === 91) {
      if (++depth > DEPTH) throw tooDeep(name, number);
    } else if (c === 125 || c === 93) depth--;
  }
}

/** Reads JSON, whose blocks are cut after closing braces. */
export function readJson(blocks: Blocks, options: ReadOptions, limit: number): Promise<RecordSource> {
  return Promise.resolve({ format: "json", records: values(blocks, new JsonRecords(blocks.name, options), limit) });
}

/** The value of a line, or of what begins there. */
export function parseJson(name: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const hint = /[[,:]\s*-?(NaN|Infinity)\b/.test(text)
      ? ": it has no NaN and no Infinity, a missing value is null"
      : "";
    throw badFile("file-not-json", name, `line ${line} is not JSON${hint}, got ${show(text.trim())}`);
  }
}

/** Finds the objects in the text, within one array or none. */
async function* values(blocks: Blocks, reader: JsonRecords, limit: number): AsyncGenerator<SequenceRecord, void> {
  const { name } = blocks;
  let line = 1, depth = 0, inString = false, isEscaped = false;
  // Of the text as a whole: whether an array was opened, and closed; whether a comma, or none, must come next.
  let inArray = false, isOver = false, count = 0, hasComma = true;
  let open = "", startLine = 0;
  for (let text = await blocks.next(); text !== undefined; text = await blocks.next()) {
    let start = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === 10) line++;
      if (depth) {
        if (inString) {
          if (isEscaped) isEscaped = false;
          else if (c === 92) isEscaped = true;
          else if (c === 34) inString = false;
        } else if (c === 34) inString = true;
        else if (c === 123 || c === 91) {
          if (++depth > DEPTH) throw tooDeep(name, line);
        } else if ((c === 125 || c === 93) && --depth === 0) {
          const whole = open + text.slice(start, i + 1), at = startLine;
          open = "";
          hasComma = false;
          count++;
          yield reader.read(at, () => parseJson(name, at, whole));
        }
      } else if (c === 123 && !isOver && (hasComma || !inArray)) {
        [depth, start, startLine] = [1, i, line];
      } else if (c === 91 && !inArray && !count) inArray = true;
      else if (c === 44 && inArray && !hasComma && !isOver) hasComma = true;
      else if (c === 93 && inArray && !isOver && (!hasComma || !count)) isOver = true;
      else if (c !== 32 && c !== 10 && c !== 13 && c !== 9) {
        throw badFile(
          "file-malformed",
          name,
          `line ${line}: there must be a record here, got ${show(text.slice(i, i + 50))}`,
        );
      }
    }
    if (depth) open += text.slice(start);
    if (open.length > limit) {
      throw badFile(
        "line-too-long",
        name,
        `the record that begins in line ${startLine} is longer than ${limit} bytes, the limit`,
        { option: "maxLineBytes", advice: "raise maxLineBytes" },
      );
    }
  }
  if (depth) throw badFile("file-cut-off", name, `the file ends within the record that begins in line ${startLine}`);
  if (inArray && !isOver) throw badFile("file-cut-off", name, "the file ends within its array");
  if (!count) throw badFile("file-empty", name, "the file is empty");
}

/** Makes records of what JSON holds. */
export class JsonRecords {
  readonly #name: string;
  readonly #format: NumberFormat;
  readonly #isTurned: boolean;
  readonly #isPart: boolean;
  readonly #options: ReadOptions;

  /** @param isPart Whether sequences go on: steps without values at their end are no padding then. */
  constructor(name: string, options: ReadOptions, isPart = false) {
    this.#name = name;
    this.#options = options;
    this.#isPart = isPart;
    this.#format = new NumberFormat(name, options);
    this.#isTurned = options.layout === "nct";
  }

  /** The record of what is parsed, or what is wrong with it. */
  read(line: number, parsed: () => unknown): SequenceRecord {
    let json: unknown;
    try {
      json = parsed();
      return this.record(`line ${line}`, json);
    } catch (error) {
      const id = typeof json === "object" && json !== null && Object.hasOwn(json, "id")
        ? (json as { id: unknown }).id
        : undefined;
      const isName = typeof id === "string" || typeof id === "number";
      return faulty(error, this.#options, `${this.#name}, line ${line}`, isName ? String(id) : undefined);
    }
  }

  /**
   * A record. What is wrong with it is in the errors' `name`: "x[3][1]".
   *
   * @param at Where it stands.
   */
  record(at: string, json: unknown): SequenceRecord {
    const name = this.#name, format = this.#format, place = `${name}, ${at}`;
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw badFile("file-malformed", name, `${at} must be an object with x, got ${what(json)}`);
    }
    const get = (key: string) => Object.hasOwn(json, key) ? (json as Record<string, unknown>)[key] : undefined;
    const x = get("x"), y = get("y"), about = { ...idOf(name, at, get("id")), place };
    const weight = get("weight");
    if (weight !== undefined && (typeof weight !== "number" || !(weight > 0) || !(Math.fround(weight) < Infinity))) {
      throw badFile("weight-out-of-range", name, `${at}: weight must be a number above 0, got ${what(weight)}`, {
        name: "weight",
        value: weight,
      });
    }
    const rest = { ...about, ...weight !== undefined && { weight } };
    if (typeof x === "string") return { text: x, steps: 0, channels: 0, labels: this.#labelsOf(at, y), ...rest };
    if (!Array.isArray(x)) {
      throw badFile("file-malformed", name, `${at}: x must be a list of steps or a text, got ${what(x)}`, {
        name: "x",
      });
    }
    if (!x.length) throw badFile("file-malformed", name, `${at}: x has no steps`, { name: "x" });
    const steps = x.length, isFlat = !Array.isArray(x[0]), channels = isFlat ? 1 : (x[0] as unknown[]).length;
    if (!channels) throw badFile("file-malformed", name, `${at}: x[0] has no channels`, { name: "x[0]" });
    // Steps that are lists too short for the first one's length are refused before room is made for it.
    for (let t = 0; t < steps; t++) {
      const step = x[t] as unknown;
      if (isFlat) continue;
      if (!Array.isArray(step)) {
        throw badFile("file-malformed", name, `${at}, x[${t}] must be a list of ${channels}, got ${what(step)}`, {
          name: `x[${t}]`,
        });
      }
      if (step.length !== channels) {
        throw badFile("row-width", name, `${at}, x[${t}] must have ${channels} channels as x[0], got ${step.length}`, {
          name: `x[${t}]`,
        });
      }
    }
    const values = new Float64Array(steps * channels);
    let missing: string | undefined;
    for (let t = 0, i = 0; t < steps; t++) {
      const step = (isFlat ? x : x[t]) as unknown[], from = isFlat ? t : 0;
      for (let c = 0; c < channels; c++, i++) {
        const value = step[from + c];
        if (typeof value === "number" && isFloat(value) && !format.isMark(value)) {
          values[i] = value;
          continue;
        }
        // No text is made where nothing is wrong.
        const field = isFlat ? `x[${t}]` : `x[${t}][${c}]`, where = `${at}, ${field}`;
        if (value === null || ((typeof value === "number" || typeof value === "string") && format.isMark(value))) {
          missing ??= where;
          values[i] = NaN;
        } else if (typeof value === "number") checkFinite(name, () => where, value, field);
        else {
          const details = { name: field, value };
          throw badFile("not-a-number", name, `${where} must be a number or null, got ${what(value)}`, details);
        }
      }
    }
    const isPerStep = this.#options.labelsPerRow && Array.isArray(y) &&
      y.length === (this.#isTurned ? channels : steps);
    const labels = isPerStep
      ? { stepLabels: y.map((one, t) => this.#labelsOf(at, one, `y[${t}]`)) }
      : { labels: this.#labelsOf(at, y) };
    const record = { values, steps, channels, ...labels, ...rest, ...missing !== undefined && { missing } };
    const own = turned(record, this.#isTurned);
    return this.#isPart ? own : ended(own);
  }

  #labelsOf(at: string, y: unknown, field = "y"): string[] | undefined {
    const name = this.#name,
      isMark = (value: unknown) =>
        (typeof value === "number" || typeof value === "string") && this.#format.isMark(value);
    if (y === undefined || y === null || isMark(y)) return undefined;
    return (Array.isArray(y) ? y : [y]).map((label) => {
      if (typeof label === "string" || typeof label === "boolean") return String(label);
      if (typeof label === "number") {
        checkFinite(name, () => `${at}: ${field}`, label);
        return String(label);
      }
      throw badFile("file-malformed", name, `${at}: ${field} must be a label or a list of labels, got ${what(label)}`, {
        name: field,
      });
    });
  }
}

function idOf(name: string, at: string, id: unknown): { id?: string } {
  if (id === undefined || id === null) return {};
  if (typeof id !== "string" && typeof id !== "number") {
    throw badFile("file-malformed", name, `${at}: id must be a text or a number, got ${what(id)}`, { name: "id" });
  }
  if (Number.isInteger(id) && !Number.isSafeInteger(id)) {
    const problem = `${at}: id must be a text where it is larger than JSON's numbers are sure to hold: "…"`;
    throw badFile("file-malformed", name, problem, { name: "id", value: id });
  }
  return { id: String(id) };
}

/** A value in an error. */
export function what(json: unknown): string {
  if (json === undefined) return "nothing";
  if (typeof json === "string") return show(json);
  if (typeof json === "object" && json !== null) return Array.isArray(json) ? "a list" : "an object";
  return String(json);
}
