import { dispose } from "../engine.ts";
import { checkArgument, fail } from "../errors.ts";
import { checkFiniteOutputs } from "./finite.ts";
import type { Forecast } from "./free_run.ts";
import type { LossName } from "./losses.ts";
import { internalsOf, type NetworkModel } from "./model.ts";
import type { Predictor } from "./predicting.ts";
import type { Hypothesis } from "./search.ts";
import { copyRows, SingleNetwork, type SinglePrediction } from "./single_network.ts";
import type { LengthPlan } from "./single_program.ts";
import { type PredictionStream, Streams } from "./stream.ts";

export type { Predictor, SinglePrediction };

/** What a length's plan has at hand: where to write, where to read. */
interface Loaded {
  readonly plan: LengthPlan;
  readonly views: readonly Float32Array[];
  readonly result: Float32Array;
  /** The outputs among it, where they lie in one piece. */
  readonly dense: Float32Array | undefined;
  readonly weights: Float32Array | undefined;
  readonly prediction: SinglePrediction;
}

/** Lengths that are kept ready at a time. */
const MAX_PLANS = 16;

const ACTION = "predict";

class SinglePredictor implements Predictor {
  readonly #network: SingleNetwork;
  readonly #plans = new Map<number, LengthPlan>();
  #loaded: Loaded | undefined;
  #streams: Streams | undefined;

  constructor(network: SingleNetwork) {
    this.#network = network;
  }

  predict(
    x: Float32Array | Int32Array,
    inputs?: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SinglePrediction {
    if (!(x instanceof Float32Array || x instanceof Int32Array)) {
      throw fail("batch-type", ACTION, `x must be a Float32Array, or of tokens an Int32Array, got ${x}`, { name: "x" });
    }
    const T = x.length / this.#network.width, loaded = this.#loaded;
    const { plan, views, result, dense, weights, prediction } = T === loaded?.plan.T ? loaded : this.#load(T, x.length);
    const { feeds } = plan;
    for (let i = 0; i < feeds.length; i++) {
      const feed = feeds[i]!;
      this.#network.feed(feed, views[i]!, feed.isX ? x : inputs?.[feed.input]);
    }
    this.#network.device.run(plan.programs[0]!);
    if (dense) prediction.outputs.set(dense);
    else copyRows(prediction.outputs, result, plan.result);
    checkFiniteOutputs(prediction.outputs, ACTION);
    if (weights) prediction.attentionWeights.set(weights);
    return prediction;
  }

  stream(): PredictionStream {
    return (this.#streams ??= new Streams(this.#network.again())).open();
  }

  search(): Promise<Hypothesis[]> {
    return Promise.reject(withoutDecoder());
  }

  forecast(): Promise<Forecast> {
    return Promise.reject(withoutDecoder());
  }

  #load(T: number, length: number): Loaded {
    const { device, net, persistent, width } = this.#network, steps = net.firstInput.outputs.output!.kind !== "rows";
    if (!Number.isInteger(T) || T < 1 || !steps && T !== 1) {
      const wanted = steps ? `a multiple of ${width}` : String(width);
      throw fail("batch-shape", ACTION, `x must have ${wanted} numbers, got ${length}`, { name: "x", value: length });
    }
    let plan = this.#plans.get(T);
    if (!plan) {
      if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
      this.#plans.set(T, plan = this.#network.programs.plan(T));
    }
    device.load(plan, persistent);
    const { feeds, result, weights } = plan, views = feeds.map(({ to }) => device.view(to));
    // Padding is never written.
    for (const view of views) view.fill(0);
    const rows = result.kind === "rows" ? 1 : T,
      outputs = new Float32Array(rows * result.parts.reduce((a, b) => a + b, 0));
    const view = device.view(result.data);
    return this.#loaded = {
      plan,
      views,
      result: view,
      dense: rows === 1 && result.parts.length === 1 ? view.subarray(0, outputs.length) : undefined,
      weights: weights && device.view(weights.data),
      prediction: { outputs, attentionWeights: new Float32Array(weights ? T : 0), probabilities: outputs },
    };
  }

  dispose(): void {
    this.#network.device.dispose();
    this.#streams?.dispose();
  }

  [dispose](): void {
    this.dispose();
  }
}

function withoutDecoder() {
  return fail("wiring", ACTION, "the network has no decoder", { advice: "call predict()" });
}

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
  checkArgument(action, "options", options, []);
  const { output = internals.only(action, "pass { output }") } = options;
  session.net.outputShape(action, output);
  if (session.net.resolved.nodes.some(({ type }) => type === "decoder")) {
    return await (await import("./source_predictor.ts")).openSourcePredictor(model);
  }
  const { loss } = internals.meaning(action, output, options);
  const values = await session.exclusive(() => session.readValues());
  const { WasmDevice } = await import("../device/wasm.ts");
  const device = await WasmDevice.open(1, session.simd, session.device.module);
  return new SinglePredictor(new SingleNetwork(device, session.net, values, { output, loss }));
}
