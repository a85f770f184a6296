/**
 * Dates as programs and people write them: which way a column has them is told by all of its cells.
 *
 * @module
 */

import { numberIn } from "./numbers.ts";

/** A number or an ISO date. */
const DATE =
  /^(\d{4})[-/](\d\d?)(?:[-/](\d\d?)(?:[T ]\s*(\d\d?)(?::(\d\d?)(?::(\d\d?(?:\.\d*)?))?)?)?)?\s*(?:Z|UTC|([+-]\d\d):?(\d\d))?$/i;

/** The time of a number or an ISO date; undefined where it is neither. Without a zone, a date is one of UTC. */
function timeIn(cell: string): number | undefined {
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

/** A date without signs between its parts. */
const COMPACT = /^((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])?$/;

const DAY_NAMES = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+/i;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** A time of day behind a date, or by itself: 14:05, 14:05:30.5, 2:05 PM. */
const TIME = /^(\d\d?):(\d\d)(?::(\d\d(?:[.,]\d*)?))?\s*([ap]\.?m\.?)?$/i;

/** Dates whose parts are numbers, but for the year at the front; with points, the day is first. */
const DAY_FIRST = /^(\d\d?)([-/.])\s?(\d\d?)\2\s?(\d{4}|\d\d)$/;
const MONTH_FIRST = /^(\d\d?)([-/])\s?(\d\d?)\2\s?(\d{4}|\d\d)$/;

/** Characters of the longest date there is. */
const LONGEST = 64;

/** Milliseconds of a day. */
const DAY = 86_400_000;

/** The milliseconds of a time of day since its start; undefined where it is none. */
export function timeOfDay(text: string): number | undefined {
  const found = text.length <= LONGEST && text.trim().match(TIME);
  if (!found) return undefined;
  const [hours, minutes, seconds] = [Number(found[1]), Number(found[2]), Number((found[3] ?? "0").replace(",", "."))];
  const half = found[4]?.slice(0, 1).toLowerCase();
  if (hours > (half ? 12 : 24) || half && hours === 0 || minutes > 59 || seconds >= 61) return undefined;
  const hour = half ? hours % 12 + (half === "p" ? 12 : 0) : hours;
  return 60_000 * (60 * hour + minutes) + 1000 * seconds;
}

/** The time at which a day starts; undefined where there is no such day. */
function dayOf(year: number, month: number, day: number): number | undefined {
  const full = year < 100 ? year + (year < 70 ? 2000 : 1900) : year, at = Date.UTC(full, month - 1, day);
  const date = new Date(at);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? at : undefined;
}

const monthOf = (name: string) => MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1;

/** Ways to write a day, or what is longer; each reads a text without a time of day. */
const WAYS: readonly ((text: string) => number | undefined)[] = [
  (text) => {
    const found = text.match(COMPACT);
    return found ? dayOf(Number(found[1]), Number(found[2]), Number(found[3] ?? 1)) : undefined;
  },
  (text) => {
    const found = text.match(DAY_FIRST);
    return found ? dayOf(Number(found[4]), Number(found[3]), Number(found[1])) : undefined;
  },
  (text) => {
    const found = text.match(MONTH_FIRST);
    return found ? dayOf(Number(found[4]), Number(found[1]), Number(found[3])) : undefined;
  },
  (text) => {
    const found = text.match(/^(\d\d?)(?:st|nd|rd|th)?[-\s.]+([a-z]{3,9})\.?[-\s,]+(\d{4}|\d\d)$/i);
    return found ? dayOf(Number(found[3]), monthOf(found[2]!), Number(found[1])) : undefined;
  },
  (text) => {
    const found = text.match(/^([a-z]{3,9})\.?\s+(\d\d?)(?:st|nd|rd|th)?,?\s+(\d{4})$/i);
    return found ? dayOf(Number(found[3]), monthOf(found[1]!), Number(found[2])) : undefined;
  },
  (text) => {
    const found = text.match(/^([a-z]{3,9})\.?[-\s/]*(\d{4}|\d\d)$/i) ?? text.match(/^(\d{4})[-\s/]*([a-z]{3,9})$/i);
    if (!found) return undefined;
    const [year, month] = /\d/.test(found[1]!) ? [found[1], found[2]] : [found[2], found[1]];
    return dayOf(Number(year), monthOf(month!), 1);
  },
  (text) => {
    const found = text.match(/^(\d{4})[-\s]*Q([1-4])$/i) ?? text.match(/^Q([1-4])[-\s/]*(\d{4})$/i);
    if (!found) return undefined;
    const [year, quarter] = found[1]!.length === 4 ? [found[1], found[2]] : [found[2], found[1]];
    return dayOf(Number(year), 3 * Number(quarter) - 2, 1);
  },
  (text) => {
    const found = text.match(/^(\d{4})-?W([0-5]\d)$/i), january = found && new Date(Date.UTC(Number(found[1]), 0, 4));
    // The fourth of January is in the first week, which begins on a Monday.
    return january ? +january + DAY * (7 * (Number(found[2]) - 1) - (january.getUTCDay() + 6) % 7) : undefined;
  },
];

/** Reads days in some way, with a time of day behind them if there is one. */
function withTime(way: (text: string) => number | undefined) {
  return (whole: string) => {
    const cell = whole.trim();
    if (cell.length > LONGEST) return undefined;
    const text = cell.replace(DAY_NAMES, ""), split = text.search(/[\sT,]+\d\d?:\d\d/);
    const day = way(split < 0 ? text : text.slice(0, split));
    const time = split < 0 ? 0 : timeOfDay(text.slice(split).replace(/^[\sT,]+/, ""));
    return day === undefined || time === undefined ? undefined : day + time;
  };
}

/** Times of day with a zone behind them: an offset from UTC, maybe in words behind it too, or the usual name of one. */
const ZONED =
  /^(.*\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s*[ap]\.?m\.?)?)\s*(?:(z|[a-z]{3,4})?(?:([-+]\d\d):?(\d\d)?)?)(?:\s*\([^)]*\))?$/i;

