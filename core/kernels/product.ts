// The two matrix products everything rests on.
//
// Sequences stand side by side in the lanes of the vectors: an activation of F features is a list of groups of 8 rows,
// each group (F, 8). So no feature is padded, whatever F is, elementwise work has no ragged ends, and sums over features
// are sums of vectors. Strides are in bytes here, sizes in elements.
//
// The tile sizes are those whose accumulators, operands and one spread lane just fit the 15 vector registers of x86: a
// bigger tile spills and halves the speed.

import { FEATURE, LANES, PANEL } from "./constants";
import { madd, zero } from "./simd";

export { FEATURE };

/**
 * Whether to take the tiles for engines that pack pairs of 128-bit operations into 256-bit ones: V8 under two flags. Flags
 * cannot be read, so the device measures which tiles are faster.
 */
let wide: bool = false;
export function setWide(on: i32): void {
  wide = on != 0;
}

/** Bytes of activations in one pass: a good part of a second-level cache of 512 KB. */
const PASS: usize = 196608;

@inline
function lane0(x: v128): v128 {
  return i32x4.shuffle(x, x, 0, 0, 0, 0);
}
@inline
function lane1(x: v128): v128 {
  return i32x4.shuffle(x, x, 1, 1, 1, 1);
}
@inline
function lane2(x: v128): v128 {
  return i32x4.shuffle(x, x, 2, 2, 2, 2);
}
@inline
function lane3(x: v128): v128 {
  return i32x4.shuffle(x, x, 3, 3, 3, 3);
}

/** Bytes of the panels of an (M, K) matrix. */
@inline
function panelBytes(K: i32): usize {
  return <usize> (PANEL * K) << 2;
}

/**
 * W (M, K), stride ldw, into panels of 5 rows for `product`; the last one is filled up with rows of 0. A panel holds, for
 * every four columns, four vectors (rows 0 to 3 of a column) and one of row 4; columns left over hold their five rows.
 * Row m is row (m + rotate) mod M of W. With `transpose`, W is (K, M), and column k is its row (k + rotate) mod K.
 */
export function packPanels(panels: usize, w: usize, M: i32, K: i32, ldw: i32, rotate: i32, transpose: bool): void {
  const rowStep = <usize> (transpose ? 1 : ldw) << 2, columnStep = <usize> (transpose ? ldw : 1) << 2;
  const quads = K & ~3, wrap = transpose && rotate ? K - rotate : K;
  for (let m = 0; m < M; m += PANEL) {
    for (let i = 0; i < PANEL; i++) {
      const row = m + i;
      let dst = panels + (<usize> (i < 4 ? i : 16) << 2);
      const near: usize = i < 4 ? 16 : 4, far: usize = i < 4 ? 32 : 68;
      if (row >= M) {
        for (let k = 0; k < K; k++) {
          if (k == quads) dst = panels + (<usize> (quads * PANEL + i) << 2);
          store<f32>(dst, 0);
          dst += k >= quads ? 20 : (k & 3) == 3 ? far : near;
        }
        continue;
      }
      const first = transpose ? row : row + rotate < M ? row + rotate : row + rotate - M;
      const start = w + <usize> first * rowStep;
      let src = transpose ? start + <usize> rotate * columnStep : start;
      for (let k = 0; k < quads; k += 4) {
        for (let j = 0; j < 4; j++) {
          if (k + j == wrap) src = start;
          store<f32>(dst, load<f32>(src));
          src += columnStep, dst += near;
        }
        dst += far - near;
      }
      dst = panels + (<usize> (quads * PANEL + i) << 2);
      for (let k = quads; k < K; k++) {
        if (k == wrap) src = start;
        store<f32>(dst, load<f32>(src));
        src += columnStep, dst += 20;
      }
    }
    panels += panelBytes(K);
  }
}

/** How the tile starts: from zeros, from a bias (5 numbers), or from what is there. */
const START_ZERO: i32 = 0;
const START_BIAS: i32 = 1;
const START_ADD: i32 = 2;

/**
 * One panel against `groups` groups: C (rows, 8) = start + panel (5, K) · B (K, 8), for each. Groups lie ldc and ldb apart.
 */
