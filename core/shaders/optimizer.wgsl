// From gradients to new parameters: core/kernels/optimizer.ts; the words of `control`: core/device/control.ts.

@compute @workgroup_size(256)
fn sumBlocks(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_sumBlocks[id.y];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    // Branches of the tree, the largest first: as many as count has bits, each half as large as the next before it is added.
    var branches: array<f32, 32>;
    var depth = 0u;
    for (var b = 0u; b < a.count; b++) {
      var sum = arena[a.blocks + b * a.stride + i];
      for (var whole = b; (whole & 1u) == 1u; whole >>= 1u) {
        depth--;
        sum = branches[depth] + sum;
      }
      branches[depth] = sum;
      depth++;
    }
    var sum = branches[depth - 1u];
    for (var d = depth - 1u; d > 0u; d--) {
      sum = branches[d - 1u] + sum;
    }
    arena[a.grads + i] = sum;
  }
}

@compute @workgroup_size(256)
fn averageGradients(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_averageGradients[id.y];
  let kept = arena[a.control + CONTROL_KEPT];
  let added = arena[a.control + CONTROL_ADDED];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    var g = added * arena[a.fresh + i];
    if (kept != 0.0) {
      g = fma(kept, arena[a.grads + i], g);
    }
    arena[a.grads + i] = g;
  }
}

/** A workgroup for each call; n is a multiple of 4. */
@compute @workgroup_size(256)
fn sumSquares(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let a = args_sumSquares[id.y];
  var sum = vec4f();
  for (var p = 4u * i; p < a.n; p += 4u * WIDTH) {
    let x = load4(a.grads + p);
    sum = fma(x, x, sum);
  }
  let all = sumOver(i, 1u, sum.x + sum.y + sum.z + sum.w);
  if (i == 0u) {
    arena[a.sum] = all;
  }
}

@compute @workgroup_size(256)
fn gradientNorm(@builtin(local_invocation_index) i: u32) {
  let a = args_gradientNorm;
  var sum = 0.0;
  for (var p = i; p < a.n; p += WIDTH) {
    sum += arena[a.sums + p];
  }
  sum = sumOver(i, 1u, sum);
  if (i == 0u) {
    arena[a.norm] = sqrt(sum);
  }
}

@compute @workgroup_size(256)
fn clipNorm(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_clipNorm[id.y];
  let factor = a.maxNorm / (arena[a.norm] + 1e-6);
  if (factor >= 1.0) {
    return;
  }
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    arena[a.grads + i] *= factor;
  }
}

@compute @workgroup_size(256)
fn clipValue(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_clipValue[id.y];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    let x = arena[a.grads + i];
    arena[a.grads + i] = select(clamp(x, -a.limit, a.limit), x, isNan(vec4f(x)).x);
  }
}

@compute @workgroup_size(256)
fn adam(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_adam[id.y];
  let stepSize = arena[a.control + CONTROL_STEP_SIZE];
  let correction = arena[a.control + CONTROL_CORRECTION];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    var p = arena[a.params + i];
    var g = arena[a.grads + i];
    if (a.weightDecay != 0.0) {
      if (a.decoupled != 0u) {
        p *= arena[a.control + CONTROL_DECAY];
      } else {
        g = fma(a.weightDecay, p, g);
      }
    }
    let m = fma(a.newM, g - arena[a.m + i], arena[a.m + i]);
    var v = fma(a.newV * g, g, a.beta2 * arena[a.v + i]);
    arena[a.m + i] = m;
    arena[a.v + i] = v;
    if (a.amsgrad != 0u) {
      v = max(arena[a.largest + i], v);
      arena[a.largest + i] = v;
    }
    arena[a.params + i] = p - stepSize * m / (sqrt(v) / correction + a.eps);
  }
}

@compute @workgroup_size(256)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_sgd[id.y];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    let p = arena[a.params + i];
    var g = arena[a.grads + i];
    if (a.weightDecay != 0.0) {
      g = fma(a.weightDecay, p, g);
    }
    if (a.momentum != 0.0) {
      let moved = fma(a.momentum, arena[a.buffer + i], arena[a.control + CONTROL_FRESH] * g);
      arena[a.buffer + i] = moved;
      g = select(moved, fma(a.momentum, moved, g), a.nesterov != 0u);
    }
    arena[a.params + i] = p - arena[a.control + CONTROL_LEARNING_RATE] * g;
  }
}

@compute @workgroup_size(256)
fn rmsprop(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let a = args_rmsprop[id.y];
  for (var i = id.x; i < a.n; i += WIDTH * count.x) {
    let p = arena[a.params + i];
    var g = arena[a.grads + i];
    if (a.weightDecay != 0.0) {
      g = fma(a.weightDecay, p, g);
    }
    let s = fma(a.fresh * g, g, a.alpha * arena[a.squares + i]);
    arena[a.squares + i] = s;
    arena[a.params + i] = p - arena[a.control + CONTROL_LEARNING_RATE] * g / (sqrt(s) + a.eps);
  }
}
