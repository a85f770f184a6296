/**
 * Sequences that come sample by sample, each under a key of its own.
 *
 * @module
 */

import type { SequenceRecord } from "../data/readers/record.ts";
import { type Computed, namedOf, plainOf } from "../job/computed.ts";
import { errorCause } from "../errors.ts";
import type { Answer } from "../job/prediction.ts";
import { LOSSES } from "../model/losses.ts";
import type { PredictionStream } from "../model/stream.ts";
import { Problem } from "./problem.ts";
import type { ServedModel } from "./served_model.ts";

/** A stream and what it needs to know of its past. */
interface Stream {
  readonly predictions: PredictionStream;
  /** Of the model that it was opened on: the next one knows nothing of it. */
  readonly model: ServedModel;
  /** The last value of each channel in the data's units, NaN where there is none yet. */
  readonly last: Float64Array;
}

/** How many streams there may be. */
export interface StreamLimits {
  /** Streams at a time. */
  readonly maxStreams: number;
  /** Steps of all together, where an attention keeps them. */
  readonly maxSteps: number;
}

/**
 * The streams of a service. Where there would be too many, the one that was used the longest ago gives way; whoever says how
 * many steps a stream should have learns of it.
 */
export class KeyedStreams {
  /** The one that was used the longest ago comes first. */
  readonly #streams = new Map<string, Stream>();
  readonly #limits: StreamLimits;
  #steps = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Steps of a stream so far; 0 if there is none. */
  steps(model: ServedModel, key: string): number {
    return this.#find(model, key)?.predictions.steps ?? 0;
  }

  /** Forgets a stream. Returns whether there was one. */
  delete(model: ServedModel, key: string): boolean {
    const stream = this.#find(model, key);
    if (stream) this.#drop(idOf(model, key), stream);
    return stream !== undefined;
  }

  /** Forgets the streams of a model. */
  forget(model: ServedModel): void {
    for (const [id, stream] of this.#streams) if (stream.model === model) this.#drop(id, stream);
  }

  /**
   * Takes more steps of a stream, which begins with them if there is none: all of them, or none if one is wrong.
   *
   * @param expected Steps that it must have before.
   * @returns What is said at each of them.
   */
  push(model: ServedModel, key: string, record: SequenceRecord, expected?: number): Answer[] {
    const id = idOf(model, key), known = this.#find(model, key), before = known?.predictions.steps ?? 0;
    if (expected !== undefined && expected !== before) {
      const problem = `the stream ${JSON.stringify(key)} has ${before} steps, not ${expected}: ` +
        (known
          ? "some came in between, or were lost"
          : "it gave way to others, the model is another one, or it never began");
      throw new Problem(409, problem, { field: "steps" });
    }
    const stream = known ?? opened(model), { x, steps, width } = encoded(model, record, stream.last);
    if (before + Math.max(steps, record.steps) > mostSteps(model)) {
      throw new Problem(400, `the model takes ${mostSteps(model)} steps of a sequence: DELETE begins the stream anew`, {
        field: "x",
      });
    }
    this.#streams.delete(id);
    this.#streams.set(id, stream);
    const answers: Answer[] = [];
    try {
      for (let t = 0; t < steps; t++) {
        const said = stream.predictions.push(x.subarray(t * width, (t + 1) * width));
        if (said.attentionWeights.length) this.#steps++;
        answers.push(answerOf(model, record, said, stream.predictions.steps - 1));
      }
    } catch (error) {
      // What it knew is gone in part.
      this.#drop(id, stream);
      throw error;
    }
    if (record.values) remember(stream.last, record);
    this.#evict(id);
    return answers;
  }

  #find(model: ServedModel, key: string): Stream | undefined {
    const stream = this.#streams.get(idOf(model, key));
    return stream?.model === model ? stream : undefined;
  }

  /** Lets others give way to a stream. */
  #evict(kept: string): void {
    for (const [id, stream] of this.#streams) {
      if (this.#streams.size <= this.#limits.maxStreams && this.#steps <= this.#limits.maxSteps) return;
      if (id !== kept || this.#steps > this.#limits.maxSteps) this.#drop(id, stream);
    }
  }

  #drop(id: string, { predictions, model }: Stream): void {
    this.#streams.delete(id);
    if (model.keepsSteps) this.#steps -= predictions.steps;
    predictions.reset();
  }
}

function idOf({ name }: ServedModel, key: string): string {
  return `${name}/${key}`;
}

