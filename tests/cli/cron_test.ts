/** Runs that nobody watches: scores as JSON, what is required of them, and folders that do not grow without bound. */

import assert from "node:assert/strict";
import { requirementsOf } from "../../core/cli/requirements.ts";
import { balancedWeights, createModel, Pipeline, saveCheckpoint } from "../../mod.ts";
import { assertFails, assertWorks, Place, ROOT } from "./run.ts";

async function folder(): Promise<Place> {
  const place = await Place.make();
  for (const name of ["moves.csv", "sales.csv"]) {
    place.write(name, Deno.readTextFileSync(`${ROOT}/tests/testdata/own/${name}`));
  }
  return place;
}

const MOVES = "moves.csv --sequence-column id --time-column t --label-column kind";

Deno.test("--output json: one document on standard output, prose on standard error", async () => {
  await using place = await folder();
  const trained = await place.run(`train ${MOVES} --epochs 20 --lr 0.02 --checkpoint ck --output json`);
  assert.equal(trained.code, 0);
  const document = JSON.parse(trained.out);
  assert.deepEqual(Object.keys(document), [
    "seed",
    "epochs",
    "epoch",
    "best",
    "count",
    "scores",
    "metrics",
    "checkpoints",
    ...document.notes ? ["notes"] : [],
  ]);
  assert.deepEqual(document.checkpoints, { last: "ck/last.json", best: "ck/best.json" });
  assert.equal(document.epoch, 20);
  assert.match(trained.err, /^done in /m);
  const [evaluated, file, seeds, sample, scored, forecast] = await Promise.all([
    place.run("evaluate ck/last.json --output json"),
    place.run("evaluate ck/best.json moves.csv --output json"),
    place.run(`train ${MOVES} --epochs 2 --seeds 2 --output json`),
    place.run("train --size 50 --epochs 1 --checkpoint sample --output json"),
    place.run("train --size 50 --epochs 1 --checkpoint scored --quiet").then(() =>
      place.run("evaluate scored/last.json --output json")
    ),
    place.run("train sales.csv --target-column sales --window 6 --epochs 2 --output json"),
  ]);
  const test = JSON.parse(evaluated!.out);
  assert.deepEqual([test.count, test.scores, test.metrics], [document.count, document.scores, document.metrics]);
  assert.equal(test.train.count, 29);
  assert.match(JSON.parse(file!.out).notes.at(-1), /^29 of these 36 sequences were trained on/);
  const several = JSON.parse(seeds!.out),
    losses = several.runs.map(({ scores }: { scores: { loss: number } }) => scores.loss);
  assert.equal(several.mean.loss, (losses[0] + losses[1]) / 2);
  assert.deepEqual(Object.keys(JSON.parse(sample!.out).scores).slice(0, 2), ["loss", "accuracy"]);
  assert.deepEqual(Object.keys(JSON.parse(scored!.out)), ["count", "scores", "train"]);
  assert.equal(JSON.parse(forecast!.out).metrics.kind, "regression");
});

