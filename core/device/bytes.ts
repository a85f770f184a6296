/**
 * Where the bytes of the WASM module come from: Base64 in a TypeScript module, which needs no permission and is there by
 * URL too. What is built for other engines fetches a file instead: `scripts/dist`.
 *
 * @module
 */

import { fromBase64 } from "../engine.ts";

/** The builds of the module. */
export type Build = "relaxed" | "plain";

/** The bytes of a build. Loaded when they are wanted: who makes no model does not wait for them. */
export async function moduleBytes(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  const { PLAIN, RELAXED } = await import("./wasm_module.ts");
  return fromBase64(build === "plain" ? PLAIN : RELAXED);
}
