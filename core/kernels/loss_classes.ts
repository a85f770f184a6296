// Losses of one class for each row: see loss.ts.

import { argmax, at, counting, counts, report, weighted } from "./loss";
import { exp4, exponential, zero } from "./simd";
import { FEATURE, LANE_BITS, LANES, wholeGroups } from "./constants";

/** y = e^(x − largest) over the O features of half a group, given their addresses; `largest` and the sum are returned in
 * memory: sums, sums + 16. */
function halfExponentials(y: usize, x: usize, O: i32, sums: usize): void {
  const size = <usize> O * FEATURE;
  let largest = v128.load(x), sum = zero();
  for (let o: usize = FEATURE; o < size; o += FEATURE) largest = f32x4.max(largest, v128.load(x + o));
  for (let o: usize = 0; o < size; o += FEATURE) {
    const e = exp4(f32x4.sub(v128.load(x + o), largest));
    v128.store(y + o, e);
    sum = f32x4.add(sum, e);
  }
  v128.store(sums, largest), v128.store(sums, sum, 16);
}

/** What halfExponentials gives, over its sum. */
function halfSoftmax(y: usize, x: usize, O: i32, sums: usize): void {
  halfExponentials(y, x, O, sums);
  const factor = f32x4.div(f32x4.splat(1), v128.load(sums, 16)), size = <usize> O * FEATURE;
  for (let o: usize = 0; o < size; o += FEATURE) v128.store(y + o, f32x4.mul(v128.load(y + o), factor));
}

/** Half a group of 0. */
function clearHalf(y: usize, O: i32): void {
  for (let o: usize = 0; o < <usize> O * FEATURE; o += FEATURE) v128.store(y + o, zero());
}

/** Whether none of the four rows from r on counts: its gradient is 0 then. */
@inline
function noneCounts(mask: usize, rows: i32, r: i32, y: usize, O: i32): bool {
  if (v128.any_true(counting(mask, rows, r))) return false;
  clearHalf(y, O);
  return true;
}

/** Whether argmax of row r is y, `largest` being its largest number: as argmax, the first of equals. */
@inline
function isRight(logits: usize, r: i32, y: i32, O: i32, largest: f32): bool {
  if (largest != largest) return argmax(logits, r, O) == y;
  if (at(logits, r, y, O) != largest) return false;
  for (let o = 0; o < y; o++) if (at(logits, r, o, O) == largest) return false;
  return true;
}

/** softmax of row r in dLogits, where it is returned; the half group of a row is computed at its first. */
@inline
function softmaxRow(dLogits: usize, logits: usize, sums: usize, r: i32, O: i32): usize {
  const half = <usize> (((r >> LANE_BITS) * O * LANES + (r & LANES - 4)) << 2);
  if (!(r & 3)) halfSoftmax(dLogits + half, logits + half, O, sums);
  return dLogits + half + (<usize> (r & 3) << 2);
}

/** log Σ e^l of row r, after softmaxRow. */
@inline
function logSum(sums: usize, r: i32): f64 {
  const lane = sums + (<usize> (r & 3) << 2);
  return Math.log(<f64> load<f32>(lane, 16)) + <f64> load<f32>(lane);
}

@inline
function clearRow(row: usize, O: i32): void {
  for (let o = 0; o < O; o++) store<f32>(row + <usize> o * FEATURE, 0);
}

/** Number i of those that multiply, or 1. */
@inline
function factorOf(factors: usize, i: i32): f32 {
  return factors ? load<f32>(factors + (<usize> i << 2)) : 1;
}

/**
 * Softmax cross-entropy: log Σ e^l − l_y; dl = softmax(l) − onehot(y). targets (rows): class numbers (i32). `sums` (8) is
 * scratch.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
 */
export function crossEntropyLoss(
  stats: usize, dLogits: usize, sums: usize, logits: usize, targets: usize, weights: usize, mask: usize,
  rows: i32, O: i32, scale: f32,
): void {
  let loss: f64 = 0, correct = 0;
  for (let r = 0; r < rows; r += 4) {
    const half = <usize> (((r >> LANE_BITS) * O * LANES + (r & LANES - 1)) << 2), d = dLogits + half;
    if (noneCounts(mask, rows, r, d, O)) continue;
    const factor = weighted(f32x4.splat(scale), weights, r), on = counting(mask, rows, r);
    halfExponentials(d, logits + half, O, sums);
    const share = f32x4.div(f32x4.splat(1), v128.load(sums, 16));
    for (let lane = 0; lane < min(4, rows - r); lane++) {
      if (!counts(mask, r + lane)) continue;
      const y = load<i32>(targets + (<usize> (r + lane) << 2)), own = sums + (<usize> lane << 2);
      const largest = load<f32>(own), sum = load<f32>(own, 16);
      const weight = factorOf(weights, r + lane);
      loss += <f64> weight * (Math.log(<f64> sum) + <f64> (largest - at(logits, r + lane, y, O)));
      // The target's gradient, which the loop below overwrites.
      const e = load<f32>(d + <usize> y * FEATURE + (<usize> lane << 2)), one: f32 = 1;
      store<f32>(own, (e * (one / sum) - one) * (scale * weight));
      correct += <i32> isRight(logits, r + lane, y, O, largest);
    }
    for (let o: usize = 0; o < <usize> O * FEATURE; o += FEATURE) {
      v128.store(d + o, v128.and(f32x4.mul(f32x4.mul(v128.load(d + o), share), factor), on));
    }
    for (let lane = 0; lane < min(4, rows - r); lane++) {
      if (!counts(mask, r + lane)) continue;
      const y = load<i32>(targets + (<usize> (r + lane) << 2)), at = <usize> lane << 2;
      store<f32>(d + <usize> y * FEATURE + at, load<f32>(sums + at));
    }
  }
  // The second half of the last group, if no row is in it.
  const left = rows & LANES - 1;
  if (left > 0 && left <= 4) {
    for (let o = 0; o < O; o++) v128.store(dLogits + (<usize> (((rows >> LANE_BITS) * O + o) * LANES + 4) << 2), zero());
  }
  report(stats, loss * scale, correct);
}

