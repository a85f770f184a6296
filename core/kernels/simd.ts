// SIMD helpers: fused multiply-add, and exp, tanh, sigmoid and log1p on four lanes.
//
// The functions are decorated with `@inline`, which `deno fmt` would delete: this folder is outside its scope.
// Constants are read from memory: V8 rebuilds a `v128.const` at every use in a loop, which costs more than a load.
// Errors stated here are the largest found by tests/device/simd_test.ts.

/** a·b + c: one rounding where the engine has relaxed SIMD, two in the plain build. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c − a·b, rounded as `madd`. */
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** What `madd` is: 0 in the plain build, else 1 where the engine and the processor fuse it, 2 where they do not. */
export function multiplyAdd(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  // (1 + 2⁻¹²)² needs 25 bits; what is left of it once it is rounded shows in a fused one alone.
  const a = load<f32>(ONE_AND_A_BIT), rounded = a * a, x = f32x4.splat(a);
  return f32x4.extract_lane(madd(x, x, f32x4.splat(-rounded)), 0) == 0 ? 2 : 1;
}

const ONE_AND_A_BIT: usize = memory.data<f32>([1.000244140625], 4);

@inline
export function zero(): v128 {
  return i32x4.splat(0);
}

const FIRST: usize = memory.data<i32>([-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0], 16);

/** Ones in the first n lanes: in all four if there are more, in none if n is not positive. */
@inline
export function firstLanes(n: i32): v128 {
  return v128.load(FIRST + (<usize> (8 - max(0, min(4, n))) << 2));
}

/** Sum of the four lanes, in the order (0 + 2) + (1 + 3). */
@inline
export function horizontalSum(x: v128): f32 {
  const pair = f32x4.add(x, i32x4.shuffle(x, x, 2, 3, 2, 3));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** 1 in each lane, read from memory. */
@inline
export function one(): v128 {
  return v128.load32_splat(EXP, 36);
}

/** x limited to [lo, hi]. The order of the arguments lets NaN through: NaN must reach the loss to be seen. */
@inline
function clamp(x: v128, lo: v128, hi: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, lo), hi);
}

// Each is spread over a vector as it is loaded: what V8 can pack into 256 bits, unlike a load of four the same.
// exp: e^r on |r| ≤ ln 2 / 2 as 1 + r + r²·p(r), p of degree 4 (relative error 3.1e-9), fitted by Lawson's iteration.
const EXP: usize = memory.data<f32>([
  1.4426950408889634,     //  0 log2 e
  12582912.0,             //  4 1.5·2²³: rounds to an integer
  0.693145751953125,      //  8 ln 2, upper bits
  1.42860682030941723e-6, // 12 lower bits
  0.001381455920636654,   // 16
  0.008368736132979393,   // 20
  0.04166838899254799,    // 24
  0.1666652113199234,     // 28
  0.4999999403953552,     // 32
  1.0,                    // 36
  -104.0,                 // 40 e^-104 rounds to 0
  89.0,                   // 44 e^89 rounds to ∞
  -87.3,                  // 48 for one scaling step
  88.3,                   // 52
], 4);
const EXP_BITS: usize = memory.data<i32>([
  0x4b400000, //  0 bits of 1.5·2²³
  127,        //  4 exponent bias
], 4);

/** x·log2 e rounded to an integer, still carrying the rounding constant in its upper bits. */
@inline
function exponent(x: v128): v128 {
  return madd(x, v128.load32_splat(EXP), v128.load32_splat(EXP, 4));
}

/** e^(x − n·ln 2), n being the integer in `shifted`. */
@inline
function expFraction(x: v128, shifted: v128): v128 {
  const n = f32x4.sub(shifted, v128.load32_splat(EXP, 4));
  const r = nmadd(n, v128.load32_splat(EXP, 12), nmadd(n, v128.load32_splat(EXP, 8), x));
  let p = madd(v128.load32_splat(EXP, 16), r, v128.load32_splat(EXP, 20));
  p = madd(p, r, v128.load32_splat(EXP, 24));
  p = madd(p, r, v128.load32_splat(EXP, 28));
  p = madd(p, r, v128.load32_splat(EXP, 32));
  return madd(f32x4.mul(r, r), p, f32x4.add(r, v128.load32_splat(EXP, 36)));
}

