// From gradients to new parameters. Parameters, gradients and moments are dense blocks of n numbers, one call each; n is rounded up to a
// multiple of 4, and what is beyond the last parameter is 0 in all of them, and stays 0.
// Formulas and the order of operations are PyTorch's: https://docs.pytorch.org/docs/stable/optim.html
// What changes from step to step is in `control`: core/device/control.ts.

import { CONTROL_ADDED, CONTROL_CORRECTION, CONTROL_DECAY, CONTROL_FRESH, CONTROL_KEPT, CONTROL_LEARNING_RATE, CONTROL_STEP_SIZE } from "./constants";
import { madd } from "./simd";

@inline
function pair(p: usize, stride: usize): v128 {
  return f32x4.add(v128.load(p), v128.load(p + stride));
}

@inline
function four(p: usize, stride: usize): v128 {
  return f32x4.add(pair(p, stride), pair(p + 2 * stride, stride));
}

/** Of up to three. */
@inline
function few(p: usize, count: i32, stride: usize): v128 {
  if (count == 1) return v128.load(p);
  const sum = pair(p, stride);
  return count == 2 ? sum : f32x4.add(sum, v128.load(p + 2 * stride));
}

/** The sum of `count` vectors, `stride` bytes apart: that of the first m plus that of the rest, m the largest power of two below count. */
function treeSum(p: usize, count: i32, stride: usize): v128 {
  if (count == 8) return f32x4.add(four(p, stride), four(p + 4 * stride, stride));
  if (count < 4) return few(p, count, stride);
  if (count < 8) {
    const sum = four(p, stride);
    return count == 4 ? sum : f32x4.add(sum, few(p + 4 * stride, count - 4, stride));
  }
  const half = 1 << (31 - clz(count - 1));
  return f32x4.add(treeSum(p, half, stride), treeSum(p + <usize> half * stride, count - half, stride));
}

/**
 * grads (n) = the sum of `count` blocks, `stride` apart, in the order of a tree that depends on `count` alone: the sum of blocks
 * k·m to (k + 1)·m, m a power of two, is one of its branches, whoever adds it up.
 */
export function sumBlocks(grads: usize, blocks: usize, n: i32, count: i32, stride: i32): void {
  for (let i: usize = 0; i < <usize> n << 2; i += 16) v128.store(grads + i, treeSum(blocks + i, count, <usize> stride << 2));
}

/** grads (n) = their mean with those of another batch: kept·grads + added·fresh. What is kept 0 times is not read. */
export function averageGradients(grads: usize, fresh: usize, control: usize, n: i32): void {
  const kept = load<f32>(control, CONTROL_KEPT), added = f32x4.splat(load<f32>(control, CONTROL_ADDED));
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    const g = f32x4.mul(added, v128.load(fresh + i));
    v128.store(grads + i, kept == 0 ? g : madd(f32x4.splat(kept), v128.load(grads + i), g));
  }
}

/** sum (1) = Σ grads², added up in double precision. */
export function sumSquares(sum: usize, grads: usize, n: i32): void {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    const x = v128.load(grads + i);
    const a = f64x2.promote_low_f32x4(x), b = f64x2.promote_low_f32x4(i32x4.shuffle(x, x, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(a, a)), high = f64x2.add(high, f64x2.mul(b, b));
  }
  const pair = f64x2.add(low, high);
  store<f32>(sum, <f32> (f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1)));
}

/** norm (1) = √Σ of n sums of squares. */
export function gradientNorm(norm: usize, sums: usize, n: i32): void {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += <f64> load<f32>(sums + (<usize> i << 2));
  store<f32>(norm, <f32> Math.sqrt(sum));
}

/** grads ∘= min(1, maxNorm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. */
export function clipNorm(grads: usize, norm: usize, n: i32, maxNorm: f32): void {
  const factor: f32 = maxNorm / (load<f32>(norm) + 1e-6);
  if (factor >= 1) return;
  for (let i: usize = 0; i < <usize> n << 2; i += 16) v128.store(grads + i, f32x4.mul(v128.load(grads + i), f32x4.splat(factor)));
}

