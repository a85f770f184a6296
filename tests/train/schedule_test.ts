import assert from "node:assert/strict";
import { LearningRates, resolveSchedule, type ScheduleOptions } from "../../core/train/schedule.ts";

interface Case {
  options: ScheduleOptions;
  learningRate: number;
  greater: boolean;
  values: number[] | null;
  rates: number[];
}

const { epochs, updates, cases } = JSON.parse(
  await Deno.readTextFile(new URL("../testdata/schedules.json", import.meta.url)),
) as { epochs: number; updates: number; cases: Case[] };

for (const { options, learningRate, greater, values, rates } of cases) {
  const words = Object.entries(options).map(([name, value]) => `${name} ${value}`).join(", ");
  Deno.test(`learning rates are PyTorch's at every update: ${words}`, () => {
    const schedule = new LearningRates(resolveSchedule(options), learningRate, { epochs, updates, greater });
    const ours = Array.from({ length: epochs }, (_, epoch) => {
      if (epoch && values) schedule.add(values[epoch - 1]!);
      return Array.from({ length: updates }, (_, i) => schedule.at(epoch, epoch * updates + i));
    }).flat();
    // PyTorch computes most of its rates one from the other: a few roundings in 36 updates.
    for (const [i, rate] of rates.entries()) {
      assert.ok(Math.abs(ours[i]! - rate) <= 1e-13 * learningRate, `update ${i}: ${ours[i]}, PyTorch ${rate}`);
    }
    assert.equal(ours.length, rates.length);
    if (options.name !== "constant" && learningRate > 1e-6 && options.minLr !== 0.5) {
      assert.ok(new Set(rates).size > 1, "a case that never changes tells nothing");
    }
  });
}

Deno.test("a schedule's options are filled in with its own defaults alone, and those of others are refused", () => {
  assert.deepEqual(resolveSchedule(), { name: "constant", warmupSteps: 0 });
  assert.deepEqual(resolveSchedule({ name: "cosine", tMax: 3 }), {
    name: "cosine",
    warmupSteps: 0,
    interval: "epoch",
    etaMin: 0,
    tMax: 3,
  });
  assert.deepEqual(resolveSchedule({ name: "plateau", patience: 3, factor: undefined }), {
    name: "plateau",
    warmupSteps: 0,
    factor: 0.1,
    patience: 3,
    threshold: 1e-4,
    minLr: 0,
  });
  const full = resolveSchedule({ name: "step", warmupSteps: 4 });
  assert.deepEqual(resolveSchedule(JSON.parse(JSON.stringify(full))), full);
  const wrong = (options: object, name: string, message: RegExp) =>
    assert.throws(() => resolveSchedule(options), { name, message });
  wrong({ name: "step", patience: 1 }, "TypeError", /"step" has no option "patience"/);
  wrong({ name: "plateau", tMax: 1 }, "TypeError", /"plateau" has no option "tMax"/);
  wrong({ gamma: 0.5 }, "TypeError", /"constant" has no option "gamma"/);
  wrong({ name: "linear" }, "RangeError", /name must be one of constant, step, cosine, plateau, got "linear"/);
  wrong({ name: "step", stepSize: 0 }, "RangeError", /stepSize .*got 0/);
  wrong({ name: "plateau", factor: 1 }, "RangeError", /factor .*below 1, got 1/);
  wrong({ warmupSteps: -1 }, "RangeError", /warmupSteps .*got -1/);
  wrong({ rate: 1 }, "TypeError", /unknown option "rate"/);
});