function panelProduct(
  c: usize, ldc: usize, panel: usize, b: usize, ldb: usize, start: i32, bias: usize, rows: i32, K: i32, groups: i32,
): void {
  for (; groups > 0; groups--) {
    let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero(), c20 = zero();
    let c21 = zero(), c30 = zero(), c31 = zero(), c40 = zero(), c41 = zero();
    if (start == START_BIAS) {
      c00 = v128.load32_splat(bias), c10 = v128.load32_splat(bias, 4), c20 = v128.load32_splat(bias, 8);
      c30 = v128.load32_splat(bias, 12), c40 = v128.load32_splat(bias, 16);
      c01 = c00, c11 = c10, c21 = c20, c31 = c30, c41 = c40;
    } else if (start == START_ADD) {
      c00 = v128.load(c), c01 = v128.load(c, 16), c10 = v128.load(c, 32), c11 = v128.load(c, 48), c20 = v128.load(c, 64);
      c21 = v128.load(c, 80), c30 = v128.load(c, 96), c31 = v128.load(c, 112), c40 = v128.load(c, 128), c41 = v128.load(c, 144);
    }
    let p = panel, q = b;
    for (let k = K; k >= 4; k -= 4) {
      const fifth = v128.load(p, 64);
      let a = v128.load(p), b0 = v128.load(q), b1 = v128.load(q, 16), s = lane0(a);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(a);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(a);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(a);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = lane0(fifth);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      a = v128.load(p, 16), b0 = v128.load(q, 32), b1 = v128.load(q, 48), s = lane0(a);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(a);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(a);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(a);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = lane1(fifth);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      a = v128.load(p, 32), b0 = v128.load(q, 64), b1 = v128.load(q, 80), s = lane0(a);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(a);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(a);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(a);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = lane2(fifth);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      a = v128.load(p, 48), b0 = v128.load(q, 96), b1 = v128.load(q, 112), s = lane0(a);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(a);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(a);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(a);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = lane3(fifth);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      p += 80, q += 128;
    }
    for (let k = K & 3; k > 0; k--) {
      const a = v128.load(p), b0 = v128.load(q), b1 = v128.load(q, 16);
      let s = lane0(a);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(a);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(a);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(a);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = v128.load32_splat(p, 16);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      p += 20, q += 32;
    }
    v128.store(c, c00), v128.store(c, c01, 16);
    if (rows > 1) v128.store(c, c10, 32), v128.store(c, c11, 48);
    if (rows > 2) v128.store(c, c20, 64), v128.store(c, c21, 80);
    if (rows > 3) v128.store(c, c30, 96), v128.store(c, c31, 112);
    if (rows > 4) v128.store(c, c40, 128), v128.store(c, c41, 144);
    c += ldc, b += ldb;
  }
}

/**
 * panelProduct for two groups at once: 5 × 16. For engines that pack neighbouring 128-bit operations into 256-bit ones (see
 * `wide`); elsewhere its 20 accumulators do not fit the registers. The same sums in the same order as panelProduct.
 */
