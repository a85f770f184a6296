// Additive attention with the final state as the query, forward and backward:
//
//   score_t = v · tanh(W_h·query + W_e·o_t + b)    w = softmax over time    context = Σ_t w_t o_t
//
// Bahdanau, Cho and Bengio 2014 (arXiv:1409.0473). `attn([query; o_t])` is split as the mathematics allows: W_h·query + b
// is computed once per row (linearForward), W_e·o_t for all steps as one product (linearForward). Here is what is left.
//
// Time first, then groups of 8 rows: encoded (T, groups, D, 8) are the GRU's outputs, hidden (T, groups, A, 8) starts as
// W_e·o_t, query (groups, A, 8) is W_h·query + b, weights (T, groups, 8). Sums over time and features go lane by lane.

import { exp4, horizontalSum, madd, nmadd, one, tanhVectors, zero } from "./simd";
import { FEATURE } from "./constants";

/** The softmax over T of one vector of lanes, `step` bytes apart; lanes that have ended get exactly 0. */
@inline
function softmaxOverTime(weights: usize, mask: usize, T: i32, step: usize): void {
  const lowest = f32x4.splat(-f32.MAX_VALUE);
  let largest = lowest, sum = zero();
  for (let t: usize = 0; t < <usize> T * step; t += step) {
    largest = f32x4.max(largest, v128.bitselect(v128.load(weights + t), lowest, v128.load(mask + t)));
  }
  for (let t: usize = 0; t < <usize> T * step; t += step) {
    const e = v128.and(exp4(f32x4.sub(v128.load(weights + t), largest)), v128.load(mask + t));
    v128.store(weights + t, e);
    sum = f32x4.add(sum, e);
  }
  // A lane without a sequence has sum 0 and weights 0: any finite factor leaves them so.
  const factor = f32x4.div(f32x4.splat(1), v128.bitselect(f32x4.splat(1), sum, f32x4.eq(sum, zero())));
  for (let t: usize = 0; t < <usize> T * step; t += step) v128.store(weights + t, f32x4.mul(v128.load(weights + t), factor));
}

/** Scores become weights, and context their sum of what they weigh. */
function weigh(
  context: usize, weights: usize, encoded: usize, mask: usize, T: i32, G: usize, dSize: usize, cStep: usize, eStep: usize,
): void {
  const step = G * FEATURE;
  for (let g: usize = 0; g < G; g++) {
    const w = weights + g * FEATURE, c = context + g * cStep;
    softmaxOverTime(w, mask + g * FEATURE, T, step), softmaxOverTime(w + 16, mask + g * FEATURE + 16, T, step);
    memory.fill(c, 0, dSize);
    for (let t: usize = 0; t < <usize> T; t++) {
      const low = v128.load(w + t * step), high = v128.load(w + t * step, 16), o = encoded + (t * G + g) * eStep;
      for (let i: usize = 0; i < dSize; i += FEATURE) {
        v128.store(c + i, madd(low, v128.load(o + i), v128.load(c + i)));
        v128.store(c + i, madd(high, v128.load(o + i, 16), v128.load(c + i, 16)), 16);
      }
    }
  }
}

/** hidden = tanh(keys + query), and score = v · hidden. hidden may be keys. */
@inline
function score(to: usize, hidden: usize, keys: usize, query: usize, v: usize, aSize: usize): void {
  for (let i: usize = 0; i < aSize; i += 16) v128.store(hidden + i, f32x4.add(v128.load(keys + i), v128.load(query + i)));
  tanhVectors(hidden, aSize);
  let low = zero(), high = zero(), p = v;
  for (let i: usize = 0; i < aSize; i += FEATURE) {
    const factor = v128.load32_splat(p);
    low = madd(factor, v128.load(hidden + i), low), high = madd(factor, v128.load(hidden + i, 16), high);
    p += 4;
  }
  v128.store(to, low), v128.store(to, high, 16);
}

/** hidden becomes tanh(hidden + query), which backward needs; weights and context are the results. */
export function attentionForward(
  context: usize, weights: usize, hidden: usize, encoded: usize, query: usize, v: usize, mask: usize,
  T: i32, groups: i32, D: i32, A: i32, ldc: i32, lda: i32, lde: i32, ldq: i32,
): void {
  const G = <usize> groups, aSize = <usize> A * FEATURE, dSize = <usize> D * FEATURE, step = G * FEATURE;
  const cStep = <usize> ldc << 2, aStep = <usize> lda << 2, eStep = <usize> lde << 2, qStep = <usize> ldq << 2;
  for (let t: usize = 0; t < <usize> T; t++) {
    for (let g: usize = 0; g < G; g++) {
      const a = hidden + (t * G + g) * aStep;
      score(weights + t * step + g * FEATURE, a, a, query + g * qStep, v, aSize);
    }
  }
  weigh(context, weights, encoded, mask, T, G, dSize, cStep, eStep);
}

