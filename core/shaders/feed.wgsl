// What a decoder is fed: core/kernels/feed.ts.

var<workgroup> places: array<u32, 256>;

/** A workgroup for each lane: the likeliest token. */
@compute @workgroup_size(256)
fn nextTokens(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_nextTokens;
  for (var lane = id.x; lane < a.groups * LANES; lane += count.x) {
    var token = a.start;
    if (a.logits != NONE) {
      let logits = a.logits + lane / LANES * a.ldl + lane % LANES;
      // No token: V, behind all others.
      var best = a.V;
      var largest = 0.0;
      for (var v = i; v < a.V; v += WIDTH) {
        let x = arena[logits + v * LANES];
        if (v != a.pad && v != a.start && (best == a.V || x > largest)) {
          best = v;
          largest = x;
        }
      }
      parts[i] = largest;
      places[i] = best;
      for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (i < half) {
          let other = places[i + half];
          let more = parts[i + half] > parts[i] || (parts[i + half] == parts[i] && other < places[i]);
          if (other != a.V && (places[i] == a.V || more)) {
            parts[i] = parts[i + half];
            places[i] = other;
          }
        }
      }
      workgroupBarrier();
      token = places[0];
      workgroupBarrier();
    }
    var replaced = true;
    if (a.logits != NONE) {
      replaced = arena[a.teacher + lane] == 0.0;
    }
    if (i == 0u && replaced) {
      arena[a.tokens + lane] = bitcast<f32>(token);
    }
  }
}

/** An invocation for each number. */
@compute @workgroup_size(256)
fn gatherRows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_gatherRows;
  for (var i = id.x; i < a.groups * LANES * a.E; i += WIDTH * count.x) {
    let g = i / (LANES * a.E);
    let e = i / LANES % a.E;
    let lane = g * LANES + i % LANES;
    var x = 0.0;
    if (arena[a.mask + lane] > 0.0) {
      x = arena[a.table + loadWhole(a.tokens + lane) * a.E + e];
    }
    arena[a.dst + g * a.lddst + i % (LANES * a.E)] = x;
  }
}

/** An invocation for each feature, so that what repeats adds up in the order of the lanes. */
@compute @workgroup_size(256)
fn scatterRows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_scatterRows;
  for (var e = id.x; e < a.E; e += WIDTH * count.x) {
    for (var lane = 0u; lane < a.groups * LANES; lane++) {
      if (arena[a.mask + lane] > 0.0) {
        let p = a.dTable + loadWhole(a.tokens + lane) * a.E + e;
        arena[p] += arena[a.dx + lane / LANES * a.lddx + e * LANES + lane % LANES];
      }
    }
  }
}

/** An invocation for each number. */
@compute @workgroup_size(256)
fn replaceLanes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_replaceLanes;
  for (var i = id.x; i < a.groups * a.F * LANES; i += WIDTH * count.x) {
    let g = i / (a.F * LANES);
    let e = i % (a.F * LANES);
    if (arena[a.keep + g * LANES + i % LANES] == 0.0) {
      let dst = a.dst + g * a.lddst + e;
      var x = arena[a.src + g * a.ldsrc + e];
      if (a.accumulate != 0u) {
        x += arena[dst];
      }
      arena[dst] = x;
    }
  }
}

/** An invocation for each number. */
@compute @workgroup_size(256)
fn alignmentOut(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_alignmentOut;
  let step = groupsOf(a.rows) * LANES;
  for (var i = id.x; i < a.rows * a.U * a.T; i += WIDTH * count.x) {
    let r = i / (a.U * a.T);
    var x = 0.0;
    if (i / a.T % a.U < loadWhole(a.lengths + r)) {
      x = arena[a.src + i % (a.U * a.T) * step + r];
    }
    arena[a.dst + i] = x;
  }
}
