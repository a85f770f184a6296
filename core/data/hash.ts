import { toHex } from "../engine.ts";
import { fail } from "../errors.ts";
import type { Dataset } from "./dataset.ts";
import { isPairs, measurePairs, type PairDataset } from "./pairs.ts";

/** A dataset's fingerprint: SHA-256 of all that is in it. */
export interface DataHash {
  /** Of the data that are trained on. */
  readonly hash: string;
  /** Of those that are validated on, if there are some. */
  readonly validationHash?: string;
}

/** Bytes hashed at a time: the engine copies them. */
const CHUNK = 64 << 20;

const known = new WeakMap<Dataset | PairDataset, Promise<string>>();

/**
 * A hash of a dataset: of its shape, and of the types and numbers of its arrays. It is the same on every machine and is
 * computed once per object: later changes to the arrays do not count.
 *
 * @returns "sha256:" and 64 hexadecimal digits.
 * @throws {TypeError} If it is not a dataset.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { hashDataset, sampleDataset } from "@grutto/grutto";
 *
 * const hash = await hashDataset(sampleDataset({ seed: 1 }));
 * assert.match(hash, /^sha256:[0-9a-f]{64}$/);
 * assert.equal(await hashDataset(sampleDataset({ seed: 1 })), hash);
 * assert.notEqual(await hashDataset(sampleDataset({ seed: 2 })), hash);
 * ```
 */
export async function hashDataset(dataset: Dataset | PairDataset): Promise<string> {
  let hash = known.get(dataset);
  if (!hash) known.set(dataset, hash = digest(...arraysOf(dataset)));
  return await hash;
}

/** What a dataset is, and its arrays by name. */
function arraysOf(dataset: Dataset | PairDataset): [head: string, arrays: Record<string, ArrayBufferView | undefined>] {
  if (isPairs(dataset)) {
    const { N } = measurePairs(dataset), { sources, targets, start, weights } = dataset;
    const sides = { sources: sources.data, lengths: sources.lengths, targets: targets.data };
    return [`[${N}] pairs`, { ...sides, targetLengths: targets.lengths, start, weights }];
  }
  const { x, targets, shape, lengths, weights } = dataset ?? {};
  if (!ArrayBuffer.isView(x) || !ArrayBuffer.isView(targets) || !Array.isArray(shape)) {
    throw fail("argument-type", "hash dataset", "it must be a dataset: { x, shape, targets }", { name: "dataset" });
  }
  return [`[${shape}]`, { x, targets, lengths, weights }];
}

async function digest(head: string, arrays: Record<string, ArrayBufferView | undefined>): Promise<string> {
  // The hash of a list of hashes, which no other data have: kinds and lengths stand in it.
  const parts = [head];
  for (const [name, array] of Object.entries(arrays)) {
    if (!array) continue;
    parts.push(`${name} ${array.constructor.name} ${(array as Float32Array).length}`);
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let start = 0; start < bytes.length; start += CHUNK) {
      parts.push(toHex(await sha256(bytes.subarray(start, start + CHUNK))));
    }
  }
  return `sha256:${toHex(await sha256(new TextEncoder().encode(parts.join("\n"))))}`;
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  // Shared memory may change while it is read, so it is copied first.
  const own = bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : new Uint8Array(bytes);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", own));
}
