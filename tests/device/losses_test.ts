import assert from "node:assert/strict";
import type { Device } from "../../core/device/device.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose, assertIdentical, largest } from "../close.ts";
import { isRight, LOSS_KERNELS, type LossSettings, rowLoss } from "../reference_layers.ts";
import { grouped, kernelTest, rowOf, runCalls, SIZES } from "./calls.ts";

/** Of the largest value. */
const ALLOWED = 3e-6;

type LossName = typeof LOSS_KERNELS[number];

interface Case {
  T: number;
  rows: number;
  O: number;
  settings?: LossSettings;
  /** Whether rows have weights. */
  weighted?: boolean;
  /** Whether rows are steps of sequences of different lengths. */
  masked?: boolean;
  /** Of the logits. */
  scale?: number;
}

const classed = (name: LossName) => /rossEntropy|^focal/.test(name);

/** What the settings are to the kernel. */
function callOf(name: LossName, settings: LossSettings) {
  switch (name) {
    case "binaryFocalLoss":
    case "focalLoss":
      return { gamma: settings.gamma!, alpha: settings.alpha! };
    case "crossEntropySmoothLoss":
      return { smoothing: settings.smoothing! };
    case "huberLoss":
      return { delta: settings.delta! };
    case "quantileLoss":
      return { Q: settings.quantiles!.length };
    default:
      return {};
  }
}

/** Runs a loss kernel on random rows and holds it to the reference. */
async function check(device: Device, name: LossName, given: Case) {
  const { T, rows, O, settings = {}, weighted, masked, scale = 1.5 } = given, Q = settings.quantiles?.length ?? 1;
  const random = new Random(100 * O + rows + T, "data"), groups = Math.ceil(rows / 8), width = O * Q;
  const steps = <V>(make: () => V) => Array.from({ length: T }, () => Array.from({ length: rows }, make));
  const logits = steps(() => normals(random, width, scale));
  const targets = steps(() =>
    Float32Array.from(
      { length: O },
      () => classed(name) ? random.below(O) : /^b/.test(name) ? random.below(2) : random.normal(),
    )
  );
  // A target that is met: where the slope of some losses jumps.
  if (!classed(name)) targets[0]![0]![0] = /^b/.test(name) ? 0.25 : logits[0]![0]![0]!;
  const lengths = Int32Array.from({ length: rows }, () => masked ? 1 + random.below(T) : T);
  const weights = steps(() => weighted ? random.below(3) && 0.1 + random.uniform() : 1);
  const valid = (t: number, r: number) => t < (lengths[r] ?? 0);
  // What does not count may be anything.
  const spoilt = masked
    ? logits.map((step, t) => step.map((row, r) => valid(t, r) ? row : new Float32Array(width).fill(NaN)))
    : logits;
  const lanes = T * groups * 8, factor = 1 / (7 * width), count = masked ? lanes : rows;
  assert.ok(masked || T === 1);
  const perLane = (value: (t: number, r: number) => number, rest: number) =>
    Array.from({ length: lanes }, (_, i) => {
      const t = Math.floor(i / (8 * groups)), r = i % (8 * groups);
      return r < rows ? value(t, r) : rest;
    });
  const classes = Int32Array.from(perLane((t, r) => valid(t, r) ? targets[t]![r]![0]! : 12345, 0));
  const list = (numbers: ArrayLike<number> | undefined) => Float32Array.from(numbers ?? [NaN]);
  const found = await runCalls(device, {
    lengths,
    mask: new Float32Array(lanes).fill(NaN),
    logits: grouped(spoilt, { F: width, rest: masked ? NaN : 0 }),
    targets: classed(name) ? classes : grouped(targets, { F: O }),
    weights: Float32Array.from(perLane((t, r) => weights[t]![r]!, NaN)),
    posWeight: list(settings.posWeight),
    classWeights: list(settings.classWeights),
    quantiles: list(settings.quantiles),
    stats: new Float32Array(2).fill(NaN),
    dLogits: new Float32Array(lanes * width).fill(NaN),
    sums: new Float32Array(8).fill(NaN),
  }, (task, t) => {
    const { stats, dLogits, logits, targets, sums, quantiles } = t;
    task.call("activeLanes", { mask: t.mask, lengths: t.lengths, T, rows });
    task.call(name, {
      stats,
      dLogits,
      sums,
      logits,
      targets,
      quantiles,
      weights: weighted ? t.weights : null,
      posWeight: settings.posWeight ? t.posWeight : null,
      classWeights: settings.classWeights ? t.classWeights : null,
      mask: masked ? t.mask : null,
      rows: count,
      O,
      scale: factor,
      ...callOf(name, settings),
    } as never);
  });
  let loss = 0, correct = 0, most = 0;
  const about = `${name}, ${T} steps, ${rows} rows, ${O} outputs, ${JSON.stringify(settings)}`,
    rowsChecked: (() => void)[] = [];
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < 8 * groups; r++) {
      const actual = rowOf(found.dLogits, { t, r, count: rows, F: width });
      if (!valid(t, r)) {
        assertIdentical(actual, new Float64Array(width), `dLogits of row ${r}, step ${t}, ${about}`);
        continue;
      }
      const l = Float64Array.from(logits[t]![r]!), y = targets[t]![r]!, form = rowLoss(name, y, settings);
      const share = factor * weights[t]![r]!, [d] = form.backward([l], [Float64Array.of(share)]);
      loss += share * form.forward([l])[0]![0]!;
      correct += Number(isRight(name, l, y));
      most = Math.max(most, largest(d!));
      rowsChecked.push(() =>
        assertClose(actual, d!, ALLOWED * most + 1e-12, `dLogits of row ${r}, step ${t}, ${about}`)
      );
    }
  }
  for (const close of rowsChecked) close();
  assertClose(found.stats.subarray(0, 1), [loss], ALLOWED * Math.abs(loss) + 1e-9, `loss, ${about}`);
  assert.equal(found.stats[1], correct, `correct, ${about}`);
}

