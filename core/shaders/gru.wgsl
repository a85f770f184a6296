// Gated recurrent unit over whole sequences: core/kernels/gru.ts.
//
// A workgroup carries 4 rows, half a group, through all steps: rows do not depend on one another. Each invocation has the
// units i, i + UNITS, …: their three gates, all 4 rows. What the others must see of a step passes through workgroup memory.

/** Invocations of a workgroup: no more than there are units, for the steps are short and all wait for all. */
override UNITS: u32 = 256u;

/** Vectors of 4 rows that stand in workgroup memory: 16 KB, which every device has. */
const PLACES = 1024u;

var<workgroup> places: array<vec4f, 1024>;

@compute @workgroup_size(256)
fn gruPackBias(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_gruPackBias;
  for (var i = id.x; i < a.H; i += WIDTH * count.x) {
    let r = i;
    let z = a.H + i;
    let n = 2u * a.H + i;
    arena[a.bias + r] = arena[a.biasIh + n];
    arena[a.bias + z] = arena[a.biasIh + r] + arena[a.biasHh + r];
    arena[a.bias + n] = arena[a.biasIh + z] + arena[a.biasHh + z];
    arena[a.bias + 3u * a.H + i] = arena[a.biasHh + n];
  }
}

/** Which of 4 rows have not ended. */
fn activeRows(mask: u32) -> vec4<bool> {
  return load4(mask) > vec4f(0.0);
}

@compute @workgroup_size(UNITS)
fn gruForward(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_gruForward;
  let group = id.x / 2u;
  let lanes = id.x % 2u * 4u;
  let H = a.H;
  // Larger states are read from the arena.
  let kept = H <= PLACES;
  var previous = a.h + (select(0u, a.T + 1u, a.reverse != 0u) * a.groups + group) * a.ldh + lanes;
  for (var s = 0u; s < a.T; s++) {
    let t = select(s, a.T - 1u - s, a.reverse != 0u);
    let gates = a.gates + (t * a.groups + group) * a.ldg + lanes;
    let next = a.h + ((t + 1u) * a.groups + group) * a.ldh + lanes;
    if (kept) {
      for (var j = i; j < H; j += UNITS) {
        places[j] = load4(previous + j * LANES);
      }
      workgroupBarrier();
    }
    let on = activeRows(a.mask + (t * a.groups + group) * LANES + lanes);
    for (var j = i; j < H; j += UNITS) {
      var r = load4(gates + (H + j) * LANES);
      var z = load4(gates + (2u * H + j) * LANES);
      var hidden = vec4f(arena[a.bias + 3u * H + j]);
      var w = a.panels + j;
      for (var k = 0u; k < H; k++) {
        var x: vec4f;
        if (kept) {
          x = places[k];
        } else {
          x = load4(previous + k * LANES);
        }
        r = fma(vec4f(arena[w]), x, r);
        z = fma(vec4f(arena[w + H]), x, z);
        hidden = fma(vec4f(arena[w + 2u * H]), x, hidden);
        w += 3u * H;
      }
      r = sigmoid4(r);
      z = sigmoid4(z);
      let n = tanh4(fma(r, hidden, load4(gates + j * LANES)));
      let before = load4(previous + j * LANES);
      store4(gates + j * LANES, n);
      store4(gates + (H + j) * LANES, r);
      store4(gates + (2u * H + j) * LANES, z);
      store4(gates + (3u * H + j) * LANES, hidden);
      // Rows past their sequence's length keep their state.
      store4(next + j * LANES, select(before, fma(z, before - n, n), on));
    }
    previous = next;
    storageBarrier();
    workgroupBarrier();
  }
}

@compute @workgroup_size(UNITS)
fn gruBackward(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_gruBackward;
  let group = id.x / 2u;
  let lanes = id.x % 2u * 4u;
  let H = a.H;
  for (var s = 0u; s < a.T; s++) {
    let t = select(a.T - 1u - s, s, a.reverse != 0u);
    let slot = select(t, t + 2u, a.reverse != 0u);
    let gates = a.gates + (t * a.groups + group) * a.ldg + lanes;
    let dNext = a.dh + ((t + 1u) * a.groups + group) * a.lddh + lanes;
    let dPrevious = a.dh + (slot * a.groups + group) * a.lddh + lanes;
    let previous = a.h + (slot * a.groups + group) * a.ldh + lanes;
    let on = activeRows(a.mask + (t * a.groups + group) * LANES + lanes);
    for (var j = i; j < H; j += UNITS) {
      let n = load4(gates + j * LANES);
      let r = load4(gates + (H + j) * LANES);
      let z = load4(gates + (2u * H + j) * LANES);
      let hidden = load4(gates + (3u * H + j) * LANES);
      let all = load4(dNext + j * LANES);
      // Rows that have ended hand their gradient on as it is, and nothing to the gates.
      let d = select(vec4f(), all, on);
      let dn = d * (1.0 - z) * (1.0 - n * n);
      let dz = d * (load4(previous + j * LANES) - n) * (z * (1.0 - z));
      let dr = dn * hidden * (r * (1.0 - r));
      store4(gates + j * LANES, dn);
      store4(gates + (H + j) * LANES, dr);
      store4(gates + (2u * H + j) * LANES, dz);
      store4(gates + (3u * H + j) * LANES, dn * r);
      store4(dPrevious + j * LANES, load4(dPrevious + j * LANES) + select(all, d * z, on));
    }
    storageBarrier();
    workgroupBarrier();
    // dPrevious += W_hhᵀ · (dr | dz | dn_h), as many of the latter at a time as there are places.
    for (var first = 0u; first < 3u * H; first += PLACES) {
      let n = min(PLACES, 3u * H - first);
      for (var m = i; m < n; m += UNITS) {
        places[m] = load4(gates + (H + first + m) * LANES);
      }
      workgroupBarrier();
      for (var j = i; j < H; j += UNITS) {
        var sum = load4(dPrevious + j * LANES);
        var w = a.panels + first * H + j;
        for (var m = 0u; m < n; m++) {
          sum = fma(vec4f(arena[w]), places[m], sum);
          w += H;
        }
        store4(dPrevious + j * LANES, sum);
      }
      workgroupBarrier();
    }
  }
}
