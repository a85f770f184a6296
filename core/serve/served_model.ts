/**
 * A model behind a service: what it takes, and its answers, in the words of the data.
 *
 * @module
 */

import type { ForecastPipeline } from "../data/forecast.ts";
import type { PairPipeline } from "../data/pair_pipeline.ts";
import type { Pipeline } from "../data/pipeline.ts";
import { byKind, restoreAny } from "../data/preprocessing.ts";
import { JsonRecords } from "../data/readers/json.ts";
import type { Format, SequenceRecord, Table } from "../data/readers/record.ts";
import { columnsOf } from "../data/forecast_state.ts";
import { errorCause, fail } from "../errors.ts";
import { stepsOfNumbers } from "../job/answers.ts";
import { type Computed, forecastsOf, namedOf, plainOf } from "../job/computed.ts";
import { type GivenOptions, JOB_OPTIONS } from "../job/options.ts";
import type { Answer } from "../job/prediction.ts";
import { type Compute, predictions } from "../job/predictions.ts";
import { configOf, dataJob } from "../job/stored_job.ts";
import { LOSSES, quantilesOf } from "../model/losses.ts";
import type { NetworkModel } from "../model/model.ts";
import { createPredictor, type Predictor } from "../model/predictor.ts";
import { createSearcher, type Searcher } from "../model/search.ts";
import type { LoadedCheckpoint } from "../train/checkpoint/load.ts";
import { BODY, bodySource } from "./body.ts";
import { member, Problem, problemOf } from "./problem.ts";
import { type Item, unnamed } from "./records.ts";

/** What is served: a checkpoint, or a model with its preprocessing. */
export interface Servable {
  /** The model, with its loss: that says what its outputs mean. */
  readonly model: NetworkModel;
  /** What `toJSON` of its pipeline gave, as checkpoints hold it. Default: sequences are numbers, as the model takes them. */
  readonly preprocessing?: object | null;
  /** How its data are read, as checkpoints of the command line hold it. */
  readonly job?: object | null;
}

/** What is said of one sequence: an answer, or one for each of its steps, or for each row that follows. */
export type Said = readonly Answer[];

/** How data are prepared, by their kind; "arrays": not at all. */
export type Kind =
  | { readonly kind: "sequences"; readonly pipeline: Pipeline }
  | { readonly kind: "forecasts"; readonly pipeline: ForecastPipeline }
  | { readonly kind: "pairs"; readonly pipeline: PairPipeline }
  | { readonly kind: "arrays"; readonly channels: number };

const NO_OPTIONS = Object.fromEntries(Object.keys(JOB_OPTIONS).map((group) => [group, {}])) as unknown as GivenOptions;

