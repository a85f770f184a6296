// Functions of each number by itself: tanh (`which` 0), max(x, 0) (1), 1 / (1 + e^−x) (2).

import { FEATURE } from "./constants";
import { sigmoids, tanhs, zero } from "./simd";

const TANH = 0;
const RELU = 1;

/** `size` bytes in place. */
export function applyFunction(p: usize, size: usize, which: i32): void {
  if (which == TANH) tanhs(p, size);
  else if (which != RELU) sigmoids(p, size);
  else for (let i: usize = 0; i < size; i += 16) v128.store(p + i, f32x4.max(v128.load(p + i), zero()));
}

/** y and x (groups, F, 8), ldy and ldx apart; they may be the same. */
export function elementwiseForward(y: usize, x: usize, groups: i32, F: i32, ldy: i32, ldx: i32, which: i32): void {
  const size = <usize> F * FEATURE;
  for (let g = 0; g < groups; g++) {
    if (y != x) memory.copy(y, x, size);
    applyFunction(y, size, which);
    y += <usize> ldy << 2, x += <usize> ldx << 2;
  }
}

/** dx = dy ∘ f′, which all three know from their result y, or dx += … with `accumulate`; dx may be dy. */
export function elementwiseBackward(
  dx: usize, dy: usize, y: usize, groups: i32, F: i32, lddx: i32, lddy: i32, ldy: i32, which: i32, accumulate: i32,
): void {
  const one = f32x4.splat(1);
  for (let g = 0; g < groups; g++) {
    for (let i: usize = 0; i < <usize> F * FEATURE; i += 16) {
      const d = v128.load(dy + i), value = v128.load(y + i);
      let own: v128;
      // tanh′ = 1 − y²;  σ′ = y·(1 − y)
      if (which == TANH) own = f32x4.mul(d, f32x4.sub(one, f32x4.mul(value, value)));
      else if (which == RELU) own = v128.and(d, f32x4.gt(value, zero()));
      else own = f32x4.mul(d, f32x4.mul(value, f32x4.sub(one, value)));
      v128.store(dx + i, accumulate ? f32x4.add(v128.load(dx + i), own) : own);
    }
    dx += <usize> lddx << 2, dy += <usize> lddy << 2, y += <usize> ldy << 2;
  }
}
