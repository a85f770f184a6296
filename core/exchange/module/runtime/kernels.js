/**
 * The kernels of core/kernels/single.ts in plain JavaScript, with their bits on plain SIMD: every product and every sum is
 * rounded to float32, in the same order. Places are elements of `memory`.
 *
 * @module
 */

import { memory } from "./memory.js";

export const round = Math.fround;
export const real = new Float32Array(1), bits = new Int32Array(real.buffer);

/** exp: log2 e, a number that rounds to integers, ln 2 in two parts, a polynomial, 1, and four limits. See core/kernels/simd.ts. */
const EXPONENTIAL = Float32Array.of(
  1.442695,
  12582912,
  0.69314575,
  1.4286068e-6,
  0.0013814559,
  0.008368736,
  0.04166839,
  0.16666521,
  0.49999994,
  1,
  -104,
  89,
  -87.3,
  88.3,
);

/** tanh: where it is 1, and two polynomials. */
const TANGENT = Float32Array.of(
  9.01,
  -8.488889e-14,
  5.2780197e-11,
  -2.0225375e-8,
  1.1154345e-5,
  0.0031039596,
  0.13084014,
  0.00025461504,
  0.024495192,
  0.4641734,
);

/** a·b + c. */
export function madd(a, b, c) {
  return round(round(a * b) + c);
}

/** e^(x − n·ln 2), n being the integer in `shifted`. */
function fraction(x, shifted) {
  const n = round(shifted - EXPONENTIAL[1]),
    r = round(round(x - round(n * EXPONENTIAL[2])) - round(n * EXPONENTIAL[3]));
  let p = EXPONENTIAL[4];
  for (let i = 5; i < 9; i++) p = madd(p, r, EXPONENTIAL[i]);
  return madd(round(r * r), p, round(r + 1));
}

/** x within two limits. */
function within(x, low) {
  if (x < EXPONENTIAL[low]) x = EXPONENTIAL[low];
  return EXPONENTIAL[low + 1] < x ? EXPONENTIAL[low + 1] : x;
}

/** 2ⁿ. */
function twoTo(n) {
  bits[0] = (n + 127) << 23;
  return real[0];
}

/** The bits of a number. */
function bitsOf(x) {
  real[0] = x;
  return bits[0];
}

/** eˣ. */
export function exponential(x) {
  x = within(x, 10);
  const shifted = madd(x, EXPONENTIAL[0], EXPONENTIAL[1]),
    p = fraction(x, shifted),
    n = bitsOf(shifted) - 0x4b400000 | 0,
    half = n >> 1;
  return round(round(p * twoTo(half)) * twoTo(n - half));
}

/** 1 / (1 + e⁻ˣ). */
function sigmoid(x) {
  x = within(-x, 12);
  const shifted = madd(x, EXPONENTIAL[0], EXPONENTIAL[1]), p = fraction(x, shifted);
  return round(1 / round(1 + round(p * twoTo(bitsOf(shifted)))));
}

/** tanh x. */
export function tanh(x) {
  const a = Math.abs(x), z = round(a * a);
  let p = TANGENT[1], q = TANGENT[7];
  for (let i = 2; i < 7; i++) p = madd(p, z, TANGENT[i]);
  q = madd(madd(madd(q, z, TANGENT[8]), z, TANGENT[9]), z, 1);
  let y = round(round(a * madd(p, z, 1)) / q);
  if (1 < y || a >= TANGENT[0]) y = 1;
  return x < 0 ? -y : x > 0 ? y : x;
}

/** y (N) = init + x (K) · columns (K, N). */
function rowProduct(y, x, columns, init, N, K) {
  const m = memory;
  for (let n = 0; n < N; n += 4) {
    let a = m[init + n], b = m[init + n + 1], c = m[init + n + 2], d = m[init + n + 3], i = columns + n;
    for (let p = x; p < x + K; p++) {
      const v = m[p];
      a = round(round(v * m[i]) + a);
      b = round(round(v * m[i + 1]) + b);
      c = round(round(v * m[i + 2]) + c);
      d = round(round(v * m[i + 3]) + d);
      i += N;
    }
    m[y + n] = a;
    m[y + n + 1] = b;
    m[y + n + 2] = c;
    m[y + n + 3] = d;
  }
}

/** (0 + 2) + (1 + 3) of four numbers. */
function sum4(s) {
  return round(round(s[0] + s[2]) + round(s[1] + s[3]));
}

export function copyVector(to, from, n) {
  memory.copyWithin(to, from, from + n);
}

export function clear(to, n) {
  memory.fill(0, to, to + n);
}

export function linearForwardSingle(y, x, columns, bias, rows, N, K, ldy, ldx) {
  for (; rows--; y += ldy, x += ldx) rowProduct(y, x, columns, bias, N, K);
}

