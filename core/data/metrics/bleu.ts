/** BLEU and chrF of a corpus, as sacrebleu computes them (Post 2018, arXiv:1804.08771). */

import { spell } from "../../display.ts";
import { fail } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import { VERSION } from "../../version.ts";
import { checkReferences } from "./errors.ts";

/** How texts become words for BLEU, under sacrebleu's names; "none" splits at white space alone. */
export type BleuTokenizer = "none" | "13a" | "intl" | "char";

/** What Python takes for white space. */
// deno-lint-ignore no-control-regex -- Python has them among its white space
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/gu;

const TOKENIZERS: Readonly<Record<BleuTokenizer, (line: string) => string>> = {
  none: (line) => line,
  /** That of mteval-v13a.pl, of the conference on machine translation. */
  "13a": (line) =>
    ` ${
      line.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ").replaceAll("&quot;", '"')
        .replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
    } `.replace(/([{-~[-` -&(-+:-@/])/gu, " $1 ").replace(/([^0-9])([.,])/gu, "$1 $2 ")
      .replace(/([.,])([^0-9])/gu, " $1 $2").replace(/([0-9])(-)/gu, "$1 $2 "),
  /** By Unicode's kinds of characters. */
  intl: (line) =>
    line.replace(/(\P{N})(\p{P})/gu, "$1 $2 ").replace(/(\p{P})(\P{N})/gu, " $1 $2").replace(/(\p{S})/gu, " $1 "),
  char: (line) => [...line].join(" "),
};

const split = (text: string) => text.split(SPACE).filter(Boolean);

/** Options of {@linkcode bleu}. */
export interface BleuOptions {
  /** How texts become words. Default "13a", sacrebleu's. */
  tokenize?: BleuTokenizer;
}

/** A score of a corpus. */
export interface CorpusScore {
  /** From 0 to 100. */
  readonly score: number;
  /** How it was computed, as sacrebleu says it. */
  readonly signature: string;
}

/** Result of {@linkcode bleu}. */
export interface Bleu extends CorpusScore {
  /** Precisions of n-grams, n = 1 to 4, from 0 to 100. */
  readonly precisions: readonly number[];
  /** The factor for answers that are shorter than their references, from 0 to 1. */
  readonly brevityPenalty: number;
}

/** Longest n-grams of words. */
const ORDER = 4;

/**
 * BLEU of a corpus: the geometric mean of the precisions of 1- to 4-grams, times the brevity penalty. It equals
 * sacrebleu's corpus BLEU with exponential smoothing.
 *
 * @param found Answers.
 * @param references Of each answer one or more.
 * @throws {RangeError} If there are no answers, or one has no reference.
 * @throws {TypeError} If there is no such tokenizer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { bleu } from "@grutto/grutto";
 *
 * const { score, signature } = bleu(["the cat sat on the mat."], [["the cat sat on a mat.", "a cat sat on the mat."]]);
 * assert.ok(score > 60 && score < 100);
 * assert.match(signature, /^nrefs:2\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:/);
 * ```
 */
export function bleu(
  found: readonly string[],
  references: readonly (readonly string[])[],
  options: BleuOptions = {},
): Bleu {
  const action = "compute BLEU", { tokenize = "13a" } = ownOptions(action, options, { tokenize: true });
  checkReferences(action, found, references, "strings");
  if (!Object.hasOwn(TOKENIZERS, tokenize)) {
    const problem = `tokenize must be one of ${Object.keys(TOKENIZERS).join(", ")}, got "${spell(tokenize)}"`;
    throw fail("option-type", action, problem, { option: "tokenize", value: tokenize });
  }
  const words = (text: string) => split(TOKENIZERS[tokenize](text.trimEnd()));
  const hits = new Array<number>(ORDER).fill(0), totals = new Array<number>(ORDER).fill(0);
  let length = 0, wanted = 0;
  found.forEach((answer, i) => {
    const own = words(answer), others = references[i]!.map(words);
    length += own.length;
    wanted += closest(others.map((other) => other.length), own.length);
    for (let n = 1; n <= ORDER; n++) {
      const most = new Map<string, number>();
      for (const other of others) {
        for (const [gram, count] of grams(other, n)) if (count > (most.get(gram) ?? 0)) most.set(gram, count);
      }
      for (const [gram, count] of grams(own, n)) hits[n - 1]! += Math.min(count, most.get(gram) ?? 0);
      totals[n - 1]! += Math.max(own.length - n + 1, 0);
    }
  });
  const brevityPenalty = length >= wanted ? 1 : length ? Math.exp(1 - wanted / length) : 0;
  const signature = `nrefs:${countOf(references)}|case:mixed|eff:no|tok:${tokenize}|smooth:exp|version:${PROGRAM}`;
  const precisions = new Array<number>(ORDER).fill(0);
  if (hits.every((count) => !count)) return { score: 0, precisions, brevityPenalty, signature };
  let smooth = 1;
  for (let n = 0; n < ORDER && totals[n]; n++) {
    if (!hits[n]) smooth *= 2;
    precisions[n] = hits[n] ? 100 * hits[n]! / totals[n]! : 100 / (smooth * totals[n]!);
  }
  const score = brevityPenalty * Math.exp(precisions.reduce((sum, p) => sum + Math.log(p), 0) / ORDER);
  return { score, precisions, brevityPenalty, signature };
}

/** The length nearest to that of an answer, of two the shorter. */
function closest(lengths: readonly number[], own: number): number {
  return lengths.reduce((best, n) => {
    const difference = Math.abs(n - own) - Math.abs(best - own);
    return difference < 0 || difference === 0 && n < best ? n : best;
  });
}

/** What signatures call the program. */
const PROGRAM = `grutto-${VERSION}`;

/** How many references answers have: "var" where it varies. */
function countOf(references: readonly (readonly unknown[])[]): number | "var" {
  const count = references[0]!.length;
  return references.every((own) => own.length === count) ? count : "var";
}

/** How often each n-gram occurs. */
function grams(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    // No token holds a space.
    const gram = tokens.slice(i, i + n).join(" ");
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** Longest n-grams of characters, and how much more recall counts than precision. */
const CHARACTERS = 6, BETA = 2;

/**
 * chrF of a corpus: the F-score, recall counting twice, of the mean precision and recall of 1- to 6-grams of characters,
 * spaces left out (Popović 2015). It equals sacrebleu's corpus chrF2; of several references the one counts that an answer
 * has the best score with.
 *
 * @param found Answers.
 * @param references Of each answer one or more.
 * @throws {RangeError} If there are no answers, or one has no reference.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { chrf } from "@grutto/grutto";
 *
 * assert.equal(chrf(["ein Hund"], [["ein Hund", "der Hund"]]).score, 100);
 * ```
 */
export function chrf(found: readonly string[], references: readonly (readonly string[])[]): CorpusScore {
  checkReferences("compute chrF", found, references, "strings");
  const all = new Float64Array(3 * CHARACTERS);
  found.forEach((answer, i) => {
    const own = characterGrams(answer);
    let best = -1, kept = all;
    for (const reference of references[i]!) {
      const counts = matches(own, characterGrams(reference)), score = fScore(counts);
      if (score > best) [best, kept] = [score, counts];
    }
    kept.forEach((count, k) => all[k]! += count);
  });
  const signature = `nrefs:${countOf(references)}|case:mixed|eff:yes|nc:${CHARACTERS}|nw:0|space:no|version:${PROGRAM}`;
  return { score: fScore(all), signature };
}

/** The n-grams of a text's characters, n = 1 to 6. */
function characterGrams(text: string): Map<string, number>[] {
  const characters = [...text.replace(SPACE, "")];
  return Array.from({ length: CHARACTERS }, (_, n) => grams(characters, n + 1));
}

/** For each n: the n-grams of an answer, those of its reference, and how many they share. */
function matches(
  own: readonly Map<string, number>[],
  other: readonly Map<string, number>[],
): Float64Array<ArrayBuffer> {
  const total = (counts: Map<string, number>) => counts.values().reduce((a, b) => a + b, 0);
  return Float64Array.from(own.flatMap((counts, n) => {
    const shared = counts.entries().reduce((sum, [gram, count]) => sum + Math.min(count, other[n]!.get(gram) ?? 0), 0);
    return [other[n]!.size ? total(counts) : 0, total(other[n]!), shared];
  }));
}

/** The F-score of counts, over those n of which both sides have n-grams. */
function fScore(counts: Float64Array): number {
  let precision = 0, recall = 0, orders = 0;
  for (let k = 0; k < counts.length; k += 3) {
    const [own, other, shared] = counts.subarray(k, k + 3) as unknown as [number, number, number];
    if (!own || !other) continue;
    precision += shared / own;
    recall += shared / other;
    orders++;
  }
  if (!(precision + recall)) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * (1 + BETA ** 2) * precision * recall / (BETA ** 2 * precision + recall);
}
