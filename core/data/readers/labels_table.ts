/**
 * Labels in a table of their own, found by the name of a sequence.
 *
 * @module
 */

import { badFile, bare } from "./bad_data.ts";
import { ownOptions } from "../../options.ts";
import { called, findColumn, guessId, guessLabel, onlyThese } from "./columns.ts";
import { readHead } from "./head.ts";
import { Lines } from "./lines.ts";
import { isNoLabel } from "./numbers.ts";
import { refuseForeign } from "./foreign.ts";
import { open } from "./open.ts";
import { checkInput, checkOptions, type OptionType } from "./read.ts";
import type { Input, ReadOptions, SequenceRecord } from "./record.ts";

/** Labels, and groups, by the name of a sequence. */
export interface LabelsTable {
  /** Names of the label columns. */
  readonly labelNames: readonly string[];
  /** Whether it says the group too. */
  readonly hasGroups: boolean;
  /**
   * A record with what the table says of it: by its name, or by that of its file, with or without folders and ending.
   *
   * @throws {RangeError} If the table does not name it, unless labels are optional.
   */
  labeled(record: SequenceRecord): SequenceRecord;
  /** Notes in words, complete once all records are labeled. */
  readonly notes: readonly string[];
}

/** Options of reading that are for a table of labels. */
const OPTIONS = {
  labelColumns: "columns",
  groupColumn: "column",
  optionalLabels: "yes or no",
  delimiter: "text",
  header: "yes or no",
  decimal: [".", ","],
  missingValues: "list of texts",
  quote: ['"', "none"],
  encoding: "text",
} as const satisfies { readonly [Name in keyof ReadOptions]: OptionType };

/**
 * Reads a table of labels: a row for each sequence.
 *
 * @param key The column with the names of the sequences. Default: the one called id.
 * @param options `labelColumns`, by default the last that is called label, class, y or target; `groupColumn`, where the
 * table has it; `optionalLabels`; how the table is written.
 * @throws {SyntaxError | TypeError} If a column is not there, or a name comes twice.
 */
export async function readLabelsTable(
  input: Input,
  key: string | number | undefined,
  given: ReadOptions = {},
): Promise<LabelsTable> {
  checkInput(input);
  const own = ownOptions("read data", given), { labelColumns, groupColumn, optionalLabels, ...options } = own;
  checkOptions(input.name, { ...own, key }, { ...OPTIONS, key: "column" });
  const limit = 2 ** 24, { head, bytes, close } = await open(input, options.encoding), { name } = input;
  try {
    refuseForeign(name, head, "csv");
    if (head[0] === 0x7b || head[0] === 0x5b) {
      throw badFile("file-unsupported", name, "a table of labels must be csv, got json", { value: "json" });
    }
    const { rows, names, format } = await readHead(new Lines(name, bytes, limit), options, limit);
    rows.dropsBlankEnd = true;
    const keyed = key === undefined ? guessId(names) : findColumn(name, names, key, "key");
    if (keyed === undefined) {
      throw badFile("option-missing", name, "no column is called id", {
        option: "key",
        advice: "name the one with the sequences (key)",
      });
    }
    const guess = labelColumns ? undefined : guessLabel(names);
    const columns = labelColumns?.map((column) => findColumn(name, names, column, "labelColumns")) ??
      (guess === undefined ? [] : [guess]);
    if (!columns.length) {
      throw badFile("label-column-unknown", name, `no column is called label, class, y or target${onlyThese(names)}`, {
        option: "labelColumns",
        advice: "name it (labelColumns)",
      });
    }
    const group = names.indexOf(String(groupColumn));
    const entries = new Map<string, { labels?: string[]; group?: string; isUsed?: boolean }>();
    for (let cells = rows.take() ?? await rows.next(); cells; cells = rows.take() ?? await rows.next()) {
      if (cells.length !== names.length) {
        throw badFile("row-width", name, `line ${rows.number} must have ${names.length} columns, got ${cells.length}`);
      }
      const id = cells[keyed]!.trim();
      if (entries.has(id)) {
        throw badFile("sequence-repeated", name, `line ${rows.number}, ${called(names, keyed)} is ${bare(id)} again`);
      }
      const labels = columns.map((column) => format.plain(cells[column]!.trim()));
      const hasLabels = !labels.some((label) => isNoLabel(label) || format.isMark(label));
      entries.set(id, { ...hasLabels && { labels }, ...group >= 0 && { group: cells[group]!.trim() } });
    }
    return {
      labelNames: columns.map((column) => names[column] || String(column)),
      hasGroups: group >= 0,
      labeled(record) {
        const { id = record.place } = record, base = id.split("/").at(-1)!;
        const known = [id.trim(), base, base.replace(/\.gz$/i, ""), base.replace(/(\.\w+)?(\.gz)?$/i, "")];
        const entry = known.map((one) => entries.get(one)).find((one) => one);
        if (entry) entry.isUsed = true;
        if (!entry?.labels && !optionalLabels) {
          const what = entry ? "has no label" : "names no sequence";
          throw badFile("label-missing", name, `it ${what} ${bare(entry ? base : id)}`, {
            option: "key",
            advice: "the names of sequences are in the column that is the key (key)",
          });
        }
        return {
          ...record,
          ...entry?.labels && { labels: entry.labels },
          ...entry?.group !== undefined && { group: entry.group },
        };
      },
      get notes() {
        const idle = [...entries].filter(([, { isUsed }]) => !isUsed).map(([id]) => id);
        if (!idle.length) return format.notes;
        const some = idle.slice(0, 5).map(bare).join(", ") + (idle.length > 5 ? ", …" : "");
        return [
          ...format.notes,
          `${name}: ${idle.length} of ${entries.size} rows name no sequence of the data: ${some}`,
        ];
      },
    };
  } finally {
    await close();
  }
}
