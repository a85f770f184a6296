/**
 * Three tasks from sequences to sequences for scripts/reference.ts, by the library: what PyTorch was given, in tokens, sizes,
 * updates and searches.
 *
 * @module
 */

import {
  createModel,
  createSearcher,
  END,
  evaluate,
  type Hypothesis,
  type NetworkModel,
  ragged,
  sequenceMetrics,
  train,
  UNKNOWN,
} from "../mod.ts";

/** Scores by name. */
type Scores = Record<string, number>;

/** A task that is run by the library. */
export interface LibraryTask {
  /** What it reads, in the folder of the data. */
  readonly file: string;
  /** Runs as many as PyTorch's. */
  readonly seeds: number;
  /** Trains with a seed: the scores, and the seconds from the file to the model. */
  readonly run: (text: string, seed: number) => Promise<{ readonly scores: Scores; readonly seconds: number }>;
}

/** A source and a target, as tokens. */
type Pair = readonly [source: readonly string[], target: readonly string[]];

/** A task of tokens. */
interface TokenTask {
  readonly tokens: (text: string) => readonly string[];
  readonly joined: string;
  readonly minCount: number;
  readonly embedding: number;
  readonly encoder: number;
  readonly decoder: number;
  readonly dropout: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly maxLength: number;
}

/** The training tokens by falling count, equal ones in code point order. */
function vocabulary(sequences: readonly (readonly string[])[], first: number, minCount: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const token of sequences.flat()) counts.set(token, (counts.get(token) ?? 0) + 1);
  const order = (a: string, b: string) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1);
  const kept = [...counts].filter(([, count]) => count >= minCount).map(([token]) => token).sort(order);
  return new Map(kept.map((token, i) => [token, first + i]));
}

/** Every tenth source with all of its targets is for the test. */
function divide(pairs: readonly Pair[]): { training: Pair[]; test: Pair[]; references: Map<string, string[][]> } {
  const key = (source: readonly string[]) => source.join("\n"), all = [...new Set(pairs.map(([x]) => key(x)))];
  const references = new Map(all.filter((_, i) => i % 10 === 0).map((source) => [source, [] as string[][]]));
  for (const [x, y] of pairs) references.get(key(x))?.push([...y]);
  const isTest = ([x]: Pair) => references.has(key(x));
  return { training: pairs.filter((pair) => !isTest(pair)), test: pairs.filter(isTest), references };
}

async function runTokens(text: string, seed: number, task: TokenTask) {
  const start = performance.now(), { tokens, minCount, batchSize, maxLength } = task;
  const pairs = text.trimEnd().split("\n").map((line) => line.split("\t").map(tokens) as unknown as Pair);
  const { training, test, references } = divide(pairs);
  const sources = vocabulary(training.map(([x]) => x), 2, minCount);
  const targets = vocabulary(training.map(([, y]) => y), 4, minCount);
  const ids = (list: readonly string[], of: Map<string, number>) => list.map((token) => of.get(token) ?? UNKNOWN);
  const dataset = (part: readonly Pair[]) => ({
    sources: ragged(part.map(([x]) => ids(x, sources))),
    targets: ragged(part.map(([, y]) => [...ids(y, targets), END])),
  });
  const { embedding, encoder, decoder, dropout, epochs, learningRate } = task;
  const sizes = { sourceSize: embedding, targetSize: embedding, hiddenSize: decoder, encoderSize: encoder, dropout };
  const vocabularies = { sourceTokens: sources.size + 2, targetTokens: targets.size + 4 };
  using model = await createModel({ task: "seq2seq", ...vocabularies, ...sizes }, { seed });
  const history = await train(model, dataset(training), {
    batchSize,
    epochs,
    optimizer: { learningRate },
    clipNorm: 1,
  });
  const seconds = (performance.now() - start) / 1000;
  const { forced } = await evaluate(model, dataset(test), { batchSize: 256 });
  const scores: Scores = { test_loss: forced!.lossOverSamples, token_accuracy: forced!.accuracy };
  const asked = [...references.keys()].map((source) => ids(source.split("\n"), sources));
  const wanted = [...references.values()], names = new Map([...targets].map(([token, id]) => [id, token]));
  for (const [name, options] of [["greedy", {}], ["beam", { width: 5, lengthPenalty: 0.6 }]] as const) {
    const found = await answers(model, asked, { maxLength, ...options });
    const said = found.map(([best]) => best!.tokens.map((id) => names.get(id) ?? "<unk>"));
    const metrics = sequenceMetrics(said, wanted, { text: (own) => own.join(task.joined) });
    const { exactMatch, tokenErrorRate, characterErrorRate } = metrics;
    scores[`${name}_exact`] = exactMatch;
    scores[`${name}_error_rate`] = tokenErrorRate;
    if (task.joined === "") continue;
    scores[`${name}_character_error_rate`] = characterErrorRate;
    scores[`${name}_bleu`] = metrics.bleu.score;
    scores[`${name}_chrf`] = metrics.chrf.score;
  }
  return { scores: { ...scores, train_loss: history.at(-1)!.trainLoss }, seconds };
}

