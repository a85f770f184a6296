/**
 * Protocol buffers, written: a message is a list of fields, each its number and its value.
 *
 * @module
 */

/** An integer from 0, a real number (an array of one), a string, bytes, or a message within. */
export type FieldValue = number | Float32Array | string | Uint8Array | readonly Field[];

/** A field: its number in the .proto file, and its value. */
export type Field = readonly [number, FieldValue];

/** A message's bytes: integers with 7 bits in a byte, everything else with its length before it. */
export function message(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const parts = fields.flatMap(([field, value]) => {
    if (typeof value === "number") return [whole(8 * field), whole(value)];
    if (value instanceof Float32Array) return [whole(8 * field + 5), new Uint8Array(value.slice().buffer)];
    const data = typeof value === "string"
      ? new TextEncoder().encode(value)
      : value instanceof Uint8Array
      ? value
      : message(value);
    return [whole(8 * field + 2), whole(data.length), data];
  });
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function whole(n: number): Uint8Array {
  const bytes: number[] = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push(n % 128 + 128);
  return Uint8Array.of(...bytes, n);
}
