/** Which option suits which data and task, and what to use instead: what would change nothing is refused. */

import type { LabelTask } from "../data/labels.ts";
import type { ReadOptions } from "../data/readers/record.ts";
import { READ_SUITS } from "../data/readers/suits.ts";
import type { DataJob } from "./data_options.ts";
import { FLAGS, type GivenOptions, type Group, UsageError } from "./options.ts";

/** What data are: sequences with labels, rows of a table that are forecast, or pairs of texts. */
export type Form = "labeled sequences" | "forecasts" | "pairs";

/** What is known of the data and the task; absent: nothing yet. */
export interface Traits {
  readonly form?: Form;
  /** What sequences are made of. */
  readonly input?: "numbers" | "text";
  /** What labels are for. */
  readonly task?: LabelTask;
}

/** The traits that an option is for. */
export interface Suit {
  /** Default: any. */
  readonly forms?: readonly Form[];
  readonly input?: Traits["input"];
  /** Tasks; where `input` is there too, that or these. */
  readonly tasks?: readonly LabelTask[];
  /** What to use instead with data of another form. */
  readonly instead?: { readonly [F in Form]?: string };
}

const LABELED = { forms: ["labeled sequences"] } as const, FORECASTS = { forms: ["forecasts"] } as const;
const PAIRS = { forms: ["pairs"] } as const, NO_PAIRS = { forms: ["labeled sequences", "forecasts"] } as const;
const NO_FORECASTS = { forms: ["labeled sequences", "pairs"] } as const;
const TEXT = { ...NO_FORECASTS, input: "text" } as const;
const WINDOW = "--window N says how many rows a forecast sees", TARGET = "--target-column NAME says what is forecast";
const ROWS = "--train-rows and --test-rows divide a table in time, or --walk-forward";
const ONE_SERIES = { forecasts: "a table holds one series" };
const SOURCES = "--source-column NAME says what is read", TARGETS = "--target-column NAME says what is to be said";
const LABELS = { ...LABELED, instead: { forecasts: TARGET, pairs: TARGETS } } as const;
const SPLITS = { "labeled sequences": "--folds N is for labeled sequences", pairs: "--folds N is for pairs too" };

/** Groups of options of pairs alone. */
const OF_PAIRS: readonly Group[] = ["pairs", "search", "teacher"];

/** Options that are not for all data and tasks. Those of losses and weights go by the loss, whose table says so. */
export const SUITS: {
  readonly [G in Exclude<keyof DataJob, "pairs" | "search">]: { readonly [Name in keyof DataJob[G]]?: Suit };
} = {
  files: {
    testData: { ...NO_FORECASTS, instead: { forecasts: "--test-rows FROM:TO are rows of the one table" } },
    decimal: NO_PAIRS,
    missingValues: NO_PAIRS,
    layout: { ...LABELED, input: "numbers" },
    labelFile: LABELS,
    labelsTable: LABELS,
    testLabelFile: LABELS,
  },
  columns: {
    sequenceColumn: { ...LABELED, instead: ONE_SERIES },
    sequencePerFile: { ...LABELED, instead: ONE_SERIES },
    timeColumn: NO_PAIRS,
    groupColumn: { ...LABELED, instead: ONE_SERIES },
    key: LABELED,
    labelColumn: LABELS,
    featureColumns: { ...NO_PAIRS, instead: { pairs: SOURCES } },
    weightColumn: LABELED,
    textColumn: { ...LABELED, instead: { pairs: SOURCES } },
    sourceColumn: PAIRS,
    xKey: { ...LABELED, instead: ONE_SERIES },
    yKey: LABELS,
  },
  preparation: {
    standardize: { input: "numbers", tasks: ["regression"] },
    missing: { ...NO_PAIRS, input: "numbers" },
    stride: { ...LABELED, instead: { forecasts: "a window begins at every row" } },
    labelEveryStep: { ...LABELED, input: "numbers", instead: { forecasts: "--horizon N forecasts several rows" } },
    windowLabel: { ...LABELED, instead: { forecasts: TARGET } },
    patch: { ...LABELED, input: "numbers", instead: { forecasts: WINDOW } },
    tokens: TEXT,
    normalize: { ...TEXT, instead: { forecasts: "--transform NAME changes a series" } },
    minCount: TEXT,
    maxLength: { ...NO_FORECASTS, instead: { forecasts: WINDOW } },
    labelSeparator: { ...LABELED, instead: { forecasts: "--target-column NAME,NAME are several" } },
    oneHot: { ...LABELED, tasks: ["multiclass"] },
    embeddingDim: TEXT,
    classWeights: LABELED,
    posWeight: LABELED,
  },
  division: {
    testEvery: { ...NO_FORECASTS, instead: { forecasts: ROWS } },
    stratify: { ...LABELED, tasks: ["binary", "multiclass"] },
    folds: { ...NO_FORECASTS, instead: { forecasts: ROWS } },
    walkForward: { ...FORECASTS, instead: SPLITS },
  },
  forecast: {
    targetColumns: { forms: ["forecasts", "pairs"] },
    window: { ...NO_PAIRS, input: "numbers" },
    horizon: FORECASTS,
    transform: FORECASTS,
    center: FORECASTS,
    season: FORECASTS,
    trainRows: FORECASTS,
    testRows: {
      ...FORECASTS,
      instead: {
        "labeled sequences": "--test-split X or --test-data FILE is for labeled sequences",
        pairs: "--test-split X or --test-data FILE is for pairs",
      },
    },
  },
};

