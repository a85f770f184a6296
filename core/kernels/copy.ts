// Moving data between the user's layout (batch first, dense) and the kernels': groups of 8 rows, (F, 8) each, time first.
// `rows` counts the real rows; the lanes beyond them, up to the next multiple of 8, are filled with 0.

import { FEATURE, groupsOf, LANE_BITS, LANES, wholeGroups } from "./constants";

/** Dense rows of F numbers, `ldsrc` apart, into groups (F, 8) `lddst` apart; zeros where `src` is 0. */
export function rowsIn(dst: usize, src: usize, rows: i32, F: i32, lddst: i32, ldsrc: i32): void {
  for (let r0 = 0; r0 < rows; r0 += LANES) {
    const group = dst + (<usize> ((r0 >> LANE_BITS) * lddst) << 2);
    if (!src || rows - r0 < LANES) memory.fill(group, 0, <usize> F * FEATURE);
    if (!src) continue;
    for (let lane = 0; lane < min(LANES, rows - r0); lane++) {
      let p = src + (<usize> ((r0 + lane) * ldsrc) << 2), q = group + (<usize> lane << 2);
      for (let f = 0; f < F; f++) store<f32>(q, load<f32>(p)), p += 4, q += FEATURE;
    }
  }
}

/** Groups back into dense rows: the reverse of rowsIn. */
export function rowsOut(dst: usize, src: usize, rows: i32, F: i32, lddst: i32, ldsrc: i32): void {
  for (let r = 0; r < rows; r++) {
    let p = dst + (<usize> (r * lddst) << 2), q = src + (<usize> ((r >> LANE_BITS) * ldsrc + (r & LANES - 1)) << 2);
    for (let f = 0; f < F; f++) store<f32>(p, load<f32>(q)), p += 4, q += FEATURE;
  }
}

/**
 * Sequences (rows, T, F) to (T, groups, F, 8). Steps at or after a sequence's length become 0, so that nothing in the
 * padding, NaN included, can reach a sum.
 */
export function sequencesIn(dst: usize, src: usize, lengths: usize, T: i32, rows: i32, F: i32, lddst: i32): void {
  const step = <usize> (groupsOf(rows) * lddst) << 2;
  for (let r0 = 0; r0 < rows; r0 += LANES) {
    const group = dst + (<usize> ((r0 >> LANE_BITS) * lddst) << 2);
    for (let lane = 0; lane < LANES; lane++) {
      const r = r0 + lane, length = r < rows ? load<i32>(lengths + (<usize> r << 2)) : 0;
      let p = src + (<usize> (r * T * F) << 2), to = group + (<usize> lane << 2), t = 0;
      for (; t < length; t++) {
        let q = to;
        for (let f = 0; f < F; f++) store<f32>(q, load<f32>(p)), p += 4, q += FEATURE;
        to += step;
      }
      for (; t < T; t++) {
        let q = to;
        for (let f = 0; f < F; f++) store<f32>(q, 0), q += FEATURE;
        to += step;
      }
    }
  }
}

/** (T, groups, F, 8) to sequences (rows, T, F), 0 at or after a sequence's length: the reverse of sequencesIn. */
export function sequencesOut(dst: usize, src: usize, lengths: usize, T: i32, rows: i32, F: i32, ldsrc: i32): void {
  const step = <usize> (groupsOf(rows) * ldsrc) << 2;
  for (let r = 0; r < rows; r++) {
    const length = load<i32>(lengths + (<usize> r << 2));
    let group = src + (<usize> ((r >> LANE_BITS) * ldsrc + (r & LANES - 1)) << 2);
    for (let t = 0; t < T; t++) {
      let q = group;
      for (let f = 0; f < F; f++) store<f32>(dst, t < length ? load<f32>(q) : 0), dst += 4, q += FEATURE;
      group += step;
    }
  }
}

/**
 * For each step, the lanes that a sequence has not ended in: (T, groups, 8), all bits set or none; lanes beyond `rows`
 * have ended before they began.
 */
export function activeLanes(mask: usize, lengths: usize, T: i32, rows: i32): void {
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < wholeGroups(rows); r++) {
      store<i32>(mask, r < rows && t < load<i32>(lengths + (<usize> r << 2)) ? -1 : 0);
      mask += 4;
    }
  }
}

/** Steps of the longest row along two axes: this instance's alone, as its task's rows are. */
let longest: i32 = 0, longestOther: i32 = 0;

/** Takes note of the longest row along an axis, for the numbers of the calls that follow in this task. */
export function measureSteps(lengths: usize, rows: i32, axis: i32): void {
  let most = 0;
  for (let r = 0; r < rows; r++) most = max(most, load<i32>(lengths + (<usize> r << 2)));
  if (axis) longestOther = most;
  else longest = most;
}

/**
 * A number of a call that follows the steps measured, from its word: bit 30 is the axis, bit 29 says that it counts one step
 * alone, 13 bits which is its first, 16 what each counts.
 */
export function liveSteps(word: i32): i32 {
  let steps = (word & 1 << 30 ? longestOther : longest) - (word >> 16 & 0x1fff);
  if (word & 1 << 29) steps = min(1, steps);
  return max(0, steps) * (word & 0xffff);
}

/** Classes (rows, T) of 32 bits to (T, groups, 8): 0 at or after a sequence's length, and in lanes beyond `rows`. */
export function classesIn(dst: usize, src: usize, lengths: usize, T: i32, rows: i32): void {
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < wholeGroups(rows); r++) {
      const valid = r < rows && t < load<i32>(lengths + (<usize> r << 2));
      store<i32>(dst, valid ? load<i32>(src + (<usize> (r * T + t) << 2)) : 0);
      dst += 4;
    }
  }
}

/** x (groups, F, 8), ldx apart: the features of lanes that are off in mask (groups, 8) become 0, NaN included. */
export function maskLanes(x: usize, mask: usize, groups: i32, F: i32, ldx: i32): void {
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < <usize> F * FEATURE; i += 16) {
      v128.store(x + i, v128.and(v128.load(x + i), v128.load(mask + (i & 16))));
    }
    x += <usize> ldx << 2, mask += FEATURE;
  }
}

/** dst (groups, F, 8) = src, or += src. */
export function copyGroups(dst: usize, src: usize, groups: i32, F: i32, lddst: i32, ldsrc: i32, accumulate: i32): void {
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < <usize> F * FEATURE; i += 16) {
      const x = v128.load(src + i);
      v128.store(dst + i, accumulate ? f32x4.add(v128.load(dst + i), x) : x);
    }
    dst += <usize> lddst << 2, src += <usize> ldsrc << 2;
  }
}

/** n numbers set to 0. */
export function clear(dst: usize, n: i32): void {
  memory.fill(dst, 0, <usize> n << 2);
}

/** n numbers to another place. */
export function copyVector(dst: usize, src: usize, n: i32): void {
  memory.copy(dst, src, <usize> n << 2);
}
