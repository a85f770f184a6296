/** Where records come from, in the least room. */

/** Places of consecutive records: what all begin with and their numbers, or only the first of consecutive ones; or a JSON list. */
export type Places = { readonly prefix: string; readonly numbers: number | Float64Array } | string;

/** Places that end with a number each, as "data.csv, line 12" does; else as JSON. */
export function placesOf(places: readonly string[]): Places {
  const [first] = places as [string];
  let end = first.length;
  while (end > 0 && isDigit(first.charCodeAt(end - 1))) end--;
  const prefix = JSON.parse(JSON.stringify(first.slice(0, end))) as string, numbers = new Float64Array(places.length);
  for (let i = 0; i < places.length; i++) {
    const number = places[i]!.startsWith(prefix) ? integerFrom(places[i]!, end) : undefined;
    if (number === undefined) return JSON.stringify(places);
    numbers[i] = number;
  }
  return { prefix, numbers: numbers.every((number, i) => number === numbers[0]! + i) ? numbers[0]! : numbers };
}

/** One of them. */
export function placeAt({ prefix, numbers }: Exclude<Places, string>, index: number): string {
  return prefix + (typeof numbers === "number" ? numbers + index : numbers[index]);
}

const isDigit = (code: number) => code >= 48 && code <= 57;

/** The integer that a text is from a place on, as it is written; undefined if it is none. */
function integerFrom(text: string, start: number): number | undefined {
  const count = text.length - start;
  if (count < 1 || count > 15 || count > 1 && text.charCodeAt(start) === 48) return undefined;
  let number = 0;
  for (let i = start; i < text.length; i++) {
    if (!isDigit(text.charCodeAt(i))) return undefined;
    number = 10 * number + text.charCodeAt(i) - 48;
  }
  return number;
}
