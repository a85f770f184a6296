/**
 * Which column of delimited text is what.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";
import { called, findColumn, guessId, guessLabel, onlyThese } from "./columns.ts";
import { blankColumns, type Head, unnamed } from "./head.ts";
import { lasting } from "./reading.ts";
import type { Input, Reading, ReadOptions } from "./record.ts";
import { isTimeName } from "./time_columns.ts";

/** Which column is what, by their places. */
export interface Layout {
  readonly features: readonly number[];
  readonly labels: readonly number[];
  readonly weight: number | undefined;
  readonly sequence: number | undefined;
  /** Whether a row is a step, and no sequence. */
  readonly isLong: boolean;
  /** What tells sequences that belong together from others. */
  readonly group: number | undefined;
  readonly time: number | undefined;
  /** Names the sequence in wide format. */
  readonly id: number | undefined;
  readonly text: number | undefined;
  /** Columns at the end without names, as a row of delimiters leaves them: their cells must be empty. */
  readonly blank: readonly number[];
  /** Columns that are nothing, as others were asked for. */
  readonly extra: readonly number[];
}

/** Finds columns in a table; in one without a header that lacks those of labels, by their places in one that has them. */
function finder(file: string, names: readonly string[], options: ReadOptions) {
  const { header, optionalLabels, labelColumns = [], columnCount } = options;
  const full = new Array<string>(columnCount ?? 0).fill("");
  if (
    header !== false || !optionalLabels || !labelColumns.length || names.length !== full.length - labelColumns.length
  ) {
    return (column: string | number, option: string) => findColumn(file, names, column, option);
  }
  const labels = new Set(labelColumns.map((column) => findColumn(file, full, column, "labelColumns")));
  const left = full.map((_, place) => place).filter((place) => !labels.has(place));
  return (column: string | number, option: string) => {
    const place = left.indexOf(findColumn(file, full, column, option));
    return place < 0 ? undefined : place;
  };
}

/**
 * The place of each column that a table is asked for.
 *
 * @param asked The options that were asked for: of others, a column that matters to training alone may be lacking.
 */
export function layOut(
  file: string,
  { names }: Head,
  input: Input,
  options: ReadOptions,
  asked: ReadonlySet<string>,
): Layout {
  const place = finder(file, names, options);
  const find = (option: keyof ReadOptions) => {
    const column = options[option] as string | number | undefined;
    const isOptional = option === "weightColumn"
      ? options.optionalLabels
      : option === "groupColumn" && (options.optionalLabels || !asked.has(option));
    if (column === undefined || isOptional && typeof column === "string" && !names.includes(column)) return undefined;
    return place(column, option);
  };
  const sequence = find("sequenceColumn"), time = find("timeColumn"), weight = find("weightColumn");
  const text = find("textColumn"), group = find("groupColumn");
  const isLong = text === undefined && (sequence !== undefined || options.sequencePerFile === true);
  if (sequence !== undefined && options.sequencePerFile) {
    throw badFile("option-conflict", file, "a file is one sequence, or a column names its sequences: not both", {
      option: "sequencePerFile",
    });
  }
  if (time !== undefined && !isLong) {
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
    labels = wanted.map((column) => place(column, "labelColumns")).filter((label) => label !== undefined);
  } else {
    const guess = input.label === undefined ? guessLabel(names) : undefined;
    if (guess === undefined && !options.optionalLabels && input.label === undefined) {
      throw badFile("label-column-unknown", file, `no column is called label, class, y or target${onlyThese(names)}`, {
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
    ["group", [group]],
    ["text", [text]],
    ["label", labels],
  ];
  for (const [role, places] of roles) {
    for (const place of places) {
      // A recording may be all that there is of its group.
      if (place === undefined || role === "group" && place === sequence) continue;
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
  const id = isLong ? undefined : guessId(names);
  const blank = blankColumns(names, options).filter((place) => !taken.has(place));
  const areBlank = new Set(blank);
  let features: number[] = [];
  if (text === undefined) {
    features = options.featureColumns
      ? options.featureColumns.map((column) => place(column, "featureColumns")!)
      : names.map((_, i) => i).filter((i) => !taken.has(i) && i !== id && !areBlank.has(i));
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
    const named = features.find((place) => isTimeName(names[place]!));
    const isChannel = isLong && !options.labelsPerRow;
    if (
      named !== undefined && time === undefined && !isChannel && !options.featureColumns && options.header !== false
    ) {
      throw badFile(
        "column-is-time",
        file,
        `${called(names, named)} is a time, and no ${isLong ? "channel" : "step of a sequence"}`,
        {
          option: isLong ? "timeColumn" : "featureColumns",
          column: names[named],
          advice: isLong
            ? "say that it is (timeColumn), or which columns are channels (featureColumns)"
            : "if a row is a step, say which column names the sequence (sequenceColumn); else which columns are its " +
              "steps (featureColumns)",
        },
      );
    }
    if (!features.length) throw badFile("file-without-numbers", file, "there is no column of numbers");
  }
  const areFeatures = new Set(features);
  const extra = names.map((_, i) => i).filter((i) => names[i] && !areFeatures.has(i) && !taken.has(i) && i !== id);
  return {
    features,
    labels,
    weight,
    sequence,
    isLong,
    group,
    time,
    id,
    text,
    blank,
    extra: text === undefined ? extra : [],
  };
}

/** How a table was read: its columns by their names, where it has a header. */
export function readingOf({ names, format }: Head, layout: Layout, options: ReadOptions): Reading {
  const isNamed = options.header !== false, { featureColumns: asked, decimal: said, ...others } = options;
  const nameOf = (place: number | undefined) => place === undefined ? undefined : isNamed && names[place] || place;
  const columns = {
    sequenceColumn: nameOf(layout.sequence),
    timeColumn: nameOf(layout.time),
    groupColumn: nameOf(layout.group),
    weightColumn: nameOf(layout.weight),
    textColumn: nameOf(layout.text),
    labelColumns: layout.labels.map((place) => nameOf(place)!),
    // Where channels or steps have names, these tell.
    featureColumns: isNamed || !asked ? undefined : layout.features,
    columnCount: isNamed ? undefined : names.length,
  };
  return {
    ...lasting("csv", { ...others, ...columns }),
    get decimal() {
      return said ?? (format.hasCommas ? "," as const : undefined);
    },
  };
}