Deno.test("--require ends with exit code 3 where a score is missed, and says which", async () => {
  await using place = await folder();
  const line = `train ${MOVES} --epochs 2 --quiet`,
    rows = "train sales.csv --target-column sales --window 6 --epochs 2 --quiet";
  const [met, missed, seeds, error, unknown, small, odd, none] = await Promise.all([
    place.run(`${line} --require accuracy=0,loss<5 --checkpoint ck`),
    place.run(`${line} --require accuracy=0.1,macroF1>1`),
    place.run(`${line} --seeds 2 --require loss<0.01`),
    place.run(`${rows} --require rmse<0.1`),
    place.run(`${line} --require rmse<5`),
    place.run(`${line} --require loss=5`),
    place.run(`${line} --require accuracy`),
    place.run(`${line} --test-split 0 --require accuracy=0.5`),
  ]);
  assertWorks(met!);
  assert.equal(missed!.code, 3);
  assert.match(missed!.err, /^required: macroF1 > 1, got 0\.\d+\n$/);
  assert.equal(seeds!.code, 3);
  assert.match(error!.err, /^required: rmse < 0\.1, got /m);
  assert.equal(error!.code, 3);
  assert.equal(unknown!.code, 2);
  assert.match(unknown!.err, /--require rmse: there is no such score here: the scores are loss, accuracy/);
  assertFails(small!, 2, '--require: loss is to be small: "loss<5"');
  assertFails(odd!, 2, /--require must be scores and bounds, such as accuracy=0\.9,rmse<5, got "accuracy"/);
  assert.match(none!.err, /nothing was held out to score/);
  const evaluated = await place.run(["evaluate", "ck/last.json", "--quiet", "--require", "accuracy>1"]);
  assert.deepEqual([evaluated.code, evaluated.out.split("\n").length], [3, 2]);
  assert.deepEqual(requirementsOf("pinball@0.1<2, r2>=-1"), [
    { score: "pinball@0.1", is: "<", bound: 2 },
    { score: "r2", is: ">=", bound: -1 },
  ]);
  assert.throws(() => requirementsOf("acuracy=0.9"), /there is no score "acuracy"/);
});

Deno.test("of earlier runs three are kept, or as many as --keep says", async () => {
  await using place = await folder();
  const run = (flags: string) => place.run(`train --size 20 --epochs 1 --quiet --checkpoint ck ${flags}`);
  let last = "";
  for (let seed = 0; seed < 6; seed++) last = (await run(`--seed ${seed}`)).err;
  const runs = () => place.files().filter((name) => name.startsWith("ck/last.") && name !== "ck/last.json.lock");
  assert.deepEqual(runs(), ["ck/last.3.json", "ck/last.4.json", "ck/last.5.json", "ck/last.json"]);
  assert.match(last, /earlier run are kept as .*; of earlier runs the last 3 are kept \(--keep\)/);
  assert.equal(JSON.parse(place.read("ck/last.5.json")).job.seed, 4);
  await run("--seed 6 --keep 1");
  assert.deepEqual(runs(), ["ck/last.6.json", "ck/last.json"]);
  assert.equal(place.files().filter((name) => name.startsWith("ck/best.")).length, 2);
});

Deno.test("--pos-weight balanced counts ones as zeros count, for each output", async () => {
  await using place = await Place.make();
  const rows = Array.from({ length: 20 }, (_, n) => `${n % 5 === 0 ? 1 : 0},${n},${n % 3},${n % 7}`);
  place.write("flags.csv", `label,a,b,c\n${rows.join("\n")}\n`);
  const line = "train flags.csv --task binary --test-split 0 --epochs 1";
  const [balanced, bad, classes] = await Promise.all([
    place.run(`${line} --pos-weight balanced`),
    place.run(`${line} --pos-weight even`),
    place.run(`${line} --class-weights balanced`),
  ]);
  assertWorks(balanced!);
  assert.deepEqual(balancedWeights(Float32Array.from(rows, (row) => Number(row[0])), 1), [4]);
  assert.match(balanced!.out, /^training .*, posWeight 4$/m);
  assertFails(bad!, 2, /--pos-weight must be "balanced" or numbers above 0, got "even"/);
  assert.match(classes!.err, /not for bce: --pos-weight balanced/);
});

Deno.test("saveCheckpoint takes a pipeline's JSON as it is", async () => {
  await using place = await Place.make();
  const record = (values: number[], label: string) => ({
    values: Float32Array.from(values),
    steps: values.length,
    channels: 1,
    labels: [label],
    place: label,
  });
  const pipeline = Pipeline.fit([record([1, 2], "up"), record([2, 1], "down")]),
    { inputSize, outputSize, loss } = pipeline;
  using model = await createModel({ inputSize, outputSize, hiddenSize: 2, loss });
  await saveCheckpoint(`${place.path}/m.json`, { model, preprocessing: pipeline.toJSON() });
  assert.deepEqual(JSON.parse(place.read("m.json")).preprocessing, JSON.parse(JSON.stringify(pipeline)));
});
