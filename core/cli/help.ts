/** The help pages: a short one, one for each kind of flags, and all of them. */

import type { OptionSpec } from "../options.ts";
import { LEAST_UPDATES, MOST_EPOCHS } from "../job/learning.ts";
import { FLAGS, type Group, OWN_MODEL, UsageError } from "../job/options.ts";
import { COMMANDS, EXTRA_FLAGS, SHORT_FLAGS } from "./options.ts";

/** Kinds of flags: what asks for them, and their titles. "run" are those that are no options of the library. */
const TOPICS: Record<Group | "run", readonly [topic: string, title: string]> = {
  files: ["files", "Your own data"],
  columns: ["columns", "Columns"],
  preparation: ["preprocessing", "Preprocessing"],
  division: ["splits", "Splits"],
  forecast: ["forecast", "Forecasts"],
  pairs: ["seq2seq", "Pairs of texts"],
  search: ["seq2seq", "Answers of sequence to sequence"],
  teacher: ["seq2seq", "Teacher forcing"],
  data: ["sample-job", "Data of the sample job"],
  model: ["model", "Model"],
  training: ["training", "Training"],
  earlyStopping: ["early-stopping", "Early stopping"],
  schedule: ["schedule", "Learning rate"],
  optimizer: ["optimizer", "Optimizer"],
  everything: ["random", "Randomness"],
  device: ["device", "Device"],
  run: ["run", "Run"],
};

/** The flags that most people need, in the order in which they need them. */
const COMMON = [
  "data",
  "test-data",
  "label-column",
  "sequence-column",
  "time-column",
  "tokens",
  "target-column",
  "window",
  "horizon",
  "validation-split",
  "epochs",
  "batch-size",
  "lr",
  "hidden-size",
  "dropout",
  "patience",
  "seed",
  "checkpoint",
  "resume",
  "from",
  "report",
  "gpu",
];

/** A flag on a page. */
interface Entry {
  readonly flag: string;
  readonly topic: Group | "run";
  readonly line: string;
}

/**
 * A help page.
 *
 * @param topic A kind of flags, or a flag, whose kind is shown; "all" for everything. Default: the short page.
 * @throws {UsageError} If there is no such thing.
 */
export function helpText(topic?: string): string {
  const entries = allEntries(), kinds = Object.keys(TOPICS) as (keyof typeof TOPICS)[];
  const page = (kind: keyof typeof TOPICS) => [
    "",
    TOPICS[kind][1],
    ...entries.filter((entry) => entry.topic === kind).map(({ line }) => line),
  ];
  if (topic === "all") return [...head(), ...kinds.flatMap(page)].join("\n");
  if (topic !== undefined) {
    const flag = namedFlag(topic, entries.map(({ flag }) => flag));
    const own = kinds.find((kind) => TOPICS[kind][0] === topic) ?? entries.find((entry) => entry.flag === flag)?.topic;
    // Some topics are several kinds of flags.
    const shown = kinds.filter((kind) => own && TOPICS[kind][0] === TOPICS[own][0]);
    if (own) return shown.flatMap(page).slice(1).join("\n");
    const known = [...new Set(kinds.map((kind) => TOPICS[kind][0]))].join(", ");
    throw new UsageError(`there is no help on "${topic}": help takes all, a command, a flag, or one of ${known}`);
  }
  return [
    ...head(),
    "",
    "Examples",
    "  train --data moves.csv --sequence-column id --label-column kind --checkpoint checkpoints --report run.html",
    "  train --data sales.csv --target-column sales --window 24 --horizon 6",
    "  predict checkpoints/best.json --input new.csv --output csv",
    "",
    "Common flags",
    ...COMMON.map((flag) => entries.find((entry) => entry.flag === flag)!.line),
    "",
    "More flags",
    ...kinds.filter((kind) => kinds.find((one) => TOPICS[one][0] === TOPICS[kind][0]) === kind).map((kind) => {
      const own = entries.filter(({ topic }) => TOPICS[topic][0] === TOPICS[kind][0]),
        flags = own.map(({ flag }) => flag);
      const shown = flags.slice(0, 4).join(", ") + (flags.length > 4 ? `, and ${flags.length - 4} more` : "");
      return line(`help ${TOPICS[kind][0]}`, `${TOPICS[kind][1]}: ${shown}`);
    }),
    line("help all", "everything"),
  ].join("\n");
}

