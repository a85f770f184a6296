/** Beam search over the steps of a decoder, whatever computes them. */

import { fail } from "../errors.ts";
import { exp, log } from "../math.ts";
import type { OptionSpec } from "../options.ts";
import type { NamedArray } from "./arrays.ts";
import { END, PAD, START } from "./layers/decoder_options.ts";

/** Options of {@linkcode Searcher.search}. */
export interface SearchOptions {
  /** Most tokens of an answer, END among them. Default 50. */
  maxLength?: number;
  /** Fewest tokens of an answer, END not among them. Default 0. */
  minLength?: number;
  /** Hypotheses that are followed. 1 is greedy: always the likeliest token. Default 1. */
  width?: number;
  /** Hypotheses that are given back, at most `width`. Default: as many. */
  nBest?: number;
  /** How much longer answers are favored, α: sum / ((5 + tokens) / 6)^α (arXiv:1609.08144), END counted. Default 0. */
  lengthPenalty?: number;
  /**
   * How much answers are favored that look at every step of the sequence, β: β · Σ_s log min(1, Σ_u attention_us) is added to
   * the score of those that have ended (arXiv:1609.08144). Default 0.
   */
  coveragePenalty?: number;
  /** No n tokens in a row occur twice in an answer; 0: they may. Default 0. */
  noRepeat?: number;
  /** Tokens that answers begin with: the same for all sequences, or a list for each. Default: none. */
  prefix?: readonly number[] | readonly (readonly number[])[];
  /** Sequences that are answered at once. Answers are the same with any. Default: by `width`, 256 hypotheses in all. */
  batchSize?: number;
}

/** Options but for lists. */
export const SEARCH_OPTIONS: { readonly [Name in Exclude<keyof SearchOptions, "prefix">]-?: OptionSpec } = {
  width: { type: "integer", default: 1, least: 1, most: 1024, about: "hypotheses that are followed; 1: greedy" },
  nBest: { type: "integer", optional: true, least: 1, most: 1024, about: "hypotheses that are given back" },
  maxLength: { type: "integer", default: 50, least: 1, most: 1e6, about: "most tokens of an answer" },
  minLength: { type: "integer", default: 0, least: 0, most: 1e6, about: "fewest tokens of an answer" },
  lengthPenalty: { type: "number", default: 0, least: 0, most: 10, about: "how much longer answers are favored" },
  coveragePenalty: { type: "number", default: 0, least: 0, most: 10, about: "how much looking everywhere is favored" },
  noRepeat: { type: "integer", default: 0, least: 0, most: 1e6, about: "tokens in a row that never occur twice" },
  batchSize: { type: "integer", optional: true, least: 1, most: 1e6, about: "sequences that are answered at once" },
};

/** The options of a search, filled in. */
export type FullSearchOptions =
  & Required<Omit<SearchOptions, "prefix" | "batchSize">>
  & { readonly prefixes: readonly (readonly number[])[] };

/** An answer to one sequence. */
export interface Hypothesis {
  /** Its tokens, without END. */
  readonly tokens: readonly number[];
  /** Whether it ended by itself, before `maxLength`. */
  readonly ended: boolean;
  /** The sum of its tokens' log-probabilities, with END's. */
  readonly sum: number;
  /** The sum with the penalties: what answers are ranked by. */
  readonly score: number;
  /** The log-probability of each token, END's too. */
  readonly logProbabilities: readonly number[];
  /**
   * For each token the step of the sequence that counted most: where it is UNKNOWN, the word there may stand in for it. The
   * first of equals.
   */
  readonly aligned: readonly number[];
  /** How much each step of the sequence counted at each token, END's too: (tokens, T). */
  readonly attention: NamedArray;
}

/** A decoder that takes steps: of some hypotheses at once, a row each. */
export interface Steps {
  /** Tokens there are. */
  readonly V: number;
  /** Steps of the longest sequence. */
  readonly T: number;
  /**
   * Takes a step.
   *
   * @param tokens What each row is fed.
   * @param parents The row of the step before that each goes on from; in the first step, the sequence.
   * @returns Logits (rows, V) and what the attention weighed (rows, T).
   */
  next(tokens: Int32Array, parents: Int32Array): Promise<{ logits: Float32Array; weights: Float32Array }>;
}

/** A hypothesis in the making: a token and those before it. */
interface Path {
  readonly token: number;
  readonly before: Path | null;
  readonly sum: number;
  /** Its row in the step that found it. */
  readonly row: number;
  /** What the attention weighed then, in all rows. */
  readonly weights: Float32Array;
}

/** A sequence that is being answered. */
interface Search {
  /** What continues, each with its row in the next step. */
  live: (Path | null)[];
  readonly finished: { readonly path: Path; readonly length: number; readonly ended: boolean }[];
}

/** A live hypothesis and a token that continues it. */
interface Candidate {
  /** Which of the live ones. */
  readonly at: number;
  readonly token: number;
  readonly sum: number;
}

const ACTION = "search";

/**
 * The best answers to each sequence. Every live hypothesis is continued by every token but PAD and START; of the candidates by
 * falling sums those among the first `width` that end are finished, and the first `width` that do not live on, until `width` have
 * finished or answers are `maxLength` tokens long. The finished are ranked by their scores.
 *
 * @param lengths Steps of each sequence.
 */
