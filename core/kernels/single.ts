// One sequence by itself, its features in the lanes: for programs that wait for every answer. Forward only; the formulas
// are those of gru.ts and attention.ts. Rows of F features are padded to a multiple of 4 with zeros; a row of several
// parts (gates, directions) pads each of them.

import { applyFunction } from "./elementwise";
import { exponential, firstLanes, horizontalSum, madd, sigmoids, sigmoidVectors, tanhs, tanhVectors, zero } from "./simd";

@inline
function pad4(n: i32): i32 {
  return (n + 3) & ~3;
}

/**
 * W (rowParts·rows, columnParts·columns), stride ldw, turned into one padded row of outputs per input: columns
 * (columnParts·padded columns, rowParts·padded rows). Part p of the rows is part (p + rotate) mod rowParts of W. Padding is
 * not written and must be 0.
 */
export function packColumns(
  columns: usize, w: usize, rowParts: i32, rows: i32, rotate: i32, columnParts: i32, inputs: i32, ldw: i32,
): void {
  const N = rowParts * pad4(rows);
  for (let p = 0; p < rowParts; p++) {
    for (let i = 0; i < rows; i++) {
      const source = w + (<usize> ((((p + rotate) % rowParts) * rows + i) * ldw) << 2);
      for (let q = 0; q < columnParts; q++) {
        for (let j = 0; j < inputs; j++) {
          const place = (q * pad4(inputs) + j) * N + p * pad4(rows) + i;
          store<f32>(columns + (<usize> place << 2), load<f32>(source + (<usize> (q * inputs + j) << 2)));
        }
      }
    }
  }
}

/** `parts` pieces of n numbers to padded places, the first being piece `rotate`. Padding is not written and must be 0. */
export function packParts(dst: usize, src: usize, parts: i32, n: i32, rotate: i32): void {
  for (let p = 0; p < parts; p++) {
    const from = src + (<usize> (((p + rotate) % parts) * n) << 2);
    for (let i = 0; i < n; i++) store<f32>(dst + (<usize> (p * pad4(n) + i) << 2), load<f32>(from + (<usize> i << 2)));
  }
}

/** y (N) = init + x (K) · columns (K, N). */
@inline
function rowProduct(y: usize, x: usize, columns: usize, init: usize, N: i32, K: i32): void {
  const step = <usize> N << 2, end = x + (<usize> K << 2);
  let n = 0;
  for (; n + 16 <= N; n += 16) {
    let a = v128.load(init), b = v128.load(init, 16), c = v128.load(init, 32), d = v128.load(init, 48), w = columns;
    for (let p = x; p < end; p += 4) {
      const s = v128.load32_splat(p);
      a = madd(s, v128.load(w), a), b = madd(s, v128.load(w, 16), b);
      c = madd(s, v128.load(w, 32), c), d = madd(s, v128.load(w, 48), d);
      w += step;
    }
    v128.store(y, a), v128.store(y, b, 16), v128.store(y, c, 32), v128.store(y, d, 48);
    y += 64, init += 64, columns += 64;
  }
  for (; n < N; n += 4) {
    let a = v128.load(init), w = columns;
    for (let p = x; p < end; p += 4) a = madd(v128.load32_splat(p), v128.load(w), a), w += step;
    v128.store(y, a);
    y += 16, init += 16, columns += 16;
  }
}

/** y (rows, N) = bias (N) + x (rows, K) · columns, for each of `rows` rows. */
export function linearForwardSingle(
  y: usize, x: usize, columns: usize, bias: usize, rows: i32, N: i32, K: i32, ldy: i32, ldx: i32,
): void {
  for (let r = 0; r < rows; r++) {
    rowProduct(y, x, columns, bias, N, K);
    y += <usize> ldy << 2, x += <usize> ldx << 2;
  }
}

/**
 * All T steps of one direction of one layer. gates (T, 4·Hp) hold the input part; h (T + 2, ldh) its first slot; columns
 * (Hp, 3·Hp) of W_hh; bias (4·Hp). A reverse direction starts from slot T + 1.
 */
