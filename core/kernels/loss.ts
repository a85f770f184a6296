// The losses, forward and backward in one pass: each writes the gradient of its logits and, to `stats`, its share of the
// mean loss and the number of rows that are right. `scale` is 1 / (number of terms in the mean), the whole batch's. `weights`
// (rows), where there are some, say how much each row counts in it; their mean over the whole batch is 1.
//
// logits, dLogits and targets are groups (O, 8) without gaps, class numbers (rows). `rows` counts the real rows: the lanes
// beyond add nothing, and their gradient is 0.

import { exp4, firstLanes, horizontalSum, log1p4, sigmoid4, zero } from "./simd";
import { FEATURE, LANE_BITS, LANES } from "./constants";

/** Value o of row r. */
@inline
function at(x: usize, r: i32, o: i32, O: i32): f32 {
  return load<f32>(x + (<usize> (((r >> LANE_BITS) * O + o) * LANES + (r & LANES - 1)) << 2));
}

/** `x` times the weights of four rows. */
@inline
function weighted(x: v128, weights: usize, r: i32): v128 {
  return weights ? f32x4.mul(x, v128.load(weights + (<usize> r << 2))) : x;
}

/** Index of the largest of a row's O numbers, the first of equals: as torch.argmax. */
function argmax(x: usize, r: i32, O: i32): i32 {
  let best = 0;
  for (let o = 1; o < O; o++) if (at(x, r, o, O) > at(x, r, best, O)) best = o;
  return best;
}

/**
 * Binary cross-entropy with logits: max(l, 0) − l·y + log(1 + e^−|l|); dl = σ(l) − y. targets: numbers in [0, 1].
 * With `posWeight` p (O): (1 − y)·l + q·(log(1 + e^−|l|) + max(−l, 0)), q = 1 + (p − 1)·y; dl = 1 − y + q·(σ(l) − 1).
 * A row is right where the largest logit stands over the largest target; with one output, where l > 0 as y > 0.5.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
 */
export function bceLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, posWeight: usize, rows: i32, O: i32, scale: f32,
): void {
  const one = f32x4.splat(1);
  let loss: f64 = 0, correct = 0, p: usize = 0;
  for (let r = 0; r < rows; r += LANES) {
    for (let o = 0; o < O; o++) {
      for (let half = 0; half < LANES; half += 4) {
        const mask = firstLanes(rows - r - half), l = v128.load(logits + p), y = v128.load(targets + p);
        const log = log1p4(exp4(f32x4.neg(f32x4.abs(l))));
        let terms: v128, d: v128;
        if (posWeight) {
          const q = f32x4.add(one, f32x4.mul(f32x4.splat(load<f32>(posWeight + (<usize> o << 2)) - 1), y)), no = f32x4.sub(one, y);
          terms = f32x4.add(f32x4.mul(no, l), f32x4.mul(q, f32x4.add(log, f32x4.max(f32x4.neg(l), zero()))));
          d = f32x4.add(no, f32x4.mul(q, f32x4.sub(sigmoid4(l), one)));
        } else {
          terms = f32x4.add(f32x4.sub(f32x4.max(l, zero()), f32x4.mul(l, y)), log);
          d = f32x4.sub(sigmoid4(l), y);
        }
        loss += horizontalSum(v128.and(weighted(terms, weights, r + half), mask));
        v128.store(dLogits + p, v128.and(f32x4.mul(d, weighted(f32x4.splat(scale), weights, r + half)), mask));
        p += 16;
      }
    }
  }
  for (let r = 0; r < rows; r++) {
    correct += <i32> (O > 1
      ? argmax(logits, r, O) == argmax(targets, r, O)
      : (at(logits, r, 0, O) > 0) == (at(targets, r, 0, O) > 0.5));
  }
  store<f32>(stats, <f32> (loss * scale)), store<f32>(stats, <f32> correct, 4);
}

/** y = e^(x − largest) over the O features of half a group, given their addresses; `largest` and the sum are returned in
 * memory: sums, sums + 16. */
