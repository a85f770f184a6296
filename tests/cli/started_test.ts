/** `train NEWDATA --from MODEL`: from the weights of a model, with its preprocessing, on data of another day. */

import assert from "node:assert/strict";
import { Random } from "../../core/random.ts";
import { createModel, defineNetwork, evaluate, loadCheckpoint, Pipeline, saveCheckpoint, train } from "../../mod.ts";
import { assertFails, assertWorks, Place, ROOT } from "./run.ts";

/** Rises and falls around a level, in a wide table; `drift` makes them another day's. */
function slopes(seed: number, rows: number, drift = 0): string {
  const noise = new Random(seed, "data");
  const lines = Array.from({ length: rows }, (_, n) => {
    const up = n % 2 === 0;
    const steps = Array.from({ length: 6 }, (_, t) => (up ? t : -t) * 0.3 + drift + noise.normal());
    return [up ? "up" : "down", ...steps.map((value) => value.toFixed(3))].join();
  });
  return `label,v0,v1,v2,v3,v4,v5\n${lines.join("\n")}\n`;
}

/** A folder with a model of March, and the data of April. */
async function march(): Promise<Place> {
  const place = await Place.make();
  place.write("march.csv", slopes(1, 40));
  place.write("april.csv", slopes(2, 40, 2));
  place.write("test.csv", slopes(3, 20, 2));
  assertWorks(await place.run("train march.csv --epochs 12 --lr 0.01 --hidden-size 6 --checkpoint ck --quiet"));
  return place;
}

const scoresIn = (text: string) => text.match(/^test of .*$/m)![0];
const column = (text: string, which: "before" | "after") =>
  text.match(/^loss\s+(\S+)\s+(\S+)$/m)![which === "before" ? 1 : 2]!;

Deno.test("a training starts from weights of any format, old and new scored side by side", async () => {
  await using place = await march();
  const evaluated = await place.run("evaluate ck/last.json test.csv");
  const old = /loss (\S+),/.exec(scoresIn(evaluated.out))![1];
  for (const name of ["m.pt", "m.safetensors"]) assertWorks(await place.run(`convert ck/last.json ${name}`));
  const line = (from: string) => place.run(`train april.csv --test-data test.csv --from ${from} --epochs 8 --lr 0.01`);
  const runs = await Promise.all(["ck/last.json", "m.pt", "m.safetensors"].map(line));
  for (const run of runs) {
    assertWorks(run);
    assert.equal(column(run.out, "before"), old);
    assert.ok(Number(column(run.out, "after")) < Number(old));
    assert.equal(column(run.out, "after"), /loss (\S+),/.exec(scoresIn(run.out))![1]);
    assert.match(run.out, /^from {7}\S+: its weights and preprocessing; the optimizer is new$/m);
    assert.match(run.out, /hiddenSize 6, .*dropout 0\.2/);
    assert.equal(scoresIn(run.out), scoresIn(runs[0]!.out));
  }
  // A learning rate that changes nothing: the weights are the model's.
  const still = await place.run("train april.csv --test-data test.csv --from m.pt --epochs 1 --lr 1e-30 --dropout 0");
  assert.equal(column(still.out, "after"), old);
  assert.match(still.out, /dropout 0, layerDropout 0/);
});

Deno.test("what starts from weights is kept, resumed and trained with several seeds", async () => {
  await using place = await march();
  const run = await place.run("train april.csv --from ck/last.json --epochs 6 --checkpoint april --quiet");
  assertWorks(run);
  const [half, seeds] = await Promise.all([
    place.run("train april.csv --from ck/last.json --epochs 3 --checkpoint half --quiet"),
    place.run("train april.csv --from ck/last.json --epochs 2 --seeds 2"),
  ]);
  assertWorks(half);
  assertWorks(seeds);
  assert.match(seeds.out, /^seed 0, before .*\nseed 0 .*\nseed 1, before .*\nseed 1 /m);
  assertWorks(await place.run("train --resume half/last.json --epochs 6 --checkpoint half --quiet"));
  const weights = (name: string) => JSON.parse(place.read(name)).parameters;
  assert.deepEqual(weights("half/last.json"), weights("april/last.json"));
  const scales = (name: string) => JSON.parse(place.read(name)).preprocessing;
  assert.deepEqual(scales("april/last.json"), scales("ck/last.json"));
  assert.equal(JSON.parse(place.read("april/last.json")).generator.step, 6);
});

