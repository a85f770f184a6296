// y = W·x + b for every row, and its gradients: core/kernels/linear.ts.
//
// A packed (M, K) matrix is its transpose here, (K, M), so that neighbouring invocations read neighbouring rows of it.
// Inputs transposed are the same groups without gaps.
//
// Products are cut into tiles of 64 × 64, one for each workgroup, each invocation with 4 × 4 of it; both sides pass through
// workgroup memory in slices of 16.

const TILE = 64u;
const DEPTH = 16u;
/** Vectors from one row of a slice to the next: one more than it has, so that rows begin in different banks. */
const APART = 17u;

var<workgroup> left: array<vec4f, 272>;
var<workgroup> right: array<vec4f, 272>;

@compute @workgroup_size(256)
fn packForward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_packForward[id.y];
  for (var i = id.x; i < a.M * a.K; i += WIDTH * count.x) {
    arena[a.panels + i] = arena[a.w + (i % a.M + a.rotate) % a.M * a.ldw + i / a.M];
  }
}

@compute @workgroup_size(256)
fn packBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_packBackward[id.y];
  for (var i = id.x; i < a.M * a.K; i += WIDTH * count.x) {
    arena[a.panels + i] = arena[a.w + (i / a.M + a.rotate) % a.K * a.ldw + i % a.M];
  }
}

struct Product {
  y: u32,
  ldy: u32,
  panels: u32,
  x: u32,
  ldx: u32,
  bias: u32,
  accumulate: bool,
  M: u32,
  K: u32,
  groups: u32,
}

/** Adds the outer product of two vectors of a slice. Written out several times where it is used: loops cost on a GPU. */
fn addOuter(sums: ptr<function, mat4x4f>, row: u32, column: u32) {
  let x = left[row];
  let y = right[column];
  (*sums)[0] = fma(vec4f(x.x), y, (*sums)[0]);
  (*sums)[1] = fma(vec4f(x.y), y, (*sums)[1]);
  (*sums)[2] = fma(vec4f(x.z), y, (*sums)[2]);
  (*sums)[3] = fma(vec4f(x.w), y, (*sums)[3]);
}

/** Tile `tile` of y = W·x + bias, or of y += W·x; x (groups, K, 8), y (groups, M, 8). Its columns are 8 groups. */
fn productTile(p: Product, tile: u32, i: u32) {
  let tiles = (p.M + TILE - 1u) / TILE;
  let m0 = tile % tiles * TILE;
  let g0 = tile / tiles * 8u;
  // What this invocation computes: 4 rows, half the lanes of a group.
  let half = i % 2u;
  let quad = i / 2u % 16u;
  let group = i / 32u;
  var sums = mat4x4f();
  for (var k0 = 0u; k0 < p.K; k0 += DEPTH) {
    // Of the weights, 4 rows of one k; of the inputs, half the lanes of one k.
    let k = k0 + i / 16u;
    let m = m0 + i % 16u * 4u;
    var w = vec4f();
    if (k < p.K) {
      for (var c = 0u; c < 4u; c++) {
        if (m + c < p.M) {
          w[c] = arena[p.panels + k * p.M + m + c];
        }
      }
    }
    left[i / 16u * APART + i % 16u] = w;
    var x = vec4f();
    if (g0 + group < p.groups && k0 + quad < p.K) {
      x = load4(p.x + (g0 + group) * p.ldx + (k0 + quad) * LANES + half * 4u);
    }
    right[quad * APART + group * 2u + half] = x;
    workgroupBarrier();
    let column = group * 2u + half;
    for (var d = 0u; d < DEPTH; d += 4u) {
      addOuter(&sums, d * APART + quad, d * APART + column);
      addOuter(&sums, (d + 1u) * APART + quad, (d + 1u) * APART + column);
      addOuter(&sums, (d + 2u) * APART + quad, (d + 2u) * APART + column);
      addOuter(&sums, (d + 3u) * APART + quad, (d + 3u) * APART + column);
    }
    workgroupBarrier();
  }
  if (g0 + group < p.groups) {
    let m = m0 + quad * 4u;
    let y = p.y + (g0 + group) * p.ldy + m * LANES + half * 4u;
    finish(p, y, m, sums[0]);
    finish(p, y + LANES, m + 1u, sums[1]);
    finish(p, y + 2u * LANES, m + 2u, sums[2]);
    finish(p, y + 3u * LANES, m + 3u, sums[3]);
  }
}

fn finish(p: Product, y: u32, m: u32, sum: vec4f) {
  if (m >= p.M) {
    return;
  }
  var x = sum;
  if (p.bias != NONE) {
    x += arena[p.bias + m];
  }
  if (p.accumulate) {
    x += load4(y);
  }
  store4(y, x);
}

fn productTiles(M: u32, groups: u32) -> u32 {
  return (M + TILE - 1u) / TILE * ((groups + 7u) / 8u);
}