export function gruForwardSingle(
  h: usize, gates: usize, columns: usize, bias: usize, T: i32, Hp: i32, ldh: i32, reverse: i32,
): void {
  const size = <usize> Hp << 2, step = <usize> ldh << 2;
  for (let s = 0; s < T; s++) {
    const t = reverse ? T - 1 - s : s;
    const g = gates + <usize> t * 4 * size, next = h + <usize> (t + 1) * step;
    const previous = h + <usize> (reverse ? t + 2 : t) * step, r = g + size, z = r + size, hidden = z + size;
    for (let i: usize = 0; i < size; i += 16) v128.store(hidden + i, v128.load(bias + 3 * size + i));
    rowProduct(r, previous, columns, r, 3 * Hp, Hp);
    sigmoidVectors(r, 2 * size);
    for (let i: usize = 0; i < size; i += 16) {
      v128.store(g + i, madd(v128.load(r + i), v128.load(hidden + i), v128.load(g + i)));
    }
    tanhVectors(g, size);
    for (let i: usize = 0; i < size; i += 16) {
      const n = v128.load(g + i);
      v128.store(next + i, madd(v128.load(z + i), f32x4.sub(v128.load(previous + i), n), n));
    }
  }
}

/**
 * All T steps of one direction of one layer. gates (T, 4·Hp) hold the input part and the bias; h and c (T + 2, ldh) their
 * first slots; columns (Hp, 4·Hp) of W_hh. A reverse direction starts from slot T + 1.
 */
export function lstmForwardSingle(
  h: usize, c: usize, gates: usize, columns: usize, T: i32, Hp: i32, ldh: i32, reverse: i32,
): void {
  const size = <usize> Hp << 2, step = <usize> ldh << 2;
  for (let s = 0; s < T; s++) {
    const t = reverse ? T - 1 - s : s;
    const to = <usize> (t + 1) * step, from = <usize> (reverse ? t + 2 : t) * step;
    const i = gates + <usize> t * 4 * size, f = i + size, g = f + size, o = g + size;
    rowProduct(i, h + from, columns, i, 4 * Hp, Hp);
    sigmoids(i, 2 * size), tanhs(g, size), sigmoids(o, size);
    for (let j: usize = 0; j < size; j += 16) {
      const state = madd(v128.load(f + j), v128.load(c + from + j), f32x4.mul(v128.load(i + j), v128.load(g + j)));
      v128.store(c + to + j, state), v128.store(h + to + j, state);
    }
    tanhs(h + to, size);
    for (let j: usize = 0; j < size; j += 16) v128.store(h + to + j, f32x4.mul(v128.load(o + j), v128.load(h + to + j)));
  }
}

/**
 * weights (T) and context (Dp) from answers (T, Ap) = W_e·o_t, query (Ap), v (Ap) and encoded (T, ldo). hidden (T, Ap) is
 * scratch, and may be answers; weights is readable and writable to the next multiple of 4.
 */
export function attentionForwardSingle(
  context: usize, weights: usize, hidden: usize, answers: usize, encoded: usize, query: usize, v: usize,
  T: i32, Dp: i32, Ap: i32, ldo: i32,
): void {
  const aSize = <usize> Ap << 2, dSize = <usize> Dp << 2;
  for (let t = 0; t < T; t++) {
    const a = hidden + <usize> t * aSize, k = answers + <usize> t * aSize;
    for (let i: usize = 0; i < aSize; i += 16) v128.store(a + i, f32x4.add(v128.load(k + i), v128.load(query + i)));
  }
  tanhs(hidden, <usize> T * aSize);
  let largest: f32 = -f32.MAX_VALUE;
  for (let t = 0; t < T; t++) {
    const a = hidden + <usize> t * aSize;
    let sum = zero();
    for (let i: usize = 0; i < aSize; i += 16) sum = madd(v128.load(a + i), v128.load(v + i), sum);
    const score = horizontalSum(sum);
    store<f32>(weights + (<usize> t << 2), score);
    largest = max(largest, score);
  }
  for (let t = T; t & 3; t++) store<f32>(weights + (<usize> t << 2), -f32.MAX_VALUE);
  let total = zero();
  for (let i: usize = 0; i < <usize> T << 2; i += 16) {
    const e = exponential(f32x4.sub(v128.load(weights + i), f32x4.splat(largest)));
    v128.store(weights + i, e);
    total = f32x4.add(total, e);
  }
  const factor = f32x4.splat(1 / horizontalSum(total));
  for (let i: usize = 0; i < <usize> T << 2; i += 16) v128.store(weights + i, f32x4.mul(v128.load(weights + i), factor));
  for (let i: usize = 0; i < dSize; i += 16) {
    let sum = zero(), o = encoded + i;
    for (let t: usize = 0; t < <usize> T << 2; t += 4) {
      sum = madd(v128.load32_splat(weights + t), v128.load(o), sum);
      o += <usize> ldo << 2;
    }
    v128.store(context + i, sum);
  }
}