/** A model that answers. */
export class ServedModel {
  readonly name: string;
  readonly data: Kind;
  readonly loaded: LoadedCheckpoint;
  readonly predictor: Predictor | undefined;
  readonly #searcher: Searcher | undefined;
  readonly #records = new JsonRecords(BODY, {});
  /** Numbers or tokens per step, outputs, and whether these are of every step. */
  readonly #sizes: {
    readonly width: number;
    readonly outputs: number;
    readonly isEveryStep: boolean;
    readonly hasAttention: boolean;
  };
  /** The numbers of a sequence on their way to the predictor, which copies them. */
  #x = new Float32Array();
  /** What searches now: they take turns. */
  #search: Promise<unknown> = Promise.resolve();
  readonly #predicts: Computed["predicts"];
  #uses = 0;
  #retired: (() => void) | undefined;

  private constructor(
    name: string,
    loaded: LoadedCheckpoint,
    data: Kind,
    { predictor, searcher }: { predictor?: Predictor; searcher?: Searcher },
  ) {
    this.name = name;
    this.loaded = loaded;
    this.data = data;
    this.predictor = predictor;
    this.#searcher = searcher;
    const own = data.kind === "sequences" || data.kind === "forecasts" ? data.pipeline.loss : undefined;
    this.#predicts = LOSSES[loaded.model.loss ?? own ?? "mse"].predicts;
    this.#sizes = predictor
      ? probe(predictor, loaded, data)
      : { width: 1, outputs: 0, isEveryStep: false, hasAttention: false };
  }

  /**
   * Opens a model.
   *
   * @throws {TypeError} If it cannot be served: its outputs mean nothing, or it has inputs that no body has.
   */
  static async open(name: string, { model, preprocessing = null, job = null }: Servable): Promise<ServedModel> {
    const loaded = { model, preprocessing, job, trainer: null, training: null, arithmetic: null } as LoadedCheckpoint;
    const data = preprocessing
      ? byKind<Kind>(restoreAny(preprocessing), {
        sequences: (pipeline) => ({ kind: "sequences", pipeline }),
        forecasts: (pipeline) => ({ kind: "forecasts", pipeline }),
        pairs: (pipeline) => ({ kind: "pairs", pipeline }),
      })
      : { kind: "arrays", channels: configOf(model, "serve").inputSize } as const;
    if (data.kind === "pairs") {
      const isNumbers = data.pipeline.target.unit === "numbers";
      return new ServedModel(name, loaded, data, isNumbers ? {} : { searcher: await createSearcher(model) });
    }
    const predictor = await createPredictor(model);
    try {
      return new ServedModel(name, loaded, data, { predictor });
    } catch (error) {
      predictor.dispose();
      throw error;
    }
  }

  /** What is said of the sequences that JSON holds. */
  said(items: readonly Item[]): Said[] | Promise<Said[]> {
    if (this.data.kind === "pairs") return this.#found(items);
    const { names } = this;
    const records = items.map(({ record, field, x }, i) => {
      try {
        const steps = names && member(record, "x"), lists = unnamed(steps, names, x);
        return this.#records.record(`record ${i + 1}`, lists === steps ? record : { ...record as object, x: lists });
      } catch (error) {
        const { name } = errorCause(error) ?? {};
        const place = name === undefined ? field : /^x\b/.test(name) ? x + name.slice(1) : `${field}.${name}`;
        throw problemOf(error, place.replace(/^\./, "")) ?? error;
      }
    });
    return this.saidOf(records, (i) => items[i]!.x);
  }

  /**
   * What is said of records.
   *
   * @param fieldOf Where the steps of a record stand in the body.
   * @param start Of answers that are numbers: what the decoder is fed first, for each record.
   */
  saidOf(
    records: readonly SequenceRecord[],
    fieldOf: (record: number) => string,
    start?: readonly (readonly number[])[],
  ): Said[] | Promise<Said[]> {
    const { data } = this;
    if (data.kind === "pairs") {
      return this.#found(records.map((record, i) => {
        const { text: x = stepsOf(record) } = record;
        return { record: { x, start: start?.[i] }, field: fieldOf(i), x: fieldOf(i) };
      }));
    }
    if (data.kind === "sequences") {
      try {
        return this.#ofSequences(data.pipeline, records);
      } catch (error) {
        // Which of them is it?
        if (errorCause(error)) {
          records.forEach((record, i) =>
            named(fieldOf(i), () => {
              this.#checkWindow(record);
              data.pipeline.sequences([record]);
            })
          );
        }
        throw error;
      }
    }
    return records.map((record, i) =>
      named(
        fieldOf(i),
        () => data.kind === "forecasts" ? this.#forecast(data.pipeline, record) : this.#ofArray(data.channels, record),
      )
    );
  }

  /** Holds that a sequence is a window, where those of the training were. */
  #checkWindow({ steps, place }: SequenceRecord): void {
    const { window } = this;
    if (window === undefined || steps === window) return;
    const problem = `there must be the ${window} steps of a window, got ${steps}: recordings that are to be cut into ` +
      "windows come as CSV or JSON Lines";
    throw fail("shape-mismatch", `read ${place}`, problem, { name: "x" });
  }

  #ofSequences(pipeline: Pipeline, records: readonly SequenceRecord[]): Said[] {
    for (const record of records) this.#checkWindow(record);
    const left = records.find((record) => !pipeline.keeps(record));
    if (left) pipeline.sequences([left]);
    const { model } = this.loaded, found: Said[] = [];
    for (const sequences of pipeline.parts(records)) {
      for (const [row, said] of namedOf(model, pipeline, records, sequences, this.#compute(sequences))) {
        found[row] = said.steps ?? [said];
      }
    }
    return found;
  }

  /** The rows that follow a table's, whose columns come in the order that training had. */
  #forecast(pipeline: ForecastPipeline, { values, steps, channels, place }: SequenceRecord): Said {
    const columns = columnsOf(pipeline.toJSON());
    if (channels !== columns.length) {
      const problem = `a row must have ${columns.length} numbers (${columns.join(", ")}), got ${channels}`;
      throw fail("shape-mismatch", `read ${place}`, problem, { name: "x" });
    }
    const table: Table = {
      name: place,
      columns,
      values: columns.map((_, c) => Float64Array.from({ length: steps }, (_, t) => values![t * channels + c]!)),
      rows: steps,
    };
    const inputs = pipeline.inputs(table), computed = this.#compute(inputs);
    return [...forecastsOf(this.loaded.model, pipeline, inputs, computed, (h) => `${place} +${h + 1}`)];
  }

  #ofArray(wanted: number, { values, steps, channels, place, missing }: SequenceRecord): Said {
    const problem = !values
      ? "there must be numbers, got text"
      : channels !== wanted
      ? `a step must be a list of ${wanted} numbers, got ${channels}`
      : missing !== undefined && "a value is missing";
    if (problem) throw fail("input-kind", `read ${place}`, problem);
    const { length } = values!, x = this.#x.length === length ? this.#x : this.#x = new Float32Array(length);
    for (let i = 0; i < length; i++) x[i] = values![i]!;
    const sequences = { x, shape: [1, steps, channels] };
    return [...plainOf(this.loaded.model, sequences, this.#compute(sequences), [place])];
  }

  /** What the predictor says, a sequence at a time: the bits of each do not hang on its company. */
  #compute: Compute = ({ x, shape, lengths }: Parameters<Compute>[0] & { readonly lengths?: ArrayLike<number> }) => {
    const [N, T] = shape as readonly [number, number], { width, outputs: O, isEveryStep } = this.#sizes;
    const rows = isEveryStep ? T : 1, data = new Float32Array(N * rows * O), weights = new Float32Array(N * T);
    const tokens = this.loaded.model.config?.numEmbeddings && !(x instanceof Int32Array) ? new Int32Array(x!) : x!;
    for (let i = 0; i < N; i++) {
      const steps = lengths?.[i] ?? T, from = i * T * width;
      const isAll = N === 1 && steps === T, own = isAll ? tokens : tokens.subarray(from, from + steps * width);
      const { outputs, attentionWeights } = this.predictor!.predict(own);
      data.set(outputs, i * rows * O);
      weights.set(attentionWeights, i * T);
    }
    const predicts = this.#predicts;
    const outputs = { shape: isEveryStep ? [N, T, O] : [N, O], data };
    return { outputs, predicts, attentionWeights: { shape: [N, T], data: weights } } as Computed;
  };

  /** Names of a step's numbers, where they have some. */
  get names(): readonly string[] | undefined {
    const { data } = this;
    return data.kind === "sequences"
      ? data.pipeline.channelNames
      : data.kind === "forecasts"
      ? columnsOf(data.pipeline.toJSON())
      : undefined;
  }

  /** Steps of a sequence, where those that it was trained on were windows of recordings. */
  get window(): number | undefined {
    return this.data.kind === "sequences" ? this.data.pipeline.windows?.window : undefined;
  }

  /** Steps of its answers, where they are numbers of steps of their own. */
  get steps(): number | undefined {
    const { data, loaded } = this;
    if (data.kind !== "pairs" || data.pipeline.target.unit !== "numbers") return undefined;
    return stepsOfNumbers(data.pipeline, dataJob(loaded, NO_OPTIONS));
  }

  /** Whether its streams keep what they have of every step. */
  get keepsSteps(): boolean {
    return this.#sizes.hasAttention;
  }

  /** The answers to the texts or numbers that JSON holds. */
  async #found(items: readonly Item[]): Promise<Said[]> {
    const sources = items.map(({ record, field, x }) => {
      const { x: given, source = given, start } = Object(record) as { x?: unknown; source?: unknown; start?: unknown };
      if (typeof source === "string" || Array.isArray(source)) return { x: source, start };
      throw new Problem(400, "there must be a text or a list of steps, or an object with x or source that is one", {
        field: x || field,
      });
    });
    const bytes = new TextEncoder().encode(JSON.stringify(sources));
    const fieldOf = (i: number, name: string | undefined) => {
      const { field, x } = items[i]!;
      return name === "start" ? `${field}.start`.replace(/^\./, "") : x || field;
    };
    return (await this.read(bytes, "json", fieldOf)).answers.map((answer) => [answer]);
  }

  /**
   * What is said of data as the command line reads them from a pipe; a row that cannot be taken is an error.
   *
   * @param fieldOf Where the part of a row by some name stands in the body.
   */
  async read(
    bytes: Uint8Array,
    format?: Format,
    fieldOf?: (row: number, name: string | undefined) => string,
  ): Promise<{ answers: Answer[]; notes: string[] }> {
    const turn = this.#search;
    const work = (async () => {
      if (this.#searcher) await turn;
      const notes: string[] = [], answers: Answer[] = [], files = format && { format };
      const question = {
        loaded: this.loaded,
        paths: [BODY],
        given: { ...NO_OPTIONS, files: { ...files } },
        source: bodySource(bytes, { ...NO_OPTIONS, files: { ...files } }),
        onNote: (note: string) => notes.push(note),
        compute: this.#searcher ? undefined : this.#compute,
        searcher: this.#searcher,
      };
      for await (const answer of predictions(question)) {
        if ("error" in answer) {
          const { error } = answer, field = fieldOf?.(answers.length, errorCause(error)?.name);
          throw field === undefined ? error : problemOf(error, field) ?? error;
        }
        answers.push(answer);
      }
      return { answers, notes };
    })();
    if (this.#searcher) this.#search = work.catch(() => {});
    return await work;
  }

  /** Is used until {@linkcode release}: it stays as long. */
  hold(): this {
    this.#uses++;
    return this;
  }

  release(): void {
    if (!--this.#uses) this.#retired?.();
  }

  /** Waits until nobody uses it, and frees its memory. */
  async retire(): Promise<void> {
    if (this.#uses) await new Promise<void>((resolve) => this.#retired = resolve);
    this.predictor?.dispose();
    this.#searcher?.dispose();
  }
}

/** The steps of a record of numbers, a list each. */
function stepsOf({ values, steps, channels }: SequenceRecord): number[][] {
  return Array.from({ length: steps }, (_, t) => [...values!.subarray(t * channels, (t + 1) * channels)]);
}

/** Does something with a part of the body, which errors then name. */
function named<T>(field: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw problemOf(error, field) ?? error;
  }
}

/** Tries a predictor: what a step takes, and what comes out. */
function probe(predictor: Predictor, { model }: LoadedCheckpoint, data: Kind) {
  const isText = data.kind === "sequences" ? data.pipeline.numEmbeddings > 0 : (model.config?.numEmbeddings ?? 0) > 0;
  const width = isText
    ? 1
    : data.kind === "sequences" || data.kind === "forecasts"
    ? data.pipeline.inputSize
    : model.config.inputSize;
  const said = (steps: number) => predictor.predict(isText ? new Int32Array(steps) : new Float32Array(steps * width));
  const of = (steps: number) => said(steps).outputs.length, hasAttention = said(1).attentionWeights.length > 0;
  const outputs = of(1), isEveryStep = of(2) === 2 * outputs;
  if (isEveryStep !== (data.kind === "sequences" && data.pipeline.everyStep)) {
    const problem = "its outputs are at every step, or its labels are, and not both";
    throw fail("preprocessing-mismatch", "serve", `${problem}: createPredictor in a program`);
  }
  return { width, outputs, isEveryStep, hasAttention };
}

/** Names of a model's outputs, and the quantiles of each if it says some. */
export function outputsOf({ data, loaded: { model } }: ServedModel) {
  const quantiles = quantilesOf(model), width = quantiles?.length ?? 1;
  const names = data.kind === "arrays"
    ? Array.from({ length: model.config.outputSize / width }, (_, o) => String(o))
    : data.kind === "forecasts"
    ? data.pipeline.toJSON().targetColumns
    : data.kind === "sequences"
    ? data.pipeline.labels
    : [];
  return { names, quantiles, isProbabilities: LOSSES[model.loss ?? "mse"].predicts === "probabilities" };
}
