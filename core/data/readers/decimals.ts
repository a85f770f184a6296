/**
 * Numbers as they are written: the same number in other digits is the same label.
 *
 * @module
 */

/** Places in front of or behind the point up to which a number is written in full. */
const PLACES = 30;

const isDigit = (code: number) => code >= 48 && code <= 57;

/** The parts of a decimal number; undefined for any other text. Goes over the text once. */
function partsOf(text: string): { negative: boolean; digits: string; exponent: number } | undefined {
  let at = 0;
  const digitsFrom = (start: number) => {
    let end = start;
    while (isDigit(text.charCodeAt(end))) end++;
    return text.slice(start, at = end);
  };
  const negative = text[0] === "-";
  const whole = digitsFrom(negative || text[0] === "+" ? 1 : 0), fraction = text[at] === "." ? digitsFrom(at + 1) : "";
  if (!whole && !fraction) return undefined;
  let exponent = 0;
  if (text[at] === "e" || text[at] === "E") {
    const isBelow = text[at + 1] === "-", power = digitsFrom(isBelow || text[at + 1] === "+" ? at + 2 : at + 1);
    if (!power) return undefined;
    exponent = isBelow ? -Number(power) : Number(power);
  }
  return at === text.length ? { negative, digits: whole + fraction, exponent: exponent - fraction.length } : undefined;
}

/** Whether a text is a decimal number, as "-1.5e3", spaces around it apart. */
export function isDecimal(text: string): boolean {
  return partsOf(text.trim()) !== undefined;
}

/**
 * A number in one spelling, to its last digit: "1" for "1", "1.0", "01", " 1" and "10e-1". Undefined for any other text.
 */
export function plainNumber(text: string): string | undefined {
  const parts = partsOf(text.trim());
  if (!parts) return undefined;
  let first = 0, end = parts.digits.length;
  while (first < end && parts.digits[first] === "0") first++;
  while (end > first && parts.digits[end - 1] === "0") end--;
  const digits = parts.digits.slice(first, end), exponent = parts.exponent + parts.digits.length - end;
  if (!digits) return "0";
  const sign = parts.negative ? "-" : "", point = digits.length + exponent;
  if (exponent > PLACES || point < -PLACES) return `${sign}${digits}e${exponent}`;
  if (exponent >= 0) return sign + digits + "0".repeat(exponent);
  return point > 0
    ? `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
    : `${sign}0.${"0".repeat(-point)}${digits}`;
}

/** Labels in one spelling each where all of them are numbers; as they are where one is not. */
export function plainLabels(labels: readonly string[]): readonly string[] {
  const plain: string[] = [];
  for (const label of labels) {
    const number = plainNumber(label);
    if (number === undefined) return labels;
    plain.push(number);
  }
  return plain;
}

/** Finds a name among others: as it is written; or as a number where all of them are numbers, and different ones. */
export class Names {
  readonly #places: ReadonlyMap<string, number>;
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(names: readonly string[]) {
    const byName = (list: readonly string[]) => new Map(list.map((name, i) => [name, i]));
    const plain = plainLabels(names), numbers = byName(plain);
    this.#places = byName(names);
    this.#numbers = plain === names || numbers.size < names.length ? new Map() : numbers;
  }

  /** Its place; undefined where it is none of them. */
  find(name: string): number | undefined {
    const place = this.#places.get(name);
    if (place !== undefined || !this.#numbers.size) return place;
    const number = plainNumber(name);
    return number === undefined ? undefined : this.#numbers.get(number);
  }
}
