// Gated recurrent unit over whole sequences, forward and backward, as torch.nn.GRU:
//
//   r = σ(W_ir x + b_ir + W_hr h + b_hr)        z = σ(W_iz x + b_iz + W_hz h + b_hz)
//   n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))    h' = n + z ∘ (h − n)
//
// Cho et al. 2014 (arXiv:1406.1078v1), reset after the product, as in
// https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
//
// Everything is time-major. The gates of one row of one step are 4·Hp numbers, Hp = H rounded up to a multiple of 4:
//   n_x | r | z | n_h   before a step: what the inputs and biases contribute (n_h: nothing yet)
//   n   | r | z | n_h   after it: what backward needs (n_h = W_hn h + b_hn)
//   dn  | dr | dz | dn_h   after backward: gradients before the activations
// so one buffer serves three times, the input weights meet columns 0 to 3·Hp, the recurrent ones Hp to 4·Hp.
//
// States have T + 2 slots of R rows: slot t + 1 is the state after step t. A forward direction starts from slot 0, a
// reverse one from slot T + 1, so no step is special. Rows past their sequence's length keep their state.

import { madd, sigmoid4, tanh4 } from "./simd";
import { matmul } from "./matmul";

/** The four bias sums that start the gates: b_in | b_ir + b_hr | b_iz + b_hz | b_hn, each padded with 0. */
export function gruPackBias(bias: usize, biasIh: usize, biasHh: usize, H: i32): void {
  const Hp = (H + 3) & ~3;
  for (let i = 0; i < H; i++) {
    const r = <usize> i << 2, z = <usize> (H + i) << 2, n = <usize> (2 * H + i) << 2;
    store<f32>(bias + r, load<f32>(biasIh + n));
    store<f32>(bias + (<usize> (Hp + i) << 2), load<f32>(biasIh + r) + load<f32>(biasHh + r));
    store<f32>(bias + (<usize> (2 * Hp + i) << 2), load<f32>(biasIh + z) + load<f32>(biasHh + z));
    store<f32>(bias + (<usize> (3 * Hp + i) << 2), load<f32>(biasHh + n));
  }
}

/** Activations of one row: gates in place, the new state to `h`. `width` is Hp in bytes. */
@inline
function rowForward(gates: usize, h: usize, previous: usize, width: usize): void {
  const rGates = gates + width, zGates = rGates + width, hGates = zGates + width;
  for (let i: usize = 0; i < width; i += 16) {
    const r = sigmoid4(v128.load(rGates + i)), z = sigmoid4(v128.load(zGates + i));
    const n = tanh4(madd(r, v128.load(hGates + i), v128.load(gates + i)));
    v128.store(rGates + i, r), v128.store(zGates + i, z), v128.store(gates + i, n);
    v128.store(h + i, madd(z, f32x4.sub(v128.load(previous + i), n), n));
  }
}

/**
 * All T steps of one direction of one layer.
 *
 * gates (T, R, ldg) holds the input part on entry; h (T + 2, R, ldh) its first slot; recurrent: panels of W_hr, W_hz
 * (K = Hp, N = 2·Hp), candidate: panels of W_hn (N = Hp); bias as gruPackBias; lengths (R).
 */
export function gruForward(
  h: usize, gates: usize, recurrent: usize, candidate: usize, bias: usize, lengths: usize,
  T: i32, R: i32, Hp: i32, ldh: i32, ldg: i32, reverse: i32,
): void {
  const width = <usize> Hp << 2, hRow = <usize> ldh << 2, gRow = <usize> ldg << 2;
  for (let s = 0; s < T; s++) {
    const t = reverse ? T - 1 - s : s;
    const step = gates + <usize> (t * R) * gRow;
    const next = h + <usize> ((t + 1) * R) * hRow;
    const previous = h + <usize> ((reverse ? t + 2 : t) * R) * hRow;
    matmul(step + width, gRow, previous, hRow, recurrent, step + width, gRow, R, 2 * Hp, Hp);
    matmul(step + 3 * width, gRow, previous, hRow, candidate, bias + 3 * width, 0, R, Hp, Hp);
    for (let i = 0; i < R; i++) {
      const row = <usize> i * hRow;
      if (t < load<i32>(lengths + (<usize> i << 2))) {
        rowForward(step + <usize> i * gRow, next + row, previous + row, width);
      } else {
        memory.copy(next + row, previous + row, width);
      }
    }
  }
}

/** One row backward: gates become their gradients, what the previous state gets besides W_hhᵀ·dgates is added to it. */
@inline
function rowBackward(gates: usize, previous: usize, dh: usize, dPrevious: usize, width: usize): void {
  const rGates = gates + width, zGates = rGates + width, hGates = zGates + width;
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < width; i += 16) {
    const n = v128.load(gates + i), r = v128.load(rGates + i), z = v128.load(zGates + i);
    const d = v128.load(dh + i), keep = f32x4.sub(one, z);
    // h' = (1 − z)·n + z·h;  tanh' = 1 − n²;  σ' = σ(1 − σ)
    const dn = f32x4.mul(f32x4.mul(d, keep), f32x4.sub(one, f32x4.mul(n, n)));
    const dz = f32x4.mul(f32x4.mul(d, f32x4.sub(v128.load(previous + i), n)), f32x4.mul(z, keep));
    const dr = f32x4.mul(f32x4.mul(dn, v128.load(hGates + i)), f32x4.mul(r, f32x4.sub(one, r)));
    v128.store(gates + i, dn), v128.store(rGates + i, dr), v128.store(zGates + i, dz);
    v128.store(hGates + i, f32x4.mul(dn, r));
    v128.store(dPrevious + i, madd(d, z, v128.load(dPrevious + i)));
  }
}

/**
 * gruForward backwards. dh (T + 2, R, lddh) holds in slot t + 1 what the loss says of the state after step t; the
 * recurrence is added in place, and the first slot (0, or T + 1 in reverse) ends as the gradient of the initial state.
 * gates end as dn | dr | dz | dn_h. recurrentT: panels of W_hhᵀ (K = 3·Hp, N = Hp).
 */
export function gruBackward(
  dh: usize, gates: usize, h: usize, recurrentT: usize, lengths: usize,
  T: i32, R: i32, Hp: i32, lddh: i32, ldh: i32, ldg: i32, reverse: i32,
): void {
  const width = <usize> Hp << 2, dRow = <usize> lddh << 2, hRow = <usize> ldh << 2, gRow = <usize> ldg << 2;
  for (let s = 0; s < T; s++) {
    const t = reverse ? s : T - 1 - s;
    const from = reverse ? t + 2 : t;
    const step = gates + <usize> (t * R) * gRow;
    const dNext = dh + <usize> ((t + 1) * R) * dRow, dPrevious = dh + <usize> (from * R) * dRow;
    const previous = h + <usize> (from * R) * hRow;
    for (let i = 0; i < R; i++) {
      const g = step + <usize> i * gRow, d = dNext + <usize> i * dRow, p = dPrevious + <usize> i * dRow;
      if (t < load<i32>(lengths + (<usize> i << 2))) {
        rowBackward(g, previous + <usize> i * hRow, d, p, width);
      } else {
        memory.fill(g, 0, 4 * width);
        for (let j: usize = 0; j < width; j += 16) v128.store(p + j, f32x4.add(v128.load(p + j), v128.load(d + j)));
      }
    }
    matmul(dPrevious, dRow, step + width, gRow, recurrentT, dPrevious, dRow, R, Hp, 3 * Hp);
  }
}
