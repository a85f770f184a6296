// The losses, forward and backward in one pass: core/kernels/loss.ts, loss_classes.ts, loss_numbers.ts. One workgroup does
// the whole batch: its numbers are few beside the rest.

/** Value o of row r. */
fn at(x: u32, r: u32, o: u32, O: u32) -> u32 {
  return x + (r / LANES * O + o) * LANES + r % LANES;
}

/** Whether row r is one, and counts. */
fn counts(mask: u32, r: u32, rows: u32) -> bool {
  if (mask == NONE || r >= rows) {
    return r < rows;
  }
  return arena[mask + r] > 0.0;
}

/** What a row that is `present` is multiplied with. */
fn weightOf(weights: u32, r: u32, present: bool) -> f32 {
  if (weights == NONE || !present) {
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

/** Whether a row's largest logit stands over its largest target; with one output, whether l > 0 as y > 0.5. */
fn isRight(logits: u32, targets: u32, r: u32, O: u32) -> bool {
  if (O > 1u) {
    return argmax(logits, r, O) == argmax(targets, r, O);
  }
  return (arena[logits + r] > 0.0) == (arena[targets + r] > 0.5);
}

@compute @workgroup_size(256)
fn bceLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_bceLoss;
  var loss = 0.0;
  var correct = 0u;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let l = arena[a.logits + p];
      let y = arena[a.targets + p];
      let log = log1p4(exp4(vec4f(-abs(l)))).x;
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
    if (present) {
      correct += u32(isRight(a.logits, a.targets, r, a.O));
    }
  }
  report(i, a.stats, loss, correct);
}

/** The smallest normal number: what is nearer to 0 may be taken for it. */
const SMALLEST = 1.17549435e-38;

/** x^y for x from 0 on: 0 counts as the smallest normal number. */
fn power(x: f32, y: f32) -> f32 {
  return exp1(y * logOf(max(x, SMALLEST)));
}

@compute @workgroup_size(256)
fn binaryFocalLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_binaryFocalLoss;
  var loss = 0.0;
  var correct = 0u;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let l = arena[a.logits + p];
      let y = arena[a.targets + p];
      let bce = max(l, 0.0) - l * y + log1p4(exp4(vec4f(-abs(l)))).x;
      let sides = sigmoid4(vec4f(l, -l, 0.0, 0.0));
      let above = (1.0 - y) * sides.x;
      let below = y * sides.y;
      let miss = max(above + below, SMALLEST);
      var factor = power(miss, a.gamma) * scale;
      if (a.alpha >= 0.0) {
        factor *= a.alpha * y + (1.0 - a.alpha) * (1.0 - y);
      }
      let slope = a.gamma * bce * (1.0 - 2.0 * y) * (sides.x * sides.y / miss);
      loss += select(0.0, factor * bce, present);
      arena[a.dLogits + p] = select(0.0, factor * (above - below + slope), present);
    }
    if (present) {
      correct += u32(isRight(a.logits, a.targets, r, a.O));
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
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
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
      loss += (logOf(terms.y) + (terms.x - arena[at(a.logits, r, y, a.O)])) * scale;
      correct += u32(argmax(a.logits, r, a.O) == y);
    }
  }
  report(i, a.stats, loss, correct);
}

/** Number i of those that multiply, or 1. */
fn factorOf(factors: u32, i: u32) -> f32 {
  if (factors == NONE) {
    return 1.0;
  }
  return arena[factors + i];
}

@compute @workgroup_size(256)
fn crossEntropySmoothLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_crossEntropySmoothLoss;
  let share = a.smoothing / f32(a.O);
  var all = 0.0;
  for (var o = 0u; o < a.O; o++) {
    all += factorOf(a.classWeights, o);
  }
  var loss = 0.0;
  var correct = 0u;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    var y = 0u;
    if (present) {
      y = loadWhole(a.targets + r);
    }
    let own = (1.0 - a.smoothing) * factorOf(a.classWeights, y);
    let terms = softmaxTerms(a.logits, r, a.O);
    let log = logOf(terms.y);
    var term = 0.0;
    for (var o = 0u; o < a.O; o++) {
      let l = arena[at(a.logits, r, o, a.O)];
      let weight = share * factorOf(a.classWeights, o) + select(0.0, own, o == y);
      term += weight * (log + (terms.x - l));
      let d = exp1(l - terms.x) / terms.y * (own + share * all) - weight;
      arena[at(a.dLogits, r, o, a.O)] = select(0.0, d * scale, present);
    }
    if (present) {
      loss += term * scale;
      correct += u32(argmax(a.logits, r, a.O) == y);
    }
  }
  report(i, a.stats, loss, correct);
}