/** The line of a flag. */
export function entryLine(flag: string): string {
  return allEntries().find((entry) => entry.flag === flag)!.line;
}

/** The flag that words name: as it is, or as what it takes back. */
export function namedFlag(words: string, flags: readonly string[]): string | undefined {
  const name = words.replace(/^-*/, "");
  return [name, name.replace(/^no-/, "")].find((flag) => flags.includes(flag));
}

function head(): string[] {
  return [
    "Trains a GRU or an LSTM with additive attention on sequences.",
    "",
    "  deno task train [FLAGS]                     train, keeping checkpoints/last.json and best.json",
    "  deno run mod.ts [COMMAND] [FLAGS]           needs no permission; writes nothing it was not asked to",
    "",
    "Commands",
    ...Object.entries(COMMANDS).map(([name, about]) => line(name, about)),
  ];
}

function line(left: string, about: string): string {
  return `  ${left.padEnd(24)}  ${about}`;
}

function allEntries(): Entry[] {
  return [
    ...FLAGS.map(({ group, name, flag, spec }) => ({
      flag,
      topic: group,
      line: optionLine(flag, spec, ownDefault(group, name)),
    })),
    ...Object.entries(SHORT_FLAGS).map(([flag, { group, about }]) => ({
      flag,
      topic: group,
      line: line(`--${flag}`, about),
    })),
    ...Object.entries(EXTRA_FLAGS).map(([flag, { takes, about }]) => ({
      flag,
      topic: "run" as const,
      line: line(`--${flag}${takes ? ` ${takes}` : ""}`, about),
    })),
  ];
}

/** The default for the user's own data, where that is another. */
function ownDefault(group: Group, name: string): string | number | undefined {
  if (group === "model") return OWN_MODEL[name];
  if (group !== "training" || name !== "epochs") return undefined;
  return `up to ${MOST_EPOCHS} for ${LEAST_UPDATES} updates,`;
}

/** Name of a value on the help page, by its type. */
const VALUES: Record<OptionSpec["type"], string> = {
  boolean: "",
  choice: " NAME",
  integer: " N",
  number: " X",
  numbers: " X,X",
  list: " X,…",
  text: " TEXT",
  texts: " A,…",
};

/** The default of an option in words, from its table: "0.001, for rmsprop 0.01"; undefined if it has none. */
function defaultOf({ default: value, kinds = {} }: OptionSpec, own?: string | number): string | undefined {
  const usual = value ?? Object.values(kinds).find((of) => of !== undefined);
  if (usual === undefined) return undefined;
  const others = Object.entries(kinds).filter(([, of]) => of !== undefined && String(of) !== String(usual));
  const yours = own === undefined ? "" : `; ${own} for your own data`;
  return [`${usual}${yours}`, ...others.map(([kind, of]) => `for ${kind} ${of}`)].join(", ");
}

/** @param own The default for the user's own data, where that is another. */
function optionLine(flag: string, spec: OptionSpec, own?: string | number): string {
  const negative = spec.type === "boolean" && spec.default === true, usual = defaultOf(spec, own);
  const note = spec.otherwise !== undefined
    ? ` (default: ${spec.otherwise})`
    : spec.type === "choice"
    ? ` (${spec.choices!.map((c) => c === usual ? `${c}: default` : c).join(", ")})`
    : spec.type === "boolean" || usual === undefined
    ? ""
    : ` (default ${usual})`;
  const value = spec.takes ? ` ${spec.takes}` : VALUES[spec.type];
  return line(`--${negative ? "no-" : ""}${flag}${value}`, `${negative ? spec.off : spec.about}${note}`);
}
