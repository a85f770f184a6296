// Tokens to the rows of a table that stand for them, and back. What repeats in a batch adds up in an order that the host
// gives, so that any number of threads comes to the same bits.

import { FEATURE, groupsOf, LANE_BITS, LANES, wholeGroups } from "./constants";

/**
 * The rows of `table` (V, E) of tokens (rows, T), as (T, groups, E, 8). Steps at or after a sequence's length are 0.
 */
export function embeddingForward(
  dst: usize, table: usize, tokens: usize, lengths: usize, T: i32, rows: i32, E: i32, lddst: i32,
): void {
  const step = <usize> (groupsOf(rows) * lddst) << 2;
  for (let r = 0; r < wholeGroups(rows); r++) {
    const length = r < rows ? load<i32>(lengths + (<usize> r << 2)) : 0;
    let q = dst + (<usize> ((r >> LANE_BITS) * lddst + (r & LANES - 1)) << 2);
    for (let t = 0; t < T; t++) {
      const p = t < length ? table + (<usize> load<i32>(tokens + (<usize> (r * T + t) << 2)) * E << 2) : 0;
      for (let e: usize = 0; e < <usize> E; e++) store<f32>(q + e * FEATURE, p ? load<f32>(p + (e << 2)) : 0);
      q += step;
    }
  }
}

/**
 * dTable (V, E) += for each of `count` different tokens the rows of dx (positions, E) at its positions, those from starts[u]
 * to starts[u + 1] for the token number u; of every `step` tokens the one at `first`.
 */
export function embeddingBackward(
  dTable: usize, dx: usize, tokens: usize, starts: usize, positions: usize, first: i32, step: i32, count: i32, E: i32,
): void {
  const size = <usize> E << 2, whole = size & ~15;
  for (let u = first; u < count; u += step) {
    const row = dTable + <usize> load<i32>(tokens + (<usize> u << 2)) * size, end = load<i32>(starts + (<usize> u << 2), 4);
    for (let i = load<i32>(starts + (<usize> u << 2)); i < end; i++) {
      const p = dx + <usize> load<i32>(positions + (<usize> i << 2)) * size;
      let e: usize = 0;
      for (; e < whole; e += 16) v128.store(row + e, f32x4.add(v128.load(row + e), v128.load(p + e)));
      for (; e < size; e += 4) store<f32>(row + e, load<f32>(row + e) + load<f32>(p + e));
    }
  }
}
