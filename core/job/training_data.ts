import type { Dataset } from "../data/dataset.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import type { Preprocessing } from "../data/preprocessing.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Model, NamedArray } from "../model/model.ts";
import type { DescribeOptions } from "../report/describe.ts";
import type { RunReport } from "../report/run_report.ts";
import type { TrainerOptions } from "../train/trainer.ts";
import type { DataJob } from "./data_options.ts";
import type { ChosenLoss } from "./loss.ts";

/** The data of one training. */
export interface TrainingData {
  readonly train: Dataset;
  /** Looked at after every epoch. */
  readonly watched?: Dataset;
  /** Its name. */
  readonly watchedName: "test" | "validation";
  readonly config: Pick<ModelConfig, "inputSize" | "outputSize" | "numEmbeddings" | "paddingIdx">;
  readonly loss: ChosenLoss;
  /** Whether a sequence is right or wrong as a whole: not so for amounts, and for labels of which it may have any number. */
  readonly hasAccuracy: boolean;
  readonly weights: Pick<TrainerOptions, "classWeights" | "posWeight">;
  /** For the first lines: what the data are. */
  readonly description: readonly string[];
  /** What makes its scores worth less, said however little else is. */
  readonly warnings?: readonly string[];
  /** Of data in files: what they were made by, for scores and pictures. */
  readonly own?: FileOrigin;
}

/** One of the trainings that a job asks for. */
export interface NamedTraining {
  /** Which of several: "fold 2". */
  readonly name?: string;
  readonly data: TrainingData;
}

/** Data to score a model on. */
export interface TestData {
  readonly test: Dataset;
  /** Whether they were watched in the training, as far as is known. */
  readonly wasWatched?: boolean;
  /** What the model's outputs for them are worth, in the data's units: values (N, O), or quantiles (N, O·Q). */
  metrics(outputs: NamedArray, quantiles?: readonly number[]): TaskMetrics;
  /** Names of the targets, of which a row of outputs has each in turn; absent for classes. */
  readonly targets?: readonly string[];
  /** Names of the classes, where each sequence is taken for the one of several with the highest output. */
  readonly classes?: readonly string[];
  /** Notes about them, if there are any. */
  readonly remark?: string;
}

/** What is known of the training whose model is scored. */
export interface Trained {
  /** Of what it was trained on. */
  readonly hash?: string;
  /** Its job, and its seed. */
  readonly job?: DataJob;
  readonly seed?: number;
}

/** What came of the files, for checkpoints, scores and pictures. */
export interface FileOrigin extends Omit<TestData, "test"> {
  readonly preprocessing: Preprocessing;
  /** Scored at the end; absent where nothing is held out. */
  readonly test?: Dataset;
  /** Options that made the preprocessing what it is. */
  readonly settings: object;
  /** What there is to see of them, given the scores if there are some. */
  pictures(model: Model, scored?: Pick<DescribeOptions<unknown>, "outputs" | "metrics">): Promise<Partial<RunReport>>;
}
