/** Metrics of answers that are sequences of tokens. */

import { checkArgument } from "../../errors.ts";
import { type Bleu, bleu, type BleuTokenizer, chrf, type CorpusScore } from "./bleu.ts";
import { ownOptions } from "../../options.ts";
import { checkReferences, errorRate } from "./errors.ts";

/** Metrics of answers that are sequences of tokens. */
export interface SequenceMetrics {
  /** Always "sequences". */
  readonly kind: "sequences";
  /** Answers. */
  readonly count: number;
  /** Share of answers that are one of their references, from 0 to 1. */
  readonly exactMatch: number;
  /** {@linkcode errorRate} of tokens: of words, phonemes or characters, whatever they are. */
  readonly tokenErrorRate: number;
  /** {@linkcode errorRate} of the characters of the texts. */
  readonly characterErrorRate: number;
  /** BLEU of the texts, from 0 to 100. */
  readonly bleu: Bleu;
  /** chrF of the texts, from 0 to 100. */
  readonly chrf: CorpusScore;
  /** Share of tokens, END among them, that are the likeliest where the right ones before are given; absent unless measured. */
  readonly tokenAccuracy?: number;
}

/** Options of {@linkcode sequenceMetrics}. */
export interface SequenceMetricsOptions {
  /** The text of tokens. Default: joined by a space. */
  text?: (tokens: readonly string[]) => string;
  /** How BLEU splits texts into words. Default "none": at spaces. */
  tokenize?: BleuTokenizer;
}

/**
 * What answers are worth that are sequences of tokens, beside one or more references each.
 *
 * @param found Answers.
 * @param references Of each answer one or more.
 * @throws {RangeError} If there are no answers, or one has no reference.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { sequenceMetrics } from "@grutto/grutto";
 *
 * const metrics = sequenceMetrics([["das", "ist", "gut"]], [[["das", "ist", "sehr", "gut"], ["das", "ist", "gut"]]]);
 * assert.deepEqual([metrics.exactMatch, metrics.tokenErrorRate, metrics.chrf.score], [1, 0, 100]);
 * ```
 */
export function sequenceMetrics(
  found: readonly (readonly string[])[],
  references: readonly (readonly (readonly string[])[])[],
  options: SequenceMetricsOptions = {},
): SequenceMetrics {
  const own = ownOptions("compute metrics", options, { text: true, tokenize: true });
  const { text = (tokens: readonly string[]) => tokens.join(" "), tokenize = "none" } = own;
  checkReferences("compute metrics", found, references, "tokens");
  checkArgument("compute metrics", "text", text, "function");
  const same = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((t, i) => t === b[i]);
  const right = found.filter((answer, i) => references[i]!.some((reference) => same(answer, reference)));
  const texts = found.map(text), wanted = references.map((own) => own.map(text));
  const characters = (line: string) => [...line];
  return {
    kind: "sequences",
    count: found.length,
    exactMatch: right.length / found.length,
    tokenErrorRate: errorRate(found, references),
    characterErrorRate: errorRate(texts.map(characters), wanted.map((own) => own.map(characters))),
    bleu: bleu(texts, wanted, { tokenize }),
    chrf: chrf(texts, wanted),
  };
}
