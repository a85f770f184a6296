/** A job that starts from the weights of a model: what the model's file fixes, and what is new. */

import { restoreAny } from "../data/preprocessing.ts";
import type { ModelFile } from "../exchange/config.ts";
import { type FullConfig, type ModelConfig, resolveConfig } from "../model/config.ts";
import { resolveOptions } from "../options.ts";
import { type DataJob, resolveDataJob } from "./data_options.ts";
import { flagFor, type GivenOptions, type Group, type Job, JOB_OPTIONS, resolveJob, UsageError } from "./options.ts";
import { stepConfig } from "./step_network.ts";
import { preparedAs, type StoredJob } from "./stored_job.ts";
import { isPairConfig, type TrainingData } from "./training_data.ts";

/** The model that a training starts from. */
export interface Start {
  /** What errors call it. */
  readonly name: string;
  readonly file: ModelFile;
  /** The job that trained it, if that is known. */
  readonly stored?: StoredJob;
}

/** Options that may be others than before, though their group is fixed: no weight and no number of the data depends on them. */
const FREE: ReadonlySet<string> = new Set([
  "dropout",
  "layerDropout",
  "classWeights",
  "posWeight",
  "season",
  "trainRows",
  "testRows",
]);

/** Those options that are as before. */
function fixedOf(options: object = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !FREE.has(name)));
}

/** The config of the model that a training starts from. */
export function startConfig({ file: { config, network }, name }: Start): FullConfig {
  if (config) return resolveConfig(config);
  const known = network && stepConfig(network);
  if (known) return known;
  throw new Error(
    `cannot start from "${name}": it holds a network of your own: in a program, loadCheckpoint and train do it`,
  );
}

/**
 * The job of a training on new data that starts from a model: its network, preprocessing and loss are the model's, all
 * else is as for any training.
 *
 * @throws {UsageError} If an option is given that the model's file fixes.
 */
export function startedJob(start: Start, given: GivenOptions): Job {
  if (!given.files.data) {
    throw new UsageError("--from needs data to train on, such as: train new.csv --from checkpoints/best.json");
  }
  if (hasDecoder(start)) return startedPairs(start, given);
  const config = startConfig(start), { file: { preprocessing, loss = config.loss }, stored } = start;
  const prepared = preprocessing !== undefined;
  const before = prepared ? stored?.own ?? preparedAs(preprocessing) : {};
  const everyStep = start.file.network && !prepared && { labelEveryStep: true };
  const preparation = { ...fixedOf(before.preparation), ...everyStep }, forecast = fixedOf(before.forecast);
  const embeddingDim = config.numEmbeddings ? config.inputSize : undefined;
  refuseChanges("model", given.model, { ...config }, start);
  if (prepared) {
    const { task } = restoreAny(preprocessing);
    refuseChanges("preparation", given.preparation, { ...preparation, task, embeddingDim }, start);
    refuseChanges("forecast", given.forecast, forecast, start);
  }
  const job = resolveJob(given), { model: { dropout, layerDropout = dropout } } = given;
  const { inputSize: _i, outputSize: _o, numEmbeddings: _n, paddingIdx: _p, loss: _l, quantiles, ...model } = config;
  const own = resolveDataJob("train", given, { columns: before.columns, preparation, forecast });
  return {
    ...job,
    own,
    model: resolveOptions("train", JOB_OPTIONS.model, {
      ...model,
      ...dropout !== undefined && { dropout },
      ...layerDropout !== undefined && { layerDropout },
    }),
    training: { ...loss && { loss }, ...quantiles && { quantiles }, ...job.training },
  };
}

/** Whether a model is one from sequences to sequences. */
export function hasDecoder({ file: { network } }: Start): boolean {
  return network?.layers.some(({ type }) => type === "decoder") ?? false;
}

