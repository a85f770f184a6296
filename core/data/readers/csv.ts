/**
 * Delimited text: a row is a sequence (wide), or a step of one (long).
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { Clock } from "./clock.ts";
import { called, findColumn, guessId, guessLabel } from "./columns.ts";
import { plainNumber } from "./decimals.ts";
import { ended } from "./ends.ts";
import { blankColumns, type Head, readHead, unnamed } from "./head.ts";
import type { Lines } from "./lines.ts";
import type { NumberFormat } from "./number_format.ts";
import { isNoLabel, numberIn } from "./numbers.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord } from "./record.ts";
import type { Rows } from "./rows.ts";
import { isTimeName } from "./time_order.ts";

/** Sequences whose names are remembered, so that one that comes back is found: memory must stay bounded. */
const REMEMBERED = 1 << 20;

/** Which column is what, by their places. */
interface Layout {
  readonly features: readonly number[];
  readonly labels: readonly number[];
  readonly weight: number | undefined;
  readonly sequence: number | undefined;
  readonly time: number | undefined;
  /** Names the sequence in wide format. */
  readonly id: number | undefined;
  readonly text: number | undefined;
  /** Columns at the end without names, as a row of delimiters leaves them: their cells must be empty. */
  readonly blank: readonly number[];
  /** Columns that are nothing, as others were asked for. */
  readonly extra: readonly number[];
}

function layOut(file: string, { names }: Head, input: Input, options: ReadOptions): Layout {
  const find = (option: keyof ReadOptions) => {
    const column = options[option] as string | number | undefined;
    return column === undefined ? undefined : findColumn(file, names, column, option);
  };
  const sequence = find("sequenceColumn"), time = find("timeColumn"), weight = find("weightColumn");
  const text = find("textColumn");
  if (time !== undefined && sequence === undefined) {
    throw badFile(
      "option-missing",
      file,
      "a column of times needs one that tells a sequence from the next",
      { option: "sequenceColumn", advice: "name it (sequenceColumn)" },
    );
  }
  let labels: number[];
  if (options.labelColumns) {
    const wanted = options.optionalLabels
      ? options.labelColumns.filter((one) => typeof one === "number" || /^-?\d+$/.test(one) || names.includes(one))
      : options.labelColumns;
    labels = wanted.map((column) => findColumn(file, names, column, "labelColumns"));
  } else {
    const guess = input.label === undefined ? guessLabel(names) : undefined;
    if (guess === undefined && !options.optionalLabels && input.label === undefined) {
      throw badFile("label-column-unknown", file, "no column is called label, class, y or target", {
        option: "labelColumns",
        advice: "name it (labelColumns)",
      });
    }
    labels = guess === undefined ? [] : [guess];
  }
  const taken = new Map<number, string>();
  const roles: [string, readonly (number | undefined)[]][] = [
    ["sequence", [sequence]],
    ["time", [time]],
    ["weight", [weight]],
    ["text", [text]],
    ["label", labels],
  ];
  for (const [role, places] of roles) {
    for (const place of places) {
      if (place === undefined) continue;
      const other = taken.get(place);
      if (other) {
        throw badFile(
          "column-conflict",
          file,
          `${called(names, place)} is asked for twice, as ${other} and as ${role}`,
          { column: names[place] },
        );
      }
      taken.set(place, role);
    }
  }
  const id = sequence === undefined ? guessId(names) : undefined;
  const blank = blankColumns(names, options).filter((place) => !taken.has(place));
  let features: number[] = [];
  if (text === undefined) {
    features = options.featureColumns
      ? options.featureColumns.map((column) => findColumn(file, names, column, "featureColumns"))
      : names.map((_, i) => i).filter((i) => !taken.has(i) && i !== id && !blank.includes(i));
    for (const place of features) {
      const other = taken.get(place);
      if (other) {
        throw badFile(
          "column-conflict",
          file,
          `${called(names, place)} is asked for twice, as ${other} and as feature`,
          { column: names[place] },
        );
      }
      if (names[place] === "" && options.header !== false && !options.featureColumns) {
        throw unnamed(file, place);
      }
    }
    const time = features.find((place) => isTimeName(names[place]!));
    if (time !== undefined && sequence === undefined && !options.featureColumns && options.header !== false) {
      throw badFile("column-is-time", file, `${called(names, time)} is a time, and no step of a sequence`, {
        option: "featureColumns",
        column: names[time],
        advice:
          "if a row is a step, say which column names the sequence (sequenceColumn); else which columns are its " +
          "steps (featureColumns)",
      });
    }
    if (!features.length) throw badFile("file-without-numbers", file, "there is no column of numbers");
  }
  const extra = names.map((_, i) => i).filter((i) => names[i] && !features.includes(i) && !taken.has(i) && i !== id);
  return { features, labels, weight, sequence, time, id, text, blank, extra: text === undefined ? extra : [] };
}

