// A sequence's steps to one row: core/kernels/pool.ts. One invocation for each number of the row, or of the steps.

const LAST = 0u;
const MEAN = 1u;

@compute @workgroup_size(256)
fn poolForward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_poolForward;
  let size = a.F * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let g = i / size;
    let e = i % size;
    var best = 0.0;
    var place = select(-1.0, 0.0, a.which == MEAN);
    for (var t = 0u; t < a.T; t++) {
      let tg = t * a.groups + g;
      if (arena[a.mask + tg * LANES + e % LANES] > 0.0) {
        let x = arena[a.x + tg * a.ldx + e];
        if (a.which == MEAN) {
          best += x;
          place += 1.0;
        } else if (a.which == LAST || place < 0.0 || (!isNan(vec4f(best)).x && (x > best || isNan(vec4f(x)).x))) {
          best = x;
          place = f32(t);
        }
      }
    }
    if (a.which == MEAN) {
      best /= max(place, 1.0);
    }
    arena[a.y + g * a.ldy + e] = best;
    arena[a.index + i] = place;
  }
}

@compute @workgroup_size(256)
fn poolBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_poolBackward;
  let size = a.F * LANES;
  for (var i = id.x; i < a.T * a.groups * size; i += WIDTH * count.x) {
    let tg = i / size;
    let e = i % size;
    let g = tg % a.groups;
    let place = arena[a.index + g * size + e];
    var d = 0.0;
    if (a.which == MEAN) {
      if (arena[a.mask + tg * LANES + e % LANES] > 0.0) {
        d = arena[a.dy + g * a.lddy + e] / place;
      }
    } else if (place == f32(tg / a.groups)) {
      d = arena[a.dy + g * a.lddy + e];
    }
    let p = a.dx + tg * a.lddx + e;
    if (a.accumulate != 0u) {
      d += arena[p];
    }
    arena[p] = d;
  }
}
