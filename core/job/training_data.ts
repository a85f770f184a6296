import type { Dataset } from "../data/dataset.ts";
import type { Choices } from "../data/metrics/classification.ts";
import type { TaskMetrics } from "../data/metrics/summary.ts";
import type { AnyPreprocessing } from "../data/preprocessing.ts";
import { isPairs, type PairDataset } from "../data/pairs.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Model, NamedArray, NetworkModel } from "../model/model.ts";
import type { Seq2SeqConfig } from "../model/seq2seq.ts";
import type { RunReport } from "../report/run_report.ts";
import type { TrainerOptions } from "../train/trainer.ts";
import type { TextAnswer } from "./answers.ts";
import type { DataJob } from "./data_options.ts";
import type { ChosenLoss } from "./loss.ts";

/** What data say of the ready-made model for labelled sequences. */
export type LabelledConfig = Pick<ModelConfig, "inputSize" | "outputSize" | "numEmbeddings" | "paddingIdx">;

/** What pairs say of the ready-made model for them. */
export type PairConfig = Pick<Seq2SeqConfig, "task" | "sourceTokens" | "sourceSize" | "targetTokens" | "targetSize">;

/** Whether data are pairs. */
export function isPairConfig(config: LabelledConfig | PairConfig): config is PairConfig {
  return "task" in config;
}

/** The data of one training. */
export interface TrainingData {
  readonly train: Dataset | PairDataset;
  /** Looked at after every epoch. */
  readonly watched?: Dataset | PairDataset;
  /** Its name. */
  readonly watchedName: "test" | "validation";
  readonly config: LabelledConfig | PairConfig;
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

/** How many sequences data have. */
export function sequencesIn(data: Dataset | PairDataset): number {
  return isPairs(data) ? data.sources.lengths.length : data.shape[0]!;
}

/** One of the trainings that a job asks for. */
export interface NamedTraining {
  /** Which of several: "fold 2". */
  readonly name?: string;
  readonly data: TrainingData;
}

/** Scores, and the outputs they come from. */
export interface Scores {
  /** The numbers that several trainings are compared by. */
  readonly values: Readonly<Record<string, number>>;
  readonly metrics: TaskMetrics;
  /** Probabilities, values or quantiles (N, O); of more than two classes those that sequences are taken for. */
  readonly outputs?: NamedArray | Choices;
  /** Of pairs: the answers to each source. */
  readonly answers?: readonly (readonly TextAnswer[])[];
  /** Sequences, or steps where these have labels. */
  readonly count: number;
  /** What is counted. */
  readonly unit: "sequence" | "step";
  /** Names of the targets; none for classes. */
  readonly targets: readonly string[];
}

/** Data to score a model on. */
export interface TestData {
  readonly test: Dataset | PairDataset;
  /** Whether they were watched in the training, as far as is known. */
  readonly wasWatched?: boolean;
  /** What the model's outputs for them are worth, in the data's units: values (N, O), or quantiles (N, O·Q). */
  metrics(outputs: NamedArray, quantiles?: readonly number[]): TaskMetrics;
  /** How pairs are scored, in place of `metrics`. */
  score?(model: NetworkModel, options: ChosenLoss & { readonly batchSize: number }): Promise<Scores>;
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

/** The scores of what pictures show, as far as they are known, and the places of examples, where they are to stay the same. */
export interface PictureOptions extends Partial<Pick<Scores, "outputs" | "metrics" | "answers">> {
  readonly chosen?: readonly number[];
}

/** What came of the files, for checkpoints, scores and pictures. */
export interface FileOrigin extends Omit<TestData, "test"> {
  readonly preprocessing: AnyPreprocessing;
  /** Scored at the end; absent where nothing is held out. */
  readonly test?: Dataset | PairDataset;
  /** Options that made the preprocessing what it is. */
  readonly settings: object;
  /** What there is to see of them, given the scores if there are some. */
  pictures(model: Model, options?: PictureOptions): Promise<Partial<RunReport>>;
}
