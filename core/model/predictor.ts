import { ownOptions } from "../options.ts";
import type { LossName } from "./losses.ts";
import { internalsOf, type NetworkModel } from "./model.ts";
import type { Predictor } from "./predicting.ts";
import type { SinglePrediction } from "./single_network.ts";

export type { Predictor, SinglePrediction };

/**
 * Makes a predictor for one sequence at a time, with the parameters that the model has now: no promises, no allocation,
 * a few microseconds for a small model. One of a network with a decoder searches or forecasts instead.
 *
 * @param options The loss the model was trained with, which says what its outputs mean. Default: what the model was made
 * or loaded with, or its trainer's. `output`: of a network with several, the one to predict.
 * @throws {TypeError} If the model does not know what its outputs mean, or the loss is unknown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 5, hiddenSize: 10, outputSize: 2, loss: "bce" });
 * using predictor = await createPredictor(model);
 * const { outputs, attentionWeights } = predictor.predict(new Float32Array(50)); // 10 steps of 5 numbers
 * assert.deepEqual([outputs.length, attentionWeights.length], [2, 10]);
 * ```
 *
 * @example Answers to one source
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor } from "@grutto/grutto";
 *
 * const sizes = { sourceTokens: 9, sourceSize: 8, targetTokens: 9, targetSize: 8, hiddenSize: 16 };
 * using model = await createModel({ task: "seq2seq", ...sizes });
 * using predictor = await createPredictor(model);
 * const answers = await predictor.search(Int32Array.of(4, 2, 7), { width: 5, nBest: 3, maxLength: 6 });
 * assert.deepEqual(answers.map(({ logProbabilities }) => logProbabilities.length > 0), [true, true, true]);
 * assert.equal(answers[0]!.attention.shape[1], 3);
 * ```
 *
 * @example A network with several inputs, and an output at every step
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor, defineNetwork, predict } from "@grutto/grutto";
 *
 * const network = defineNetwork(({ numbers, gru, concat, linear }) =>
 *   linear("fc", concat([gru("gru", numbers("x", 3), { hiddenSize: 4 }).output, numbers("clock", 1)]), 2)
 * );
 * using model = await createModel(network, { loss: "mse" });
 * using predictor = await createPredictor(model);
 * const x = new Float32Array(6 * 3).fill(1), inputs = { clock: new Float32Array(6) };
 * const { outputs } = predictor.predict(x, inputs); // (6, 2)
 * const batch = await predict(model, { x, shape: [1, 6, 3], inputs });
 * assert.ok(outputs.every((y, i) => Math.abs(y - batch.outputs.data[i]!) < 1e-6));
 * ```
 */
export async function createPredictor(
  model: NetworkModel,
  options: { loss?: LossName; output?: string } = {},
): Promise<Predictor> {
  const action = "create predictor", internals = internalsOf(model), { session } = internals;
  const given = ownOptions(action, options, { loss: true, output: true });
  const { output = internals.only(action, "pass { output }") } = given;
  session.net.outputShape(action, output);
  if (session.net.resolved.nodes.some(({ type }) => type === "decoder")) {
    return await (await import("./source_predictor.ts")).openSourcePredictor(model);
  }
  const { loss } = internals.meaning(action, output, given);
  const values = await session.exclusive(() => session.readValues());
  const [{ WasmDevice }, { SingleNetwork }, { SinglePredictor }] = await Promise.all([
    import("../device/wasm.ts"),
    import("./single_network.ts"),
    import("./single_predictor.ts"),
  ]);
  const device = await WasmDevice.open(1, session.simd, session.device.module);
  return new SinglePredictor(new SingleNetwork(device, session.net, values, { output, loss }));
}
