/** Checkpoints of every format ever written, made by scripts/checkpoint_fixtures.ts in its day. */

import assert from "node:assert/strict";
import { loadCheckpoint } from "../../mod.ts";
import { outcome } from "../../scripts/checkpoint_fixtures.ts";
import { assertWorks, Place } from "../cli/run.ts";

const ROOT = `${import.meta.dirname}/../testdata/checkpoints`;

for (const version of Array.from(Deno.readDirSync(ROOT), ({ name }) => name).sort()) {
  const folder = `${ROOT}/${version}`, read = (name: string) => Deno.readTextFileSync(`${folder}/${name}`);
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);

  Deno.test(`checkpoints of ${version} predict the same numbers and go on to the same bits as then`, async () => {
    const trainings = names.filter((name) => name.endsWith(".expected.json"));
    assert.ok(trainings.length >= 6);
    for (const expected of trainings) {
      const name = expected.replace(".expected", "");
      // Until version 3, results on validation data were called those of a test.
      const then = read(expected).replaceAll(/"test(Loss|Accuracy)":/g, '"validation$1":');
      assert.equal(then !== read(expected), version < "v3");
      assert.deepEqual(await outcome(read(name)), JSON.parse(then), name);
    }
  });

  Deno.test(`a checkpoint of ${version} may hold a model alone`, async () => {
    const { model, ...rest } = await loadCheckpoint(`${folder}/model.json`);
    using _model = model;
    assert.deepEqual([model.seed, model.config.numLayers, rest.trainer, rest.training], [7, 2, null, null]);
  });

  Deno.test(`the command line takes its checkpoints of ${version}`, async () => {
    await using place = await Place.make();
    place.write("last.json", read("command.json"));
    const [evaluated, resumed] = await Promise.all([
      place.run("evaluate last.json --simd plain"),
      place.run("--resume last.json --epochs 3 --simd plain --checkpoint ck"),
    ]);
    assertWorks(evaluated!);
    assertWorks(resumed!);
    assert.match(
      evaluated!.out,
      /^train {7}loss 0\.\d{4} {2}accuracy +\d+\.\d\d % {2}of 16 sequences\nvalidation {2}loss/,
    );
    assert.match(resumed!.out, /epoch 3\/3 /);
  });
}
