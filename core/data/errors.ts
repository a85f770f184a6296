import { checkArgument, type ErrorCode, type ErrorDetails, fail } from "../errors.ts";

/** Data that cannot be prepared. */
export function badData<Code extends ErrorCode>(code: Code, problem: string, details?: ErrorDetails) {
  return fail(code, "prepare data", problem, details);
}

/** Numbers in one array at most: 8 GiB of float32. More would fail anyway, with less to go by. */
const MOST_NUMBERS = 2 ** 31;

/** Refuses arrays that cannot be. */
export function checkSize(size: number, what: string): void {
  if (size > MOST_NUMBERS) throw badData("data-too-large", `${what} are ${size} numbers, more than ${MOST_NUMBERS}`);
}

/** Checks what is to be records. */
export function checkRecords(records: unknown): void {
  if (Array.isArray(records)) return checkArgument("prepare data", "records", records, "objects");
  checkArgument("prepare data", "records", records, ["length", "at"]);
  checkArgument("prepare data", "records.at", (records as unknown[]).at, "function");
  const made = (records as Partial<Iterable<unknown>>)[Symbol.iterator];
  checkArgument("prepare data", "records[Symbol.iterator]", made, "function");
}

/** Checks that there are records. */
export function checkSome(records: { readonly length: number }): void {
  checkRecords(records);
  if (!records.length) throw badData("empty", "there are no records");
}