/**
 * crossEntropyLoss with class weights c (O), 1 without them, and a part ε (`smoothing`) of each target spread over all K
 * classes: Σ_k t_k·(log Σ e^l − l_k), t_k = (1 − ε)·c_y where k is y, + ε·c_k / K; dl = softmax(l)·Σ t − t. Its weights are
 * the samples' alone: the classes' are in the terms. As torch.nn.CrossEntropyLoss(weight, label_smoothing).
 */
export function crossEntropySmoothLoss(
  stats: usize, dLogits: usize, sums: usize, logits: usize, targets: usize, weights: usize, classWeights: usize, mask: usize,
  rows: i32, O: i32, scale: f32, smoothing: f32,
): void {
  const share = smoothing / <f32> O;
  let loss: f64 = 0, correct = 0, all: f32 = 0;
  for (let o = 0; o < O; o++) all += factorOf(classWeights, o);
  for (let r = 0; r < wholeGroups(rows); r++) {
    if (!(r & 3) && noneCounts(mask, rows, r, dLogits + (<usize> ((r >> LANE_BITS) * O * LANES + (r & LANES - 4)) << 2), O)) {
      r += 3;
      continue;
    }
    const row = softmaxRow(dLogits, logits, sums, r, O);
    if (r >= rows || !counts(mask, r)) {
      clearRow(row, O);
      continue;
    }
    const y = load<i32>(targets + (<usize> r << 2)), weight = factorOf(weights, r);
    const own: f32 = (1 - smoothing) * factorOf(classWeights, y), total: f32 = own + share * all, top = logSum(sums, r);
    let term = <f64> own * (top - at(logits, r, y, O));
    for (let o = 0; o < O; o++) {
      const c: f32 = share * factorOf(classWeights, o), p = row + <usize> o * FEATURE;
      term += <f64> c * (top - at(logits, r, o, O));
      store<f32>(p, weight * scale * (load<f32>(p) * total - c - (o == y ? own : <f32> 0)));
    }
    loss += <f64> weight * term;
    correct += <i32> (argmax(logits, r, O) == y);
  }
  report(stats, loss * scale, correct);
}

/**
 * Focal loss: −α·q^γ·log p, p being the softmax of the true class and q what the others have, 1 − p;
 * dl = α·q^γ·(1 − γ·p·log p / q)·(softmax(l) − onehot(y)). Lin et al. 2017 (arXiv:1708.02002).
 */
export function focalLoss(
  stats: usize, dLogits: usize, sums: usize, logits: usize, targets: usize, weights: usize, mask: usize,
  rows: i32, O: i32, scale: f32, gamma: f32, alpha: f32,
): void {
  let loss: f64 = 0, correct = 0;
  for (let r = 0; r < wholeGroups(rows); r++) {
    const row = softmaxRow(dLogits, logits, sums, r, O);
    if (r >= rows || !counts(mask, r)) {
      clearRow(row, O);
      continue;
    }
    const y = load<i32>(targets + (<usize> r << 2)), weight = factorOf(weights, r);
    const place = row + <usize> y * FEATURE, p = load<f32>(place);
    let q: f32 = 0;
    for (let o = 0; o < O; o++) if (o != y) q += load<f32>(row + <usize> o * FEATURE);
    // −log p / q, by its series where p is nearly 1.
    const ratio = q < 1e-3 ? 1 + <f64> q * (0.5 + <f64> q / 3)
      : (p > 0.5 ? -Math.log(1 - <f64> q) : logSum(sums, r) - at(logits, r, y, O)) / q;
    const power = f32x4.extract_lane(exponential(f32x4.splat(gamma * <f32> Math.log(max<f64>(q, 1.17549435e-38)))), 0);
    const factor: f32 = weight * scale * alpha * power * (1 + gamma * p * <f32> ratio);
    for (let o = 0; o < O; o++) {
      const d = row + <usize> o * FEATURE;
      store<f32>(d, factor * (o == y ? -q : load<f32>(d)));
    }
    loss += <f64> weight * alpha * power * ratio * q;
    correct += <i32> (argmax(logits, r, O) == y);
  }
  report(stats, loss * scale, correct);
}

/** Probabilities from logits that sum to 1 over a row: what "crossEntropy" trained. `sums` (8) is scratch. */
export function softmaxGroups(y: usize, sums: usize, x: usize, groups: i32, O: i32): void {
  for (let g: usize = 0; g < <usize> groups; g++) {
    const group = g * <usize> O * FEATURE;
    halfSoftmax(y + group, x + group, O, sums), halfSoftmax(y + group + 16, x + group + 16, O, sums);
  }
}