@compute @workgroup_size(256)
fn linearForward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_linearForward;
  let p = Product(a.y, a.ldy, a.panels, a.x, a.ldx, a.bias, false, a.M, a.K, a.groups);
  for (var tile = id.x; tile < productTiles(a.M, a.groups); tile += count.x) {
    productTile(p, tile, i);
  }
}

@compute @workgroup_size(256)
fn linearBackwardInput(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_linearBackwardInput;
  let p = Product(a.dx, a.lddx, a.panels, a.dy, a.lddy, NONE, a.accumulate != 0u, a.M, a.K, a.groups);
  for (var tile = id.x; tile < productTiles(a.M, a.groups); tile += count.x) {
    productTile(p, tile, i);
  }
}

@compute @workgroup_size(256)
fn transposeInput(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_transposeInput;
  let size = a.F * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    arena[a.transposed + i] = arena[a.x + i / size * a.ldx + i % size];
  }
}

/** Four features of one row of one of the two groups in a slice: 0 where there are none. */
fn rowQuad(start: u32, ld: u32, features: u32, first: u32, group: u32, groups: u32, lane: u32) -> vec4f {
  var x = vec4f();
  if (group < groups) {
    for (var c = 0u; c < 4u; c++) {
      if (first + c < features) {
        x[c] = arena[start + group * ld + (first + c) * LANES + lane];
      }
    }
  }
  return x;
}

/**
 * A workgroup for each tile of each slice of the groups. One slice alone gives the gradient; else each leaves its product in
 * scratch, M × N.
 */
@compute @workgroup_size(256)
fn linearBackwardWeight(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) i: u32,
) {
  let a = args_linearBackwardWeight;
  let across = (a.N + TILE - 1u) / TILE;
  let tiles = (a.M + TILE - 1u) / TILE * across;
  let slices = u32(a.slices);
  for (var work = id.x; work < tiles * slices; work += count.x) {
    let tile = work % tiles;
    let slice = work / tiles;
    let m0 = tile / across * TILE;
    let n0 = tile % across * TILE;
    let lane = i % LANES;
    let quad = i / LANES % 16u;
    let group = i / 128u;
    let end = (slice + 1u) * a.groups / slices;
    var sums = mat4x4f();
    for (var g = slice * a.groups / slices; g < end; g += 2u) {
      let to = (group * LANES + lane) * APART + quad;
      left[to] = rowQuad(a.dy, a.lddy, a.M, m0 + quad * 4u, g + group, end, lane);
      right[to] = rowQuad(a.transposed, a.N * LANES, a.N, n0 + quad * 4u, g + group, end, lane);
      workgroupBarrier();
      for (var d = 0u; d < DEPTH; d += 4u) {
        addOuter(&sums, d * APART + i / 16u, d * APART + i % 16u);
        addOuter(&sums, (d + 1u) * APART + i / 16u, (d + 1u) * APART + i % 16u);
        addOuter(&sums, (d + 2u) * APART + i / 16u, (d + 2u) * APART + i % 16u);
        addOuter(&sums, (d + 3u) * APART + i / 16u, (d + 3u) * APART + i % 16u);
      }
      workgroupBarrier();
    }
    let m = m0 + i / 16u * 4u;
    let n = n0 + i % 16u * 4u;
    for (var c = 0u; c < 4u; c++) {
      for (var d = 0u; d < 4u; d++) {
        if (m + c < a.M && n + d < a.N) {
          let at = select(a.scratch + (slice * a.M + m + c) * a.N, weightRow(m + c), slices == 1u);
          arena[at + n + d] = sums[c][d];
        }
      }
    }
  }
}

/** Where row m of the gradient goes. */
fn weightRow(m: u32) -> u32 {
  let a = args_linearBackwardWeight;
  return a.dw + (m + a.rotate) % a.M * a.lddw;
}

/** Adds up what the slices have left. */
@compute @workgroup_size(256)
fn linearBackwardWeightSum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_linearBackwardWeight;
  let size = a.M * a.N;
  for (var e = id.x; e < size; e += WIDTH * count.x) {
    var sum = 0.0;
    for (var p = a.scratch + e; p < a.scratch + u32(a.slices) * size; p += size) {
      sum += arena[p];
    }
    arena[weightRow(e / a.N) + e % a.N] = sum;
  }
}

/** A workgroup for every 4 features: its invocations share the groups. */
@compute @workgroup_size(256)
fn linearBackwardBias(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_linearBackwardBias[id.y];
  let m = id.x * 4u + i % 4u;
  var sum = 0.0;
  if (m < a.M) {
    for (var g = i / 32u; g < a.groups; g += 8u) {
      sum += arena[a.dy + g * a.lddy + m * LANES + i / 4u % LANES];
    }
  }
  sum = sumOver(i, 4u, sum);
  if (i < 4u && m < a.M) {
    arena[a.db + (m + a.rotate) % a.M] = sum;
  }
}
