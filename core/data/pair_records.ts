/** Records of pairs: what they are made of, and what units that is cut into. */

import { checkArgument } from "../errors.ts";
import { ownOptions, resolveOptions } from "../options.ts";
import { badData } from "./errors.ts";
import { type FullPairOptions, PAIR_OPTIONS, type PairOptions } from "./pair_options.ts";
import type { NumberSteps } from "./step_scaler.ts";
import type { SequenceUnit } from "./tokenizer.ts";

/** A side of a pair: a text, or numbers for every step. */
export type PairSide = string | NumberSteps;

/** A pair, or a source by itself. */
export interface PairRecord {
  /** What is read. */
  readonly source: PairSide;
  /** What is to be said. */
  readonly target?: PairSide;
  /** Of targets that are numbers: what the decoder is fed first. Default: the mean of the training targets. */
  readonly start?: readonly number[];
  /** Where it stands, for errors: "pairs.tsv, line 12". */
  readonly place: string;
  /** What is wrong with it, where it could not be read and that was asked for. */
  readonly fault?: unknown;
}

/** What a step of a side is. */
export type SideUnit = SequenceUnit | "numbers";

/** Options that say what becomes of texts. */
export const OF_TEXTS = [
  "tokens",
  "sourceTokens",
  "targetTokens",
  "normalize",
  "minCount",
  "vocabSize",
  "vocabulary",
] as const satisfies readonly (keyof PairOptions)[];

/** Options with the units of both sides, and what of them is guessed from the records, in words. */
export function unitsOf(records: readonly PairRecord[], given: Omit<PairOptions, "reading">): {
  readonly full: FullPairOptions;
  readonly units: { readonly source: SideUnit; readonly target: SideUnit };
  readonly guesses: readonly string[];
} {
  const options = ownOptions("prepare data", given);
  const full = resolveOptions("prepare data", PAIR_OPTIONS, options as Record<string, unknown>) as FullPairOptions;
  const guesses: string[] = [], sides = ["source", "target"] as const;
  const areNumbers = sides.map((side) => typeof sideOf(records[0]!, side) !== "string");
  const unsuited = (option: keyof PairOptions, expected: string, name: string) =>
    badData("option-unsuited", `${option} is for ${expected}, not for ${name}`, { option, expected, name });
  const isGiven = (option: keyof typeof PAIR_OPTIONS) =>
    options[option] !== undefined && options[option] !== PAIR_OPTIONS[option].default;
  const idle = areNumbers.every(Boolean) ? OF_TEXTS.find(isGiven) : undefined;
  if (idle) throw unsuited(idle, "texts", "numbers");
  if (!areNumbers.some(Boolean) && isGiven("standardize")) throw unsuited("standardize", "numbers", "texts");
  const unitOf = (side: "source" | "target", isNumbers: boolean): SideUnit => {
    const option = `${side}Tokens` as const;
    if (isNumbers) {
      if (full[option]) throw unsuited(option, "texts", "numbers");
      return "numbers";
    }
    const unit = full[option] ?? full.tokens;
    if (unit) return unit;
    const guess = guessUnit(records.map((record) => textOf(sideOf(record, side), record.place, side)));
    guesses.push(`${side} tokens ${guess}: what most ${side}s look like`);
    return guess;
  };
  return {
    full,
    units: { source: unitOf("source", areNumbers[0]!), target: unitOf("target", areNumbers[1]!) },
    guesses,
  };
}

/** A side of a record. */
export function sideOf({ source, target, place }: PairRecord, side: "source" | "target"): PairSide {
  if (side === "source") return source;
  if (target === undefined) throw badData("text-missing", `${place}: there is no target`);
  return target;
}

/** A side that is a text. */
export function textOf(side: PairSide, place: string, name: string): string {
  if (typeof side === "string") return side;
  checkSteps(side, place, name);
  throw badData("input-kind", `${place}: the ${name} must be a text, as those of training, got numbers`);
}

/** A side that is numbers. */
export function numbersOf(side: PairSide, place: string, name: string): NumberSteps {
  if (typeof side !== "string") return checkSteps(side, place, name);
  throw badData("input-kind", `${place}: the ${name} must be numbers, as those of training, got a text`);
}

function checkSteps(side: NumberSteps, place: string, name: string): NumberSteps {
  checkArgument("prepare data", `${place}${place && ": "}${name}`, side, "lists");
  return side;
}

/** A step of numbers as it is shown. */
export function inWords(step: readonly number[]): string {
  return step.map((value) => String(Number(value.toPrecision(3)))).join(" ");
}

/** FNV-1a of a text, twice from different beginnings: 64 bits. */
export function fingerprint(text: string): string {
  const hash = (start: number) => {
    let h = start;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
    return (h >>> 0).toString(16).padStart(8, "0");
  };
  return hash(0x811c9dc5) + hash(0x050c5d1f);
}

/**
 * Spaces where most texts are several short signs, such as phonemes; words where most have three or more that are of letters.
 */
function guessUnit(texts: readonly string[]): SequenceUnit {
  const isSign = (part: string) => [...part].length <= 3 && /\p{L}/u.test(part);
  const signs = texts.map((text) => text.trim().split(/\s+/)).filter((parts) =>
    parts.length > 1 && parts.every(isSign)
  );
  if (signs.length * 2 > texts.length) return "spaces";
  const isWord = (part: string) => /^[\p{L}\p{M}\p{P}]+$/u.test(part) && /\p{L}/u.test(part);
  const wordy = texts.filter((text) => text.split(/\s+/).filter(isWord).length > 2);
  return wordy.length * 2 > texts.length ? "words" : "characters";
}

/** Checks what is to be records of pairs. */
export function checkPairs(records: readonly unknown[]): void {
  checkArgument("prepare data", "records", records, "objects");
}

/** Checks what is to be an answer, and the tokens of its source. */
export function checkAnswer(answer: { readonly tokens: unknown; readonly aligned: unknown }, source: unknown): void {
  checkArgument("decode outputs", "answer", answer, ["tokens", "aligned"]);
  checkArgument("decode outputs", "answer.tokens", answer.tokens, "numbers");
  checkArgument("decode outputs", "answer.aligned", answer.aligned, "numbers");
  if (source !== undefined) checkArgument("decode outputs", "source", source, "strings");
}

/** What a model takes on a side of pairs. */
export interface PairSize {
  /** Tokens there are, or numbers of a step. */
  readonly size: number;
  /** Whether it is tokens. */
  readonly tokens: boolean;
}
