// Gated recurrent unit over whole sequences: core/kernels/gru.ts. How the work is shared out: recurrent.wgsl.

/** Gates in a product: r, z, n. */
const PARTS = 3u;
const TILE_DEPTH = 64u;
/** Of rows 64 · 9; of sums 3 · 192. */
const TILE_VECTORS = 576u;

@compute @workgroup_size(256)
fn gruPackBias(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_gruPackBias[id.y];
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

/** Adds what a unit before gives to the three gates. */
fn addUnit(gates: ptr<function, mat3x4f>, x: vec4f, w: u32, H: u32) {
  (*gates)[0] = fma(vec4f(arena[w]), x, (*gates)[0]);
  (*gates)[1] = fma(vec4f(arena[w + H]), x, (*gates)[1]);
  (*gates)[2] = fma(vec4f(arena[w + 2u * H]), x, (*gates)[2]);
}

/**
 * A unit's new state from its state before and W_hh·h, columns r, z, n. What else the gates need is at `gates`, where
 * n, r, z and the sum in n are left for the way back.
 */
fn newState(before: vec4f, product: mat3x4f, bias: f32, gates: u32, H: u32, on: vec4<bool>) -> vec4f {
  let r = sigmoid4(load4(gates + H * LANES) + product[0]);
  let z = sigmoid4(load4(gates + 2u * H * LANES) + product[1]);
  let hidden = product[2] + bias;
  let n = tanh4(fma(r, hidden, load4(gates)));
  store4(gates, n);
  store4(gates + H * LANES, r);
  store4(gates + 2u * H * LANES, z);
  store4(gates + 3u * H * LANES, hidden);
  // Rows past their sequence's length keep their state.
  return select(before, fma(z, before - n, n), on);
}

@compute @workgroup_size(WORKERS)
fn gruForward(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_gruForward;
  let group = id.x / 2u;
  let lanes = id.x % 2u * 4u;
  let H = a.H;
  let slice = i / UNITS;
  let j = i % UNITS;
  // Invocations beyond the last unit do its work again, and keep it to themselves.
  let unit = min(j, H - 1u);
  let leads = slice == 0u && j < H;
  let start = slice * H / SLICES;
  let end = (slice + 1u) * H / SLICES;
  let bias = arena[a.bias + 3u * H + unit];
  var h = load4(a.h + (select(0u, a.T + 1u, a.reverse != 0u) * a.groups + group) * a.ldh + lanes + unit * LANES);
  if (leads) {
    state[j] = h;
  }
  workgroupBarrier();
  for (var s = 0u; s < a.T; s++) {
    let t = select(s, a.T - 1u - s, a.reverse != 0u);
    var product = mat3x4f();
    var k = start;
    var w = a.panels + k * 3u * H + unit;
    for (; k + 4u <= end; k += 4u) {
      addUnit(&product, state[k], w, H);
      addUnit(&product, state[k + 1u], w + 3u * H, H);
      addUnit(&product, state[k + 2u], w + 6u * H, H);
      addUnit(&product, state[k + 3u], w + 9u * H, H);
      w += 12u * H;
    }
    for (; k < end; k++) {
      addUnit(&product, state[k], w, H);
      w += 3u * H;
    }
    if (slice > 0u) {
      let to = (slice - 1u) * 3u * UNITS + j;
      partials[to] = product[0];
      partials[to + UNITS] = product[1];
      partials[to + 2u * UNITS] = product[2];
    }
    workgroupBarrier();
    if (leads) {
      for (var p = j; p < 3u * UNITS * (SLICES - 1u); p += 3u * UNITS) {
        product += mat3x4f(partials[p], partials[p + UNITS], partials[p + 2u * UNITS]);
      }
      let on = activeRows(a.mask + (t * a.groups + group) * LANES + lanes);
      h = newState(h, product, bias, a.gates + (t * a.groups + group) * a.ldg + lanes + j * LANES, H, on);
      store4(a.h + ((t + 1u) * a.groups + group) * a.ldh + lanes + j * LANES, h);
      state[j] = h;
    }
    workgroupBarrier();
  }
}

/** Gradients of the gates as the products take them, r, z, n, and what goes straight to the state before. */
struct GateGradients {
  gates: mat3x4f,
  before: vec4f,
}

/** From a state's gradient to the gates', which take their place at `gates`: n, r, z, and the sum in n. */
fn gateGradients(all: vec4f, previous: u32, gates: u32, H: u32, on: vec4<bool>) -> GateGradients {
  let n = load4(gates);
  let r = load4(gates + H * LANES);
  let z = load4(gates + 2u * H * LANES);
  let hidden = load4(gates + 3u * H * LANES);
  // Rows that have ended hand their gradient on as it is, and nothing to the gates.
  let d = select(vec4f(), all, on);
  let dn = d * (1.0 - z) * (1.0 - n * n);
  let dz = d * (load4(previous) - n) * (z * (1.0 - z));
  let dr = dn * hidden * (r * (1.0 - r));
  store4(gates, dn);
  store4(gates + H * LANES, dr);
  store4(gates + 2u * H * LANES, dz);
  store4(gates + 3u * H * LANES, dn * r);
  return GateGradients(mat3x4f(dr, dz, dn * r), select(all, d * z, on));
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
      let own = j * LANES;
      let d = gateGradients(load4(dNext + own), previous + own, gates + own, H, on);
      dGates[j] = d.gates[0];
      dGates[H + j] = d.gates[1];
      dGates[2u * H + j] = d.gates[2];
      store4(dPrevious + own, load4(dPrevious + own) + d.before);
    }
    storageBarrier();
    workgroupBarrier();
    // dPrevious += W_hhᵀ · (dr | dz | dn_h)
    for (var j = i; j < H; j += UNITS) {
      store4(dPrevious + j * LANES, addGates(load4(dPrevious + j * LANES), a.panels, j, H));
    }
    workgroupBarrier();
  }
}

