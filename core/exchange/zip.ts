/**
 * Zip archives as PyTorch writes them: entries stored as they are, below 4 GiB, each with a checksum.
 *
 * @module
 */

import { badFile, show } from "../data/readers/bad_data.ts";
import { crc32, readZip } from "../data/readers/zip.ts";
import { fail } from "../errors.ts";
import { joined } from "./numbers.ts";

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
const LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22;

/** Whether bytes begin as an archive does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === LOCAL;
}

/**
 * The entries of an archive, by name; each is checked against its checksum when it is asked for. Nothing is copied.
 *
 * @param file What the errors call it.
 * @throws {SyntaxError} If it is cut off or contradicts itself.
 * @throws {TypeError} If an entry is compressed or encrypted, or two have one name.
 */
export function storedEntries(bytes: Uint8Array, file: string): Map<string, () => Uint8Array> {
  const entries = new Map<string, () => Uint8Array>();
  let total = 0;
  for (const { name, size, crc, isDeflated, packed } of readZip(file, bytes)) {
    if (isDeflated) throw badFile("file-unsupported", file, `${show(name)} is compressed: PyTorch stores it as it is`);
    if (entries.has(name)) throw badFile("file-unsupported", file, `${show(name)} occurs twice`);
    // Entries that lie over each other would make much work of a small file.
    if ((total += size) > bytes.length) {
      throw badFile("file-malformed", file, "the entries of its zip lie over each other");
    }
    entries.set(name, () => {
      if (crc32(packed) !== crc) {
        throw badFile("file-malformed", file, `${show(name)} is damaged: its checksum is another`);
      }
      return packed;
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
  return joined(zipParts(entries));
}

/** The bytes of {@linkcode writeZip}, one array after the other; those of the entries are not copied. */
export function zipParts(entries: readonly (readonly [name: string, data: Uint8Array])[]): Uint8Array[] {
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
    throw fail("file-too-large", "write archive", `${size} bytes and ${plan.length} entries are more than it can hold`);
  }
  const parts: Uint8Array[] = [], end = new Uint8Array(directory + END_SIZE), view = new DataView(end.buffer);
  const UTF8 = 0x0800;
  let at = 0;
  plan.forEach(({ name, data, crc }, i) => {
    const { local, from } = places[i]!, head = new Uint8Array(from - local), own = new DataView(head.buffer);
    const padding = head.length - LOCAL_SIZE - name.length;
    // Version, flags, method, time and date, checksum, sizes, length of the name: the same in both headers.
    const common = (view: DataView, at: number) => {
      view.setUint16(at + 2, UTF8, true);
      view.setUint32(at + 10, crc, true);
      view.setUint32(at + 14, data.length, true);
      view.setUint32(at + 18, data.length, true);
      view.setUint16(at + 22, name.length, true);
    };
    own.setUint32(0, LOCAL, true);
    common(own, 4);
    own.setUint16(28, padding, true);
    head.set(name, LOCAL_SIZE);
    // The field's name, "FB", and the length of its contents.
    own.setUint32(head.length - padding, 0x4246 | (padding - 4) << 16, true);
    head.fill(0x5a, head.length - padding + 4);
    parts.push(head, data);

    view.setUint32(at, CENTRAL, true);
    common(view, at + 6);
    view.setUint32(at + 42, local, true);
    end.set(name, at + CENTRAL_SIZE);
    at += CENTRAL_SIZE + name.length;
  });
  view.setUint32(at, END, true);
  view.setUint16(at + 8, plan.length, true);
  view.setUint16(at + 10, plan.length, true);
  view.setUint32(at + 12, directory, true);
  view.setUint32(at + 16, start, true);
  return [...parts, end];
}