function panelProductWide(
  c: usize, ldc: usize, panel: usize, b: usize, ldb: usize, start: i32, bias: usize, rows: i32, K: i32, groups: i32,
): void {
  for (; groups > 1; groups -= 2) {
    const e = c + ldc, r0 = b + ldb;
    let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero(), c20 = zero(), c21 = zero(), c30 = zero(), c31 = zero(), c40 = zero(), c41 = zero();
    let e00 = zero(), e01 = zero(), e10 = zero(), e11 = zero(), e20 = zero(), e21 = zero(), e30 = zero(), e31 = zero(), e40 = zero(), e41 = zero();
    if (start == START_BIAS) {
      c00 = v128.load32_splat(bias, 0), c01 = c00, e00 = c00, e01 = c00;
      c10 = v128.load32_splat(bias, 4), c11 = c10, e10 = c10, e11 = c10;
      c20 = v128.load32_splat(bias, 8), c21 = c20, e20 = c20, e21 = c20;
      c30 = v128.load32_splat(bias, 12), c31 = c30, e30 = c30, e31 = c30;
      c40 = v128.load32_splat(bias, 16), c41 = c40, e40 = c40, e41 = c40;
    } else if (start == START_ADD) {
      c00 = v128.load(c, 0), c01 = v128.load(c, 16), e00 = v128.load(e, 0), e01 = v128.load(e, 16);
      c10 = v128.load(c, 32), c11 = v128.load(c, 48), e10 = v128.load(e, 32), e11 = v128.load(e, 48);
      c20 = v128.load(c, 64), c21 = v128.load(c, 80), e20 = v128.load(e, 64), e21 = v128.load(e, 80);
      c30 = v128.load(c, 96), c31 = v128.load(c, 112), e30 = v128.load(e, 96), e31 = v128.load(e, 112);
      c40 = v128.load(c, 128), c41 = v128.load(c, 144), e40 = v128.load(e, 128), e41 = v128.load(e, 144);
    }
    let p = panel, q = b, r = r0;
    for (let k = K; k >= 4; k -= 4) {
      let b0 = v128.load(q, 0), b1 = v128.load(q, 16), d0 = v128.load(r, 0), d1 = v128.load(r, 16);
      let s = v128.load32_splat(p, 0);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
      s = v128.load32_splat(p, 4);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
      s = v128.load32_splat(p, 8);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
      s = v128.load32_splat(p, 12);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
      s = v128.load32_splat(p, 64);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
      b0 = v128.load(q, 32), b1 = v128.load(q, 48), d0 = v128.load(r, 32), d1 = v128.load(r, 48);
      s = v128.load32_splat(p, 16);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
      s = v128.load32_splat(p, 20);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
      s = v128.load32_splat(p, 24);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
      s = v128.load32_splat(p, 28);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
      s = v128.load32_splat(p, 68);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
      b0 = v128.load(q, 64), b1 = v128.load(q, 80), d0 = v128.load(r, 64), d1 = v128.load(r, 80);
      s = v128.load32_splat(p, 32);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
      s = v128.load32_splat(p, 36);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
      s = v128.load32_splat(p, 40);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
      s = v128.load32_splat(p, 44);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
      s = v128.load32_splat(p, 72);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
      b0 = v128.load(q, 96), b1 = v128.load(q, 112), d0 = v128.load(r, 96), d1 = v128.load(r, 112);
      s = v128.load32_splat(p, 48);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
      s = v128.load32_splat(p, 52);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
      s = v128.load32_splat(p, 56);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
      s = v128.load32_splat(p, 60);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
      s = v128.load32_splat(p, 76);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
      p += 80, q += 128, r += 128;
    }
    for (let k = K & 3; k > 0; k--) {
      let b0 = v128.load(q, 0), b1 = v128.load(q, 16), d0 = v128.load(r, 0), d1 = v128.load(r, 16);
      let s = v128.load32_splat(p, 0);
      c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
      s = v128.load32_splat(p, 4);
      c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
      s = v128.load32_splat(p, 8);
      c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
      s = v128.load32_splat(p, 12);
      c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
      s = v128.load32_splat(p, 16);
      c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
      p += 20, q += 32, r += 32;
    }
    v128.store(c, c00, 0), v128.store(c, c01, 16), v128.store(e, e00, 0), v128.store(e, e01, 16);
    if (rows > 1) v128.store(c, c10, 32), v128.store(c, c11, 48), v128.store(e, e10, 32), v128.store(e, e11, 48);
    if (rows > 2) v128.store(c, c20, 64), v128.store(c, c21, 80), v128.store(e, e20, 64), v128.store(e, e21, 80);
    if (rows > 3) v128.store(c, c30, 96), v128.store(c, c31, 112), v128.store(e, e30, 96), v128.store(e, e31, 112);
    if (rows > 4) v128.store(c, c40, 128), v128.store(c, c41, 144), v128.store(e, e40, 128), v128.store(e, e41, 144);
    c += 2 * ldc, b += 2 * ldb;
  }
  if (groups) panelProduct(c, ldc, panel, b, ldb, start, bias, rows, K, 1);
}

