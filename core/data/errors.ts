/** Says what is wrong with data. */
export function badData(what: string): RangeError {
  return new RangeError(`Cannot prepare data: ${what}`);
}

/** Numbers in one array at most: 8 GiB of float32. More would fail anyway, with less to go by. */
const MOST_NUMBERS = 2 ** 31;

/** Refuses arrays that cannot be. */
export function checkSize(size: number, what: string): void {
  if (size > MOST_NUMBERS) throw badData(`${what} are ${size} numbers, more than ${MOST_NUMBERS}`);
}
