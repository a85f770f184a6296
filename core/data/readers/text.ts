/**
 * Labelled text: `text<TAB>label` lines, or, where the whole file is of one class, a text a line. And the UCR archive's
 * `.tsv` and `.txt`: a class and then numbers, between tabs, commas or spaces.
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { findColumn } from "./columns.ts";
import { plainNumber } from "./decimals.ts";
import { ended } from "./ends.ts";
import { faulty } from "./faults.ts";
import type { Lines } from "./lines.ts";
import { NumberFormat } from "./number_format.ts";
import { lasting } from "./reading.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord } from "./record.ts";

/** Reads a text a line; lines of white space are none. */
export async function readText(lines: Lines, input: Input, options: ReadOptions): Promise<RecordSource> {
  if (await lines.peek() === undefined) throw badFile("file-empty", lines.name, "the file is empty");
  return { format: "text", records: texts(lines, input, options) };
}

async function* texts(lines: Lines, input: Input, options: ReadOptions): AsyncGenerator<SequenceRecord, void> {
  const { name } = lines, { labelColumns, textColumn, optionalLabels } = options;
  const hasLabels = input.label === undefined && labelColumns?.length !== 0;
  const asked = [...labelColumns ?? [], ...textColumn === undefined ? [] : [textColumn]];
  const isNamed = asked.some((column) => !/^-?\d+$/.test(String(column)));
  const names = options.header || isNamed ? (await lines.next())?.split("\t").map((cell) => cell.trim()) : undefined;
  let width: number | undefined;
  const place = (cells: readonly string[], column: string | number, option: string) =>
    findColumn(name, names ?? cells.map(() => ""), column, option);
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.trim() === "") continue;
    try {
      yield textOf(line);
    } catch (error) {
      yield faulty(error, options, `${name}, line ${lines.number}`);
    }
  }

  function textOf(line: string): SequenceRecord {
    const at = `line ${lines.number}`, about = { steps: 0, channels: 0, place: `${name}, ${at}` };
    const cells = hasLabels || textColumn !== undefined ? line.split("\t") : [line];
    if (hasLabels && cells.length === 1 && !optionalLabels) {
      const isTable = /\.csv(\.gz)?$/i.test(name);
      throw badFile("label-missing", name, `${at} must be a text, a tab and a label: there is no tab`, {
        ...isTable && { option: "textColumn", advice: "of a table, say which column holds the text (textColumn)" },
      });
    }
    // Where a column is the text, another one is none of it.
    const columns = names?.length ??
      (textColumn === undefined || cells.length === 1 ? undefined : width ??= cells.length);
    if (columns !== undefined && cells.length !== columns) {
      throw badFile("row-width", name, `${at} must have ${columns} columns, got ${cells.length}`);
    }
    // The label follows the last tab, unless it is said where it is; tabs before it are part of the text.
    const labels = !hasLabels || cells.length === 1
      ? []
      : (labelColumns ?? [-1]).map((column) => place(cells, column, "labelColumns"));
    const found = labels.map((column) => cells[column]!.trim());
    if (found.includes("")) {
      if (!labelColumns) throw badFile("label-missing", name, `${at} has no label after its last tab`);
      if (!optionalLabels) throw badFile("label-missing", name, `${at} has no label`);
    }
    const text = textColumn === undefined || cells.length === 1
      ? cells.filter((_, i) => !labels.includes(i)).join("\t")
      : cells[place(cells, textColumn, "textColumn")]!;
    if (!found.length || found.includes("")) return { text, ...about };
    return { text, labels: found, ...optionalLabels && textColumn === undefined && { line }, ...about };
  }
}

/** The cells of a line of the archive. */
export function archiveCells(line: string, decimal?: "." | ","): string[] {
  if (line.includes("\t")) return line.split("\t"); // A tab at the end is an empty cell.
  const text = line.trim();
  if (decimal === ",") return text.split(text.includes(";") ? ";" : /\s+/);
  return text.split(text.includes(",") ? "," : /\s+/);
}

/** Reads the archive's lines. */
export async function readArchive(lines: Lines, options: ReadOptions): Promise<RecordSource> {
  if (await lines.peek() === undefined) throw badFile("file-empty", lines.name, "the file is empty");
  const format = new NumberFormat(lines.name, options), width: Width = {};
  return {
    format: "ucr",
    reading: {
      ...lasting("ucr", options),
      get columnCount() {
        return width.columns;
      },
    },
    notes: format.notes,
    records: archiveRecords(lines, format, options, width),
  };
}

/** The columns of all lines, once one has been read. */
interface Width {
  columns?: number;
}

async function* archiveRecords(
  lines: Lines,
  format: NumberFormat,
  options: ReadOptions,
  found: Width,
): AsyncGenerator<SequenceRecord, void> {
  const { name } = lines, { decimal, columnCount, optionalLabels } = options;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.trim() === "") continue;
    try {
      yield recordOf(line);
    } catch (error) {
      yield faulty(error, options, `${name}, line ${lines.number}`);
    }
  }

  function recordOf(line: string): SequenceRecord {
    const cells = archiveCells(line, decimal), at = `line ${lines.number}`;
    const width = found.columns ??= cells.length, isBare = optionalLabels && columnCount === width + 1;
    if (cells.length !== width) {
      throw badFile("row-width", name, `${at} must have ${width} columns, got ${cells.length}`);
    }
    if (width < 2 && !isBare) {
      throw badFile("row-width", name, `${at} must have a label and values, got ${cells.length} column`);
    }
    const first = isBare ? 0 : 1, values = new Float64Array(width - first);
    let missing: string | undefined;
    for (let j = 0; j < width; j++) {
      const value = format.read(cells[j]!);
      if (value === undefined) throw format.bad(`${at}, column ${j + 1}`, cells[j]!);
      if (j >= first) values[j - first] = value;
      else if (value !== value) {
        throw badFile("label-missing", name, `${at}, column 1 must be a label, got ${show(cells[0]!)}`);
      }
      if (value !== value) missing ??= `${at}, column ${j + 1}`;
    }
    // The archive writes class 1 as "1" and as "1.0000000e+00".
    const labels = isBare ? undefined : [plainNumber(cells[0]!) ?? cells[0]!];
    return ended({ values, steps: values.length, channels: 1, labels, place: `${name}, ${at}`, missing });
  }
}
