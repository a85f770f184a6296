/** Pairs of texts or numbers: divided, prepared, answered and scored. */

import { divideRecords, type Division } from "../data/division.ts";
import { type PairGroup, PairPipeline } from "../data/pair_pipeline.ts";
import { OF_TEXTS, type PairRecord, type PairSide, type SideUnit, unitsOf } from "../data/pair_records.ts";
import type { PairOptions } from "../data/pair_options.ts";
import { hashDataset } from "../data/hash.ts";
import { regressionMetrics } from "../data/metrics/regression.ts";
import type { PairDataset } from "../data/pairs.ts";
import type { SequenceRecord } from "../data/readers/record.ts";
import type { StepScaler } from "../data/step_scaler.ts";
import { keyOf, unitWord, usualNormalization } from "../data/tokenizer.ts";
import { shares } from "../fleet/fleet.ts";
import { internalsOf, type NetworkModel } from "../model/model.ts";
import { evaluate } from "../train/evaluate.ts";
import { gatherFindings } from "../train/together.ts";
import type { RunReport } from "../report/run_report.ts";
import { UNKNOWN } from "../data/vocabulary.ts";
import { openAnswerer, searchOptions } from "./answers.ts";
import type { DataJob } from "./data_options.ts";
import { chooseLoss, type ChosenLoss } from "./loss.ts";
import type { FileJob } from "./options.ts";
import { UsageError } from "./options.ts";
import { type DataSource, pathName } from "./read_data.ts";
import { loadPairs, type ReadPairs } from "./read_pairs.ts";
import { mainNumbers } from "./scores.ts";
import { refuseSeveralTests } from "./sequences.ts";
import type { NamedTraining, PictureOptions, Scores, TestData, Trained, TrainingData } from "./training_data.ts";
import { UnknownTokens } from "./unknown_tokens.ts";
import { plural } from "./words.ts";

/** Width of the embeddings, unless one is chosen. */
const EMBEDDING_SIZE = 32;

/** Every training that a job asks for. */
export async function* pairTrainings(
  { own: job, everything: { seed }, training }: FileJob,
  read: ReadPairs,
  pipeline?: PairPipeline,
  onlyKnownTokens = false,
): AsyncGenerator<NamedTraining> {
  refuseSeveralTests(job);
  if (job.pairs.testTargetFile !== undefined && !job.files.testData) {
    throw new UsageError("--test-target-file needs --test-data FILE");
  }
  const loaded = await read.train(pipeline?.reading),
    test = await read.test(),
    name = job.files.data.map(pathName).join(", ");
  if (pipeline && onlyKnownTokens) {
    for (const side of ["source", "target"] as const) new UnknownTokens(pipeline, loaded.records, side).refuse();
  }
  const { full, units, guesses } = unitsOf(loaded.records, pairOptions(job));
  const unit = pipeline?.source.unit ?? units.source;
  const normalize = pipeline && pipeline.source.unit !== "numbers" ? pipeline.source.normalize : full.normalize;
  const keyed = (source: PairSide) =>
    typeof source !== "string" || unit === "numbers"
      ? JSON.stringify(source)
      : keyOf(source, unit, normalize ?? usualNormalization(unit));
  const chosen = (unit: SideUnit) => unit === "numbers" ? undefined : unit;
  const own = { sourceTokens: chosen(units.source), targetTokens: chosen(units.target) };
  const options = { ...full, tokens: undefined, ...own, reading: loaded.reading };
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
    const data = pairData(fitted, part, job, chooseLoss(training, fitted), guesses);
    const warnings = test ? sharedNote(part.train, test.records, keyed) : [];
    yield { name: division.name, data: { ...data, ...warnings.length && { warnings } } };
  }
}

/** A source as what is divided. */
function asRecord({ source, place }: PairRecord): SequenceRecord {
  return { text: typeof source === "string" ? source : "", steps: 0, channels: 0, place };
}

/** Pairs by their sources, in the order in which these first come. */
function bySource(records: readonly PairRecord[], files: readonly number[], keyed: (source: PairSide) => string) {
  const rows = new Map<string, { record: SequenceRecord; file: number; pairs: { pair: PairRecord; at: number }[] }>();
  records.forEach((pair, at) => {
    const key = keyed(pair.source), row = rows.get(key);
    if (row) row.pairs.push({ pair, at });
    else rows.set(key, { record: asRecord(pair), file: files[at]!, pairs: [{ pair, at }] });
  });
  return [...rows.values()];
}

/** What is to be said of test pairs whose sources were trained on: others of one data set never are. */
function sharedNote(train: readonly PairRecord[], test: readonly PairRecord[], keyed: (source: PairSide) => string) {
  const known = new Set(train.map(({ source }) => keyed(source)));
  const shared = test.filter(({ source }) => known.has(keyed(source))).length;
  const are = shared === 1 ? "is" : "are";
  return shared ? [`the sources of ${shared} of ${plural(test.length, "test pair")} ${are} trained on too`] : [];
}

