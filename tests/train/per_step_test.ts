/** Training and evaluating a network with an output at every step, on sequences of different lengths. */

import assert from "node:assert/strict";
import {
  createModel,
  type Dataset,
  defineNetwork,
  evaluate,
  type LossName,
  type NetworkModel,
  randomSplit,
  subset,
  train,
  Training,
  type TrainingState,
} from "../../mod.ts";
import { Random } from "../../core/random.ts";
import { normals } from "../batches.ts";
import { assertClose } from "../close.ts";

const [N, T, I, O] = [11, 9, 2, 3];
const NETWORK = defineNetwork(({ numbers, gru, linear }) =>
  linear("tags", gru("gru", numbers("x", I), { hiddenSize: 5 }).output, O)
);
const makeModel = (loss: LossName): Promise<NetworkModel> => createModel(NETWORK, { loss, seed: 3, simd: "plain" });

/** Lengths that a batch of 4 sequences is trimmed for; `behind` is what stands behind them. */
function data(loss: LossName, behind?: number): Dataset {
  const random = new Random(1, "data"),
    lengths = Int32Array.from({ length: N }, (_, i) => i < 8 ? 1 + i % 3 : 7 + i % 3);
  const classes = loss === "crossEntropy", width = classes ? 1 : O, x = normals(random, N * T * I);
  const targets = classes ? Int32Array.from({ length: N * T }, () => random.below(O)) : normals(random, N * T * width);
  for (let row = 0; row < N && behind !== undefined; row++) {
    x.fill(behind, (row * T + lengths[row]!) * I, (row + 1) * T * I);
    targets.fill(behind, (row * T + lengths[row]!) * width, (row + 1) * T * width);
  }
  return { x, shape: [N, T, I], targets, lengths };
}

Deno.test("a batch that is trimmed has its targets of every step trimmed", () => {
  const { targets, ...rest } = data("mse"), part = subset({ ...rest, targets, targetsPerStep: true }, [2, 9], 4);
  assert.deepEqual([part.shape, part.targets.length, part.targetsPerStep], [[2, 4, I], 2 * 4 * O, true]);
  assert.deepEqual(part.targets.subarray(0, 4 * O), targets.subarray(2 * T * O, (2 * T + 4) * O));
  assert.deepEqual(part.targets.subarray(4 * O), targets.subarray(9 * T * O, (9 * T + 4) * O));
  assert.equal(randomSplit({ ...rest, targets, targetsPerStep: true }, [5, 6])[0]!.targets.length, 5 * T * O);
  assert.throws(
    () => randomSplit({ ...rest, targets: targets.subarray(N), targetsPerStep: true }, [5, 6]),
    /targets must be the same count for each of 99 steps, got 286/,
  );
});

for (const loss of ["mse", "crossEntropy"] as const) {
  Deno.test(`evaluating steps counts every valid step once: ${loss}`, async () => {
    using model = await makeModel(loss);
    const { targets, ...sequences } = data(loss), { loss: whole } = await model.gradients(sequences, targets);
    const { lossOverSamples, accuracy } = await evaluate(model, data(loss), { batchSize: 4 });
    assertClose([lossOverSamples], [whole], 1e-6, "loss over all steps");
    if (loss === "mse") return;
    const { values } = await model.forward(sequences);
    let right = 0, steps = 0;
    for (let row = 0; row < N; row++) {
      for (let t = 0; t < sequences.lengths![row]!; t++, steps++) {
        const y = [...values.output!.data.subarray((row * T + t) * O, (row * T + t + 1) * O)];
        right += Number(y.indexOf(Math.max(...y)) === targets[row * T + t]);
      }
    }
    assert.equal(accuracy, right / steps);
    const { metrics } = await evaluate(model, data(loss), { batchSize: 4, metrics: true });
    assert.ok(metrics.kind === "classification" && metrics.accuracy === accuracy);
  });

  Deno.test(`training on steps: what is behind a length never matters, and it resumes to the same bits: ${loss}`, async () => {
    const options = { epochs: 4, batchSize: 2, optimizer: { learningRate: 0.02 } };
    using model = await makeModel(loss), dirty = await makeModel(loss), resumed = await makeModel(loss);
    let kept: { state: TrainingState; values: Awaited<ReturnType<NetworkModel["stateDict"]>> } | undefined;
    const training = new Training(model, data(loss), { ...options, validation: data(loss) });
    let trainer: Awaited<ReturnType<Training["trainer"]["state"]>>;
    let batches = 0;
    const asked = new Training(resumed, data(loss), {
      ...options,
      validation: data(loss),
      onBatch: () => {
        if (++batches !== 10) return;
        asked.atUpdate(async () => {
          kept = { state: asked.state, values: await resumed.stateDict() };
          trainer = await asked.trainer.state();
        });
      },
    });
    const history = await training.run();
    assert.ok(history.at(-1)!.trainLoss < history[0]!.trainLoss);
    assert.ok(history.every(({ trainAccuracy, testAccuracy }) => trainAccuracy <= 1 && testAccuracy! <= 1));
    const behind = loss === "mse" ? NaN : -7;
    assert.deepEqual(await train(dirty, data(loss, behind), { ...options, validation: data(loss, behind) }), history);
    assert.deepEqual(await dirty.stateDict(), await model.stateDict());
    await asked.run();
    using copy = await makeModel(loss);
    await copy.loadStateDict(kept!.values);
    const again = new Training(copy, data(loss), { ...options, validation: data(loss), state: kept!.state });
    await again.trainer.loadState(trainer!);
    assert.deepEqual(await again.run(), history);
    assert.deepEqual(await copy.stateDict(), await model.stateDict());
  });
}

Deno.test("data that do not fit a network's steps are refused in words", async () => {
  using steps = await makeModel("mse");
  const { x, shape, targets, lengths } = data("mse");
  await assert.rejects(train(steps, { x, shape, targets: targets.subarray(0, N * O) }), /targets must be .* 99 steps/);
  const bad = targets.slice();
  bad[(2 * T + 1) * O + 2] = Infinity;
  await assert.rejects(
    train(steps, { x, shape, targets: bad, lengths }),
    /targets of the data must be finite numbers, got Infinity in sequence 2, step 1, output 2 /,
  );
  using rows = await createModel({ inputSize: I, hiddenSize: 3, outputSize: O, loss: "mse" });
  const perStep: Dataset = { x, shape, targets, lengths, targetsPerStep: true };
  await assert.rejects(train(rows, perStep), /the targets are of every step, .* output "logits" is of whole sequences/);
  await assert.rejects(evaluate(rows, perStep), /the targets are of every step/);
});
