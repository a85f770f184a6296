// The losses, forward and backward in one pass: core/kernels/loss.ts. One workgroup does the whole batch: its numbers are
// few beside the rest.

/** Value o of row r. */
fn at(x: u32, r: u32, o: u32, O: u32) -> u32 {
  return x + (r / LANES * O + o) * LANES + r % LANES;
}

/** What a row counts. */
fn weightOf(weights: u32, r: u32, rows: u32) -> f32 {
  if (weights == NONE || r >= rows) {
    return 1.0;
  }
  return arena[weights + r];
}

/** Index of the largest of a row's O numbers, the first of equals. */
fn argmax(x: u32, r: u32, O: u32) -> u32 {
  var best = 0u;
  for (var o = 1u; o < O; o++) {
    if (arena[at(x, r, o, O)] > arena[at(x, r, best, O)]) {
      best = o;
    }
  }
  return best;
}

/** Writes the results of the invocations, added up. */
fn report(i: u32, stats: u32, loss: f32, correct: u32) {
  let sum = sumOver(i, 1u, loss);
  let right = sumOver(i, 1u, f32(correct));
  if (i == 0u) {
    arena[stats] = sum;
    arena[stats + 1u] = right;
  }
}

@compute @workgroup_size(256)
fn bceLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_bceLoss;
  var loss = 0.0;
  var correct = 0u;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let scale = a.scale * weightOf(a.weights, r, a.rows);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let l = arena[a.logits + p];
      let y = arena[a.targets + p];
      let log = log1p4(exp4(vec4f(-abs(l)))).x;
      let present = r < a.rows;
      var term = max(l, 0.0) - l * y + log;
      var d = sigmoid4(vec4f(l)).x - y;
      if (a.posWeight != NONE) {
        let q = 1.0 + (arena[a.posWeight + o] - 1.0) * y;
        term = (1.0 - y) * l + q * (log + max(-l, 0.0));
        d = 1.0 - y + q * (sigmoid4(vec4f(l)).x - 1.0);
      }
      loss += select(0.0, term * scale, present);
      arena[a.dLogits + p] = select(0.0, d * scale, present);
    }
    if (r < a.rows) {
      if (a.O > 1u) {
        correct += u32(argmax(a.logits, r, a.O) == argmax(a.targets, r, a.O));
      } else {
        correct += u32((arena[a.logits + r] > 0.0) == (arena[a.targets + r] > 0.5));
      }
    }
  }
  report(i, a.stats, loss, correct);
}

/** The largest of a row's numbers, and Σ e^(x − largest). */
fn softmaxTerms(x: u32, r: u32, O: u32) -> vec2f {
  let largest = arena[at(x, r, argmax(x, r, O), O)];
  var sum = 0.0;
  for (var o = 0u; o < O; o++) {
    sum += exp1(arena[at(x, r, o, O)] - largest);
  }
  return vec2f(largest, sum);
}

@compute @workgroup_size(256)
fn crossEntropyLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_crossEntropyLoss;
  var loss = 0.0;
  var correct = 0u;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = r < a.rows;
    let scale = a.scale * weightOf(a.weights, r, a.rows);
    var y = 0u;
    if (present) {
      y = loadWhole(a.targets + r);
    }
    let terms = softmaxTerms(a.logits, r, a.O);
    for (var o = 0u; o < a.O; o++) {
      let p = exp1(arena[at(a.logits, r, o, a.O)] - terms.x) / terms.y;
      arena[at(a.dLogits, r, o, a.O)] = select(0.0, (p - f32(o == y)) * scale, present);
    }
    if (present) {
      loss += (logFrom1(terms.y) + (terms.x - arena[at(a.logits, r, y, a.O)])) * scale;
      correct += u32(argmax(a.logits, r, a.O) == y);
    }
  }
  report(i, a.stats, loss, correct);
}

@compute @workgroup_size(256)
fn mseLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_mseLoss;
  var loss = 0.0;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let scale = a.scale * weightOf(a.weights, r, a.rows);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let d = select(0.0, arena[a.logits + p] - arena[a.targets + p], r < a.rows);
      loss += d * d * scale;
      arena[a.dLogits + p] = 2.0 * scale * d;
    }
  }
  report(i, a.stats, loss, 0u);
}

@compute @workgroup_size(256)
fn sigmoidGroups(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_sigmoidGroups;
  for (var i = id.x; i < a.groups * a.O * LANES; i += WIDTH * count.x) {
    arena[a.y + i] = sigmoid4(vec4f(arena[a.x + i])).x;
  }
}

/** An invocation for each row. */
@compute @workgroup_size(256)
fn softmaxGroups(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_softmaxGroups;
  for (var r = id.x; r < a.groups * LANES; r += WIDTH * count.x) {
    let terms = softmaxTerms(a.x, r, a.O);
    for (var o = 0u; o < a.O; o++) {
      arena[at(a.y, r, o, a.O)] = exp1(arena[at(a.x, r, o, a.O)] - terms.x) / terms.y;
    }
  }
}