/** panelProduct of two panels with one group: 10 × 8. For `wide`, where a block has but one group. */
function panelProductTall(c: usize, panel: usize, next: usize, b: usize, start: i32, bias: usize, rows: i32, K: i32): void {
  const e = c + 5 * FEATURE;
  let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero(), c20 = zero(), c21 = zero(), c30 = zero(), c31 = zero(), c40 = zero(), c41 = zero();
  let e00 = zero(), e01 = zero(), e10 = zero(), e11 = zero(), e20 = zero(), e21 = zero(), e30 = zero(), e31 = zero(), e40 = zero(), e41 = zero();
  if (start == START_BIAS) {
    c00 = v128.load32_splat(bias, 0), c01 = c00, e00 = v128.load32_splat(bias, 20), e01 = e00;
    c10 = v128.load32_splat(bias, 4), c11 = c10, e10 = v128.load32_splat(bias, 24), e11 = e10;
    c20 = v128.load32_splat(bias, 8), c21 = c20, e20 = v128.load32_splat(bias, 28), e21 = e20;
    c30 = v128.load32_splat(bias, 12), c31 = c30, e30 = v128.load32_splat(bias, 32), e31 = e30;
    c40 = v128.load32_splat(bias, 16), c41 = c40, e40 = v128.load32_splat(bias, 36), e41 = e40;
  } else if (start == START_ADD) {
    c00 = v128.load(c, 0), c01 = v128.load(c, 16), e00 = v128.load(e, 0), e01 = v128.load(e, 16);
    c10 = v128.load(c, 32), c11 = v128.load(c, 48), e10 = v128.load(e, 32), e11 = v128.load(e, 48);
    c20 = v128.load(c, 64), c21 = v128.load(c, 80), e20 = v128.load(e, 64), e21 = v128.load(e, 80);
    c30 = v128.load(c, 96), c31 = v128.load(c, 112), e30 = v128.load(e, 96), e31 = v128.load(e, 112);
    c40 = v128.load(c, 128), c41 = v128.load(c, 144), e40 = v128.load(e, 128), e41 = v128.load(e, 144);
  }
  let p = panel, r = next, q = b;
  for (let k = K; k >= 4; k -= 4) {
    let b0 = v128.load(q, 0), b1 = v128.load(q, 16);
    let s = v128.load32_splat(p, 0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = v128.load32_splat(r, 0);
    e00 = madd(s, b0, e00), e01 = madd(s, b1, e01);
    s = v128.load32_splat(p, 4);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = v128.load32_splat(r, 4);
    e10 = madd(s, b0, e10), e11 = madd(s, b1, e11);
    s = v128.load32_splat(p, 8);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = v128.load32_splat(r, 8);
    e20 = madd(s, b0, e20), e21 = madd(s, b1, e21);
    s = v128.load32_splat(p, 12);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = v128.load32_splat(r, 12);
    e30 = madd(s, b0, e30), e31 = madd(s, b1, e31);
    s = v128.load32_splat(p, 64);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), s = v128.load32_splat(r, 64);
    e40 = madd(s, b0, e40), e41 = madd(s, b1, e41);
    b0 = v128.load(q, 32), b1 = v128.load(q, 48);
    s = v128.load32_splat(p, 16);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = v128.load32_splat(r, 16);
    e00 = madd(s, b0, e00), e01 = madd(s, b1, e01);
    s = v128.load32_splat(p, 20);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = v128.load32_splat(r, 20);
    e10 = madd(s, b0, e10), e11 = madd(s, b1, e11);
    s = v128.load32_splat(p, 24);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = v128.load32_splat(r, 24);
    e20 = madd(s, b0, e20), e21 = madd(s, b1, e21);
    s = v128.load32_splat(p, 28);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = v128.load32_splat(r, 28);
    e30 = madd(s, b0, e30), e31 = madd(s, b1, e31);
    s = v128.load32_splat(p, 68);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), s = v128.load32_splat(r, 68);
    e40 = madd(s, b0, e40), e41 = madd(s, b1, e41);
    b0 = v128.load(q, 64), b1 = v128.load(q, 80);
    s = v128.load32_splat(p, 32);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = v128.load32_splat(r, 32);
    e00 = madd(s, b0, e00), e01 = madd(s, b1, e01);
    s = v128.load32_splat(p, 36);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = v128.load32_splat(r, 36);
    e10 = madd(s, b0, e10), e11 = madd(s, b1, e11);
    s = v128.load32_splat(p, 40);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = v128.load32_splat(r, 40);
    e20 = madd(s, b0, e20), e21 = madd(s, b1, e21);
    s = v128.load32_splat(p, 44);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = v128.load32_splat(r, 44);
    e30 = madd(s, b0, e30), e31 = madd(s, b1, e31);
    s = v128.load32_splat(p, 72);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), s = v128.load32_splat(r, 72);
    e40 = madd(s, b0, e40), e41 = madd(s, b1, e41);
    b0 = v128.load(q, 96), b1 = v128.load(q, 112);
    s = v128.load32_splat(p, 48);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = v128.load32_splat(r, 48);
    e00 = madd(s, b0, e00), e01 = madd(s, b1, e01);
    s = v128.load32_splat(p, 52);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = v128.load32_splat(r, 52);
    e10 = madd(s, b0, e10), e11 = madd(s, b1, e11);
    s = v128.load32_splat(p, 56);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = v128.load32_splat(r, 56);
    e20 = madd(s, b0, e20), e21 = madd(s, b1, e21);
    s = v128.load32_splat(p, 60);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = v128.load32_splat(r, 60);
    e30 = madd(s, b0, e30), e31 = madd(s, b1, e31);
    s = v128.load32_splat(p, 76);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), s = v128.load32_splat(r, 76);
    e40 = madd(s, b0, e40), e41 = madd(s, b1, e41);
    p += 80, r += 80, q += 128;
  }
  for (let k = K & 3; k > 0; k--) {
    let b0 = v128.load(q, 0), b1 = v128.load(q, 16);
    let s = v128.load32_splat(p, 0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = v128.load32_splat(r, 0);
    e00 = madd(s, b0, e00), e01 = madd(s, b1, e01);
    s = v128.load32_splat(p, 4);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = v128.load32_splat(r, 4);
    e10 = madd(s, b0, e10), e11 = madd(s, b1, e11);
    s = v128.load32_splat(p, 8);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = v128.load32_splat(r, 8);
    e20 = madd(s, b0, e20), e21 = madd(s, b1, e21);
    s = v128.load32_splat(p, 12);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), s = v128.load32_splat(r, 12);
    e30 = madd(s, b0, e30), e31 = madd(s, b1, e31);
    s = v128.load32_splat(p, 16);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), s = v128.load32_splat(r, 16);
    e40 = madd(s, b0, e40), e41 = madd(s, b1, e41);
    p += 20, r += 20, q += 32;
  }
  v128.store(c, c00, 0), v128.store(c, c01, 16);
  v128.store(c, c10, 32), v128.store(c, c11, 48);
  v128.store(c, c20, 64), v128.store(c, c21, 80);
  v128.store(c, c30, 96), v128.store(c, c31, 112);
  v128.store(c, c40, 128), v128.store(c, c41, 144);
  if (rows > 5) v128.store(e, e00), v128.store(e, e01, 16);
  if (rows > 6) v128.store(e, e10, 32), v128.store(e, e11, 48);
  if (rows > 7) v128.store(e, e20, 64), v128.store(e, e21, 80);
  if (rows > 8) v128.store(e, e30, 96), v128.store(e, e31, 112);
  if (rows > 9) v128.store(e, e40, 128), v128.store(e, e41, 144);
}