/**
 * layerNormForward of each of `rows` rows of F features, ldy and ldx apart; gamma and beta (F). Readable to a multiple of 4,
 * and the padding of y ends as 0.
 */
export function layerNormSingle(
  y: usize, x: usize, gamma: usize, beta: usize, rows: i32, F: i32, ldy: i32, ldx: i32, eps: f32,
): void {
  const share: f32 = 1 / <f32> F, one: f32 = 1;
  for (let r = 0; r < rows; r++) {
    let sum = zero(), squares = zero();
    for (let f = 0; f < F; f += 4) sum = f32x4.add(sum, v128.and(v128.load(x + (<usize> f << 2)), firstLanes(F - f)));
    const mean = f32x4.splat(horizontalSum(sum) * share);
    for (let f = 0; f < F; f += 4) {
      const d = v128.and(f32x4.sub(v128.load(x + (<usize> f << 2)), mean), firstLanes(F - f));
      squares = madd(d, d, squares);
    }
    const factor = f32x4.splat(one / sqrt<f32>(horizontalSum(squares) * share + eps));
    for (let f = 0; f < F; f += 4) {
      const at = <usize> f << 2, n = f32x4.mul(f32x4.sub(v128.load(x + at), mean), factor);
      const scaled = madd(n, gamma ? v128.load(gamma + at) : f32x4.splat(1), beta ? v128.load(beta + at) : zero());
      v128.store(y + at, v128.and(scaled, firstLanes(F - f)));
    }
    y += <usize> ldy << 2, x += <usize> ldx << 2;
  }
}

/** poolForward of T steps of F features, ldx apart: all of them count, and padding is pooled like the rest. */
export function poolSingle(y: usize, x: usize, T: i32, F: i32, ldx: i32, which: i32): void {
  const size = <usize> pad4(F) << 2, step = <usize> ldx << 2;
  for (let i: usize = 0; i < size; i += 16) {
    let p = x + i, best = v128.load(which ? p : p + <usize> (T - 1) * step);
    for (let t = which ? 1 : T; t < T; t++) {
      p += step;
      best = which == 1 ? f32x4.add(best, v128.load(p)) : f32x4.max(best, v128.load(p));
    }
    v128.store(y + i, which == 1 ? f32x4.div(best, f32x4.splat(<f32> T)) : best);
  }
}

/** elementwiseForward of each of `rows` rows of F features, ldy and ldx apart. The padding of y ends as 0. */
export function elementwiseSingle(y: usize, x: usize, rows: i32, F: i32, ldy: i32, ldx: i32, which: i32): void {
  const last = <usize> (pad4(F) - 4) << 2;
  for (let r = 0; r < rows; r++) {
    for (let i: usize = 0; i <= last; i += 16) v128.store(y + i, v128.load(x + i));
    applyFunction(y, last + 16, which);
    v128.store(y + last, v128.and(v128.load(y + last), firstLanes(F - (pad4(F) - 4))));
    y += <usize> ldy << 2, x += <usize> ldx << 2;
  }
}

/** Probabilities from O logits, in place: each by itself (`softmax` 0), or adding up to 1. Readable to a multiple of 4. */
export function probabilitiesSingle(logits: usize, O: i32, softmax: i32): void {
  if (!softmax) {
    sigmoids(logits, <usize> pad4(O) << 2);
    return;
  }
  let largest = load<f32>(logits), sum: f32 = 0;
  for (let o = 1; o < O; o++) largest = max(largest, load<f32>(logits + (<usize> o << 2)));
  for (let o: usize = 0; o < <usize> O << 2; o += 16) {
    v128.store(logits + o, exponential(f32x4.sub(v128.load(logits + o), f32x4.splat(largest))));
  }
  for (let o = 0; o < O; o++) sum += load<f32>(logits + (<usize> o << 2));
  for (let o: usize = 0; o < <usize> O << 2; o += 16) {
    v128.store(logits + o, f32x4.div(v128.load(logits + o), f32x4.splat(sum)));
  }
}
