/** Memory of WebAssembly. */

import { fail } from "../errors.ts";

/** Bytes of a page. */
export const PAGE = 65536;

/** The largest memory of 32-bit WASM, in pages. */
export const MAX_PAGES = 65536;

/** A memory of a fixed size. */
export function allocate(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    throw fail(
      "out-of-memory",
      "place the model in memory",
      `the system does not give ${mebibytes(pages * PAGE)} MiB: ${(error as Error).message}`,
      { error },
    );
  }
}

/** Bytes in MiB, rounded up. */
export function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

/** Copies bytes to others that are all 0, a page at a time: of one that is 0 the system need give no memory. */
export function copyNonZero(from: Uint8Array, to: Uint8Array): void {
  for (let at = 0; at < from.length; at += PAGE) {
    const bytes = from.subarray(at, at + PAGE),
      words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    if (words.some((word) => word !== 0)) to.set(bytes, at);
  }
}
