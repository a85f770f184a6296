/**
 * Times in text, as they come.
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { bestOf, FIRST_CHOICES, TIME_READERS } from "./dates.ts";

/** A way to read times that has read all cells so far, and the times of the current sequence. */
interface Way {
  readonly read: (cell: string) => number | undefined;
  readonly last?: number;
  readonly times: number[];
}

/**
 * Reads the times of a column one by one, in whatever way they are written: the ways that do not read a cell, or by which
 * the time goes back where it does not by another, are out.
 */
export class Clock {
  readonly #file: string;
  readonly #keeps: boolean;
  #ways: readonly Way[] = TIME_READERS.map((read) => ({ read, times: [] }));
  #isFirst = true;

  /** @param options Whether `times` are kept. */
  constructor(file: string, { keeps = false }: { readonly keeps?: boolean } = {}) {
    this.#file = file;
    this.#keeps = keeps;
  }

  /** Begins anew. */
  reset(): void {
    this.#ways = this.#ways.map(({ read }) => ({ read, times: [] }));
  }

  /** The times since it began, where they are kept. */
  get times(): Float64Array {
    const all = this.#ways.map(({ times }) => Float64Array.from(times));
    return TIME_READERS.indexOf(this.#ways[0]!.read) < FIRST_CHOICES ? all[0]! : bestOf(all)!;
  }

  /** Takes the next time, in whatever order. */
  read(cell: string, where: () => string): void {
    this.#ways = this.#read(cell, where);
  }

  /** Takes the next time, which must not go back. */
  check(cell: string, where: () => string): void {
    const read = this.#read(cell, where), last = new Map(this.#ways.map((way) => [way.read, way.last]));
    const rising = read.filter((way) => !(way.last! < last.get(way.read)!));
    if (!rising.length) {
      const what = `the time goes back, to ${show(cell)}: steps must be in order`;
      throw badFile("sequence-order", this.#file, `${where()}: ${what}`);
    }
    if (this.#keeps) { for (const { times, last } of rising) times.push(last!); }
    this.#ways = rising;
  }

  #read(cell: string, where: () => string): Way[] {
    const found: Way[] = [];
    for (const { read, times } of this.#ways) {
      const last = read(cell);
      if (last !== undefined) found.push({ read, last, times });
    }
    if (!found.length) {
      const as = this.#isFirst ? "that is a number or a date as 2026-01-31" : "written as those before it";
      throw badFile("file-malformed", this.#file, `${where()} must be at a time ${as}, got ${show(cell)}`);
    }
    this.#isFirst = false;
    return found;
  }
}
