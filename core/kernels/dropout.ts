// Dropout. The mask comes from a counter-based generator, so that a number depends on nothing but (seed, step, layer,
// position): any device and any number of threads draws the same mask, and a resumed run goes on as if never stopped.

import { zero } from "./simd";

/** High and low halves of a 32 × 32 bit product. */
@inline
function product(a: u32, b: u32): u64 {
  return <u64> a * <u64> b;
}

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words from a counter of
 * four words and a key of two.
 */
function philox(out: usize, c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  for (let round = 0; round < 10; round++) {
    const a = product(0xd2511f53, c0), b = product(0xcd9e8d57, c2);
    c0 = <u32> (b >> 32) ^ c1 ^ k0;
    c1 = <u32> b;
    c2 = <u32> (a >> 32) ^ c3 ^ k1;
    c3 = <u32> a;
    k0 += 0x9e3779b9, k1 += 0xbb67ae85;
  }
  store<u32>(out, c0), store<u32>(out, c1, 4), store<u32>(out, c2, 8), store<u32>(out, c3, 12);
}

/** Random words: block i of four is philox of counter (first + i, stream, step, 0). The host's generator, for tests of both. */
export function randomWords(out: usize, blocks: i32, first: i32, stream: i32, step: i32, seedLow: i32, seedHigh: i32): void {
  for (let i = 0; i < blocks; i++) {
    philox(out, first + i, stream, step, 0, seedLow, seedHigh);
    out += 16;
  }
}

/**
 * mask (T, R, ldm) = 0 with probability p, else 1 / (1 − p). A word is drawn for every padded column: word number
 * ((row0 + r)·T + t)·width + column of (seed, step, stream). control: word 0 and 1 the seed, 2 the step.
 */
export function dropoutMask(mask: usize, control: usize, T: i32, R: i32, row0: i32, width: i32, ldm: i32, stream: i32, p: f32): void {
  const seedLow = load<u32>(control), seedHigh = load<u32>(control, 4), step = load<u32>(control, 8);
  const threshold = i32x4.splat(<i32> <u32> (<f64> p * 4294967296.0));
  const keep = f32x4.splat(1 / (1 - p));
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < R; r++) {
      const block = ((row0 + r) * T + t) * (width >> 2);
      for (let i = 0; i < width >> 2; i++) {
        const at = mask + (<usize> i << 4);
        philox(at, block + i, stream, step, 0, seedLow, seedHigh);
        const words = v128.load(at);
        v128.store(at, v128.bitselect(keep, zero(), i32x4.ge_u(words, threshold)));
      }
      mask += <usize> ldm << 2;
    }
  }
}

/** y = x ∘ mask over `rows` padded rows; the backward pass is the same with gradients. */
export function dropoutApply(y: usize, x: usize, mask: usize, rows: i32, width: i32, ldy: i32, ldx: i32, ldm: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let i: usize = 0; i < <usize> width << 2; i += 16) {
      v128.store(y + i, f32x4.mul(v128.load(x + i), v128.load(mask + i)));
    }
    y += <usize> ldy << 2, x += <usize> ldx << 2, mask += <usize> ldm << 2;
  }
}
