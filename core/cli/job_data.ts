import { type Dataset, randomSplit } from "../data/dataset.ts";
import { sampleDataset } from "../data/sample.ts";
import type { Preprocessing } from "../data/preprocessing.ts";
import { amend } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import { LOSSES, type LossName } from "../model/losses.ts";
import type { Model, NamedArray } from "../model/model.ts";
import type { RunReport } from "../report/run_report.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import type { TrainerOptions } from "../train/trainer.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import type { Job } from "./options.ts";

/** What a job says of its data and its loss. */
export type OwnJob = Pick<Job, "own" | "everything" | "training">;

/** What one training is made on. */
export interface JobData {
  readonly train: Dataset;
  /** Looked at after every epoch. */
  readonly watched?: Dataset;
  /** What that is called. */
  readonly watchedName: "test" | "validation";
  readonly config: Pick<ModelConfig, "inputSize" | "outputSize" | "numEmbeddings" | "paddingIdx">;
  readonly loss: ChosenLoss;
  /** Whether a sequence is right or wrong as a whole: not so for amounts, and for labels of which it may have any number. */
  readonly hasAccuracy: boolean;
  readonly weights: Pick<TrainerOptions, "classWeights" | "posWeight">;
  /** For the first lines: what the data are. */
  readonly description: readonly string[];
  /** Of data of one's own: where they come from, for scores and pictures. */
  readonly own?: OwnData;
}

/** Data to score a model on. */
export interface Scored {
  readonly test: Dataset;
  /** What the model's outputs for them are worth, in the data's units: values (N, O), or quantiles (N, O·Q). */
  metrics(outputs: NamedArray, quantiles?: readonly number[]): TaskMetrics;
  /** Names of the targets, of which a row of outputs has each in turn; absent for classes. */
  readonly targets?: readonly string[];
  /** What is to be said about them, if anything. */
  readonly remark?: string;
}

/** What came of the files, for checkpoints, scores and pictures. */
export interface OwnData extends Omit<Scored, "test"> {
  readonly preprocessing: Preprocessing;
  /** Scored at the end; absent where nothing is held back. */
  readonly test?: Dataset;
  /** What there is to see of them. */
  pictures(model: Model, outputs?: NamedArray): Promise<Partial<RunReport>>;
}

/** The seed job's data: 80 % for training, 20 % for validation. */
export function sampleData(
  { data, everything: { seed }, training }: Pick<Job, "data" | "everything" | "training">,
): JobData {
  const chosen = chooseLoss(training, { loss: "bce" }), { loss } = chosen;
  const [train, test] = randomSplit(sampleDataset({ ...data, seed }), [0.8, 0.2], seed);
  return {
    train: targetsFor(loss, train!),
    watched: targetsFor(loss, test!),
    watchedName: "validation",
    config: { inputSize: data.features, outputSize: 2 },
    loss: chosen,
    hasAccuracy: LOSSES[loss].hasAccuracy,
    weights: {},
    description: [`${words(data)}, seed ${seed}`],
  };
}

/** The sample's data for a loss: some want class numbers in place of one-hot rows. */
export function targetsFor(loss: LossName, dataset: Dataset): Dataset {
  if (LOSSES[loss].targets === "numbers") return dataset;
  const { targets, shape } = dataset;
  return { ...dataset, targets: Int32Array.from({ length: shape[0]! }, (_, i) => targets[2 * i] ? 0 : 1) };
}

/** Options in a line: "size 1000, steps 10". */
export function words(values: object): string {
  return Object.entries(values).filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const nested = typeof value === "object" && !Array.isArray(value);
      return nested ? `${name} (${words(value)})` : `${name} ${Array.isArray(value) ? value.join(",") : value}`;
    }).join(", ");
}

/** Divides data; errors say what is divided into what, and which option asks for it. */
export function dividing<T>({ what, item, option }: Record<"what" | "item" | "option", string>, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw amend(error, { action: `divide ${what}`, name: item, option });
  }
}
