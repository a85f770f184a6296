/** Data in zip archives: a file in one is as good as a file. */

import { readZip, unpack } from "../data/readers/zip.ts";
import type { Input } from "./read_data.ts";

/** Most bytes of a file in an archive. */
const MAX_FILE = 2 ** 30;

/**
 * The files in an archive, by their names in it; each is unpacked when it is read.
 *
 * @throws {SyntaxError | RangeError} If it is damaged.
 */
export function zippedFiles(path: string, bytes: Uint8Array): Map<string, Input> {
  const files = readZip(path, bytes).filter(({ name }) => !name.endsWith("/"));
  return new Map(files.map((file) => [file.name, {
    name: `${path}/${file.name}`,
    async *stream() {
      yield await unpack(path, file, MAX_FILE);
    },
  }]));
}
