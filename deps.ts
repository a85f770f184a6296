/**
 * Every third-party module, pinned and in full: a remote `deno.json` is not read when `mod.ts` is imported by URL.
 *
 * @module
 */

// Instantiates the WASM module of core/kernels.
export { instantiateSync } from "npm:@assemblyscript/loader@0.28.20";
