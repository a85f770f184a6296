/** Hints: the library's errors in the words of the command line, with flags for options, by the error's code. */

import { shellWord } from "../display.ts";
import { type ErrorCause, errorCause, type ErrorCode, messageOf } from "../errors.ts";
import { FLAGS } from "../job/options.ts";
import { plural } from "../job/words.ts";
import { commandsOf } from "./options.ts";

/** Options of the library that are flags under another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  labelColumns: "label-column",
  targetColumn: "target-column",
  labelsFrom: "label-file",
};

/** The flag of an option of the library; an option that has none stays as it is. */
export function flagOfOption(option: string): string {
  const flag = OTHER_NAMES[option] ?? FLAGS.find(({ name }) => name === option)?.flag;
  return flag === undefined ? option : `--${flag}`;
}

/** What is said in place of the library's words; where `advice` is undefined, none. */
type Hint = (cause: ErrorCause) => { readonly problem?: string; readonly advice: string | undefined };

/** The advice by code. Without an `option`, which is one of a file, the library's words stay. */
export const HINTS: { readonly [Code in ErrorCode]?: Hint } = {
  "option-type": wrongValue,
  "option-out-of-range": wrongValue,
  "option-conflict": ({ advice }) => ({ advice }),
  "option-missing": ({ option, problem, advice }) =>
    option === undefined
      ? { advice }
      : advice === undefined
      ? { problem: `${flagOfOption(option)} is missing`, advice }
      : { problem, advice: `${flagOfOption(option)} NAME` },
  "option-unsuited": ({ option, expected, name, advice }) => ({
    problem: `${flagOfOption(option!)} is for ${expected}, not for ${name}`,
    advice: advice?.replace(/^[a-z]+[A-Z]\w*/, flagOfOption),
  }),
  "input-kind": ({ option, expected, name, problem, advice }) => ({
    problem: option === undefined ? problem : `${flagOfOption(option)} is for ${expected}, which ${name} is not`,
    advice,
  }),
  "value-missing": withOption(() => "--missing drop leaves it out, --missing zero, mean or last fills it in"),
  "series-missing": mayBeMark,
  "shape-mismatch": withOption((flag) => `${flag} ntc or ${flag} nct, if steps and channels are the other way round`),
  "header-unclear": withOption(() => "--header or --no-header says what it is"),
  "labels-unclear": withOption((flag) =>
    `${flag} if they are those of the steps, --no-${flag.slice(2)} if they are several of the sequence`
  ),
  "label-column-unknown": withOption((flag) => `${flag} NAME`),
  "label-missing": withOption((flag) =>
    flag === "--key"
      ? `${flag} NAME is its column with the names of sequences`
      : `of a table, ${flag} NAME says which column holds the text`
  ),
  "labels-missing": withOption((flag) => `they are y of a .npz, or a .npy of their own: ${flag} FILE`),
  "column-missing": withOption((flag) => `${flag} asks for it`),
  "column-unnamed": withOption((flag) => `name it, or say which columns to take: ${flag} NAME,…`),
  "column-type": withOption((flag) => `${flag} NAME,… are those to take`),
  "column-not-numbers": ({ option, column }) => ({
    advice: `${flagOfOption("featureColumns")} NAME,… are those to take` +
      (option === "sequenceColumn"
        ? `, ${flagOfOption(option)} ${shellWord(column!)} if it names sequences of a row per step`
        : ""),
  }),
  "column-is-time": ({ option, column }) => ({
    advice: option === "timeColumn"
      ? `${flagOfOption(option!)} ${shellWord(column!)}, or ${flagOfOption("featureColumns")} NAME,… are the channels`
      : `${flagOfOption("sequenceColumn")} NAME if a row is a step, else ${
        flagOfOption("featureColumns")
      } NAME,… are its steps`,
  }),
  "sequence-inconsistent": withOption(() => "--window N cuts recordings with a label per row into windows"),
  "label-out-of-range": withOption((flag) => `${flag} last takes that of the last row`),
  "not-a-number": (cause) =>
    cause.option === "decimal"
      ? { advice: `${flagOfOption(cause.option)} . or ${flagOfOption(cause.option)} , says which is the decimal sign` }
      : mayBeMark(cause),
  "file-malformed": withOption((flag) =>
    flag === "--quote" ? `${flag} none if it is text like any other` : `${flag} latin1, or what else it is in`
  ),
  "sequence-repeated": withOption((flag) => `${flag} NAME if a row is a step`),
  "array-missing": withOption((flag) => `${flag} NAME`),
  "label-unknown": withOption((flag) => `${flag} regression takes labels for amounts`),
  "too-few-items": ({ count, name = "item", option }) => ({
    problem: `${plural(count!, name)} ${count === 1 ? "is" : "are"} too few` +
      (option === undefined ? "" : ` for ${flagOfOption(option)}`),
    advice: option === "testSplit" ? `${flagOfOption(option)} 0 holds none out` : undefined,
  }),
  "row-width": withOption((flag) => `${flag} 0 --target-column 1 take the first two`),
  "target-too-long": withOption((flag) => `${flag} N takes longer ones`),
  // No flag raises these limits.
  "line-too-long": withOption(() => undefined),
  "file-too-large": withOption(() => undefined),
};

/** A flag's value as it is typed: what begins with a sign of its own stands behind "=". */
function valueWord(value: string): string {
  return `${value.startsWith("-") ? "=" : " "}${shellWord(value)}`;
}

/** That a cell may mark a missing value. */
function mayBeMark({ option, value, advice }: ErrorCause) {
  if (option === undefined) return { advice };
  return { advice: `${flagOfOption(option)}${valueWord(String(value).trim())} if it marks a missing value` };
}

function wrongValue({ option, expected, value, problem, advice }: ErrorCause) {
  if (option === undefined || expected === undefined) return { problem, advice };
  const got = typeof value === "string" ? `"${value}"` : String(value);
  return { problem: `${flagOfOption(option)} must be ${expected}, got ${got}`, advice };
}

/** Advice that names the flag of the error's option, if it has one. */
function withOption(advice: (flag: string) => string | undefined): Hint {
  return (cause) => ({ advice: cause.option === undefined ? cause.advice : advice(flagOfOption(cause.option)) });
}

/** The cause of an error of the library with its problem and advice in the command line's words. */
export function inFlags(cause: ErrorCause): ErrorCause {
  return { ...cause, ...HINTS[cause.code]?.(cause) };
}

/** Advice as it can be followed: what another command than `train` does not take is to be said in training. */
function followable(cause: ErrorCause, command: string): ErrorCause {
  const { advice } = cause, flags = [...advice?.matchAll(/--([a-z-]+)/g) ?? []].map(([, flag]) => flag!);
  const isElsewhere = FLAGS.some(({ group, name, flag }) =>
    flags.includes(flag) && !commandsOf(group, name).some((one) => one === command)
  );
  return isElsewhere ? { ...cause, advice: `in training, ${advice}` } : cause;
}

/**
 * What the command line says of an error.
 *
 * @param command The command that met it.
 */
export function lineOf(error: unknown, command = "train"): string {
  const cause = errorCause(error);
  if (cause) return messageOf(followable(inFlags(cause), command), "cannot");
  return error instanceof Error ? error.message : String(error);
}
