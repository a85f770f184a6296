// Gated recurrent unit over whole sequences, forward and backward, as torch.nn.GRU:
//
//   r = σ(W_ir x + b_ir + W_hr h + b_hr)        z = σ(W_iz x + b_iz + W_hz h + b_hz)
//   n = tanh(W_in x + b_in + r ∘ (W_hn h + b_hn))    h' = n + z ∘ (h − n)
//
// Cho et al. 2014 (arXiv:1406.1078v1), reset after the product, as in
// https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
//
// Time first, then groups of 8 rows. The gates of one group of one step are 4·H features:
//   n_x | r | z | n_h   before a step: what the inputs and biases contribute (n_h: nothing yet)
//   n   | r | z | n_h   after it: what backward needs (n_h = W_hn h + b_hn)
//   dn  | dr | dz | dn_h   after backward: gradients before the activations
// so one buffer serves three times, the input weights meet features 0 to 3·H, the recurrent ones H to 4·H.
//
// States have T + 2 slots: slot t + 1 is the state after step t. A forward direction starts from slot 0, a reverse one
// from slot T + 1, so no step is special. Lanes past their sequence's length keep their state.

import { madd, one, sigmoidVectors, tanhVectors } from "./simd";
import { FEATURE } from "./constants";
import { product } from "./product";

/** The four bias sums that start the gates: b_in | b_ir + b_hr | b_iz + b_hz | b_hn. */
export function gruPackBias(bias: usize, biasIh: usize, biasHh: usize, H: i32): void {
  for (let i = 0; i < H; i++) {
    const r = <usize> i << 2, z = <usize> (H + i) << 2, n = <usize> (2 * H + i) << 2;
    store<f32>(bias + r, load<f32>(biasIh + n));
    store<f32>(bias + z, load<f32>(biasIh + r) + load<f32>(biasHh + r));
    store<f32>(bias + n, load<f32>(biasIh + z) + load<f32>(biasHh + z));
    store<f32>(bias + (<usize> (3 * H + i) << 2), load<f32>(biasHh + n));
  }
}

/** Whether all 8 lanes of a group are active. */
@inline
export function all(mask: usize): bool {
  return i32x4.all_true(v128.and(v128.load(mask), v128.load(mask, 16)));
}

/** Steps up to the last one in which a lane is active, of T: those behind it need no work. */
export function activeSteps(mask: usize, T: i32, groups: i32): i32 {
  const size = <usize> groups * FEATURE;
  for (; T > 0; T--) {
    const step = mask + <usize> (T - 1) * size;
    for (let i: usize = 0; i < size; i += 16) if (v128.any_true(v128.load(step + i))) return T;
  }
  return 0;
}

/** States of the steps from `first` to T, in which no lane is active: what they were. */
export function keepStates(h: usize, hStep: usize, size: usize, first: i32, T: i32, G: usize, reverse: i32): void {
  for (let s = first; s < T; s++) {
    const t = reverse ? T - 1 - s + first : s;
    for (let g: usize = 0; g < G; g++) {
      memory.copy(h + (<usize> (t + 1) * G + g) * hStep, h + (<usize> (reverse ? t + 2 : t) * G + g) * hStep, size);
    }
  }
}

/** keepStates backwards; the gates of these steps get no gradient. `none`: the mask of one of them. */
export function passStates(
  dh: usize, dStep: usize, size: usize, gates: usize, gStep: usize, none: usize, first: i32, T: i32, G: usize, reverse: i32,
): void {
  for (let s = first; s < T; s++) {
    const t = reverse ? s : T - 1 - s + first;
    for (let g: usize = 0; g < G; g++) {
      memory.fill(gates + (<usize> t * G + g) * gStep, 0, 4 * size);
      passEnded(dh + (<usize> (t + 1) * G + g) * dStep, dh + (<usize> (reverse ? t + 2 : t) * G + g) * dStep, none, size);
    }
  }
}

/** Activations of one group: gates in place, the new state to `h`. `size` is H features in bytes. */
@inline
function groupForward(gates: usize, h: usize, previous: usize, size: usize): void {
  const end = gates + size;
  sigmoidVectors(end, 2 * size);
  let n = gates, r = end, z = r + size, hidden = z + size;
  for (; n < end; n += FEATURE, r += FEATURE, hidden += FEATURE) {
    const a = madd(v128.load(r), v128.load(hidden), v128.load(n));
    const b = madd(v128.load(r, 16), v128.load(hidden, 16), v128.load(n, 16));
    v128.store(n, a), v128.store(n, b, 16);
  }
  tanhVectors(gates, size);
  for (n = gates; n < end; n += FEATURE, z += FEATURE, h += FEATURE, previous += FEATURE) {
    const a = v128.load(n), b = v128.load(n, 16);
    const c = madd(v128.load(z), f32x4.sub(v128.load(previous), a), a);
    const d = madd(v128.load(z, 16), f32x4.sub(v128.load(previous, 16), b), b);
    v128.store(h, c), v128.store(h, d, 16);
  }
}

/**
 * All T steps of one direction of one layer.
 *
 * gates (T, groups, 4·H, 8), ldg apart, hold the input part on entry; h (T + 2, groups, H, 8), ldh apart, its first slot;
 * panels: W_hh in the order r, z, n; bias as gruPackBias; mask (T, groups, 8) as activeLanes.
 */
