// The losses, forward and backward in one pass: each writes the gradient of its logits and, to `stats`, its share of the
// mean loss and the number of rows that are right. `scale` is 1 / (number of terms in the mean), the whole batch's. `weights`
// (rows), where there are some, say how much each row counts in it; their mean over the whole batch is 1.
//
// logits, dLogits and targets are groups (O, 8) without gaps, class numbers (rows). `rows` counts the real rows: the lanes
// beyond add nothing, and their gradient is 0. So it is with rows that are off in `mask` (rows, a multiple of 8), if there
// is one: the steps of sequences behind their length.
//
// Here is what all losses share, and those of binary targets; the others: loss_classes.ts and loss_numbers.ts.

import { exponential, firstLanes, horizontalSum, log1p4, log4, sigmoid4, zero } from "./simd";
import { FEATURE, LANE_BITS, LANES } from "./constants";

/** Ones in the lanes of those four rows from r on that count. */
@inline
export function counting(mask: usize, rows: i32, r: i32): v128 {
  return mask ? v128.load(mask + (<usize> r << 2)) : firstLanes(rows - r);
}

/** Whether row r, one of them, counts. */
@inline
export function counts(mask: usize, r: i32): bool {
  return !mask || load<i32>(mask + (<usize> r << 2)) != 0;
}

/** The results of a loss, `loss` being its sum before the scale. */
@inline
export function report(stats: usize, loss: f64, correct: i32): void {
  store<f32>(stats, <f32> loss), store<f32>(stats, <f32> correct, 4);
}

/** Value o of row r. */
@inline
export function at(x: usize, r: i32, o: i32, O: i32): f32 {
  return load<f32>(x + (<usize> (((r >> LANE_BITS) * O + o) * LANES + (r & LANES - 1)) << 2));
}

/** `x` times the weights of four rows. */
@inline
export function weighted(x: v128, weights: usize, r: i32): v128 {
  return weights ? f32x4.mul(x, v128.load(weights + (<usize> r << 2))) : x;
}

/** Index of the largest of a row's O numbers, the first of equals: as torch.argmax. */
export function argmax(x: usize, r: i32, O: i32): i32 {
  let best = 0;
  for (let o = 1; o < O; o++) if (at(x, r, o, O) > at(x, r, best, O)) best = o;
  return best;
}

// Calls: copies of them would make the module larger, and a loss is little of a step.
function sigmoid(l: v128): v128 {
  return sigmoid4(l);
}

/** log(1 + e^−|l|) */
function logOneMore(l: v128): v128 {
  return log1p4(exponential(f32x4.neg(f32x4.abs(l))));
}

/** Rows whose largest logit stands over the largest target; with one output, where l > 0 as y > 0.5. */
function rightRows(logits: usize, targets: usize, mask: usize, rows: i32, O: i32): i32 {
  let correct = 0;
  for (let r = 0; r < rows; r++) {
    if (!counts(mask, r)) continue;
    correct += <i32> (O > 1
      ? argmax(logits, r, O) == argmax(targets, r, O)
      : (at(logits, r, 0, O) > 0) == (at(targets, r, 0, O) > 0.5));
  }
  return correct;
}

/**
 * Binary cross-entropy with logits: max(l, 0) − l·y + log(1 + e^−|l|); dl = σ(l) − y. targets: numbers in [0, 1].
 * With `posWeight` p (O): (1 − y)·l + q·(log(1 + e^−|l|) + max(−l, 0)), q = 1 + (p − 1)·y; dl = 1 − y + q·(σ(l) − 1).
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
 */