/** The part of a job's options that its pipeline takes. */
function pairOptions({ preparation, pairs }: DataJob): PairOptions {
  const { tokens, normalize, minCount, maxLength, standardize } = preparation;
  if (normalize === "ascii") throw new UsageError("--normalize must be none or lower for the task seq2seq, got ascii");
  const { sourceTokens, targetTokens, vocabSize, vocabulary, maxTargetLength } = pairs;
  const ofTexts = { tokens, normalize, minCount, sourceTokens, targetTokens, vocabSize, vocabulary };
  return { ...ofTexts, maxLength, maxTargetLength, standardize };
}

function pairData(
  pipeline: PairPipeline,
  { train, validation, test }: Division<readonly PairRecord[]>,
  job: DataJob,
  loss: ChosenLoss,
  guesses: readonly string[],
): TrainingData {
  if (job.preparation.embeddingDim && [pipeline.source, pipeline.target].every(({ unit }) => unit === "numbers")) {
    throw new UsageError("--embedding-dim is for texts, not for numbers");
  }
  if (job.pairs.tied && pipeline.target.unit === "numbers") {
    throw new UsageError("--tied is for targets that are texts");
  }
  // What cannot be searched for so is known before anything is trained.
  searchOptions(pipeline, job);
  const dataset = pipeline.dataset(train), watched = validation && pipeline.dataset(validation);
  const held = test && pipeline.dataset(test), { source, target } = pipeline;
  const longest = (lengths: Int32Array) => lengths.reduce((a, b) => Math.max(a, b));
  const part = (name: string, of: readonly PairRecord[], says = "") => `${name}: ${plural(of.length, "pair")}${says}`;
  const free = "; the decoder is fed its own output", { embeddingDim = EMBEDDING_SIZE } = job.preparation;
  const inWords = ({ unit, size }: typeof source, steps: number) =>
    unit === "numbers"
      ? `${plural(steps, "step")} of ${plural(size, "number")}`
      : `${steps} ${unitWord(unit)} of ${size}`;
  const sizes = `up to ${inWords(source, longest(dataset.sources.lengths))} to ${
    inWords(target, longest(dataset.targets.lengths) - Number(target.unit !== "numbers"))
  }`;
  const unknown = unknownLines(pipeline, [...validation ?? [], ...test ?? []]);
  return {
    train: dataset,
    watched: watched ?? held,
    watchedName: watched ? "validation" : "test",
    config: {
      task: "seq2seq",
      ...source.unit === "numbers"
        ? { sourceTokens: 0, sourceSize: source.size }
        : { sourceTokens: source.size, sourceSize: embeddingDim },
      ...target.unit === "numbers"
        ? { targetTokens: 0, targetSize: target.size }
        : { targetTokens: target.size, targetSize: embeddingDim },
    },
    loss,
    hasAccuracy: target.unit !== "numbers",
    weights: {},
    description: [
      `${job.files.data.map(pathName).join(", ")}: ${plural(train.length, "pair")}, ${sizes}`,
      ...guesses,
      ...watched ? [part("validation", validation!, free)] : [],
      ...held ? [part("test", test!, watched ? "" : free)] : [],
      ...unknown.map((line) => `note: ${line}`),
    ],
    own: {
      preprocessing: pipeline,
      settings: settingsOf(pipeline, job, embeddingDim),
      ...held ? scored(pipeline, test!, held, job) : { metrics: unscored },
      pictures: async (model, options) => test ? await picturesOf(model, pipeline, test, job, options) : {},
    },
  };
}

/** What was chosen for the data, and does something for them. */
function settingsOf({ source, target }: PairPipeline, job: DataJob, embeddingDim: number): object {
  const isText = [source, target].map(({ unit }) => unit !== "numbers");
  const idle: readonly string[] = [
    ...isText.some(Boolean) ? [] : [...OF_TEXTS, "embeddingDim"],
    ...isText.every(Boolean) ? ["standardize"] : [],
    ...isText[1] ? [] : ["tied"],
  ];
  const all = Object.entries({ ...pairOptions(job), embeddingDim, ...job.pairs });
  return Object.fromEntries(all.filter(([name]) => !idle.includes(name)));
}

