/**
 * Opens an input: its first bytes are looked at, and gzip is unpacked.
 *
 * @module
 */

import { gunzip } from "./gzip.ts";
import type { Input } from "./record.ts";

/** A stream of bytes whose first ones are known. */
export interface Opened {
  /** The first bytes: eight, or all there are. */
  readonly head: Uint8Array;
  /** All of it. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Closes it, read to its end or not. */
  readonly close: () => Promise<void>;
}

/** Opens a stream, and takes off gzip. */
export async function open(input: Input): Promise<Opened> {
  const raw = await withHead((await input.stream())[Symbol.asyncIterator]());
  if (raw.head[0] !== 0x1f || raw.head[1] !== 0x8b) return raw;
  return await withHead(gunzip(input.name, raw.bytes)).catch(async (error) => {
    await raw.close();
    throw error;
  });
}

async function withHead(stream: AsyncIterator<Uint8Array>): Promise<Opened> {
  const pieces: Uint8Array[] = [], head: number[] = [];
  while (head.length < 8) {
    const { done, value } = await stream.next();
    if (done) break;
    head.push(...value.subarray(0, 8 - head.length));
    pieces.push(value.slice());
  }
  async function* all() {
    yield* pieces.splice(0);
    for (let next = await stream.next(); !next.done; next = await stream.next()) yield next.value;
  }
  return { head: Uint8Array.from(head), bytes: all(), close: async () => void await stream.return?.() };
}