/**
 * C (groups, M, 8) = start + W (M, K) · B (groups, K, 8), W in panels. `bias` is 0 or M numbers, readable to the next
 * multiple of 5; with `accumulate`, C += ….
 */
export function product(
  c: usize, ldc: usize, panels: usize, b: usize, ldb: usize, bias: usize, accumulate: bool, M: i32, K: i32, groups: i32,
): void {
  const start = accumulate ? START_ADD : bias ? START_BIAS : START_ZERO;
  const pass = max(1, <i32> (PASS / (<usize> K * FEATURE)));
  for (let g = 0; g < groups; g += pass) {
    const count = min(pass, groups - g);
    let panel = panels, row = c, m = 0;
    if (wide && count == 1) {
      for (; M - m > PANEL; m += 2 * PANEL) {
        panelProductTall(row, panel, panel + panelBytes(K), b, start, bias + (<usize> m << 2), M - m, K);
        panel += 2 * panelBytes(K), row += <usize> (2 * PANEL) * FEATURE;
      }
    }
    for (; m < M; m += PANEL) {
      const rows = min(PANEL, M - m), from = bias + (<usize> m << 2);
      if (wide) panelProductWide(row, ldc, panel, b, ldb, start, from, rows, K, count);
      else panelProduct(row, ldc, panel, b, ldb, start, from, rows, K, count);
      panel += panelBytes(K), row += <usize> PANEL * FEATURE;
    }
    c += <usize> count * ldc, b += <usize> count * ldb;
  }
}

/**
 * Activations (groups, F, 8) turned round for `outerProduct`: panels of 8 features, each (groups, 8 rows, 8 features);
 * features beyond F are 0.
 */