/** From dContext: dScores, and the part of dEncoded that comes through the weighted sum. */
@inline
function scoresBackward(
  dEncoded: usize, dScores: usize, dContext: usize, weights: usize, encoded: usize,
  T: i32, G: usize, dSize: usize, dStep: usize, cStep: usize, eStep: usize, accumulate: bool,
): void {
  const step = G * FEATURE;
  for (let g: usize = 0; g < G; g++) {
    const w = weights + g * FEATURE, ds = dScores + g * FEATURE, dc = dContext + g * cStep;
    let meanLow = zero(), meanHigh = zero();
    for (let t: usize = 0; t < <usize> T; t++) {
      const low = v128.load(w + t * step), high = v128.load(w + t * step, 16);
      const o = encoded + (t * G + g) * eStep, d = dEncoded + (t * G + g) * dStep;
      let dotLow = zero(), dotHigh = zero();
      for (let i: usize = 0; i < dSize; i += FEATURE) {
        const x = v128.load(dc + i), y = v128.load(dc + i, 16);
        dotLow = madd(x, v128.load(o + i), dotLow), dotHigh = madd(y, v128.load(o + i, 16), dotHigh);
        if (accumulate) {
          v128.store(d + i, madd(low, x, v128.load(d + i))), v128.store(d + i, madd(high, y, v128.load(d + i, 16)), 16);
        } else v128.store(d + i, f32x4.mul(low, x)), v128.store(d + i, f32x4.mul(high, y), 16);
      }
      v128.store(ds + t * step, dotLow), v128.store(ds + t * step, dotHigh, 16);
      meanLow = madd(low, dotLow, meanLow), meanHigh = madd(high, dotHigh, meanHigh);
    }
    // Softmax: dscore = w ∘ (dw − Σ w·dw)
    for (let t: usize = 0; t < <usize> T * step; t += step) {
      v128.store(ds + t, f32x4.mul(v128.load(w + t), f32x4.sub(v128.load(ds + t), meanLow)));
      v128.store(ds + t, f32x4.mul(v128.load(w + t, 16), f32x4.sub(v128.load(ds + t, 16), meanHigh)), 16);
    }
  }
}

/**
 * From dContext (groups, D, 8): hidden becomes its gradient before tanh (which is also that of W_e·o_t), dQuery
 * (groups, A, 8) its sum over time, dEncoded (T, groups, D, 8) the part that comes through the weighted sum, dv (A).
 * dScores (T, groups, 8) and dvLanes (A, 8) are scratch.
 */
export function attentionBackward(
  dEncoded: usize, dQuery: usize, dv: usize, dScores: usize, dvLanes: usize, hidden: usize, dContext: usize,
  weights: usize, encoded: usize, v: usize,
  T: i32, groups: i32, D: i32, A: i32, ldde: i32, ldq: i32, ldc: i32, lda: i32, lde: i32,
): void {
  const G = <usize> groups, aSize = <usize> A * FEATURE, dSize = <usize> D * FEATURE, step = G * FEATURE;
  const cStep = <usize> ldc << 2, aStep = <usize> lda << 2, eStep = <usize> lde << 2, qStep = <usize> ldq << 2;
  const dStep = <usize> ldde << 2;
  scoresBackward(dEncoded, dScores, dContext, weights, encoded, T, G, dSize, dStep, cStep, eStep, false);
  for (let g: usize = 0; g < G; g++) memory.fill(dQuery + g * qStep, 0, aSize);
  memory.fill(dvLanes, 0, aSize >> 1);
  for (let t: usize = 0; t < <usize> T; t++) {
    for (let g: usize = 0; g < G; g++) {
      const a = hidden + (t * G + g) * aStep, dq = dQuery + g * qStep, ds = dScores + t * step + g * FEATURE;
      const low = v128.load(ds), high = v128.load(ds, 16);
      let p = v, sums = dvLanes;
      for (let i: usize = 0; i < aSize; i += FEATURE) {
        const x = v128.load(a + i), y = v128.load(a + i, 16), factor = v128.load32_splat(p);
        v128.store(sums, madd(low, x, madd(high, y, v128.load(sums))));
        const dx = f32x4.mul(f32x4.mul(low, factor), nmadd(x, x, one()));
        const dy = f32x4.mul(f32x4.mul(high, factor), nmadd(y, y, one()));
        v128.store(a + i, dx), v128.store(a + i, dy, 16);
        v128.store(dq + i, f32x4.add(v128.load(dq + i), dx));
        v128.store(dq + i, f32x4.add(v128.load(dq + i, 16), dy), 16);
        p += 4, sums += 16;
      }
    }
  }
  for (let i = 0; i < A; i++) store<f32>(dv + (<usize> i << 2), horizontalSum(v128.load(dvLanes + (<usize> i << 4))));
}