/** e^x over the whole range, subnormal results included: 2 units in the last place; 0 below −104, ∞ above 88.7. */
@inline
export function exp4(x: v128): v128 {
  x = clamp(x, v128.load32_splat(EXP, 40), v128.load32_splat(EXP, 44));
  const shifted = exponent(x);
  const p = expFraction(x, shifted);
  // 2^n in two factors, because n leaves the range of a normal exponent at both ends.
  const n = i32x4.sub(shifted, v128.load32_splat(EXP_BITS));
  const half = i32x4.shr_s(n, 1);
  const first = i32x4.shl(i32x4.add(half, v128.load32_splat(EXP_BITS, 4)), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(n, half), v128.load32_splat(EXP_BITS, 4)), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** e^x with x limited to [−87.3, 88.3], where one scaling step is enough: for sigmoid4. */
@inline
function expBounded4(x: v128): v128 {
  x = clamp(x, v128.load32_splat(EXP, 48), v128.load32_splat(EXP, 52));
  const shifted = exponent(x);
  const p = expFraction(x, shifted);
  // (shifted + 127) << 23: the bits of the rounding constant leave at the top.
  return f32x4.mul(p, i32x4.shl(i32x4.add(shifted, v128.load32_splat(EXP_BITS, 4)), 23));
}

/** 1 / (1 + e^−x): 4 units in the last place for x ≥ −87; below, where results turn subnormal, off by at most 5e-39. */
@inline
export function sigmoid4(x: v128): v128 {
  const one = v128.load32_splat(EXP, 36);
  return f32x4.div(one, f32x4.add(one, expBounded4(f32x4.neg(x))));
}

// tanh on |x| < 9.01 as x·p(x²)/q(x²), degrees 6 and 3 (relative error 6.6e-9), fitted by Lawson's iteration.
const TANH: usize = memory.data<f32>([
  9.01,                   //  0 from here on tanh rounds to 1
  1.0,                    //  4 also p0 and q0
  -8.488888980856882e-14, //  8 p6
  5.278019687970925e-11,  // 12 p5
  -2.0225375152449487e-8, // 16 p4
  1.115434497478418e-5,   // 20 p3
  0.003103959606960416,   // 24 p2
  0.13084013760089874,    // 28 p1
  0.00025461503537371755, // 32 q3
  0.024495191872119904,   // 36 q2
  0.46417340636253357,    // 40 q1
  -0.0,                   // 44 the sign bit
], 4);

/**
 * tanh x: 6 units in the last place; never beyond ±1, and exactly ±1 where it rounds to that: a saturated gate must pass
 * no gradient, or inputs of 10⁴ would make one out of rounding errors.
 */
@inline
export function tanh4(x: v128): v128 {
  const sign = v128.and(x, v128.load32_splat(TANH, 44)), a = v128.xor(x, sign), one = v128.load32_splat(TANH, 4);
  const z = f32x4.mul(a, a);
  let p = madd(v128.load32_splat(TANH, 8), z, v128.load32_splat(TANH, 12));
  let q = madd(v128.load32_splat(TANH, 32), z, v128.load32_splat(TANH, 36));
  p = madd(p, z, v128.load32_splat(TANH, 16));
  q = madd(q, z, v128.load32_splat(TANH, 40));
  p = madd(p, z, v128.load32_splat(TANH, 20));
  q = madd(q, z, one);
  p = madd(p, z, v128.load32_splat(TANH, 24));
  p = madd(p, z, v128.load32_splat(TANH, 28));
  p = madd(p, z, one);
  const y = f32x4.pmin(f32x4.div(f32x4.mul(a, p), q), one);
  return v128.or(v128.bitselect(one, y, f32x4.ge(a, v128.load32_splat(TANH))), sign);
}

// log(1 + e) = 2·atanh(s), s = e / (2 + e), as 2s·(1 + s²·p(s²)), p of degree 3 (relative error 4.5e-9).
const LOG1P: usize = memory.data<f32>([
  2.0,                 //  0
  0.1400613933801651,  //  4
  0.14000876247882843, //  8
  0.2001076489686966,  // 12
  0.3333320915699005,  // 16
], 4);

/** log(1 + e) for e in [0, 1]: 3 units in the last place. */
@inline
export function log1p4(e: v128): v128 {
  const s = f32x4.div(e, f32x4.add(e, v128.load32_splat(LOG1P)));
  const z = f32x4.mul(s, s);
  let p = madd(v128.load32_splat(LOG1P, 4), z, v128.load32_splat(LOG1P, 8));
  p = madd(p, z, v128.load32_splat(LOG1P, 12));
  p = madd(p, z, v128.load32_splat(LOG1P, 16));
  const twice = f32x4.add(s, s);
  return madd(f32x4.mul(twice, z), p, twice);
}

/** log x for normal x above 0: as log1p4 from 1 to 2; elsewhere off by 1e-7 of its value, or 1e-7 if that is more. */
@inline
export function log4(x: v128): v128 {
  const exponent = i32x4.sub(i32x4.shr_u(x, 23), v128.load32_splat(EXP_BITS, 4));
  const mantissa = i32x4.sub(x, i32x4.shl(exponent, 23));
  return madd(f32x4.convert_i32x4_s(exponent), f32x4.splat(0.6931472), log1p4(f32x4.sub(mantissa, f32x4.splat(1))));
}

/**
 * sigmoid4 of `size` bytes (a multiple of 16) in place. Four vectors go side by side: by itself, one waits 70 cycles for
 * its chain of multiply-adds and its division, and the processor does not look far enough ahead to find the next.
 */
@inline
export function sigmoidVectors(p: usize, size: usize): void {
  const end = p + size, one = v128.load32_splat(EXP, 36);
  for (; p + 64 <= end; p += 64) {
    let a = f32x4.neg(v128.load(p)), b = f32x4.neg(v128.load(p, 16)), c = f32x4.neg(v128.load(p, 32)), d = f32x4.neg(v128.load(p, 48));
    a = f32x4.pmin(f32x4.pmax(a, v128.load32_splat(EXP, 48)), v128.load32_splat(EXP, 52));
    b = f32x4.pmin(f32x4.pmax(b, v128.load32_splat(EXP, 48)), v128.load32_splat(EXP, 52));
    c = f32x4.pmin(f32x4.pmax(c, v128.load32_splat(EXP, 48)), v128.load32_splat(EXP, 52));
    d = f32x4.pmin(f32x4.pmax(d, v128.load32_splat(EXP, 48)), v128.load32_splat(EXP, 52));
    const as = exponent(a), bs = exponent(b), cs = exponent(c), ds = exponent(d);
    const an = f32x4.sub(as, v128.load32_splat(EXP, 4)), bn = f32x4.sub(bs, v128.load32_splat(EXP, 4)), cn = f32x4.sub(cs, v128.load32_splat(EXP, 4)), dn = f32x4.sub(ds, v128.load32_splat(EXP, 4));
    a = nmadd(an, v128.load32_splat(EXP, 8), a), b = nmadd(bn, v128.load32_splat(EXP, 8), b), c = nmadd(cn, v128.load32_splat(EXP, 8), c), d = nmadd(dn, v128.load32_splat(EXP, 8), d);
    a = nmadd(an, v128.load32_splat(EXP, 12), a), b = nmadd(bn, v128.load32_splat(EXP, 12), b), c = nmadd(cn, v128.load32_splat(EXP, 12), c), d = nmadd(dn, v128.load32_splat(EXP, 12), d);
    let ap = madd(v128.load32_splat(EXP, 16), a, v128.load32_splat(EXP, 20)), bp = madd(v128.load32_splat(EXP, 16), b, v128.load32_splat(EXP, 20)), cp = madd(v128.load32_splat(EXP, 16), c, v128.load32_splat(EXP, 20)), dp = madd(v128.load32_splat(EXP, 16), d, v128.load32_splat(EXP, 20));
    ap = madd(ap, a, v128.load32_splat(EXP, 24)), bp = madd(bp, b, v128.load32_splat(EXP, 24)), cp = madd(cp, c, v128.load32_splat(EXP, 24)), dp = madd(dp, d, v128.load32_splat(EXP, 24));
    ap = madd(ap, a, v128.load32_splat(EXP, 28)), bp = madd(bp, b, v128.load32_splat(EXP, 28)), cp = madd(cp, c, v128.load32_splat(EXP, 28)), dp = madd(dp, d, v128.load32_splat(EXP, 28));
    ap = madd(ap, a, v128.load32_splat(EXP, 32)), bp = madd(bp, b, v128.load32_splat(EXP, 32)), cp = madd(cp, c, v128.load32_splat(EXP, 32)), dp = madd(dp, d, v128.load32_splat(EXP, 32));
    ap = madd(f32x4.mul(a, a), ap, f32x4.add(a, v128.load32_splat(EXP, 36))), bp = madd(f32x4.mul(b, b), bp, f32x4.add(b, v128.load32_splat(EXP, 36))), cp = madd(f32x4.mul(c, c), cp, f32x4.add(c, v128.load32_splat(EXP, 36))), dp = madd(f32x4.mul(d, d), dp, f32x4.add(d, v128.load32_splat(EXP, 36)));
    ap = f32x4.mul(ap, i32x4.shl(i32x4.add(as, v128.load32_splat(EXP_BITS, 4)), 23)), bp = f32x4.mul(bp, i32x4.shl(i32x4.add(bs, v128.load32_splat(EXP_BITS, 4)), 23)), cp = f32x4.mul(cp, i32x4.shl(i32x4.add(cs, v128.load32_splat(EXP_BITS, 4)), 23)), dp = f32x4.mul(dp, i32x4.shl(i32x4.add(ds, v128.load32_splat(EXP_BITS, 4)), 23));
    ap = f32x4.div(one, f32x4.add(one, ap)), bp = f32x4.div(one, f32x4.add(one, bp)), cp = f32x4.div(one, f32x4.add(one, cp)), dp = f32x4.div(one, f32x4.add(one, dp));
    v128.store(p, ap), v128.store(p, bp, 16), v128.store(p, cp, 32), v128.store(p, dp, 48);
  }
  for (; p < end; p += 16) v128.store(p, sigmoid4(v128.load(p)));
}

/** tanh4 of `size` bytes (a multiple of 16) in place, four vectors side by side: see sigmoidVectors. */
@inline
export function tanhVectors(p: usize, size: usize): void {
  const end = p + size;
  for (; p + 64 <= end; p += 64) {
    let a = v128.load(p), b = v128.load(p, 16), c = v128.load(p, 32), d = v128.load(p, 48);
    const sign = v128.load32_splat(TANH, 44), one = v128.load32_splat(TANH, 4);
    const as = v128.and(a, sign), bs = v128.and(b, sign), cs = v128.and(c, sign), ds = v128.and(d, sign);
    a = v128.xor(a, as), b = v128.xor(b, bs), c = v128.xor(c, cs), d = v128.xor(d, ds);
    const az = f32x4.mul(a, a), bz = f32x4.mul(b, b), cz = f32x4.mul(c, c), dz = f32x4.mul(d, d);
    let ap = madd(v128.load32_splat(TANH, 8), az, v128.load32_splat(TANH, 12)), bp = madd(v128.load32_splat(TANH, 8), bz, v128.load32_splat(TANH, 12)), cp = madd(v128.load32_splat(TANH, 8), cz, v128.load32_splat(TANH, 12)), dp = madd(v128.load32_splat(TANH, 8), dz, v128.load32_splat(TANH, 12));
    ap = madd(ap, az, v128.load32_splat(TANH, 16)), bp = madd(bp, bz, v128.load32_splat(TANH, 16)), cp = madd(cp, cz, v128.load32_splat(TANH, 16)), dp = madd(dp, dz, v128.load32_splat(TANH, 16));
    ap = madd(ap, az, v128.load32_splat(TANH, 20)), bp = madd(bp, bz, v128.load32_splat(TANH, 20)), cp = madd(cp, cz, v128.load32_splat(TANH, 20)), dp = madd(dp, dz, v128.load32_splat(TANH, 20));
    ap = madd(ap, az, v128.load32_splat(TANH, 24)), bp = madd(bp, bz, v128.load32_splat(TANH, 24)), cp = madd(cp, cz, v128.load32_splat(TANH, 24)), dp = madd(dp, dz, v128.load32_splat(TANH, 24));
    ap = madd(ap, az, v128.load32_splat(TANH, 28)), bp = madd(bp, bz, v128.load32_splat(TANH, 28)), cp = madd(cp, cz, v128.load32_splat(TANH, 28)), dp = madd(dp, dz, v128.load32_splat(TANH, 28));
    ap = f32x4.mul(a, madd(ap, az, one)), bp = f32x4.mul(b, madd(bp, bz, one)), cp = f32x4.mul(c, madd(cp, cz, one)), dp = f32x4.mul(d, madd(dp, dz, one));
    let aq = madd(v128.load32_splat(TANH, 32), az, v128.load32_splat(TANH, 36)), bq = madd(v128.load32_splat(TANH, 32), bz, v128.load32_splat(TANH, 36)), cq = madd(v128.load32_splat(TANH, 32), cz, v128.load32_splat(TANH, 36)), dq = madd(v128.load32_splat(TANH, 32), dz, v128.load32_splat(TANH, 36));
    aq = madd(aq, az, v128.load32_splat(TANH, 40)), bq = madd(bq, bz, v128.load32_splat(TANH, 40)), cq = madd(cq, cz, v128.load32_splat(TANH, 40)), dq = madd(dq, dz, v128.load32_splat(TANH, 40));
    aq = madd(aq, az, one), bq = madd(bq, bz, one), cq = madd(cq, cz, one), dq = madd(dq, dz, one);
    ap = f32x4.pmin(f32x4.div(ap, aq), one), bp = f32x4.pmin(f32x4.div(bp, bq), one), cp = f32x4.pmin(f32x4.div(cp, cq), one), dp = f32x4.pmin(f32x4.div(dp, dq), one);
    ap = v128.or(v128.bitselect(one, ap, f32x4.ge(a, v128.load32_splat(TANH))), as), bp = v128.or(v128.bitselect(one, bp, f32x4.ge(b, v128.load32_splat(TANH))), bs), cp = v128.or(v128.bitselect(one, cp, f32x4.ge(c, v128.load32_splat(TANH))), cs), dp = v128.or(v128.bitselect(one, dp, f32x4.ge(d, v128.load32_splat(TANH))), ds);
    v128.store(p, ap), v128.store(p, bp, 16), v128.store(p, cp, 32), v128.store(p, dp, 48);
  }
  for (; p < end; p += 16) v128.store(p, tanh4(v128.load(p)));
}

/** What is above as calls: outside of innermost loops, one copy of each is enough, and the module stays small. */
export function exponential(x: v128): v128 {
  return exp4(x);
}
export function sigmoids(p: usize, size: usize): void {
  sigmoidVectors(p, size);
}
export function tanhs(p: usize, size: usize): void {
  tanhVectors(p, size);
}

/** y (n) = exp, tanh or sigmoid of x (n) for `which` 0, 1, 2; n rounded up to a multiple of 4. What the layers use, by itself. */
export function activation(y: usize, x: usize, n: i32, which: i32): void {
  for (let i: usize = 0; i < <usize> n << 2; i += 16) {
    v128.store(y + i, which == 0 ? exponential(v128.load(x + i)) : v128.load(x + i));
  }
  if (which == 1) tanhs(y, <usize> ((n + 3) & ~3) << 2);
  if (which == 2) sigmoids(y, <usize> ((n + 3) & ~3) << 2);
}
