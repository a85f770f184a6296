// Long short-term memory over whole sequences, forward and backward, as torch.nn.LSTM:
//
//   i = σ(W_ii x + b_ii + W_hi h + b_hi)    f = σ(W_if x + b_if + W_hf h + b_hf)
//   g = tanh(W_ig x + b_ig + W_hg h + b_hg)    o = σ(W_io x + b_io + W_ho h + b_ho)
//   c' = f ∘ c + i ∘ g    h' = o ∘ tanh(c')
//
// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, as in
// https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
//
// Layouts are those of gru.ts. The gates of one group of one step are 4·H features, i | f | g | o: before a step what the
// inputs and biases contribute, after it the activations, after backward the gradients before the activations.
// Both states, h and c, have T + 2 slots, and lanes past their sequence's length keep both.

import { activeSteps, all, keepEnded, keepStates, passEnded, passStates } from "./gru";
import { madd, sigmoids, tanh4, tanhs } from "./simd";
import { FEATURE } from "./constants";
import { product } from "./product";

/** bias (4·H) = biasIh + biasHh. */
export function lstmPackBias(bias: usize, biasIh: usize, biasHh: usize, H: i32): void {
  for (let i: usize = 0; i < <usize> H << 4; i += 4) store<f32>(bias + i, load<f32>(biasIh + i) + load<f32>(biasHh + i));
}

/** Activations of one group: gates in place, the new states to `h` and `c`. `size` is H features in bytes. */
@inline
function groupForward(gates: usize, h: usize, c: usize, previous: usize, size: usize): void {
  const f = gates + size, g = f + size, o = g + size;
  sigmoids(gates, 2 * size), tanhs(g, size), sigmoids(o, size);
  for (let i: usize = 0; i < size; i += 16) {
    const state = madd(v128.load(f + i), v128.load(previous + i), f32x4.mul(v128.load(gates + i), v128.load(g + i)));
    v128.store(c + i, state), v128.store(h + i, state);
  }
  tanhs(h, size);
  for (let i: usize = 0; i < size; i += 16) v128.store(h + i, f32x4.mul(v128.load(o + i), v128.load(h + i)));
}

/**
 * All T steps of one direction of one layer.
 *
 * gates (T, groups, 4·H, 8), ldg apart, hold the input part and the bias on entry; h and c (T + 2, groups, H, 8), ldh and
 * ldc apart, their first slots; panels: W_hh; mask (T, groups, 8) as activeLanes.
 */
export function lstmForward(
  h: usize, c: usize, gates: usize, panels: usize, mask: usize,
  T: i32, groups: i32, H: i32, ldh: i32, ldc: i32, ldg: i32, reverse: i32,
): void {
  const size = <usize> H * FEATURE, hStep = <usize> ldh << 2, cStep = <usize> ldc << 2, gStep = <usize> ldg << 2;
  const G = <usize> groups, active = activeSteps(mask, T, groups);
  if (reverse) keepStates(h, hStep, size, active, T, G, reverse), keepStates(c, cStep, size, active, T, G, reverse);
  for (let s = 0; s < active; s++) {
    const t = reverse ? active - 1 - s : s;
    const step = gates + <usize> t * G * gStep, lanesOf = mask + <usize> t * G * FEATURE;
    const to = <usize> (t + 1) * G, from = <usize> (reverse ? t + 2 : t) * G;
    product(step, gStep, panels, h + from * hStep, hStep, 0, true, 4 * H, H, groups);
    for (let g: usize = 0; g < G; g++) {
      const hTo = h + (to + g) * hStep, cTo = c + (to + g) * cStep, cFrom = c + (from + g) * cStep;
      const lanes = lanesOf + g * FEATURE;
      groupForward(step + g * gStep, hTo, cTo, cFrom, size);
      if (!all(lanes)) keepEnded(hTo, h + (from + g) * hStep, lanes, size), keepEnded(cTo, cFrom, lanes, size);
    }
  }
  if (!reverse) keepStates(h, hStep, size, active, T, G, reverse), keepStates(c, cStep, size, active, T, G, reverse);
}

