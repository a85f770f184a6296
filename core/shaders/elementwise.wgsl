// Functions of each number by itself: core/kernels/elementwise.ts. One invocation for each.

const TANH = 0u;
const RELU = 1u;

@compute @workgroup_size(256)
fn elementwiseForward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_elementwiseForward;
  let size = a.F * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let x = vec4f(arena[a.x + i / size * a.ldx + i % size]);
    var y = vec4f();
    if (a.which == TANH) {
      y = tanh4(x);
    } else if (a.which == RELU) {
      y = select(max(x, vec4f()), x, isNan(x));
    } else {
      y = sigmoid4(x);
    }
    arena[a.y + i / size * a.ldy + i % size] = y.x;
  }
}

@compute @workgroup_size(256)
fn elementwiseBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_elementwiseBackward;
  let size = a.F * LANES;
  for (var i = id.x; i < a.groups * size; i += WIDTH * count.x) {
    let y = arena[a.y + i / size * a.ldy + i % size];
    var d = arena[a.dy + i / size * a.lddy + i % size];
    if (a.which == TANH) {
      d *= 1.0 - y * y;
    } else if (a.which == RELU) {
      d = select(0.0, d, y > 0.0);
    } else {
      d *= y * (1.0 - y);
    }
    let p = a.dx + i / size * a.lddx + i % size;
    if (a.accumulate != 0u) {
      d += arena[p];
    }
    arena[p] = d;
  }
}