export function turnGroups(panels: usize, a: usize, lda: usize, F: i32, groups: i32): void {
  for (let f = 0; f < F; f += 8) {
    let src = a + <usize> f * FEATURE;
    for (let g = 0; g < groups; g++) {
      const count = F - f;
      if (count >= 4) turn4(panels, src), turn4(panels + 128, src + 16);
      else turnFew(panels, src, count), turnFew(panels + 128, src + 16, count);
      if (count >= 8) turn4(panels + 16, src + 128), turn4(panels + 144, src + 144);
      else turnFew(panels + 16, src + 128, count - 4), turnFew(panels + 144, src + 144, count - 4);
      panels += 256, src += lda;
    }
  }
}

/** Four vectors, 32 bytes apart, transposed to four vectors 32 bytes apart. */
@inline
function turn4(dst: usize, src: usize): void {
  turn(dst, v128.load(src), v128.load(src, 32), v128.load(src, 64), v128.load(src, 96));
}

/** The same with the first `count` vectors (none to three); the others are 0. */
@inline
function turnFew(dst: usize, src: usize, count: i32): void {
  const a = count > 0 ? v128.load(src) : zero(), b = count > 1 ? v128.load(src, 32) : zero();
  turn(dst, a, b, count > 2 ? v128.load(src, 64) : zero(), zero());
}

@inline
function turn(dst: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), AB = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cd = i32x4.shuffle(c, d, 0, 4, 1, 5), CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(dst, i32x4.shuffle(ab, cd, 0, 1, 4, 5)), v128.store(dst, i32x4.shuffle(ab, cd, 2, 3, 6, 7), 32);
  v128.store(dst, i32x4.shuffle(AB, CD, 0, 1, 4, 5), 64), v128.store(dst, i32x4.shuffle(AB, CD, 2, 3, 6, 7), 96);
}

/** C (4, 8) (+)= Σ over groups of A (4, 8 lanes) · B (8 lanes, 8). */
function outerTile(c: usize, ldc: usize, a: usize, lda: usize, b: usize, groups: i32, add: bool): void {
  let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero();
  let c20 = zero(), c21 = zero(), c30 = zero(), c31 = zero();
  if (add) {
    c00 = v128.load(c), c01 = v128.load(c, 16);
    c10 = v128.load(c + ldc), c11 = v128.load(c + ldc, 16);
    c20 = v128.load(c + 2 * ldc), c21 = v128.load(c + 2 * ldc, 16);
    c30 = v128.load(c + 3 * ldc), c31 = v128.load(c + 3 * ldc, 16);
  }
  for (let half = groups << 1; half > 0; half--) {
    const a0 = v128.load(a), a1 = v128.load(a, 32), a2 = v128.load(a, 64), a3 = v128.load(a, 96);
    let b0 = v128.load(b), b1 = v128.load(b, 16), s = lane0(a0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane0(a1);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane0(a2);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane0(a3);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
    b0 = v128.load(b, 32), b1 = v128.load(b, 48), s = lane1(a0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(a1);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane1(a2);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane1(a3);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
    b0 = v128.load(b, 64), b1 = v128.load(b, 80), s = lane2(a0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane2(a1);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(a2);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane2(a3);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
    b0 = v128.load(b, 96), b1 = v128.load(b, 112), s = lane3(a0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane3(a1);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane3(a2);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(a3);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
    // The second half of a group is 16 bytes on, the next group what is left of lda.
    a += half & 1 ? lda - 16 : 16, b += 128;
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  v128.store(c + ldc, c10), v128.store(c + ldc, c11, 16);
  v128.store(c + 2 * ldc, c20), v128.store(c + 2 * ldc, c21, 16);
  v128.store(c + 3 * ldc, c30), v128.store(c + 3 * ldc, c31, 16);
}

/** C (8, 4) (+)= Σ over groups of A (8, 8 lanes) · B (8 lanes, 4): the last columns, where at most 4 are left. */
function outerTileNarrow(c: usize, ldc: usize, a: usize, lda: usize, b: usize, groups: i32, add: bool): void {
  let c0 = zero(), c1 = zero(), c2 = zero(), c3 = zero(), c4 = zero(), c5 = zero(), c6 = zero(), c7 = zero();
  if (add) {
    c0 = v128.load(c), c1 = v128.load(c + ldc), c2 = v128.load(c + 2 * ldc), c3 = v128.load(c + 3 * ldc);
    c4 = v128.load(c + 4 * ldc), c5 = v128.load(c + 5 * ldc), c6 = v128.load(c + 6 * ldc), c7 = v128.load(c + 7 * ldc);
  }
  for (let half = groups << 1; half > 0; half--) {
    const b0 = v128.load(b), b1 = v128.load(b, 32), b2 = v128.load(b, 64), b3 = v128.load(b, 96);
    let x = v128.load(a);
    c0 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c0))));
    x = v128.load(a, 32);
    c1 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c1))));
    x = v128.load(a, 64);
    c2 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c2))));
    x = v128.load(a, 96);
    c3 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c3))));
    x = v128.load(a, 128);
    c4 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c4))));
    x = v128.load(a, 160);
    c5 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c5))));
    x = v128.load(a, 192);
    c6 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c6))));
    x = v128.load(a, 224);
    c7 = madd(lane3(x), b3, madd(lane2(x), b2, madd(lane1(x), b1, madd(lane0(x), b0, c7))));
    a += half & 1 ? lda - 16 : 16, b += 128;
  }
  v128.store(c, c0), v128.store(c + ldc, c1), v128.store(c + 2 * ldc, c2), v128.store(c + 3 * ldc, c3);
  v128.store(c + 4 * ldc, c4), v128.store(c + 5 * ldc, c5), v128.store(c + 6 * ldc, c6), v128.store(c + 7 * ldc, c7);
}

