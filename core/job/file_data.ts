/** Data in files: from what a job says of them to datasets, and from outputs back to what they say. */

import type { PairPipeline } from "../data/pair_pipeline.ts";
import { type AnyPreprocessing, byKind, restoreAny } from "../data/preprocessing.ts";
import type { DataJob } from "./data_options.ts";
import { forecasts, tableData } from "./forecasts.ts";
import type { FileJob } from "./options.ts";
import { type DataSource, ReadData } from "./read_data.ts";
import type { ReadPairs } from "./read_pairs.ts";
import { labelledData, sequences } from "./sequences.ts";
import type { NamedTraining, TestData, Trained } from "./training_data.ts";

/** The trainings that a job asks for, its data being kept for the next seed. */
export class FileData {
  readonly #source: DataSource;
  readonly #restored?: AnyPreprocessing;
  readonly #onlyKnownTokens: boolean;
  #read?: ReadData;
  #pairs?: ReadPairs;

  /**
   * @param stored The preprocessing of a checkpoint. Default: it is fitted on the training part.
   * @param options Whether texts with tokens that it does not know are refused. Default false.
   */
  constructor(source: DataSource, stored?: unknown, { onlyKnownTokens = false }: { onlyKnownTokens?: boolean } = {}) {
    this.#source = source;
    this.#onlyKnownTokens = onlyKnownTokens;
    if (stored) this.#restored = restoreAny(stored);
  }

  /** What a job trains on: once, or once for each fold. */
  trainings(job: FileJob): AsyncGenerator<NamedTraining> {
    const read = this.#read ??= new ReadData(job.own, this.#source), restored = this.#restored;
    if (restored) {
      return byKind(restored, {
        sequences: (pipeline) => sequences(job, read, pipeline, this.#onlyKnownTokens),
        forecasts: (pipeline) => forecasts(job, read, pipeline),
        pairs: (pipeline) => this.#pairTrainings(job, pipeline),
      });
    }
    const { forecast, preparation } = job.own;
    if (preparation.task === "seq2seq") return this.#pairTrainings(job);
    const isForecast = forecast.targetColumns !== undefined || preparation.task === "forecast";
    return isForecast ? forecasts(job, read) : sequences(job, read);
  }

  /** Pairs, whose code is loaded when there are some. */
  async *#pairTrainings(job: FileJob, pipeline?: PairPipeline): AsyncGenerator<NamedTraining> {
    const [{ pairTrainings }, { ReadPairs }] = await Promise.all([import("./pairs.ts"), import("./read_pairs.ts")]);
    yield* pairTrainings(job, this.#pairs ??= new ReadPairs(job.own, this.#source), pipeline, this.#onlyKnownTokens);
  }
}

/** Files to score a model on, as its preprocessing takes them. */
export function testData(
  preprocessing: AnyPreprocessing,
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  options: { readonly trained?: Trained; readonly testRows?: string } = {},
): Promise<TestData> {
  return byKind(preprocessing, {
    sequences: (pipeline) => labelledData(pipeline, paths, job, source, options.trained),
    forecasts: (pipeline) => tableData(pipeline, paths, job, source, options),
    pairs: async (pipeline) =>
      await (await import("./pairs.ts")).pairFiles(pipeline, paths, job, source, options.trained),
  });
}