/** The same from a model for pairs, whose network stays as it is, dropout too. */
function startedPairs(start: Start, given: GivenOptions): Job {
  const { file: { preprocessing, loss, meanings = {} }, stored } = start, prepared = preprocessing !== undefined;
  const { preparation, pairs = {}, columns } = prepared ? stored?.own ?? preparedAs(preprocessing) : {};
  const { targetFile: _t, testTargetFile: _e, ...fixed }: DataJob["pairs"] = pairs;
  refuseChanges("model", given.model, { ...stored?.model }, start, NOTHING);
  if (prepared) {
    const { targetFile: _g, testTargetFile: _i, ...asked }: Partial<DataJob["pairs"]> = given.pairs;
    refuseChanges("preparation", given.preparation, { ...preparation, task: "seq2seq" }, start, NOTHING);
    refuseChanges("pairs", asked, { ...fixed }, start, NOTHING);
  }
  const job = resolveJob({ ...given, preparation: { ...given.preparation, task: "seq2seq" } });
  const [{ quantiles } = {}] = Object.values(meanings) as { readonly quantiles?: readonly number[] }[];
  return {
    ...job,
    own: resolveDataJob("train", given, { columns, preparation: { ...preparation, task: "seq2seq" }, pairs: fixed }),
    ...stored?.model && { model: stored.model },
    training: { ...loss && { loss }, ...quantiles && { quantiles }, ...job.training },
  };
}

const NOTHING: ReadonlySet<string> = new Set();

/** Refuses options that the file of a model fixes. */
function refuseChanges(
  group: Group,
  given: object,
  known: Readonly<Record<string, unknown>>,
  { name }: Start,
  free = FREE,
): void {
  for (const [option, value] of Object.entries(given)) {
    if (free.has(option) || String(known[option]) === String(value)) continue;
    const fixed = known[option] === undefined ? "brings its own" : `has ${known[option]}`;
    throw new UsageError(`--${flagFor(group, option)} cannot be changed with --from: "${name}" ${fixed}, got ${value}`);
  }
}

/** The config that a started training gives its model: the weights', but for dropout. */
export function startedConfig(start: Start, { dropout, layerDropout }: Job["model"]): ModelConfig {
  const { loss: _l, quantiles: _q, ...config } = startConfig(start);
  return { ...config, dropout, layerDropout };
}

/**
 * Refuses data whose sequences or targets are not what the weights are for; of a file with preprocessing they always are.
 *
 * @throws {Error} With both.
 */
export function checkFits(start: Start, { config, loss, own }: TrainingData): void {
  if (isPairConfig(config)) {
    if (!hasDecoder(start)) throw new Error(`cannot start from "${start.name}": it is no model of pairs`);
    if (start.file.preprocessing !== undefined || !(config.sourceTokens || config.targetTokens)) return;
    throw new Error(`cannot start from "${start.name}": it does not say which token has which number`);
  }
  const { inputSize, outputSize, numEmbeddings } = startConfig(start), { name, file: { preprocessing } } = start;
  const cannot = (why: string) => new Error(`cannot start from "${name}": ${why}`);
  if (preprocessing === undefined && (numEmbeddings || config.numEmbeddings)) {
    throw cannot(
      numEmbeddings
        ? "its inputs are tokens, and it does not say which token has which number"
        : "its inputs are numbers, the data are text",
    );
  }
  const wanted = config.outputSize * (loss.quantiles?.length ?? 1);
  if (!numEmbeddings && config.inputSize !== inputSize) {
    throw cannot(`it takes ${inputSize} numbers per step, the data have ${config.inputSize}`);
  }
  if (wanted === outputSize) return;
  const binary = outputSize === 1 && own?.preprocessing.task === "multiclass" && wanted === 2;
  throw cannot(
    `it has ${outputSize} outputs, the data need ${wanted}${binary ? ": --task binary takes one for two classes" : ""}`,
  );
}

/** What is said of the model at the start of a training. */
export function startLine({ name, file: { preprocessing } }: Start, { own }: TrainingData): string {
  if (preprocessing !== undefined) return `${name}: its weights and preprocessing; the optimizer is new`;
  const { labels = [], task } = (own?.preprocessing ?? {}) as { labels?: readonly string[]; task?: string },
    some = labels.slice(0, 5).join(", ");
  const order = task === "forecast" || task === "regression"
    ? ""
    : `, outputs for ${some}${labels.length > 5 ? ", …" : ""}`;
  return `${name}: its weights; it does not say how data are prepared, so that is fitted on these${order}`;
}
