/** Which option suits which data and task, and what to use instead: what would change nothing is refused. */

import type { LabelTask } from "../data/labels.ts";
import type { ReadOptions } from "../data/readers/record.ts";
import { READ_SUITS } from "../data/readers/suits.ts";
import type { DataJob } from "./data_options.ts";
import { FLAGS, type GivenOptions, type Group, UsageError } from "./options.ts";

/** What is known of the data and the task; absent: nothing yet. */
export interface Traits {
  /** Whether each sequence has labels, or rows of a table are forecast. */
  readonly form?: "labeled sequences" | "forecasts" | "pairs";
  /** What sequences are made of. */
  readonly input?: "numbers" | "text";
  /** What labels are for. */
  readonly task?: LabelTask;
}

/** The traits that an option is for. */
export interface Suit {
  readonly form?: Traits["form"];
  readonly input?: Traits["input"];
  /** Tasks; where `input` is there too, that or these. */
  readonly tasks?: readonly LabelTask[];
  /** What to use instead with data of the other form. */
  readonly instead?: string;
}

const LABELED = { form: "labeled sequences" } as const, FORECASTS = { form: "forecasts" } as const;
const TEXT = { ...LABELED, input: "text" } as const;
const WINDOW = "--window N says how many rows a forecast sees", TARGET = "--target-column NAME says what is forecast";
const ROWS = "--train-rows and --test-rows divide a table in time, or --walk-forward";
const ONE_SERIES = "a table holds one series";

/** Options that are not for all data and tasks. Those of losses and weights go by the loss, whose table says so. */
export const SUITS: {
  readonly [G in Exclude<keyof DataJob, "pairs" | "search">]: { readonly [Name in keyof DataJob[G]]?: Suit };
} = {
  files: {
    testData: { ...LABELED, instead: "--test-rows FROM:TO are rows of the one table" },
    layout: { ...LABELED, input: "numbers" },
    labelFile: { ...LABELED, instead: TARGET },
    labelsTable: { ...LABELED, instead: TARGET },
    testLabelFile: { ...LABELED, instead: TARGET },
  },
  columns: {
    sequenceColumn: { ...LABELED, instead: ONE_SERIES },
    sequencePerFile: { ...LABELED, instead: ONE_SERIES },
    groupColumn: { ...LABELED, instead: ONE_SERIES },
    key: LABELED,
    labelColumn: { ...LABELED, instead: TARGET },
    weightColumn: LABELED,
    textColumn: LABELED,
    xKey: { ...LABELED, instead: ONE_SERIES },
    yKey: { ...LABELED, instead: TARGET },
  },
  preparation: {
    standardize: { input: "numbers", tasks: ["regression"] },
    missing: { input: "numbers" },
    stride: { ...LABELED, instead: "a window begins at every row" },
    labelEveryStep: { ...LABELED, input: "numbers", instead: "--horizon N forecasts several rows" },
    windowLabel: { ...LABELED, instead: TARGET },
    patch: { ...LABELED, input: "numbers", instead: WINDOW },
    tokens: TEXT,
    normalize: { ...TEXT, instead: "--transform NAME changes a series" },
    minCount: TEXT,
    maxLength: { ...LABELED, instead: WINDOW },
    labelSeparator: { ...LABELED, instead: "--target-column NAME,NAME are several" },
    oneHot: { ...LABELED, tasks: ["multiclass"] },
    embeddingDim: TEXT,
    classWeights: LABELED,
    posWeight: LABELED,
  },
  division: {
    testEvery: { ...LABELED, instead: ROWS },
    stratify: { ...LABELED, tasks: ["binary", "multiclass"] },
    folds: { ...LABELED, instead: ROWS },
    walkForward: { ...FORECASTS, instead: "--folds N is for labeled sequences" },
  },
  forecast: {
    window: { input: "numbers" },
    horizon: FORECASTS,
    transform: FORECASTS,
    center: FORECASTS,
    season: FORECASTS,
    trainRows: FORECASTS,
    testRows: { ...FORECASTS, instead: "--test-split X or --test-data FILE is for labeled sequences" },
  },
};

