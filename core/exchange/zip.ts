/**
 * Zip archives as PyTorch writes them: entries stored as they are, below 4 GiB, each with a checksum.
 *
 * @module
 */

import { quoted } from "./numbers.ts";

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
const LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22;

/** An entry of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Its bytes, checked against their checksum. */
  read(): Uint8Array;
}

/** Whether bytes begin as an archive does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === LOCAL;
}

/**
 * The entries of an archive, by name. Nothing is copied.
 *
 * @param action What cannot be done if it is broken: `Cannot read "model.pt"`.
 * @throws {SyntaxError} If it is cut off or contradicts itself.
 * @throws {TypeError} If an entry is compressed or encrypted, or two have one name.
 */
export function readZip(bytes: Uint8Array, action: string): Map<string, ZipEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const broken = (why: string) => new SyntaxError(`${action}: its zip archive is broken or cut off: ${why}`);
  let end = bytes.length - END_SIZE;
  // Behind the last record may stand a comment of up to 64 KiB.
  const least = Math.max(0, end - 0xffff);
  while (end >= least && view.getUint32(end, true) !== END) end--;
  if (end < least) throw broken("the end of its directory is missing");
  const count = view.getUint16(end + 10, true), start = view.getUint32(end + 16, true);
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count) {
    throw broken("it is one of several");
  }
  if (count === 0xffff || start === 0xffffffff) throw new TypeError(`${action}: archives above 4 GiB are not read`);
  if (start > end || view.getUint32(end + 12, true) > end - start) throw broken("its directory is not where it says");

  const entries = new Map<string, ZipEntry>();
  let total = 0;
  for (let i = 0, at = start; i < count; i++) {
    if (at + CENTRAL_SIZE > end || view.getUint32(at, true) !== CENTRAL) throw broken(`entry ${i} of its directory`);
    const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true), packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true), local = view.getUint32(at + 42, true);
    const disk = at + 34, nameEnd = at + CENTRAL_SIZE + view.getUint16(at + 28, true);
    if (nameEnd > end) throw broken(`the name of entry ${i}`);
    let name: string;
    try {
      name = text.decode(bytes.subarray(at + CENTRAL_SIZE, nameEnd));
    } catch {
      throw broken(`the name of entry ${i} is not UTF-8`);
    }
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const place = `${action}: ${quoted(name)}`;
    // Of the whole, of its headers, or of a patch.
    if (flags & 0x2061) throw new TypeError(`${place} is encrypted or a patch`);
    if (method !== 0 || packed !== size) throw new TypeError(`${place} is compressed: PyTorch stores it as it is`);
    if (view.getUint16(disk, true) !== 0) throw broken(`${quoted(name)} lies elsewhere`);
    if (entries.has(name)) throw new TypeError(`${place} stands twice`);
    if (local + LOCAL_SIZE > start || view.getUint32(local, true) !== LOCAL) throw broken(`${quoted(name)} is missing`);
    const from = local + LOCAL_SIZE + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (from + size > start) throw broken(`${quoted(name)} is cut off`);
    // Entries that lie over each other would make much work of a small file.
    if ((total += size) > bytes.length) throw broken("its entries lie over each other");
    entries.set(name, {
      name,
      read: () => {
        const data = bytes.subarray(from, from + size);
        if (crc32(data) !== crc) throw new SyntaxError(`${place} is damaged: its checksum is another`);
        return data;
      },
    });
  }
  return entries;
}

/**
 * An archive of entries stored as they are, each beginning at a multiple of 64 bytes as PyTorch's do.
 *
 * @throws {RangeError} If it would be 4 GiB or more.
 */
export function writeZip(entries: readonly (readonly [name: string, data: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const ALIGNMENT = 64;
  const plan = entries.map(([name, data]) => ({ name: new TextEncoder().encode(name), data, crc: crc32(data) }));
  // A field of padding in each local header: 4 bytes of its own at least.
  const places: { local: number; from: number }[] = [];
  let size = 0;
  for (const { name, data } of plan) {
    const from = Math.ceil((size + LOCAL_SIZE + name.length + 4) / ALIGNMENT) * ALIGNMENT;
    places.push({ local: size, from });
    size = from + data.length;
  }
  const start = size;
  for (const { name } of plan) size += CENTRAL_SIZE + name.length;
  const directory = size - start;
  size += END_SIZE;
  if (size >= 0xffffffff || plan.length >= 0xffff) {
    throw new RangeError(`Cannot write archive: ${size} bytes and ${plan.length} entries are more than it can hold`);
  }
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer), UTF8 = 0x0800;
  let at = start;
  plan.forEach(({ name, data, crc }, i) => {
    const { local, from } = places[i]!, padding = from - local - LOCAL_SIZE - name.length;
    // Version, flags, method, time and date, checksum, sizes, length of the name: the same in both headers.
    const common = (at: number) => {
      view.setUint16(at + 2, UTF8, true);
      view.setUint32(at + 10, crc, true);
      view.setUint32(at + 14, data.length, true);
      view.setUint32(at + 18, data.length, true);
      view.setUint16(at + 22, name.length, true);
    };
    view.setUint32(local, LOCAL, true);
    common(local + 4);
    view.setUint16(local + 28, padding, true);
    bytes.set(name, local + LOCAL_SIZE);
    // The field's name, "FB", and the length of its contents.
    view.setUint32(from - padding, 0x4246 | (padding - 4) << 16, true);
    bytes.fill(0x5a, from - padding + 4, from);
    bytes.set(data, from);

    view.setUint32(at, CENTRAL, true);
    common(at + 6);
    view.setUint32(at + 42, local, true);
    bytes.set(name, at + CENTRAL_SIZE);
    at += CENTRAL_SIZE + name.length;
  });
  view.setUint32(at, END, true);
  view.setUint16(at + 8, plan.length, true);
  view.setUint16(at + 10, plan.length, true);
  view.setUint32(at + 12, directory, true);
  view.setUint32(at + 16, start, true);
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? byte >>> 1 ^ 0xedb88320 : byte >>> 1;
  return byte >>> 0;
});

/** The checksum of zip archives. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ crc >>> 8;
  return ~crc >>> 0;
}
