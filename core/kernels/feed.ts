// What a decoder is fed: the step before, as it was or as the decoder said it, and its way back.

import { FEATURE, groupsOf, LANE_BITS, LANES } from "./constants";

/**
 * tokens (groups, 8) become, where `teacher` (groups, 8) is 0, the likeliest by logits (groups, V, 8) but `pad` and `start`,
 * the first of equals; without logits all become `start`.
 */
export function nextTokens(
  tokens: usize, logits: usize, teacher: usize, groups: i32, V: i32, ldl: i32, pad: i32, start: i32,
): void {
  for (let i = 0; i < groups * LANES; i++) {
    const at = <usize> i << 2;
    if (logits && load<f32>(teacher + at) != 0) continue;
    let token = logits ? -1 : start, largest: f32 = 0;
    let p = logits + (<usize> ((i >> LANE_BITS) * ldl + (i & LANES - 1)) << 2);
    for (let v = 0; logits && v < V; v++) {
      const x = load<f32>(p);
      // Where all are NaN it is a token all the same.
      if (v != pad && v != start && (token < 0 || x > largest)) token = v, largest = x;
      p += FEATURE;
    }
    store<i32>(tokens + at, token);
  }
}

/** The rows of `table` (V, E) of tokens (groups, 8) as (groups, E, 8); 0 in lanes that are off in mask (groups, 8). */
export function gatherRows(dst: usize, table: usize, tokens: usize, mask: usize, groups: i32, E: i32, lddst: i32): void {
  for (let i = 0; i < groups * LANES; i++) {
    const at = <usize> i << 2, on = load<i32>(mask + at);
    let p = on ? table + (<usize> (load<i32>(tokens + at) * E) << 2) : 0;
    let q = dst + (<usize> ((i >> LANE_BITS) * lddst + (i & LANES - 1)) << 2);
    for (let e = 0; e < E; e++) store<f32>(q, on ? load<f32>(p) : 0), p += 4, q += FEATURE;
  }
}

/** gatherRows backwards: dTable (V, E) += the rows of dx (groups, E, 8) of lanes that are on. */
export function scatterRows(dTable: usize, dx: usize, tokens: usize, mask: usize, groups: i32, E: i32, lddx: i32): void {
  for (let i = 0; i < groups * LANES; i++) {
    const at = <usize> i << 2;
    if (!load<i32>(mask + at)) continue;
    let p = dTable + (<usize> (load<i32>(tokens + at) * E) << 2);
    let q = dx + (<usize> ((i >> LANE_BITS) * lddx + (i & LANES - 1)) << 2);
    for (let e = 0; e < E; e++) store<f32>(p, load<f32>(p) + load<f32>(q)), p += 4, q += FEATURE;
  }
}

/** dst (groups, F, 8) = src, or += src with `accumulate`, where keep (groups, 8) is 0. */
export function replaceLanes(
  dst: usize, src: usize, keep: usize, groups: i32, F: i32, lddst: i32, ldsrc: i32, accumulate: i32,
): void {
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < <usize> F * FEATURE; i += 16) {
      const replaced = f32x4.eq(v128.load(keep + (i & 16)), f32x4.splat(0)), old = v128.load(dst + i), x = v128.load(src + i);
      v128.store(dst + i, v128.bitselect(accumulate ? f32x4.add(old, x) : x, old, replaced));
    }
    dst += <usize> lddst << 2, src += <usize> ldsrc << 2, keep += FEATURE;
  }
}

/** Weights (U, T, groups, 8) to dense (rows, U, T); 0 at or after a row's length along U. */
export function alignmentOut(dst: usize, src: usize, lengths: usize, U: i32, T: i32, rows: i32): void {
  const step = <usize> groupsOf(rows) * FEATURE;
  for (let r = 0; r < rows; r++) {
    const length = load<i32>(lengths + (<usize> r << 2));
    let p = src + (<usize> r << 2);
    for (let u = 0; u < U; u++) {
      for (let t = 0; t < T; t++) store<f32>(dst, u < length ? load<f32>(p) : 0), dst += 4, p += step;
    }
  }
}
