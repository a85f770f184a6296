/**
 * Labelled text: `text<TAB>label` lines, or, where the whole file is of one class, a text a line. And the UCR archive's
 * `.tsv` and `.txt`: a class and then numbers, between tabs, commas or spaces.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";
import { plainNumber } from "./decimals.ts";
import { ended } from "./ends.ts";
import type { Lines } from "./lines.ts";
import { badNumber, numberIn } from "./numbers.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord } from "./record.ts";

/** Reads a text a line; lines of white space are none. */
export async function readText(lines: Lines, input: Input, options: ReadOptions): Promise<RecordSource> {
  if (await lines.peek() === undefined) throw badFile("file-empty", lines.name, "the file is empty");
  return { format: "text", records: texts(lines, input, options) };
}

async function* texts(lines: Lines, input: Input, options: ReadOptions): AsyncGenerator<SequenceRecord, void> {
  const { name } = lines, hasLabels = input.label === undefined && options.labelColumns?.length !== 0;
  if (options.header) await lines.next();
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.trim() === "") continue;
    const place = `${name}, line ${lines.number}`, tab = hasLabels ? line.lastIndexOf("\t") : -1;
    const about = { steps: 0, channels: 0, place };
    if (tab >= 0) {
      const label = line.slice(tab + 1).trim();
      if (label === "") throw badFile("label-missing", name, `line ${lines.number} has no label after its last tab`);
      yield { text: line.slice(0, tab), labels: [label], ...about };
    } else if (!hasLabels || options.optionalLabels) yield { text: line, ...about };
    else {throw badFile(
        "label-missing",
        name,
        `line ${lines.number} must be a text, a tab and a label: there is no tab`,
      );}
  }
}

/** The cells of a line of the archive. */
export function archiveCells(line: string): string[] {
  if (line.includes("\t")) return line.split("\t"); // A tab at the end is an empty cell.
  const text = line.trim();
  return text.split(text.includes(",") ? "," : /\s+/);
}

/** Reads the archive's lines. */
export async function readArchive(lines: Lines): Promise<RecordSource> {
  if (await lines.peek() === undefined) throw badFile("file-empty", lines.name, "the file is empty");
  return { format: "ucr", records: archiveRecords(lines) };
}

async function* archiveRecords(lines: Lines): AsyncGenerator<SequenceRecord, void> {
  const { name } = lines;
  let width: number | undefined;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    if (line.trim() === "") continue;
    const cells = archiveCells(line), at = `line ${lines.number}`;
    width ??= cells.length;
    if (cells.length !== width) {
      throw badFile("row-width", name, `${at} must have ${width} columns, got ${cells.length}`);
    }
    if (width < 2) throw badFile("row-width", name, `${at} must have a label and values, got ${cells.length} column`);
    const values = new Float64Array(width - 1);
    let missing: string | undefined;
    for (let j = 0; j < width; j++) {
      const value = numberIn(cells[j]!);
      if (value === undefined) throw badNumber(name, `${at}, column ${j + 1}`, cells[j]!);
      if (j) values[j - 1] = value;
      else if (value !== value) {
        throw badFile("label-missing", name, `${at}, column 1 must be a label, got ${cells[0]}`);
      }
      if (value !== value) missing ??= `${at}, column ${j + 1}`;
    }
    // The archive writes class 1 as "1" and as "1.0000000e+00".
    const labels = [plainNumber(cells[0]!) ?? cells[0]!];
    yield ended({ values, steps: width - 1, channels: 1, labels, place: `${name}, ${at}`, missing });
  }
}
