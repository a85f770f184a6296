/**
 * The host's side of the one random generator, Philox4x32-10; its other side, which draws dropout masks, is
 * core/kernels/dropout.ts. A number depends on (seed, purpose, stream, position) alone, so nothing that is drawn in one
 * place changes what is drawn in another.
 *
 * @module
 */

import { spell } from "./display.ts";
import { fail } from "./errors.ts";
import { cos, log, sin } from "./math.ts";

/** What numbers are drawn for. Kernels draw for dropout, 0. */
export const PURPOSES = { dropout: 0, data: 1, split: 2, shuffle: 3, init: 4, teacher: 5 } as const;

/** The seed as two 32-bit words, low word first. */
export function seedWords(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw fail(
      "argument-out-of-range",
      "use seed",
      `it must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}, got ${spell(seed)}`,
      { name: "seed", value: seed },
    );
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/** High 32 bits of a 32 × 32 bit product. */
function multiplyHigh(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const middle = ah * bl + ((al * bl) >>> 16), cross = al * bh + (middle & 0xffff);
  return (ah * bh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}

/** Philox4x32-10 of Salmon et al. 2011: four words from a counter of four and a key of two, into `out`. */
export function philox(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0), low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = multiplyHigh(0xcd9e8d57, c2), low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** A sequence of random numbers: the words of the counters (0, 1, 2, …; stream; 0; purpose) under a seed. */
export class Random {
  readonly #key: [number, number];
  readonly #purpose: number;
  readonly #stream: number;
  readonly #words = new Uint32Array(4);
  #block = 0;
  #used = 4;
  #spare: number | undefined;

  /** @param stream Which of many sequences of the same purpose, such as the epoch. */
  constructor(seed: number, purpose: keyof typeof PURPOSES, stream = 0) {
    this.#key = seedWords(seed);
    this.#purpose = PURPOSES[purpose];
    this.#stream = stream;
  }

  /** An integer, uniform in [0, 2³²). */
  word(): number {
    if (this.#used === 4) {
      philox(this.#words, this.#block++ >>> 0, this.#stream, 0, this.#purpose, ...this.#key);
      this.#used = 0;
    }
    return this.#words[this.#used++]!;
  }

  /** Uniform in [0, 1), in steps of 2⁻³². */
  uniform(): number {
    return this.word() / 2 ** 32;
  }

  /** From the normal distribution N(0, 1), by Box and Muller. */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    // 1 − u is in (0, 1]: its logarithm is finite.
    const radius = Math.sqrt(-2 * log(1 - this.uniform())), angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * sin(angle);
    return radius * cos(angle);
  }

  /** An integer, uniform in [0, n): no residue is likelier than another. */
  below(n: number): number {
    const limit = 2 ** 32 - 2 ** 32 % n;
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % n;
  }

  /** The numbers 0 to n − 1 in random order (Fisher and Yates). */
  permutation(n: number): Uint32Array<ArrayBuffer> {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1), swap = order[i]!;
      order[i] = order[j]!;
      order[j] = swap;
    }
    return order;
  }
}
