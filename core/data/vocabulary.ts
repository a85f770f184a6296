/** Text as numbers of tokens. */

import { badData } from "./errors.ts";
import { fail } from "../errors.ts";
import { distinctTexts, fields, nullable, oneOf, truth, whole } from "./state.ts";

/** Unit of tokens. */
export type TokenUnit = "characters" | "words";

/** All of them. */
export const TOKEN_UNITS: readonly TokenUnit[] = ["characters", "words"];

/** Normalization of a text before it is split into tokens: see {@linkcode Vocabulary}. */
export type Normalization = "none" | "lower" | "ascii";

/** All of them. */
export const NORMALIZATIONS: readonly Normalization[] = ["none", "lower", "ascii"];

/** Token of the padding, whose embedding is 0. */
export const PADDING = 0;

/** Token of what the vocabulary does not hold. */
export const UNKNOWN = 1;

/** The first number of the vocabulary's own tokens. */
const FIRST = 2;

/** How a vocabulary is made. */
export interface VocabularyOptions {
  /** Unit of tokens. */
  readonly unit: TokenUnit;
  /** Normalization of texts. */
  readonly normalize: Normalization;
  /** How often the training texts must have a token for it to get a number of its own. */
  readonly minCount: number;
  /** Tokens of a text that are taken; the rest is cut off. */
  readonly maxLength?: number;
}

/** {@linkcode Vocabulary} as JSON. */
export interface VocabularyState {
  /** Unit of tokens. */
  readonly unit: TokenUnit;
  /** Normalization of texts. */
  readonly normalize: Normalization;
  /** Tokens of a text that are taken; null: all. */
  readonly maxLength: number | null;
  /** Whether emoji, emoticons and signs are tokens beside words; absent where they are not, as before version 0.3. */
  readonly signs?: true;
  /** Whether numbers keep their sign and point beside words; absent where they do not, as before version 0.4. */
  readonly numbers?: true;
  /** The tokens with numbers of their own, from 2 on. */
  readonly tokens: readonly string[];
}

/** By code point, as Python sorts: JavaScript's own order goes by halves of surrogate pairs. */
export function byCodePoint(a: string, b: string): number {
  const x = [...a], y = [...b], shared = Math.min(x.length, y.length);
  for (let i = 0; i < shared; i++) {
    const difference = x[i]!.codePointAt(0)! - y[i]!.codePointAt(0)!;
    if (difference) return difference;
  }
  return x.length - y.length;
}

/**
 * Gives every token a number: 0 is padding, 1 unknown, then come the training texts' tokens by falling count (ties in
 * alphabetical order).
 *
 * Characters are code points; `lower` puts them in lower case, `ascii` takes accents off (NFD) and keeps letters a-z, A-Z,
 * the space and . , ; ' alone. Words are runs of letters, digits, marks and '; beside them numbers as -5.3, % behind and #
 * before a number, emoji, emoticons as :) and <3, symbols, and runs of punctuation are tokens. `lower` puts words in lower
 * case, `ascii` too, and keeps a-z, 0-9 and ' alone.
 */
export class Vocabulary {
  /** Unit of tokens. */
  readonly unit: TokenUnit;
  /** Normalization of texts. */
  readonly normalize: Normalization;
  /** Tokens of a text that are taken; undefined: all. */
  readonly maxLength: number | undefined;
  /** Tokens by number, from 2 on. */
  readonly tokens: readonly string[];
  /** Whether emoji, emoticons and signs are tokens beside words. */
  readonly signs: boolean;
  /** Whether numbers keep their sign and point beside words. */
  readonly numbers: boolean;
  /** Notes about the training texts, if there are any. */
  readonly notes: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  private constructor(
    options: Omit<VocabularyOptions, "minCount"> & Beside,
    tokens: readonly string[],
    notes: readonly string[] = [],
  ) {
    this.unit = options.unit;
    this.normalize = options.normalize;
    this.maxLength = options.maxLength;
    this.signs = options.signs;
    this.numbers = options.numbers;
    this.tokens = tokens;
    this.notes = notes;
    this.#numbers = new Map(tokens.map((token, i) => [token, i + FIRST]));
  }

