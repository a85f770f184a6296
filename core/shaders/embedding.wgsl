// Tokens to the rows of a table that stand for them, and back: core/kernels/embedding.ts.

/** Features that a workgroup sums up at a time. */
const FEATURES = 32u;

/** An invocation for each number. */
@compute @workgroup_size(256)
fn embeddingForward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_embeddingForward;
  let groups = groupsOf(a.rows);
  for (var i = id.x; i < a.T * groups * LANES * a.E; i += WIDTH * count.x) {
    let lane = i % LANES;
    let e = i / LANES % a.E;
    let tg = i / LANES / a.E;
    let t = tg / groups;
    let r = tg % groups * LANES + lane;
    var x = 0.0;
    if (r < a.rows) {
      if (t < loadWhole(a.lengths + r)) {
        x = arena[a.table + loadWhole(a.tokens + r * a.T + t) * a.E + e];
      }
    }
    arena[a.dst + tg * a.lddst + e * LANES + lane] = x;
  }
}

/** A workgroup for each token: its positions are shared among the invocations, and their sums added up in a tree. */
@compute @workgroup_size(256)
fn embeddingBackward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_embeddingBackward;
  for (var u = a.first + id.x * a.step; u < a.count; u += count.x * a.step) {
    let start = loadWhole(a.starts + u);
    let end = loadWhole(a.starts + u + 1u);
    for (var e0 = 0u; e0 < a.E; e0 += FEATURES) {
      let e = e0 + i % FEATURES;
      var sum = 0.0;
      if (e < a.E) {
        for (var p = start + i / FEATURES; p < end; p += WIDTH / FEATURES) {
          sum += arena[a.dx + loadWhole(a.positions + p) * a.E + e];
        }
      }
      sum = sumOver(i, FEATURES, sum);
      if (i < FEATURES && e < a.E && start < end) {
        arena[a.dTable + loadWhole(a.tokens + u) * a.E + e] += sum;
      }
    }
  }
}
