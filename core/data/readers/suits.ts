/**
 * Which option of reading suits which format, and what a format has in its place.
 *
 * @module
 */

import { badFile } from "./bad_data.ts";
import type { Format, ReadOptions } from "./record.ts";

/** What an option is about, for formats that say it in a way of their own. */
type Matter = "label" | "inputs" | "weight" | "sequence" | "layout" | "text" | "nothing";

/** The formats that an option is for, and what it is about. */
interface Suit {
  readonly formats: readonly Format[];
  readonly matter: Matter;
}

const TEXTS: readonly Format[] = ["csv", "json", "jsonl", "ts", "arff", "ucr", "text"];

/** Options that are not for all formats. */
export const READ_SUITS: { readonly [Name in keyof ReadOptions]?: Suit } = {
  delimiter: { formats: ["csv"], matter: "nothing" },
  header: { formats: ["csv", "text"], matter: "nothing" },
  decimal: { formats: ["csv", "ucr"], matter: "nothing" },
  missingValues: { formats: ["csv", "json", "jsonl", "ts", "arff", "ucr", "npy", "npz"], matter: "nothing" },
  quote: { formats: ["csv"], matter: "nothing" },
  encoding: { formats: TEXTS, matter: "nothing" },
  layout: { formats: ["json", "jsonl", "npy", "npz"], matter: "layout" },
  sequenceColumn: { formats: ["csv"], matter: "sequence" },
  sequencePerFile: { formats: ["csv"], matter: "sequence" },
  labelsPerRow: { formats: ["csv", "json", "jsonl", "npy", "npz"], matter: "label" },
  groupColumn: { formats: ["csv"], matter: "nothing" },
  timeColumn: { formats: ["csv"], matter: "sequence" },
  labelColumns: { formats: ["csv", "arff", "text"], matter: "label" },
  weightColumn: { formats: ["csv"], matter: "weight" },
  featureColumns: { formats: ["csv", "arff"], matter: "inputs" },
  textColumn: { formats: ["csv", "text"], matter: "text" },
  columnCount: { formats: ["csv", "ucr"], matter: "nothing" },
  xKey: { formats: ["npz"], matter: "inputs" },
  yKey: { formats: ["npz"], matter: "label" },
  part: { formats: ["npz"], matter: "nothing" },
  labelsFrom: { formats: ["npy"], matter: "label" },
};

/** What a format has where another has an option, in words. */
export const IN_PLACE: Readonly<Record<Format, { readonly [M in Matter]?: string }>> = {
  csv: {
    label: "labelColumns says where labels are",
    inputs: "featureColumns says what goes in",
    layout: "sequenceColumn says that a row is a step",
  },
  json: records("record"),
  jsonl: records("line"),
  ts: {
    label: "the label is what follows a line's last colon",
    inputs: "every dimension goes in",
    sequence: "a line is a sequence",
  },
  arff: {
    label: "labelColumns says where labels are",
    inputs: "featureColumns says what goes in",
    sequence: "a row is a sequence",
  },
  ucr: {
    label: "a line begins with its label",
    inputs: "all other numbers of a line go in",
    sequence: "a line is a sequence",
  },
  npy: {
    label: "labelsFrom says where labels are",
    inputs: "every channel of the array goes in",
    sequence: "the first axis is sequences",
  },
  npz: {
    label: "yKey says where labels are",
    inputs: "xKey says what goes in",
    text: "xKey says what goes in",
    sequence: "the first axis is sequences",
  },
  text: {
    label: "labelColumns says where labels are",
    inputs: "textColumn says what goes in",
    sequence: "a line is a sequence",
  },
};

function records(one: string): { readonly [M in Matter]?: string } {
  return {
    label: `y of a ${one} is its label`,
    inputs: `x of a ${one} is what goes in`,
    text: `x of a ${one} may be a text`,
    weight: `weight of a ${one} is its weight`,
    sequence: `a ${one} is a sequence`,
  };
}

/** Of tables of series: the options that are for each format. */
const OF_TABLES: { readonly [F in Format]?: readonly string[] } = {
  csv: ["delimiter", "header", "decimal", "missingValues", "quote", "encoding", "timeColumn", "featureColumns"],
  npy: ["missingValues"],
};

/** Options that texts in a column make idle: a row is a text, and nothing else goes in. */
const NOT_OF_TEXTS: readonly string[] = [
  "sequenceColumn",
  "sequencePerFile",
  "labelsPerRow",
  "timeColumn",
  "featureColumns",
];

/**
 * The options that suit a format; the others were asked for in vain, or are left out.
 *
 * @param asked Those that are refused where they do not suit.
 * @throws {TypeError} If one of these does not suit the format.
 */
export function suited(
  file: string,
  format: Format,
  options: ReadOptions,
  asked: ReadonlySet<string>,
  isTable = false,
): ReadOptions {
  const kept = { ...options };
  for (const option of Object.keys(READ_SUITS) as (keyof ReadOptions)[]) {
    if (options[option] === undefined) continue;
    const { formats, matter } = READ_SUITS[option]!, isText = format === "csv" && options.textColumn !== undefined;
    const isIdle = isTable
      ? !OF_TABLES[format]?.includes(option)
      : !formats.includes(format) || (isText && NOT_OF_TEXTS.includes(option));
    if (!isIdle) continue;
    if (asked.has(option)) {
      const [expected, name, advice] = isTable && !OF_TABLES.csv!.includes(option)
        ? ["sequences", "a table of series"]
        : isTable
        ? ["csv", format]
        : isText && formats.includes(format)
        ? ["numbers", "text"]
        : [formats.join(", ").replace(/, (\w+)$/, " and $1"), format, IN_PLACE[format][matter]];
      throw badFile("option-unsuited", file, `${option} is for ${expected}, not for ${name}`, {
        option,
        expected,
        name,
        ...advice !== undefined && { advice },
      });
    }
    delete kept[option];
  }
  return kept;
}
