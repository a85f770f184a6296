// y = x·Wᵀ + b, as torch.nn.Linear; also the input projections of the GRU and of the attention.
//
// Weights are kept as PyTorch keeps them, (rows, columns) without gaps. Kernels work on padded columns: a weight has
// `parts` equal pieces of rows (the three gates of a GRU, or 1) and of columns (the two directions below, or 1), and each
// piece starts at a multiple of 4. `rotate` says which piece of rows comes first: the input weights of a GRU are used in
// the order n, r, z, so that the gates of a step lie as n | r | z | n_h (see gru.ts).

import { matmul, matmulTransposed } from "./matmul";

@inline
function pad4(n: i32): i32 {
  return (n + 3) & ~3;
}

/** Address of column n of a packed matrix with K rows. */
@inline
function panelColumn(panels: usize, n: i32, K: i32): usize {
  return panels + (<usize> ((n & ~7) * K + (n & 7)) << 2);
}

/** Distance in bytes between the rows of the panel that holds column n. */
@inline
function panelStep(n: i32, N: i32): usize {
  return N - (n & ~7) >= 8 ? 32 : 16;
}

/**
 * W (rowParts·rows, columnParts·columns), stride ldw, into panels for y = x·Wᵀ: B (K, N) with K the padded columns and
 * N the padded rows. Padding in `panels` is never written and must be 0.
 */
export function packForward(
  panels: usize, w: usize, rowParts: i32, rows: i32, rotate: i32, columnParts: i32, columns: i32, ldw: i32,
): void {
  const rowPad = pad4(rows), columnPad = pad4(columns);
  const N = rowParts * rowPad, K = columnParts * columnPad;
  for (let p = 0; p < rowParts; p++) {
    let source = w + (<usize> (((p + rotate) % rowParts) * rows * ldw) << 2);
    for (let i = 0; i < rows; i++) {
      const n = p * rowPad + i, step = panelStep(n, N);
      const column = panelColumn(panels, n, K);
      for (let q = 0; q < columnParts; q++) {
        let dst = column + <usize> (q * columnPad) * step, src = source + (<usize> (q * columns) << 2);
        for (let j = 0; j < columns; j++) {
          store<f32>(dst, load<f32>(src));
          dst += step, src += 4;
        }
      }
      source += <usize> ldw << 2;
    }
  }
}

/**
 * The same weight into panels for dx = dy·W: B (K, N) with K the padded rows and N the padded columns.
 * Padding in `panels` is never written and must be 0.
 */
export function packBackward(
  panels: usize, w: usize, rowParts: i32, rows: i32, rotate: i32, columnParts: i32, columns: i32, ldw: i32,
): void {
  const rowPad = pad4(rows), columnPad = pad4(columns);
  const K = rowParts * rowPad, N = columnParts * columnPad;
  for (let q = 0; q < columnParts; q++) {
    for (let j0 = 0; j0 < columns;) {
      // As many columns as lie in one panel: they are neighbours in W and in the panel.
      const n = q * columnPad + j0, step = panelStep(n, N), column = panelColumn(panels, n, K);
      const count = min(columns - j0, (step == 32 ? 8 : 4) - (n & 7));
      for (let p = 0; p < rowParts; p++) {
        let src = w + (<usize> (((p + rotate) % rowParts) * rows * ldw + q * columns + j0) << 2);
        let dst = column + <usize> (p * rowPad) * step;
        for (let i = 0; i < rows; i++) {
          if (count == 8) {
            v128.store(dst, v128.load(src)), v128.store(dst, v128.load(src, 16), 16);
          } else if (count == 4) {
            v128.store(dst, v128.load(src));
          } else {
            for (let j = 0; j < count; j++) store<f32>(dst + (<usize> j << 2), load<f32>(src + (<usize> j << 2)));
          }
          dst += step, src += <usize> ldw << 2;
        }
      }
      j0 += count;
    }
  }
}

