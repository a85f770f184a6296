// Moving data between the user's layout (batch first, dense) and the kernels' (time first, rows padded to 4).


/** One row of `width` elements to `dst`, the rest up to the next multiple of 4 set to 0. `dst` is padded, `src` need not be. */
@inline
export function copyPadded(dst: usize, src: usize, width: i32): void {
  for (; width >= 4; width -= 4) {
    v128.store(dst, v128.load(src));
    dst += 16, src += 16;
  }
  if (width > 0) {
    let i = 0;
    for (; i < width; i++) store<f32>(dst + (<usize> i << 2), load<f32>(src + (<usize> i << 2)));
    for (; i < 4; i++) store<f32>(dst + (<usize> i << 2), 0);
  }
}

/** One row of `width` elements, nothing written beyond. */
@inline
export function copyExact(dst: usize, src: usize, width: i32): void {
  memory.copy(dst, src, <usize> width << 2);
}

/** Dense rows of H elements, `ldsrc` apart, into padded rows; zeros where `src` is 0. */
export function rowsIn(dst: usize, src: usize, rows: i32, H: i32, lddst: i32, ldsrc: i32): void {
  const padded = <usize> ((H + 3) & ~3) << 2;
  for (let r = 0; r < rows; r++) {
    if (src) {
      copyPadded(dst, src, H);
      src += <usize> ldsrc << 2;
    } else memory.fill(dst, 0, padded);
    dst += <usize> lddst << 2;
  }
}

/** Padded rows into dense rows of H elements, `lddst` apart: the reverse of rowsIn. */
export function rowsOut(dst: usize, src: usize, rows: i32, H: i32, lddst: i32, ldsrc: i32): void {
  for (let r = 0; r < rows; r++) {
    copyExact(dst, src, H);
    dst += <usize> lddst << 2, src += <usize> ldsrc << 2;
  }
}

/** dst (rows, width) = src, or += src; both padded, width a multiple of 4. */
export function copyRows(dst: usize, src: usize, rows: i32, width: i32, lddst: i32, ldsrc: i32, accumulate: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let i: usize = 0; i < <usize> width << 2; i += 16) {
      const x = v128.load(src + i);
      v128.store(dst + i, accumulate ? f32x4.add(v128.load(dst + i), x) : x);
    }
    dst += <usize> lddst << 2, src += <usize> ldsrc << 2;
  }
}

/**
 * Sequences (R, T, I) to time-major padded rows (T, R, ldx). Steps at or after a sequence's length become 0, so that
 * nothing in the padding, NaN included, can reach a sum.
 */
export function sequencesIn(xt: usize, x: usize, lengths: usize, T: i32, R: i32, I: i32, ldx: i32): void {
  const step = <usize> ldx << 2, padded = <usize> ((I + 3) & ~3) << 2;
  for (let r = 0; r < R; r++) {
    const length = load<i32>(lengths + (<usize> r << 2));
    let dst = xt + <usize> r * step;
    for (let t = 0; t < T; t++) {
      if (t < length) copyPadded(dst, x, I);
      else memory.fill(dst, 0, padded);
      dst += <usize> R * step, x += <usize> I << 2;
    }
  }
}

/**
 * Time-major padded rows (T, R, ldx) of `parts` pieces of I elements, each padded, to dense sequences (R, T, parts·I);
 * 0 at or after a sequence's length. The reverse of sequencesIn.
 */
export function sequencesOut(x: usize, xt: usize, lengths: usize, T: i32, R: i32, I: i32, parts: i32, ldx: i32): void {
  const step = <usize> ldx << 2, piece = <usize> I << 2, padded = <usize> ((I + 3) & ~3) << 2;
  for (let r = 0; r < R; r++) {
    const length = load<i32>(lengths + (<usize> r << 2));
    let src = xt + <usize> r * step;
    for (let t = 0; t < T; t++) {
      for (let p = 0; p < parts; p++) {
        if (t < length) copyExact(x, src + <usize> p * padded, I);
        else memory.fill(x, 0, piece);
        x += piece;
      }
      src += <usize> R * step;
    }
  }
}

/** n numbers set to 0. */
export function clear(dst: usize, n: i32): void {
  memory.fill(dst, 0, <usize> n << 2);
}
