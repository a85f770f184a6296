/**
 * The `.ts` files of the UEA and UCR archives, as aeon and sktime read them: a head of `@` lines, then a sequence a line:
 * dimensions between colons, the label last; with time stamps, each value is `(time,value)`.
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { Clock } from "./clock.ts";
import { Names } from "./decimals.ts";
import { ended } from "./ends.ts";
import { faulty } from "./faults.ts";
import type { Lines } from "./lines.ts";
import { NumberFormat } from "./number_format.ts";
import { isNoLabel } from "./numbers.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord } from "./record.ts";

/** What the head says. */
interface Head {
  hasTimeStamps: boolean;
  hasLabels: boolean;
  /** The classes that there are; undefined: any. */
  classes: Names | undefined;
  univariate: boolean | undefined;
  equalLength: boolean | undefined;
  dimensions: number | undefined;
}

async function readHead(lines: Lines): Promise<Head> {
  const head: Head = {
    hasTimeStamps: false,
    hasLabels: false,
    classes: undefined,
    univariate: undefined,
    equalLength: undefined,
    dimensions: undefined,
  };
  let saysLabels = false, isEmpty = true;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const text = line.trim();
    if (text === "") continue;
    isEmpty = false;
    if (text[0] === "#" || text[0] === "%") continue;
    const [key, value = "", ...rest] = text.split(/\s+/) as [string, ...string[]], at = `line ${lines.number}`;
    const isTrue = () => {
      const word = value.toLowerCase();
      if (word !== "true" && word !== "false") {
        throw badFile("file-malformed", lines.name, `${at}: ${key} must be true or false, got ${show(value)}`);
      }
      return word === "true";
    };
    switch (key.toLowerCase()) {
      case "@data":
        if (!saysLabels) {
          throw badFile(
            "file-malformed",
            lines.name,
            `${at}: there is neither @classLabel nor @targetLabel before @data`,
          );
        }
        return head;
      case "@timestamps":
        head.hasTimeStamps = isTrue();
        break;
      case "@univariate":
        head.univariate = isTrue();
        break;
      case "@equallength":
        head.equalLength = isTrue();
        break;
      case "@dimension":
      case "@dimensions":
        head.dimensions = Number(value);
        if (!Number.isInteger(head.dimensions) || head.dimensions < 1) {
          throw badFile(
            "file-malformed",
            lines.name,
            `${at}: ${key} must be an integer from 1, got ${show(value)}`,
          );
        }
        break;
      case "@classlabel":
      case "@targetlabel":
        saysLabels = true;
        head.hasLabels ||= isTrue();
        if (rest.length) head.classes = new Names(rest);
        break;
      default:
        if (text[0] !== "@") {
          throw badFile("file-malformed", lines.name, `${at} must begin with @ or #: there was no @data line yet`);
        }
    }
  }
  throw badFile("file-malformed", lines.name, isEmpty ? "the file is empty" : "there is no @data line");
}

/** Reads sequences from `.ts` text. */
export async function readTs(lines: Lines, input: Input, options: ReadOptions): Promise<RecordSource> {
  const head = await readHead(lines);
  if (!head.hasLabels && input.label === undefined && !options.optionalLabels) {
    throw badFile("labels-missing", lines.name, "the file has no labels: @classLabel is false");
  }
  return { format: "ts", records: records(lines, head, options) };
}

async function* records(lines: Lines, head: Head, options: ReadOptions): AsyncGenerator<SequenceRecord, void> {
  const { name } = lines, reader = new Reader(name, head, options);
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const text = line.trim(), at = `line ${lines.number}`;
    if (text === "" || text[0] === "#" || text[0] === "%") continue;
    try {
      yield reader.record(text, at);
    } catch (error) {
      yield faulty(error, options, `${name}, ${at}`);
    }
  }
}

/** Makes records of lines that must fit the head, and the first one. */
class Reader {
  readonly #name: string;
  readonly #head: Head;
  readonly #needsLabels: boolean;
  readonly #clock: Clock;
  readonly #format: NumberFormat;
  #channels: number | undefined;
  #steps: number | undefined;

  constructor(name: string, head: Head, { optionalLabels, missingValues }: ReadOptions) {
    this.#name = name;
    this.#head = head;
    this.#needsLabels = !optionalLabels;
    this.#clock = new Clock(name);
    this.#format = new NumberFormat(name, { missingValues, decimal: "." });
    this.#channels = head.dimensions ?? (head.univariate ? 1 : undefined);
  }

