// Dropout with counter-based random numbers, the same as on the CPU: core/kernels/dropout.ts.

/** High 32 bits of a product, from products of 16-bit halves. */
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let middle = ah * bl + ((al * bl) >> 16u);
  let cross = al * bh + (middle & 0xffffu);
  return ah * bh + (middle >> 16u) + (cross >> 16u);
}

/** Philox4x32-10. */
fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let low0 = 0xd2511f53u * c.x;
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    let low1 = 0xcd9e8d57u * c.z;
    c = vec4u(high1 ^ c.y ^ k.x, low1, high0 ^ c.w ^ k.y, low0);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

/** An invocation for each counter: four features of a row. */
@compute @workgroup_size(256)
fn dropoutMask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_dropoutMask;
  let key = vec2u(loadWhole(a.control + CONTROL_SEED_LOW), loadWhole(a.control + CONTROL_SEED_HIGH));
  let step = loadWhole(a.control + CONTROL_STEP);
  let threshold = u32(a.p * 4294967296.0);
  let blocks = (a.F + 3u) / 4u;
  for (var i = id.x; i < a.T * a.groups * blocks * LANES; i += WIDTH * count.x) {
    let lane = i % LANES;
    let block = i / LANES % blocks;
    let tg = i / LANES / blocks;
    let row = a.row0 + loadWhole(a.control + CONTROL_ROWS_BEFORE) + tg % a.groups * LANES + lane;
    let words = philox(vec4u((row * a.T + tg / a.groups) * blocks + block, a.stream, step, 0u), key);
    for (var w = 0u; w < min(4u, a.F - 4u * block); w++) {
      arena[a.mask + tg * a.ldm + (4u * block + w) * LANES + lane] = select(0.0, a.keep, words[w] >= threshold);
    }
  }
}

@compute @workgroup_size(256)
fn dropoutApply(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_dropoutApply;
  let size = a.F * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let g = i / size;
    let e = i % size;
    arena[a.y + g * a.ldy + e] = arena[a.x + g * a.ldx + e] * arena[a.mask + g * a.ldm + e];
  }
}

@compute @workgroup_size(256)
fn dropoutAccumulate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_dropoutAccumulate;
  let size = a.F * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let g = i / size;
    let e = i % size;
    let y = a.y + g * a.ldy + e;
    arena[y] = fma(arena[a.x + g * a.ldx + e], arena[a.mask + g * a.ldm + e], arena[y]);
  }
}
