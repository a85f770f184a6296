/** Text as numbers of tokens. */

import { badData } from "./errors.ts";
import { distinctTexts, fields, nullable, oneOf, whole } from "./state.ts";

/** What a token is. */
export type TokenUnit = "characters" | "words";

/** All of them. */
export const TOKEN_UNITS: readonly TokenUnit[] = ["characters", "words"];

/** What is done to a text before it is cut into tokens: see {@linkcode Vocabulary}. */
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
  /** What a token is. */
  readonly unit: TokenUnit;
  /** What is done to a text first. */
  readonly normalize: Normalization;
  /** How often the training texts must have a token for it to get a number of its own. */
  readonly minCount: number;
  /** Tokens of a text that are taken; the rest is cut off. */
  readonly maxLength?: number;
}

/** {@linkcode Vocabulary} as JSON. */
export interface VocabularyState {
  /** What a token is. */
  readonly unit: TokenUnit;
  /** What is done to a text first. */
  readonly normalize: Normalization;
  /** Tokens of a text that are taken; null: all. */
  readonly maxLength: number | null;
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
 * the space and . , ; ' alone. Words are runs of letters, digits and '; `lower` puts them in lower case, `ascii` too, and
 * keeps a-z, 0-9 and ' alone.
 */
export class Vocabulary {
  /** What a token is. */
  readonly unit: TokenUnit;
  /** What is done to a text first. */
  readonly normalize: Normalization;
  /** Tokens of a text that are taken; undefined: all. */
  readonly maxLength: number | undefined;
  /** Tokens by number, from 2 on. */
  readonly tokens: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  private constructor(options: Omit<VocabularyOptions, "minCount">, tokens: readonly string[]) {
    this.unit = options.unit;
    this.normalize = options.normalize;
    this.maxLength = options.maxLength;
    this.tokens = tokens;
    this.#numbers = new Map(tokens.map((token, i) => [token, i + FIRST]));
  }

  /** The vocabulary of training texts. */
  static fit(texts: Iterable<string>, options: VocabularyOptions): Vocabulary {
    const counts = new Map<string, number>();
    for (const text of texts) {
      for (const token of cut(text, options)) counts.set(token, (counts.get(token) ?? 0) + 1);
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
    return new Vocabulary(options, tokens);
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

  /** As JSON. */
  toJSON(): VocabularyState {
    const { unit, normalize, maxLength = null, tokens } = this;
    return { unit, normalize, maxLength, tokens };
  }

  /** From JSON that anybody may have written. */
  static from(json: unknown, place: string): Vocabulary {
    const state = fields(json, place, ["unit", "normalize", "maxLength", "tokens"]);
    return new Vocabulary({
      unit: oneOf(state.unit, `${place}.unit`, TOKEN_UNITS),
      normalize: oneOf(state.normalize, `${place}.normalize`, NORMALIZATIONS),
      maxLength: nullable(state.maxLength, (value) => whole(value, `${place}.maxLength`, 1)) ?? undefined,
    }, distinctTexts(state.tokens, `${place}.tokens`, 1));
  }
}

/** The tokens of a text. */
function cut(text: string, { unit, normalize }: Pick<VocabularyOptions, "unit" | "normalize">): string[] {
  if (unit === "words") {
    const plain = normalize === "none" ? text : text.toLowerCase();
    return plain.match(normalize === "ascii" ? /[a-z0-9']+/g : /[\p{L}\p{N}\p{M}']+/gu) ?? [];
  }
  if (normalize === "ascii") return [...text.trim().normalize("NFD").replace(/[^a-zA-Z .,;']/g, "")];
  return [...(normalize === "lower" ? text.toLowerCase() : text)];
}