/** Reads sequences from delimited text. */
export async function readCsv(lines: Lines, input: Input, options: ReadOptions, limit: number): Promise<RecordSource> {
  const head = await readHead(lines, options, limit);
  const layout = layOut(lines.name, head, input, options);
  const table = new CsvRecords(head, layout, options);
  const isNamed = options.header !== false;
  return {
    format: "csv",
    ...isNamed && layout.sequence !== undefined && { channelNames: layout.features.map((i) => head.names[i]!) },
    ...isNamed && layout.sequence === undefined && layout.text === undefined && {
      stepNames: layout.features.map((i) => head.names[i]!),
    },
    ...isNamed && layout.extra.length && { extraNames: layout.extra.map((i) => head.names[i]!) },
    ...isNamed && layout.labels.length && { labelNames: layout.labels.map((i) => head.names[i]!) },
    reading: {
      format: "csv",
      ...isNamed && layout.labels.length && { labelColumns: layout.labels.map((i) => head.names[i]!) },
      get decimal() {
        return head.format.hasCommas ? "," as const : undefined;
      },
    },
    notes: head.format.notes,
    records: layout.text === undefined && layout.sequence !== undefined ? table.long() : table.wide(),
  };
}

const plainLabel = (cell: string) => plainNumber(cell) ?? cell.trim();

/** Details of a column whose first cell is no number. */
function notNumbers(column: string, isLong: boolean) {
  const advice = "say which columns to take (featureColumns)" +
    (isLong ? "" : ", or that it names sequences of a row per step (sequenceColumn)");
  return { code: "column-not-numbers", column, option: isLong ? "featureColumns" : "sequenceColumn", advice } as const;
}

/** Rows as records. */
class CsvRecords {
  readonly #rows: Rows;
  readonly #names: readonly string[];
  readonly #layout: Layout;
  readonly #format: NumberFormat;
  readonly #needsLabels: boolean;
  /** The columns that a row must have more of: a shorter sequence lacks steps at its end, where all columns are steps. */
  readonly #least: number;
  #short = 0;
  /** Whether nobody said which columns hold numbers, and no row has shown it yet. */
  #isGuess: boolean;

  constructor({ rows, names, format }: Head, layout: Layout, { optionalLabels, featureColumns }: ReadOptions) {
    this.#rows = rows;
    this.#names = names;
    this.#layout = layout;
    this.#format = format;
    this.#needsLabels = !optionalLabels;
    this.#isGuess = !featureColumns;
    rows.dropsBlankEnd = layout.text === undefined;
    const { features, sequence, text, blank } = layout, isStep = (column: number) => features.includes(column);
    const last = names.findLastIndex((_, column) => !isStep(column));
    const inOrder = features.every((column, i) => i === 0 || column > features[i - 1]!);
    const isWide = sequence === undefined && text === undefined && !blank.length && inOrder;
    this.#least = isWide && last < names.length - 1 ? last + 1 : names.length;
  }

