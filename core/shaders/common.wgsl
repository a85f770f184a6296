// What all shaders share. Before it, core/device/shaders.ts declares the arguments of each kernel from the kernel table:
// `args_NAME`, tensors as offsets in the arena; and LANES, the rows side by side in a group, and CONTROL_NAME, the places in
// the control tensor.
//
// The layouts, formulas and sources of each kernel stand over the kernel of the same name in core/kernels/. The functions
// here are those of core/kernels/simd.ts: the built-in ones may be off by more than the fixtures allow. WGSL lets a compiler
// assume that there is no NaN, so that it is looked for in the bits: NaN must reach the loss to be seen.

/** All memory: parameters, activations, scratch. Whole numbers stand in it as their bits. */
@group(0) @binding(0) var<storage, read_write> arena: array<f32>;

/** Which run of several of a shader this is. */
@group(0) @binding(2) var<uniform> repetition: u32;

/** The offset of a tensor that is null. */
const NONE = 0xffffffffu;

/** Invocations of a workgroup. */
const WIDTH = 256u;

/** Groups that hold so many rows. */
fn groupsOf(rows: u32) -> u32 {
  return (rows + LANES - 1u) / LANES;
}

fn isNan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

/** Four lanes from an offset on. */
fn load4(p: u32) -> vec4f {
  return vec4f(arena[p], arena[p + 1u], arena[p + 2u], arena[p + 3u]);
}

fn store4(p: u32, x: vec4f) {
  arena[p] = x.x;
  arena[p + 1u] = x.y;
  arena[p + 2u] = x.z;
  arena[p + 3u] = x.w;
}

fn loadWhole(p: u32) -> u32 {
  return bitcast<u32>(arena[p]);
}

/** e^x. */
fn exp4(given: vec4f) -> vec4f {
  let x = clamp(given, vec4f(-104.0), vec4f(89.0));
  let n = round(x * 1.4426950408889634);
  let r = fma(n, vec4f(-1.42860682030941723e-6), fma(n, vec4f(-0.693145751953125), x));
  var p = fma(vec4f(0.001381455920636654), r, vec4f(0.008368736132979393));
  p = fma(p, r, vec4f(0.04166838899254799));
  p = fma(p, r, vec4f(0.1666652113199234));
  p = fma(p, r, vec4f(0.4999999403953552));
  p = fma(r * r, p, r + 1.0);
  // 2^n in two factors, because n leaves the range of a normal exponent at both ends.
  let whole = vec4i(n);
  let half = whole >> vec4u(1u);
  let first = bitcast<vec4f>((half + 127) << vec4u(23u));
  let second = bitcast<vec4f>((whole - half + 127) << vec4u(23u));
  return select(p * first * second, given, isNan(given));
}

/** 1 / (1 + e^−x). */
fn sigmoid4(x: vec4f) -> vec4f {
  // Bounded where the result is 0 or 1 anyway: 1 / ∞ is not certain to be 0.
  let y = 1.0 / (1.0 + exp4(clamp(-x, vec4f(-87.3), vec4f(88.3))));
  return select(y, x, isNan(x));
}

/** tanh x, exactly ±1 where it rounds to that: a saturated gate must pass no gradient. */
fn tanh4(x: vec4f) -> vec4f {
  let a = min(abs(x), vec4f(9.01));
  let z = a * a;
  var p = fma(vec4f(-8.488888980856882e-14), z, vec4f(5.278019687970925e-11));
  p = fma(p, z, vec4f(-2.0225375152449487e-8));
  p = fma(p, z, vec4f(1.115434497478418e-5));
  p = fma(p, z, vec4f(0.003103959606960416));
  p = fma(p, z, vec4f(0.13084013760089874));
  p = fma(p, z, vec4f(1.0));
  var q = fma(vec4f(0.00025461503537371755), z, vec4f(0.024495191872119904));
  q = fma(q, z, vec4f(0.46417340636253357));
  q = fma(q, z, vec4f(1.0));
  let y = select(min(a * p / q, vec4f(1.0)), vec4f(1.0), a >= vec4f(9.01));
  return select(select(y, -y, x < vec4f(0.0)), x, isNan(x));
}

/** log(1 + e) for e in [0, 1]. */
fn log1p4(e: vec4f) -> vec4f {
  let s = e / (e + 2.0);
  let z = s * s;
  var p = fma(vec4f(0.1400613933801651), z, vec4f(0.14000876247882843));
  p = fma(p, z, vec4f(0.2001076489686966));
  p = fma(p, z, vec4f(0.3333320915699005));
  return fma(2.0 * s * z, p, 2.0 * s);
}

/** log x for normal x above 0: to some units in the last place from 1 on; below, off by 1e-7 of its value, or 1e-7. */
fn logOf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let mantissa = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
  let y = fma(f32(bits >> 23u) - 127.0, 0.6931471805599453, log1p4(vec4f(mantissa - 1.0)).x);
  return select(y, x, bits >= 0x7f800000u);
}

fn exp1(x: f32) -> f32 {
  return exp4(vec4f(x)).x;
}

var<workgroup> parts: array<f32, 256>;

/** The sum of x over the invocations of a workgroup that agree in their lowest bits: those whose numbers differ by a
 *  multiple of `apart`, a power of two. In a tree, so that roundings do not pile up. */
fn sumOver(i: u32, apart: u32, x: f32) -> f32 {
  parts[i] = x;
  for (var half = WIDTH / 2u; half >= apart; half /= 2u) {
    workgroupBarrier();
    if (i < half) {
      parts[i] += parts[i + half];
    }
  }
  workgroupBarrier();
  let sum = parts[i % apart];
  workgroupBarrier();
  return sum;
}