/**
 * One group backward: gates become their gradients, dc that of the cell state before. `next` and `previous` are the cell
 * states, `lanes` the group's mask: lanes that have ended keep dc and give nothing to the gates.
 */
@inline
function groupBackward(gates: usize, next: usize, previous: usize, dh: usize, dc: usize, lanes: usize, size: usize): void {
  const fGates = gates + size, gGates = fGates + size, oGates = gGates + size;
  const one = f32x4.splat(1);
  for (let at: usize = 0; at < size; at += 16) {
    const i = v128.load(gates + at), f = v128.load(fGates + at), g = v128.load(gGates + at), o = v128.load(oGates + at);
    const active = v128.load(lanes + (at & 16)), kept = v128.load(dc + at);
    const d = v128.load(dh + at), y = tanh4(v128.load(next + at));
    // h' = o·tanh(c')    c' = f·c + i·g;  tanh' = 1 − y²;  σ' = σ(1 − σ)
    const dState = v128.and(madd(f32x4.mul(d, o), f32x4.sub(one, f32x4.mul(y, y)), kept), active);
    v128.store(gates + at, f32x4.mul(f32x4.mul(dState, g), f32x4.mul(i, f32x4.sub(one, i))));
    v128.store(fGates + at, f32x4.mul(f32x4.mul(dState, v128.load(previous + at)), f32x4.mul(f, f32x4.sub(one, f))));
    v128.store(gGates + at, f32x4.mul(f32x4.mul(dState, i), f32x4.sub(one, f32x4.mul(g, g))));
    v128.store(oGates + at, f32x4.mul(f32x4.mul(d, y), f32x4.mul(o, f32x4.sub(one, o))));
    v128.store(dc + at, v128.bitselect(f32x4.mul(dState, f), kept, active));
  }
}

/**
 * lstmForward backwards. dh (T + 2, groups, H, 8), lddh apart, holds in slot t + 1 what the loss says of h after step t;
 * the recurrence is added in place, and the first slot (0, or T + 1 in reverse) ends as the gradient of the initial h.
 * dc (groups, H, 8), dense, starts as the gradient of the last cell state and ends as that of the initial one. gates end
 * as di | df | dg | do. panels: W_hhᵀ.
 */
export function lstmBackward(
  dh: usize, dc: usize, gates: usize, c: usize, panels: usize, mask: usize,
  T: i32, groups: i32, H: i32, lddh: i32, ldc: i32, ldg: i32, reverse: i32,
): void {
  const size = <usize> H * FEATURE, dStep = <usize> lddh << 2, cStep = <usize> ldc << 2, gStep = <usize> ldg << 2;
  const G = <usize> groups, active = activeSteps(mask, T, groups), none = mask + <usize> active * G * FEATURE;
  if (!reverse) passStates(dh, dStep, size, gates, gStep, none, active, T, G, reverse);
  for (let s = 0; s < active; s++) {
    const t = reverse ? s : active - 1 - s;
    const step = gates + <usize> t * G * gStep, lanesOf = mask + <usize> t * G * FEATURE;
    const to = <usize> (t + 1) * G, from = <usize> (reverse ? t + 2 : t) * G;
    for (let g: usize = 0; g < G; g++) {
      const d = dh + (to + g) * dStep, lanes = lanesOf + g * FEATURE;
      if (!all(lanes)) passEnded(d, dh + (from + g) * dStep, lanes, size);
      groupBackward(step + g * gStep, c + (to + g) * cStep, c + (from + g) * cStep, d, dc + g * size, lanes, size);
    }
    product(dh + from * dStep, dStep, panels, step, gStep, 0, true, H, 4 * H, groups);
  }
  if (reverse) passStates(dh, dStep, size, gates, gStep, none, active, T, G, reverse);
}
