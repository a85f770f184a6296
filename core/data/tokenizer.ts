/** Texts as tokens and back, for sources and targets of sequence-to-sequence models. */

import { checkArgument, checkInteger, fail } from "../errors.ts";
import { resolveOptions, type SpecTable } from "../options.ts";
import { BytePairs, learnMerges, type Merge } from "./byte_pairs.ts";
import { badData } from "./errors.ts";
import { distinctTexts, fields, oneOf } from "./state.ts";
import { byCodePoint, UNKNOWN } from "./vocabulary.ts";

/** Unit of tokens of a sequence-to-sequence model: see {@linkcode Tokenizer}. */
export type SequenceUnit = "characters" | "words" | "subwords" | "spaces";

/** All of them. */
export const SEQUENCE_UNITS: readonly SequenceUnit[] = ["characters", "words", "subwords", "spaces"];

/** What tokens of a unit are called. */
export function unitWord(unit: SequenceUnit): string {
  return unit === "spaces" ? "tokens" : unit;
}

/** Normalization of a text before it is split. */
export type SequenceNormalization = "none" | "lower";

/** All of them. */
export const SEQUENCE_NORMALIZATIONS: readonly SequenceNormalization[] = ["none", "lower"];

/** Options of {@linkcode Tokenizer.fit}. */
export interface TokenizerOptions {
  /** Unit of tokens. */
  readonly unit: SequenceUnit;
  /** Normalization of texts. Default "none". */
  readonly normalize?: SequenceNormalization;
  /** How often the training texts must have a token, of subwords a character, for it to get a number. Default 1. */
  readonly minCount?: number;
  /** Tokens at most, the most frequent ones. Default: of subwords 2000, else all. */
  readonly vocabularySize?: number;
}

const TOKENIZER_OPTIONS: SpecTable<TokenizerOptions> = {
  unit: { type: "choice", choices: SEQUENCE_UNITS, about: "unit of tokens" },
  normalize: { type: "choice", default: "none", choices: SEQUENCE_NORMALIZATIONS, about: "normalization of texts" },
  minCount: { type: "integer", default: 1, least: 1, about: "how often a token must occur" },
  vocabularySize: { type: "integer", optional: true, least: 1, about: "tokens at most" },
};

/** A {@linkcode Tokenizer} as JSON. */
export interface TokenizerState {
  /** Unit of tokens. */
  readonly unit: SequenceUnit;
  /** Normalization of texts. */
  readonly normalize: SequenceNormalization;
  /** Tokens with numbers of their own, in their order. */
  readonly tokens: readonly string[];
  /** Of subwords: pairs of pieces that become one, the first learned first. */
  readonly merges?: readonly (readonly [left: string, right: string])[];
  /** Of words: tokens that no space stands before, mostly. */
  readonly joinsBefore?: readonly string[];
  /** Of words: tokens that no space stands behind, mostly. */
  readonly joinsBehind?: readonly string[];
}

/** What an answer shows where the model knows no better. */
export const UNKNOWN_TEXT = "<unk>";