Deno.test("new classes and tokens, and options that the weights fix, are refused by name", async () => {
  await using place = await march();
  place.write("may.csv", slopes(4, 10).replaceAll("down", "sideways"));
  place.write("old.txt", "a fine film\tgood\na poor film\tbad\n".repeat(10));
  place.write("new.txt", "a fine play\tgood\na poor play\tbad\n".repeat(10));
  assertWorks(await place.run("train old.txt --tokens words --epochs 1 --checkpoint text --quiet"));
  const [label, hidden, patch, resumed, both, none, tokens, weights] = await Promise.all([
    place.run("train may.csv --from ck/last.json"),
    place.run("train april.csv --from ck/last.json --hidden-size 7"),
    place.run("train april.csv --from ck/last.json --patch 2"),
    place.run("train april.csv --resume ck/last.json --epochs 20 --quiet"),
    place.run("train april.csv --resume ck/last.json --from ck/last.json"),
    place.run("train --from ck/last.json"),
    place.run("train new.txt --from text/last.json"),
    place.run("convert ck/last.json m.pt").then(() => place.run("train april.csv --resume m.pt")),
  ]);
  assertFails(label!, 1, /the label "sideways" was never seen in training, which has "down", "up"/);
  assertFails(hidden!, 2, '--hidden-size cannot be changed with --from: "ck/last.json" has 6, got 7');
  assertFails(patch!, 2, /--patch cannot be changed with --from: "ck\/last\.json" has 1, got 2/);
  assertFails(
    resumed!,
    1,
    /the data must be those of before, .*: train FILE --from ck\/last\.json starts from its weights/,
  );
  assertFails(both!, 2, /--resume .* and --from .* contradict each other/);
  assertFails(none!, 2, /--from needs data to train on/);
  assertFails(tokens!, 1, /does not know 1 token of the data: "play": --unknown-tokens takes them as unknown/);
  assertFails(weights!, 1, /a \.pt file holds no training: train FILE --from m\.pt starts from its weights/);
  assertWorks(await place.run("train new.txt --from text/last.json --unknown-tokens --epochs 1 --quiet"));
  assertWorks(await place.run("train april.csv --from m.pt --epochs 1 --quiet"));
});

Deno.test("a forecast starts from weights, with the window and the scale of before", async () => {
  await using place = await Place.make();
  const sales = Deno.readTextFileSync(`${ROOT}/tests/testdata/own/sales.csv`).trimEnd().split("\n");
  place.write("old.csv", sales.slice(0, 60).join("\n"));
  place.write("new.csv", [sales[0], ...sales.slice(40)].join("\n"));
  const [flags, from] = ["--target-column sales --window 6 --horizon 2", "--from ck/last.json --epochs 3"];
  assertWorks(await place.run(`train old.csv ${flags} --epochs 3 --checkpoint ck --quiet`));
  const [run, window] = await Promise.all([
    place.run(`train new.csv ${from} --checkpoint next`),
    place.run(`train new.csv ${from} --window 7`),
  ]);
  assertWorks(run!);
  assert.match(run!.out, /^RMSE +\S+ +\S+$/m);
  assertFails(window!, 2, /--window cannot be changed with --from: "ck\/last\.json" has 6, got 7/);
  const scale = (name: string) => JSON.parse(place.read(name)).preprocessing;
  assert.deepEqual(scale("next/last.json"), scale("ck/last.json"));
});

Deno.test("a model with a label for every step starts a training; your own network does in a program", async () => {
  await using place = await Place.make();
  const noise = new Random(5, "data"), name = (value: number) => value > 0 ? "above" : "below";
  const lines = (count: number) =>
    Array.from({ length: count }, () => {
      const x = Array.from({ length: 5 + noise.below(4) }, () => [Number(noise.normal().toFixed(3))]);
      return JSON.stringify({ x, y: x.map(([value]) => name(value!)) });
    }).join("\n");
  for (const file of ["old.jsonl", "new.jsonl", "test.jsonl"]) place.write(file, lines(20));
  assertWorks(
    await place.run("train old.jsonl --label-every-step --epochs 20 --hidden-size 4 --lr 0.05 --checkpoint ck --quiet"),
  );
  const evaluated = await place.run("evaluate ck/last.json test.jsonl");
  assertWorks(await place.run("convert ck/last.json m.pt"));
  for (const from of ["ck/last.json", "m.pt"]) {
    const run = await place.run(
      `train new.jsonl --test-data test.jsonl --from ${from} --epochs 3 --checkpoint ${from[0]}`,
    );
    assertWorks(run);
    assert.equal(column(run.out, "before"), /loss (\S+),/.exec(scoresIn(evaluated.out))![1]);
    assert.match(run.out, /hiddenSize 4/);
  }
  assertWorks(await place.run("train --resume m/last.json --epochs 4 --checkpoint m --quiet"));

  const records = ["up", "down"].map((label, i) => ({
    values: Float32Array.of(i, 1 - i, i),
    steps: 3,
    channels: 1,
    labels: [label],
    place: label,
  }));
  const pipeline = Pipeline.fit(records), data = pipeline.dataset(records);
  const network = defineNetwork(({ numbers, gru, linear }) =>
    linear("fc", gru("gru", numbers("x", 1), { hiddenSize: 3 }).state, 2)
  );
  {
    using model = await createModel(network, { loss: pipeline.loss });
    await saveCheckpoint(`${place.path}/own.json`, { model, preprocessing: pipeline.toJSON() });
  }
  place.write(
    "own.jsonl",
    records.map(({ values, labels }) => JSON.stringify({ x: [...values], y: labels })).join("\n"),
  );
  assertFails(
    await place.run("train own.jsonl --from own.json --test-split 0"),
    1,
    /it holds a network of your own: in a program, loadCheckpoint and train do it/,
  );
  const { model } = await loadCheckpoint(`${place.path}/own.json`), before = await evaluate(model, data);
  using _ = model;
  await train(model, data, { epochs: 30, loss: pipeline.loss });
  assert.ok((await evaluate(model, data)).loss < before.loss);
});