export function gruForward(
  h: usize, gates: usize, panels: usize, bias: usize, mask: usize,
  T: i32, groups: i32, H: i32, ldh: i32, ldg: i32, reverse: i32,
): void {
  const size = <usize> H * FEATURE, hStep = <usize> ldh << 2, gStep = <usize> ldg << 2, G = <usize> groups;
  const active = activeSteps(mask, T, groups);
  if (reverse) keepStates(h, hStep, size, active, T, G, reverse);
  for (let s = 0; s < active; s++) {
    const t = reverse ? active - 1 - s : s;
    const step = gates + <usize> t * G * gStep;
    const next = h + <usize> (t + 1) * G * hStep;
    const previous = h + <usize> (reverse ? t + 2 : t) * G * hStep;
    const lanesOf = mask + <usize> t * G * FEATURE;
    for (let g: usize = 0; g < G; g++) spread(step + g * gStep + 3 * size, bias + (<usize> (3 * H) << 2), H);
    product(step + size, gStep, panels, previous, hStep, 0, true, 3 * H, H, groups);
    for (let g: usize = 0; g < G; g++) {
      const to = next + g * hStep, from = previous + g * hStep, lanes = lanesOf + g * FEATURE;
      groupForward(step + g * gStep, to, from, size);
      if (!all(lanes)) keepEnded(to, from, lanes, size);
    }
  }
  if (!reverse) keepStates(h, hStep, size, active, T, G, reverse);
}

/** Each of H numbers to the 8 lanes of its feature. */
@inline
function spread(dst: usize, numbers: usize, H: i32): void {
  for (let i = 0; i < H; i++) {
    const x = v128.load32_splat(numbers);
    v128.store(dst, x), v128.store(dst, x, 16);
    dst += FEATURE, numbers += 4;
  }
}

/** The state of lanes that have ended is what it was. */
export function keepEnded(to: usize, from: usize, lanes: usize, size: usize): void {
  const low = v128.load(lanes), high = v128.load(lanes, 16);
  for (let i: usize = 0; i < size; i += FEATURE) {
    v128.store(to + i, v128.bitselect(v128.load(to + i), v128.load(from + i), low));
    v128.store(to + i, v128.bitselect(v128.load(to + i, 16), v128.load(from + i, 16), high), 16);
  }
}

/** One group backward: gates become their gradients, what the previous state gets besides W_hhᵀ·dgates is added to it. */
@inline
function groupBackward(gates: usize, previous: usize, dh: usize, dPrevious: usize, size: usize): void {
  const rGates = gates + size, zGates = rGates + size, hGates = zGates + size;
  for (let i: usize = 0; i < size; i += 16) {
    const n = v128.load(gates + i), r = v128.load(rGates + i), z = v128.load(zGates + i);
    const d = v128.load(dh + i), keep = f32x4.sub(one(), z);
    // h' = (1 − z)·n + z·h;  tanh' = 1 − n²;  σ' = σ(1 − σ)
    const dn = f32x4.mul(f32x4.mul(d, keep), f32x4.sub(one(), f32x4.mul(n, n)));
    const dz = f32x4.mul(f32x4.mul(d, f32x4.sub(v128.load(previous + i), n)), f32x4.mul(z, keep));
    const dr = f32x4.mul(f32x4.mul(dn, v128.load(hGates + i)), f32x4.mul(r, f32x4.sub(one(), r)));
    v128.store(gates + i, dn), v128.store(rGates + i, dr), v128.store(zGates + i, dz);
    v128.store(hGates + i, f32x4.mul(dn, r));
    v128.store(dPrevious + i, madd(d, z, v128.load(dPrevious + i)));
  }
}

/** Lanes that have ended hand their gradient to the previous state as it is, and nothing to the gates. */
export function passEnded(dh: usize, dPrevious: usize, lanes: usize, size: usize): void {
  for (let i: usize = 0; i < size; i += 16) {
    const d = v128.load(dh + i), active = v128.load(lanes + (i & 16));
    v128.store(dPrevious + i, f32x4.add(v128.load(dPrevious + i), v128.andnot(d, active)));
    v128.store(dh + i, v128.and(d, active));
  }
}

/**
 * gruForward backwards. dh (T + 2, groups, H, 8), lddh apart, holds in slot t + 1 what the loss says of the state after
 * step t; the recurrence is added in place, and the first slot (0, or T + 1 in reverse) ends as the gradient of the
 * initial state. gates end as dn | dr | dz | dn_h. panels: W_hhᵀ.
 */
export function gruBackward(
  dh: usize, gates: usize, h: usize, panels: usize, mask: usize,
  T: i32, groups: i32, H: i32, lddh: i32, ldh: i32, ldg: i32, reverse: i32,
): void {
  const size = <usize> H * FEATURE, dStep = <usize> lddh << 2, hStep = <usize> ldh << 2, gStep = <usize> ldg << 2;
  const G = <usize> groups;
  const active = activeSteps(mask, T, groups), none = mask + <usize> active * G * FEATURE;
  if (!reverse) passStates(dh, dStep, size, gates, gStep, none, active, T, G, reverse);
  for (let s = 0; s < active; s++) {
    const t = reverse ? s : active - 1 - s;
    const from = <usize> (reverse ? t + 2 : t) * G;
    const step = gates + <usize> t * G * gStep, lanesOf = mask + <usize> t * G * FEATURE;
    const dNext = dh + <usize> (t + 1) * G * dStep, dPrevious = dh + from * dStep, previous = h + from * hStep;
    for (let g: usize = 0; g < G; g++) {
      const d = dNext + g * dStep, p = dPrevious + g * dStep, lanes = lanesOf + g * FEATURE;
      if (!all(lanes)) passEnded(d, p, lanes, size);
      groupBackward(step + g * gStep, previous + g * hStep, d, p, size);
    }
    product(dPrevious, dStep, panels, step + size, gStep, 0, true, H, 3 * H, groups);
  }
  if (reverse) passStates(dh, dStep, size, gates, gStep, none, active, T, G, reverse);
}