/** Whether an option does anything for data of some traits. */
function isSuited({ forms, input, tasks }: Suit, traits: Required<Traits>): boolean {
  if (forms && !forms.includes(traits.form)) return false;
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
  if (OF_PAIRS.includes(group)) return PAIRS;
  return (SUITS as Readonly<Record<string, Readonly<Record<string, Suit>>>>)[group]?.[name];
}

/** What an option is for, and not what data are, in words. */
function wrongForm(flag: string, forms: readonly Form[], form: Form): string {
  if (forms.length === 1 && forms[0] === "pairs") return `${flag} is for pairs: --task seq2seq says that data are some`;
  return forms.length === 1 && forms[0] === "forecasts" && form !== "pairs"
    ? `${flag} needs --target-column NAME and --window N`
    : `${flag} is for ${forms.join(" and ")}, not for ${form}`;
}

/**
 * Refuses options that were given, and would change nothing.
 *
 * @param isFitted Whether a model is there already, whose form nothing changes.
 * @throws {UsageError} With what they are for, and what to use instead.
 */
export function refuseUnsuited(given: GivenOptions, traits: Traits, isFitted = false): void {
  for (const { group, name, flag: positive } of FLAGS) {
    const suit = suitOf(group, name);
    const value = (given[group] as Readonly<Record<string, unknown>>)[name];
    if (!suit || value === undefined) continue;
    const flag = `--${value === false ? "no-" : ""}${positive}`, { forms, input, tasks, instead } = suit;
    if (forms && traits.form && !forms.includes(traits.form)) {
      if (isFitted) throw new UsageError(`${flag} is for ${forms.join(" and ")}, not for ${traits.form}`);
      const advice = instead?.[traits.form];
      throw new UsageError(wrongForm(flag, forms, traits.form) + (advice === undefined ? "" : `: ${advice}`));
    }
    if (traits.form === "pairs") continue;
    const fitsTask = traits.task === undefined ? undefined : tasks?.includes(traits.task);
    if (input && traits.input && input !== traits.input && (tasks ? fitsTask === false : true)) {
      throw new UsageError(`${flag} is for ${input}, not for ${traits.input}`);
    }
    if (tasks && !input && fitsTask === false) {
      throw new UsageError(`${flag} is for the task ${tasks.join(" or ")}, not for ${traits.task}`);
    }
  }
}
