/** Byte-pair encoding of words: pieces that occur together most often become one (Sennrich, Haddow and Birch 2016). */

import { byCodePoint } from "./vocabulary.ts";

/** Two pieces that become one. */
export type Merge = readonly [left: string, right: string];

/** A word in the making, and how often it occurs. */
interface Word {
  pieces: number[];
  readonly count: number;
}

/** Pieces by number, and pairs of them with their counts. */
class Pairs {
  readonly pieces: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #counts = new Map<number, number>();
  /** The words that each pair occurs in, or did. */
  readonly words = new Map<number, Set<number>>();
  /** The pairs that occur `#bound` times or more: the best is among them, as long as there is one. */
  #frequent = new Set<number>();
  #bound = 0;

  number(piece: string): number {
    const known = this.#numbers.get(piece);
    if (known !== undefined) return known;
    this.#numbers.set(piece, this.pieces.push(piece) - 1);
    return this.pieces.length - 1;
  }

  add(word: number, { pieces, count }: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < pieces.length; i++) {
      const pair = pieces[i]! * LIMIT + pieces[i + 1]!, total = (this.#counts.get(pair) ?? 0) + sign * count;
      if (total) this.#counts.set(pair, total);
      else this.#counts.delete(pair);
      if (total >= this.#bound) this.#frequent.add(pair);
      let words = this.words.get(pair);
      if (!words) this.words.set(pair, words = new Set());
      if (sign > 0) words.add(word);
    }
  }

  /** The pair that occurs most often, of equals the first by code points; undefined where none occurs twice. */
  best(): number | undefined {
    let found: number | undefined, most = 1;
    for (const pair of this.#frequent) {
      const count = this.#counts.get(pair) ?? 0;
      if (count < this.#bound) this.#frequent.delete(pair);
      else if (count > most || count === most && found !== undefined && this.#compare(pair, found) < 0) {
        [found, most] = [pair, count];
      }
    }
    if (found !== undefined || this.#bound === 0) return found;
    const largest = this.#counts.values().reduce((a, b) => Math.max(a, b), 0);
    if (largest < 2) return undefined;
    this.#bound = Math.max(2, Math.floor(0.9 * largest));
    this.#frequent = new Set(
      this.#counts.entries().filter(([, count]) => count >= this.#bound).map(([pair]) => pair),
    );
    return this.best();
  }

  /** The best pair is sought among few from now on. */
  ready(): void {
    this.#bound = Infinity;
    this.#frequent.clear();
  }

  split(pair: number): [left: number, right: number] {
    return [Math.floor(pair / LIMIT), pair % LIMIT];
  }

  #compare(a: number, b: number): number {
    const [left, right] = this.split(a).map((n) => this.pieces[n]!), [l, r] = this.split(b).map((n) => this.pieces[n]!);
    return byCodePoint(left!, l!) || byCodePoint(right!, r!);
  }
}

/** More pieces than there can be. */
const LIMIT = 2 ** 26;

/**
 * The merges that words ask for, the most frequent pair first, of equals the first by code points. The same words give the
 * same merges, in whatever order they come.
 *
 * @param counts Words with how often they occur.
 * @param most Pieces at most, single characters among them.
 * @param known The characters that pieces are made of; others stay by themselves.
 */
export function learnMerges(
  counts: ReadonlyMap<string, number>,
  most: number,
  known: ReadonlySet<string>,
): Merge[] {
  const pairs = new Pairs(), merges: Merge[] = [], pieces = new Set(known);
  const words = [...counts].flatMap(([word, count]) => runs(word, known).map((run) => ({ run, count }))).map((
    { run, count },
  ): Word => ({ pieces: run.map((piece) => pairs.number(piece)), count }));
  words.forEach((word, w) => pairs.add(w, word, 1));
  pairs.ready();
  while (pieces.size < most) {
    const best = pairs.best();
    if (best === undefined) break;
    const [left, right] = pairs.split(best), one = pairs.pieces[left]! + pairs.pieces[right]!, into = pairs.number(one);
    merges.push([pairs.pieces[left]!, pairs.pieces[right]!]);
    pieces.add(one);
    for (const w of pairs.words.get(best)!) {
      const word = words[w]!;
      pairs.add(w, word, -1);
      word.pieces = joined(word.pieces, left, right, into);
      pairs.add(w, word, 1);
    }
    pairs.words.delete(best);
  }
  return merges;
}

/** The stretches of a word that are of known characters. */
function runs(word: string, known: ReadonlySet<string>): string[][] {
  const found: string[][] = [[]];
  for (const character of word) {
    if (known.has(character)) found.at(-1)!.push(character);
    else found.push([]);
  }
  return found.filter((run) => run.length > 1);
}

/** Pieces with every occurrence of a pair made one, from the left. */
function joined<T>(pieces: readonly T[], left: T, right: T, into: T): T[] {
  const result: T[] = [];
  for (let i = 0; i < pieces.length; i++) {
    if (pieces[i] === left && i + 1 < pieces.length && pieces[i + 1] === right) {
      result.push(into);
      i++;
    } else result.push(pieces[i]!);
  }
  return result;
}

/** Words that are remembered with their pieces. */
const REMEMBERED = 1 << 16;

/** Splits words into pieces by merges, the earliest learned first. */
export class BytePairs {
  readonly merges: readonly Merge[];
  /** The place of each merge, by its pieces. */
  readonly #ranks: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly #known = new Map<string, readonly string[]>();

  constructor(merges: readonly Merge[]) {
    this.merges = merges;
    const ranks = new Map<string, Map<string, number>>();
    merges.forEach(([left, right], rank) => {
      const own = ranks.get(left) ?? new Map<string, number>();
      ranks.set(left, own.set(right, rank));
    });
    this.#ranks = ranks;
  }

  split(word: string): readonly string[] {
    const known = this.#known.get(word);
    if (known) return known;
    let pieces: readonly string[] = [...word];
    for (;;) {
      let first = Infinity;
      for (let i = 0; i + 1 < pieces.length; i++) {
        first = Math.min(first, this.#ranks.get(pieces[i]!)?.get(pieces[i + 1]!) ?? Infinity);
      }
      if (first === Infinity) break;
      const [left, right] = this.merges[first]!;
      pieces = joined(pieces, left, right, left + right);
    }
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(word, pieces);
    return pieces;
  }
}