/** The answers to sources. */
async function answers(model: NetworkModel, sources: readonly number[][], options: object): Promise<Hypothesis[][]> {
  using searcher = await createSearcher(model);
  const T = Math.max(...sources.map(({ length }) => length)), x = new Int32Array(sources.length * T);
  sources.forEach((source, b) => x.set(source, b * T));
  const lengths = Int32Array.from(sources, ({ length }) => length);
  return await searcher.search({ x, shape: [sources.length, T, 1], lengths }, options);
}

/** Months of passengers, 24 in and 12 out, fed its own output in training and test. */
async function runAirline(text: string, seed: number) {
  const start = performance.now(), raw = text.trimEnd().split("\n").slice(1).map((line) => Number(line.split(",")[1]));
  const cut = 96, width = 24, horizon = 12, logs = raw.map(Math.log), known = logs.slice(0, cut);
  const mean = known.reduce((sum, z) => sum + z, 0) / cut;
  const scale = Math.sqrt(known.reduce((sum, z) => sum + (z - mean) ** 2, 0) / cut);
  const windows = (first: number, last: number) => {
    const at = Array.from({ length: last - horizon + 1 - first }, (_, i) => first + i);
    const scaled = (i: number, from: number, to: number) => logs.slice(from, to).map((z) => (z - logs[i - 1]!) / scale);
    return { at, x: at.map((i) => scaled(i, i - width, i)), y: at.map((i) => scaled(i, i, i + horizon)) };
  };
  const training = windows(width, cut), test = windows(cut, raw.length), N = test.at.length;
  const sizes = { sourceSize: 1, targetSize: 1, hiddenSize: 32, encoderSize: 16 };
  using model = await createModel({ task: "seq2seq", ...sizes }, { seed });
  await train(model, { sources: ragged(training.x, 1), targets: ragged(training.y, 1) }, {
    batchSize: 16,
    epochs: 150,
    optimizer: { learningRate: 3e-3 },
    clipNorm: 1,
    teacher: { ratio: 0 },
  });
  const seconds = (performance.now() - start) / 1000, free = new Float32Array(N * horizon);
  const inputs = { start: new Float32Array(N), targets: free, "decoder.teacher": free };
  const batch = { x: Float32Array.from(test.x.flat()), shape: [N, width, 1], axes: { target: { steps: horizon } } };
  const { data } = (await model.forward({ ...batch, inputs })).values.output!;
  const errors = Array.from(data, (z, i) => {
    const at = test.at[Math.floor(i / horizon)]!;
    return Math.exp(z * scale + logs[at - 1]!) - raw[at + i % horizon]!;
  });
  const root = (of: number[]) => Math.sqrt(of.reduce((sum, e) => sum + e * e, 0) / of.length);
  return {
    scores: {
      rmse: root(errors),
      mae: errors.reduce((sum, e) => sum + Math.abs(e), 0) / errors.length,
      rmse_first_step: root(errors.filter((_, i) => i % horizon === 0)),
      rmse_last_step: root(errors.filter((_, i) => i % horizon === horizon - 1)),
    },
    seconds,
  };
}

const DATES: TokenTask = {
  tokens: (text) => [...text],
  joined: "",
  minCount: 1,
  embedding: 16,
  encoder: 32,
  decoder: 64,
  dropout: 0,
  batchSize: 32,
  epochs: 5,
  learningRate: 2e-3,
  maxLength: 14,
};

const ENG_DEU: TokenTask = {
  tokens: (text) => text.normalize("NFC").toLowerCase().match(/[\p{L}\p{N}]+['’]?|[^\s\p{L}\p{N}]/gu)!,
  joined: " ",
  minCount: 2,
  embedding: 64,
  encoder: 64,
  decoder: 128,
  dropout: 0.3,
  batchSize: 64,
  epochs: 10,
  learningRate: 3e-3,
  maxLength: 20,
};

/** The tasks by name. */
export const LIBRARY_TASKS: Readonly<Record<string, LibraryTask>> = {
  dates: { file: "reference-seq2seq/dates.tsv", seeds: 10, run: (text, seed) => runTokens(text, seed, DATES) },
  "eng-deu": { file: "seq2seq/eng-deu.tsv", seeds: 3, run: (text, seed) => runTokens(text, seed, ENG_DEU) },
  "airline-12": { file: "forecast/airline-passengers.csv", seeds: 10, run: runAirline },
};