export async function beamSearch(
  steps: Steps,
  lengths: ArrayLike<number>,
  options: FullSearchOptions,
): Promise<Hypothesis[][]> {
  const { width, maxLength, prefixes } = options, { V, T } = steps;
  const searches = Array.from(lengths, (): Search => ({ live: [null], finished: [] }));
  let tokens = new Int32Array(searches.length).fill(START), parents = Int32Array.from(searches.keys());
  for (let length = 1; tokens.length; length++) {
    const { logits, weights } = await steps.next(tokens, parents),
      nextTokens: number[] = [],
      nextParents: number[] = [];
    let first = 0;
    searches.forEach((search, i) => {
      const { live, finished } = search;
      if (!live.length) return;
      const row = (at: number) => first + at;
      const rows = logits.subarray(first * V, (first + live.length) * V);
      const found = candidates(live, rows, length, prefixes[i]![length - 1], options);
      const path = ({ at, token, sum }: Candidate): Path => ({ token, before: live[at]!, sum, row: row(at), weights });
      for (const candidate of found.slice(0, width)) {
        if (candidate.token === END) finished.push({ path: path(candidate), length, ended: true });
      }
      const going = found.filter(({ token }) => token !== END).slice(0, width).map(path);
      // What nothing may continue ends as it is.
      if (!going.length && !finished.length) {
        for (const path of live) if (path) finished.push({ path, length: length - 1, ended: false });
      }
      first += live.length;
      const isLast = length === maxLength && finished.length < width;
      if (isLast) { for (const path of going) finished.push({ path, length, ended: false }); }
      search.live = isLast || finished.length >= width ? [] : going;
      for (const path of search.live) {
        nextTokens.push(path!.token);
        nextParents.push(path!.row);
      }
    });
    [tokens, parents] = [Int32Array.from(nextTokens), Int32Array.from(nextParents)];
  }
  return searches.map(({ finished }, i) => ranked(finished, [lengths[i]!, T], options));
}

/** The finished hypotheses of a sequence of S steps, the best first, of which steps weigh T. */
function ranked(
  finished: Search["finished"],
  [S, T]: readonly [number, number],
  { nBest, lengthPenalty, coveragePenalty }: FullSearchOptions,
): Hypothesis[] {
  const all = finished.map(({ path, length, ended }): Hypothesis => {
    const data = new Float32Array(length * S), tokens = new Array<number>(length), sums = new Array<number>(length);
    let u = length;
    for (let at: Path | null = path; at; at = at.before) {
      const { token, sum, before, row, weights } = at, from = row * T;
      tokens[--u] = token;
      sums[u] = sum - (before?.sum ?? 0);
      for (let s = 0; s < S; s++) data[u * S + s] = weights[from + s]!;
    }
    if (ended) tokens.pop();
    const covered = coveragePenalty ? coveragePenalty * coverage(data, S) : 0;
    return {
      tokens,
      ended,
      sum: path.sum,
      score: path.sum / exp(lengthPenalty * log((5 + length) / 6)) + covered,
      logProbabilities: sums,
      aligned: tokens.map((_, u) => mostLooked(data, u * S, S)),
      attention: { shape: [length, S], data },
    };
  });
  return all.sort((a, b) => b.score - a.score).slice(0, nBest);
}

/** Which of S weights is the greatest, the first of equals. */
function mostLooked(weights: Float32Array, from: number, S: number): number {
  let most = 0;
  for (let s = 1; s < S; s++) if (weights[from + s]! > weights[from + most]!) most = s;
  return most;
}

/** What a step that is hardly looked at counts at least. */
const LEAST = 1e-9;

/** Σ_s log min(1, Σ_u attention_us). */
function coverage(attention: Float32Array, S: number): number {
  let sum = 0;
  for (let s = 0; s < S; s++) {
    let seen = 0;
    for (let at = s; at < attention.length; at += S) seen += attention[at]!;
    sum += log(Math.min(1, Math.max(seen, LEAST)));
  }
  return sum;
}

/**
 * The best continuations of a sequence's live hypotheses, twice as many as the width, the best first.
 *
 * @param length Tokens with this one.
 * @param forced The token that this one must be.
 */
function candidates(
  live: readonly (Path | null)[],
  logits: Float32Array,
  length: number,
  forced: number | undefined,
  { width, minLength, noRepeat }: FullSearchOptions,
): Candidate[] {
  const best: Candidate[] = [], V = logits.length / live.length;
  live.forEach((path, at) => {
    const own = logits.subarray(at * V, (at + 1) * V), before = path?.sum ?? 0;
    let largest = -Infinity, sum = 0;
    for (let i = 0; i < V; i++) {
      const x = own[i]!;
      if (Number.isNaN(x)) throw fail("not-finite", ACTION, "the decoder's output is not a number", { name: "output" });
      if (x > largest) largest = x;
    }
    for (let i = 0; i < V; i++) sum += exp(own[i]! - largest);
    const all = before - largest - log(sum);
    const add = (token: number) => {
      const total = all + own[token]!;
      if (best.length === 2 * width && total <= best[best.length - 1]!.sum) return;
      let place = best.length;
      while (place > 0 && best[place - 1]!.sum < total) place--;
      best.splice(place, 0, { at, token, sum: total });
      if (best.length > 2 * width) best.pop();
    };
    if (forced !== undefined) return add(forced);
    const repeats = noRepeat && path ? repeated(path, length - 1, noRepeat) : undefined;
    for (let token = 0; token < V; token++) {
      if (token === PAD || token === START || token === END && length <= minLength || repeats?.has(token)) continue;
      add(token);
    }
  });
  return best;
}

/** The tokens that would end n tokens in a row which are there already. */
function repeated(path: Path, length: number, n: number): Set<number> {
  const tokens = new Int32Array(length), found = new Set<number>();
  let at = length;
  for (let one: Path | null = path; one; one = one.before) tokens[--at] = one.token;
  const last = length - n + 1;
  for (let start = 0; start < last; start++) {
    let same = 0;
    while (same < n - 1 && tokens[start + same] === tokens[last + same]) same++;
    if (same === n - 1) found.add(tokens[start + n - 1]!);
  }
  return found;
}
