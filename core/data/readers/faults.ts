/**
 * Rows that cannot be read, where the others are wanted all the same.
 *
 * @module
 */

import { errorCause } from "../../errors.ts";
import type { ReadOptions, SequenceRecord } from "./record.ts";

/**
 * What is wrong with a row, as a record in its place.
 *
 * @throws The error, where nobody asked for such records, or where it is not about the row.
 */
export function faulty(error: unknown, { faults }: ReadOptions, place: string, id?: string): SequenceRecord {
  if (!faults || !errorCause(error)) throw error;
  return { steps: 0, channels: 0, place, ...id !== undefined && { id }, fault: error as Error };
}
