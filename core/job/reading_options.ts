/** How the files of a job are read: its options as those of readers. */

import { formatOf } from "../data/readers/read.ts";
import type { Input, Reading, ReadOptions } from "../data/readers/record.ts";
import type { RecordingOptions } from "../data/recordings.ts";
import type { DataJob } from "./data_options.ts";
import { type GivenOptions, UsageError } from "./options.ts";

/** Name of standard input in errors. */
export const STDIN = "standard input";

/** A column as it was named: by its name, or by its number. */
export function column(name?: string): string | number | undefined {
  return name !== undefined && /^-?\d+$/.test(name) ? Number(name) : name;
}

/** Whether a job cuts sequences into windows, and how. */
export function windowsOf({ preparation, forecast }: DataJob): RecordingOptions | undefined {
  const { window, targetColumns } = forecast, { stride, windowLabel, labelEveryStep } = preparation;
  if (labelEveryStep && windowLabel !== "majority") {
    throw new UsageError("--window-label and --label-every-step contradict each other");
  }
  if (window !== undefined && !targetColumns) return { window, stride, windowLabel, labelEveryStep };
  const others = { "--stride": stride, "--window-label": windowLabel === "majority" ? undefined : windowLabel };
  const idle = Object.entries(others).find(([, value]) => value !== undefined);
  if (idle) throw new UsageError(`${idle[0]} needs --window N, and recordings to cut into windows`);
  return undefined;
}

/** How the files of a job are read. */
export function readOptions(
  { files, columns, preparation }: {
    readonly files: Partial<DataJob["files"]>;
    readonly columns: Partial<DataJob["columns"]>;
    readonly preparation: Pick<DataJob["preparation"], "labelSeparator">;
  },
): ReadOptions {
  const { format, delimiter, header, decimal, missingValues, quote, encoding, layout } = files;
  const { sequenceColumn, timeColumn, labelColumn, featureColumns, weightColumn, textColumn, xKey, yKey } = columns;
  const { sequencePerFile, groupColumn } = columns, isLabelled = files.labelsTable === undefined;
  const all: ReadOptions = {
    format,
    delimiter: delimiter === "tab" ? "\t" : delimiter,
    header,
    // The separator of labels does not occur within them.
    decimal: decimal ?? (preparation.labelSeparator === "," ? "." : undefined),
    missingValues,
    quote,
    encoding,
    layout,
    sequenceColumn: column(sequenceColumn),
    sequencePerFile,
    groupColumn: column(groupColumn),
    timeColumn: column(timeColumn),
    labelColumns: isLabelled ? labelColumn?.map(column).map((name) => name!) : [],
    featureColumns: featureColumns?.map((name) => column(name)!),
    weightColumn: column(weightColumn),
    textColumn: column(textColumn),
    xKey,
    yKey,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The options of reading that were asked for. */
export function askedOf({ files, columns }: GivenOptions): ReadonlySet<string> {
  const options = readOptions({ files, columns, preparation: {} });
  // These are columns of the table of labels.
  if (files.labelsTable !== undefined) {
    for (const option of ["labelColumns", "groupColumn"] as const) delete options[option];
  }
  return new Set([...Object.keys(options), ...files.labelFile === undefined ? [] : ["labelsFrom"]]);
}

/** Whether what says nothing of its format is text, a line each. */
export function isText({ preparation, columns }: DataJob, reading?: Reading): boolean {
  return preparation.tokens !== undefined && (columns.textColumn ?? reading?.textColumn) === undefined;
}

/**
 * The options of a file, with its format where others tell it that came before.
 *
 * @param text Whether a file is text that is nothing else by its name.
 */
export function like({ name }: Input, options: ReadOptions, text: boolean, reading?: Reading): ReadOptions {
  const named = formatOf(name), isNamed = named !== undefined && named !== "csv";
  // A table by its name may have been lines of text.
  const asText = text && !isNamed && (reading === undefined || reading.format === "text" || named === undefined);
  const format = options.format ?? (asText ? "text" : undefined);
  return { ...options, ...format && { format } };
}