/** grads limited to ±limit; NaN stays, as in torch.nn.utils.clip_grad_value_. */
export function clipValue(grads: usize, n: i32, limit: f32): void {
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    const x = f32x4.pmin(f32x4.pmax(v128.load(grads + i), f32x4.splat(-limit)), f32x4.splat(limit));
    v128.store(grads + i, x);
  }
}

/**
 * Adam, with L2 (`weightDecay`) or, decoupled, as AdamW; amsgrad keeps the running maximum of v.
 *   m += (1 − β1)(g − m)   v = β2·v + (1 − β2)·g²   p −= lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + eps)
 * Kingma and Ba 2015 (arXiv:1412.6980); Loshchilov and Hutter 2019 (arXiv:1711.05101); Reddi et al. 2018 (arXiv:1904.09237).
 */
export function adam(
  params: usize, m: usize, v: usize, largest: usize, grads: usize, control: usize, n: i32, decoupled: i32, amsgrad: i32,
  newM: f32, beta2: f32, newV: f32, eps: f32, weightDecay: f32,
): void {
  const stepSize = v128.load32_splat(control, CONTROL_STEP_SIZE), correction = v128.load32_splat(control, CONTROL_CORRECTION);
  const decay = v128.load32_splat(control, CONTROL_DECAY);
  const a = f32x4.splat(newM), b = f32x4.splat(beta2), c = f32x4.splat(newV), e = f32x4.splat(eps), l2 = f32x4.splat(weightDecay);
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    let p = v128.load(params + i), g = v128.load(grads + i);
    if (weightDecay != 0) {
      if (decoupled) p = f32x4.mul(p, decay);
      else g = madd(l2, p, g);
    }
    const m0 = v128.load(m + i), m1 = madd(a, f32x4.sub(g, m0), m0);
    let v1 = madd(f32x4.mul(c, g), g, f32x4.mul(b, v128.load(v + i)));
    v128.store(m + i, m1), v128.store(v + i, v1);
    if (amsgrad) {
      v1 = f32x4.max(v128.load(largest + i), v1);
      v128.store(largest + i, v1);
    }
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v1), correction), e);
    v128.store(params + i, f32x4.sub(p, f32x4.div(f32x4.mul(stepSize, m1), denominator)));
  }
}

/**
 * Stochastic gradient descent: buffer = momentum·buffer + (1 − dampening)·g, the first time g; p −= lr·buffer, or
 * lr·(g + momentum·buffer) with Nesterov's momentum, or lr·g without momentum.
 */
export function sgd(
  params: usize, buffer: usize, grads: usize, control: usize, n: i32, nesterov: i32, momentum: f32, weightDecay: f32,
): void {
  const rate = v128.load32_splat(control, CONTROL_LEARNING_RATE), fresh = v128.load32_splat(control, CONTROL_FRESH);
  const keep = f32x4.splat(momentum), l2 = f32x4.splat(weightDecay);
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    const p = v128.load(params + i);
    let g = v128.load(grads + i);
    if (weightDecay != 0) g = madd(l2, p, g);
    if (momentum != 0) {
      const moved = madd(keep, v128.load(buffer + i), f32x4.mul(fresh, g));
      v128.store(buffer + i, moved);
      g = nesterov ? madd(keep, moved, g) : moved;
    }
    v128.store(params + i, f32x4.sub(p, f32x4.mul(rate, g)));
  }
}

/** RMSprop: s = α·s + (1 − α)·g², p −= lr·g / (√s + eps). Hinton's lecture 6e, as torch.optim.RMSprop. */
export function rmsprop(
  params: usize, squares: usize, grads: usize, control: usize, n: i32, alpha: f32, fresh: f32, eps: f32, weightDecay: f32,
): void {
  const rate = v128.load32_splat(control, CONTROL_LEARNING_RATE), l2 = f32x4.splat(weightDecay);
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    const p = v128.load(params + i);
    let g = v128.load(grads + i);
    if (weightDecay != 0) g = madd(l2, p, g);
    const s = madd(f32x4.mul(f32x4.splat(fresh), g), g, f32x4.mul(f32x4.splat(alpha), v128.load(squares + i)));
    v128.store(squares + i, s);
    v128.store(params + i, f32x4.sub(p, f32x4.div(f32x4.mul(rate, g), f32x4.add(f32x4.sqrt(s), f32x4.splat(eps)))));
  }
}
