/** Pairs of texts: divided, prepared, searched and scored. */

import { divideRecords, type Division } from "../data/division.ts";
import { type PairGroup, PairPipeline, type PairRecord, unitsOf } from "../data/pair_pipeline.ts";
import type { PairOptions } from "../data/pair_options.ts";
import { hashDataset } from "../data/hash.ts";
import type { PairDataset } from "../data/pairs.ts";
import type { SequenceRecord } from "../data/readers/record.ts";
import { keyOf, usualNormalization } from "../data/tokenizer.ts";
import type { NetworkModel } from "../model/model.ts";
import { evaluate } from "../train/evaluate.ts";
import { answersTo } from "./answers.ts";
import type { DataJob } from "./data_options.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import type { FileJob } from "./options.ts";
import { UsageError } from "./options.ts";
import { type DataSource, pathName } from "./read_data.ts";
import { loadPairs, type ReadPairs } from "./read_pairs.ts";
import { refuseSeveralTests } from "./sequences.ts";
import type { NamedTraining, Scores, TestData, Trained, TrainingData } from "./training_data.ts";
import { plural } from "./words.ts";

/** Width of the embeddings, unless one is chosen. */
const EMBEDDING_SIZE = 32;

/** Every training that a job asks for. */
export async function* pairTrainings(
  { own: job, everything: { seed }, training }: FileJob,
  read: ReadPairs,
  pipeline?: PairPipeline,
): AsyncGenerator<NamedTraining> {
  refuseSeveralTests(job);
  const loaded = await read.train(), test = await read.test(), name = job.files.data.map(pathName).join(", ");
  const { full, units, guesses } = unitsOf(loaded.records, pairOptions(job));
  const keyed = pipeline
    ? (text: string) => keyOf(text, pipeline.source.unit, pipeline.source.normalize)
    : (text: string) => keyOf(text, units.source, full.normalize ?? usualNormalization(units.source));
  const options = { ...full, sourceTokens: units.source, targetTokens: units.target };
  // A source with all of its targets is in one part.
  const rows = bySource(loaded.records, loaded.files, keyed), of = new Map(rows.map((row) => [row.record, row]));
  const divided = {
    name,
    records: rows.map(({ record }) => record),
    files: rows.map(({ file }) => file),
    ...test && { test: test.records.map(asRecord) },
  };
  const others = new Map(divided.test?.map((record, i) => [record, test!.records[i]!]));
  const pairsOf = (records: readonly SequenceRecord[]) => {
    const own = records.flatMap((record) => of.get(record)?.pairs ?? []);
    return own.length
      ? own.sort((a, b) => a.at - b.at).map(({ pair }) => pair)
      : records.map((record) => others.get(record)!);
  };
  for (const division of divideRecords(divided, { ...job.division, stratify: false }, seed)) {
    const { train, validation, test: held } = division;
    const part: Division<readonly PairRecord[]> = {
      train: pairsOf(train),
      ...validation && { validation: pairsOf(validation) },
      ...held && { test: pairsOf(held) },
    };
    const fitted = pipeline ?? PairPipeline.fit(part.train, options);
    yield { name: division.name, data: pairData(fitted, part, job, chooseLoss(training, fitted), guesses) };
  }
}

/** A source as what is divided. */
function asRecord({ source: text, place }: PairRecord): SequenceRecord {
  return { text, steps: 0, channels: 0, place };
}

/** Pairs by their sources, in the order in which these first come. */
function bySource(records: readonly PairRecord[], files: readonly number[], keyed: (source: string) => string) {
  const rows = new Map<string, { record: SequenceRecord; file: number; pairs: { pair: PairRecord; at: number }[] }>();
  records.forEach((pair, at) => {
    const key = keyed(pair.source), row = rows.get(key);
    if (row) row.pairs.push({ pair, at });
    else rows.set(key, { record: asRecord(pair), file: files[at]!, pairs: [{ pair, at }] });
  });
  return [...rows.values()];
}

/** The part of a job's options that its pipeline takes. */
function pairOptions({ preparation, pairs }: DataJob): PairOptions {
  const { tokens, normalize, minCount, maxLength } = preparation;
  if (normalize === "ascii") throw new UsageError("--normalize must be none or lower for the task seq2seq, got ascii");
  const { sourceTokens, targetTokens, vocabSize, vocabulary, maxTargetLength } = pairs;
  return { tokens, normalize, minCount, maxLength, sourceTokens, targetTokens, vocabSize, vocabulary, maxTargetLength };
}

