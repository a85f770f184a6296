/**
 * Protocol buffers, written: a message is a list of fields, each its number and its value.
 *
 * @module
 */

import { lengthOf } from "./numbers.ts";

/** An integer from 0, a real number (an array of one), a string, bytes, or a message within. */
export type FieldValue = number | Float32Array | string | Uint8Array | readonly Field[];

/** A field: its number in the .proto file, and its value. */
export type Field = readonly [number, FieldValue];

/**
 * A message's bytes, one array after the other: integers with 7 bits in a byte, everything else with its length before it.
 * Bytes that a field holds are not copied.
 */
export function message(fields: readonly Field[]): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array[] = [];
  for (const [field, value] of fields) {
    if (typeof value === "number") parts.push(whole(8 * field), whole(value));
    else if (value instanceof Float32Array) parts.push(whole(8 * field + 5), new Uint8Array(value.slice().buffer));
    else {
      const data = typeof value === "string"
        ? [new TextEncoder().encode(value)]
        : value instanceof Uint8Array
        ? [value]
        : message(value);
      parts.push(whole(8 * field + 2), whole(lengthOf(data)));
      for (const part of data) parts.push(part);
    }
  }
  return parts as Uint8Array<ArrayBuffer>[];
}

function whole(n: number): Uint8Array {
  const bytes: number[] = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push(n % 128 + 128);
  return Uint8Array.of(...bytes, n);
}
