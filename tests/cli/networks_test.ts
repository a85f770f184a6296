/** Networks of a program's own on the command line. */

import assert from "node:assert/strict";
import {
  createModel,
  defineNetwork,
  type Network,
  Pipeline,
  readRecords,
  sampleDataset,
  saveCheckpoint,
  train,
} from "../../mod.ts";
import { assertFails, assertWorks, Place } from "./run.ts";

/** A table of six sequences with two classes. */
const TABLE = `a,b,label\n${["1,2,up", "2,3,up", "1,3,up", "3,1,down", "2,1,down", "3,2,down"].join("\n")}\n`;

/** Trains a network on the table, and keeps it with its preprocessing. */
async function keep(place: Place, network: Network): Promise<void> {
  const bytes = new TextEncoder().encode(TABLE);
  const source = await readRecords({ name: "t.csv", stream: () => new Blob([bytes]).stream() });
  const records = await Array.fromAsync(source.records), pipeline = Pipeline.fit(records);
  using model = await createModel(network, { loss: "crossEntropy", seed: 1 });
  if (Object.values(network.outputs)[0] === "fc.output") {
    await train(model, pipeline.dataset(records), { epochs: 60, optimizer: { learningRate: 0.1 } });
  }
  await saveCheckpoint(`${place.path}/own.json`, { model, preprocessing: { ...pipeline.toJSON() } });
}

Deno.test("a network without attention, kept with its preprocessing, predicts and is scored", async () => {
  await using place = await Place.make();
  place.write("t.csv", TABLE);
  await keep(
    place,
    defineNetwork(({ numbers, lstm, mean, linear }) =>
      linear("fc", mean(lstm("lstm", numbers("x", 1), { hiddenSize: 8 }).output), 2)
    ),
  );
  const predicted = await place.run("predict own.json --input t.csv --attention");
  assertWorks(predicted);
  const said = predicted.out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(said.map(({ label }) => label), ["up", "up", "up", "down", "down", "down"]);
  assert.ok(said.every(({ attention }) => attention === undefined));
  const scored = await place.run("evaluate own.json t.csv");
  assertWorks(scored);
  assert.match(scored.out, /accuracy 100\.00 %/);
});

Deno.test("what the command line cannot do with a network is said in a line", async () => {
  await using place = await Place.make();
  place.write("t.csv", TABLE);
  await keep(
    place,
    defineNetwork(({ numbers, lstm, linear }) =>
      linear("tags", lstm("lstm", numbers("x", 1), { hiddenSize: 8 }).output, 2)
    ),
  );
  const steps = "cannot predict: its outputs are at every step: predict() in a program";
  assertFails(await place.run("predict own.json --input t.csv"), 1, steps);

  const network = defineNetwork(({ numbers, lstm, linear }) =>
    linear("fc", lstm("lstm", numbers("x", 5), { hiddenSize: 4 }).state, 2)
  );
  using model = await createModel(network, { loss: "bce" });
  await train(model, sampleDataset({ size: 20 }), { epochs: 1 });
  await saveCheckpoint(`${place.path}/bare.json`, { model });
  for (const command of ["evaluate", "predict"]) {
    const told = new RegExp(
      `^error: cannot ${command}: the checkpoint holds a network of your own and no preprocessing:`,
    );
    assertFails(await place.run(`${command} bare.json`), 1, told);
  }
});
