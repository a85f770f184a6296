// Layer normalization, forward and backward, as torch.nn.LayerNorm over the features of each row:
//
//   n = (x − mean) / √(variance + eps)    y = gamma ∘ n + beta
//
// Ba, Kiros and Hinton 2016 (arXiv:1607.06450), the variance divided by F:
// https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html

import { FEATURE } from "./constants";
import { horizontalSum, madd, zero } from "./simd";

@inline
function splatOr(p: usize, f: i32, value: f32): v128 {
  return p ? v128.load32_splat(p + (<usize> f << 2)) : f32x4.splat(value);
}

/**
 * y and x (groups, F, 8), ldy and ldx apart, may be the same; stats (groups, 2, 8): mean and 1 / √(variance + eps). Without
 * gamma (F) it is 1, without beta (F) 0.
 */
export function layerNormForward(
  y: usize, stats: usize, x: usize, gamma: usize, beta: usize, groups: i32, F: i32, ldy: i32, ldx: i32, eps: f32,
): void {
  const share = f32x4.splat(1 / <f32> F);
  for (let g = 0; g < groups; g++) {
    for (let half: usize = 0; half < FEATURE; half += 16) {
      let sum = zero(), squares = zero();
      for (let f = 0; f < F; f++) sum = f32x4.add(sum, v128.load(x + half + <usize> f * FEATURE));
      const mean = f32x4.mul(sum, share);
      for (let f = 0; f < F; f++) {
        const d = f32x4.sub(v128.load(x + half + <usize> f * FEATURE), mean);
        squares = madd(d, d, squares);
      }
      const factor = f32x4.div(f32x4.splat(1), f32x4.sqrt(madd(squares, share, f32x4.splat(eps))));
      v128.store(stats + half, mean), v128.store(stats + half, factor, FEATURE);
      for (let f = 0; f < F; f++) {
        const at = half + <usize> f * FEATURE, n = f32x4.mul(f32x4.sub(v128.load(x + at), mean), factor);
        v128.store(y + at, madd(n, splatOr(gamma, f, 1), splatOr(beta, f, 0)));
      }
    }
    y += <usize> ldy << 2, x += <usize> ldx << 2, stats += 2 * FEATURE;
  }
}

/**
 * dx = (gamma ∘ dy − mean(gamma ∘ dy) − n ∘ mean(gamma ∘ dy ∘ n)) / √(variance + eps), or dx += … with `accumulate`; it may
 * be dy. dGamma (F) = Σ dy ∘ n, dBeta (F) = Σ dy, each where wanted. `lanes` (2·F, 8) is scratch.
 */
export function layerNormBackward(
  dGamma: usize, dBeta: usize, lanes: usize, dx: usize, dy: usize, x: usize, stats: usize, gamma: usize,
  groups: i32, F: i32, lddx: i32, lddy: i32, ldx: i32, accumulate: i32,
): void {
  const share = f32x4.splat(1 / <f32> F), size = <usize> F * FEATURE;
  memory.fill(lanes, 0, 2 * size);
  for (let g = 0; g < groups; g++) {
    for (let half: usize = 0; half < FEATURE; half += 16) {
      const mean = v128.load(stats + half), factor = v128.load(stats + half, FEATURE);
      let sum = zero(), along = zero();
      for (let f = 0; f < F; f++) {
        const at = half + <usize> f * FEATURE, d = v128.load(dy + at), sums = lanes + at;
        const n = f32x4.mul(f32x4.sub(v128.load(x + at), mean), factor), scaled = f32x4.mul(d, splatOr(gamma, f, 1));
        v128.store(sums, madd(d, n, v128.load(sums)));
        v128.store(sums + size, f32x4.add(v128.load(sums + size), d));
        sum = f32x4.add(sum, scaled), along = madd(scaled, n, along);
      }
      sum = f32x4.mul(sum, share), along = f32x4.mul(along, share);
      for (let f = 0; f < F; f++) {
        const at = half + <usize> f * FEATURE, n = f32x4.mul(f32x4.sub(v128.load(x + at), mean), factor);
        const scaled = f32x4.mul(v128.load(dy + at), splatOr(gamma, f, 1));
        const d = f32x4.mul(factor, f32x4.sub(f32x4.sub(scaled, sum), f32x4.mul(n, along)));
        v128.store(dx + at, accumulate ? f32x4.add(v128.load(dx + at), d) : d);
      }
    }
    dx += <usize> lddx << 2, dy += <usize> lddy << 2, x += <usize> ldx << 2, stats += 2 * FEATURE;
  }
  for (let f: usize = 0; f < <usize> F; f++) {
    const sums = lanes + f * FEATURE;
    if (dGamma) store<f32>(dGamma + (f << 2), horizontalSum(f32x4.add(v128.load(sums), v128.load(sums, 16))));
    if (dBeta) store<f32>(dBeta + (f << 2), horizontalSum(f32x4.add(v128.load(sums + size), v128.load(sums + size, 16))));
  }
}
