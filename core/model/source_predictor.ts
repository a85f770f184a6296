/** Answers of a decoder to one source at a time. */

import { dispose } from "../engine.ts";
import { checkArgument, fail } from "../errors.ts";
import { type Forecast, forecast, type ForecastingOptions } from "./free_run.ts";
import { createBlank, internalsOf, type NetworkModel } from "./model.ts";
import { portsOf } from "./pair_ports.ts";
import type { Predictor } from "./predicting.ts";
import { createSearcher, type Hypothesis, type Searcher, type SearchOptions } from "./search.ts";
import type { SinglePrediction } from "./single_network.ts";
import type { PredictionStream } from "./stream.ts";

const ACTION = "predict";

/** A predictor of a network with a decoder: it searches, or of numbers forecasts. */
export async function openSourcePredictor(model: NetworkModel): Promise<Predictor> {
  const internals = internalsOf(model), { sourceShape, targetShape } = portsOf(internals, "create predictor");
  const isTokens = sourceShape.kind === "tokens", width = isTokens ? 1 : sourceShape.size;
  if (targetShape.kind === "tokens") {
    return new SourcePredictor({ width, isTokens, searcher: await createSearcher(model) });
  }
  const { session } = internals, { name, module } = session.device;
  const options = { device: name, simd: session.simd, module, loss: { ...model.meanings }, threads: 1 };
  const copy = await createBlank(model.network, options);
  await copy.loadStateDict(await model.stateDict());
  return new SourcePredictor({ width, isTokens, model: copy });
}

/** What a predictor of sources answers with: a searcher, or a model of numbers. */
interface Answering {
  /** Numbers of a source's step. */
  readonly width: number;
  readonly isTokens: boolean;
  readonly searcher?: Searcher;
  readonly model?: NetworkModel;
}

class SourcePredictor implements Predictor {
  readonly #answering: Answering;

  constructor(answering: Answering) {
    this.#answering = answering;
  }

  async search(x: Float32Array | Int32Array, options: SearchOptions = {}): Promise<Hypothesis[]> {
    const { searcher } = this.#answering, sequences = this.#sequences(x);
    if (!searcher) throw fail("wiring", ACTION, "the decoder says numbers, not tokens", { advice: "call forecast()" });
    const [answers] = await searcher.search(sequences, options);
    return answers!;
  }

  async forecast(x: Float32Array | Int32Array, options: ForecastingOptions): Promise<Forecast> {
    const { model } = this.#answering, sequences = this.#sequences(x);
    if (!model) throw fail("wiring", ACTION, "the decoder says tokens, not numbers", { advice: "call search()" });
    return await forecast(model, sequences, options);
  }

  /** One source as a batch. */
  #sequences(x: Float32Array | Int32Array) {
    const { width, isTokens } = this.#answering;
    checkArgument(ACTION, "x", x, []);
    if (!(isTokens ? x instanceof Int32Array : x instanceof Float32Array)) {
      const problem = `x must be ${isTokens ? "tokens, an Int32Array" : "numbers, a Float32Array"}`;
      throw fail("batch-type", ACTION, problem, { name: "x", value: x });
    }
    const T = x.length / width;
    if (Number.isInteger(T) && T >= 1) return { x, shape: [1, T, width] };
    const problem = `x must have a multiple of ${width} numbers, got ${x.length}`;
    throw fail("batch-shape", ACTION, problem, { name: "x", value: x.length });
  }

  predict(): SinglePrediction {
    throw this.#refusal("what a decoder says is searched for, step by step");
  }

  stream(): PredictionStream {
    throw this.#refusal("a decoder reads the whole source before it answers");
  }

  #refusal(why: string) {
    return fail("wiring", ACTION, why, { advice: `call ${this.#answering.searcher ? "search" : "forecast"}()` });
  }

  dispose(): void {
    this.#answering.searcher?.dispose();
    this.#answering.model?.dispose();
  }

  [dispose](): void {
    this.dispose();
  }
}
