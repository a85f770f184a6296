// Additive attention with the final state as the query: core/kernels/attention.ts. Each kernel is several passes, because
// the steps' scores meet in the softmax.

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

/** A workgroup for each group: the softmax over the steps; steps past a sequence's length get exactly 0. */
@compute @workgroup_size(256)
fn attentionSoftmax(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionForward;
  let step = a.groups * LANES;
  let offset = id.x * LANES + i % LANES;
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

/** An invocation for each number of the context. */
@compute @workgroup_size(256)
fn attentionContext(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_attentionForward;
  let size = a.D * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
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

/** A workgroup for each group: the softmax backwards, dscore = w ∘ (dw − Σ w·dw). */
@compute @workgroup_size(256)
fn attentionBackwardSoftmax(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_attentionBackward;
  let step = a.groups * LANES;
  let offset = id.x * LANES + i % LANES;
  var mean = 0.0;
  for (var t = i / LANES; t < a.T; t += WIDTH / LANES) {
    mean = fma(arena[a.weights + t * step + offset], arena[a.dScores + t * step + offset], mean);
  }
  mean = sumOver(i, LANES, mean);
  for (var t = i / LANES; t < a.T; t += WIDTH / LANES) {
    let p = a.dScores + t * step + offset;
    arena[p] = arena[a.weights + t * step + offset] * (arena[p] - mean);
  }
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
