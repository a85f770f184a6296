/**
 * Every third-party module, pinned and in full: a remote `deno.json` is not read when `mod.ts` is imported by URL.
 *
 * @module
 */

/** Splits the command line into flags and values; ships with Deno. Loaded by the command line: browsers load this file too. */
export const loadUtil = (): Promise<typeof import("node:util")> => import("node:util");

/** Says what a file descriptor is; ships with Deno. Loaded when there is much to write. */
export const loadFs = (): Promise<typeof import("node:fs")> => import("node:fs");

/** Threads of Node, where there are no web workers. */
export const loadNodeWorkers = (): Promise<typeof import("node:worker_threads")> => import("node:worker_threads");

/** Files of Node, where there is no Deno. */
export const loadNodeFiles = (): Promise<typeof import("node:fs/promises")> => import("node:fs/promises");

/** Instantiates the WASM module of core/kernels. Loaded when a model is made. */
export const loadLoader = (): Promise<typeof import("npm:@assemblyscript/loader@0.28.20")> =>
  import("npm:@assemblyscript/loader@0.28.20");

/** Checks the structure of checkpoints. Loaded when one is read, so that nobody else waits for it. */
export const loadValibot = (): Promise<typeof import("npm:valibot@1.5.0")> => import("npm:valibot@1.5.0");

/** Parses CSV with quoted cells. Loaded when a file has some; browsers, which have no `Buffer`, load a build with one. */
export const loadCsvParse = (): Promise<typeof import("npm:csv-parse@7.0.3/sync")> =>
  "Buffer" in globalThis
    ? import("npm:csv-parse@7.0.3/sync")
    : import("npm:csv-parse@7.0.3/browser/esm/sync") as unknown as Promise<typeof import("npm:csv-parse@7.0.3/sync")>;

/** Packs and unpacks the arrays of .npz files. Loaded when there is one. */
export const loadFflate = (): Promise<typeof import("npm:fflate@0.8.3/browser")> => import("npm:fflate@0.8.3/browser");

/** SHA-256 of what comes in pieces; ships with Deno. Loaded for data that are too many to be in memory twice. */
export const loadHashes = (): Promise<typeof import("node:crypto")> => import("node:crypto");

/** Unpacks gzip; ships with Deno. Loaded when a file is packed. */
export type { InflateRaw } from "node:zlib";
export const loadZlib = (): Promise<typeof import("node:zlib")> => import("node:zlib");

/** Hashes in pieces; ships with Deno. Loaded when a checkpoint is larger than one. */
export const loadCrypto = (): Promise<typeof import("node:crypto")> => import("node:crypto");
