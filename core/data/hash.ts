import { toHex } from "../engine.ts";
import { loadHashes } from "../../deps.ts";
import { fail } from "../errors.ts";
import { type Dataset, inputsOf, isDeferred } from "./dataset.ts";
import { isPairs, measurePairs, type PairDataset } from "./pairs.ts";

/** A dataset's fingerprint: SHA-256 of all that is in it. */
export interface DataHash {
  /** Of the data that are trained on. */
  readonly hash: string;
  /** Of those that are validated on, if there are some. */
  readonly validationHash?: string;
  /** Of pairs: what tells the vocabularies from others, if that is known. */
  readonly vocabulary?: string;
}

/** Bytes hashed at a time: the engine copies them. */
const CHUNK = 64 << 20;

/** Numbers that are made at a time where they are not there yet. */
const PIECE = 1 << 18;

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

/** An array to hash: how it is called, its kind and length, and its numbers in pieces. */
interface Hashed {
  readonly about: string;
  readonly pieces: Iterable<ArrayBufferView>;
  /** Whether pieces are made as they are asked for. */
  readonly areMany?: boolean;
}

/** What a dataset is, and its arrays. */
function arraysOf(dataset: Dataset | PairDataset): [head: string, arrays: readonly Hashed[]] {
  const named = (arrays: Record<string, ArrayBufferView | undefined>): Hashed[] =>
    Object.entries(arrays).flatMap(([name, array]) =>
      array ? [{ about: `${name} ${array.constructor.name} ${(array as Float32Array).length}`, pieces: [array] }] : []
    );
  if (isPairs(dataset)) {
    const { N } = measurePairs(dataset), { sources, targets, start, weights } = dataset;
    const sides = { sources: sources.data, lengths: sources.lengths, targets: targets.data };
    return [`[${N}] pairs`, named({ ...sides, targetLengths: targets.lengths, start, weights })];
  }
  const { targets, shape, lengths, weights } = dataset ?? {}, isLater = isDeferred(dataset);
  if (!(isLater || ArrayBuffer.isView(dataset?.x)) || !ArrayBuffer.isView(targets) || !Array.isArray(shape)) {
    throw fail("argument-type", "hash dataset", "it must be a dataset: { x, shape, targets }", { name: "dataset" });
  }
  if (!isLater) return [`[${shape}]`, named({ x: dataset.x, targets, lengths, weights })];
  const about = `x Float32Array ${shape.reduce((a, b) => a * b)}`, pieces = inputsOf(dataset, PIECE);
  return [`[${shape}]`, [{ about, pieces, areMany: true }, ...named({ targets, lengths, weights })]];
}

async function digest(head: string, arrays: readonly Hashed[]): Promise<string> {
  // The hash of a list of hashes, which no other data have: kinds and lengths stand in it.
  const parts = [head];
  for (const { about, pieces, areMany } of arrays) {
    parts.push(about);
    const begin = areMany ? await inPieces() : atOnce;
    let hasher = begin(), size = 0;
    for (const { buffer, byteOffset, byteLength } of pieces) {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      for (let at = 0; at < bytes.length;) {
        const part = bytes.subarray(at, at + CHUNK - size);
        hasher.add(part);
        [at, size] = [at + part.length, size + part.length];
        if (size < CHUNK) continue;
        parts.push(toHex(await hasher.done()));
        [hasher, size] = [begin(), 0];
      }
    }
    if (size) parts.push(toHex(await hasher.done()));
  }
  return `sha256:${toHex(await sha256(new TextEncoder().encode(parts.join("\n"))))}`;
}

/** SHA-256 of bytes that come in pieces. */
interface Hasher {
  add(bytes: Uint8Array): void;
  done(): Promise<Uint8Array>;
}

/** By the engine's own, which takes them in one: most arrays are. */
function atOnce(): Hasher {
  const pieces: Uint8Array[] = [];
  return {
    add: (bytes) => void pieces.push(bytes),
    done: async () =>
      sha256(pieces.length === 1 ? pieces[0]! : new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer())),
  };
}

/** By one that keeps none of them, where there is one. */
async function inPieces(): Promise<() => Hasher> {
  if (!("process" in globalThis)) return atOnce;
  const { createHash } = await loadHashes();
  return () => {
    const hash = createHash("sha256");
    return { add: (bytes) => void hash.update(bytes), done: () => Promise.resolve(new Uint8Array(hash.digest())) };
  };
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  // Shared memory may change while it is read, so it is copied first.
  const own = bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : new Uint8Array(bytes);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", own));
}
