import { summarizeMetrics, type Summary } from "../data/metrics/summary.ts";
import { type Dataset, subset } from "../data/dataset.ts";
import type { Fold } from "../data/split.ts";
import { checkArgument, fail } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { ModelConfig } from "../model/config.ts";
import { createModel, internalsOf, type Model, type ModelOptions } from "../model/model.ts";
import { type DetailedMetrics, evaluate } from "./evaluate.ts";
import type { EpochRecord } from "./history.ts";
import { Training, type TrainOptions } from "./training.ts";
import { checkWatchers } from "./validate.ts";

/** The data of one fold. */
export interface FoldData {
  /** To train on. */
  readonly train: Dataset;
  /** To score the result on, and for nothing else: no choice depends on it. */
  readonly test: Dataset;
  /** For early stopping, the best epoch and "plateau". Default: none; they go by the training loss. */
  readonly validation?: Dataset;
}

/** Options of {@linkcode crossValidate}: those of every training, and the seeds. */
export interface CrossValidationOptions
  extends Omit<TrainOptions, "validation" | "state" | "bestParameters" | "trainer" | "seed"> {
  /** Each fold is trained once with each seed. Default [0]. */
  seeds?: readonly number[];
  /** Device of the models. Default: the CPU. */
  device?: Omit<ModelOptions, "seed">;
  /** Names of the classes. */
  labels?: readonly string[];
  /** Whether a sequence may have any number of labels. */
  multilabel?: boolean;
  /** Called after every training; the next one waits for it. */
  onRun?: (run: CrossValidationRun) => void | Promise<void>;
}

/** One training of a cross-validation. */
export interface CrossValidationRun {
  /** The fold's number, from 0. */
  readonly fold: number;
  /** Seed of the parameters, the order of the sequences, and dropout. */
  readonly seed: number;
  /** One record per epoch. */
  readonly history: readonly EpochRecord[];
  /** The scores on the fold's test data. */
  readonly test: DetailedMetrics;
}

/** Result of {@linkcode crossValidate}. */
export interface CrossValidation {
  /** Every training, fold by fold. */
  readonly runs: readonly CrossValidationRun[];
  /** Mean and sample standard deviation over all runs, of every number that all of them have. */
  readonly summary: Readonly<Record<string, Summary>>;
}

/**
 * Trains and tests a model on each fold, with each seed.
 *
 * @param config The models' config, or a function that makes a model for a seed. Models are disposed afterwards.
 * @param data The dataset that the folds divide; or a function from a fold to its data, for anything that must be fitted on
 * the training part alone, such as scaling.
 * @param folds What {@linkcode kFold} or {@linkcode walkForward} returns, for example.
 * @throws {TypeError | RangeError} If an option is wrong, the data do not fit, or there are no folds.
 * @throws What `signal` was aborted with.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { crossValidate, kFold, sampleDataset } from "@grutto/grutto";
 *
 * const data = sampleDataset({ size: 200 }), config = { inputSize: 5, hiddenSize: 10, outputSize: 2 };
 * const { runs, summary } = await crossValidate(config, data, kFold(200, 4), { seeds: [0, 1], epochs: 5 });
 * assert.equal(runs.length, 8);
 * assert.ok(summary.accuracy!.mean > 0.4 && summary.accuracy!.sd > 0);
 * ```
 */
export async function crossValidate<F extends Fold>(
  config: ModelConfig | ((seed: number) => Model | Promise<Model>),
  data: Dataset | ((fold: F) => FoldData | Promise<FoldData>),
  folds: Iterable<F>,
  options: CrossValidationOptions = {},
): Promise<CrossValidation> {
  if (typeof config !== "function") checkArgument("cross-validate", "config", config, []);
  if (typeof data !== "function") checkArgument("cross-validate", "data", data, ["shape", "targets"]);
  checkArgument("cross-validate", "folds", folds, "iterable");
  const { seeds = [0], device, labels, multilabel, onRun, ...training } = ownOptions("cross-validate", options);
  checkWatchers("cross-validate", { ...training, onRun });
  const make = typeof config === "function" ? config : (seed: number) => createModel(config, { ...device, seed });
  const parts = typeof data === "function" ? data : ({ train, test }: Fold): FoldData => ({
    train: subset(data, train),
    test: subset(data, test),
  });
  const runs: CrossValidationRun[] = [];
  let number = 0;
  for (const fold of folds) {
    checkArgument("cross-validate", "fold", fold, typeof data === "function" ? [] : ["train", "test"]);
    const { train, test, validation } = await parts(fold);
    for (const seed of seeds) {
      const made = await make(seed);
      internalsOf(made);
      using model = made;
      const history = await new Training(model, train, { ...training, validation, seed }).run();
      const { batchSize, signal } = training, how = { batchSize, signal, labels, multilabel, metrics: true } as const;
      const run = { fold: number, seed, history, test: await evaluate(model, test, how) };
      runs.push(run);
      await onRun?.(run);
    }
    number++;
  }
  if (!runs.length) throw fail("empty", "cross-validate", "there must be a fold and a seed");
  return { runs, summary: summarizeMetrics(runs.map(({ test }) => test)) };
}
