import assert from "node:assert/strict";
import { createModel, formatCheckpoint, sampleDataset, Training } from "../../mod.ts";
import { CheckpointWriter } from "../../core/cli/checkpoint_writer.ts";
import { parseCommandLine } from "../../core/cli/arguments.ts";
import { Terminal } from "../../core/cli/terminal.ts";
import { Place } from "./run.ts";

/**
 * The epochs whose last.json is written, of a training whose epochs take `epoch` ms, and each checkpoint `write`: by a clock of
 * this test's own.
 */
async function written(flags: string[], { epochs, epoch, write }: { epochs: number; epoch: number; write: number }) {
  await using place = await Place.make();
  const { now } = performance, { rename } = Deno;
  let clock = 0;
  const found: number[] = [], data = sampleDataset({ size: 8, steps: 2 });
  performance.now = () => clock;
  Deno.rename = async (from, to) => {
    clock += write / 2; // best and last, or last and its number
    await rename(from, to);
  };
  try {
    const args = parseCommandLine(["--checkpoint", `${place.path}/ck`, ...flags]);
    const job = { data: { size: 8, steps: 2, features: 5 }, seed: 0 };
    using writer = await CheckpointWriter.open(args, { job, hasAccuracy: true }, new Terminal());
    using model = await createModel({ inputSize: 5, hiddenSize: 3, outputSize: 2 });
    await new Training(model, data, {
      epochs,
      optimizer: { learningRate: 1e-3 },
      async onEpoch(report, training) {
        clock += epoch;
        await writer.epoch(report, training);
        const { generator } = JSON.parse(place.read("ck/last.json"));
        if (found.at(-1) !== generator.epoch) found.push(generator.epoch);
      },
    }).run();
    assert.equal(JSON.parse(place.read("ck/last.json")).generator.epoch, epochs);
    return { found, clock };
  } finally {
    performance.now = now;
    Deno.rename = rename;
  }
}

Deno.test("quick checkpoints are written once a second, counted from the end of a write", async () => {
  const { found } = await written([], { epochs: 30, epoch: 100, write: 2 });
  assert.deepEqual(found, [1, 11, 21, 30]);
});

Deno.test("slow checkpoints take a tenth of the time at most, besides the first and the last", async () => {
  const { found, clock } = await written([], { epochs: 200, epoch: 1000, write: 4000 });
  assert.deepEqual(found, [1, 37, 73, 109, 145, 181, 200]);
  assert.ok((found.length - 2) * 4000 / clock < 0.1);
});

Deno.test("--checkpoint-every 1 writes each all the same", async () => {
  const { found } = await written(["--checkpoint-every", "1"], { epochs: 5, epoch: 100, write: 4000 });
  assert.deepEqual(found, [1, 2, 3, 4, 5]);
});

Deno.test("what is too large to be copied is written at once, and where that fails not later as something else", async () => {
  await using place = await Place.make();
  const sizes = { size: 30, steps: 2 }, job = { data: { ...sizes, features: 5 }, seed: 0 }, { rename } = Deno;
  const args = parseCommandLine(["--checkpoint", `${place.path}/ck`, "--checkpoint-every", "2"]);
  using writer = await CheckpointWriter.open(args, { job, hasAccuracy: true, large: 0 }, new Terminal());
  using model = await createModel({ inputSize: 5, hiddenSize: 3, outputSize: 2 });
  /** The best epoch whose checkpoint cannot be written. */
  const BAD = 4;
  let bests = 0, text: string | undefined, left = 0;
  await new Training(model, sampleDataset(sizes), {
    epochs: 30,
    validation: sampleDataset({ ...sizes, seed: 1 }),
    batchSize: 7,
    optimizer: { learningRate: 0.5 },
    async onEpoch(report, training) {
      const isBest = training.best!.epoch === report.epoch, isDue = report.epoch % 2 === 0;
      if (isBest && ++bests === BAD) Deno.rename = () => Promise.reject(new Deno.errors.PermissionDenied());
      const now = await formatCheckpoint({ model, training, job: { ...job } });
      try {
        await writer.epoch(report, training);
      } finally {
        Deno.rename = rename;
      }
      if (isBest && bests !== BAD) text = now;
      if (bests === BAD && !isBest && isDue) left++;
      assert.equal(place.read("ck/best.json"), text);
      if (isDue && !(isBest && bests === BAD)) assert.equal(place.read("ck/last.json"), now);
    },
  }).run();
  // It was the best for long enough to be written wrongly.
  assert.ok(bests === BAD && left > 2);
});
