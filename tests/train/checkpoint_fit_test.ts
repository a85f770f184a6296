/** Checkpoints whose parts do not fit together. */

import assert from "node:assert/strict";
import { createModel, errorCode, formatCheckpoint, type ModelConfig, parseCheckpoint, Pipeline } from "../../mod.ts";
import { series } from "../data/records.ts";

const RECORDS = ["a", "b", "c", "a"].map((label, i) => series([[i, 1], [2, i]], label));
const FITTING: ModelConfig = { inputSize: 2, hiddenSize: 3, outputSize: 3, loss: "crossEntropy" };

/** What a checkpoint of a model with someone's preprocessing is refused for; undefined if it loads. */
async function refusal(config: ModelConfig, preprocessing: { toJSON(): object }): Promise<string | undefined> {
  using model = await createModel(config);
  const text = await formatCheckpoint({ model, preprocessing: preprocessing.toJSON() as Record<string, unknown> });
  try {
    (await parseCheckpoint(text)).model.dispose();
  } catch (error) {
    assert.equal(errorCode(error), "preprocessing-mismatch");
    return (error as Error).message;
  }
}

Deno.test("preprocessing that fits no such model is refused when the checkpoint is loaded", async () => {
  const pipeline = Pipeline.fit(RECORDS);
  assert.equal(await refusal(FITTING, pipeline), undefined);
  const outputs = await refusal({ ...FITTING, outputSize: 4 }, pipeline);
  assert.match(outputs!, /: its preprocessing is for 3 outputs, the model has 4/);
  assert.match((await refusal({ ...FITTING, inputSize: 5 }, pipeline))!, /for inputSize 2, the model has 5/);
  assert.match((await refusal({ ...FITTING, numEmbeddings: 9 }, pipeline))!, /for numbers, the model takes tokens/);
  assert.match((await refusal({ ...FITTING, loss: "mse" }, pipeline))!, /the task multiclass, the model's loss is mse/);
});
