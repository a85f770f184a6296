/**
 * Opens an input: its first bytes are looked at, and gzip is unpacked.
 *
 * @module
 */

import { checkArgument } from "../../errors.ts";
import { iterate } from "../../engine.ts";
import { badFile } from "./bad_data.ts";
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

/** Whether an encoding goes by this name. */
export function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label) !== undefined;
  } catch {
    return false;
  }
}

/** Opens a stream, takes off gzip, and makes text UTF-8: what its first bytes say is UTF-16, or all that is encoded otherwise. */
export async function open(input: Input, encoding?: string): Promise<Opened> {
  const stream = await input.stream();
  checkArgument("read data", "what input.stream gives", stream, []);
  const raw = await withHead(iterate(stream));
  try {
    const { head, ...rest } = raw.head[0] === 0x1f && raw.head[1] === 0x8b
      ? await withHead(gunzip(input.name, raw.bytes))
      : raw;
    const label = isBinary(head) ? undefined : encoding ?? utf16Of(head);
    if (label === undefined) return { head, ...rest };
    return await withHead(recoded(input.name, rest.bytes, label));
  } catch (error) {
    await raw.close();
    throw error;
  }
}

/** The order of UTF-16 that the first bytes show: by its mark, or as every other one is zero, as in no other text. */
function utf16Of(head: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  const [a, b, c, d] = head;
  if ((a === 0xff && b === 0xfe) || (a && b === 0 && c && d === 0)) return "utf-16le";
  if ((a === 0xfe && b === 0xff) || (a === 0 && b && c === 0 && d)) return "utf-16be";
  return undefined;
}

/** Whether the first bytes are those of an array, or of several. */
function isBinary(head: Uint8Array): boolean {
  const text = String.fromCharCode(...head);
  return text.startsWith("\u0093NUMPY") || text.startsWith("PK\u0003\u0004");
}

/** Text in UTF-8, without a byte order mark. */
async function* recoded(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  label: string,
): AsyncGenerator<Uint8Array, void> {
  const decoder = new TextDecoder(label, { fatal: true }), encoder = new TextEncoder();
  const decode = (piece?: Uint8Array) => {
    try {
      return encoder.encode(decoder.decode(piece, { stream: piece !== undefined }));
    } catch {
      throw badFile("file-malformed", name, `the file is not ${decoder.encoding}, or it is cut off`);
    }
  };
  for await (const piece of bytes) yield decode(piece);
  yield decode();
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
