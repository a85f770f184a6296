// Moving data between the user's layout and the kernels': core/kernels/copy.ts. One invocation for each number.

@compute @workgroup_size(256)
fn rowsIn(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_rowsIn;
  let n = groupsOf(a.rows) * LANES * a.F;
  for (var i = id.x; i < n; i += WIDTH * count.x) {
    let lane = i % LANES;
    let f = i / LANES % a.F;
    let g = i / LANES / a.F;
    let r = g * LANES + lane;
    var x = 0.0;
    if (a.src != NONE && r < a.rows) {
      x = arena[a.src + r * a.ldsrc + f];
    }
    arena[a.dst + g * a.lddst + f * LANES + lane] = x;
  }
}

@compute @workgroup_size(256)
fn rowsOut(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_rowsOut;
  for (var i = id.x; i < a.rows * a.F; i += WIDTH * count.x) {
    let r = i / a.F;
    let f = i % a.F;
    arena[a.dst + r * a.lddst + f] = arena[a.src + r / LANES * a.ldsrc + f * LANES + r % LANES];
  }
}

@compute @workgroup_size(256)
fn sequencesIn(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_sequencesIn;
  let groups = groupsOf(a.rows);
  for (var i = id.x; i < a.T * groups * LANES * a.F; i += WIDTH * count.x) {
    let lane = i % LANES;
    let f = i / LANES % a.F;
    let tg = i / LANES / a.F;
    let t = tg / groups;
    let r = tg % groups * LANES + lane;
    var x = 0.0;
    if (r < a.rows) {
      if (t < loadWhole(a.lengths + r)) {
        x = arena[a.src + (r * a.T + t) * a.F + f];
      }
    }
    arena[a.dst + tg * a.lddst + f * LANES + lane] = x;
  }
}

@compute @workgroup_size(256)
fn sequencesOut(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_sequencesOut;
  let groups = groupsOf(a.rows);
  for (var i = id.x; i < a.rows * a.T * a.F; i += WIDTH * count.x) {
    let f = i % a.F;
    let t = i / a.F % a.T;
    let r = i / a.F / a.T;
    var x = 0.0;
    if (t < loadWhole(a.lengths + r)) {
      x = arena[a.src + (t * groups + r / LANES) * a.ldsrc + f * LANES + r % LANES];
    }
    arena[a.dst + i] = x;
  }
}

@compute @workgroup_size(256)
fn activeLanes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_activeLanes;
  let lanes = groupsOf(a.rows) * LANES;
  for (var i = id.x; i < a.T * lanes; i += WIDTH * count.x) {
    let r = i % lanes;
    // 1, not all bits: those would be a NaN, whose bits a float need not keep.
    var on = 0u;
    if (r < a.rows) {
      on = u32(i / lanes < loadWhole(a.lengths + r));
    }
    arena[a.mask + i] = f32(on);
  }
}

@compute @workgroup_size(256)
fn classesIn(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_classesIn;
  let lanes = groupsOf(a.rows) * LANES;
  for (var i = id.x; i < a.T * lanes; i += WIDTH * count.x) {
    let r = i % lanes;
    let t = i / lanes;
    // Moved, never computed with: as floats, their bits are too small to be kept otherwise.
    var x = 0.0;
    if (r < a.rows) {
      if (t < loadWhole(a.lengths + r)) {
        x = arena[a.src + r * a.T + t];
      }
    }
    arena[a.dst + i] = x;
  }
}

@compute @workgroup_size(256)
fn maskLanes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_maskLanes;
  for (var i = id.x; i < a.groups * a.F * LANES; i += WIDTH * count.x) {
    let g = i / (a.F * LANES);
    if (!(arena[a.mask + g * LANES + i % LANES] > 0.0)) {
      arena[a.x + g * a.ldx + i % (a.F * LANES)] = 0.0;
    }
  }
}

@compute @workgroup_size(256)
fn copyGroups(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_copyGroups;
  for (var i = id.x; i < a.groups * a.F * LANES; i += WIDTH * count.x) {
    let g = i / (a.F * LANES);
    let e = i % (a.F * LANES);
    let dst = a.dst + g * a.lddst + e;
    var x = arena[a.src + g * a.ldsrc + e];
    if (a.accumulate != 0u) {
      x += arena[dst];
    }
    arena[dst] = x;
  }
}

@compute @workgroup_size(256)
fn copyVector(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_copyVector[id.y];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    arena[a.dst + i] = arena[a.src + i];
  }
}

@compute @workgroup_size(256)
fn clear(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_clear[id.y];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    arena[a.dst + i] = 0.0;
  }
}
