/** Everything between pairs of texts or numbers and a model, fitted on the training part alone. */

import { checkArgument, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import { badData } from "./errors.ts";
import type { BleuTokenizer } from "./metrics/bleu.ts";
import { type SequenceMetrics, sequenceMetrics } from "./metrics/sequences.ts";
import type { PairOptions } from "./pair_options.ts";
import {
  checkAnswer,
  checkPairs,
  fingerprint,
  inWords,
  numbersOf,
  type PairRecord,
  type PairSide,
  type PairSize,
  sideOf,
  textOf,
  unitsOf,
} from "./pair_records.ts";
import type { PairPipelineState } from "./pair_state.ts";
import { type PairDataset, type Ragged, ragged } from "./pairs.ts";
import { type PairReading, pairReadingState } from "./readers/pair_reading.ts";
import { PAIR_FORMATS } from "./readers/pair_formats.ts";
import { fields, nullable, oneOf, whole } from "./state.ts";
import { type NumberSteps, StepScaler, type StepScalerState } from "./step_scaler.ts";
import { type SequenceUnit, Tokenizer, UNKNOWN_TEXT, usualNormalization } from "./tokenizer.ts";
import { UNKNOWN } from "./vocabulary.ts";

/** A source with all of its targets. */
export interface PairGroup {
  /** Steps of the source: tokens, or numbers in words. */
  readonly source: readonly string[];
  /** Different targets that are texts, as tokens. */
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
 * What makes pairs of texts or numbers a model's sources and targets, and a model's answers texts or numbers. All it knows comes
 * from the training records; as JSON it goes into the checkpoint.
 *
 * Sources are numbered 0 PAD, 1 unknown, then their tokens from 2; targets 0 PAD, 1 unknown, 2 START, 3 END, then theirs from 4.
 * Numbers are scaled: see {@linkcode StepScaler}.
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
  /** The loss that fits the targets: "crossEntropy" of texts, "mse" of numbers. */
  readonly loss: "crossEntropy" | "mse";
  /** Tokens of sources, or the scale of their numbers: `unit` tells. */
  readonly source: Tokenizer | StepScaler;
  /** The same of targets. */
  readonly target: Tokenizer | StepScaler;
  /** Steps that are taken of a source; undefined: all. */
  readonly maxLength: number | undefined;
  /** Steps that a target may have. */
  readonly maxTargetLength: number;
  /** Steps of the longest training target, END among them. */
  readonly longest: number;
  /** How the pairs were read that it was fitted on, as options for reading others; undefined where nobody said. */
  readonly reading: PairReading | undefined;
  /** Guesses made when it was fitted, in words. */
  readonly guesses: readonly string[];
  #vocabulary: string | undefined;

  private constructor(
    sides: Pick<PairPipeline, "source" | "target">,
    { maxLength, maxTargetLength, longest, reading }: Pick<
      PairPipeline,
      "maxLength" | "maxTargetLength" | "longest" | "reading"
    >,
    guesses: readonly string[] = [],
  ) {
    this.source = sides.source;
    this.target = sides.target;
    this.loss = this.target.unit === "numbers" ? "mse" : "crossEntropy";
    this.maxLength = maxLength;
    this.maxTargetLength = maxTargetLength;
    this.longest = longest;
    this.reading = reading && pairReadingState(reading, "reading", PAIR_FORMATS);
    this.guesses = guesses;
  }

  /**
   * A pipeline that knows the training records, and nothing else.
   *
   * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another.
   * @throws {RangeError} If there are no records, or one is without a target, or has one that is too long.
   */
  static fit(records: readonly PairRecord[], given: PairOptions = {}): PairPipeline {
    checkPairs(records);
    const { reading, ...options } = ownOptions("prepare data", given);
    if (!records.length) throw badData("empty", "there are no records");
    const { full, units, guesses } = unitsOf(records, options);
    const { minCount, vocabSize: vocabularySize, vocabulary, maxLength, maxTargetLength, standardize } = full;
    const sequences = (side: "source" | "target") => records.map((record) => sideOf(record, side));
    const fitted = (unit: SequenceUnit, texts: readonly string[], first: number) => {
      const { normalize = usualNormalization(unit) } = full;
      return Tokenizer.fit(texts, { unit, normalize, minCount, vocabularySize }, first);
    };
    const own = (side: "source" | "target", first: number) => {
      const unit = units[side], places = sequences(side).map((one, i) => ({ one, place: records[i]!.place }));
      return unit === "numbers"
        ? StepScaler.fit(
          places.map(({ one, place }) => ({ steps: numbersOf(one, place, side), place })),
          side,
          standardize,
        )
        : fitted(unit, places.map(({ one, place }) => textOf(one, place, side)), first);
    };
    let sides: Pick<PairPipeline, "source" | "target">;
    if (vocabulary === "joint") {
      if (units.source !== units.target || units.source === "numbers") {
        const problem = `a joint vocabulary has one unit, got ${units.source} and ${units.target}`;
        throw badData("option-conflict", problem, { option: "vocabulary", value: vocabulary });
      }
      const texts = (["source", "target"] as const).flatMap((side) =>
        sequences(side).map((one, i) => textOf(one, records[i]!.place, side))
      );
      const source = fitted(units.source, texts, SOURCE_FIRST);
      sides = { source, target: source.from(TARGET_FIRST) };
    } else sides = { source: own("source", SOURCE_FIRST), target: own("target", TARGET_FIRST) };
    const checked = new PairPipeline(sides, { maxLength, maxTargetLength, longest: 1, reading });
    const longest = records.reduce((most, record) => Math.max(most, checked.#steps(record)), 1);
    return new PairPipeline(sides, { maxLength, maxTargetLength, longest, reading }, guesses);
  }

  /**
   * A pipeline as it was stored.
   *
   * @param json What `toJSON` gave; it may come from anybody, and is checked in full.
   * @throws {TypeError} If something is missing, too much, of the wrong type, or does not fit the rest.
   */
  static from(json: unknown): PairPipeline {
    const place = "preprocessing", names = ["source", "target", "maxLength", "maxTargetLength", "longest"] as const;
    const state = fields(json, place, ["kind", "version", ...names], ["reading"]);
    oneOf(state.kind, `${place}.kind`, ["pairs"]);
    whole(state.version, `${place}.version`, 1, 1);
    const side = (name: "source" | "target", first: number) =>
      (state[name] as Partial<StepScalerState> | null)?.unit === "numbers"
        ? StepScaler.from(state[name], `${place}.${name}`)
        : Tokenizer.from(state[name], `${place}.${name}`, first);
    return new PairPipeline({ source: side("source", SOURCE_FIRST), target: side("target", TARGET_FIRST) }, {
      maxLength: nullable(state.maxLength, (value) => whole(value, `${place}.maxLength`, 1)) ?? undefined,
      maxTargetLength: whole(state.maxTargetLength, `${place}.maxTargetLength`, 1, 1e6),
      longest: whole(state.longest, `${place}.longest`, 1, 1e6 + 1),
      reading: state.reading === undefined
        ? undefined
        : pairReadingState(state.reading, `${place}.reading`, PAIR_FORMATS),
    });
  }

  /** As JSON can hold it. */
  toJSON(): PairPipelineState {
    const { source, target, maxLength = null, maxTargetLength, longest, reading } = this;
    return {
      kind: "pairs",
      version: 1,
      source: source.toJSON(),
      target: target.toJSON(),
      maxLength,
      maxTargetLength,
      longest,
      ...reading && { reading },
    };
  }

  /**
   * What tells it from one with other tokens or another scale: a model that is trained with the one refuses the other.
   */
  get vocabulary(): string {
    return this.#vocabulary ??= fingerprint(JSON.stringify([this.source, this.target]));
  }

  /**
   * Records as pairs of tokens or numbers.
   *
   * @throws {RangeError} If a record is without a target, or has one that is too long: the message names the place.
   */
  dataset(records: readonly PairRecord[]): PairDataset {
    const { target, vocabulary } = this, sources = this.sources(records), start = this.start(records);
    if (target.unit !== "numbers") {
      const tokens = records.map((record) => [...this.#targetTokens(record).map((one) => target.number(one)), END]);
      return { sources, targets: ragged(tokens), vocabulary };
    }
    const numbers = records.map((record) => target.scaled(this.#targetNumbers(record), "target"));
    return { sources, targets: ragged(numbers, target.size), ...start && { start }, vocabulary };
  }

  /**
   * What the decoder is fed first for each record; undefined where no record says.
   *
   * @throws {RangeError} If it is not as many numbers as a step of a target has, or targets are texts.
   */
  start(records: readonly Pick<PairRecord, "start" | "place">[]): Float32Array | undefined {
    checkPairs(records);
    const { target } = this, given = records.find(({ start }) => start);
    if (!given) return undefined;
    if (target.unit !== "numbers") {
      const problem = `${given.place}: start belongs to targets of numbers, these are texts`;
      throw badData("input-kind", problem, { name: "start" });
    }
    const start = new Float32Array(records.length * target.size);
    records.forEach(({ start: given, place }, n) => {
      if (given) start.set(target.scaled({ steps: [given], place }, "start"), n * target.size);
    });
    return start;
  }

  /** Sources as tokens or numbers, for prediction. A text without any token is one unknown token. */
  sources(records: readonly Pick<PairRecord, "source" | "place">[]): Ragged {
    checkPairs(records);
    const { source: side } = this;
    if (side.unit === "numbers") {
      const cut = records.map(({ source, place }) =>
        side.scaled({ steps: this.#cut(numbersOf(source, place, "source")), place }, "source")
      );
      return ragged(cut, side.size);
    }
    return ragged(records.map(({ source, place }) => {
      const numbers = this.#cut(side.split(textOf(source, place, "source"))).map((token) => side.number(token));
      return numbers.length ? numbers : [UNKNOWN];
    }));
  }

  /** The steps of a source that are taken: tokens, or numbers in words. */
  split(source: PairSide): string[] {
    const { source: side } = this;
    if (side.unit === "numbers") return this.#cut(numbersOf(source, "", "source")).map(inWords);
    return this.#cut(side.split(textOf(source, "", "source")));
  }

  /** The tokens of a side that training never showed; of numbers none. */
  unknown(name: "source" | "target", text: PairSide): string[] {
    if (name !== "source") oneOf(name, "name", ["target"]);
    const side = this[name];
    if (side.unit === "numbers") return [];
    return side.split(textOf(text, "", name)).filter((token) => side.number(token) === UNKNOWN);
  }

  #cut<T>(steps: readonly T[]): T[] {
    return steps.slice(0, this.maxLength);
  }

  /** Steps of a target, END among them. */
  #steps(record: PairRecord): number {
    return this.target.unit === "numbers"
      ? this.#targetNumbers(record).steps.length
      : this.#targetTokens(record).length + 1;
  }

  #targetNumbers(record: PairRecord): { readonly steps: NumberSteps; readonly place: string } {
    const { place } = record, steps = numbersOf(sideOf(record, "target"), place, "target");
    this.#checkLength(steps.length, place, "steps");
    return { steps, place };
  }

  /** The tokens of a target. */
  #targetTokens(record: PairRecord): string[] {
    const { target } = this, { place } = record, text = textOf(sideOf(record, "target"), place, "target");
    if (target.unit === "numbers") throw badData("input-kind", "targets are numbers, not texts");
    const tokens = target.split(text);
    if (!tokens.length) throw badData("text-missing", `${place}: the target is empty`);
    this.#checkLength(tokens.length, place, "tokens");
    return tokens;
  }

  #checkLength(length: number, place: string, what: string): void {
    if (length <= this.maxTargetLength) return;
    const problem = `${place}: the target has ${length} ${what}, more than the limit, ${this.maxTargetLength}`;
    throw badData("target-too-long", problem, {
      option: "maxTargetLength",
      value: length,
      advice: "raise maxTargetLength, or leave it out",
    });
  }

  /** Records by source, each with its different targets as tokens, in the order in which they come. */
  groups(records: readonly PairRecord[]): PairGroup[] {
    checkPairs(records);
    const groups = new Map<string, { group: PairGroup; known: Set<string>; references: string[][] }>();
    for (const record of records) {
      const source = this.split(record.source), target = this.#targetTokens(record);
      const key = typeof record.source === "string" ? source.join("\0") : JSON.stringify(record.source);
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
  tokens(answer: SearchedAnswer, source?: readonly string[]): string[] {
    checkAnswer(answer, source);
    const { tokens, aligned } = answer, target = this.#words();
    return tokens.map((token, u) =>
      target.token(token) ?? (source && source[aligned[u]!] !== undefined ? source[aligned[u]!]! : UNKNOWN_TEXT)
    );
  }

  /** The text of an answer's tokens. */
  text(tokens: readonly string[]): string {
    return this.#words().text(tokens);
  }

  /** What splits targets that are texts. */
  #words(): Tokenizer {
    if (this.target.unit === "numbers") throw badData("input-kind", "targets are numbers, not texts");
    return this.target;
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
    const { unit } = this.#words(), isText = unit === "characters" || unit === "subwords";
    return sequenceMetrics(found, references, {
      tokenize: BLEU[unit],
      ...isText && { text: (tokens: readonly string[]) => this.text(tokens) },
    });
  }

  /**
   * Refuses a model whose sides are not the pipeline's.
   *
   * @param sizes Of the model's sources and targets: tokens there are, or numbers of a step.
   * @throws {RangeError} With both.
   */
  checkSizes(action: string, sizes: { readonly [Side in "source" | "target"]: PairSize }): void {
    checkArgument(action, "sizes", sizes, ["source", "target"]);
    for (const name of ["source", "target"] as const) {
      checkArgument(action, `sizes.${name}`, sizes[name], ["size", "tokens"]);
      const side = this[name], isNumbers = side.unit === "numbers", { size, tokens } = sizes[name];
      if (side.size === size && isNumbers !== tokens) continue;
      const words = (n: number, tokens: boolean) => tokens ? `${n} tokens` : `${n} numbers for every step`;
      const has = isNumbers ? `the ${name}s have` : `the ${name} vocabulary has`;
      const takes = tokens !== isNumbers && tokens ? `${size}` : words(size, tokens);
      const problem = `${has} ${words(side.size, !isNumbers)}, and the model takes ${takes}: it is from another file`;
      throw fail("preprocessing-mismatch", action, problem, { name: name, value: side.size });
    }
  }
}