/** outerTile of 6 × 16: two panels of B, b and b + panel. For `wide`; the same sums in the same order. */
function outerTileWide(c: usize, ldc: usize, a: usize, lda: usize, b: usize, panel: usize, groups: i32, add: bool): void {
  let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero(), c20 = zero(), c21 = zero(), c30 = zero(), c31 = zero(), c40 = zero(), c41 = zero(), c50 = zero(), c51 = zero();
  let e00 = zero(), e01 = zero(), e10 = zero(), e11 = zero(), e20 = zero(), e21 = zero(), e30 = zero(), e31 = zero(), e40 = zero(), e41 = zero(), e50 = zero(), e51 = zero();
  if (add) {
    let p = c;
    c00 = v128.load(p), c01 = v128.load(p, 16), e00 = v128.load(p, 32), e01 = v128.load(p, 48);
    p += ldc;
    c10 = v128.load(p), c11 = v128.load(p, 16), e10 = v128.load(p, 32), e11 = v128.load(p, 48);
    p += ldc;
    c20 = v128.load(p), c21 = v128.load(p, 16), e20 = v128.load(p, 32), e21 = v128.load(p, 48);
    p += ldc;
    c30 = v128.load(p), c31 = v128.load(p, 16), e30 = v128.load(p, 32), e31 = v128.load(p, 48);
    p += ldc;
    c40 = v128.load(p), c41 = v128.load(p, 16), e40 = v128.load(p, 32), e41 = v128.load(p, 48);
    p += ldc;
    c50 = v128.load(p), c51 = v128.load(p, 16), e50 = v128.load(p, 32), e51 = v128.load(p, 48);
  }
  let f = b + panel;
  for (let half = groups << 1; half > 0; half--) {
    let b0 = v128.load(b, 0), b1 = v128.load(b, 16), d0 = v128.load(f, 0), d1 = v128.load(f, 16);
    let s = v128.load32_splat(a, 0);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
    s = v128.load32_splat(a, 32);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
    s = v128.load32_splat(a, 64);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
    s = v128.load32_splat(a, 96);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
    s = v128.load32_splat(a, 128);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
    s = v128.load32_splat(a, 160);
    c50 = madd(s, b0, c50), c51 = madd(s, b1, c51), e50 = madd(s, d0, e50), e51 = madd(s, d1, e51);
    b0 = v128.load(b, 32), b1 = v128.load(b, 48), d0 = v128.load(f, 32), d1 = v128.load(f, 48);
    s = v128.load32_splat(a, 4);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
    s = v128.load32_splat(a, 36);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
    s = v128.load32_splat(a, 68);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
    s = v128.load32_splat(a, 100);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
    s = v128.load32_splat(a, 132);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
    s = v128.load32_splat(a, 164);
    c50 = madd(s, b0, c50), c51 = madd(s, b1, c51), e50 = madd(s, d0, e50), e51 = madd(s, d1, e51);
    b0 = v128.load(b, 64), b1 = v128.load(b, 80), d0 = v128.load(f, 64), d1 = v128.load(f, 80);
    s = v128.load32_splat(a, 8);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
    s = v128.load32_splat(a, 40);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
    s = v128.load32_splat(a, 72);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
    s = v128.load32_splat(a, 104);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
    s = v128.load32_splat(a, 136);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
    s = v128.load32_splat(a, 168);
    c50 = madd(s, b0, c50), c51 = madd(s, b1, c51), e50 = madd(s, d0, e50), e51 = madd(s, d1, e51);
    b0 = v128.load(b, 96), b1 = v128.load(b, 112), d0 = v128.load(f, 96), d1 = v128.load(f, 112);
    s = v128.load32_splat(a, 12);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), e00 = madd(s, d0, e00), e01 = madd(s, d1, e01);
    s = v128.load32_splat(a, 44);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), e10 = madd(s, d0, e10), e11 = madd(s, d1, e11);
    s = v128.load32_splat(a, 76);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), e20 = madd(s, d0, e20), e21 = madd(s, d1, e21);
    s = v128.load32_splat(a, 108);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31), e30 = madd(s, d0, e30), e31 = madd(s, d1, e31);
    s = v128.load32_splat(a, 140);
    c40 = madd(s, b0, c40), c41 = madd(s, b1, c41), e40 = madd(s, d0, e40), e41 = madd(s, d1, e41);
    s = v128.load32_splat(a, 172);
    c50 = madd(s, b0, c50), c51 = madd(s, b1, c51), e50 = madd(s, d0, e50), e51 = madd(s, d1, e51);
    a += half & 1 ? lda - 16 : 16, b += 128, f += 128;
  }
  v128.store(c, c00), v128.store(c, c01, 16), v128.store(c, e00, 32), v128.store(c, e01, 48);
  c += ldc;
  v128.store(c, c10), v128.store(c, c11, 16), v128.store(c, e10, 32), v128.store(c, e11, 48);
  c += ldc;
  v128.store(c, c20), v128.store(c, c21, 16), v128.store(c, e20, 32), v128.store(c, e21, 48);
  c += ldc;
  v128.store(c, c30), v128.store(c, c31, 16), v128.store(c, e30, 32), v128.store(c, e31, 48);
  c += ldc;
  v128.store(c, c40), v128.store(c, c41, 16), v128.store(c, e40, 32), v128.store(c, e41, 48);
  c += ldc;
  v128.store(c, c50), v128.store(c, c51, 16), v128.store(c, e50, 32), v128.store(c, e51, 48);
}

