/**
 * Sequences that come one step at a time.
 *
 * @module
 */

import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import { checkFiniteOutputs } from "./finite.ts";
import { copyRows, type SingleNetwork, type SinglePrediction } from "./single_network.ts";
import type { StreamPlan } from "./single_program.ts";

/**
 * A sequence that comes one step at a time. Made by `Predictor.stream`.
 *
 * @example Sensors, each with a stream
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, createPredictor, type PredictionStream } from "@grutto/grutto";
 *
 * using model = await createModel({ inputSize: 2, hiddenSize: 10, outputSize: 1, loss: "bce" });
 * using predictor = await createPredictor(model);
 * const streams = new Map<string, PredictionStream>();
 * for (const { sensor, sample } of [{ sensor: "a", sample: [1, 2] }, { sensor: "b", sample: [0, 1] }]) {
 *   const stream = streams.get(sensor) ?? predictor.stream();
 *   streams.set(sensor, stream);
 *   const { outputs } = stream.push(Float32Array.from(sample));
 *   assert.equal(outputs.length, 1);
 * }
 * ```
 */
export interface PredictionStream {
  /** Steps so far. */
  readonly steps: number;
  /**
   * Takes one more step.
   *
   * @param sample Its numbers (I), or its token (1).
   * @param inputs The network's other inputs at this step, by name.
   * @returns What the model says of all steps so far: outputs (O), of an output of every step those of this one, and how much
   * each step counts. The arrays are used again by the next push.
   * @throws {RangeError} If there are not I numbers, or the token is not in the vocabulary: the stream is as it was.
   * @throws {TypeError} After the predictor's `dispose`.
   */
  push(
    sample: Float32Array | Int32Array,
    inputs?: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SinglePrediction;
  /** Forgets all steps. */
  reset(): void;
}

/** Steps that histories have room for at first. */
const CAPACITY = 64;

/** The streams of one predictor: they take turns on one device. */
export class Streams {
  readonly #network: SingleNetwork;
  #plan: StreamPlan | undefined;
  /** Whose numbers are on the device. */
  #current: Stream | undefined;

  constructor(network: SingleNetwork) {
    this.#network = network;
  }

  /** A new one. */
  open(): PredictionStream {
    const { kept, histories } = this.#plan ?? this.#load(CAPACITY);
    return new Stream(this, kept.map(({ length }) => new Float32Array(length)), histories.length);
  }

  /** The plan, with room for one more step of a stream, whose numbers are on the device. */
  enter(stream: Stream): StreamPlan {
    const { capacity } = this.#plan!;
    if (this.#current !== stream || stream.steps >= capacity) {
      this.leave();
      if (stream.steps >= capacity) this.#load(2 * capacity);
      this.#copy(stream, (kept, view) => view.set(kept));
      this.#current = stream;
    }
    return this.#plan!;
  }

  /** Copies what is on the device to the stream it belongs to. */
  leave(): void {
    const stream = this.#current, { histories } = this.#plan!;
    if (!stream) return;
    this.#current = undefined;
    stream.histories = histories.map(({ width }) => new Float32Array(stream.steps * width));
    this.#copy(stream, (kept, view) => kept.set(view));
  }

  /** Forgets what is on the device of a stream. */
  drop(stream: Stream): void {
    if (this.#current === stream) this.#current = undefined;
  }

  /** Runs a step. */
  run(plan: StreamPlan, step: number): void {
    const { device } = this.#network;
    plan.programs.forEach((program, i) => {
      device.run(program);
      plan.acts[i]?.(step, {
        call: (kernel, args) => device.call(kernel, args),
        view: (tensor) => device.view(tensor),
      });
    });
  }

  get network(): SingleNetwork {
    return this.#network;
  }

  #load(capacity: number): StreamPlan {
    const { device, persistent, net } = this.#network;
    if (net.firstInput.outputs.output!.kind === "rows") {
      throw fail("wiring", "predict a stream", `input "${net.firstInput.name}" has no steps`, {
        name: net.firstInput.name,
      });
    }
    const plan = this.#network.programs.streamPlan(capacity);
    device.load(plan, persistent);
    for (const { to } of plan.feeds) device.view(to).fill(0);
    return this.#plan = plan;
  }

  /** Each of a stream's arrays beside its place on the device. */
  #copy(stream: Stream, copy: (own: Float32Array, view: Float32Array) => void): void {
    const { kept, histories } = this.#plan!, { device } = this.#network;
    kept.forEach((tensor, i) => copy(stream.kept[i]!, device.view(tensor)));
    histories.forEach(({ data }, i) => {
      const own = stream.histories[i]!;
      copy(own, device.view(data).subarray(0, own.length));
    });
  }

  dispose(): void {
    this.#network.device.dispose();
  }
}

class Stream implements PredictionStream {
  readonly #streams: Streams;
  steps = 0;
  /** What layers keep, unless it is on the device. */
  readonly kept: readonly Float32Array[];
  /** Rows of all steps so far, likewise. */
  histories: readonly Float32Array[];
  #outputs: Float32Array | undefined;
  #weights = new Float32Array(CAPACITY);

  constructor(streams: Streams, kept: readonly Float32Array[], histories: number) {
    this.#streams = streams;
    this.kept = kept;
    this.histories = Array.from({ length: histories }, () => new Float32Array());
  }

  push(
    sample: Float32Array | Int32Array,
    inputs?: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SinglePrediction {
    const streams = this.#streams, { network } = streams, { device } = network;
    device.check();
    if (!(sample instanceof Float32Array || sample instanceof Int32Array)) {
      const problem = `a sample must be a Float32Array, or of tokens an Int32Array, got ${spell(sample)}`;
      throw fail("batch-type", "predict", problem, { name: "sample" });
    }
    const plan = streams.enter(this), { feeds, result, weights } = plan;
    for (const feed of feeds) network.feed(feed, device.view(feed.to), feed.isX ? sample : inputs?.[feed.input]);
    streams.run(plan, this.steps++);
    const outputs = this.#outputs ??= new Float32Array(result.parts.reduce((a, b) => a + b, 0));
    copyRows(outputs, device.view(result.data), result);
    checkFiniteOutputs(outputs, "predict");
    if (!weights) return { outputs, attentionWeights: new Float32Array(), probabilities: outputs };
    if (this.#weights.length < this.steps) this.#weights = new Float32Array(2 * this.#weights.length);
    const attentionWeights = this.#weights.subarray(0, this.steps);
    attentionWeights.set(device.view(weights.data).subarray(0, this.steps));
    return { outputs, attentionWeights, probabilities: outputs };
  }

  reset(): void {
    this.#streams.drop(this);
    this.steps = 0;
    for (const array of this.kept) array.fill(0);
    this.histories = this.histories.map(() => new Float32Array());
  }
}
