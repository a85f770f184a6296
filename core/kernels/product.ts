// The two matrix products everything rests on.
//
// Sequences stand side by side in the lanes of the vectors: an activation of F features is a list of groups of 8 rows,
// each group (F, 8). So no feature is padded, whatever F is, elementwise work has no ragged ends, and sums over features
// are sums of vectors. Strides are in bytes here, sizes in elements.
//
// The tile sizes are those whose accumulators, operands and one spread lane just fit the 15 vector registers of x86: a
// bigger tile spills and halves the speed.

import { FEATURE, LANES, PANEL } from "./constants";
import { zero } from "./simd";
import {
  outerTile, outerTileNarrow, outerTileWide, panelProduct, panelProductTall, panelProductWide, START_ADD, START_BIAS, START_ZERO,
} from "./tiles";

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
  if (transpose) turnedPanels(panels, w, M, K, <usize> ldw << 2, rotate);
  for (let m = 0; m < M; m += PANEL) {
    if (M - m >= PANEL) {
      if (!transpose) straightPanel(panels, w, m + rotate, M, K, <usize> ldw << 2);
      panels += panelBytes(K);
      continue;
    }
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

/** A whole panel of packPanels: the five rows of W from `row` on, row M being the first again. */
function straightPanel(panel: usize, w: usize, row: i32, M: i32, K: i32, ldw: usize): void {
  let a = rowOf(w, row, M, ldw), b = rowOf(w, row + 1, M, ldw), c = rowOf(w, row + 2, M, ldw);
  let d = rowOf(w, row + 3, M, ldw), e = rowOf(w, row + 4, M, ldw);
  for (; K >= 4; K -= 4) {
    transposeInto(panel, v128.load(a), v128.load(b), v128.load(c), v128.load(d), 16);
    v128.store(panel, v128.load(e), 64);
    panel += 80, a += 16, b += 16, c += 16, d += 16, e += 16;
  }
  for (; K > 0; K--) {
    store<f32>(panel, load<f32>(a)), store<f32>(panel, load<f32>(b), 4), store<f32>(panel, load<f32>(c), 8);
    store<f32>(panel, load<f32>(d), 12), store<f32>(panel, load<f32>(e), 16);
    panel += 20, a += 4, b += 4, c += 4, d += 4, e += 4;
  }
}

@inline
function rowOf(w: usize, row: i32, M: i32, ldw: usize): usize {
  return w + <usize> (row < M ? row : row - M) * ldw;
}

/**
 * The whole panels of packPanels from the columns of W (K, M): its rows from `rotate` on, row K being the first again. Some
 * rows at a time, which stay in the cache while the panels pass by.
 */
function turnedPanels(panels: usize, w: usize, M: i32, K: i32, ldw: usize, rotate: i32): void {
  for (let k0 = 0; k0 < K; k0 += 32) {
    const end = min(K, k0 + 32);
    for (let m = 0; m + PANEL <= M; m += PANEL) {
      const panel = panels + <usize> (m / PANEL) * panelBytes(K), column = w + (<usize> m << 2);
      let k = k0, to = panel + <usize> k0 * 20;
      for (; k + 4 <= end; k += 4) {
        const a = rowOf(column, k + rotate, K, ldw), b = rowOf(column, k + 1 + rotate, K, ldw);
        const c = rowOf(column, k + 2 + rotate, K, ldw), d = rowOf(column, k + 3 + rotate, K, ldw);
        v128.store(to, v128.load(a)), v128.store(to, v128.load(b), 16), v128.store(to, v128.load(c), 32), v128.store(to, v128.load(d), 48);
        store<f32>(to, load<f32>(a, 16), 64), store<f32>(to, load<f32>(b, 16), 68);
        store<f32>(to, load<f32>(c, 16), 72), store<f32>(to, load<f32>(d, 16), 76);
        to += 80;
      }
      for (; k < end; k++) {
        const a = rowOf(column, k + rotate, K, ldw);
        v128.store(to, v128.load(a)), store<f32>(to, load<f32>(a, 16), 16);
        to += 20;
      }
    }
  }
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
 * Activations (groups, F, 8) transposed for `outerProduct`: panels of 8 features, each (groups, 8 rows, 8 features);
 * features beyond F are 0.
 */
export function transposeGroups(panels: usize, a: usize, lda: usize, F: i32, groups: i32): void {
  for (let f = 0; f < F; f += 8) {
    let src = a + <usize> f * FEATURE;
    for (let g = 0; g < groups; g++) {
      const count = F - f;
      if (count >= 4) transpose4(panels, src), transpose4(panels + 128, src + 16);
      else turnFew(panels, src, count), turnFew(panels + 128, src + 16, count);
      if (count >= 8) transpose4(panels + 16, src + 128), transpose4(panels + 144, src + 144);
      else turnFew(panels + 16, src + 128, count - 4), turnFew(panels + 144, src + 144, count - 4);
      panels += 256, src += lda;
    }
  }
}

/** Four vectors, 32 bytes apart, transposed to four vectors 32 bytes apart. */
@inline
function transpose4(dst: usize, src: usize): void {
  transposeInto(dst, v128.load(src), v128.load(src, 32), v128.load(src, 64), v128.load(src, 96), 32);
}

/** The same with the first `count` vectors (none to three); the others are 0. */
@inline
function turnFew(dst: usize, src: usize, count: i32): void {
  const a = count > 0 ? v128.load(src) : zero(), b = count > 1 ? v128.load(src, 32) : zero();
  transposeInto(dst, a, b, count > 2 ? v128.load(src, 64) : zero(), zero(), 32);
}

@inline
function transposeInto(dst: usize, a: v128, b: v128, c: v128, d: v128, step: usize): void {
  const ab = i32x4.shuffle(a, b, 0, 4, 1, 5), AB = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cd = i32x4.shuffle(c, d, 0, 4, 1, 5), CD = i32x4.shuffle(c, d, 2, 6, 3, 7);
  v128.store(dst, i32x4.shuffle(ab, cd, 0, 1, 4, 5)), v128.store(dst + step, i32x4.shuffle(ab, cd, 2, 3, 6, 7));
  v128.store(dst + 2 * step, i32x4.shuffle(AB, CD, 0, 1, 4, 5)), v128.store(dst + 3 * step, i32x4.shuffle(AB, CD, 2, 3, 6, 7));
}

/** Bytes of a block of `outerProduct`: it stays in a second-level cache while the panels pass by. */
const BLOCK: usize = 2 * PASS;
/** Most groups of one of its passes, where the panels fit that cache too and where they come from farther: fewer, and more rows. */
const NEAR_GROUPS: i32 = 48, FAR_GROUPS: i32 = 24;

/**
 * C (M, N) = Σ over all rows of all groups of A ⊗ B: A (groups, M, 8), B the panels of transposeGroups with F = N.
 * C has room for M + 7 rows of N rounded up to 8, ldc apart; A is readable to that.
 */
export function outerProduct(c: usize, ldc: usize, a: usize, lda: usize, panels: usize, M: i32, N: i32, groups: i32): void {
  const panel = <usize> groups << 8, most = <usize> (N * groups) * FEATURE <= BLOCK ? NEAR_GROUPS : FAR_GROUPS;
  const passes = (groups + most - 1) / most, pass = (groups + passes - 1) / passes;
  // Rows of all tiles' heights.
  const block = max(24, <i32> (BLOCK / (<usize> pass * FEATURE)) / 24 * 24);
  for (let m0 = 0; m0 < M; m0 += block) {
    const end = min(m0 + block, M);
    for (let g = 0; g < groups; g += pass) {
      outerPass(c, ldc, a + <usize> g * lda, lda, panels + (<usize> g << 8), panel, m0, end, N, min(pass, groups - g), g > 0);
    }
  }
}

/** Rows m0 to `end` of C (+)= … over the groups of one pass. */
function outerPass(
  c: usize, ldc: usize, a: usize, lda: usize, b: usize, panel: usize, m0: i32, end: i32, N: i32, groups: i32, add: bool,
): void {
  let n = 0;
  if (wide) {
    for (; N - n > 8; n += 16) {
      for (let m = m0; m < end; m += 6) {
        outerTileWide(c + <usize> m * ldc + (<usize> n << 2), ldc, a + <usize> m * FEATURE, lda, b, panel, groups, add);
      }
      b += 2 * panel;
    }
  }
  for (; n < N; n += 8) {
    const narrow = N - n <= 4, tall = narrow ? 8 : 4;
    for (let m = m0; m < end; m += tall) {
      const to = c + <usize> m * ldc + (<usize> n << 2), rows = a + <usize> m * FEATURE;
      if (narrow) outerTileNarrow(to, ldc, rows, lda, b, groups, add);
      else outerTile(to, ldc, rows, lda, b, groups, add);
    }
    b += panel;
  }
}
