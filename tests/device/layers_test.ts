import assert from "node:assert/strict";
import type { Device } from "../../core/device/device.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { elementwise, FUNCTIONS, layerNorm, pool, POOLS } from "../reference_layers.ts";
import { grouped, kernelTest, rowOf, runCalls, SIZES } from "./calls.ts";

/** Of the largest value. */
const ALLOWED = 2e-6;
const EPS = 1e-5;

const exact = (numbers: ArrayLike<number>) => Float64Array.from(numbers);
const none = (length: number) => new Float32Array(length).fill(NaN);

/** Steps of rows of random numbers. */
function draw(random: Random, [T, rows, F]: [number, number, number], scale = 1): Float32Array<ArrayBuffer>[][] {
  return Array.from({ length: T }, () => Array.from({ length: rows }, () => normals(random, F, scale)));
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, about: string, size = largest(expected)) {
  assertClose(actual, expected, ALLOWED * Math.max(size, 0.1), about);
}

/** The sum of gradients and what stood there before, where they are added. */
function plus(accumulate: number, gradient: Float64Array, before: ArrayLike<number>): Float64Array {
  return gradient.map((d, i) => d + (accumulate ? before[i]! : 0));
}

/** A tensor with gaps in which gradients are added, or an unset one. */
function start(accumulate: number, steps: Float32Array[][], F: number, ld: number) {
  return accumulate ? grouped(steps, { F, ld }) : none(grouped(steps, { F, ld }).length);
}

kernelTest("layer normalization is the reference's, forward and backward", async (device) => {
  for (const F of [...SIZES, 67]) {
    for (const [rows, affine, accumulate] of [[1, 1, 0], [13, 1, 1], [7, 0, 0], [21, 0, 1]] as const) {
      await normalize(device, { F, rows, affine, accumulate, offset: 0 });
    }
  }
});

kernelTest("layer normalization of numbers that hardly differ", async (device) => {
  await normalize(device, { F: 9, rows: 5, affine: 1, accumulate: 0, offset: 30 });
});

async function normalize(
  device: Device,
  { F, rows, affine, accumulate, offset }: {
    F: number;
    rows: number;
    affine: number;
    accumulate: number;
    offset: number;
  },
) {
  const random = new Random(F * 100 + rows, "data"), shape = [1, rows, F] as [number, number, number];
  const [x, dy, before] = [draw(random, shape), draw(random, shape), draw(random, shape)];
  x![0] = x![0]!.map((row) => row.map((v) => v + offset));
  const gamma = affine ? normals(random, F) : new Float32Array(F).fill(1), groups = Math.ceil(rows / 8);
  const beta = affine ? normals(random, F) : new Float32Array(F), ldx = 8 * F + 8, ldy = 8 * F + 16, lddx = 8 * F + 24;
  const results = await runCalls(device, {
    x: grouped(x!, { F, ld: ldx }),
    dy: grouped(dy!, { F, ld: ldy }),
    y: none(groups * ldy),
    stats: none(16 * groups),
    gamma,
    beta,
    dGamma: none(F),
    dBeta: none(F),
    lanes: none(16 * F),
    dx: start(accumulate, before!, F, lddx),
    inPlace: grouped(x!, { F, ld: ldx }),
    more: none(16 * groups),
  }, (task, t) => {
    const given = { gamma: affine ? t.gamma : null, beta: affine ? t.beta : null };
    const back = {
      dGamma: affine ? t.dGamma : null,
      dBeta: affine ? t.dBeta : null,
      lanes: t.lanes,
      dx: t.dx,
      dy: t.dy,
    };
    const { x, stats } = t, sizes = { groups, F, ldx };
    task.call("layerNormForward", { y: t.y, stats, x, ...given, ...sizes, ldy, eps: EPS });
    task.call("layerNormForward", {
      y: t.inPlace,
      stats: t.more,
      x: t.inPlace,
      ...given,
      ...sizes,
      ldy: ldx,
      eps: EPS,
    });
    task.call("layerNormBackward", { ...back, x, stats, gamma: given.gamma, ...sizes, lddx, lddy: ldy, accumulate });
  });
  const form = layerNorm(EPS), dGamma = new Float64Array(F), dBeta = new Float64Array(F);
  for (let r = 0; r < rows; r++) {
    const arrays = [x![0]![r]!, gamma, beta].map(exact), [y] = form.forward(arrays);
    const [dx, dG, dB] = form.backward(arrays, [exact(dy![0]![r]!)]);
    dG!.forEach((d, f) => dGamma[f]! += d), dB!.forEach((d, f) => dBeta[f]! += d);
    const about = `row ${r} of ${rows}, ${F} features`, at = { r, count: rows, F };
    // The mean of large numbers is known to their rounding.
    const size = (1 + offset * 4) * Math.max(1, largest(y!));
    close(rowOf(results.y, { ...at, ld: ldy }), y!, `y, ${about}`, size);
    assertIdentical(
      rowOf(results.inPlace, { ...at, ld: ldx }),
      rowOf(results.y, { ...at, ld: ldy }),
      `in place, ${about}`,
    );
    // One feature has no gradient but what rounding leaves, times 1 / √eps.
    const scale = F === 1 ? 0.1 / Math.sqrt(EPS) : Math.max(largest(dx!), 1);
    const allowed = scale * (1 + offset * 4);
    close(rowOf(results.dx, { ...at, ld: lddx }), plus(accumulate, dx!, before![0]![r]!), `dx, ${about}`, allowed);
  }
  if (!affine) return;
  close(results.dGamma, dGamma, `dGamma, ${rows} rows of ${F}`, 4 * (1 + offset * 4) * Math.max(1, largest(dGamma)));
  close(results.dBeta, dBeta, `dBeta, ${rows} rows of ${F}`, 4 * Math.max(1, largest(dBeta)));
}