@inline
function halfSoftmax(y: usize, x: usize, O: i32, sums: usize): void {
  let largest = v128.load(x), sum = zero();
  for (let o: usize = 1; o < <usize> O; o++) largest = f32x4.max(largest, v128.load(x + o * FEATURE));
  for (let o: usize = 0; o < <usize> O; o++) {
    const e = exp4(f32x4.sub(v128.load(x + o * FEATURE), largest));
    v128.store(y + o * FEATURE, e);
    sum = f32x4.add(sum, e);
  }
  v128.store(sums, largest), v128.store(sums, sum, 16);
  const factor = f32x4.div(f32x4.splat(1), sum);
  for (let o: usize = 0; o < <usize> O; o++) v128.store(y + o * FEATURE, f32x4.mul(v128.load(y + o * FEATURE), factor));
}

/**
 * Softmax cross-entropy: log Σ e^l − l_y; dl = softmax(l) − onehot(y). targets (rows): class numbers (i32). `sums` (8) is
 * scratch.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
 */
export function crossEntropyLoss(
  stats: usize, dLogits: usize, sums: usize, logits: usize, targets: usize, weights: usize, rows: i32, O: i32, scale: f32,
): void {
  let loss: f64 = 0, correct = 0;
  for (let r = 0; r < rows; r += 4) {
    const half = <usize> (((r >> LANE_BITS) * O * LANES + (r & LANES - 1)) << 2), mask = firstLanes(rows - r);
    const factor = weighted(f32x4.splat(scale), weights, r);
    halfSoftmax(dLogits + half, logits + half, O, sums);
    for (let lane = 0; lane < min(4, rows - r); lane++) {
      const y = load<i32>(targets + (<usize> (r + lane) << 2)), place = dLogits + half + <usize> y * FEATURE + (<usize> lane << 2);
      const largest = load<f32>(sums + (<usize> lane << 2)), sum = load<f32>(sums + (<usize> lane << 2), 16);
      const weight: f64 = weights ? load<f32>(weights + (<usize> (r + lane) << 2)) : 1;
      loss += weight * (Math.log(<f64> sum) + <f64> (largest - at(logits, r + lane, y, O)));
      store<f32>(place, load<f32>(place) - 1);
      correct += <i32> (argmax(logits, r + lane, O) == y);
    }
    for (let o: usize = 0; o < <usize> O; o++) {
      const p = dLogits + half + o * FEATURE;
      v128.store(p, v128.and(f32x4.mul(v128.load(p), factor), mask));
    }
  }
  // The second half of the last group, if no row is in it.
  const left = rows & LANES - 1;
  if (left > 0 && left <= 4) {
    for (let o = 0; o < O; o++) v128.store(dLogits + (<usize> (((rows >> LANE_BITS) * O + o) * LANES + 4) << 2), zero());
  }
  store<f32>(stats, <f32> (loss * scale)), store<f32>(stats, <f32> correct, 4);
}

/**
 * Mean squared error: (l − y)²; dl = 2 (l − y). No row counts as right.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
 */
export function mseLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, weights: usize, rows: i32, O: i32, scale: f32,
): void {
  let loss: f64 = 0, p: usize = 0;
  for (let r = 0; r < rows; r += LANES) {
    for (let o = 0; o < O; o++) {
      for (let half = 0; half < LANES; half += 4) {
        const mask = firstLanes(rows - r - half), d = v128.and(f32x4.sub(v128.load(logits + p), v128.load(targets + p)), mask);
        loss += horizontalSum(v128.and(weighted(f32x4.mul(d, d), weights, r + half), mask));
        v128.store(dLogits + p, v128.and(f32x4.mul(d, weighted(f32x4.splat(2 * scale), weights, r + half)), mask));
        p += 16;
      }
    }
  }
  store<f32>(stats, <f32> (loss * scale)), store<f32>(stats, 0, 4);
}

/** Probabilities from logits, each output by itself: what "bce" trained. */
export function sigmoidGroups(y: usize, x: usize, groups: i32, O: i32): void {
  for (let i: usize = 0; i < <usize> (groups * O) * FEATURE; i += 16) v128.store(y + i, sigmoid4(v128.load(x + i)));
}

/** Probabilities from logits that sum to 1 over a row: what "crossEntropy" trained. `sums` (8) is scratch. */
export function softmaxGroups(y: usize, sums: usize, x: usize, groups: i32, O: i32): void {
  for (let g: usize = 0; g < <usize> groups; g++) {
    const group = g * <usize> O * FEATURE;
    halfSoftmax(y + group, x + group, O, sums), halfSoftmax(y + group + 16, x + group + 16, O, sums);
  }
}