/** Step `repetition` of gruForward. An invocation has 4 rows of a unit, and a quarter of each slice of the sum. */
@compute @workgroup_size(256)
fn gruForwardStep(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_gruForward;
  let H = a.H;
  let t = select(repetition, a.T - 1u - repetition, a.reverse != 0u);
  let slot = select(t, t + 2u, a.reverse != 0u);
  let across = (H + TILE_UNITS - 1u) / TILE_UNITS;
  let quad = i % 8u;
  let unit = i / 8u % TILE_UNITS;
  let slice = i / 64u;
  for (var tile = id.x; tile < stepTiles(H, a.groups); tile += count.x) {
    let j0 = tile % across * TILE_UNITS;
    let g0 = tile / across * TILE_GROUPS;
    var product = mat3x4f();
    for (var k0 = 0u; k0 < H; k0 += TILE_DEPTH) {
      loadRows(a.h + slot * a.groups * a.ldh + k0 * LANES, a.ldh, g0, a.groups, H - k0, i);
      loadWeights(a.panels + k0 * 3u * H, 3u, j0, H, H - k0, i);
      workgroupBarrier();
      for (var d = slice * 16u; d < slice * 16u + 16u; d += 2u) {
        addTile(&product, d, quad, unit);
        addTile(&product, d + 1u, quad, unit);
      }
      workgroupBarrier();
    }
    if (slice > 0u) {
      let to = (slice - 1u) * 192u + i % 64u;
      tileRows[to] = product[0];
      tileRows[to + 64u] = product[1];
      tileRows[to + 128u] = product[2];
    }
    workgroupBarrier();
    let j = j0 + unit;
    let group = g0 + quad / 2u;
    if (slice == 0u && j < H && group < a.groups) {
      for (var p = i; p < 576u; p += 192u) {
        product += mat3x4f(tileRows[p], tileRows[p + 64u], tileRows[p + 128u]);
      }
      let lanes = quad % 2u * 4u;
      let own = lanes + j * LANES;
      let on = activeRows(a.mask + (t * a.groups + group) * LANES + lanes);
      let before = load4(a.h + (slot * a.groups + group) * a.ldh + own);
      let gates = a.gates + (t * a.groups + group) * a.ldg + own;
      let h = newState(before, product, arena[a.bias + 3u * H + j], gates, H, on);
      store4(a.h + ((t + 1u) * a.groups + group) * a.ldh + own, h);
    }
    workgroupBarrier();
  }
}

fn addTile(product: ptr<function, mat3x4f>, d: u32, quad: u32, unit: u32) {
  let x = tileRows[d * TILE_APART + quad];
  let w = d * 3u * TILE_UNITS + unit;
  (*product)[0] = fma(vec4f(tileWeights[w]), x, (*product)[0]);
  (*product)[1] = fma(vec4f(tileWeights[w + TILE_UNITS]), x, (*product)[1]);
  (*product)[2] = fma(vec4f(tileWeights[w + 2u * TILE_UNITS]), x, (*product)[2]);
}

/**
 * Step `repetition` of gruBackward, of T + 1: first the product of the step before, which ends the gradient of a state, then the
 * gradients of the gates that led to it. The last has no gates: its state is the first.
 */
@compute @workgroup_size(256)
fn gruBackwardStep(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_gruBackward;
  let H = a.H;
  let slot = select(a.T - repetition, repetition + 1u, a.reverse != 0u);
  let across = (H + TILE_UNITS - 1u) / TILE_UNITS;
  let quad = i % 8u;
  let unit = i / 8u % TILE_UNITS;
  let slice = i / 64u;
  for (var tile = id.x; tile < stepTiles(H, a.groups); tile += count.x) {
    let j0 = tile % across * TILE_UNITS;
    let g0 = tile / across * TILE_GROUPS;
    var sum = vec4f();
    if (repetition > 0u) {
      // The step before had gates from this slot's state to the next.
      let t = select(slot, slot - 2u, a.reverse != 0u);
      sum = tileBackward(a.gates + t * a.groups * a.ldg + H * LANES, a.ldg, a.panels, j0, g0, H, a.groups, i);
    }
    let j = j0 + unit;
    let group = g0 + quad / 2u;
    if (slice == 0u && j < H && group < a.groups) {
      let lanes = quad % 2u * 4u;
      let own = lanes + j * LANES;
      let p = a.dh + (slot * a.groups + group) * a.lddh + own;
      var all = load4(p);
      if (repetition > 0u) {
        all += sum + tileRows[i] + tileRows[i + 64u] + tileRows[i + 128u];
        store4(p, all);
      }
      if (repetition < a.T) {
        let t = slot - 1u;
        let before = select(slot - 1u, slot + 1u, a.reverse != 0u);
        let on = activeRows(a.mask + (t * a.groups + group) * LANES + lanes);
        let previous = a.h + (before * a.groups + group) * a.ldh + own;
        let d = gateGradients(all, previous, a.gates + (t * a.groups + group) * a.ldg + own, H, on);
        let dPrevious = a.dh + (before * a.groups + group) * a.lddh + own;
        store4(dPrevious, load4(dPrevious) + d.before);
      }
    }
    workgroupBarrier();
  }
}
