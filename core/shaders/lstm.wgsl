// Long short-term memory over whole sequences: core/kernels/lstm.ts. How the work is shared out: recurrent.wgsl.

/** Gates in a product: i, f, g, o. */
const PARTS = 4u;
const TILE_DEPTH = 32u;
/** Of rows 32 · 9; of sums 3 · 256. */
const TILE_VECTORS = 768u;

@compute @workgroup_size(256)
fn lstmPackBias(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_lstmPackBias[id.y];
  for (var i = id.x; i < 4u * a.H; i += WIDTH * count.x) {
    arena[a.bias + i] = arena[a.biasIh + i] + arena[a.biasHh + i];
  }
}

/** Adds what a unit before gives to the four gates. */
fn addUnit(gates: ptr<function, mat4x4f>, x: vec4f, w: u32, H: u32) {
  (*gates)[0] = fma(vec4f(arena[w]), x, (*gates)[0]);
  (*gates)[1] = fma(vec4f(arena[w + H]), x, (*gates)[1]);
  (*gates)[2] = fma(vec4f(arena[w + 2u * H]), x, (*gates)[2]);
  (*gates)[3] = fma(vec4f(arena[w + 3u * H]), x, (*gates)[3]);
}

struct States {
  h: vec4f,
  c: vec4f,
}

/** A unit's new states from those before and W_hh·h. What else the gates need is at `gates`, where they are left. */
fn newStates(before: States, product: mat4x4f, gates: u32, H: u32, on: vec4<bool>) -> States {
  let i = sigmoid4(load4(gates) + product[0]);
  let f = sigmoid4(load4(gates + H * LANES) + product[1]);
  let g = tanh4(load4(gates + 2u * H * LANES) + product[2]);
  let o = sigmoid4(load4(gates + 3u * H * LANES) + product[3]);
  store4(gates, i);
  store4(gates + H * LANES, f);
  store4(gates + 2u * H * LANES, g);
  store4(gates + 3u * H * LANES, o);
  let c = fma(f, before.c, i * g);
  // Rows past their sequence's length keep their states.
  return States(select(before.h, o * tanh4(c), on), select(before.c, c, on));
}

@compute @workgroup_size(WORKERS)
fn lstmForward(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_lstmForward;
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
  let first = select(0u, a.T + 1u, a.reverse != 0u) * a.groups + group;
  var now = States(load4(a.h + first * a.ldh + lanes + unit * LANES), load4(a.c + first * a.ldc + lanes + unit * LANES));
  if (leads) {
    state[j] = now.h;
  }
  workgroupBarrier();
  for (var s = 0u; s < a.T; s++) {
    let t = select(s, a.T - 1u - s, a.reverse != 0u);
    var product = mat4x4f();
    var k = start;
    var w = a.panels + k * 4u * H + unit;
    for (; k + 4u <= end; k += 4u) {
      addUnit(&product, state[k], w, H);
      addUnit(&product, state[k + 1u], w + 4u * H, H);
      addUnit(&product, state[k + 2u], w + 8u * H, H);
      addUnit(&product, state[k + 3u], w + 12u * H, H);
      w += 16u * H;
    }
    for (; k < end; k++) {
      addUnit(&product, state[k], w, H);
      w += 4u * H;
    }
    if (slice > 0u) {
      let to = (slice - 1u) * 4u * UNITS + j;
      partials[to] = product[0];
      partials[to + UNITS] = product[1];
      partials[to + 2u * UNITS] = product[2];
      partials[to + 3u * UNITS] = product[3];
    }
    workgroupBarrier();
    if (leads) {
      for (var p = j; p < 4u * UNITS * (SLICES - 1u); p += 4u * UNITS) {
        product += mat4x4f(partials[p], partials[p + UNITS], partials[p + 2u * UNITS], partials[p + 3u * UNITS]);
      }
      let tg = t * a.groups + group;
      let on = activeRows(a.mask + tg * LANES + lanes);
      now = newStates(now, product, a.gates + tg * a.ldg + lanes + j * LANES, H, on);
      store4(a.h + (tg + a.groups) * a.ldh + lanes + j * LANES, now.h);
      store4(a.c + (tg + a.groups) * a.ldc + lanes + j * LANES, now.c);
      state[j] = now.h;
    }
    workgroupBarrier();
  }
}

