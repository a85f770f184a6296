// y = W·x + b for every row, as torch.nn.Linear; also the input projections of the GRU and of the attention.
// W (M, K) is packed into panels once per step (product.ts); x (groups, K, 8), y (groups, M, 8).

import { horizontalSum } from "./simd";
import { FEATURE, STRIP, wholeGroups } from "./constants";
import { outerProduct, packPanels, product, transposeGroups } from "./product";

/** Panels of a weight W (M, K), stride ldw, for linearForward. Row m is row (m + rotate) mod M of W. */
export function packForward(panels: usize, w: usize, M: i32, K: i32, ldw: i32, rotate: i32): void {
  packPanels(panels, w, M, K, ldw, rotate, false);
}

/** Panels of Wᵀ for linearBackwardInput: W (K, M), stride ldw. Column k is row (k + rotate) mod K of W. */
export function packBackward(panels: usize, w: usize, M: i32, K: i32, ldw: i32, rotate: i32): void {
  packPanels(panels, w, M, K, ldw, rotate, true);
}

/** y = W·x + bias; no bias where `bias` is 0. */
export function linearForward(
  y: usize, x: usize, panels: usize, bias: usize, M: i32, K: i32, groups: i32, ldy: i32, ldx: i32,
): void {
  product(y, <usize> ldy << 2, panels, x, <usize> ldx << 2, bias, false, M, K, groups);
}

/** dx = Wᵀ·dy, panels of packBackward; with `accumulate`, dx += …. Here M is the width of x, K that of y. */
export function linearBackwardInput(
  dx: usize, dy: usize, panels: usize, M: i32, K: i32, groups: i32, lddx: i32, lddy: i32, accumulate: i32,
): void {
  product(dx, <usize> lddx << 2, panels, dy, <usize> lddy << 2, 0, accumulate != 0, M, K, groups);
}

/** x (groups, F, 8) transposed, as linearBackwardWeight takes it. */
export function transposeInput(transposed: usize, x: usize, F: i32, groups: i32, ldx: i32): void {
  transposeGroups(transposed, x, <usize> ldx << 2, F, groups);
}

/**
 * dW (M, N) = Σ over rows of dy ⊗ x, in PyTorch's layout: stride lddw, row m of dy going to row (m + rotate) mod M.
 * dy (groups, M, 8); x transposed. `scratch` holds a strip of the product at a time, both sides rounded up.
 */
export function linearBackwardWeight(
  dw: usize, scratch: usize, dy: usize, transposed: usize, M: i32, N: i32, groups: i32, lddw: i32, lddy: i32, rotate: i32,
): void {
  const step = <usize> (wholeGroups(N)) << 2;
  for (let first = 0; first < M; first += STRIP) {
    const rows = min(STRIP, M - first);
    outerProduct(scratch, step, dy + <usize> first * FEATURE, <usize> lddy << 2, transposed, rows, N, groups);
    let src = scratch;
    for (let m = first + rotate; m < first + rotate + rows; m++) {
      const row = m >= M ? m - M : m;
      copyNumbers(dw + (<usize> (row * lddw) << 2), src, N);
      src += step;
    }
  }
}

/** n numbers; memory.copy leaves WASM, which costs more than a short row. */
@inline
function copyNumbers(dst: usize, src: usize, n: i32): void {
  for (; n >= 4; n -= 4) v128.store(dst, v128.load(src)), dst += 16, src += 16;
  for (; n > 0; n--) store<f32>(dst, load<f32>(src)), dst += 4, src += 4;
}

/** db (M) = the sum of dy (groups, M, 8) over all rows; row m goes to (m + rotate) mod M. */
export function linearBackwardBias(db: usize, dy: usize, M: i32, groups: i32, lddy: i32, rotate: i32): void {
  const step = <usize> lddy << 2;
  let m = 0;
  for (; m + 4 <= M; m += 4) {
    let p = dy + <usize> m * FEATURE;
    let a = i32x4.splat(0), b = a, c = a, d = a;
    for (let g = 0; g < groups; g++) {
      a = f32x4.add(a, f32x4.add(v128.load(p), v128.load(p, 16)));
      b = f32x4.add(b, f32x4.add(v128.load(p, 32), v128.load(p, 48)));
      c = f32x4.add(c, f32x4.add(v128.load(p, 64), v128.load(p, 80)));
      d = f32x4.add(d, f32x4.add(v128.load(p, 96), v128.load(p, 112)));
      p += step;
    }
    storeRotated(db, m, M, rotate, a), storeRotated(db, m + 1, M, rotate, b);
    storeRotated(db, m + 2, M, rotate, c), storeRotated(db, m + 3, M, rotate, d);
  }
  for (; m < M; m++) {
    let p = dy + <usize> m * FEATURE, a = i32x4.splat(0);
    for (let g = 0; g < groups; g++) a = f32x4.add(a, f32x4.add(v128.load(p), v128.load(p, 16))), p += step;
    storeRotated(db, m, M, rotate, a);
  }
}

@inline
function storeRotated(db: usize, m: i32, M: i32, rotate: i32, sums: v128): void {
  const row = m + rotate >= M ? m + rotate - M : m + rotate;
  store<f32>(db + (<usize> row << 2), horizontalSum(sums));
}
