// Layer normalization: core/kernels/layer_norm.ts.

/** A workgroup for each group. */
@compute @workgroup_size(256)
fn layerNormForward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_layerNormForward;
  let size = a.F * LANES;
  for (var g = id.x; g < a.groups; g += count.x) {
    let x = a.x + g * a.ldx;
    var sum = 0.0;
    for (var e = i; e < size; e += WIDTH) {
      sum += arena[x + e];
    }
    let mean = sumOver(i, LANES, sum) / f32(a.F);
    var squares = 0.0;
    for (var e = i; e < size; e += WIDTH) {
      let d = arena[x + e] - mean;
      squares = fma(d, d, squares);
    }
    let factor = 1.0 / sqrt(sumOver(i, LANES, squares) / f32(a.F) + a.eps);
    if (i < LANES) {
      arena[a.stats + g * 2u * LANES + i] = mean;
      arena[a.stats + (g * 2u + 1u) * LANES + i] = factor;
    }
    for (var e = i; e < size; e += WIDTH) {
      var y = (arena[x + e] - mean) * factor;
      if (a.gamma != NONE) {
        y *= arena[a.gamma + e / LANES];
      }
      if (a.beta != NONE) {
        y += arena[a.beta + e / LANES];
      }
      arena[a.y + g * a.ldy + e] = y;
    }
  }
}

/** A workgroup for every 4 features: dGamma and dBeta, while dy still is what it was. */
@compute @workgroup_size(256)
fn layerNormBackwardParameters(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_layerNormBackward;
  let f = id.x * 4u + i % 4u;
  let lane = i / 4u % LANES;
  var along = 0.0;
  var sum = 0.0;
  if (f < a.F) {
    for (var g = i / 32u; g < a.groups; g += 8u) {
      let stats = a.stats + g * 2u * LANES + lane;
      let d = arena[a.dy + g * a.lddy + f * LANES + lane];
      along = fma(d, (arena[a.x + g * a.ldx + f * LANES + lane] - arena[stats]) * arena[stats + LANES], along);
      sum += d;
    }
  }
  along = sumOver(i, 4u, along);
  sum = sumOver(i, 4u, sum);
  if (i < 4u && f < a.F) {
    if (a.dGamma != NONE) {
      arena[a.dGamma + f] = along;
    }
    if (a.dBeta != NONE) {
      arena[a.dBeta + f] = sum;
    }
  }
}

/** A workgroup for each group. */
@compute @workgroup_size(256)
fn layerNormBackward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_layerNormBackward;
  for (var g = id.x; g < a.groups; g += count.x) {
    let stats = a.stats + g * 2u * LANES + i % LANES;
    let mean = arena[stats];
    let factor = arena[stats + LANES];
    var sum = 0.0;
    var along = 0.0;
    for (var e = i; e < a.F * LANES; e += WIDTH) {
      let d = scaledGradient(g, e);
      sum += d;
      along = fma(d, (arena[a.x + g * a.ldx + e] - mean) * factor, along);
    }
    sum = sumOver(i, LANES, sum) / f32(a.F);
    along = sumOver(i, LANES, along) / f32(a.F);
    for (var e = i; e < a.F * LANES; e += WIDTH) {
      let n = (arena[a.x + g * a.ldx + e] - mean) * factor;
      var d = factor * (scaledGradient(g, e) - sum - n * along);
      let p = a.dx + g * a.lddx + e;
      if (a.accumulate != 0u) {
        d += arena[p];
      }
      arena[p] = d;
    }
  }
}

/** gamma ∘ dy, element e of a group. */
fn scaledGradient(g: u32, e: u32) -> f32 {
  let a = args_layerNormBackward;
  let d = arena[a.dy + g * a.lddy + e];
  if (a.gamma == NONE) {
    return d;
  }
  return d * arena[a.gamma + e / LANES];
}