@compute @workgroup_size(256)
fn focalLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_focalLoss;
  var loss = 0.0;
  var correct = 0u;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    var y = 0u;
    if (present) {
      y = loadWhole(a.targets + r);
    }
    let terms = softmaxTerms(a.logits, r, a.O);
    let own = arena[at(a.logits, r, y, a.O)];
    var others = 0.0;
    for (var o = 0u; o < a.O; o++) {
      if (o != y) {
        others += exp1(arena[at(a.logits, r, o, a.O)] - terms.x);
      }
    }
    let p = exp1(own - terms.x) / terms.y;
    let q = others / terms.y;
    // −log p / q, by its series where p is nearly 1. Else, where p > 0.5, −log p is log(1 + others / own's).
    var ratio = 1.0 + q * (0.5 + q * 0.33333334);
    if (q >= 1e-3) {
      ratio = select(logOf(terms.y) + (terms.x - own), log1p4(vec4f(q / p)).x, p > 0.5) / q;
    }
    let factor = a.alpha * power(q, a.gamma) * scale;
    let slope = factor * (1.0 + a.gamma * p * ratio);
    for (var o = 0u; o < a.O; o++) {
      let l = at(a.logits, r, o, a.O);
      let d = slope * select(exp1(arena[l] - terms.x) / terms.y, -q, o == y);
      arena[at(a.dLogits, r, o, a.O)] = select(0.0, d, present);
    }
    if (present) {
      loss += factor * ratio * q;
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
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let d = select(0.0, arena[a.logits + p] - arena[a.targets + p], present);
      loss += d * d * scale;
      arena[a.dLogits + p] = 2.0 * scale * d;
    }
  }
  report(i, a.stats, loss, 0u);
}

@compute @workgroup_size(256)
fn maeLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_maeLoss;
  var loss = 0.0;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let d = select(0.0, arena[a.logits + p] - arena[a.targets + p], present);
      loss += abs(d) * scale;
      arena[a.dLogits + p] = sign(d) * scale;
    }
  }
  report(i, a.stats, loss, 0u);
}

@compute @workgroup_size(256)
fn huberLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_huberLoss;
  var loss = 0.0;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    for (var o = 0u; o < a.O; o++) {
      let p = at(0u, r, o, a.O);
      let d = select(0.0, arena[a.logits + p] - arena[a.targets + p], present);
      let near = min(abs(d), a.delta);
      loss += near * (abs(d) - near * 0.5) * scale;
      arena[a.dLogits + p] = clamp(d, -a.delta, a.delta) * scale;
    }
  }
  report(i, a.stats, loss, 0u);
}

@compute @workgroup_size(256)
fn quantileLoss(@builtin(local_invocation_index) i: u32) {
  let a = args_quantileLoss;
  var loss = 0.0;
  for (var r = i; r < groupsOf(a.rows) * LANES; r += WIDTH) {
    let present = counts(a.mask, r, a.rows);
    let scale = a.scale * weightOf(a.weights, r, present);
    for (var o = 0u; o < a.O * a.Q; o++) {
      let p = at(0u, r, o, a.O * a.Q);
      let q = arena[a.quantiles + o % a.Q];
      let d = select(0.0, arena[at(a.targets, r, o / a.Q, a.O)] - arena[a.logits + p], present);
      // The term as a product, so that NaN stays one.
      let above = select(select(0.0, 0.5, d == 0.0), 1.0, d < 0.0);
      loss += (q - select(0.0, 1.0, d < 0.0)) * d * scale;
      arena[a.dLogits + p] = select(0.0, (above - q) * scale, present);
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
