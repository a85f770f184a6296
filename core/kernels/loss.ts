// The losses, forward and backward in one pass: each writes the gradient of its logits and, to `stats`, its share of the
// mean loss and the number of rows that are right. `scale` is 1 / (number of terms in the mean), the whole batch's.
//
// logits and dLogits are padded rows (R, ldl); targets are dense.

import { exp4, firstLanes, horizontalSum, log1p4, sigmoid4, zero } from "./simd";

/** The four values from column i on; 0 beyond the last of O columns, whatever stands there. */
@inline
function columns(row: usize, i: i32, O: i32): v128 {
  const x = v128.load(row + (<usize> i << 2));
  return O - i >= 4 ? x : firstLanes(x, O - i);
}

/** Index of the largest of O numbers, the first of equals: as torch.argmax. */
function argmax(row: usize, O: i32): i32 {
  let best = 0;
  for (let i = 1; i < O; i++) {
    if (load<f32>(row + (<usize> i << 2)) > load<f32>(row + (<usize> best << 2))) best = i;
  }
  return best;
}

/** Largest of the O logits of a row. */
@inline
function rowMax(row: usize, O: i32): f32 {
  let largest = load<f32>(row);
  for (let i = 1; i < O; i++) largest = max(largest, load<f32>(row + (<usize> i << 2)));
  return largest;
}

/** y = e^(x − largest) over a row, 0 in the padding; returns the sum. */
@inline
function rowExp(y: usize, x: usize, O: i32, largest: f32): f32 {
  let sum: f32 = 0;
  for (let i = 0; i < O; i += 4) {
    let e = exp4(f32x4.sub(columns(x, i, O), f32x4.splat(largest)));
    if (O - i < 4) e = firstLanes(e, O - i);
    v128.store(y + (<usize> i << 2), e);
    sum += horizontalSum(e);
  }
  return sum;
}

@inline
function rowScale(row: usize, O: i32, factor: f32): void {
  for (let i = 0; i < O; i += 4) {
    const p = row + (<usize> i << 2);
    v128.store(p, f32x4.mul(v128.load(p), f32x4.splat(factor)));
  }
}

/** Probabilities from logits, each output by itself: what "bce" trained. Padded rows (R, ldl). */
export function sigmoidRows(y: usize, x: usize, R: i32, O: i32, ldl: i32): void {
  for (let r = 0; r < R; r++) {
    for (let i: usize = 0; i < <usize> O << 2; i += 16) v128.store(y + i, sigmoid4(v128.load(x + i)));
    y += <usize> ldl << 2, x += <usize> ldl << 2;
  }
}

/** Probabilities from logits that sum to 1 over a row: what "crossEntropy" trained. Padded rows (R, ldl). */
export function softmaxRows(y: usize, x: usize, R: i32, O: i32, ldl: i32): void {
  for (let r = 0; r < R; r++) {
    rowScale(y, O, 1 / rowExp(y, x, O, rowMax(x, O)));
    y += <usize> ldl << 2, x += <usize> ldl << 2;
  }
}

/**
 * Binary cross-entropy with logits: max(l, 0) − l·y + log(1 + e^−|l|); dl = σ(l) − y. targets (R, O), numbers in [0, 1].
 * A row is right where the largest logit stands over the largest target; with one output, where l > 0 as y > 0.5.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
 */
export function bceLoss(stats: usize, dLogits: usize, logits: usize, targets: usize, R: i32, O: i32, ldl: i32, scale: f32): void {
  let loss: f64 = 0, correct = 0;
  const factor = f32x4.splat(scale);
  for (let r = 0; r < R; r++) {
    for (let i = 0; i < O; i += 4) {
      const l = columns(logits, i, O), y = columns(targets, i, O);
      const log = log1p4(exp4(f32x4.neg(f32x4.abs(l))));
      const terms = f32x4.add(f32x4.sub(f32x4.max(l, zero()), f32x4.mul(l, y)), log);
      loss += horizontalSum(O - i >= 4 ? terms : firstLanes(terms, O - i));
      const d = f32x4.mul(f32x4.sub(sigmoid4(l), y), factor);
      v128.store(dLogits + (<usize> i << 2), O - i >= 4 ? d : firstLanes(d, O - i));
    }
    correct += <i32> (O > 1 ? argmax(logits, O) == argmax(targets, O) : (load<f32>(logits) > 0) == (load<f32>(targets) > 0.5));
    logits += <usize> ldl << 2, dLogits += <usize> ldl << 2, targets += <usize> O << 2;
  }
  store<f32>(stats, <f32> (loss * scale)), store<f32>(stats, <f32> correct, 4);
}

/**
 * Softmax cross-entropy: log Σ e^l − l_y; dl = softmax(l) − onehot(y). targets (R), class numbers (i32).
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
 */
export function crossEntropyLoss(
  stats: usize, dLogits: usize, logits: usize, targets: usize, R: i32, O: i32, ldl: i32, scale: f32,
): void {
  let loss: f64 = 0, correct = 0;
  for (let r = 0; r < R; r++) {
    const y = load<i32>(targets + (<usize> r << 2)), at = <usize> y << 2;
    const largest = rowMax(logits, O), sum = rowExp(dLogits, logits, O, largest);
    loss += Math.log(<f64> sum) + <f64> (largest - load<f32>(logits + at));
    rowScale(dLogits, O, 1 / sum);
    store<f32>(dLogits + at, load<f32>(dLogits + at) - 1);
    rowScale(dLogits, O, scale);
    correct += <i32> (argmax(logits, O) == y);
    logits += <usize> ldl << 2, dLogits += <usize> ldl << 2;
  }
  store<f32>(stats, <f32> (loss * scale)), store<f32>(stats, <f32> correct, 4);
}

/**
 * Mean squared error: (l − y)²; dl = 2 (l − y). targets (R, O). No row counts as right.
 * https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
 */
export function mseLoss(stats: usize, dLogits: usize, logits: usize, targets: usize, R: i32, O: i32, ldl: i32, scale: f32): void {
  let loss: f64 = 0;
  for (let r = 0; r < R; r++) {
    for (let i = 0; i < O; i += 4) {
      const d = f32x4.sub(columns(logits, i, O), columns(targets, i, O));
      loss += horizontalSum(f32x4.mul(d, d));
      v128.store(dLogits + (<usize> i << 2), f32x4.mul(d, f32x4.splat(2 * scale)));
    }
    logits += <usize> ldl << 2, dLogits += <usize> ldl << 2, targets += <usize> O << 2;
  }
  store<f32>(stats, <f32> (loss * scale)), store<f32>(stats, 0, 4);
}
