/**
 * Delimited text: a row is a sequence (wide), or a step of one (long).
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { Clock } from "./clock.ts";
import { called } from "./columns.ts";
import { plainNumber } from "./decimals.ts";
import { ended } from "./ends.ts";
import { faulty } from "./faults.ts";
import { type Head, readHead, unnamed } from "./head.ts";
import { type Layout, layOut, readingOf } from "./layout.ts";
import type { Lines } from "./lines.ts";
import type { NumberFormat } from "./number_format.ts";
import { Names } from "./names.ts";
import { isNoLabel, numberIn } from "./numbers.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord } from "./record.ts";
import type { Rows } from "./rows.ts";
import { breaksIn } from "./time_order.ts";

/** Reads sequences from delimited text. */
export async function readCsv(
  lines: Lines,
  input: Input,
  options: ReadOptions,
  limit: number,
  asked: ReadonlySet<string>,
): Promise<RecordSource> {
  const head = await readHead(lines, options, limit);
  const layout = layOut(lines.name, head, input, options, asked);
  const table = new CsvRecords(head, layout, options);
  const isNamed = options.header !== false;
  return {
    format: "csv",
    ...isNamed && layout.isLong && { channelNames: layout.features.map((i) => head.names[i]!) },
    ...isNamed && !layout.isLong && layout.text === undefined && {
      stepNames: layout.features.map((i) => head.names[i]!),
    },
    ...isNamed && layout.extra.length && { extraNames: layout.extra.map((i) => head.names[i]!) },
    ...isNamed && layout.labels.length && { labelNames: layout.labels.map((i) => head.names[i]!) },
    reading: readingOf(head, layout, options),
    notes: head.format.notes,
    records: layout.isLong ? table.long() : table.wide(),
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
  readonly #options: ReadOptions;
  readonly #needsLabels: boolean;
  /** The columns that a row must have more of: a shorter sequence lacks steps at its end, where all columns are steps. */
  readonly #least: number;
  /** Whether rows of a sequence have labels of their own: some may lack one. */
  readonly #isPerRow: boolean;
  #short = 0;
  /** Whether nobody said which columns hold numbers, and no row has shown it yet. */
  #isGuess: boolean;

  constructor({ rows, names, format }: Head, layout: Layout, options: ReadOptions) {
    const { optionalLabels, featureColumns, labelsPerRow = false } = options;
    this.#options = options;
    this.#rows = rows;
    this.#names = names;
    this.#layout = layout;
    this.#format = format;
    this.#isPerRow = labelsPerRow && layout.isLong;
    this.#needsLabels = !optionalLabels && !this.#isPerRow;
    this.#isGuess = !featureColumns;
    rows.dropsBlankEnd = layout.text === undefined;
    const { features, isLong, text, blank } = layout, areSteps = new Set(features);
    const last = names.findLastIndex((_, column) => !areSteps.has(column));
    const inOrder = features.every((column, i) => i === 0 || column > features[i - 1]!);
    const isWide = !isLong && text === undefined && !blank.length && inOrder;
    this.#least = isWide && last < names.length - 1 ? last + 1 : names.length;
  }

  /** The next row. */
  async #next(): Promise<string[] | undefined> {
    return this.#rows.take() ?? await this.#rows.next();
  }

  /** Holds that a row is as long as the head; one that may end early is filled up. */
  #check(row: string[]): void {
    const rows = this.#rows, width = this.#names.length;
    if (rows.fault) throw rows.fault;
    if (row.length < width && row.length > this.#least && !rows.isOpen) {
      if (!this.#short++) {
        this.#format.notes.push(
          `${rows.name}: rows that are shorter than the head, the first in line ${rows.number}, end early`,
        );
      }
      while (row.length < width) row.push("");
    }
    if (row.length !== width) {
      throw badFile(
        "row-width",
        rows.name,
        `line ${rows.number} must have ${width} columns, got ${row.length}`,
      );
    }
    if (this.#layout.blank.length) {
      const blank = this.#layout.blank.find((column) => row[column]!.trim() !== "");
      if (blank !== undefined) throw unnamed(rows.name, blank);
    }
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
          this.#isGuess ? notNumbers(name, this.#layout.isLong) : { column: name },
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
    const { id } = this.#layout;
    let before: string | undefined;
    for (let cells = await this.#next(); cells; cells = await this.#next()) {
      const key = id === undefined ? undefined : cells[id];
      try {
        yield this.#row(cells, before);
      } catch (error) {
        yield faulty(error, this.#options, `${this.#rows.name}, line ${this.#rows.number}`, key);
      }
      before = key;
    }
  }

  /** The record of a row, which must not have the name of the one before. */
  #row(cells: string[], before: string | undefined): SequenceRecord {
    const { features, id, text, group } = this.#layout, { name, number } = this.#rows;
    this.#check(cells);
    const key = id === undefined ? undefined : cells[id]!;
    if (key !== undefined && key === before && text === undefined) {
      const what = `${this.#where(id!)} is ${show(key)} again`;
      throw badFile("sequence-repeated", name, what, {
        option: "sequenceColumn",
        advice: "if a row is a step, say which column names the sequence (sequenceColumn)",
      });
    }
    const about = {
      labels: this.#labels(cells),
      weight: this.#weight(cells),
      ...group !== undefined && { group: cells[group]! },
      ...key !== undefined && { id: key },
      place: `${name}, line ${number}`,
    };
    if (text !== undefined) return { text: cells[text]!, steps: 0, channels: 0, ...about };
    const values = new Float64Array(features.length), missing = this.#numbers(cells, values, 0);
    return ended({ values, steps: features.length, channels: 1, ...about, missing });
  }

  /** One record for rows of the same name, or for all rows. */
  async *long(): AsyncGenerator<SequenceRecord, void> {
    const { features, sequence, time, group, labels: labelColumns } = this.#layout, { name } = this.#rows;
    const channels = features.length, seen = new Names(), clock = new Clock(name, { keeps: this.#isPerRow });
    let values = new Float64Array(), steps = 0, id: string | undefined, raw: readonly string[] = [];
    let about: { labels?: string[]; weight?: number; group?: string; place: string } = { place: "" };
    let missing: string | undefined, stepLabels: (string[] | undefined)[] = [];
    /** What is wrong with the sequence: its other rows do not matter any more. */
    let fault: SequenceRecord | undefined;
    const record = () => {
      if (fault) return fault;
      const breaks = this.#isPerRow && time !== undefined ? breaksIn(clock.times).breaks : [];
      const perStep = this.#isPerRow && labelColumns.length ? { stepLabels } : {};
      const own = { ...about, id, missing, ...perStep, ...breaks.length && { breaks } };
      return ended({ values: values.slice(0, steps * channels), steps, channels, ...own });
    };
    for (let cells = await this.#next(); cells; cells = await this.#next()) {
      // A row that is cut off belongs to the sequence that it still names, or to the one before.
      const key = sequence === undefined ? name : cells[sequence] ?? id ?? "", isNew = key !== id;
      if (!isNew && fault) continue;
      if (isNew && id !== undefined) yield record();
      if (isNew) [id, steps, missing, stepLabels, fault] = [key, 0, undefined, [], undefined];
      try {
        this.#check(cells);
        const current = labelColumns.map((column) => cells[column]!);
        const changed = labelColumns.find((column, i) =>
          current[i] !== raw[i] && plainLabel(cells[column]!) !== plainLabel(raw[i] ?? "")
        );
        if (isNew) {
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
          about = {
            ...!this.#isPerRow && { labels: this.#labels(cells) },
            weight: this.#weight(cells),
            ...group !== undefined && { group: cells[group]! },
            place: `${name}, line ${this.#rows.number}`,
          };
          raw = current;
          clock.reset();
        } else {
          if (changed !== undefined && !this.#isPerRow) {
            const got = `${show(cells[changed]!)} after ${show(raw[labelColumns.indexOf(changed)]!)}`;
            throw badFile(
              "sequence-inconsistent",
              name,
              `${this.#where(changed)} must be the same throughout sequence ${show(key)}, got ${got}`,
              { option: "labelsPerRow", advice: "if each row has a label of its own, say so (labelsPerRow)" },
            );
          }
          const other = group !== undefined && cells[group] !== about.group
            ? group
            : this.#weight(cells) !== about.weight
            ? this.#layout.weight!
            : undefined;
          if (other !== undefined) {
            throw badFile(
              "sequence-inconsistent",
              name,
              `${this.#where(other)} must be the same throughout sequence ${show(key)}`,
            );
          }
        }
        // Rows of the same label share it.
        if (this.#isPerRow) {
          stepLabels.push(steps && changed === undefined ? stepLabels[steps - 1] : this.#labels(cells));
        }
        raw = current;
        if (time !== undefined) {
          clock.check(this.#format.plain(cells[time]!), () => this.#where(time));
        }
        if ((steps + 1) * channels > values.length) {
          const more = new Float64Array(Math.max(64 * channels, 2 * values.length));
          more.set(values);
          values = more;
        }
        const first = this.#numbers(cells, values, steps++ * channels);
        missing ??= first;
      } catch (error) {
        fault = faulty(error, this.#options, `${name}, line ${this.#rows.number}`, key);
      }
    }
    if (id !== undefined) yield record();
  }
}