/**
 * attentionForward where the same keys are asked again and again: keys (T, groups, A, 8), the W_e·o_t, stay as they are.
 * hidden (T, groups, A, 8) keeps tanh(keys + query) for backward; where its stride is 0 it is scratch, (A, 8).
 */
export function attentionAsk(
  context: usize, weights: usize, hidden: usize, keys: usize, encoded: usize, query: usize, v: usize, mask: usize,
  T: i32, groups: i32, D: i32, A: i32, ldc: i32, lda: i32, lde: i32, ldq: i32, ldh: i32,
): void {
  const G = <usize> groups, aSize = <usize> A * FEATURE, aStep = <usize> lda << 2, qStep = <usize> ldq << 2;
  const hStep = <usize> ldh << 2;
  for (let t: usize = 0; t < <usize> T; t++) {
    for (let g: usize = 0; g < G; g++) {
      const k = keys + (t * G + g) * aStep;
      score(weights + (t * G + g) * FEATURE, hidden + (t * G + g) * hStep, k, query + g * qStep, v, aSize);
    }
  }
  weigh(context, weights, encoded, mask, T, G, <usize> D * FEATURE, <usize> ldc << 2, <usize> lde << 2);
}

/**
 * attentionAsk backwards, from dContext (groups, D, 8): dEncoded (T, groups, D, 8) += the part that comes through the
 * weighted sum, dKeys (T, groups, A, 8) += the gradient of the keys, dQuery (groups, A, 8) is that of the query, dvLanes
 * (A, 8) += that of v, lane by lane. dScores (T, groups, 8) is scratch; hidden is what attentionAsk kept, or scratch too
 * where its stride is 0: then it is computed anew, which takes less memory.
 */
export function attentionAskBackward(
  dQuery: usize, dScores: usize, hidden: usize, dEncoded: usize, dKeys: usize, dvLanes: usize,
  dContext: usize, weights: usize, encoded: usize, keys: usize, query: usize, v: usize,
  T: i32, groups: i32, D: i32, A: i32, ldde: i32, ldq: i32, ldc: i32, lda: i32, lde: i32, ldh: i32,
): void {
  const G = <usize> groups, aSize = <usize> A * FEATURE, aStep = <usize> lda << 2, qStep = <usize> ldq << 2;
  const hStep = <usize> ldh << 2;
  scoresBackward(
    dEncoded, dScores, dContext, weights, encoded,
    T, G, <usize> D * FEATURE, <usize> ldde << 2, <usize> ldc << 2, <usize> lde << 2, true,
  );
  for (let g: usize = 0; g < G; g++) memory.fill(dQuery + g * qStep, 0, aSize);
  for (let t: usize = 0; t < <usize> T; t++) {
    for (let g: usize = 0; g < G; g++) {
      const at = t * G + g, k = keys + at * aStep, q = query + g * qStep, dk = dKeys + at * aStep, dq = dQuery + g * qStep;
      const low = v128.load(dScores + at * FEATURE), high = v128.load(dScores + at * FEATURE, 16);
      const h = hidden + at * hStep;
      if (!hStep) {
        for (let i: usize = 0; i < aSize; i += 16) v128.store(h + i, f32x4.add(v128.load(k + i), v128.load(q + i)));
        tanhVectors(h, aSize);
      }
      let p = v;
      for (let i: usize = 0; i < aSize; i += FEATURE) {
        const x = v128.load(h + i), y = v128.load(h + i, 16), factor = v128.load32_splat(p);
        v128.store(dvLanes + i, madd(low, x, v128.load(dvLanes + i)));
        v128.store(dvLanes + i, madd(high, y, v128.load(dvLanes + i, 16)), 16);
        const dx = f32x4.mul(f32x4.mul(low, factor), nmadd(x, x, one()));
        const dy = f32x4.mul(f32x4.mul(high, factor), nmadd(y, y, one()));
        v128.store(dk + i, f32x4.add(v128.load(dk + i), dx)), v128.store(dk + i, f32x4.add(v128.load(dk + i, 16), dy), 16);
        v128.store(dq + i, f32x4.add(v128.load(dq + i), dx)), v128.store(dq + i, f32x4.add(v128.load(dq + i, 16), dy), 16);
        p += 4;
      }
    }
  }
}