  /** The next row, as long as the head. */
  async #next(): Promise<string[] | undefined> {
    const rows = this.#rows, row = rows.take() ?? await rows.next();
    const width = this.#names.length;
    if (row && row.length < width && row.length > this.#least && !rows.isOpen) {
      if (!this.#short++) {
        this.#format.notes.push(
          `${rows.name}: rows that are shorter than the head, the first in line ${rows.number}, end early`,
        );
      }
      while (row.length < width) row.push("");
    }
    if (row && row.length !== width) {
      throw badFile(
        "row-width",
        rows.name,
        `line ${rows.number} must have ${width} columns, got ${row.length}`,
      );
    }
    if (row && this.#layout.blank.length) {
      const blank = this.#layout.blank.find((column) => row[column]!.trim() !== "");
      if (blank !== undefined) throw unnamed(rows.name, blank);
    }
    return row;
  }

  #where(column: number): string {
    return `line ${this.#rows.number}, ${called(this.#names, column)}`;
  }

  /** A row's numbers, into `values` from `start` on; where the first is missing, in words. */
  #numbers(cells: readonly string[], values: Float64Array, start: number): string | undefined {
    const { features } = this.#layout, { isPlain } = this.#format;
    let missing: string | undefined;
    for (let j = 0; j < features.length; j++) {
      const column = features[j]!, cell = cells[column]!;
      const value = (isPlain ? numberIn(cell) : undefined) ?? this.#format.read(cell);
      if (value === undefined) {
        const name = this.#names[column] || String(column + 1);
        throw this.#format.bad(
          this.#where(column),
          cell,
          this.#isGuess ? notNumbers(name, this.#layout.sequence !== undefined) : { column: name },
        );
      }
      if (value !== value) missing ??= this.#where(column);
      values[start + j] = value;
    }
    this.#isGuess = false;
    return missing;
  }

  #labels(cells: readonly string[]): string[] | undefined {
    const labels = this.#layout.labels.map((column) => this.#format.plain(cells[column]!.trim()));
    if (!labels.length) return undefined;
    const none = labels.findIndex((label) => isNoLabel(label) || this.#format.isMark(label));
    if (none < 0) return labels;
    if (this.#needsLabels) {
      throw badFile("label-missing", this.#rows.name, `${this.#where(this.#layout.labels[none]!)} has no label`);
    }
    return undefined;
  }

  #weight(cells: readonly string[]): number | undefined {
    const column = this.#layout.weight;
    if (column === undefined) return undefined;
    const weight = this.#format.read(cells[column]!);
    if (weight === undefined || !(weight > 0)) {
      throw badFile(
        "weight-out-of-range",
        this.#rows.name,
        `${this.#where(column)} must be a weight above 0, got ${show(cells[column]!)}`,
        { value: cells[column] },
      );
    }
    return weight;
  }

  /** One record a row. */
  async *wide(): AsyncGenerator<SequenceRecord, void> {
    const { features, id, text } = this.#layout, { name } = this.#rows;
    let before: string | undefined;
    for (let cells = await this.#next(); cells; cells = await this.#next()) {
      const place = `${name}, line ${this.#rows.number}`, key = id === undefined ? undefined : cells[id]!;
      if (key !== undefined && key === before && text === undefined) {
        const what = `${this.#where(id!)} is ${show(key)} again`;
        throw badFile("sequence-repeated", name, what, {
          option: "sequenceColumn",
          advice: "if a row is a step, say which column names the sequence (sequenceColumn)",
        });
      }
      before = key;
      const about = {
        labels: this.#labels(cells),
        weight: this.#weight(cells),
        ...key !== undefined && { id: key },
        place,
      };
      if (text !== undefined) {
        yield { text: cells[text]!, steps: 0, channels: 0, ...about };
        continue;
      }
      const values = new Float64Array(features.length), missing = this.#numbers(cells, values, 0);
      yield ended({ values, steps: features.length, channels: 1, ...about, missing });
    }
  }

  /** One record for rows of the same name. */
  async *long(): AsyncGenerator<SequenceRecord, void> {
    const { features, sequence, time, labels: labelColumns } = this.#layout, { name } = this.#rows;
    const channels = features.length, seen = new Set<string>(), clock = new Clock(name);
    let values = new Float64Array(), steps = 0, id: string | undefined, raw: readonly string[] = [];
    let about: { labels?: string[]; weight?: number; place: string } = { place: "" }, missing: string | undefined;
    const record = () => ended({ values: values.slice(0, steps * channels), steps, channels, ...about, id, missing });
    for (let cells = await this.#next(); cells; cells = await this.#next()) {
      const key = cells[sequence!]!;
      if (key !== id) {
        if (id !== undefined) yield record();
        if (seen.has(key)) {
          const what = `line ${this.#rows.number}: sequence ${show(key)} comes back after others`;
          throw badFile(
            "sequence-order",
            name,
            `${what}: rows of one sequence must follow one another, so sort them by it`,
          );
        }
        if (key.trim() === "") {
          throw badFile("sequence-unnamed", name, `${this.#where(sequence!)} does not name the sequence`);
        }
        seen.add(key);
        if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!);
        [id, steps, missing] = [key, 0, undefined];
        raw = labelColumns.map((column) => cells[column]!);
        about = {
          labels: this.#labels(cells),
          weight: this.#weight(cells),
          place: `${name}, line ${this.#rows.number}`,
        };
        clock.reset();
      } else {
        const changed = labelColumns.find((column, i) =>
          cells[column] !== raw[i] && plainLabel(cells[column]!) !== plainLabel(raw[i]!)
        );
        if (changed !== undefined) {
          const got = `${show(cells[changed]!)} after ${show(raw[labelColumns.indexOf(changed)]!)}`;
          throw badFile(
            "sequence-inconsistent",
            name,
            `${this.#where(changed)} must be the same throughout sequence ${show(key)}, got ${got}`,
            { advice: "a sequence has one label: cut a recording where its label changes, and name the pieces" },
          );
        }
        if (this.#weight(cells) !== about.weight) {
          throw badFile(
            "sequence-inconsistent",
            name,
            `${this.#where(this.#layout.weight!)} must be the same throughout sequence ${show(key)}`,
          );
        }
      }
      if (time !== undefined) clock.check(this.#format.plain(cells[time]!), () => this.#where(time));
      if ((steps + 1) * channels > values.length) {
        const more = new Float64Array(Math.max(64 * channels, 2 * values.length));
        more.set(values);
        values = more;
      }
      const first = this.#numbers(cells, values, steps++ * channels);
      missing ??= first;
    }
    if (id !== undefined) yield record();
  }
}