  /** The record of a line. */
  record(text: string, at: string): SequenceRecord {
    const name = this.#name, head = this.#head, format = this.#format, clock = this.#clock;
    const { count, cellsOf, timesOf, label } = head.hasTimeStamps
      ? stamped(name, at, text, head.hasLabels)
      : plain(text, head.hasLabels);
    if (head.hasLabels && !count) throw badFile("label-missing", name, `${at} must end with a colon and a label`);
    if (head.univariate && count > 1) {
      throw badFile("row-width", name, `${at} must have one dimension, as @univariate says, got ${count}`);
    }
    const channels = this.#channels ?? count;
    if (count !== channels) throw badFile("row-width", name, `${at} must have ${channels} dimensions, got ${count}`);
    const length = cellsOf(0).length, times = timesOf?.(0);
    if (head.equalLength) {
      const steps = this.#steps ?? length;
      if (length !== steps) {
        throw badFile("row-width", name, `${at} must have ${steps} values, as @equalLength says, got ${length}`);
      }
    }
    const checkLength = (c: number, cells: readonly string[]) => {
      if (cells.length === length) return;
      throw badFile(
        "row-width",
        name,
        `${at}, dimension ${c + 1} must have ${length} values as the first, got ${cells.length}`,
      );
    };
    // A line holds no more values than characters: where it would, some dimension is shorter than the first.
    if (length * channels > text.length) { for (let c = 0; c < channels; c++) checkLength(c, cellsOf(c)); }
    const values = new Float64Array(length * channels);
    let missing: string | undefined;
    const where = (t: number, c: number) =>
      channels === 1 ? `${at}, value ${t + 1}` : `${at}, dimension ${c + 1}, value ${t + 1}`;
    for (let c = 0; c < channels; c++) {
      const cells = cellsOf(c), stamps = timesOf?.(c);
      checkLength(c, cells);
      clock.reset();
      for (let t = 0; t < length; t++) {
        const cell = cells[t]!, value = format.read(cell);
        if (value === undefined) throw format.bad(where(t, c), cell);
        if (value !== value) {
          if (length === 1 && cell.trim() === "") {
            throw badFile("file-malformed", name, `${where(t, c)}: there are no values`);
          }
          missing ??= where(t, c);
        }
        values[t * channels + c] = value;
        if (!stamps) continue;
        clock.check(stamps[t]!, () => where(t, c));
        if (stamps[t] !== times![t]) {
          throw badFile(
            "file-malformed",
            name,
            `${where(t, c)} must have the time stamp of dimension 1, got ${show(stamps[t]!)}`,
          );
        }
      }
    }
    if (label !== undefined && isNoLabel(label) && this.#needsLabels) {
      throw badFile("label-missing", name, `${at} ends without a label`);
    }
    const labels = label === undefined || isNoLabel(label) ? undefined : [label];
    if (labels && head.classes && head.classes.find(label!) === undefined) {
      throw badFile("file-malformed", name, `${at}: @classLabel does not name class ${show(label!)}`);
    }
    this.#channels = channels;
    this.#steps = length;
    return ended({ values, steps: length, channels, ...labels && { labels }, place: `${name}, ${at}`, missing }, where);
  }
}

/** A line's dimensions and its label. */
interface Parts {
  /** Dimensions. */
  readonly count: number;
  /** The values of one, as text. */
  readonly cellsOf: (dimension: number) => readonly string[];
  /** Its time stamps, if there are any. */
  readonly timesOf?: (dimension: number) => readonly string[];
  readonly label?: string;
}

function plain(text: string, hasLabels: boolean): Parts {
  const parts = text.split(":"), label = hasLabels ? parts.pop()!.trim() : undefined;
  return { count: parts.length, cellsOf: (c) => parts[c]!.split(","), label };
}

/** As {@linkcode plain}, where values are `(time,value)`: times hold colons. */
function stamped(name: string, at: string, text: string, hasLabels: boolean): Parts {
  const dimensions: { cells: string[]; times: string[] }[] = [];
  let position = 0, isNew = true;
  const skip = () => {
    while (text[position] === " " || text[position] === "\t") position++;
  };
  for (;;) {
    skip();
    if (text[position] !== "(") break;
    const close = text.indexOf(")", position), comma = text.lastIndexOf(",", close);
    if (close < 0 || comma < position) {
      throw badFile(
        "file-malformed",
        name,
        `${at}, character ${position + 1} must begin a (time,value), got ${show(text.slice(position))}`,
      );
    }
    if (isNew) dimensions.push({ cells: [], times: [] });
    dimensions.at(-1)!.times.push(text.slice(position + 1, comma).trim());
    dimensions.at(-1)!.cells.push(text.slice(comma + 1, close));
    position = close + 1;
    skip();
    isNew = text[position] === ":";
    if (!isNew && text[position] !== ",") break;
    position++;
  }
  const rest = text.slice(position).trim();
  if (hasLabels ? !isNew || !dimensions.length : rest !== "" || !dimensions.length) {
    throw badFile(
      "file-malformed",
      name,
      `${at}, character ${position + 1} must begin a (time,value), got ${show(rest)}`,
    );
  }
  return {
    count: dimensions.length,
    cellsOf: (c) => dimensions[c]!.cells,
    timesOf: (c) => dimensions[c]!.times,
    label: hasLabels ? rest : undefined,
  };
}
