/**
 * Gzip (RFC 1952): members one after the other, with zeros behind any of them, as gzip and Python read them. The engine's
 * own DecompressionStream takes one member alone, and where there is no zlib, as in browsers, that is what is read.
 *
 * @module
 */

import { type InflateRaw, loadZlib } from "../../../deps.ts";
import { iterate } from "../../engine.ts";
import { badFile } from "./bad_data.ts";
import { ByteReader } from "./bytes.ts";
import { crc32 } from "./zip.ts";

/** Most packed bytes that are unpacked at a time: they may become a thousand times as many. */
const BLOCK = 1 << 16;

/** Unpacks a stream. */
export async function* gunzip(name: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const zlib = await loadZlib().catch(() => undefined);
  if (!zlib) return yield* oneMember(name, source);
  const bytes = new ByteReader(source);
  const damaged = () => badFile("file-malformed", name, "its gzip is damaged or cut off");
  try {
    for (let isFirst = true; await atMember(bytes); isFirst = false) {
      if (!await skipHead(bytes)) {
        throw isFirst ? damaged() : badFile("file-malformed", name, "what follows the end of its gzip is no gzip");
      }
      let crc = 0, size = 0;
      for await (const piece of inflate(bytes, zlib.createInflateRaw())) {
        crc = crc32(piece, crc);
        size += piece.length;
        yield piece;
      }
      const end = await bytes.read(8), view = new DataView(end.buffer);
      if (end.length < 8 || view.getUint32(0, true) !== crc || view.getUint32(4, true) !== size % 2 ** 32) {
        throw damaged();
      }
    }
  } catch (error) {
    throw error instanceof Damaged ? damaged() : error;
  } finally {
    await bytes.close();
  }
}

/** Unpacks a stream of one member where there is no zlib, as in browsers. */
async function* oneMember(name: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const packed = source[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await packed.next();
      if (done) controller.close();
      else controller.enqueue(value.slice());
    },
    cancel: async () => void await packed.return?.(),
  });
  const pieces = iterate(stream.pipeThrough(new DecompressionStream("gzip")));
  try {
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const what = "its gzip is damaged, cut off, or in several members, of which this engine unpacks one alone";
    throw badFile("file-malformed", name, what);
  } finally {
    await pieces.return?.();
  }
}

class Damaged extends Error {}

/** Unpacks one member's data; what follows it is the next of the bytes. */
async function* inflate(bytes: ByteReader, stream: InflateRaw): AsyncGenerator<Uint8Array, void> {
  const pieces: Uint8Array[] = [];
  let given = 0, failed = false;
  stream.on("data", (piece: Uint8Array) => pieces.push(piece));
  const over = new Promise<void>((resolve) => {
    stream.on("end", resolve);
    stream.on("error", () => resolve(void (failed = true)));
  });
  try {
    for (let left = 0, isOpen = true; isOpen;) {
      const block = await bytes.some(BLOCK);
      if (block.length) await Promise.race([over, new Promise((resolve) => stream.write(block, resolve))]);
      given += block.length;
      // What the stream did not take stands behind the member.
      left = given - stream.bytesWritten;
      isOpen = block.length > 0 && left === 0 && !failed;
      if (!isOpen && !failed) {
        stream.end();
        await over;
      }
      if (failed) throw new Damaged();
      yield* pieces.splice(0);
      if (!isOpen) bytes.putBack(block.subarray(block.length - left));
    }
  } finally {
    stream.destroy();
  }
}

/** Whether a member begins, once zeros are passed over; false at the end. What is neither is for its head to refuse. */
async function atMember(bytes: ByteReader): Promise<boolean> {
  for (;;) {
    const some = await bytes.some(BLOCK), at = some.findIndex((byte) => byte !== 0);
    if (!some.length) return false;
    if (at < 0) continue;
    bytes.putBack(some.subarray(at));
    return true;
  }
}

/** Passes over a member's head. False where it is none. */
async function skipHead(bytes: ByteReader): Promise<boolean> {
  const head = await bytes.read(10), flags = head[3] ?? 0;
  if (head.length < 10 || head[0] !== 0x1f || head[1] !== 0x8b || head[2] !== 8 || flags & 0xe0) return false;
  if (flags & 4) {
    const [low = 0, high = 0] = await bytes.read(2);
    await bytes.read(low + 256 * high);
  }
  // A name and a comment, each up to a zero.
  for (const flag of [8, 16]) {
    if (!(flags & flag)) continue;
    for (let byte = await bytes.read(1); byte[0] !== 0; byte = await bytes.read(1)) if (!byte.length) return false;
  }
  if (flags & 2) await bytes.read(2);
  return true;
}