/** A vector of n elements to a padded place. Padding in `dst` is never written and must be 0. */
export function packVector(dst: usize, src: usize, n: i32): void {
  memory.copy(dst, src, <usize> n << 2);
}

/** y (M, N) = x (M, K) · panels + bias (N); no bias where `bias` is 0. N and K padded. */
export function linearForward(
  y: usize, x: usize, panels: usize, bias: usize, M: i32, N: i32, K: i32, ldy: i32, ldx: i32,
): void {
  matmul(y, <usize> ldy << 2, x, <usize> ldx << 2, panels, bias, 0, M, N, K);
}

/** dx (M, N) = dy (M, K) · panels of packBackward; with `accumulate`, dx += …. */
export function linearBackwardInput(
  dx: usize, dy: usize, panels: usize, M: i32, N: i32, K: i32, lddx: i32, lddy: i32, accumulate: i32,
): void {
  const step = <usize> lddx << 2;
  matmul(dx, step, dy, <usize> lddy << 2, panels, accumulate ? dx : 0, step, M, N, K);
}

/**
 * dW = dyᵀ · x, written in PyTorch's layout. dy (M, rowParts·padded rows), x (M, columnParts·padded columns);
 * `scratch` holds the padded product.
 */
export function linearBackwardWeight(
  dw: usize, scratch: usize, dy: usize, x: usize,
  M: i32, rowParts: i32, rows: i32, rotate: i32, columnParts: i32, columns: i32, ldw: i32, lddy: i32, ldx: i32,
): void {
  const rowPad = pad4(rows), columnPad = pad4(columns), width = columnParts * columnPad;
  const step = <usize> width << 2;
  matmulTransposed(scratch, step, dy, <usize> lddy << 2, x, <usize> ldx << 2, rowParts * rowPad, width, M);
  for (let p = 0; p < rowParts; p++) {
    let src = scratch + <usize> (p * rowPad) * step;
    let dst = dw + (<usize> (((p + rotate) % rowParts) * rows * ldw) << 2);
    for (let i = 0; i < rows; i++) {
      for (let q = 0; q < columnParts; q++) {
        memory.copy(dst + (<usize> (q * columns) << 2), src + (<usize> (q * columnPad) << 2), <usize> columns << 2);
      }
      src += step, dst += <usize> ldw << 2;
    }
  }
}

/**
 * db = the sum of dy over its M rows, written without padding: `parts` pieces of `rows` elements, the first being piece
 * `rotate` of the bias. `scratch` holds the padded sums.
 */
export function linearBackwardBias(
  db: usize, scratch: usize, dy: usize, M: i32, parts: i32, rows: i32, rotate: i32, lddy: i32,
): void {
  const rowPad = pad4(rows), width = <usize> (parts * rowPad) << 2, step = <usize> lddy << 2;
  for (let column: usize = 0; column < width;) {
    let row = dy + column;
    if (width - column >= 64) {
      let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      for (let m = 0; m < M; m++) {
        s0 = f32x4.add(s0, v128.load(row)), s1 = f32x4.add(s1, v128.load(row, 16));
        s2 = f32x4.add(s2, v128.load(row, 32)), s3 = f32x4.add(s3, v128.load(row, 48));
        row += step;
      }
      v128.store(scratch + column, s0), v128.store(scratch + column, s1, 16);
      v128.store(scratch + column, s2, 32), v128.store(scratch + column, s3, 48);
      column += 64;
    } else {
      let s0 = i32x4.splat(0);
      for (let m = 0; m < M; m++) s0 = f32x4.add(s0, v128.load(row)), row += step;
      v128.store(scratch + column, s0);
      column += 16;
    }
  }
  for (let p = 0; p < parts; p++) {
    memory.copy(db + (<usize> (((p + rotate) % parts) * rows) << 2), scratch + (<usize> (p * rowPad) << 2), <usize> rows << 2);
  }
}