/** What there is to see of answers: some forecasts, and where the decoder looked. */
async function picturesOf(
  model: NetworkModel,
  pipeline: PairPipeline,
  test: readonly PairRecord[],
  job: DataJob,
  { answers: known, chosen }: PictureOptions = {},
): Promise<Partial<RunReport>> {
  const { describeAnswers, describeNumbers, someOf } = await import("../report/describe_answers.ts");
  using answerer = await openAnswerer(model, pipeline, job);
  if (pipeline.target.unit === "numbers") {
    const some = chosen?.flatMap((place) => test[place] ?? []) ?? someOf(test);
    return describeNumbers(pipeline, some, await answerer.numbers(some));
  }
  const all = pipeline.groups(test), groups = chosen?.flatMap((place) => all[place] ?? []) ?? all;
  const answers = !chosen && known || await answerer.texts(groups.map(({ record }) => record));
  return { alignments: describeAnswers(pipeline, groups, answers) };
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
  const { target } = pipeline;
  if (target.unit === "numbers") {
    return { test, metrics: unscored, score: (model, options) => scoreNumbers(model, target, { ...options, test }) };
  }
  const groups = pipeline.groups(records);
  return {
    test,
    metrics: unscored,
    score: (model, options) => scoreTexts(model, pipeline, groups, { ...options, test, job }),
  };
}

/** What a model is scored on, and how. */
type Scoring = ChosenLoss & { readonly batchSize: number; readonly test: PairDataset };

/** How far a model that runs free is from the truth, in the data's units. */
async function scoreNumbers(model: NetworkModel, target: StepScaler, { test, ...options }: Scoring): Promise<Scores> {
  const found = await evaluate(model, test, { ...options, metrics: true }), { quantiles } = options;
  if (!("outputs" in found)) throw unscored();
  const rows = (data: Float32Array, Q = 1) => {
    const values = target.values(data, Q);
    return { shape: [values.length, target.size * Q], data: values.flat() };
  };
  const predicted = rows(found.outputs.data, quantiles?.length), truth = rows(test.targets.data as Float32Array);
  const metrics = regressionMetrics(predicted, truth, { quantiles });
  return {
    values: { loss: found.lossOverSamples, ...mainNumbers(metrics) },
    metrics,
    count: test.sources.lengths.length,
    unit: "sequence",
    targets: target.size > 1 ? Array.from({ length: target.size }, (_, o) => `y[${o}]`) : [],
  };
}

/** What a model's answers are worth: tokens where it is told the truth before, texts where it runs free. */
async function scoreTexts(
  model: NetworkModel,
  pipeline: PairPipeline,
  groups: readonly PairGroup[],
  { test, job, ...options }: Scoring & { readonly job: DataJob },
): Promise<Scores> {
  using answerer = await openAnswerer(model, pipeline, job);
  const { forced } = await evaluate(model, test, options);
  // Processes that train the model answer some sources each.
  const { fleet } = internalsOf(model).session, bounds = shares(groups.length, fleet.size);
  const asked = groups.slice(bounds[fleet.rank], bounds[fleet.rank + 1]).map(({ record }) => record);
  const own = await answerer.texts(asked), answers = fleet.size === 1 ? own : gatherFindings(fleet, own).flat();
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

/** What is to be said of tokens that training never showed, of either side. */
function unknownLines(pipeline: PairPipeline, records: readonly PairRecord[]): string[] {
  return (["source", "target"] as const).flatMap((side) => new UnknownTokens(pipeline, records, side).line ?? []);
}

/** Refuses texts of which no token is known: their vocabulary is another. */
function refuseStrange(pipeline: PairPipeline, records: readonly PairRecord[], paths: readonly string[]): void {
  for (const name of ["source", "target"] as const) {
    const side = pipeline[name];
    if (side.unit === "numbers") continue;
    const knows = ({ [name]: text }: PairRecord) =>
      typeof text !== "string" || side.split(text).some((token) => side.number(token) !== UNKNOWN);
    if (records.some(knows)) continue;
    throw new Error(
      `cannot evaluate: the model knows none of the tokens of the ${name}s in ${paths.map(pathName).join(", ")}: ` +
        "its vocabulary is of other data",
    );
  }
}

/** Files of pairs as a fitted pipeline takes them. */
export async function pairFiles(
  pipeline: PairPipeline,
  paths: readonly string[],
  job: DataJob,
  source: DataSource,
  { hash }: Trained = {},
): Promise<TestData> {
  searchOptions(pipeline, job);
  if (pipeline.target.unit === "numbers" && source.given.search.maxAnswer !== undefined) {
    throw new UsageError(
      "--max-answer is for predict where answers are numbers: scores are of the steps that targets have",
    );
  }
  const { records } = await loadPairs(paths, job, source, source.given.pairs.targetFile, pipeline.reading);
  refuseStrange(pipeline, records, paths);
  const test = pipeline.dataset(records), isTrained = hash !== undefined && await hashDataset(test) === hash;
  const remarks = [
    ...isTrained ? [`these are the ${plural(records.length, "pair")} that it was trained on`] : [],
    ...unknownLines(pipeline, records),
  ];
  return { ...scored(pipeline, records, test, job), ...remarks.length && { remark: remarks.join("; ") } };
}
