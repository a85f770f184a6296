/** The face of predictors, of whatever network. */

import type { Forecast, ForecastingOptions } from "./free_run.ts";
import type { Hypothesis, SearchOptions } from "./search.ts";
import type { SinglePrediction } from "./single_network.ts";
import type { PredictionStream } from "./stream.ts";

/** Predicts one sequence at a time, without waiting and without allocating. Made by {@linkcode createPredictor}. */
export interface Predictor extends Disposable {
  /**
   * What the model says of one sequence.
   *
   * @param x Its steps (T, I), row-major, or its tokens (T); any number of steps, those seen before being quicker.
   * @param inputs The network's other inputs, by name.
   * @throws {RangeError} If the count of numbers is no multiple of I, or a token is not in the vocabulary.
   * @throws {TypeError} After `dispose`.
   */
  predict(
    x: Float32Array | Int32Array,
    inputs?: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SinglePrediction;
  /**
   * A sequence whose steps come one by one, such as a sensor's samples: each push says what `predict` says of all steps so
   * far, to the bit. What the network computed of them is kept: a push takes the same time however many there were, but for
   * an attention, which looks at all of them again. There may be many streams at a time.
   *
   * @throws {TypeError} If a layer is bidirectional.
   */
  stream(): PredictionStream;
  /**
   * Of a network whose decoder says tokens: the answers to one source, the best first, as many as `nBest`, with their
   * log-probabilities and attention. They are those of the same source in a batch.
   *
   * @param x Steps of the source (T, I), row-major, or its tokens (T).
   * @throws {TypeError} If the network has no such decoder.
   * @throws {RangeError} If an option is out of range, or `x` does not fit.
   */
  search(x: Float32Array | Int32Array, options?: SearchOptions): Promise<Hypothesis[]>;
  /**
   * Of a network whose decoder says numbers: what it says after one source, as `forecast` with B = 1.
   *
   * @throws {TypeError} If the network has no such decoder.
   * @throws {RangeError} If an option is out of range, or `x` does not fit.
   */
  forecast(x: Float32Array | Int32Array, options: ForecastingOptions): Promise<Forecast>;
  /** Frees the memory, that of its streams too. */
  dispose(): void;
}