/** Gradients of the gates, and what goes straight to the states before. */
struct GateGradients {
  gates: mat4x4f,
  h: vec4f,
  c: vec4f,
}

/** From the states' gradients to the gates', which take their place at `gates`. `next`, `previous`: the cell states. */
fn gateGradients(dh: vec4f, dc: vec4f, next: u32, previous: u32, gates: u32, H: u32, on: vec4<bool>) -> GateGradients {
  let i = load4(gates);
  let f = load4(gates + H * LANES);
  let g = load4(gates + 2u * H * LANES);
  let o = load4(gates + 3u * H * LANES);
  let y = tanh4(load4(next));
  // Rows that have ended hand their gradients on as they are, and nothing to the gates.
  let d = select(vec4f(), dh, on);
  let dState = select(vec4f(), fma(d * o, 1.0 - y * y, dc), on);
  let di = dState * g * (i * (1.0 - i));
  let df = dState * load4(previous) * (f * (1.0 - f));
  let dg = dState * i * (1.0 - g * g);
  let dOut = d * y * (o * (1.0 - o));
  store4(gates, di);
  store4(gates + H * LANES, df);
  store4(gates + 2u * H * LANES, dg);
  store4(gates + 3u * H * LANES, dOut);
  return GateGradients(mat4x4f(di, df, dg, dOut), select(dh, vec4f(), on), select(dc, dState * f, on));
}

@compute @workgroup_size(UNITS)
fn lstmBackward(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_lstmBackward;
  let group = id.x / 2u;
  let lanes = id.x % 2u * 4u;
  let H = a.H;
  for (var s = 0u; s < a.T; s++) {
    let t = select(a.T - 1u - s, s, a.reverse != 0u);
    let tg = t * a.groups + group;
    let next = tg + a.groups;
    let before = select(t, t + 2u, a.reverse != 0u) * a.groups + group;
    let gates = a.gates + tg * a.ldg + lanes;
    let dPrevious = a.dh + before * a.lddh + lanes;
    let on = activeRows(a.mask + tg * LANES + lanes);
    for (var j = i; j < H; j += UNITS) {
      let own = j * LANES;
      let dc = a.dc + group * H * LANES + lanes + own;
      let d = gateGradients(
        load4(a.dh + next * a.lddh + lanes + own),
        load4(dc),
        a.c + next * a.ldc + lanes + own,
        a.c + before * a.ldc + lanes + own,
        gates + own,
        H,
        on,
      );
      dGates[j] = d.gates[0];
      dGates[H + j] = d.gates[1];
      dGates[2u * H + j] = d.gates[2];
      dGates[3u * H + j] = d.gates[3];
      store4(dPrevious + own, load4(dPrevious + own) + d.h);
      store4(dc, d.c);
    }
    storageBarrier();
    workgroupBarrier();
    // dPrevious += W_hhᵀ · (di | df | dg | do)
    for (var j = i; j < H; j += UNITS) {
      store4(dPrevious + j * LANES, addGates(load4(dPrevious + j * LANES), a.panels, j, H));
    }
    workgroupBarrier();
  }
}

