// The two matrix products everything rests on. Strides (`ld…`) are in bytes here; sizes are in elements.
//
// Shapes of the register tiles: 4 rows × 8 columns are 8 accumulators, 4 vectors of A, 2 of B and one spread lane:
// the 15 registers an x86 engine has. A bigger tile spills and halves the speed.

import { madd, zero } from "./simd";

/** Columns of B in one panel. */
const PANEL: i32 = 8;
/** Inner length of one pass: a panel of B stays in the first-level cache. */
const INNER: i32 = 512;
/** Elements of A in one pass: half of a second-level cache of 512 KB. */
const OUTER: i32 = 65536;
/** Rows of A and B in one pass of the transposed product. */
const DEPTH: i32 = 64;

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

/** C (4, 8) = init + A (4, k) · panel (k, 8). `init` 0 means zeros. */
function tile4x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, init: usize, ldi: usize, k: i32): void {
  let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero();
  let c20 = zero(), c21 = zero(), c30 = zero(), c31 = zero();
  if (init) {
    c00 = v128.load(init), c01 = v128.load(init, 16);
    c10 = v128.load(init + ldi), c11 = v128.load(init + ldi, 16);
    c20 = v128.load(init + 2 * ldi), c21 = v128.load(init + 2 * ldi, 16);
    c30 = v128.load(init + 3 * ldi), c31 = v128.load(init + 3 * ldi, 16);
  }
  let ap1 = a + lda, ap2 = a + 2 * lda, ap3 = a + 3 * lda;
  for (; k > 0; k -= 4) {
    const a0 = v128.load(a), a1 = v128.load(ap1), a2 = v128.load(ap2), a3 = v128.load(ap3);
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
    a += 16, ap1 += 16, ap2 += 16, ap3 += 16, b += 128;
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  v128.store(c + ldc, c10), v128.store(c + ldc, c11, 16);
  v128.store(c + 2 * ldc, c20), v128.store(c + 2 * ldc, c21, 16);
  v128.store(c + 3 * ldc, c30), v128.store(c + 3 * ldc, c31, 16);
}

/** C (4, 4) = init + A (4, k) · panel (k, 4). */
function tile4x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, init: usize, ldi: usize, k: i32): void {
  let c0 = zero(), c1 = zero(), c2 = zero(), c3 = zero();
  if (init) {
    c0 = v128.load(init), c1 = v128.load(init + ldi), c2 = v128.load(init + 2 * ldi), c3 = v128.load(init + 3 * ldi);
  }
  let ap1 = a + lda, ap2 = a + 2 * lda, ap3 = a + 3 * lda;
  for (; k > 0; k -= 4) {
    const a0 = v128.load(a), a1 = v128.load(ap1), a2 = v128.load(ap2), a3 = v128.load(ap3);
    let b0 = v128.load(b);
    c0 = madd(lane0(a0), b0, c0), c1 = madd(lane0(a1), b0, c1);
    c2 = madd(lane0(a2), b0, c2), c3 = madd(lane0(a3), b0, c3);
    b0 = v128.load(b, 16);
    c0 = madd(lane1(a0), b0, c0), c1 = madd(lane1(a1), b0, c1);
    c2 = madd(lane1(a2), b0, c2), c3 = madd(lane1(a3), b0, c3);
    b0 = v128.load(b, 32);
    c0 = madd(lane2(a0), b0, c0), c1 = madd(lane2(a1), b0, c1);
    c2 = madd(lane2(a2), b0, c2), c3 = madd(lane2(a3), b0, c3);
    b0 = v128.load(b, 48);
    c0 = madd(lane3(a0), b0, c0), c1 = madd(lane3(a1), b0, c1);
    c2 = madd(lane3(a2), b0, c2), c3 = madd(lane3(a3), b0, c3);
    a += 16, ap1 += 16, ap2 += 16, ap3 += 16, b += 64;
  }
  v128.store(c, c0), v128.store(c + ldc, c1), v128.store(c + 2 * ldc, c2), v128.store(c + 3 * ldc, c3);
}

/** C (1, 8) = init + a (k) · panel (k, 8): rows left over when M is no multiple of 4, summed in the same order. */
function tile1x8(c: usize, a: usize, b: usize, init: usize, k: i32): void {
  let c0 = zero(), c1 = zero();
  if (init) c0 = v128.load(init), c1 = v128.load(init, 16);
  for (; k > 0; k -= 4) {
    const a0 = v128.load(a);
    c0 = madd(lane0(a0), v128.load(b), c0), c1 = madd(lane0(a0), v128.load(b, 16), c1);
    c0 = madd(lane1(a0), v128.load(b, 32), c0), c1 = madd(lane1(a0), v128.load(b, 48), c1);
    c0 = madd(lane2(a0), v128.load(b, 64), c0), c1 = madd(lane2(a0), v128.load(b, 80), c1);
    c0 = madd(lane3(a0), v128.load(b, 96), c0), c1 = madd(lane3(a0), v128.load(b, 112), c1);
    a += 16, b += 128;
  }
  v128.store(c, c0), v128.store(c, c1, 16);
}

/** C (1, 4) = init + a (k) · panel (k, 4). */
function tile1x4(c: usize, a: usize, b: usize, init: usize, k: i32): void {
  let c0 = zero();
  if (init) c0 = v128.load(init);
  for (; k > 0; k -= 4) {
    const a0 = v128.load(a);
    c0 = madd(lane0(a0), v128.load(b), c0);
    c0 = madd(lane1(a0), v128.load(b, 16), c0);
    c0 = madd(lane2(a0), v128.load(b, 32), c0);
    c0 = madd(lane3(a0), v128.load(b, 48), c0);
    a += 16, b += 64;
  }
  v128.store(c, c0);
}

