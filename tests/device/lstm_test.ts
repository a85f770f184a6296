import { Random } from "../../core/random.ts";
import type { Device } from "../../core/device/device.ts";
import { normals } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { lstm } from "../reference_layers.ts";
import { grouped, kernelTest, rowOf, runCalls, SIZES } from "./calls.ts";

/** Of the largest value: single precision over some steps. */
const ALLOWED = 4e-6;

interface Case {
  T: number;
  rows: number;
  H: number;
  reverse: number;
  /** Of the gates' inputs: how saturated they are. */
  scale?: number;
}

function randomCase({ T, rows, H, scale = 1 }: Case) {
  const random = new Random(1000 * T + 10 * rows + H, "data");
  const each = (steps: number, width: number, size: number) =>
    Array.from({ length: steps }, () => Array.from({ length: rows }, () => normals(random, width, size)));
  const lengths = Int32Array.from({ length: rows }, () => 1 + random.below(T));
  lengths[random.below(rows)] = T;
  return {
    lengths,
    x: each(T, 4 * H, scale),
    W: normals(random, 4 * H * H, 1 / Math.sqrt(H)),
    h0: each(1, H, 0.5),
    c0: each(1, H, 1),
    dh: each(T, H, 1),
    dc: each(1, H, 1),
  };
}

/** Forward and backward of random numbers, held to the reference, row by row. */
async function check(device: Device, given: Case) {
  const { T, rows, H, reverse } = given, { lengths, x, W, h0, c0, dh, dc } = randomCase(given);
  const groups = Math.ceil(rows / 8), ldh = 8 * H + 16, ldc = 8 * H + 8, ldg = 32 * H + 8, first = reverse ? T + 1 : 0;
  // Steps that a sequence does not have take no part, whatever their inputs are.
  const none = Array.from({ length: rows }, () => new Float32Array(4 * H));
  const inputs = x.map((step, t) => step.map((row, r) => t < lengths[r]! ? row : none[r]!));
  const slots = (initial: Float32Array[], steps: (Float32Array | null)[][], ld: number) => {
    const all = [steps[0]!, ...steps, steps[0]!].map((step, slot) =>
      slot === first ? initial : step.map((row) => row ?? new Float32Array(H).fill(NaN))
    );
    return grouped(all, { F: H, ld });
  };
  const unset = Array.from({ length: T }, () => Array.from({ length: rows }, () => null));
  const dSlots = dh.map((step, t) => step.map((row, r) => t < lengths[r]! ? row : new Float32Array(H)));
  const still = Array.from({ length: rows }, () => new Float32Array(H));
  const panels = new Float32Array(5 * Math.ceil(4 * H / 5) * (H + 5) * 5);
  const results = await runCalls(device, {
    w: W,
    lengths,
    forward: panels,
    backward: panels,
    mask: new Float32Array(8 * groups * T),
    gates: grouped(inputs, { F: 4 * H, ld: ldg }),
    kept: new Float32Array(T * groups * ldg),
    h: slots(h0[0]!, unset, ldh),
    c: slots(c0[0]!, unset, ldc),
    dh: slots(still, dSlots, ldh),
    dc: grouped(dc, { F: H }),
  }, (task, t) => {
    const sizes = { T, groups, H, ldc, ldg, reverse };
    task.call("activeLanes", { mask: t.mask, lengths: t.lengths, T, rows });
    task.call("packForward", { panels: t.forward, w: t.w, M: 4 * H, K: H, ldw: H, rotate: 0 });
    task.call("packBackward", { panels: t.backward, w: t.w, M: H, K: 4 * H, ldw: H, rotate: 0 });
    task.call("lstmForward", { h: t.h, c: t.c, gates: t.gates, panels: t.forward, mask: t.mask, ldh, ...sizes });
    task.call("copyVector", { dst: t.kept, src: t.gates, n: t.gates.length });
    const back = { dh: t.dh, dc: t.dc, gates: t.gates, c: t.c, panels: t.backward, mask: t.mask };
    task.call("lstmBackward", { ...back, lddh: ldh, ...sizes });
  });
  for (let r = 0; r < rows; r++) {
    const length = lengths[r]!, form = lstm({ T: length, H, reverse: reverse !== 0 });
    const flat = (steps: Float32Array[][]) =>
      Float64Array.from(steps.slice(0, length).flatMap((step) => Array.from(step[r]!)));
    const arrays = [flat(x), Float64Array.from(W), Float64Array.from(h0[0]![r]!), Float64Array.from(c0[0]![r]!)];
    const [states, last] = form.forward(arrays);
    const [dx, , dh0, dc0] = form.backward(arrays, [flat(dh), Float64Array.from(dc[0]![r]!)]);
    const about = `row ${r} of ${rows}, ${length} of ${T} steps, ${H} units, reverse ${reverse}`;
    const close = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, size = largest(expected)) =>
      assertClose(actual, expected, ALLOWED * Math.max(size, 0.1), `${name}, ${about}`);
    const at = (data: Float32Array, t: number, F: number, ld?: number) => rowOf(data, { t, r, count: rows, F, ld });
    for (let t = 0; t < length; t++) {
      close(`h ${t}`, at(results.h, t + 1, H, ldh), states!.subarray(t * H, t * H + H));
      close(`dgates ${t}`, at(results.gates, t, 4 * H, ldg), dx!.subarray(t * 4 * H, (t + 1) * 4 * H), largest(dx!));
    }
    close("last c", at(results.c, reverse ? 1 : T, H, ldc), last!);
    close("dh0", at(results.dh, first, H, ldh), dh0!);
    close("dc0", at(results.dc, 0, H), dc0!);
    // Behind the length: the state before, to the bit, and no gradient at all.
    for (let t = length; t < T; t++) {
      const before = reverse ? T + 1 : length;
      assertIdentical(at(results.h, t + 1, H, ldh), at(results.h, before, H, ldh), `h ${t}, ${about}`);
      assertIdentical(at(results.c, t + 1, H, ldc), at(results.c, before, H, ldc), `c ${t}, ${about}`);
      const dGates = at(results.gates, t, 4 * H, ldg).map(Math.abs);
      assertIdentical(dGates, new Float64Array(4 * H), `dgates ${t}, ${about}`);
    }
  }
}

for (const reverse of [0, 1]) {
  kernelTest(`an LSTM's states and gradients are the reference's, reverse ${reverse}`, async (device) => {
    for (const H of SIZES) await check(device, { T: 5, rows: 3, H, reverse });
    for (const rows of SIZES) await check(device, { T: 3, rows, H: 4, reverse });
    for (const T of SIZES) await check(device, { T, rows: 9, H: 3, reverse });
  });

  kernelTest(`an LSTM whose gates are saturated, reverse ${reverse}`, async (device) => {
    await check(device, { T: 6, rows: 10, H: 7, reverse, scale: 20 });
  });

  kernelTest(`a wide LSTM, step by step or in slices, reverse ${reverse}`, async (device) => {
    await check(device, { T: 3, rows: 5, H: 70, reverse });
    await check(device, { T: 3, rows: 37, H: 259, reverse });
  });
}