/** Step `repetition` of lstmForward. An invocation has 4 rows of a unit, and a quarter of each slice of the sum. */
@compute @workgroup_size(256)
fn lstmForwardStep(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_lstmForward;
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
    var product = mat4x4f();
    for (var k0 = 0u; k0 < H; k0 += TILE_DEPTH) {
      loadRows(a.h + slot * a.groups * a.ldh + k0 * LANES, a.ldh, g0, a.groups, H - k0, i);
      loadWeights(a.panels + k0 * 4u * H, 4u, j0, H, H - k0, i);
      workgroupBarrier();
      for (var d = slice * 8u; d < slice * 8u + 8u; d += 2u) {
        addTile(&product, d, quad, unit);
        addTile(&product, d + 1u, quad, unit);
      }
      workgroupBarrier();
    }
    if (slice > 0u) {
      let to = (slice - 1u) * 256u + i % 64u;
      tileRows[to] = product[0];
      tileRows[to + 64u] = product[1];
      tileRows[to + 128u] = product[2];
      tileRows[to + 192u] = product[3];
    }
    workgroupBarrier();
    let j = j0 + unit;
    let group = g0 + quad / 2u;
    if (slice == 0u && j < H && group < a.groups) {
      for (var p = i; p < TILE_VECTORS; p += 256u) {
        product += mat4x4f(tileRows[p], tileRows[p + 64u], tileRows[p + 128u], tileRows[p + 192u]);
      }
      let own = quad % 2u * 4u + j * LANES;
      let tg = t * a.groups + group;
      let before = slot * a.groups + group;
      let on = activeRows(a.mask + tg * LANES + quad % 2u * 4u);
      let states = States(load4(a.h + before * a.ldh + own), load4(a.c + before * a.ldc + own));
      let after = newStates(states, product, a.gates + tg * a.ldg + own, H, on);
      store4(a.h + (tg + a.groups) * a.ldh + own, after.h);
      store4(a.c + (tg + a.groups) * a.ldc + own, after.c);
    }
    workgroupBarrier();
  }
}

fn addTile(product: ptr<function, mat4x4f>, d: u32, quad: u32, unit: u32) {
  let x = tileRows[d * TILE_APART + quad];
  let w = d * 4u * TILE_UNITS + unit;
  (*product)[0] = fma(vec4f(tileWeights[w]), x, (*product)[0]);
  (*product)[1] = fma(vec4f(tileWeights[w + TILE_UNITS]), x, (*product)[1]);
  (*product)[2] = fma(vec4f(tileWeights[w + 2u * TILE_UNITS]), x, (*product)[2]);
  (*product)[3] = fma(vec4f(tileWeights[w + 3u * TILE_UNITS]), x, (*product)[3]);
}

/** Step `repetition` of lstmBackward, of T + 1: as gruBackwardStep. */
@compute @workgroup_size(256)
fn lstmBackwardStep(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_lstmBackward;
  let H = a.H;
  let slot = select(a.T - repetition, repetition + 1u, a.reverse != 0u);
  let across = (H + TILE_UNITS - 1u) / TILE_UNITS;
  let quad = i % 8u;
  let unit = i / 8u % TILE_UNITS;
  for (var tile = id.x; tile < stepTiles(H, a.groups); tile += count.x) {
    let j0 = tile % across * TILE_UNITS;
    let g0 = tile / across * TILE_GROUPS;
    var sum = vec4f();
    if (repetition > 0u) {
      // The step before had gates from this slot's state to the next.
      let t = select(slot, slot - 2u, a.reverse != 0u);
      sum = tileBackward(a.gates + t * a.groups * a.ldg, a.ldg, a.panels, j0, g0, H, a.groups, i);
    }
    let j = j0 + unit;
    let group = g0 + quad / 2u;
    if (i < 64u && j < H && group < a.groups) {
      let lanes = quad % 2u * 4u;
      let own = lanes + j * LANES;
      let now = slot * a.groups + group;
      let p = a.dh + now * a.lddh + own;
      var all = load4(p);
      if (repetition > 0u) {
        all += sum + tileRows[i] + tileRows[i + 64u] + tileRows[i + 128u];
        store4(p, all);
      }
      if (repetition < a.T) {
        let tg = now - a.groups;
        let before = select(tg, now + a.groups, a.reverse != 0u);
        let on = activeRows(a.mask + tg * LANES + lanes);
        let dc = a.dc + group * H * LANES + own;
        let next = a.c + now * a.ldc + own;
        let d = gateGradients(all, load4(dc), next, a.c + before * a.ldc + own, a.gates + tg * a.ldg + own, H, on);
        let dPrevious = a.dh + before * a.lddh + own;
        store4(dPrevious, load4(dPrevious) + d.h);
        store4(dc, d.c);
      }
    }
    workgroupBarrier();
  }
}
