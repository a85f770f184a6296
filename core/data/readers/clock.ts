/**
 * Times in text.
 *
 * @module
 */

import { badFile, show } from "./bad_data.ts";
import { numberIn } from "./numbers.ts";

const DATE =
  /^(\d{4})[-/](\d\d?)(?:[-/](\d\d?)(?:[T ]\s*(\d\d?)(?::(\d\d?)(?::(\d\d?(?:\.\d*)?))?)?)?)?\s*(?:Z|UTC|([+-]\d\d):?(\d\d))?$/i;

/** The time of a number or an ISO date; undefined where it is neither. Without a zone, a date is one of UTC. */
export function timeIn(cell: string): number | undefined {
  const number = numberIn(cell);
  if (number !== undefined) return number === number ? number : undefined;
  const found = cell.trim().match(DATE);
  if (!found) return undefined;
  const [year, month, day, hour, minute, second, zoneHours, zoneMinutes] = found.slice(1).map((part) =>
    Number(part ?? 0)
  );
  if (month! < 1 || month! > 12 || day! > 31 || hour! > 24 || minute! > 59 || second! >= 61) return undefined;
  const zone = 60 * zoneHours! + (found[7]?.startsWith("-") ? -zoneMinutes! : zoneMinutes!);
  return Date.UTC(year!, month! - 1, day || 1, hour, minute! - zone, 0) + 1000 * second!;
}

/** A time in a file, which must be one. */
export function checkTime(file: string, cell: string, where: () => string): number {
  const time = timeIn(cell);
  if (time !== undefined) return time;
  const what = `must be at a time that is a number or a date as 2026-01-31, got ${show(cell)}`;
  throw badFile("file-malformed", file, `${where()} ${what}`);
}

/** Holds that times do not go back. */
export class Clock {
  readonly #file: string;
  #last: number | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** Begins anew. */
  reset(): void {
    this.#last = undefined;
  }

  /** Takes the next time, and says what it is. */
  check(cell: string, where: () => string): number {
    const time = checkTime(this.#file, cell, where);
    if (this.#last !== undefined && time < this.#last) {
      throw badFile(
        "sequence-order",
        this.#file,
        `${where()}: the time goes back, to ${show(cell)}: steps must be in order`,
      );
    }
    this.#last = time;
    return time;
  }
}
