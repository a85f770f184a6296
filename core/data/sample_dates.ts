/** The sample of pairs: dates as people write them, and as ISO 8601 does. */

import { Random } from "../random.ts";

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** Milliseconds of a day, and the days that there are: 1950 to 2049, so that two digits tell the year. */
const DAY = 86_400_000, FIRST = Date.UTC(1950, 0, 1) / DAY, COUNT = Date.UTC(2050, 0, 1) / DAY - FIRST;

/** Dates that are drawn: a fifth of them is held out where nobody says how many. */
const SIZE = 10_000;

/** The ways in which a date is written. */
function forms(date: Date): string[] {
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  const name = MONTHS[month - 1]!, short = name.slice(0, 3), weekday = DAYS[date.getUTCDay()]!;
  const two = (n: number) => `${n % 100}`.padStart(2, "0");
  const last = day >= 11 && day <= 13 ? 0 : day % 10, ordinal = `${day}${["th", "st", "nd", "rd"][last] ?? "th"}`;
  return [
    `${name} ${day}, ${year}`,
    `${day} ${short} ${year}`,
    `${two(day)}.${two(month)}.${year}`,
    `${month}/${day}/${year}`,
    `${year}/${two(month)}/${two(day)}`,
    `${year}${two(month)}${two(day)}`,
    `${ordinal} of ${name} ${year}`,
    `${name.toLowerCase()} the ${ordinal}, ${year}`,
    `${weekday}, ${day} ${name} ${year}`,
    `${weekday.slice(0, 3)} ${short} ${day} ${year}`,
    `${short.toUpperCase()} ${two(day)} ${two(year)}`,
    `${day}-${short.toLowerCase()}-${two(year)}`,
  ];
}

/**
 * Lines of a date, a tab, and the same date in ISO 8601: 10,000 different days from 1950 to 2049, each in one of twelve
 * forms.
 *
 * @param seed An integer from 0: the same seed gives the same lines.
 */
export function sampleDates(seed: number): string {
  const random = new Random(seed, "data"), days = Int32Array.from({ length: COUNT }, (_, i) => i);
  return Array.from({ length: SIZE }, (_, i) => {
    const j = i + random.below(COUNT - i), day = days[j]!;
    days[j] = days[i]!;
    const date = new Date((FIRST + day) * DAY), written = forms(date);
    return `${written[random.below(written.length)]}\t${date.toISOString().slice(0, 10)}\n`;
  }).join("");
}
