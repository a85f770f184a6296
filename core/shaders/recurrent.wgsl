// What recurrent cells share: core/shaders/gru.wgsl and lstm.wgsl, which give PARTS (gates in a product), TILE_DEPTH and
// TILE_VECTORS. Rows do not depend on one another, steps do.
//
// Up to 256 units, a workgroup carries 4 rows, half a group, through all steps. Its invocations are UNITS for the units,
// forward SLICES times: the slices share the sum over the units before. The state stands in workgroup memory; of the
// weights, a step's reads are neighbouring, and the next step finds them in a cache. Backward there are no slices: with
// them, Mesa's software driver loses memory at every dispatch.
//
// Larger weights would be read by every workgroup in every step: there, each step is a dispatch, cut into tiles of 8 units
// and 32 rows. A workgroup reads the weights of its units only, and its rows' states.

override UNITS: u32 = 32u;
override SLICES: u32 = 1u;
override WORKERS: u32 = UNITS * SLICES;

/** Sums of the slices but the first, for each gate. */
override PARTIALS: u32 = max(PARTS * UNITS * (SLICES - 1u), 1u);
override GATES: u32 = PARTS * UNITS;

var<workgroup> state: array<vec4f, UNITS>;
var<workgroup> partials: array<vec4f, PARTIALS>;
var<workgroup> dGates: array<vec4f, GATES>;

/** Which of 4 rows have not ended. */
fn activeRows(mask: u32) -> vec4<bool> {
  return load4(mask) > vec4f(0.0);
}

/** `sum` + W_hhᵀ · dGates for unit j. */
fn addGates(sum: vec4f, panels: u32, j: u32, H: u32) -> vec4f {
  var total = sum;
  var m = 0u;
  var w = panels + j;
  for (; m + 4u <= PARTS * H; m += 4u) {
    total = fma(vec4f(arena[w]), dGates[m], total);
    total = fma(vec4f(arena[w + H]), dGates[m + 1u], total);
    total = fma(vec4f(arena[w + 2u * H]), dGates[m + 2u], total);
    total = fma(vec4f(arena[w + 3u * H]), dGates[m + 3u], total);
    w += 4u * H;
  }
  for (; m < PARTS * H; m++) {
    total = fma(vec4f(arena[w]), dGates[m], total);
    w += H;
  }
  return total;
}

/** Units and groups in a tile of a step. TILE_DEPTH of the sum go through workgroup memory at a time, in four slices. */
const TILE_UNITS = 8u;
const TILE_GROUPS = 4u;
/** Vectors from one depth to the next: one more than there are, so that they begin in different banks. */
const TILE_APART = 9u;
const TILE_WEIGHTS = TILE_DEPTH * PARTS * TILE_UNITS;

/** (depth, 32 rows) of what the weights are multiplied with; then the sums of the slices. */
var<workgroup> tileRows: array<vec4f, TILE_VECTORS>;
/** (depth, PARTS or 1, 8 units). */
var<workgroup> tileWeights: array<f32, TILE_WEIGHTS>;

/** Brings `TILE_DEPTH` features from `x` on of 32 rows, as many as there are. */
fn loadRows(x: u32, ld: u32, g0: u32, groups: u32, features: u32, i: u32) {
  for (var e = i; e < TILE_GROUPS * TILE_DEPTH * 2u; e += WIDTH) {
    let group = e / (TILE_DEPTH * 2u);
    let depth = e / 2u % TILE_DEPTH;
    var value = vec4f();
    if (g0 + group < groups && depth < features) {
      value = load4(x + (g0 + group) * ld + depth * LANES + e % 2u * 4u);
    }
    tileRows[depth * TILE_APART + group * 2u + e % 2u] = value;
  }
}

/** Brings the weights of 8 units from j0 on for `TILE_DEPTH` features: `parts` for each, H apart. */
fn loadWeights(w: u32, parts: u32, j0: u32, H: u32, features: u32, i: u32) {
  let row = parts * TILE_UNITS;
  for (var e = i; e < TILE_DEPTH * row; e += WIDTH) {
    let depth = e / row;
    let j = j0 + e % TILE_UNITS;
    var value = 0.0;
    if (depth < features && j < H) {
      value = arena[w + (depth * parts + e / TILE_UNITS % parts) * H + j];
    }
    tileWeights[e] = value;
  }
}

fn stepTiles(H: u32, groups: u32) -> u32 {
  return (H + TILE_UNITS - 1u) / TILE_UNITS * ((groups + TILE_GROUPS - 1u) / TILE_GROUPS);
}

/**
 * This slice of W_hhᵀ · dGates for one unit and 4 rows of a tile, the gates' gradients at `gates`. The sums of the other
 * slices are left in tileRows.
 */
fn tileBackward(gates: u32, ldg: u32, panels: u32, j0: u32, g0: u32, H: u32, groups: u32, i: u32) -> vec4f {
  let quad = i % 8u;
  let unit = i / 8u % TILE_UNITS;
  let slice = i / 64u;
  var sum = vec4f();
  for (var m0 = 0u; m0 < PARTS * H; m0 += TILE_DEPTH) {
    loadRows(gates + m0 * LANES, ldg, g0, groups, PARTS * H - m0, i);
    loadWeights(panels + m0 * H, 1u, j0, H, PARTS * H - m0, i);
    workgroupBarrier();
    for (var d = slice * (TILE_DEPTH / 4u); d < (slice + 1u) * (TILE_DEPTH / 4u); d += 2u) {
      let x = tileRows[d * TILE_APART + quad];
      let y = tileRows[(d + 1u) * TILE_APART + quad];
      sum = fma(vec4f(tileWeights[d * TILE_UNITS + unit]), x, sum);
      sum = fma(vec4f(tileWeights[(d + 1u) * TILE_UNITS + unit]), y, sum);
    }
    workgroupBarrier();
  }
  if (slice > 0u) {
    tileRows[(slice - 1u) * 64u + i % 64u] = sum;
  }
  workgroupBarrier();
  return sum;
}
