// Additive attention with the final state as the query, forward and backward:
//
//   score_t = v · tanh(W_h·query + W_e·o_t + b)    w = softmax over time    context = Σ_t w_t o_t
//
// Bahdanau, Cho and Bengio 2014 (arXiv:1409.0473). `attn([query; o_t])` is split as the mathematics allows: W_h·query + b
// is computed once per row (linearForward), W_e·o_t for all steps as one product (linearForward). Here is what is left.
//
// Time-major rows: encoded (T, R, lde) are the GRU's outputs, hidden (T, R, lda) starts as W_e·o_t, query (R, ldq) is
// W_h·query + b. weights (R, T) is batch first. Dp and Ap: the padded widths of a GRU output and of the attention.

import { exp4, horizontalSum, madd, nmadd, tanh4, zero } from "./simd";

/** exp(x) of one number. */
@inline
function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** Softmax over the first `length` of T numbers, in place; the others become exactly 0. */
function softmaxPrefix(x: usize, length: i32, T: i32): void {
  const end = x + (<usize> length << 2);
  let largest: f32 = -f32.MAX_VALUE;
  for (let p = x; p < end; p += 4) largest = max(largest, load<f32>(p));
  const shift = f32x4.splat(largest);
  let sum: f32 = 0, p = x;
  for (; p + 16 <= end; p += 16) {
    const e = exp4(f32x4.sub(v128.load(p), shift));
    v128.store(p, e);
    sum += horizontalSum(e);
  }
  for (; p < end; p += 4) {
    const e = exp1(load<f32>(p) - largest);
    store<f32>(p, e);
    sum += e;
  }
  const scale: f32 = 1 / sum;
  for (p = x; p < end; p += 4) store<f32>(p, load<f32>(p) * scale);
  memory.fill(end, 0, <usize> (T - length) << 2);
}

/** hidden becomes tanh(hidden + query), which backward needs; weights and context are the results. */
export function attentionForward(
  context: usize, weights: usize, hidden: usize, encoded: usize, query: usize, v: usize, lengths: usize,
  T: i32, R: i32, Dp: i32, Ap: i32, ldc: i32, lda: i32, lde: i32, ldq: i32,
): void {
  const aWidth = <usize> Ap << 2, dWidth = <usize> Dp << 2;
  const aRow = <usize> lda << 2, eRow = <usize> lde << 2;
  let a = hidden;
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < R; r++) {
      const q = query + (<usize> (r * ldq) << 2);
      let score = zero();
      for (let i: usize = 0; i < aWidth; i += 16) {
        const x = tanh4(f32x4.add(v128.load(a + i), v128.load(q + i)));
        v128.store(a + i, x);
        score = madd(x, v128.load(v + i), score);
      }
      store<f32>(weights + (<usize> (r * T + t) << 2), horizontalSum(score));
      a += aRow;
    }
  }
  for (let r = 0; r < R; r++) {
    const length = load<i32>(lengths + (<usize> r << 2));
    const w = weights + (<usize> (r * T) << 2), c = context + (<usize> (r * ldc) << 2);
    softmaxPrefix(w, length, T);
    memory.fill(c, 0, dWidth);
    for (let t = 0; t < length; t++) {
      const weight = v128.load32_splat(w + (<usize> t << 2));
      const o = encoded + <usize> (t * R + r) * eRow;
      for (let i: usize = 0; i < dWidth; i += 16) v128.store(c + i, madd(weight, v128.load(o + i), v128.load(c + i)));
    }
  }
}

/**
 * From dContext (R, ldc): hidden becomes its gradient before tanh (which is also that of W_e·o_t), dQuery (R, ldq) its sum
 * over time, dEncoded (T, R, ldde) the part that comes through the weighted sum, dv (Ap). dScores (R, T) is scratch.
 */
export function attentionBackward(
  dEncoded: usize, dQuery: usize, dv: usize, dScores: usize, hidden: usize, dContext: usize, weights: usize,
  encoded: usize, v: usize,
  T: i32, R: i32, Dp: i32, Ap: i32, ldde: i32, ldq: i32, ldc: i32, lda: i32, lde: i32,
): void {
  const aWidth = <usize> Ap << 2, dWidth = <usize> Dp << 2;
  const aRow = <usize> lda << 2, eRow = <usize> lde << 2, dRow = <usize> ldde << 2;
  for (let r = 0; r < R; r++) {
    const w = weights + (<usize> (r * T) << 2), ds = dScores + (<usize> (r * T) << 2);
    const dc = dContext + (<usize> (r * ldc) << 2);
    let mean: f32 = 0;
    for (let t = 0; t < T; t++) {
      const row = <usize> (t * R + r);
      const weight = load<f32>(w + (<usize> t << 2)), spread = f32x4.splat(weight);
      const o = encoded + row * eRow, d = dEncoded + row * dRow;
      let dot = zero();
      for (let i: usize = 0; i < dWidth; i += 16) {
        const x = v128.load(dc + i);
        dot = madd(x, v128.load(o + i), dot);
        v128.store(d + i, f32x4.mul(spread, x));
      }
      const dWeight = horizontalSum(dot);
      store<f32>(ds + (<usize> t << 2), dWeight);
      mean += weight * dWeight;
    }
    // Softmax: dscore = w ∘ (dw − Σ w·dw)
    for (let t: usize = 0; t < <usize> T << 2; t += 4) store<f32>(ds + t, load<f32>(w + t) * (load<f32>(ds + t) - mean));
    memory.fill(dQuery + (<usize> (r * ldq) << 2), 0, aWidth);
  }
  memory.fill(dv, 0, aWidth);
  const one = f32x4.splat(1);
  let a = hidden;
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < R; r++) {
      const ds = v128.load32_splat(dScores + (<usize> (r * T + t) << 2));
      const dq = dQuery + (<usize> (r * ldq) << 2);
      for (let i: usize = 0; i < aWidth; i += 16) {
        const x = v128.load(a + i);
        v128.store(dv + i, madd(ds, x, v128.load(dv + i)));
        const d = f32x4.mul(f32x4.mul(ds, v128.load(v + i)), nmadd(x, x, one));
        v128.store(a + i, d);
        v128.store(dq + i, f32x4.add(v128.load(dq + i), d));
      }
      a += aRow;
    }
  }
}