/** Words with the apostrophe at their end, and single signs. */
export const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*['’]?|[^\s\p{L}\p{N}]/gu;

/** Stretches that no merge goes beyond: letters, digits or signs with the space before them, and other white space. */
export const STRETCH = / ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Subwords where nobody says how many. */
const SUBWORDS = 2000;

/**
 * Splits texts into tokens, numbers them, and makes texts of tokens again. All it knows comes from the training texts:
 * tokens by falling count, ties by code points.
 *
 * - "characters": code points. A text comes back as it was.
 * - "words": NFC; runs of letters and digits with the apostrophe that follows, and single signs. Answers have spaces between
 *   tokens except where the training texts mostly had none: before "." and ",", behind "(".
 * - "subwords": NFC; byte-pair encoding (Sennrich, Haddow and Birch 2016) of letters, digits or signs with the space before
 *   them, learned from the training texts. A text comes back as it was.
 * - "spaces": what stands between white space, for texts that are tokens already: phonemes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Tokenizer } from "@grutto/grutto";
 *
 * const tokenizer = Tokenizer.fit(["low lower", "low newest"], { unit: "subwords", vocabularySize: 12 }, 4);
 * const tokens = tokenizer.split("slow");
 * assert.deepEqual(tokens.map((token) => tokenizer.number(token)).slice(0, 2), [6, 9]); // " " and "s"
 * assert.equal(tokenizer.text(tokens), "slow");
 * ```
 */
export class Tokenizer {
  /** Unit of tokens. */
  readonly unit: SequenceUnit;
  /** Normalization of texts. */
  readonly normalize: SequenceNormalization;
  /** Tokens by number, from `first` on. */
  readonly tokens: readonly string[];
  /** The number of the first of `tokens`: 2 of sources, 4 of targets. */
  readonly first: number;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #pairs: BytePairs | undefined;
  readonly #before: ReadonlySet<string>;
  readonly #behind: ReadonlySet<string>;

  private constructor(state: TokenizerState, first: number) {
    checkInteger("make tokenizer", "first", first);
    this.unit = state.unit;
    this.normalize = state.normalize;
    this.tokens = state.tokens;
    this.first = first;
    this.#numbers = new Map(state.tokens.map((token, i) => [token, i + first]));
    this.#pairs = state.merges && new BytePairs(state.merges);
    this.#before = new Set(state.joinsBefore);
    this.#behind = new Set(state.joinsBehind);
  }

  /**
   * The tokenizer of training texts.
   *
   * @param first The number of its first token.
   */
  static fit(texts: Iterable<string>, options: TokenizerOptions, first: number): Tokenizer {
    const { unit, normalize, minCount, ...most } = resolveOptions<Required<TokenizerOptions>>(
      "fit tokenizer",
      TOKENIZER_OPTIONS,
      options,
    );
    const { vocabularySize = unit === "subwords" ? SUBWORDS : Infinity } = most;
    const counts = new Map<string, number>(), joins = new Joins();
    const count = (token: string, by = 1) => counts.set(token, (counts.get(token) ?? 0) + by);
    checkArgument("fit tokenizer", "texts", texts, "iterable");
    for (const text of texts) {
      checkArgument("fit tokenizer", "text", text, "string");
      const plain = normalized(text, unit, normalize);
      if (unit === "words") {
        for (const [token, left, right] of joins.read(plain)) {
          count(token);
          joins.add(token, left, right);
        }
      } else for (const token of unit === "subwords" ? stretches(plain) : cut(plain, unit)) count(token);
    }
    const often = minCount > 1 ? ` ${minCount} times` : "";
    const ranked = (found: ReadonlyMap<string, number>, least: number) =>
      [...found].filter(([, n]) => n >= least).sort(([a, n], [b, m]) => m - n || byCodePoint(a, b)).map(([t]) => t);
    const refuse = (what: string) =>
      badData("vocabulary-empty", `no ${what} occurs${often} in the training texts`, { name: unit });
    if (unit !== "subwords") {
      const tokens = ranked(counts, minCount).slice(0, vocabularySize);
      if (!tokens.length) throw refuse(unit === "characters" ? "character" : "word");
      return new Tokenizer({ unit, normalize, tokens, ...unit === "words" && joins.state(tokens) }, first);
    }
    const characters = new Map<string, number>();
    for (const [word, n] of counts) for (const c of word) characters.set(c, (characters.get(c) ?? 0) + n);
    const known = ranked(characters, minCount).slice(0, vocabularySize);
    if (!known.length) throw refuse("character");
    const merges = learnMerges(counts, vocabularySize, new Set(known)), pairs = new BytePairs(merges);
    const pieces = new Map([...known, ...merges.map(([left, right]) => left + right)].map((piece) => [piece, 0]));
    for (const [word, n] of counts) {
      for (const piece of pairs.split(word)) if (pieces.has(piece)) pieces.set(piece, pieces.get(piece)! + n);
    }
    return new Tokenizer({ unit, normalize, tokens: ranked(pieces, 0), merges }, first);
  }

  /** How many numbers there are, those before the first among them: V of an embedding. */
  get size(): number {
    return this.tokens.length + this.first;
  }

  /** The same tokens, numbered from another number on. */
  from(first: number): Tokenizer {
    return new Tokenizer(this.toJSON(), first);
  }

  /** The tokens of a text, known or not. */
  split(text: string): string[] {
    checkArgument("split text", "text", text, "string");
    const plain = normalized(text, this.unit, this.normalize);
    if (this.#pairs) return stretches(plain).flatMap((word) => this.#pairs!.split(word));
    return cut(plain, this.unit);
  }

  /** The number of a token; 1 if it has none. */
  number(token: string): number {
    return this.#numbers.get(token) ?? UNKNOWN;
  }

  /** The token of a number; undefined for the numbers before the first. */
  token(number: number): string | undefined {
    checkInteger("find token", "number", number);
    return this.tokens[number - this.first];
  }

  /** The text of tokens. */
  text(tokens: readonly string[]): string {
    checkArgument("join tokens", "tokens", tokens, "strings");
    switch (this.unit) {
      case "characters":
        return tokens.join("");
      case "spaces":
        return tokens.join(" ");
      case "subwords":
        return tokens.join("").replace(/^ /, "");
      case "words": {
        let text = "", last: string | undefined;
        for (const token of tokens) {
          const joins = last === undefined || this.#behind.has(last) || this.#before.has(token);
          text += joins ? token : ` ${token}`;
          last = token;
        }
        return text;
      }
    }
  }

  /** As JSON. */
  toJSON(): TokenizerState {
    const { unit, normalize, tokens } = this;
    return {
      unit,
      normalize,
      tokens,
      ...this.#pairs && { merges: this.#pairs.merges },
      ...unit === "words" && { joinsBefore: [...this.#before], joinsBehind: [...this.#behind] },
    };
  }

  /** From JSON that anybody may have written. */
  static from(json: unknown, place: string, first: number): Tokenizer {
    checkArgument("load preprocessing", "place", place, "string");
    const own = (json as Partial<TokenizerState> | null)?.unit,
      more = own === "subwords"
        ? ["merges" as const]
        : own === "words"
        ? ["joinsBefore" as const, "joinsBehind" as const]
        : [];
    const state = fields(json, place, ["unit", "normalize", "tokens", ...more]);
    const unit = oneOf(state.unit, `${place}.unit`, SEQUENCE_UNITS);
    const normalize = oneOf(state.normalize, `${place}.normalize`, SEQUENCE_NORMALIZATIONS);
    const tokens = distinctTexts(state.tokens, `${place}.tokens`, 1), known = new Set(tokens);
    const refuse = (name: string) =>
      fail("file-structure", "load preprocessing", `${name} does not fit ${place}.tokens`, { name });
    if (known.has("")) throw refuse(`${place}.tokens, with an empty one,`);
    const listed = (name: "joinsBefore" | "joinsBehind") => {
      const list = distinctTexts(state[name], `${place}.${name}`, 0);
      if (list.some((token) => !known.has(token))) throw refuse(`${place}.${name}`);
      return list;
    };
    return new Tokenizer({
      unit,
      normalize,
      tokens,
      ...unit === "subwords" && { merges: mergesOf(state.merges, known, () => refuse(`${place}.merges`)) },
      ...unit === "words" && { joinsBefore: listed("joinsBefore"), joinsBehind: listed("joinsBehind") },
    }, first);
  }
}

/** Stored merges, each of pieces that are tokens, into one that is. */
function mergesOf(value: unknown, tokens: ReadonlySet<string>, refuse: () => Error): Merge[] {
  const fits = (merge: unknown): merge is Merge =>
    Array.isArray(merge) && merge.length === 2 && merge.every((piece) => tokens.has(piece)) &&
    tokens.has(merge.join(""));
  if (!Array.isArray(value) || !value.every(fits)) throw refuse();
  if (new Set(value.map((merge) => JSON.stringify(merge))).size !== value.length) throw refuse();
  return value.map(([left, right]) => [left, right]);
}

/** What texts have in common whose tokens are the same. */
export function keyOf(text: string, unit: SequenceUnit, normalize: SequenceNormalization): string {
  const plain = normalized(text, unit, normalize);
  return unit === "subwords" ? plain : cut(plain, unit).join("\0");
}

/** The normalization of a unit where nobody says. */
export function usualNormalization(unit: SequenceUnit): SequenceNormalization {
  return unit === "words" ? "lower" : "none";
}

/** A text as it is split. */
function normalized(text: string, unit: SequenceUnit, normalize: SequenceNormalization): string {
  const plain = unit === "words" || unit === "subwords" ? text.normalize("NFC") : text;
  return normalize === "lower" ? plain.toLowerCase() : plain;
}

function cut(plain: string, unit: SequenceUnit): string[] {
  if (unit === "characters") return [...plain];
  return unit === "words" ? plain.match(WORD) ?? [] : plain.split(/\s+/).filter(Boolean);
}

/** What subwords are cut from: a text begins as if a space stood before it, so that its first word is as any other. */
function stretches(plain: string): string[] {
  return plain === "" ? [] : ` ${plain}`.match(STRETCH) ?? [];
}

/** Counts where spaces stand beside words. */
class Joins {
  readonly #balance = { before: new Map<string, number>(), behind: new Map<string, number>() };

  /** The words of a text, each with whether a space stands before it and behind it; undefined at the text's ends. */
  *read(plain: string): Generator<[token: string, left?: boolean, right?: boolean]> {
    const found = [...plain.matchAll(WORD)];
    const gap = (i: number) => {
      const [before, behind] = [found[i - 1], found[i]];
      return before && behind && before.index + before[0].length < behind.index;
    };
    for (const [i, [token]] of found.entries()) yield [token, gap(i), gap(i + 1)];
  }

  add(token: string, left?: boolean, right?: boolean): void {
    for (const [side, space] of [["before", left], ["behind", right]] as const) {
      if (space === undefined) continue;
      const counts = this.#balance[side];
      counts.set(token, (counts.get(token) ?? 0) + (space ? -1 : 1));
    }
  }

  /** Of these tokens, those that are joined more often than not. */
  state(tokens: readonly string[]): Pick<TokenizerState, "joinsBefore" | "joinsBehind"> {
    const joined = (counts: Map<string, number>) => tokens.filter((token) => (counts.get(token) ?? 0) > 0);
    return { joinsBefore: joined(this.#balance.before), joinsBehind: joined(this.#balance.behind) };
  }
}