/** A stream of a model that can have some. */
function opened(model: ServedModel): Stream {
  const { data, predictor } = model;
  const why = data.kind === "forecasts"
    ? "it forecasts tables"
    : data.kind === "pairs"
    ? "it answers texts"
    : data.kind === "sequences" && patchOf(model) > 1
    ? "several steps make one of its own"
    : undefined;
  const refusal = (why: string) => new Problem(400, `the model ${JSON.stringify(model.name)} has no streams: ${why}`);
  if (why !== undefined) throw refusal(why);
  const channels = data.kind === "arrays" ? data.channels : data.kind === "sequences" ? data.pipeline.inputSize : 0;
  try {
    return { predictions: predictor!.stream(), model, last: new Float64Array(channels).fill(NaN) };
  } catch (error) {
    // A layer reads sequences from their ends.
    const { problem } = errorCause(error) ?? {};
    throw problem === undefined ? error : refusal(problem);
  }
}

function patchOf({ data }: ServedModel): number {
  if (data.kind !== "sequences") return 1;
  const { inputs } = data.pipeline.toJSON();
  return inputs.kind === "numbers" ? inputs.patch : 1;
}

/** Steps that are taken of a sequence. */
function mostSteps({ data, window }: ServedModel): number {
  if (data.kind !== "sequences") return Infinity;
  if (window !== undefined) return window;
  const { inputs } = data.pipeline.toJSON();
  return (inputs.kind === "numbers" ? inputs.maxLength : inputs.vocabulary.maxLength) ?? Infinity;
}

/** Steps as the model takes them. */
function encoded({ data, loaded: { model } }: ServedModel, record: SequenceRecord, last: Float64Array) {
  const { values, channels, steps } = record;
  if (data.kind !== "sequences") {
    const wanted = last.length;
    if (!values || channels !== wanted || values.some(Number.isNaN)) {
      throw new Problem(400, `a sample must be a list of ${wanted} numbers`, { field: "x" });
    }
    const isText = (model.config?.numEmbeddings ?? 0) > 0;
    return { x: isText ? Int32Array.from(values) : Float32Array.from(values), steps, width: channels };
  }
  const { pipeline } = data;
  if (!values || channels !== last.length) {
    const { x, shape: [, T, width] } = pipeline.sequences([record]);
    return { x, steps: T, width };
  }
  // What is missing is filled in from the step before, which is there once more.
  if (!values.some(Number.isNaN) || last.every(Number.isNaN)) {
    return { x: pipeline.sequences([record]).x.subarray(0, values.length), steps, width: channels };
  }
  const whole = new Float64Array((steps + 1) * channels);
  whole.set(last);
  whole.set(values, channels);
  const { x } = pipeline.sequences([{ ...record, values: whole, steps: steps + 1, missing: undefined }]);
  return { x: x.subarray(channels), steps, width: channels };
}

/** Keeps the last value of each channel. */
function remember(last: Float64Array, { values, channels }: SequenceRecord): void {
  values!.forEach((value, i) => {
    if (!Number.isNaN(value)) last[i % channels] = value;
  });
}

/** What is said of all steps so far; of a model that says something of each, of the last. */
function answerOf(
  { data, loaded: { model } }: ServedModel,
  record: SequenceRecord,
  { outputs, attentionWeights }: ReturnType<PredictionStream["push"]>,
  step: number,
): Answer {
  const T = data.kind === "sequences" && data.pipeline.everyStep ? 1 : Math.max(1, attentionWeights.length);
  const isEveryStep = data.kind === "sequences" && data.pipeline.everyStep, O = outputs.length;
  const loss = model.loss ?? (data.kind === "sequences" ? data.pipeline.loss : "mse");
  const computed: Computed = {
    outputs: { shape: isEveryStep ? [1, 1, O] : [1, O], data: outputs.slice() },
    predicts: LOSSES[loss].predicts,
    attentionWeights: { shape: [1, T], data: attentionWeights.slice() },
  };
  if (data.kind !== "sequences") return plainOf(model, { shape: [1, T] }, computed, [record.place]).next().value!;
  const prepared = { x: outputs, shape: [1, T, 1] as const, rows: Uint32Array.of(0) };
  const [, said] = namedOf(model, data.pipeline, [record], prepared, computed).next().value!;
  return said.steps ? { ...said.steps[0]!, row: step } : said;
}