export function gruForwardSingle(h, gates, columns, bias, T, H, ld, reverse) {
  const m = memory;
  for (let s = 0; s < T; s++) {
    const t = reverse ? T - 1 - s : s, g = gates + t * 4 * H, r = g + H, z = r + H, hidden = z + H;
    const next = h + (t + 1) * ld, before = reverse ? next + ld : next - ld;
    for (let i = 0; i < H; i++) m[hidden + i] = m[bias + 3 * H + i];
    rowProduct(r, before, columns, r, 3 * H, H);
    for (let i = 0; i < H; i++) {
      const n = tanh(madd(sigmoid(m[r + i]), m[hidden + i], m[g + i]));
      m[next + i] = madd(sigmoid(m[z + i]), round(m[before + i] - n), n);
    }
  }
}

export function lstmForwardSingle(h, c, gates, columns, T, H, ld, reverse) {
  const m = memory;
  for (let s = 0; s < T; s++) {
    const t = reverse ? T - 1 - s : s, i = gates + t * 4 * H, to = (t + 1) * ld, from = reverse ? to + ld : to - ld;
    rowProduct(i, h + from, columns, i, 4 * H, H);
    for (let j = i; j < i + H; j++) {
      const p = to + j - i, input = round(sigmoid(m[j]) * tanh(m[j + 2 * H]));
      const state = m[c + p] = madd(sigmoid(m[j + H]), m[c + from + j - i], input);
      m[h + p] = sigmoid(m[j + 3 * H]) * tanh(state);
    }
  }
}

export function attentionForwardSingle(context, weights, _hidden, answers, encoded, query, v, T, D, A, ld) {
  const m = memory, sum = new Float32Array(4), total = new Float32Array(4);
  let largest = -3.4028234663852886e38;
  for (let t = 0; t < T; t++) {
    sum.fill(0);
    for (let i = 0; i < A; i++) sum[i & 3] += round(tanh(round(m[answers + t * A + i] + m[query + i])) * m[v + i]);
    largest = Math.max(largest, m[weights + t] = sum4(sum));
  }
  for (let t = 0; t < T; t++) total[t & 3] += m[weights + t] = exponential(round(m[weights + t] - largest));
  const factor = round(1 / sum4(total));
  for (let t = 0; t < T; t++) m[weights + t] *= factor;
  for (let i = 0; i < D; i++) {
    let s = 0;
    for (let t = 0; t < T; t++) s = madd(m[weights + t], m[encoded + t * ld + i], s);
    m[context + i] = s;
  }
}

export function layerNormSingle(y, x, gamma, beta, rows, F, ldy, ldx, eps) {
  const m = memory, share = round(1 / F), sum = new Float32Array(4);
  real[0] = 0;
  bits[0] = eps;
  eps = real[0];
  for (; rows--; y += ldy, x += ldx) {
    sum.fill(0);
    for (let i = 0; i < F; i++) sum[i & 3] += m[x + i];
    const mean = round(sum4(sum) * share);
    sum.fill(0);
    for (let i = 0; i < F; i++) {
      const d = round(m[x + i] - mean);
      sum[i & 3] += round(d * d);
    }
    const factor = round(1 / round(Math.sqrt(madd(sum4(sum), share, eps))));
    for (let i = 0; i < ldy; i++) {
      const n = round(round(m[x + i] - mean) * factor);
      m[y + i] = i < F ? madd(n, gamma ? m[gamma + i] : 1, beta ? m[beta + i] : 0) : 0;
    }
  }
}

export function poolSingle(y, x, T, F, ld, which) {
  const m = memory;
  for (let i = 0; i < F; i++) {
    let best = m[x + i + (which ? 0 : (T - 1) * ld)];
    for (let t = which ? 1 : T; t < T; t++) {
      const v = m[x + i + t * ld];
      best = which === 1 ? round(best + v) : Math.max(best, v);
    }
    m[y + i] = which === 1 ? best / T : best;
  }
}

export function elementwiseSingle(y, x, rows, F, ldy, ldx, which) {
  const m = memory;
  for (; rows--; y += ldy, x += ldx) {
    for (let i = 0; i < F + 3 >> 2 << 2; i++) {
      const v = i < F ? m[x + i] : 0;
      m[y + i] = i >= F ? 0 : which === 1 ? Math.max(v, 0) : which ? sigmoid(v) : tanh(v);
    }
  }
}

/** probabilitiesSingle where each is by itself. */
export function sigmoids(y, O) {
  for (; O--; y++) memory[y] = sigmoid(memory[y]);
}

export function probabilitiesSingle(y, O, softmax) {
  if (!softmax) return sigmoids(y, O);
  const m = memory, end = y + O;
  let largest = m[y], sum = 0;
  for (let i = y; i < end; i++) largest = Math.max(largest, m[i]);
  for (let i = y; i < end; i++) sum = round(sum + (m[i] = exponential(round(m[i] - largest))));
  for (let i = y; i < end; i++) m[i] /= sum;
}
