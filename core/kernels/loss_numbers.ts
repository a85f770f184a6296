// Losses of numbers: see loss.ts. No row counts as right.

import { counting, report, weighted } from "./loss";
import { horizontalSum, zero } from "./simd";
import { LANES } from "./constants";

const SQUARED = 0;
const ABSOLUTE = 1;
const HUBER = 2;

/** The losses of the distance between output and target, `which` of them. */
function distanceLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, mask: usize,
  rows: i32, O: i32, scale: f32, which: i32, delta: f32,
): void {
  const one = f32x4.splat(1), sign = f32x4.splat(-0.0), factor = f32x4.splat(which == SQUARED ? 2 * scale : scale);
  let loss: f64 = 0, p: usize = 0;
  for (let r = 0; r < rows; r += LANES) {
    for (let o = 0; o < O; o++) {
      for (let half = 0; half < LANES; half += 4) {
        const on = counting(mask, rows, r + half), d = v128.and(f32x4.sub(v128.load(logits + p), v128.load(targets + p)), on);
        let term: v128, slope: v128;
        if (which == SQUARED) {
          term = f32x4.mul(d, d), slope = d;
        } else if (which == ABSOLUTE) {
          term = f32x4.abs(d), slope = v128.and(v128.or(one, v128.and(d, sign)), f32x4.ne(d, zero()));
        } else {
          // With c = min(|d|, δ): c·(|d| − c / 2)
          const distance = f32x4.abs(d), near = f32x4.min(distance, f32x4.splat(delta));
          term = f32x4.mul(near, f32x4.sub(distance, f32x4.mul(near, f32x4.splat(0.5))));
          slope = v128.or(near, v128.and(d, sign));
        }
        loss += horizontalSum(v128.and(weighted(term, weights, r + half), on));
        v128.store(dLogits + p, v128.and(f32x4.mul(slope, weighted(factor, weights, r + half)), on));
        p += 16;
      }
    }
  }
  report(stats, loss * scale, 0);
}

/**
 * Mean squared error: (l − y)²; dl = 2 (l − y).
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
 */
export function mseLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, mask: usize, rows: i32, O: i32, scale: f32,
): void {
  distanceLoss(stats, dLogits, logits, targets, weights, mask, rows, O, scale, SQUARED, 0);
}

/**
 * Mean absolute error: |l − y|; dl is its sign, 0 at 0.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
 */
export function maeLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, mask: usize, rows: i32, O: i32, scale: f32,
): void {
  distanceLoss(stats, dLogits, logits, targets, weights, mask, rows, O, scale, ABSOLUTE, 0);
}

/**
 * Huber's loss: (l − y)² / 2 up to a distance of δ, δ·(|l − y| − δ / 2) beyond; dl = l − y limited to ±δ.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.HuberLoss.html
 */
export function huberLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, mask: usize,
  rows: i32, O: i32, scale: f32, delta: f32,
): void {
  distanceLoss(stats, dLogits, logits, targets, weights, mask, rows, O, scale, HUBER, delta);
}

/**
 * Quantiles q (Q) of each of O targets by the pinball loss: max(q·d, (q − 1)·d), d = y − l; dl is −q below the target,
 * 1 − q above it, and ½ − q, the mean of both, at it, as the gradient of torch.maximum. targets are groups (O, 8), logits
 * (O·Q, 8): output o·Q + k is quantile k of target o.
 */
export function quantileLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, quantiles: usize, weights: usize, mask: usize,
  rows: i32, O: i32, Q: i32, scale: f32,
): void {
  const one = f32x4.splat(1), middle = f32x4.splat(0.5);
  let loss: f64 = 0, p: usize = 0;
  for (let r = 0; r < rows; r += LANES) {
    for (let o = 0; o < O * Q; o++) {
      const q = v128.load32_splat(quantiles + (<usize> (o % Q) << 2));
      for (let half = 0; half < LANES; half += 4) {
        const target = v128.load(targets + (<usize> (r * O + o / Q * LANES + half) << 2));
        const on = counting(mask, rows, r + half), d = v128.and(f32x4.sub(target, v128.load(logits + p)), on);
        const term = f32x4.max(f32x4.mul(q, d), f32x4.mul(f32x4.sub(q, one), d));
        const above = v128.or(v128.and(f32x4.lt(d, zero()), one), v128.and(f32x4.eq(d, zero()), middle));
        loss += horizontalSum(v128.and(weighted(term, weights, r + half), on));
        const slope = f32x4.mul(f32x4.sub(above, q), weighted(f32x4.splat(scale), weights, r + half));
        v128.store(dLogits + p, v128.and(slope, on));
        p += 16;
      }
    }
  }
  report(stats, loss * scale, 0);
}