function pairData(
  pipeline: PairPipeline,
  { train, validation, test }: Division<readonly PairRecord[]>,
  job: DataJob,
  loss: ChosenLoss,
  guesses: readonly string[],
): TrainingData {
  const dataset = pipeline.dataset(train), watched = validation && pipeline.dataset(validation);
  const held = test && pipeline.dataset(test), { source, target } = pipeline;
  const longest = (lengths: Int32Array) => lengths.reduce((a, b) => Math.max(a, b));
  const part = (name: string, of: readonly PairRecord[], says = "") => `${name}: ${plural(of.length, "pair")}${says}`;
  const free = "; the decoder is fed its own output";
  const sizes = `up to ${longest(dataset.sources.lengths)} ${source.unit} of ${source.size} to ${
    longest(dataset.targets.lengths) - 1
  } ${target.unit} of ${target.size}`;
  const { embeddingDim = EMBEDDING_SIZE } = job.preparation;
  return {
    train: dataset,
    watched: watched ?? held,
    watchedName: watched ? "validation" : "test",
    config: {
      task: "seq2seq",
      sourceTokens: source.size,
      sourceSize: embeddingDim,
      targetTokens: target.size,
      targetSize: embeddingDim,
    },
    loss,
    hasAccuracy: true,
    weights: {},
    description: [
      `${job.files.data.map(pathName).join(", ")}: ${plural(train.length, "pair")}, ${sizes}`,
      ...guesses,
      ...watched ? [part("validation", validation!, free)] : [],
      ...held ? [part("test", test!, watched ? "" : free)] : [],
    ],
    own: {
      preprocessing: pipeline,
      settings: { ...pairOptions(job), embeddingDim, ...job.pairs },
      ...held ? scored(pipeline, test!, held, job) : { metrics: unscored },
      pictures: async (model, options = {}) => {
        if (!test) return {};
        const { describeAnswers } = await import("../report/describe_answers.ts");
        const all = pipeline.groups(test), groups = options.chosen?.flatMap((place) => all[place] ?? []) ?? all;
        const known = options.chosen ? undefined : options.answers;
        return {
          alignments: describeAnswers(pipeline, groups, known ?? await answersTo(model, pipeline, groups, job)),
        };
      },
    },
  };
}

/** Pairs have scores of their own. */
function unscored(): never {
  throw new Error("cannot score pairs by their outputs");
}

/** Pairs to score a model on. */
function scored(
  pipeline: PairPipeline,
  records: readonly PairRecord[],
  test: PairDataset,
  job: DataJob,
): TestData & { readonly test: PairDataset } {
  const groups = pipeline.groups(records);
  return {
    test,
    metrics: unscored,
    score: (model, options) => scorePairs(model, pipeline, groups, { ...options, test, job }),
  };
}

/** What a model's answers are worth: tokens where it is told the truth before, texts where it runs free. */
async function scorePairs(
  model: NetworkModel,
  pipeline: PairPipeline,
  groups: readonly PairGroup[],
  { test, job, ...options }: ChosenLoss & {
    readonly batchSize: number;
    readonly test: PairDataset;
    readonly job: DataJob;
  },
): Promise<Scores> {
  const { forced } = await evaluate(model, test, options), answers = await answersTo(model, pipeline, groups, job);
  const found = answers.map(([best]) => best!.tokens), references = groups.map(({ references }) => references);
  const { accuracy: tokenAccuracy, lossOverSamples: loss } = forced!;
  const metrics = { ...pipeline.score(found, references), tokenAccuracy };
  const { exactMatch, tokenErrorRate, characterErrorRate, bleu, chrf } = metrics;
  const isText = pipeline.target.unit !== "characters" || records(references).some((text) => /\s/.test(text));
  return {
    values: {
      loss,
      tokenAccuracy,
      exactMatch,
      ...pipeline.target.unit === "characters" ? {} : { tokenErrorRate },
      characterErrorRate,
      ...isText && { bleu: bleu.score, chrf: chrf.score },
    },
    metrics,
    answers,
    count: groups.length,
    unit: "sequence",
    targets: [],
  };
}

/** The tokens of all references. */
function records(references: readonly (readonly (readonly string[])[])[]): string[] {
  return references.flat(2);
}

/** Files of pairs as a fitted pipeline takes them. */
export async function pairFiles(
  pipeline: PairPipeline,
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  { hash }: Trained = {},
): Promise<TestData> {
  const { records } = await loadPairs(paths, job, source, source.given.pairs.targetFile);
  const test = pipeline.dataset(records), isTrained = hash !== undefined && await hashDataset(test) === hash;
  const remark = `these are the ${plural(records.length, "pair")} that it was trained on`;
  return { ...scored(pipeline, records, test, job), ...isTrained && { remark } };
}
