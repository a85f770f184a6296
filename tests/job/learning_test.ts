/** What is said of how a training went, and how long it lasts where nobody says. */

import assert from "node:assert/strict";
import { constantLoss, defaultEpochs } from "../../core/job/learning.ts";
import { Random } from "../../core/random.ts";
import { assertWorks, Place } from "../cli/run.ts";

Deno.test("trainings of few batches last longer by default: 1000 updates, 500 epochs at most", () => {
  const epochs = (sequences: number, options = {}) => defaultEpochs(sequences, options);
  assert.deepEqual([36, 67, 320, 321, 1e5].map((n) => epochs(n)), [500, 334, 100, 100, 100]);
  assert.equal(epochs(64, { batchSize: 8 }), 125);
  assert.equal(epochs(64, { batchSize: 8, accumulate: 4 }), 500);
});

Deno.test("the loss of constant outputs is that of scikit-learn's dummies", () => {
  const loss = (name: "crossEntropy" | "bce" | "mse", targets: Int32Array | Float32Array, more: {
    N: number;
    weights?: number[];
    classWeights?: number[];
  }) =>
    constantLoss(
      {
        x: new Float32Array(more.N),
        shape: [more.N, 1, 1],
        targets,
        weights: more.weights?.length ? Float32Array.from(more.weights) : undefined,
      },
      { loss: { loss: name }, weights: { classWeights: more.classWeights }, outputs: 3 },
    )!;
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a} ${b}`);
  const classes = Int32Array.of(0, 0, 1, 2, 0, 1);
  // sklearn.metrics.log_loss and mean_squared_error of DummyClassifier("prior") and DummyRegressor.
  close(loss("crossEntropy", classes, { N: 6 }), 1.0114042647073518);
  close(loss("crossEntropy", classes, { N: 6, weights: [1, 2, 1, 0.5, 1, 3] }), 0.8760918930634294);
  close(loss("crossEntropy", classes, { N: 6, classWeights: [0.5, 2, 3] }), 1.0283941667143723);
  close(loss("bce", Float32Array.of(1, 0, 0, 0, 1, 1, 1, 0), { N: 4 }), 0.5623351446188083);
  close(loss("mse", Float32Array.of(1.5, -2, 0.25, 4), { N: 4 }), 4.69921875);
});

/** A table of noise with labels of chance, or of rises and falls. */
function table(rows: number, learnable: boolean): string {
  const random = new Random(3, "data");
  const lines = Array.from({ length: rows }, (_, n) => {
    const slope = learnable ? n % 2 ? 1 : -1 : 0;
    return [n % 2 ? "up" : "down", ...[0, 1, 2, 3].map((t) => (slope * t + random.normal()).toFixed(3))].join();
  });
  return `label,a,b,c,d\n${lines.join("\n")}\n`;
}

Deno.test("a training says if one class is predicted, if nothing is learned yet, if the loss still falls", async () => {
  await using place = await Place.make();
  place.write("noise.csv", table(60, false));
  place.write("slopes.csv", table(60, true));
  const [still, falling, done] = await Promise.all([
    place.run("train noise.csv --epochs 3 --lr 1e-6"),
    place.run("train slopes.csv --epochs 6 --lr 0.003"),
    place.run("train slopes.csv --epochs 60 --lr 0.05 --dropout 0"),
  ]);
  for (const run of [still!, falling!, done!]) assertWorks(run);
  assert.match(still!.out, /^note: all 12 test sequences are taken for "(up|down)": the classes are not told apart$/m);
  assert.match(still!.out, /^note: next to nothing is learned yet: the training loss is 0\.\d+, .* shares 0\.6931; /m);
  assert.doesNotMatch(still!.out, /still falling/);
  assert.match(falling!.out, /^note: the test loss is still falling: more --epochs may help$/m);
  assert.doesNotMatch(falling!.out, /next to nothing/);
  assert.doesNotMatch(done!.out, /^note: /m);
});

Deno.test("a training says which epoch its scores are of, and what best.json scores", async () => {
  await using place = await Place.make();
  place.write("noise.csv", table(60, false));
  const line = "train noise.csv --epochs 60 --lr 0.02 --dropout 0";
  const [kept, none, restored] = await Promise.all([
    place.run(`${line} --checkpoint ck`),
    place.run(line),
    place.run(`${line} --validation-split 0.2 --restore-best`),
  ]);
  const best = / best epoch (\d+) by/.exec(kept!.out)![1];
  const said = new RegExp(`^these scores are of epoch 60, the last; ck/best\\.json is of epoch ${best}: (.*)$`, "m");
  const scores = said.exec(kept!.out)![1];
  const evaluated = await place.run("evaluate ck/best.json --quiet");
  assert.equal(evaluated.out, `test of 12 sequences: ${scores}\n`);
  assert.match(none!.out, new RegExp(`these scores are of epoch 60, the last; epoch ${best} is not kept`));
  assert.doesNotMatch(restored!.out, /these scores are of/);
  // Few batches: more epochs than 100.
  assert.match((await place.run("train noise.csv --hidden-size 2 --batch-size 4")).out, /^training {3}epochs 100, /m);
  assert.match((await place.run("train noise.csv --hidden-size 2 --fast-dev-run")).out, /^training {3}epochs 1, /m);
  assert.match(
    (await place.run("train noise.csv --hidden-size 2 --patience 1 --validation-split 0.2")).out,
    /epochs 500, /,
  );
});