export function bceLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, posWeight: usize, mask: usize,
  rows: i32, O: i32, scale: f32,
): void {
  const one = f32x4.splat(1);
  let loss: f64 = 0, p: usize = 0;
  for (let r = 0; r < rows; r += LANES) {
    for (let o = 0; o < O; o++) {
      for (let half = 0; half < LANES; half += 4) {
        const on = counting(mask, rows, r + half), l = v128.load(logits + p), y = v128.load(targets + p);
        const log = logOneMore(l);
        let terms: v128, d: v128;
        if (posWeight) {
          const q = f32x4.add(one, f32x4.mul(f32x4.splat(load<f32>(posWeight + (<usize> o << 2)) - 1), y)), no = f32x4.sub(one, y);
          terms = f32x4.add(f32x4.mul(no, l), f32x4.mul(q, f32x4.add(log, f32x4.max(f32x4.neg(l), zero()))));
          d = f32x4.add(no, f32x4.mul(q, f32x4.sub(sigmoid(l), one)));
        } else {
          terms = f32x4.add(f32x4.sub(f32x4.max(l, zero()), f32x4.mul(l, y)), log);
          d = f32x4.sub(sigmoid(l), y);
        }
        loss += horizontalSum(v128.and(weighted(terms, weights, r + half), on));
        v128.store(dLogits + p, v128.and(f32x4.mul(d, weighted(f32x4.splat(scale), weights, r + half)), on));
        p += 16;
      }
    }
  }
  report(stats, loss * scale, rightRows(logits, targets, mask, rows, O));
}

/**
 * Binary focal loss: α·m^γ·bce, m being what the target is missed by, y·(1 − σ(l)) + (1 − y)·σ(l), and the factor of a
 * target α·y + (1 − α)·(1 − y), or 1 if alpha is below 0. dl = α·m^γ·(σ(l) − y + γ·bce·(1 − 2y)·σ(l)·(1 − σ(l)) / m).
 * Lin et al. 2017 (arXiv:1708.02002), as torchvision.ops.sigmoid_focal_loss.
 */
export function binaryFocalLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, mask: usize,
  rows: i32, O: i32, scale: f32, gamma: f32, alpha: f32,
): void {
  const one = f32x4.splat(1), power = f32x4.splat(gamma), smallest = f32x4.splat(1.17549435e-38);
  let loss: f64 = 0, p: usize = 0;
  for (let r = 0; r < rows; r += LANES) {
    for (let o = 0; o < O; o++) {
      for (let half = 0; half < LANES; half += 4) {
        const on = counting(mask, rows, r + half), l = v128.load(logits + p), y = v128.load(targets + p);
        const yes = sigmoid(l), no = sigmoid(f32x4.neg(l)), not = f32x4.sub(one, y);
        const above = f32x4.mul(not, yes), below = f32x4.mul(y, no), miss = f32x4.max(f32x4.add(above, below), smallest);
        const bce = f32x4.add(f32x4.sub(f32x4.max(l, zero()), f32x4.mul(l, y)), logOneMore(l));
        let factor = exponential(f32x4.mul(power, log4(miss)));
        if (alpha >= 0) {
          factor = f32x4.mul(factor, f32x4.add(f32x4.mul(f32x4.splat(alpha), y), f32x4.mul(f32x4.splat(1 - alpha), not)));
        }
        const slope = f32x4.mul(f32x4.mul(power, bce), f32x4.mul(f32x4.sub(not, y), f32x4.div(f32x4.mul(yes, no), miss)));
        const d = f32x4.mul(factor, f32x4.add(f32x4.sub(above, below), slope));
        loss += horizontalSum(v128.and(weighted(f32x4.mul(factor, bce), weights, r + half), on));
        v128.store(dLogits + p, v128.and(f32x4.mul(d, weighted(f32x4.splat(scale), weights, r + half)), on));
        p += 16;
      }
    }
  }
  report(stats, loss * scale, rightRows(logits, targets, mask, rows, O));
}

/** Probabilities from logits, each output by itself: what "bce" trained. */
export function sigmoidGroups(y: usize, x: usize, groups: i32, O: i32): void {
  for (let i: usize = 0; i < <usize> (groups * O) * FEATURE; i += 16) v128.store(y + i, sigmoid(v128.load(x + i)));
}