  /** The vocabulary of training texts. */
  static fit(texts: Iterable<string>, options: VocabularyOptions): Vocabulary {
    const signs = hasSigns(options), how = { ...options, signs, numbers: signs };
    const counts = new Map<string, number>(), loss = new Loss();
    for (const text of texts) {
      const tokens = cut(text, how);
      for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
      loss.add(text, tokens);
    }
    const tokens = [...counts].filter(([, count]) => count >= options.minCount)
      .sort(([a, n], [b, m]) => m - n || byCodePoint(a, b)).map(([token]) => token);
    if (!tokens.length) {
      const often = options.minCount > 1 ? ` ${options.minCount} times` : "";
      throw badData(
        "vocabulary-empty",
        `no ${options.unit === "words" ? "word" : "character"} occurs${often} in the training texts` +
          (options.normalize === "ascii" ? " once all but ASCII is taken off" : ""),
      );
    }
    return new Vocabulary(how, tokens, loss.notes);
  }

  /** How many numbers there are, padding and unknown included: V of the embedding. */
  get size(): number {
    return this.tokens.length + FIRST;
  }

  /** The tokens of a text, those that are taken. */
  split(text: string): string[] {
    const tokens = cut(text, this);
    return this.maxLength === undefined ? tokens : tokens.slice(0, this.maxLength);
  }

  /** Their numbers; one unknown token for a text that has none. */
  encode(text: string): number[] {
    const ids = this.split(text).map((token) => this.#numbers.get(token) ?? UNKNOWN);
    return ids.length ? ids : [UNKNOWN];
  }

  /** The tokens of texts that are not in it, each with its count, the most frequent first. */
  unknown(texts: Iterable<string>): Map<string, number> {
    const counts = new Map<string, number>();
    for (const text of texts) {
      for (const token of this.split(text)) {
        if (!this.#numbers.has(token)) counts.set(token, (counts.get(token) ?? 0) + 1);
      }
    }
    return new Map([...counts].sort(([a, n], [b, m]) => m - n || byCodePoint(a, b)));
  }

  /** As JSON. */
  toJSON(): VocabularyState {
    const { unit, normalize, maxLength = null, signs, numbers, tokens } = this;
    return { unit, normalize, maxLength, ...signs && { signs }, ...numbers && { numbers }, tokens };
  }

  /** From JSON that anybody may have written. */
  static from(json: unknown, place: string): Vocabulary {
    const state = fields(json, place, ["unit", "normalize", "maxLength", "tokens"], ["signs", "numbers"]);
    const unit = oneOf(state.unit, `${place}.unit`, TOKEN_UNITS);
    const normalize = oneOf(state.normalize, `${place}.normalize`, NORMALIZATIONS);
    const signs = state.signs !== undefined && truth(state.signs, `${place}.signs`);
    const numbers = state.numbers !== undefined && truth(state.numbers, `${place}.numbers`);
    if (signs && !hasSigns({ unit, normalize }) || numbers && !signs) {
      throw fail("file-structure", "load preprocessing", `the fields of ${place} do not fit one another`, {
        name: place,
      });
    }
    return new Vocabulary({
      unit,
      normalize,
      signs,
      numbers,
      maxLength: nullable(state.maxLength, (value) => whole(value, `${place}.maxLength`, 1)) ?? undefined,
    }, distinctTexts(state.tokens, `${place}.tokens`, 1));
  }
}

/** What is a token beside words: the rules grew, and a vocabulary keeps those that it was made by. */
interface Beside {
  readonly signs: boolean;
  readonly numbers: boolean;
}

/** Whether a new vocabulary has signs: words of any script do. */
function hasSigns({ unit, normalize }: Pick<VocabularyOptions, "unit" | "normalize">): boolean {
  return unit === "words" && normalize !== "ascii";
}

/** Variation selectors say how a sign is drawn, not which it is. */
const SELECTORS = /[\ufe0e\ufe0f]/g;

const WORD = /[\p{L}\p{N}'][[\p{L}\p{N}\p{M}'\u200c\u200d]--[\ufe0e\ufe0f\u20e3]]*/v;

const PICTURE = /\p{Extended_Pictographic}[\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}]?[\u{e0020}-\u{e007f}]*/u;

