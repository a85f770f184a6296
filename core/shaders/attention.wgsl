// Additive attention with the final state as the query: core/kernels/attention.ts. Each kernel is several passes, because
// the steps' scores meet in the softmax.

/** From scores to weights and the context: what both kernels have of it. */
struct Weighing {
  context: u32,
  weights: u32,
  encoded: u32,
  mask: u32,
  T: u32,
  groups: u32,
  D: u32,
  ldc: u32,
  lde: u32,
}

/** A workgroup for each group of each step: hidden = tanh(hidden + query), and the score. */
@compute @workgroup_size(256)
fn attentionScores(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_attentionForward;
  for (var tg = id.x; tg < a.T * a.groups; tg += count.x) {
    let hidden = a.hidden + tg * a.lda;
    let query = a.query + tg % a.groups * a.ldq;
    var sum = 0.0;
    for (var e = i; e < a.A * LANES; e += WIDTH) {
      let x = tanh4(vec4f(arena[hidden + e] + arena[query + e])).x;
      arena[hidden + e] = x;
      sum = fma(arena[a.v + e / LANES], x, sum);
    }
    sum = sumOver(i, LANES, sum);
    if (i < LANES) {
      arena[a.weights + tg * LANES + i] = sum;
    }
  }
}

/** The softmax over the steps of group `g`, by a workgroup; steps past a sequence's length get exactly 0. */
fn softmaxOverTime(a: Weighing, g: u32, i: u32) {
  let step = a.groups * LANES;
  let offset = g * LANES + i % LANES;
  let apart = WIDTH / LANES;
  var largest = -3.4028234e38;
  for (var t = i / LANES; t < a.T; t += apart) {
    if (arena[a.mask + t * step + offset] > 0.0) {
      largest = max(largest, arena[a.weights + t * step + offset]);
    }
  }
  parts[i] = largest;
  for (var half = WIDTH / 2u; half >= LANES; half /= 2u) {
    workgroupBarrier();
    if (i < half) {
      parts[i] = max(parts[i], parts[i + half]);
    }
  }
  workgroupBarrier();
  largest = parts[i % LANES];
  workgroupBarrier();
  var sum = 0.0;
  for (var t = i / LANES; t < a.T; t += apart) {
    let p = t * step + offset;
    var e = 0.0;
    if (arena[a.mask + p] > 0.0) {
      e = exp1(arena[a.weights + p] - largest);
    }
    arena[a.weights + p] = e;
    sum += e;
  }
  sum = sumOver(i, LANES, sum);
  // A lane without a sequence has sum 0 and weights 0: any finite factor leaves them so.
  let factor = 1.0 / select(sum, 1.0, sum == 0.0);
  for (var t = i / LANES; t < a.T; t += apart) {
    arena[a.weights + t * step + offset] *= factor;
  }
}

/** Number after number of the context, from `first` on. */
fn weigh(a: Weighing, first: u32, apart: u32) {
  let size = a.D * LANES;
  for (var i = first; i < a.groups * size; i += apart) {
    let g = i / size;
    let e = i % size;
    var sum = 0.0;
    for (var t = 0u; t < a.T; t++) {
      let tg = t * a.groups + g;
      sum = fma(arena[a.weights + tg * LANES + e % LANES], arena[a.encoded + tg * a.lde + e], sum);
    }
    arena[a.context + g * a.ldc + e] = sum;
  }
}

@compute @workgroup_size(256)
fn attentionSoftmax(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionForward;
  softmaxOverTime(Weighing(a.context, a.weights, a.encoded, a.mask, a.T, a.groups, a.D, a.ldc, a.lde), id.x, i);
}

@compute @workgroup_size(256)
fn attentionContext(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_attentionForward;
  weigh(Weighing(a.context, a.weights, a.encoded, a.mask, a.T, a.groups, a.D, a.ldc, a.lde), id.x, WIDTH * count.x);
}

/** A workgroup for each group of each step: the score; the keys stay as they are. */
@compute @workgroup_size(256)
fn attentionAskScores(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_attentionAsk;
  for (var tg = id.x; tg < a.T * a.groups; tg += count.x) {
    let keys = a.keys + tg * a.lda;
    let query = a.query + tg % a.groups * a.ldq;
    var sum = 0.0;
    for (var e = i; e < a.A * LANES; e += WIDTH) {
      sum = fma(arena[a.v + e / LANES], tanh4(vec4f(arena[keys + e] + arena[query + e])).x, sum);
    }
    sum = sumOver(i, LANES, sum);
    if (i < LANES) {
      arena[a.weights + tg * LANES + i] = sum;
    }
  }
}

@compute @workgroup_size(256)
fn attentionAskSoftmax(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionAsk;
  softmaxOverTime(Weighing(a.context, a.weights, a.encoded, a.mask, a.T, a.groups, a.D, a.ldc, a.lde), id.x, i);
}

@compute @workgroup_size(256)
fn attentionAskContext(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_attentionAsk;
  weigh(Weighing(a.context, a.weights, a.encoded, a.mask, a.T, a.groups, a.D, a.ldc, a.lde), id.x, WIDTH * count.x);
}

