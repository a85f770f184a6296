/** Predicts one sequence at a time, at once: networks whose layers can. Loaded when the first predictor of one is made. */

import { dispose } from "../engine.ts";
import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import { checkFiniteOutputs } from "./finite.ts";
import type { Forecast } from "./free_run.ts";
import type { Predictor } from "./predicting.ts";
import type { Hypothesis } from "./search.ts";
import { copyRows, type SingleNetwork, type SinglePrediction } from "./single_network.ts";
import type { LengthPlan } from "./single_program.ts";
import { type PredictionStream, Streams } from "./stream.ts";

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

export class SinglePredictor implements Predictor {
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
      throw fail("batch-type", ACTION, `x must be a Float32Array, or of tokens an Int32Array, got ${spell(x)}`, {
        name: "x",
      });
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
    this.#network.device.check();
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
