/**
 * Zip archives, as far as `.npz` and PyTorch's `.pt` need them. Nothing is unpacked, and no room made, before the sizes that the archive
 * claims are held against its length and a limit; what comes out is held against its checksum.
 *
 * @module
 */

import { loadFflate } from "../../../deps.ts";
import { badFile, bare } from "./bad_data.ts";

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes once unpacked, as the archive claims. */
  readonly size: number;
  readonly crc: number;
  readonly isDeflated: boolean;
  /** Its bytes as they stand in the archive. */
  readonly packed: Uint8Array;
}

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;

/** Deflate makes no more of a byte. */
const MAX_RATIO = 1032;

/** The entries of an archive. */
export function readZip(file: string, bytes: Uint8Array): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string) => badFile("file-malformed", file, `its zip is damaged or cut off: ${what}`);
  let end = bytes.length - 22;
  const first = Math.max(0, end - 65535);
  while (end >= first && view.getUint32(end, true) !== END) end--;
  if (end < first) throw damaged("there is no end record");
  const count = view.getUint16(end + 10, true);
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count) {
    throw damaged("it is one part of several");
  }
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const entries: ZipEntry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) {
      throw damaged(`entry ${i + 1} is not where it should be`);
    }
    const flags = view.getUint16(at + 8, true),
      method = view.getUint16(at + 10, true),
      crc = view.getUint32(at + 16, true);
    const packedSize = view.getUint32(at + 20, true), size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true), local = view.getUint32(at + 42, true);
    const next = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw damaged(`entry ${i + 1} is cut off`);
    const disk = view.getUint16(at + 34, true);
    let name: string;
    try {
      name = text.decode(bytes.subarray(at + 46, at + 46 + nameLength));
    } catch {
      throw damaged(`the name of entry ${i + 1} is not UTF-8`);
    }
    at = next;
    if (disk !== 0) throw damaged(`${bare(name)} lies in another part`);
    // Bits 0, 6 and 13.
    if (flags & 0x2041) throw badFile("file-unsupported", file, `${bare(name)} is encrypted`);
    if (method !== 0 && method !== 8) {
      throw badFile("file-unsupported", file, `${bare(name)} is packed in a way that is not known, ${method}`);
    }
    if (packedSize === 0xffffffff || size === 0xffffffff) {
      throw badFile("file-too-large", file, `${bare(name)} is larger than 4 GB`);
    }
    if (local + 30 > bytes.length || view.getUint32(local, true) !== LOCAL) throw damaged(`${bare(name)} is not there`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + packedSize > end) throw damaged(`${bare(name)} is longer than the file`);
    const isDeflated = method === 8;
    if (isDeflated ? size > MAX_RATIO * packedSize + 64 : size !== packedSize) {
      throw damaged(`the sizes of ${bare(name)} cannot both be true`);
    }
    entries.push({ name, size, crc, isDeflated, packed: bytes.subarray(start, start + packedSize) });
  }
  return entries;
}

/**
 * A file out of an archive.
 *
 * @param limit Most bytes that it may have.
 */
export async function unpack(file: string, entry: ZipEntry, limit: number): Promise<Uint8Array> {
  const { name, size, crc, isDeflated, packed } = entry;
  if (size > limit) {
    throw badFile(
      "file-too-large",
      file,
      `${bare(name)} unpacks to ${size} bytes, beyond what is left of the limit, ${limit}`,
      { option: "maxBytes", advice: "raise maxBytes" },
    );
  }
  const bytes = isDeflated ? await inflate(file, entry) : packed;
  if (bytes.length !== size || crc32(bytes) !== crc) {
    throw badFile("file-malformed", file, `its zip is damaged: ${bare(name)} is not what its checksum says`);
  }
  return bytes;
}

async function inflate(file: string, { name, size, packed }: ZipEntry): Promise<Uint8Array> {
  const { Inflate } = await loadFflate();
  const pieces: Uint8Array[] = [];
  let length = 0;
  const stream = new Inflate((piece) => {
    pieces.push(piece);
    length += piece.length;
  });
  try {
    for (let at = 0; at < packed.length && length <= size; at += 4096) {
      stream.push(packed.subarray(at, at + 4096), at + 4096 >= packed.length);
    }
  } catch {
    throw badFile("file-malformed", file, `its zip is damaged: ${bare(name)} cannot be unpacked`);
  }
  if (length > size) {
    throw badFile("file-malformed", file, `its zip is damaged: ${bare(name)} is larger than it claims, ${size} bytes`);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

let crcTable: Uint32Array | undefined;

/** The checksum of zip archives and gzip; of what follows bytes whose checksum is `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const table = crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n;
  });
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