/** Names of zones and their hours. */
const ZONES: Readonly<Record<string, number>> = {
  ...{ z: 0, utc: 0, gmt: 0, wet: 0, west: 1, bst: 1, cet: 1, cest: 2, eet: 2, eest: 3, msk: 3, ist: 5.5 },
  ...{ awst: 8, jst: 9, kst: 9, acst: 9.5, aest: 10, acdt: 10.5, aedt: 11, nzst: 12, nzdt: 13 },
  ...{
    adt: -3,
    ast: -4,
    edt: -4,
    est: -5,
    cdt: -5,
    cst: -6,
    mdt: -6,
    mst: -7,
    pdt: -7,
    pst: -8,
    akdt: -8,
    akst: -9,
    hst: -10,
  },
};

/** Reads times as it reads those without a zone. */
function zoned(read: (cell: string) => number | undefined) {
  return (cell: string) => {
    const found = cell.length <= 2 * LONGEST && cell.trim().match(ZONED);
    if (!found) return read(cell);
    const [, text, name, hours, minutes = "0"] = found, own = name ? ZONES[name.toLowerCase()] : 0;
    if (own === undefined || name === undefined && hours === undefined) return read(cell);
    const time = read(text!), offset = 60 * Number(hours ?? 0) + (hours?.startsWith("-") ? -1 : 1) * Number(minutes);
    return time === undefined ? undefined : time - 60_000 * (60 * own + offset);
  };
}

/** All ways to read times: days without signs, numbers and ISO dates, the others. */
export const TIME_READERS: readonly ((cell: string) => number | undefined)[] = [
  withTime(WAYS[0]!),
  timeIn,
  ...WAYS.slice(1).map(withTime),
].map(zoned);

/** The first of them that leave no choice where they read all cells. */
export const FIRST_CHOICES = 2;

/** Times of cells, read the same way; undefined where some cell is written another way. */
function timesBy(
  cells: ArrayLike<string>,
  read: (cell: string) => number | undefined,
): Float64Array | undefined {
  const at = new Float64Array(cells.length);
  for (let i = 0; i < cells.length; i++) {
    const time = read(cells[i]!);
    if (time === undefined) return undefined;
    at[i] = time;
  }
  return at;
}

/** How many rows go another way than most of them: falls where times rise, and rises where they fall. */
export function turnsOf(at: Float64Array): number {
  let falls = 0, rises = 0;
  for (let i = 1; i < at.length; i++) {
    if (at[i]! < at[i - 1]!) falls++;
    else if (at[i]! > at[i - 1]!) rises++;
  }
  return Math.min(falls, rises);
}

/**
 * The times in a column's cells: numbers and ISO dates, or all of them written in another way. Where cells leave it open
 * which of two numbers is the month, the way that goes up and down the least.
 *
 * @returns Undefined where some cell is no time.
 */
export function timesIn(cells: ArrayLike<string>): Float64Array | undefined {
  if (!cells.length) return undefined;
  for (const read of TIME_READERS.slice(0, FIRST_CHOICES)) {
    const found = timesBy(cells, read);
    if (found) return found;
  }
  return bestOf(TIME_READERS.slice(FIRST_CHOICES).flatMap((read) => timesBy(cells, read) ?? []));
}

/** Of times read in several ways, those that go up and down the least, then those with the fewest different steps. */
export function bestOf(found: readonly Float64Array[]): Float64Array | undefined {
  return found.reduce<Float64Array | undefined>((best, at) => {
    if (!best) return at;
    const [turns, least] = [turnsOf(at), turnsOf(best)];
    return turns < least || turns === least && unevenness(at) < unevenness(best) ? at : best;
  }, undefined);
}

/** How many different steps there are between times. */
function unevenness(at: Float64Array): number {
  return new Set(at.subarray(1).map((time, i) => Math.round((time - at[i]!) / DAY))).size;
}
