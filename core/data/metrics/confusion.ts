/** Which classes are taken for which, at the cost of what occurs and not of K × K. */

/** Most classes whose counts are plain lists. */
const DENSE = 1024;

/** The counts of rows that hold no others. */
const sparse = new WeakMap<readonly number[], ReadonlyMap<number, number>>();

/** A list of K counts that takes the room of those above 0; the others read as 0. */
function sparseRow(counts: ReadonlyMap<number, number>, length: number): readonly number[] {
  const isPlace = (key: string | symbol) => typeof key === "string" && /^\d+$/.test(key) && Number(key) < length;
  const row: readonly number[] = new Proxy<number[]>([], {
    get: (target, key) =>
      isPlace(key) ? counts.get(Number(key)) ?? 0 : key === "length" ? length : Reflect.get(target, key),
    has: (target, key) => isPlace(key) || key in target,
    set: () => false,
  });
  sparse.set(row, counts);
  return row;
}

/**
 * Counts (truth, prediction) of K classes.
 *
 * @param truth Class of each sequence (N).
 * @param found Class that it is taken for (N).
 */
export function countConfusion(truth: Int32Array, found: Int32Array, classes: number): (readonly number[])[] {
  if (classes <= DENSE) {
    const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
    truth.forEach((c, i) => counts[c]![found[i]!]!++);
    return counts;
  }
  const maps = new Map<number, Map<number, number>>();
  truth.forEach((c, i) => {
    const row = maps.get(c) ?? new Map<number, number>();
    maps.set(c, row.set(found[i]!, (row.get(found[i]!) ?? 0) + 1));
  });
  const none = sparseRow(new Map(), classes);
  return Array.from({ length: classes }, (_, c) => maps.has(c) ? sparseRow(maps.get(c)!, classes) : none);
}

/** The counts of a row, with their places; those that are 0 may be left out. */
export function countsIn(row: readonly number[]): Iterable<readonly [place: number, count: number]> {
  return sparse.get(row) ?? row.entries();
}

/** The sum of a row. */
export function totalOf(row: readonly number[]): number {
  let total = 0;
  for (const [, count] of countsIn(row)) total += count;
  return total;
}
