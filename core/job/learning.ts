/** How long a training lasts where nobody says, and what is to be said of how it went. */

import { type Dataset, targetRows } from "../data/dataset.ts";
import { validTargets } from "../data/metrics/rows.ts";
import { isPairs } from "../data/pairs.ts";
import { LOSSES } from "../model/losses.ts";
import type { EpochRecord } from "../train/history.ts";
import { TRAIN_OPTIONS, type TrainingSettings } from "../train/training_options.ts";
import type { Scores } from "./scores.ts";
import type { TrainingData } from "./training_data.ts";
import { plural } from "./words.ts";

/** Updates that a training on the user's own data makes at least where nobody says how many epochs, and the most epochs. */
export const LEAST_UPDATES = 1000, MOST_EPOCHS = 500;

/** Epochs of a training on the user's own data where nobody says: the usual number, and more where batches are few. */
export function defaultEpochs(
  sequences: number,
  { batchSize = TRAIN_OPTIONS.batchSize.default!, accumulate = 1 }: Pick<TrainingSettings, "batchSize" | "accumulate">,
): number {
  const updates = Math.ceil(Math.ceil(sequences / batchSize) / accumulate);
  return Math.max(TRAIN_OPTIONS.epochs.default!, Math.min(MOST_EPOCHS, Math.ceil(LEAST_UPDATES / updates)));
}

/** Share of the loss of constant outputs above which next to nothing is learned. */
const NOTHING = 0.99;

/** Share of all that the loss fell by which it must still fall in the last tenth of the epochs. */
const FALLING = 0.02;

/**
 * The loss of the best outputs that are the same for every sequence: the classes' shares, the targets' means. Undefined
 * where that is not known.
 */
export function constantLoss(
  dataset: Dataset,
  { loss, weights: { classWeights, posWeight }, outputs }: Pick<TrainingData, "loss" | "weights"> & { outputs: number },
): number | undefined {
  const { targetsPerStep, weights } = dataset, targets = validTargets(dataset), N = targetRows(dataset);
  if (loss.labelSmoothing || posWeight || targetsPerStep && weights) return undefined;
  const of = (n: number) => weights?.[n] ?? 1;
  const total = Array.from({ length: N }, (_, n) => of(n)).reduce((a, b) => a + b, 0);
  if (loss.loss === "crossEntropy") {
    const sums = new Array<number>(outputs).fill(0);
    for (let n = 0; n < N; n++) sums[targets[n]!]! += of(n) * (classWeights?.[targets[n]!] ?? 1);
    const all = sums.reduce((a, b) => a + b, 0);
    return -sums.reduce((sum, s) => s > 0 ? sum + s / all * Math.log(s / all) : sum, 0);
  }
  if (loss.loss !== "bce" && loss.loss !== "mse") return undefined;
  const width = targets.length / N;
  let sum = 0;
  for (let o = 0; o < width; o++) {
    let first = 0, second = 0;
    for (let n = 0; n < N; n++) {
      const target = targets[n * width + o]!;
      first += of(n) * target / total;
      second += of(n) * target ** 2 / total;
    }
    const entropy = [first, 1 - first].reduce((h, p) => p > 0 ? h - p * Math.log(p) : h, 0);
    sum += loss.loss === "bce" ? entropy : second - first ** 2;
  }
  return sum / width;
}

/** The only class that test sequences are taken for; undefined where there are several, or no classes. */
function onlyClass({ metrics }: Scores): string | undefined {
  if (metrics.kind !== "classification") return undefined;
  const { confusion, perClass } = metrics;
  const taken = perClass.filter((_, c) => confusion.some((row) => row[c]! > 0));
  const there = perClass.filter((_, c) => confusion[c]!.some((count) => count > 0));
  return taken.length === 1 && there.length > 1 ? taken[0]!.label : undefined;
}

/** Whether a loss still falls at its end, by much of what it fell in all. */
function isFalling(losses: readonly number[]): boolean {
  const tenth = Math.max(1, Math.floor(losses.length / 10));
  if (losses.length < 3 * tenth || losses.length < 3) return false;
  const mean = (of: readonly number[]) => of.reduce((a, b) => a + b, 0) / of.length;
  const last = mean(losses.slice(-tenth)), before = mean(losses.slice(-2 * tenth, -tenth)), all = losses[0]! - last;
  return all > 0 && before - last > FALLING * all;
}

/**
 * What is to be said of how a training went, and what may help.
 *
 * @param outcome Its epochs, its scores if there are some, and whether it ran to its last epoch.
 */
export function learningNotes(
  data: TrainingData,
  { history, scores, outputs, ran }: {
    readonly history: readonly EpochRecord[];
    readonly scores?: Scores;
    readonly outputs: number;
    readonly ran: boolean;
  },
): string[] {
  const notes: string[] = [], last = history.at(-1)!, only = scores && onlyClass(scores);
  if (only !== undefined) {
    notes.push(
      `all ${plural(scores!.count, `test ${scores!.unit}`)} are taken for ${
        JSON.stringify(only)
      }: the classes are not told apart`,
    );
  }
  const { train } = data, constant = isPairs(train) ? undefined : constantLoss(train, { ...data, outputs });
  if (constant !== undefined && last.trainLoss > NOTHING * constant) {
    const what = LOSSES[data.loss.loss].hasAccuracy ? "the classes' shares" : "the mean";
    notes.push(
      `next to nothing is learned yet: the training loss is ${last.trainLoss.toPrecision(4)}, that of always giving ` +
        `${what} ${constant.toPrecision(4)}; more --epochs or another --lr may help`,
    );
  } else if (ran && isFalling(history.map(({ validationLoss, trainLoss }) => validationLoss ?? trainLoss))) {
    const name = last.validationLoss === undefined ? "training" : data.watchedName;
    notes.push(`the ${name} loss is still falling: more --epochs may help`);
  }
  return notes;
}
