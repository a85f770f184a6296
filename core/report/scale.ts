/** Axes, and numbers as a picture shows them. */

/** Where values lie along a line, and which of them are named. */
export interface Axis {
  /** Place of a value. */
  readonly at: (value: number) => number;
  /** The values that are named. */
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
}

/** A minus sign as wide as a plus. */
const minus = (text: string) => text.replace("-", "−");

/** A number in about four digits: 0.2314, 12.3, 1,204, 1.2e−7. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    return minus(value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e").replace("e-", "e−"));
  }
  if (size >= 1000) return minus(Math.round(value).toLocaleString("en-US"));
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
  return minus(String(Number(value.toFixed(digits))));
}

/** The ends of a range, in as many digits as tell them apart. */
export function shortRange(from: number, to: number): string {
  let [first, last] = [short(from), short(to)];
  for (let digits = 5; first === last && from !== to && digits <= 17; digits++) {
    [first, last] = [from, to].map((value) =>
      minus(Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumSignificantDigits: digits }))
    ) as [string, string];
  }
  return `${first}…${last}`;
}

/** A share of 1 in percent: 96.1%, 0%, 100%. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return "–";
  if (share === 0 || share === 1) return `${100 * share}%`;
  return `${(100 * share).toFixed(share > 0.9995 || share < 5e-4 ? 2 : 1)}%`;
}

/** The least and the greatest finite value; undefined if there is none. */
export function extent(values: Iterable<number | undefined>): [least: number, greatest: number] | undefined {
  let least = Infinity, greatest = -Infinity;
  for (const value of values) {
    if (value === undefined || !Number.isFinite(value)) continue;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return least > greatest ? undefined : [least, greatest];
}

/** A step of 1, 2 or 5 times a power of ten that divides a range into `count` parts or so. */
function niceStep(range: number, count: number): number {
  const rough = range / count, power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.75) ?? 10);
}

/**
 * An axis with even steps.
 *
 * @param count Most ticks, about.
 * @param whole Whether only integers are named.
 */
export function linearAxis(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
  count: number,
  whole = false,
): Axis {
  // A single value stands in the middle of an axis.
  if (!(to - from > Math.max(Math.abs(from), Math.abs(to)) * 1e-9)) {
    const half = whole ? 0.5 : Math.abs(from) / 10 || 1;
    return {
      at: (value) => (start + end) / 2 + (value - from) / (2 * half) * (end - start),
      ticks: [{ value: from, text: short(from) }],
    };
  }
  const step = Math.max(niceStep(to - from, count), whole ? 1 : 0);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let i = Math.ceil(from / step - 1e-6); i * step <= to + step * 1e-6; i++) {
    const value = i * step + 0, plain = digits < 7 && Math.abs(value) < 1e7;
    ticks.push({ value, text: plain && digits ? minus(value.toFixed(digits)) : short(value) });
  }
  // Large numbers that are close together need all their digits.
  if (new Set(ticks.map(({ text }) => text)).size < ticks.length) {
    const format = { maximumFractionDigits: Math.min(20, digits) };
    for (const tick of ticks) tick.text = minus(tick.value.toLocaleString("en-US", format));
  }
  return { at: (value) => start + (value - from) / (to - from) * (end - start), ticks };
}

/** An axis with even ratios, for values above 0. */
export function logAxis(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
  count: number,
): Axis {
  const first = Math.log10(from), last = Math.log10(to), every = Math.max(1, Math.ceil((last - first) / count));
  const factors = (last - first) * 2 <= count ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(first); power <= last; power++) {
    if (power % every) continue;
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (value >= from * (1 - 1e-9) && value <= to * (1 + 1e-9)) ticks.push({ value, text: short(value) });
    }
  }
  return { at: (value) => start + (Math.log10(value) - first) / (last - first) * (end - start), ticks };
}

/** A range with some room around it. */
export function padded([from, to]: readonly [number, number], share = 0.05): [number, number] {
  return [from - (to - from) * share, to + (to - from) * share];
}

/**
 * Places of the values that a line through many is drawn by: the first, the last, the least and the greatest of every part,
 * so that no peak is lost.
 *
 * @param most About as many are left; all where there are no more.
 */
export function thin(values: readonly (number | undefined)[], most: number): number[] {
  const length = values.length;
  if (length <= most) return Array.from(values, (_, i) => i);
  const parts = Math.max(1, most >> 1), chosen = new Set([0, length - 1]);
  for (let part = 0; part < parts; part++) {
    const from = Math.floor(part * length / parts), to = Math.floor((part + 1) * length / parts);
    let least = from, greatest = from;
    for (let i = from; i < to; i++) {
      if (values[i]! < values[least]!) least = i;
      if (values[i]! > values[greatest]!) greatest = i;
    }
    chosen.add(least).add(greatest);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** `count` integers from 0 to below `length`, evenly spread and without repeats; all of them if there are fewer. */
export function spread(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round(i * (length - 1) / Math.max(1, count - 1)));
}