kernelTest("pooling over time is the reference's, forward and backward", async (device) => {
  for (const [which, name] of POOLS.entries()) {
    for (const [T, rows, F, accumulate] of [[1, 3, 5, 0], [5, 13, 3, 1], [7, 1, 1, 0], [3, 17, 13, 0]] as const) {
      const random = new Random(T * 100 + rows, "data"), shape = [T, rows, F] as [number, number, number];
      const [x, before] = [draw(random, shape), draw(random, shape)], [dy] = draw(random, [1, rows, F]);
      // Equal numbers: the first of them has it.
      for (const step of x!) for (const row of step) row.forEach((v, f) => row[f] = Math.round(2 * v) / 2);
      const lengths = Int32Array.from({ length: rows }, () => 1 + random.below(T)), groups = Math.ceil(rows / 8);
      // Behind its length a sequence has nothing, not even a NaN.
      const spoilt = x!.map((step, t) => step.map((row, r) => t < lengths[r]! ? row : none(F)));
      const ldx = 8 * F + 8, ldy = 8 * F + 16, lddx = 8 * F + 24;
      const results = await runCalls(device, {
        lengths,
        mask: none(T * 8 * groups),
        x: grouped(spoilt, { F, ld: ldx, rest: NaN }),
        y: none(groups * ldy),
        index: none(groups * 8 * F),
        dy: grouped([dy!], { F, ld: ldy }),
        dx: start(accumulate, before!, F, lddx),
      }, (task, { mask, lengths, x, y, index, dy, dx }) => {
        task.call("activeLanes", { mask, lengths, T, rows });
        task.call("poolForward", { y, index, x, mask, T, groups, F, ldy, ldx, which });
        task.call("poolBackward", { dx, dy, index, mask, T, groups, F, lddx, lddy: ldy, which, accumulate });
      });
      const form = pool(name, F);
      for (let r = 0; r < 8 * groups; r++) {
        const about = `${name} of row ${r}, T ${T}, F ${F}`, at = { r, count: rows, F };
        const found = rowOf(results.y, { ...at, ld: ldy }), length = lengths[r] ?? 0;
        if (length === 0) {
          assertIdentical(found, new Float64Array(F), about);
          continue;
        }
        const steps = exact(x!.slice(0, length).flatMap((step) => Array.from(step[r]!)));
        const [y] = form.forward([steps]), [dx] = form.backward([steps], [exact(dy![r]!)]);
        close(found, y!, about);
        for (let t = 0; t < T; t++) {
          const d = t < length ? dx!.slice(t * F, t * F + F) : new Float64Array(F);
          const actual = rowOf(results.dx, { t, ...at, ld: lddx });
          close(actual, plus(accumulate, d, before![t]![r]!), `dx ${t}, ${about}`);
          if (!accumulate && t >= length) assertIdentical(actual, new Float64Array(F), `dx ${t} behind, ${about}`);
        }
      }
    }
  }
});

kernelTest("a NaN among a sequence's steps is its largest", async (device) => {
  const x = [1, NaN, 2, 3].map((v) => [Float32Array.of(v), Float32Array.of(-v)]);
  const { y, index } = await runCalls(device, {
    lengths: Int32Array.of(4, 1),
    mask: none(32),
    x: grouped(x, { F: 1 }),
    y: none(8),
    index: none(8),
  }, (task, { mask, lengths, x, y, index }) => {
    task.call("activeLanes", { mask, lengths, T: 4, rows: 2 });
    task.call("poolForward", { y, index, x, mask, T: 4, groups: 1, F: 1, ldy: 8, ldx: 8, which: 2 });
  });
  assertIdentical(y, [NaN, -1, 0, 0, 0, 0, 0, 0], "y");
  assertIdentical(index.subarray(0, 2), [1, 0], "index");
});