const GAMMAS = [0, 0.5, 1, 2, 5];

/** The settings of a loss with O outputs. */
function settingsOf(name: LossName, O: number): LossSettings[] {
  const each = Array.from({ length: O }, (_, o) => 0.25 + o % 3);
  switch (name) {
    case "bceLoss":
      return [{}, { posWeight: each }];
    case "binaryFocalLoss":
      return GAMMAS.map((gamma, i) => ({ gamma, alpha: i % 2 ? 0.25 : -1 }));
    case "crossEntropySmoothLoss":
      return [{ smoothing: 0 }, { smoothing: 0.1 }, { smoothing: 0.25, classWeights: each }];
    case "focalLoss":
      return GAMMAS.map((gamma, i) => ({ gamma, alpha: i % 2 ? 0.25 : 1 }));
    case "huberLoss":
      return [{ delta: 1 }, { delta: 0.25 }];
    case "quantileLoss":
      return [{ quantiles: [0.5] }, { quantiles: [0.05, 0.5, 0.9] }];
    default:
      return [{}];
  }
}

for (const name of LOSS_KERNELS) {
  kernelTest(`${name} is the reference's, with weights and masks`, async (device) => {
    for (const [i, O] of SIZES.entries()) {
      for (const settings of settingsOf(name, O)) {
        const rows = SIZES[(i + 3) % SIZES.length]!;
        await check(device, name, { T: 1, rows, O, settings, weighted: i % 2 === 0 });
        await check(device, name, { T: 1 + i, rows, O, settings, weighted: i % 2 === 1, masked: true });
      }
    }
    // Groups that end in their first and second half, and more rows than a workgroup has invocations.
    for (const rows of [4, 5, 12, 16, 300]) {
      await check(device, name, { T: 1, rows, O: 2, settings: settingsOf(name, 2).at(-1) });
    }
  });

  kernelTest(`${name} of logits that are far out`, async (device) => {
    for (const settings of settingsOf(name, 3)) {
      for (const scale of [10, 60]) await check(device, name, { T: 2, rows: 9, O: 3, settings, scale, masked: true });
    }
  });
}

kernelTest("a NaN among the logits that count reaches the loss", async (device) => {
  for (const name of LOSS_KERNELS) {
    const settings = settingsOf(name, 2).at(-1)!, width = 2 * (settings.quantiles?.length ?? 1);
    const logits = new Float32Array(8 * width);
    logits[8 * (width - 1)] = NaN;
    const { stats } = await runCalls(device, {
      stats: new Float32Array(2),
      dLogits: new Float32Array(8 * width),
      sums: new Float32Array(8),
      logits,
      targets: new Float32Array(16),
      quantiles: Float32Array.from(settings.quantiles ?? [0]),
    }, (task, t) => {
      const none = { weights: null, posWeight: null, classWeights: null, mask: null };
      task.call(name, { ...t, ...none, rows: 3, O: 2, scale: 1, ...callOf(name, settings) } as never);
    });
    assert.ok(Number.isNaN(stats[0]), `${name}: ${stats[0]}`);
  }
});
