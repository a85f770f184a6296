/** Everything between pairs of texts and a model, fitted on the training part alone. */

import { fail } from "../errors.ts";
import { resolveOptions } from "../options.ts";
import { badData } from "./errors.ts";
import type { BleuTokenizer } from "./metrics/bleu.ts";
import { type SequenceMetrics, sequenceMetrics } from "./metrics/sequences.ts";
import { type FullPairOptions, PAIR_OPTIONS, type PairOptions } from "./pair_options.ts";
import { type PairDataset, type Ragged, ragged } from "./pairs.ts";
import { fields, nullable, oneOf, whole } from "./state.ts";
import { type SequenceUnit, Tokenizer, type TokenizerState, UNKNOWN_TEXT, usualNormalization } from "./tokenizer.ts";
import { UNKNOWN } from "./vocabulary.ts";

/** A pair of texts, or a source by itself. */
export interface PairRecord {
  /** What is read. */
  readonly source: string;
  /** What is to be said. */
  readonly target?: string;
  /** Where it stands, for errors: "pairs.tsv, line 12". */
  readonly place: string;
}

/** A {@linkcode PairPipeline} as JSON. */
export interface PairPipelineState {
  /** Always "pairs". */
  readonly kind: "pairs";
  /** Of this structure: 1. */
  readonly version: 1;
  /** Tokens of sources. */
  readonly source: TokenizerState;
  /** Tokens of targets. */
  readonly target: TokenizerState;
  /** Tokens that are taken of a source; null: all. */
  readonly maxLength: number | null;
  /** Tokens that a target may have. */
  readonly maxTargetLength: number;
  /** Tokens of the longest training target, END among them. */
  readonly longest: number;
}

/** A source with all of its targets. */
export interface PairGroup {
  /** Tokens of the source. */
  readonly source: readonly string[];
  /** Different targets, as tokens. */
  readonly references: readonly (readonly string[])[];
  /** The first record that has it, and its place. */
  readonly record: PairRecord;
}

/** What a search says of a source. */
export interface SearchedAnswer {
  /** Token numbers, without END. */
  readonly tokens: readonly number[];
  /** For each the step of the source that counted most. */
  readonly aligned: readonly number[];
}

/** The first numbers that are tokens' own. */
const SOURCE_FIRST = 2, TARGET_FIRST = 4;

/** The token at a target's end. */
const END = 3;

/** How BLEU splits the texts of a unit: those that are tokens already at spaces. */
const BLEU: Record<SequenceUnit, BleuTokenizer> = { characters: "13a", subwords: "13a", words: "none", spaces: "none" };

/**
 * What makes pairs of texts a model's sources and targets, and a model's answers texts. All it knows comes from the training
 * records; as JSON it goes into the checkpoint.
 *
 * Sources are numbered 0 PAD, 1 unknown, then their tokens from 2; targets 0 PAD, 1 unknown, 2 START, 3 END, then theirs from 4.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PairPipeline } from "@grutto/grutto";
 *
 * const records = [["2/3/99", "1999-03-02"], ["4/3/99", "1999-03-04"]].map(([source, target], i) => (
 *   { source: source!, target: target!, place: `dates.tsv, line ${i + 1}` }
 * ));
 * const pipeline = PairPipeline.fit(records);
 * const { sources, targets } = pipeline.dataset(records);
 * assert.deepEqual([sources.lengths, targets.lengths], [Int32Array.of(6, 6), Int32Array.of(11, 11)]);
 * assert.equal(pipeline.text(["1", "9"]), "19");
 * assert.deepEqual(PairPipeline.from(JSON.parse(JSON.stringify(pipeline))).dataset(records), pipeline.dataset(records));
 * ```
 */
export class PairPipeline {
  /** Always "seq2seq". */
  readonly task = "seq2seq";
  /** The loss that fits the task. */
  readonly loss = "crossEntropy";
  /** Tokens of sources. */
  readonly source: Tokenizer;
  /** Tokens of targets. */
  readonly target: Tokenizer;
  /** Tokens that are taken of a source; undefined: all. */
  readonly maxLength: number | undefined;
  /** Tokens that a target may have. */
  readonly maxTargetLength: number;
  /** Tokens of the longest training target, END among them. */
  readonly longest: number;
  /** Guesses made when it was fitted, in words. */
  readonly guesses: readonly string[];

  private constructor(
    tokenizers: Pick<PairPipeline, "source" | "target">,
    { maxLength, maxTargetLength, longest }: {
      readonly maxLength: number | undefined;
      readonly maxTargetLength: number;
      readonly longest: number;
    },
    guesses: readonly string[] = [],
  ) {
    this.source = tokenizers.source;
    this.target = tokenizers.target;
    this.maxLength = maxLength;
    this.maxTargetLength = maxTargetLength;
    this.longest = longest;
    this.guesses = guesses;
  }

