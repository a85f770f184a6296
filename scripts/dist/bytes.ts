/**
 * Stands in for core/device/bytes.ts in what is built for other engines: the bytes of the WASM module come from a file beside
 * the program; from Base64 where files cannot be fetched, as in Node.
 *
 * @module
 */

import { fromBase64 } from "../../core/engine.ts";

/** The builds of the module. */
export type Build = "relaxed" | "plain";

/** The bytes of a build. */
export async function moduleBytes(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  try {
    // Written out: bundlers find files by such lines.
    const url = build === "plain"
      ? new URL("./plain.wasm", import.meta.url)
      : new URL("./relaxed.wasm", import.meta.url);
    const response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch {
    // No fetch of files here.
  }
  const { PLAIN, RELAXED } = await import("../../core/device/wasm_module.ts");
  return fromBase64(build === "plain" ? PLAIN : RELAXED);
}