/** Keycaps, flags, pictures joined or alone; eyes with a mouth, hearts. */
const DRAWN = [
  /[0-9#*]\ufe0f?\u20e3|[\u{1f1e6}-\u{1f1ff}]{2}/u,
  new RegExp(`${PICTURE.source}(?:\\u200d${PICTURE.source})*`, "v"),
  /[:;=][\-^'o]?(?:[\(\)\[\]\{\}\/\\\|*@$]+|[DPO3dpo](?![\p{L}\p{N}]))|<\/?3+(?![\p{L}\p{N}])/v,
];

/** A number by itself with its sign, point or both; % behind a number, and # before one. */
const NUMBER = [
  /(?<![\p{L}\p{M}\p{N}'.,\-\u2212])[\-\u2212]?(?:\p{Nd}+(?:[.,\u066b\u066c]\p{Nd}+)+|\.\p{Nd}+)/v,
  /(?<![\p{L}\p{M}\p{N}'.,\-\u2212])[\-\u2212]\p{Nd}+/v,
  /(?<=\p{Nd}[ \u00a0\u202f]?)[%\u066a\u2030]|#(?=\p{Nd})/v,
];

/** Runs of punctuation, and symbols. */
const SIGNS = /[[\p{P}\p{S}]--\p{Extended_Pictographic}]{2,}|\p{S}/v;

/** The same, where numbers begin none of them. */
const OTHER_SIGNS = new RegExp(
  `(?:(?!${sourceOf(NUMBER)})[[\\p{P}\\p{S}]--\\p{Extended_Pictographic}]){2,}|\\p{S}`,
  "v",
);

/** What is a token with signs, and with numbers too. */
const TOKEN = new RegExp(sourceOf([...DRAWN, WORD, SIGNS]), "gv");
const TOKEN_OR_NUMBER = new RegExp(sourceOf([...DRAWN, ...NUMBER, WORD, OTHER_SIGNS]), "gv");

/** Any of some patterns. */
function sourceOf(patterns: readonly RegExp[]): string {
  return patterns.map(({ source }) => source).join("|");
}

/** What a text is made of before it is cut, and how: all that `cut` knows. */
export interface Cutting {
  /** Whether letters are put in lower case first. */
  readonly lower: boolean;
  /** Of words: what they are; and what is left out of each. */
  readonly words?: RegExp;
  readonly without?: RegExp;
  /** Of characters in ASCII: what is left out once accents are by themselves. */
  readonly dropped?: RegExp;
}

/** How texts are cut. */
export function cutting(
  { unit, normalize, signs, numbers }: Pick<VocabularyOptions, "unit" | "normalize"> & Beside,
): Cutting {
  if (unit !== "words") {
    return { lower: normalize === "lower", ...normalize === "ascii" && { dropped: /[^a-zA-Z .,;']/g } };
  }
  const lower = normalize !== "none";
  if (signs) return { lower, words: numbers ? TOKEN_OR_NUMBER : TOKEN, without: SELECTORS };
  return { lower, words: normalize === "ascii" ? /[a-z0-9']+/g : /[\p{L}\p{N}\p{M}']+/gu };
}

/** The tokens of a text. */
function cut(
  text: string,
  how: Pick<VocabularyOptions, "unit" | "normalize"> & Beside,
): string[] {
  const { lower, words, without, dropped } = cutting(how), plain = lower ? text.toLowerCase() : text;
  if (words) {
    const found = plain.match(words) ?? [];
    return without ? found.map((token) => token.replace(without, "")) : found;
  }
  return [...(dropped ? plain.trim().normalize("NFD").replace(dropped, "") : plain)];
}

/** The share of characters in no token from which it is said. */
const TELLING = 0.05;

/** Characters that are counted at most. */
const COUNTED = 1e6;

/** Counts the characters, spaces apart, that are in no token. */
class Loss {
  readonly #left = new Map<string, number>();
  #all = 0;

  add(text: string, tokens: readonly string[]): void {
    if (this.#all > COUNTED) return;
    const count = (character: string, by: number) => {
      if (/[\s\ufe0e\ufe0f\u200c\u200d]/.test(character)) return false;
      this.#left.set(character, (this.#left.get(character) ?? 0) + by);
      return true;
    };
    // As `cut` may have put it: in lower case, and without accents.
    const plain = text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
    for (const character of plain) if (count(character, 1)) this.#all++;
    for (const token of tokens) {
      for (const character of token.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "")) count(character, -1);
    }
  }

  /** What is to be said about it. */
  get notes(): string[] {
    const lost = [...this.#left].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
    const share = lost.reduce((sum, [, count]) => sum + count, 0) / this.#all;
    if (!(share > TELLING)) return [];
    const most = lost.slice(0, 5).map(([character]) => JSON.stringify(character)).join(" ");
    return [`${Math.round(100 * share)} % of the characters of the training texts are in no token, most often ${most}`];
  }
}