  /**
   * A pipeline that knows the training records, and nothing else.
   *
   * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another.
   * @throws {RangeError} If there are no records, or one is without a target, or has one that is too long.
   */
  static fit(records: readonly PairRecord[], options: PairOptions = {}): PairPipeline {
    if (!records.length) throw badData("empty", "there are no records");
    const { full, units, guesses } = unitsOf(records, options);
    const texts = { source: records.map(({ source }) => source), target: records.map(targetOf) };
    const { minCount, vocabSize: vocabularySize, vocabulary, maxLength, maxTargetLength } = full;
    const fitted = (unit: SequenceUnit, from: readonly string[], first: number) => {
      const { normalize = usualNormalization(unit) } = full;
      return Tokenizer.fit(from, { unit, normalize, minCount, vocabularySize }, first);
    };
    let tokenizers: Pick<PairPipeline, "source" | "target">;
    if (vocabulary === "joint") {
      if (units.source !== units.target) {
        const problem = `a joint vocabulary has one unit, got ${units.source} and ${units.target}`;
        throw badData("option-conflict", problem, { option: "vocabulary", value: vocabulary });
      }
      const source = fitted(units.source, [...texts.source, ...texts.target], SOURCE_FIRST);
      tokenizers = { source, target: source.from(TARGET_FIRST) };
    } else {
      tokenizers = {
        source: fitted(units.source, texts.source, SOURCE_FIRST),
        target: fitted(units.target, texts.target, TARGET_FIRST),
      };
    }
    const checked = new PairPipeline(tokenizers, { maxLength, maxTargetLength, longest: 1 });
    const longest = records.reduce((most, record) => Math.max(most, checked.#targetTokens(record).length + 1), 1);
    return new PairPipeline(tokenizers, { maxLength, maxTargetLength, longest }, guesses);
  }

  /**
   * A pipeline as it was stored.
   *
   * @param json What `toJSON` gave; it may come from anybody, and is checked in full.
   * @throws {TypeError} If something is missing, too much, of the wrong type, or does not fit the rest.
   */
  static from(json: unknown): PairPipeline {
    const place = "preprocessing", names = ["source", "target", "maxLength", "maxTargetLength", "longest"] as const;
    const state = fields(json, place, ["kind", "version", ...names]);
    oneOf(state.kind, `${place}.kind`, ["pairs"]);
    whole(state.version, `${place}.version`, 1, 1);
    return new PairPipeline({
      source: Tokenizer.from(state.source, `${place}.source`, SOURCE_FIRST),
      target: Tokenizer.from(state.target, `${place}.target`, TARGET_FIRST),
    }, {
      maxLength: nullable(state.maxLength, (value) => whole(value, `${place}.maxLength`, 1)) ?? undefined,
      maxTargetLength: whole(state.maxTargetLength, `${place}.maxTargetLength`, 1, 1e6),
      longest: whole(state.longest, `${place}.longest`, 1, 1e6 + 1),
    });
  }

  /** As JSON can hold it. */
  toJSON(): PairPipelineState {
    const { source, target, maxLength = null, maxTargetLength, longest } = this;
    return {
      kind: "pairs",
      version: 1,
      source: source.toJSON(),
      target: target.toJSON(),
      maxLength,
      maxTargetLength,
      longest,
    };
  }

  /**
   * Records as pairs of tokens.
   *
   * @throws {RangeError} If a record is without a target, or has one that is too long: the message names the place.
   */
  dataset(records: readonly PairRecord[]): PairDataset {
    const targets = records.map((record) => [
      ...this.#targetTokens(record).map((token) => this.target.number(token)),
      END,
    ]);
    return { sources: this.sources(records), targets: ragged(targets) };
  }

  /** Sources as tokens, for prediction. One without any is one unknown token. */
  sources(records: readonly Pick<PairRecord, "source">[]): Ragged {
    return ragged(records.map(({ source }) => {
      const numbers = this.split(source).map((token) => this.source.number(token));
      return numbers.length ? numbers : [UNKNOWN];
    }));
  }

  /** The tokens of a source that are taken. */
  split(source: string): string[] {
    const tokens = this.source.split(source);
    return this.maxLength === undefined ? tokens : tokens.slice(0, this.maxLength);
  }

  /** The tokens of a target. */
  #targetTokens({ target, place }: PairRecord): string[] {
    if (target === undefined) throw badData("text-missing", `${place}: there is no target`);
    const tokens = this.target.split(target);
    if (!tokens.length) throw badData("text-missing", `${place}: the target is empty`);
    if (tokens.length <= this.maxTargetLength) return tokens;
    const problem = `${place}: the target has ${tokens.length} tokens, more than the limit, ${this.maxTargetLength}`;
    throw badData("target-too-long", problem, {
      option: "maxTargetLength",
      value: tokens.length,
      advice: "raise maxTargetLength, or leave it out",
    });
  }

  /** Records by source, each with its different targets, in the order in which they come. */
  groups(records: readonly PairRecord[]): PairGroup[] {
    const groups = new Map<string, { group: PairGroup; known: Set<string>; references: string[][] }>();
    for (const record of records) {
      const source = this.split(record.source), key = source.join("\0"), target = this.#targetTokens(record);
      let found = groups.get(key);
      if (!found) {
        const references: string[][] = [];
        groups.set(key, found = { group: { source, references, record }, known: new Set(), references });
      }
      const name = target.join("\0");
      if (found.known.has(name)) continue;
      found.known.add(name);
      found.references.push(target);
    }
    return [...groups.values()].map(({ group }) => group);
  }

  /**
   * The tokens of an answer.
   *
   * @param source Tokens of the source. Where they are given, they stand in for unknown tokens that the attention sees at them.
   */
  tokens({ tokens, aligned }: SearchedAnswer, source?: readonly string[]): string[] {
    return tokens.map((token, u) =>
      this.target.token(token) ?? (source && source[aligned[u]!] !== undefined ? source[aligned[u]!]! : UNKNOWN_TEXT)
    );
  }

  /** The text of an answer's tokens. */
  text(tokens: readonly string[]): string {
    return this.target.text(tokens);
  }

  /**
   * What answers are worth, beside one or more references each. Texts of words are their tokens with a space between.
   *
   * @param found Tokens of the answers.
   * @param references Tokens of their references.
   */
  score(
    found: readonly (readonly string[])[],
    references: readonly (readonly (readonly string[])[])[],
  ): SequenceMetrics {
    const { unit } = this.target, isText = unit === "characters" || unit === "subwords";
    return sequenceMetrics(found, references, {
      tokenize: BLEU[unit],
      ...isText && { text: (tokens: readonly string[]) => this.text(tokens) },
    });
  }

  /**
   * Refuses a model whose vocabularies have other sizes.
   *
   * @param sizes V of the model's sources and targets.
   * @throws {RangeError} With both.
   */
  checkSizes(
    action: string,
    sizes: { readonly source: number | undefined; readonly target: number | undefined },
  ): void {
    for (const side of ["source", "target"] as const) {
      const own = this[side].size, model = sizes[side];
      if (own === model) continue;
      const takes = model === undefined ? "takes no tokens there" : `takes ${model}`;
      const problem = `the ${side} vocabulary has ${own} tokens, and the model ${takes}: it is from another file`;
      throw fail("shape-mismatch", action, problem, { name: `${side}.tokens`, value: own });
    }
  }
}

/** Options with the units of both sides, and what of them is guessed from the records, in words. */
export function unitsOf(records: readonly PairRecord[], options: PairOptions): {
  readonly full: FullPairOptions;
  readonly units: { readonly source: SequenceUnit; readonly target: SequenceUnit };
  readonly guesses: readonly string[];
} {
  const full = resolveOptions("prepare data", PAIR_OPTIONS, options as Record<string, unknown>) as FullPairOptions;
  const guesses: string[] = [];
  const unitOf = (side: "source" | "target", texts: () => string[]) => {
    const given = full[`${side}Tokens`] ?? full.tokens;
    if (given) return given;
    const unit = guessUnit(texts());
    guesses.push(`${side} tokens ${unit}: what most ${side}s look like`);
    return unit;
  };
  const units = {
    source: unitOf("source", () => records.map(({ source }) => source)),
    target: unitOf("target", () => records.map(targetOf)),
  };
  return { full, units, guesses };
}

function targetOf({ target, place }: PairRecord): string {
  if (target === undefined) throw badData("text-missing", `${place}: there is no target`);
  return target;
}

/** Words where most texts have three or more that are of letters. */
function guessUnit(texts: readonly string[]): SequenceUnit {
  const isWord = (part: string) => /^[\p{L}\p{M}\p{P}]+$/u.test(part) && /\p{L}/u.test(part);
  const wordy = texts.filter((text) => text.split(/\s+/).filter(isWord).length > 2);
  return wordy.length * 2 > texts.length ? "words" : "characters";
}
