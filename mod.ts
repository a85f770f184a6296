/**
 * Trains recurrent networks with attention on sequences, in TypeScript on a WebAssembly SIMD core: no Python, no native
 * build.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, evaluate, predict, randomSplit, sampleDataset, train } from "./mod.ts";
 *
 * const [training, test] = randomSplit(sampleDataset({ seed: 1 }), [0.8, 0.2], 1);
 * const config = { inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5, loss: "bce" as const };
 * using model = await createModel(config, { seed: 1 });
 * await train(model, training!, { epochs: 60 });
 * const { accuracy } = await evaluate(model, test!);
 * const { outputs, attentionWeights } = await predict(model, { x: test!.x.slice(0, 50), shape: [1, 10, 5] });
 *
 * assert.ok(accuracy > 0.85);
 * assert.deepEqual([outputs.shape, attentionWeights.shape], [[1, 2], [1, 10]]);
 * ```
 *
 * As a program, `deno run mod.ts` trains the sample job; see `deno run mod.ts --help`.
 *
 * @module
 */

export {
  ERROR_CODES,
  type ErrorCause,
  errorCause,
  type ErrorCode,
  errorCode,
  type ErrorDetails,
} from "./core/errors.ts";
export type { Fleet } from "./core/fleet/fleet.ts";
export { openFleet } from "./core/fleet/open.ts";
export type { NamedArray, StateDict } from "./core/model/arrays.ts";
export type { Sequences, Targets } from "./core/model/batch.ts";
export type { FullConfig, ModelConfig } from "./core/model/config.ts";
export {
  type Alignment,
  type AttentionWeights,
  type DecoderValues,
  defineNetwork,
  type GruValues,
  type Layers,
  type LstmValues,
  type NetworkValue,
  type RowValue,
  type States,
  type StepValue,
  type TokenValue,
} from "./core/model/define.ts";
export type { WeightedLoss } from "./core/model/internals.ts";
export type { OutputMeaning } from "./core/model/meanings.ts";
export type { CellName } from "./core/model/layers/cells.ts";
export type { AttentionOptions } from "./core/model/layers/attention.ts";
export { type DecoderOptions, END, PAD, START, UNKNOWN } from "./core/model/layers/decoder_options.ts";
export type { Kind } from "./core/model/layers/node.ts";
export type { LayerNormOptions } from "./core/model/layers/layer_norm.ts";
export type { RecurrentOptions } from "./core/model/layers/recurrent_options.ts";
export type { LossName, LossOptions, LossSettings } from "./core/model/losses.ts";
export {
  type AnyTargets,
  createModel,
  type GradientOptions,
  type Gradients,
  type Model,
  type ModelOptions,
  type NetworkGradients,
  type NetworkModel,
  type NetworkOptions,
  type NetworkOutputs,
  type Outputs,
} from "./core/model/model.ts";
export type { LayerNode, Network } from "./core/model/network.ts";
export type { Parameter } from "./core/model/parameters.ts";
export type { Seq2SeqConfig } from "./core/model/seq2seq.ts";
export { createSearcher, type Hypothesis, type Searcher, type SearchOptions } from "./core/model/search.ts";
export { type Forecast, forecast, type ForecastingOptions } from "./core/model/free_run.ts";
export { createPredictor, type Predictor, type SinglePrediction } from "./core/model/predictor.ts";
export type { PredictionStream } from "./core/model/stream.ts";
export {
  type Batch,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  randomSplit,
  subset,
} from "./core/data/dataset.ts";
export {
  type PairBatch,
  type PairDataset,
  PairLoader,
  type PairLoaderOptions,
  type Ragged,
  ragged,
} from "./core/data/pairs.ts";
export { Pipeline, type PipelineState, type TokenInputs } from "./core/data/pipeline.ts";
export type { PreparedDataset, PreparedSequences } from "./core/data/prepared.ts";
export type { PipelineOptions } from "./core/data/pipeline_options.ts";
export type { Records } from "./core/data/records.ts";
export type { NumberInputs } from "./core/data/numbers.ts";
export type { Decoded, LabelState, LabelTask, Task } from "./core/data/labels.ts";
export type { MissingPolicy, ScalingState } from "./core/data/scaling.ts";
export type { Normalization, TokenUnit, VocabularyState } from "./core/data/vocabulary.ts";
export {
  type SequenceNormalization,
  type SequenceUnit,
  Tokenizer,
  type TokenizerOptions,
  type TokenizerState,
} from "./core/data/tokenizer.ts";
export { ForecastPipeline } from "./core/data/forecast.ts";
export type { ForecastOptions, ForecastState, RowRange, Transform } from "./core/data/forecast_state.ts";
export type { ForecastDataset, ForecastInputs, LeftOut } from "./core/data/windows.ts";
export { type PairGroup, PairPipeline, type SearchedAnswer } from "./core/data/pair_pipeline.ts";
export type { PairRecord, PairSide, PairSize } from "./core/data/pair_records.ts";
export { type NumberSteps, type PlacedSteps, StepScaler, type StepScalerState } from "./core/data/step_scaler.ts";
export type { PairOptions } from "./core/data/pair_options.ts";
export type { PairPipelineState } from "./core/data/pair_state.ts";
export { type PairSource, readPairs, readParallel } from "./core/data/readers/pairs.ts";
export type { PairFormat, PairReadOptions } from "./core/data/readers/pair_formats.ts";
export type { PairReading } from "./core/data/readers/pair_reading.ts";
export { type Preprocessing, type PreprocessingState, restorePreprocessing } from "./core/data/preprocessing.ts";
export {
  type Classes,
  everyNth,
  type Fold,
  kFold,
  randomIndices,
  stratifiedSplit,
  type TimeFold,
  timeSplit,
  walkForward,
} from "./core/data/split.ts";
export { type RecordingOptions, RecordingWindows, type WindowLabel, type WindowState } from "./core/data/recordings.ts";
export { balancedWeights } from "./core/data/weights.ts";
export { type DataHash, hashDataset } from "./core/data/hash.ts";
export { sampleDataset, type SampleOptions } from "./core/data/sample.ts";
export type {
  Format,
  Input,
  LastingOption,
  Reading,
  ReadOptions,
  RecordSource,
  SequenceRecord,
  Table,
} from "./core/data/readers/record.ts";
export { writeNpz } from "./core/data/readers/arrays.ts";
export { type NpyArray, writeNpy } from "./core/data/readers/npy.ts";
export { type LabelsTable, readLabelsTable } from "./core/data/readers/labels_table.ts";
export { formatOf, readRecords, readTable } from "./core/data/readers/read.ts";
export type { OptimizerName, OptimizerOptions } from "./core/train/optimizer.ts";
export {
  createTrainer,
  type LossFunction,
  type StepOptions,
  type StepResult,
  type Trainer,
  type TrainerOptions,
  type TrainerState,
} from "./core/train/trainer.ts";
export type { BatchProgress, EpochRecord, EpochReport, TrainingState } from "./core/train/history.ts";
export { train, Training, type TrainOptions } from "./core/train/training.ts";
export type { TrainingOptions, TrainingSettings } from "./core/train/training_options.ts";
export type { TrainingData } from "./core/train/batch_source.ts";
export type { TeacherName, TeacherOptions } from "./core/train/teacher.ts";
export {
  crossValidate,
  type CrossValidation,
  type CrossValidationOptions,
  type CrossValidationRun,
  type FoldData,
} from "./core/train/cross_validate.ts";
export type { EarlyStoppingOptions } from "./core/train/early_stopping.ts";
export type { ScheduleName, ScheduleOptions } from "./core/train/schedule.ts";
export {
  type DetailedMetrics,
  type DetailedOptions,
  evaluate,
  type EvaluateOptions,
  type Metrics,
  predict,
  type Prediction,
  type Scores,
} from "./core/train/evaluate.ts";
export type { PairMetrics } from "./core/train/pair_metrics.ts";
export {
  type Choices,
  type ClassificationMetrics,
  classificationMetrics,
  type ClassificationOptions,
  type ClassMetrics,
  type LabelMetrics,
  type MultilabelMetrics,
} from "./core/data/metrics/classification.ts";
export {
  type Errors,
  type QuantileScore,
  type RegressionMetrics,
  regressionMetrics,
  type RegressionOptions,
} from "./core/data/metrics/regression.ts";
export {
  type Bleu,
  bleu,
  type BleuOptions,
  type BleuTokenizer,
  chrf,
  type CorpusScore,
} from "./core/data/metrics/bleu.ts";
export { errorRate } from "./core/data/metrics/errors.ts";
export { type SequenceMetrics, sequenceMetrics, type SequenceMetricsOptions } from "./core/data/metrics/sequences.ts";
export type { Rows } from "./core/data/metrics/rows.ts";
export { summarize, summarizeMetrics, type Summary, type TaskMetrics } from "./core/data/metrics/summary.ts";
export {
  loadCheckpoint,
  type LoadedCheckpoint,
  parseCheckpoint,
  type ResumeOptions,
  type StoredTraining,
} from "./core/train/checkpoint/load.ts";
export { type CheckpointParts, formatCheckpoint, saveCheckpoint } from "./core/train/checkpoint/snapshot.ts";
export { configFromStateDict, type ModelFile } from "./core/exchange/config.ts";
export { exportOnnx } from "./core/exchange/onnx.ts";
export { exportModule, type ModuleFiles, type ModuleOptions } from "./core/exchange/module.ts";
export { exportSeq2SeqOnnx, type Seq2SeqOnnx } from "./core/exchange/onnx_seq2seq.ts";
export { readSafetensors, type Safetensors, writeSafetensors } from "./core/exchange/safetensors.ts";
export { type PtFile, readPt, writePt } from "./core/exchange/pt.ts";
export {
  describeModel,
  type LoadedModel,
  loadModel,
  modelFile,
  type ModelFormat,
  modelFormat,
  modelFormatOf,
  readModel,
  writeModel,
} from "./core/exchange/model_file.ts";
export { describeForecasts, type DescribeOptions, describePredictions } from "./core/report/describe.ts";
export { formatConfusion, formatMetrics } from "./core/report/format_metrics.ts";
export { pickByError, pickExamples, type PickOptions } from "./core/report/pick_examples.ts";
export { plotHistory, type PlotOptions } from "./core/report/plot_history.ts";
export { htmlReport } from "./core/report/html_report.ts";
export { EventWriter } from "./core/report/tensorboard.ts";
export type {
  AlignmentExample,
  AttentionExample,
  ConfusionMatrix,
  ForecastExample,
  RegressionExample,
  RunReport,
} from "./core/report/run_report.ts";
export {
  type AnsweredRequest,
  createHandler,
  type Handler,
  type HandlerOptions,
  type Servable,
} from "./core/serve/handler.ts";
export type { Simd } from "./core/device/device.ts";
export { VERSION } from "./core/version.ts";

if (import.meta.main) {
  const { main } = await import("./core/cli/main.ts");
  Deno.exit(await main(Deno.args));
}
