/**
 * Kernels with the bits that they have in batches: sums go on one after the other, where those of one sequence by itself go in
 * four lanes.
 *
 * @module
 */

import { bits, exponential, madd, real, round, tanh } from "./kernels.js";
import { memory } from "./memory.js";

/** attentionForwardSingle. */
export function attentionInTurn(context, weights, _hidden, answers, encoded, query, v, T, D, A, ld) {
  const m = memory;
  let largest = -3.4028234663852886e38, total = 0;
  for (let t = 0; t < T; t++) {
    let score = 0;
    for (let i = 0; i < A; i++) score = madd(m[v + i], tanh(round(m[answers + t * A + i] + m[query + i])), score);
    largest = Math.max(largest, m[weights + t] = score);
  }
  for (let t = 0; t < T; t++) total = round(total + (m[weights + t] = exponential(round(m[weights + t] - largest))));
  const factor = round(1 / total);
  for (let t = 0; t < T; t++) m[weights + t] *= factor;
  for (let i = 0; i < D; i++) {
    let s = 0;
    for (let t = 0; t < T; t++) s = madd(m[weights + t], m[encoded + t * ld + i], s);
    m[context + i] = s;
  }
}

/** layerNormSingle. */
export function layerNormInTurn(y, x, gamma, beta, rows, F, ldy, ldx, eps) {
  const m = memory, share = round(1 / F);
  real[0] = 0;
  bits[0] = eps;
  eps = real[0];
  for (; rows--; y += ldy, x += ldx) {
    let sum = 0, squares = 0;
    for (let i = 0; i < F; i++) sum = round(sum + m[x + i]);
    const mean = round(sum * share);
    for (let i = 0; i < F; i++) {
      const d = round(m[x + i] - mean);
      squares = madd(d, d, squares);
    }
    const factor = round(1 / round(Math.sqrt(madd(squares, share, eps))));
    for (let i = 0; i < ldy; i++) {
      const n = round(round(m[x + i] - mean) * factor);
      m[y + i] = i < F ? madd(n, gamma ? m[gamma + i] : 1, beta ? m[beta + i] : 0) : 0;
    }
  }
}
