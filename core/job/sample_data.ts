/** The sample job's data, made by a formula. */

import { type Dataset, randomSplit } from "../data/dataset.ts";
import { sampleDataset } from "../data/sample.ts";
import { LOSSES, type LossName, quantilesOf } from "../model/losses.ts";
import type { Model } from "../model/model.ts";
import { chooseLoss } from "./loss.ts";
import type { Job } from "./options.ts";
import type { TrainingData } from "./training_data.ts";
import { words } from "./words.ts";

/** Targets of a sequence: its classes, one-hot. */
export const SAMPLE_TARGETS = 2;

/** The data: 80 % for training, 20 % for validation. */
export function sampleData(
  { data, everything: { seed }, training }: Pick<Job, "data" | "everything" | "training">,
): TrainingData {
  const chosen = chooseLoss(training, { loss: "bce" }), { loss } = chosen;
  const [train, test] = randomSplit(sampleDataset({ ...data, seed }), [0.8, 0.2], seed);
  return {
    train: targetsFor(loss, train!),
    watched: targetsFor(loss, test!),
    watchedName: "validation",
    config: { inputSize: data.features, outputSize: SAMPLE_TARGETS },
    loss: chosen,
    hasAccuracy: LOSSES[loss].hasAccuracy,
    weights: {},
    description: [`${words(data)}, seed ${seed}`],
  };
}

/** The data for a loss: some want class numbers in place of one-hot rows. */
export function targetsFor(loss: LossName, dataset: Dataset): Dataset {
  if (LOSSES[loss].targets === "numbers") return dataset;
  const { targets, shape } = dataset;
  return { ...dataset, targets: Int32Array.from({ length: shape[0]! }, (_, i) => targets[2 * i] ? 0 : 1) };
}

/** Whether a model's outputs are for these data. */
export function fitsSample(model: Model): boolean {
  return model.config.outputSize === SAMPLE_TARGETS * (quantilesOf(model)?.length ?? 1);
}
