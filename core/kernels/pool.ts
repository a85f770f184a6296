// A sequence's steps to one row: the last of them (`which` 0), their mean (1) or, feature by feature, the largest (2).
// Time first, then groups of 8 rows: x (T, groups, F, 8). Only the steps that are active in `mask` (T, groups, 8) count; a
// lane that has none gets 0.

import { FEATURE } from "./constants";
import { zero } from "./simd";

const LAST = 0;
const MEAN = 1;

/**
 * y (groups, F, 8), and what the way back needs: index (groups, F, 8) is the step that y comes from, the first of equals as
 * in torch.max, or −1 if there is none; of a mean, the number of steps.
 */
export function poolForward(
  y: usize, index: usize, x: usize, mask: usize, T: i32, groups: i32, F: i32, ldy: i32, ldx: i32, which: i32,
): void {
  const size = <usize> F * FEATURE, step = <usize> (groups * ldx) << 2, one = f32x4.splat(1);
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < size; i += 16) {
      let best = zero(), from = which == MEAN ? zero() : f32x4.splat(-1);
      let p = x + i, active = mask + (i & 16);
      for (let t = 0; t < T; t++) {
        const value = v128.load(p), on = v128.load(active);
        if (which == MEAN) {
          best = f32x4.add(best, v128.and(value, on)), from = f32x4.add(from, v128.and(one, on));
        } else {
          let better = on;
          if (which != LAST) {
            // NaN is larger than anything and stays, and the first step is better than none.
            const larger = v128.andnot(v128.not(f32x4.le(value, best)), f32x4.ne(best, best));
            better = v128.and(on, v128.or(larger, f32x4.lt(from, zero())));
          }
          best = v128.bitselect(value, best, better), from = v128.bitselect(f32x4.splat(<f32> t), from, better);
        }
        p += step, active += <usize> groups * FEATURE;
      }
      if (which == MEAN) best = f32x4.div(best, f32x4.max(from, one));
      v128.store(y + i, best), v128.store(index + i, from);
    }
    y += <usize> ldy << 2, x += <usize> ldx << 2, index += size, mask += FEATURE;
  }
}

/** dx (T, groups, F, 8) of every step from dy (groups, F, 8): 0 where a step had no part; with `accumulate`, dx += …. */
export function poolBackward(
  dx: usize, dy: usize, index: usize, mask: usize,
  T: i32, groups: i32, F: i32, lddx: i32, lddy: i32, which: i32, accumulate: i32,
): void {
  const size = <usize> F * FEATURE;
  for (let t = 0; t < T; t++) {
    const now = f32x4.splat(<f32> t);
    for (let g: usize = 0; g < <usize> groups; g++) {
      const d = dy + g * (<usize> lddy << 2), from = index + g * size;
      for (let i: usize = 0; i < size; i += 16) {
        const kept = v128.load(from + i), share = which == MEAN ? f32x4.div(v128.load(d + i), kept) : v128.load(d + i);
        const value = v128.and(share, which == MEAN ? v128.load(mask + (i & 16)) : f32x4.eq(kept, now));
        v128.store(dx + i, accumulate ? f32x4.add(v128.load(dx + i), value) : value);
      }
      dx += <usize> lddx << 2, mask += FEATURE;
    }
  }
}