/**
 * C (M, N) = Σ over all rows of all groups of A ⊗ B: A (groups, M, 8), B the panels of turnGroups with F = N.
 * C has room for M + 7 rows of N rounded up to 8, ldc apart; A is readable to that.
 */
export function outerProduct(c: usize, ldc: usize, a: usize, lda: usize, panels: usize, M: i32, N: i32, groups: i32): void {
  const panel = <usize> groups << 8, pass = max(8, <i32> (PASS / (<usize> M * FEATURE)));
  for (let g = 0; g < groups; g += pass) {
    const count = min(pass, groups - g);
    let b = panels + (<usize> g << 8);
    let n = 0;
    if (wide) {
      for (; N - n > 8; n += 16) {
        for (let m = 0; m < M; m += 6) {
          const to = c + <usize> m * ldc + (<usize> n << 2);
          outerTileWide(to, ldc, a + <usize> m * FEATURE, lda, b, panel, count, g > 0);
        }
        b += 2 * panel;
      }
    }
    for (; n < N; n += 8) {
      const narrow = N - n <= 4, tall = narrow ? 8 : 4;
      for (let m = 0; m < M; m += tall) {
        const to = c + <usize> m * ldc + (<usize> n << 2), rows = a + <usize> m * FEATURE;
        if (narrow) outerTileNarrow(to, ldc, rows, lda, b, count, g > 0);
        else outerTile(to, ldc, rows, lda, b, count, g > 0);
      }
      b += panel;
    }
    a += <usize> count * lda;
  }
}