/** Whether an option does anything for data of some traits. */
function isSuited({ form, input, tasks }: Suit, traits: Required<Traits>): boolean {
  if (form && form !== traits.form) return false;
  const fitsInput = !input || input === traits.input, fitsTask = !tasks || tasks.includes(traits.task);
  return input && tasks ? fitsInput || fitsTask : fitsInput && fitsTask;
}

/** Those of a group's options that do something for data of some traits. */
export function suitedOptions<G extends keyof typeof SUITS>(
  group: G,
  options: DataJob[G],
  traits: Required<Traits>,
): Partial<DataJob[G]> {
  const suits: Readonly<Record<string, Suit>> = SUITS[group];
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => !suits[name] || isSuited(suits[name], traits)),
  ) as Partial<DataJob[G]>;
}

/** The formats that an option of reading is for, where not for all. */
export function formatsOf(name: string): readonly string[] | undefined {
  const option = { labelColumn: "labelColumns", labelFile: "labelsFrom" }[name] ?? name;
  return READ_SUITS[option as keyof ReadOptions]?.formats;
}

/** What an option is for, where not for everything. */
export function suitOf(group: Group, name: string): Suit | undefined {
  return (SUITS as Readonly<Record<string, Readonly<Record<string, Suit>>>>)[group]?.[name];
}

/** Groups of options that say what data are and how they are prepared. */
const ABOUT_DATA: readonly Group[] = ["files", "columns", "preparation", "forecast", "division"];

/** Those of them that pairs take. */
const OF_PAIRS: ReadonlySet<string> = new Set([
  ...["data", "testData", "format", "delimiter", "header", "quote", "encoding"],
  ...[
    "sourceColumn",
    "targetColumns",
    "task",
    "tokens",
    "normalize",
    "minCount",
    "maxLength",
    "embeddingDim",
    "standardize",
  ],
  ...["testSplit", "testEvery", "validationSplit", "folds"],
]);

/** What pairs alone take. */
const PAIRS_ALONE: readonly Group[] = ["pairs", "search", "teacher"];

/** Refuses what was given and is not for pairs, or for them alone. */
function refuseForPairs(given: GivenOptions, form: Traits["form"]): void {
  for (const { group, name, flag } of FLAGS) {
    if ((given[group] as Readonly<Record<string, unknown>>)[name] === undefined) continue;
    const alone = PAIRS_ALONE.includes(group) || name === "sourceColumn";
    if (form !== "pairs" && alone) {
      throw new UsageError(`--${flag} is for pairs: --task seq2seq says that data are some`);
    }
    if (form === "pairs" && ABOUT_DATA.includes(group) && !OF_PAIRS.has(name)) {
      throw new UsageError(`--${flag} is not for pairs of sequences`);
    }
  }
}

/**
 * Refuses options that were given, and would change nothing.
 *
 * @throws {UsageError} With what they are for, and what to use instead.
 */
export function refuseUnsuited(given: GivenOptions, traits: Traits): void {
  if (traits.form) refuseForPairs(given, traits.form);
  if (traits.form === "pairs") return;
  for (const { group, name, flag: positive } of FLAGS) {
    const suit = suitOf(group, name);
    const value = (given[group] as Readonly<Record<string, unknown>>)[name];
    if (!suit || value === undefined) continue;
    const flag = `--${value === false ? "no-" : ""}${positive}`, { form, input, tasks, instead } = suit;
    const advice = instead === undefined ? "" : `: ${instead}`;
    if (form && traits.form && form !== traits.form) {
      throw new UsageError(
        form === "forecasts"
          ? `${flag} needs --target-column${advice}`
          : `${flag} is for ${form}, not for ${traits.form}${advice}`,
      );
    }
    const fitsTask = traits.task === undefined ? undefined : tasks?.includes(traits.task);
    if (input && traits.input && input !== traits.input && (tasks ? fitsTask === false : true)) {
      throw new UsageError(`${flag} is for ${input}, not for ${traits.input}`);
    }
    if (tasks && !input && fitsTask === false) {
      throw new UsageError(`${flag} is for the task ${tasks.join(" or ")}, not for ${traits.task}`);
    }
  }
}