kernelTest("functions of each number are the reference's, forward and backward", async (device) => {
  for (const [which, name] of FUNCTIONS.entries()) {
    for (const [F, rows, accumulate] of [[1, 3, 0], [5, 13, 1], [7, 1, 0], [13, 19, 1]] as const) {
      const random = new Random(F, "data"),
        shape = [1, rows, F] as [number, number, number],
        groups = Math.ceil(rows / 8);
      const [x, dy, before] = [draw(random, shape, 3), draw(random, shape), draw(random, shape)];
      const ldx = 8 * F + 8, ldy = 8 * F + 16, lddx = 8 * F + 24;
      const results = await runCalls(device, {
        x: grouped(x!, { F, ld: ldx }),
        y: none(groups * ldy),
        inPlace: grouped(x!, { F, ld: ldx }),
        dy: grouped(dy!, { F, ld: ldy }),
        dx: start(accumulate, before!, F, lddx),
      }, (task, t) => {
        const { x, y, inPlace, dx, dy } = t;
        task.call("elementwiseForward", { y, x, groups, F, ldy, ldx, which });
        task.call("elementwiseForward", { y: inPlace, x: inPlace, groups, F, ldy: ldx, ldx, which });
        task.call("elementwiseBackward", { dx, dy, y, groups, F, lddx, lddy: ldy, ldy, which, accumulate });
      });
      const form = elementwise(name);
      for (let r = 0; r < rows; r++) {
        const about = `${name} of row ${r}, F ${F}`, at = { r, count: rows, F }, row = exact(x![0]![r]!);
        const [y] = form.forward([row]), [dx] = form.backward([row], [exact(dy![0]![r]!)]);
        close(rowOf(results.y, { ...at, ld: ldy }), y!, about);
        assertIdentical(rowOf(results.inPlace, { ...at, ld: ldx }), rowOf(results.y, { ...at, ld: ldy }), about);
        close(rowOf(results.dx, { ...at, ld: lddx }), plus(accumulate, dx!, before![0]![r]!), `dx, ${about}`);
      }
    }
  }
});

kernelTest("lanes without a step become 0, and dropout's gradient is added", async (device) => {
  for (const [T, rows, F] of [[1, 1, 1], [3, 13, 5], [5, 7, 3]] as const) {
    const random = new Random(T, "data"), lengths = Int32Array.from({ length: rows }, () => 1 + random.below(T));
    const [x, y, mask] = [0, 1, 2].map(() => draw(random, [T, rows, F])), groups = Math.ceil(rows / 8), ldx = 8 * F + 8;
    const spoilt = x!.map((step, t) => step.map((row, r) => t < lengths[r]! ? row : none(F)));
    const results = await runCalls(device, {
      lengths,
      active: none(T * groups * 8),
      x: grouped(spoilt, { F, ld: ldx, rest: NaN }),
      y: grouped(y!, { F }),
      mask: grouped(mask!, { F, ld: ldx }),
    }, (task, { lengths, active, x, y, mask }) => {
      task.call("activeLanes", { mask: active, lengths, T, rows });
      task.call("maskLanes", { x, mask: active, groups: T * groups, F, ldx });
      const sizes = { groups: T * groups, F, ldy: 8 * F, ldx, ldm: ldx };
      task.call("dropoutAccumulate", { y, x, mask, ...sizes });
    });
    for (let t = 0; t < T; t++) {
      for (let r = 0; r < 8 * groups; r++) {
        const at = { t, r, count: rows, F }, kept = t < (lengths[r] ?? 0) ? x![t]![r]! : new Float32Array(F);
        assertIdentical(rowOf(results.x, { ...at, ld: ldx }), kept, `row ${r}, step ${t}`);
        if (r >= rows) continue;
        const sum = exact(kept).map((v, f) => y![t]![r]![f]! + v * mask![t]![r]![f]!);
        close(rowOf(results.y, at), sum, `sum, row ${r}, step ${t}`);
      }
    }
  }
});

kernelTest("classes keep their bits, and are 0 behind a sequence's length", async (device) => {
  for (const [T, rows] of [[1, 1], [3, 13], [5, 7]] as const) {
    const random = new Random(T, "data"), lengths = Int32Array.from({ length: rows }, () => 1 + random.below(T));
    // Small ones, that a float would lose, and what stands behind the length.
    const src = Int32Array.from({ length: rows * T }, (_, i) => i % T < lengths[Math.floor(i / T)]! ? 1 + i : -7);
    const groups = Math.ceil(rows / 8);
    const { dst } = await runCalls(
      device,
      { src, lengths, dst: none(T * groups * 8) },
      (task, { dst, src, lengths }) => {
        task.call("classesIn", { dst, src, lengths, T, rows });
      },
    );
    const expected = Array.from({ length: T * groups * 8 }, (_, i) => {
      const t = Math.floor(i / (8 * groups)), r = i % (8 * groups);
      return t < (lengths[r] ?? 0) ? src[r * T + t]! : 0;
    });
    assert.deepEqual([...new Int32Array(dst.buffer)], expected);
  }
});