/** All rows of A against one panel. */
function panelProduct(
  c: usize, ldc: usize, a: usize, lda: usize, b: usize, init: usize, ldi: usize, m: i32, k: i32, wide: bool,
): void {
  for (; m >= 4; m -= 4) {
    if (wide) tile4x8(c, ldc, a, lda, b, init, ldi, k);
    else tile4x4(c, ldc, a, lda, b, init, ldi, k);
    c += 4 * ldc, a += 4 * lda;
    if (init) init += 4 * ldi;
  }
  for (; m > 0; m--) {
    if (wide) tile1x8(c, a, b, init, k);
    else tile1x4(c, a, b, init, k);
    c += ldc, a += lda;
    if (init) init += ldi;
  }
}

/**
 * C (M, N) = init + A (M, K) · B (K, N).
 *
 * A row-major; B in panels of 8 columns, each (K, 8), the last one (K, 4) if N mod 8 is 4. N and K multiples of 4.
 * `init` is 0 (nothing), a row of N with stride 0 (a bias), or C itself (accumulate).
 */
export function matmul(
  c: usize, ldc: usize, a: usize, lda: usize, b: usize, init: usize, ldi: usize, m: i32, n: i32, k: i32,
): void {
  for (let k0 = 0; k0 < k; k0 += INNER) {
    const kc = min(INNER, k - k0);
    const mc = max(4, (OUTER / kc) & ~3);
    const from = k0 ? c : init, ldf = k0 ? ldc : ldi;
    for (let m0 = 0; m0 < m; m0 += mc) {
      const rows = min(mc, m - m0);
      const ci = c + <usize> m0 * ldc, ai = a + <usize> m0 * lda + (<usize> k0 << 2);
      const fi = from ? from + <usize> m0 * ldf : 0;
      for (let n0 = 0; n0 < n; n0 += PANEL) {
        const wide = n - n0 >= PANEL;
        const panel = b + (<usize> (n0 * k + k0 * (wide ? 8 : 4)) << 2);
        const column = <usize> n0 << 2;
        panelProduct(ci + column, ldc, ai, lda, panel, fi ? fi + column : 0, ldf, rows, kc, wide);
      }
    }
  }
}

/** C (4, 8) += Aᵀ (4, k) · B (k, 8), both row-major with the k rows outermost. */
function outerTile4x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32, add: bool): void {
  let c00 = zero(), c01 = zero(), c10 = zero(), c11 = zero();
  let c20 = zero(), c21 = zero(), c30 = zero(), c31 = zero();
  if (add) {
    c00 = v128.load(c), c01 = v128.load(c, 16);
    c10 = v128.load(c + ldc), c11 = v128.load(c + ldc, 16);
    c20 = v128.load(c + 2 * ldc), c21 = v128.load(c + 2 * ldc, 16);
    c30 = v128.load(c + 3 * ldc), c31 = v128.load(c + 3 * ldc, 16);
  }
  for (; k > 0; k--) {
    const av = v128.load(a), b0 = v128.load(b), b1 = v128.load(b, 16);
    let s = lane0(av);
    c00 = madd(s, b0, c00), c01 = madd(s, b1, c01), s = lane1(av);
    c10 = madd(s, b0, c10), c11 = madd(s, b1, c11), s = lane2(av);
    c20 = madd(s, b0, c20), c21 = madd(s, b1, c21), s = lane3(av);
    c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
    a += lda, b += ldb;
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  v128.store(c + ldc, c10), v128.store(c + ldc, c11, 16);
  v128.store(c + 2 * ldc, c20), v128.store(c + 2 * ldc, c21, 16);
  v128.store(c + 3 * ldc, c30), v128.store(c + 3 * ldc, c31, 16);
}

/** C (4, 4) += Aᵀ (4, k) · B (k, 4). */
function outerTile4x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32, add: bool): void {
  let c0 = zero(), c1 = zero(), c2 = zero(), c3 = zero();
  if (add) c0 = v128.load(c), c1 = v128.load(c + ldc), c2 = v128.load(c + 2 * ldc), c3 = v128.load(c + 3 * ldc);
  for (; k > 0; k--) {
    const av = v128.load(a), b0 = v128.load(b);
    c0 = madd(lane0(av), b0, c0), c1 = madd(lane1(av), b0, c1);
    c2 = madd(lane2(av), b0, c2), c3 = madd(lane3(av), b0, c3);
    a += lda, b += ldb;
  }
  v128.store(c, c0), v128.store(c + ldc, c1), v128.store(c + 2 * ldc, c2), v128.store(c + 3 * ldc, c3);
}

/** C (M, N) = Aᵀ · B, A (K, M) and B (K, N) row-major; M and N multiples of 4. K is summed in order, 64 rows at a time. */
export function matmulTransposed(
  c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, m: i32, n: i32, k: i32,
): void {
  for (let k0 = 0; k0 < k; k0 += DEPTH) {
    const kc = min(DEPTH, k - k0), add = k0 > 0;
    for (let n0 = 0; n0 < n; n0 += PANEL) {
      const wide = n - n0 >= PANEL;
      const column = b + (<usize> n0 << 2);
      for (let m0 = 0; m0 < m; m0 += 4) {
        const ci = c + <usize> m0 * ldc + (<usize> n0 << 2), row = a + (<usize> m0 << 2);
        if (wide) outerTile4x8(ci, ldc, row, lda, column, ldb, kc, add);
        else outerTile4x4(ci, ldc, row, lda, column, ldb, kc, add);
      }
    }
    a += <usize> kc * lda, b += <usize> kc * ldb;
  }
}