/** A workgroup for each group of each step: the weighted sum's part of dEncoded, and the gradient of the weight. */
@compute @workgroup_size(256)
fn attentionBackwardWeights(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_attentionBackward;
  for (var tg = id.x; tg < a.T * a.groups; tg += count.x) {
    let dContext = a.dContext + tg % a.groups * a.ldc;
    let weight = arena[a.weights + tg * LANES + i % LANES];
    var dot = 0.0;
    for (var e = i; e < a.D * LANES; e += WIDTH) {
      let x = arena[dContext + e];
      dot = fma(x, arena[a.encoded + tg * a.lde + e], dot);
      arena[a.dEncoded + tg * a.ldde + e] = weight * x;
    }
    dot = sumOver(i, LANES, dot);
    if (i < LANES) {
      arena[a.dScores + tg * LANES + i] = dot;
    }
  }
}

/** The softmax of group `g` backwards, by a workgroup: dscore = w ∘ (dw − Σ w·dw). */
fn softmaxBackward(weights: u32, dScores: u32, T: u32, groups: u32, g: u32, i: u32) {
  let step = groups * LANES;
  let offset = g * LANES + i % LANES;
  var mean = 0.0;
  for (var t = i / LANES; t < T; t += WIDTH / LANES) {
    mean = fma(arena[weights + t * step + offset], arena[dScores + t * step + offset], mean);
  }
  mean = sumOver(i, LANES, mean);
  for (var t = i / LANES; t < T; t += WIDTH / LANES) {
    let p = dScores + t * step + offset;
    arena[p] = arena[weights + t * step + offset] * (arena[p] - mean);
  }
}

@compute @workgroup_size(256)
fn attentionBackwardSoftmax(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionBackward;
  softmaxBackward(a.weights, a.dScores, a.T, a.groups, id.x, i);
}

/** A workgroup for every 4 features: dv, while hidden still is what v was multiplied with. */
@compute @workgroup_size(256)
fn attentionBackwardV(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionBackward;
  let e = id.x * 4u + i % 4u;
  let lane = i / 4u % LANES;
  var sum = 0.0;
  if (e < a.A) {
    for (var tg = i / 32u; tg < a.T * a.groups; tg += 8u) {
      sum = fma(arena[a.dScores + tg * LANES + lane], arena[a.hidden + tg * a.lda + e * LANES + lane], sum);
    }
  }
  sum = sumOver(i, 4u, sum);
  if (i < 4u && e < a.A) {
    arena[a.dv + e] = sum;
  }
}

/** An invocation for each number of dQuery: hidden becomes its gradient before tanh, dQuery the sum over time. */
@compute @workgroup_size(256)
fn attentionBackwardHidden(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_attentionBackward;
  let size = a.A * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let g = i / size;
    let e = i % size;
    let v = arena[a.v + e / LANES];
    var sum = 0.0;
    for (var t = 0u; t < a.T; t++) {
      let tg = t * a.groups + g;
      let p = a.hidden + tg * a.lda + e;
      let x = arena[p];
      let dx = arena[a.dScores + tg * LANES + e % LANES] * v * (1.0 - x * x);
      arena[p] = dx;
      sum += dx;
    }
    arena[a.dQuery + g * a.ldq + e] = sum;
  }
}

/** attentionBackwardWeights where dEncoded is added to. */
@compute @workgroup_size(256)
fn attentionAskBackwardWeights(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_attentionAskBackward;
  for (var tg = id.x; tg < a.T * a.groups; tg += count.x) {
    let dContext = a.dContext + tg % a.groups * a.ldc;
    let weight = arena[a.weights + tg * LANES + i % LANES];
    var dot = 0.0;
    for (var e = i; e < a.D * LANES; e += WIDTH) {
      let x = arena[dContext + e];
      dot = fma(x, arena[a.encoded + tg * a.lde + e], dot);
      arena[a.dEncoded + tg * a.ldde + e] = fma(weight, x, arena[a.dEncoded + tg * a.ldde + e]);
    }
    dot = sumOver(i, LANES, dot);
    if (i < LANES) {
      arena[a.dScores + tg * LANES + i] = dot;
    }
  }
}

@compute @workgroup_size(256)
fn attentionAskBackwardSoftmax(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionAskBackward;
  softmaxBackward(a.weights, a.dScores, a.T, a.groups, id.x, i);
}

/** An invocation for each lane of each feature of v. */
@compute @workgroup_size(256)
fn attentionAskBackwardV(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_attentionAskBackward;
  for (var e = id.x; e < a.A * LANES; e += WIDTH * count.x) {
    var sum = arena[a.dvLanes + e];
    for (var tg = 0u; tg < a.T * a.groups; tg++) {
      let x = tanh4(vec4f(arena[a.keys + tg * a.lda + e] + arena[a.query + tg % a.groups * a.ldq + e])).x;
      sum = fma(arena[a.dScores + tg * LANES + e % LANES], x, sum);
    }
    arena[a.dvLanes + e] = sum;
  }
}

/** An invocation for each number of dQuery: dKeys is added to, dQuery the sum over time. */
@compute @workgroup_size(256)
fn attentionAskBackwardKeys(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_attentionAskBackward;
  let size = a.A * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let g = i / size;
    let e = i % size;
    let v = arena[a.v + e / LANES];
    let query = arena[a.query + g * a.ldq + e];
    var sum = 0.0;
    for (var t = 0u; t < a.T; t++) {
      let tg = t * a.groups + g;
      let p = tg * a.lda + e;
      let x = tanh4(vec4f(arena[a.keys + p] + query)).x;
      let dx = arena[a.dScores + tg * LANES + e % LANES] * v * (1.0 - x * x);
      arena[a.dKeys + p] += dx;
      sum += dx;
    }
    arena[a.dQuery + g * a.ldq + e] = sum;
  }
}
