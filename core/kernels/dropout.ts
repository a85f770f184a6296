// Dropout. The mask comes from a counter-based generator, so that a number depends on nothing but (seed, step, layer,
// position): any device and any number of threads draws the same mask, and a resumed run goes on as if never stopped.

import { CONTROL_ROWS_BEFORE, CONTROL_SEED_HIGH, CONTROL_SEED_LOW, CONTROL_STEP, FEATURE, LANES } from "./constants";
import { madd, zero } from "./simd";

/** High 32 bits of the products of four numbers with one. */
@inline
function multiplyHigh(a: v128, factor: v128): v128 {
  return i32x4.shuffle(i64x2.extmul_low_i32x4_u(a, factor), i64x2.extmul_high_i32x4_u(a, factor), 1, 3, 5, 7);
}

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") for four counters at once, one in each
 * lane: (c0, c1, c2, 0) under a key of two words. The four words of each are stored 16 bytes apart.
 */
@inline
function philox4(out: usize, c0: v128, c1: v128, c2: v128, k0: u32, k1: u32): void {
  const m0 = i32x4.splat(0xd2511f53), m1 = i32x4.splat(0xcd9e8d57);
  let c3 = zero();
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(c0, m0), low0 = i32x4.mul(c0, m0), high1 = multiplyHigh(c2, m1), low1 = i32x4.mul(c2, m1);
    c0 = v128.xor(v128.xor(high1, c1), i32x4.splat(k0));
    c1 = low1;
    c2 = v128.xor(v128.xor(high0, c3), i32x4.splat(k1));
    c3 = low0;
    k0 += 0x9e3779b9, k1 += 0xbb67ae85;
  }
  v128.store(out, c0), v128.store(out, c1, 16), v128.store(out, c2, 32), v128.store(out, c3, 48);
}

/**
 * Random words of four counters (first + i, stream, step, 0), i from 0 to 3: word w of counter i at 4·w + i. For tests that
 * the host (core/random.ts) and the kernels draw the same.
 */
export function randomWords(words: usize, first: i32, stream: i32, step: i32, seedLow: i32, seedHigh: i32): void {
  const counters = i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3));
  philox4(words, counters, i32x4.splat(stream), i32x4.splat(step), seedLow, seedHigh);
}

/**
 * mask (T, groups, F, 8) = 0 with probability p, else 1 / (1 − p). Column f of step t of row r is word f mod 4 of counter
 * (((row0 + r)·T + t)·⌈F / 4⌉ + ⌊f / 4⌋, stream, step, 0). control: core/device/control.ts.
 * `words` (16) is scratch.
 */
export function dropoutMask(
  mask: usize, words: usize, control: usize, T: i32, groups: i32, row0: i32, F: i32, ldm: i32, stream: i32, p: f32,
): void {
  const seedLow = load<u32>(control, CONTROL_SEED_LOW), seedHigh = load<u32>(control, CONTROL_SEED_HIGH);
  const step = i32x4.splat(load<u32>(control, CONTROL_STEP));
  row0 += load<i32>(control, CONTROL_ROWS_BEFORE);
  const threshold = i32x4.splat(<i32> <u32> (<f64> p * 4294967296.0)), keep = f32x4.splat(1 / (1 - p));
  const blocks = (F + 3) >> 2, row = T * blocks;
  const apart = i32x4.mul(i32x4.splat(row), i32x4(0, 1, 2, 3));
  for (let t = 0; t < T; t++) {
    for (let g = 0; g < groups; g++) {
      for (let half = 0; half < 2; half++) {
        const first = (row0 + g * LANES + half * 4) * row + t * blocks;
        for (let block = 0; block < blocks; block++) {
          philox4(words, i32x4.add(i32x4.splat(first + block), apart), i32x4.splat(stream), step, seedLow, seedHigh);
          for (let i = 0; i < min(4, F - 4 * block); i++) {
            const kept = i32x4.ge_u(v128.load(words + (<usize> i << 4)), threshold);
            v128.store(mask + <usize> (4 * block + i) * FEATURE + (<usize> half << 4), v128.and(keep, kept));
          }
        }
      }
      mask += <usize> ldm << 2;
    }
  }
}

/** y = x ∘ mask over groups of F features; the backward pass is the same with gradients. */
export function dropoutApply(y: usize, x: usize, mask: usize, groups: i32, F: i32, ldy: i32, ldx: i32, ldm: i32): void {
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < <usize> F * FEATURE; i += 16) {
      v128.store(y + i, f32x4.mul(v128.load(x + i), v128.load(mask + i)));
    }
    y += <usize> ldy << 2, x += <usize> ldx << 2, mask += <usize> ldm << 2;
  }
}

/** y += x ∘ mask: dropoutApply where other gradients are already there. */
export function dropoutAccumulate(
  y: usize, x: usize, mask: usize, groups: i32, F: i32, ldy: i32, ldx: i32, ldm: i32,
): void {
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < <usize> F * FEATURE; i += 16) {
      v128.store(y + i, madd(v128.load(x + i), v128.load(mask + i), v128.load(y + i)));
    }
    y += <usize> ldy << 2, x += <usize> ldx << 2, mask += <usize> ldm << 2;
  }
}
