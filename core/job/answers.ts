/** Answers of a model to sources: texts, or numbers. */

import type { PairPipeline } from "../data/pair_pipeline.ts";
import type { PairRecord } from "../data/pair_records.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { forecast } from "../model/free_run.ts";
import { END, PAD, START } from "../model/layers/decoder_options.ts";
import type { NamedArray, NetworkModel, Sequences } from "../model/model.ts";
import { createSearcher, type Hypothesis, type Searcher, type SearchOptions } from "../model/search.ts";
import type { DataJob } from "./data_options.ts";
import { FLAGS, UsageError } from "./options.ts";

/** An answer that is a text. */
export interface TextAnswer {
  readonly text: string;
  readonly tokens: readonly string[];
  /** What the search says of it. */
  readonly found: Hypothesis;
}

/** An answer that is numbers, in the data's units. */
export interface NumberAnswer {
  /** Values of each step (U, O), or quantiles (U, O·Q), those of a number side by side. */
  readonly steps: readonly (readonly number[])[];
  readonly quantiles?: readonly number[];
  /** How much each step of the source counted (U, S). */
  readonly attention: NamedArray;
}

/** What is answered. */
export type Asked = Pick<PairRecord, "source" | "start" | "place">;

/** Answers sources. */
export interface Answerer extends Disposable {
  /** The answers to each source that are texts, each the best first; none where targets are numbers. */
  texts(sources: readonly Asked[]): Promise<TextAnswer[][]>;
  /** The answer to each source that is numbers. */
  numbers(sources: readonly Asked[]): Promise<NumberAnswer[]>;
}

/** Sources that are answered at once, sorted by length. */
const BATCH = 256;

/**
 * What answers sources as a job says.
 *
 * @param given What searches, which is not disposed of. Default: one made for this.
 * @throws {UsageError} If the job asks for what the model cannot do.
 */
export async function openAnswerer(
  model: NetworkModel,
  pipeline: PairPipeline,
  job: DataJob,
  given?: Searcher,
): Promise<Answerer> {
  const options = searchOptions(pipeline, job);
  if (pipeline.target.unit === "numbers") {
    const steps = stepsOfNumbers(pipeline, job);
    return {
      texts: () => Promise.resolve([]),
      numbers: (sources) =>
        inBatches(pipeline, sources, (batch, asked) => forecasts(model, pipeline, batch, asked, steps)),
      [Symbol.dispose]() {},
    };
  }
  const searcher = given ?? await createSearcher(model), { replaceUnknown } = job.search;
  const texts = async (batch: Sequences, asked: readonly Asked[]) => {
    const found = await searcher.search(batch, options);
    return asked.map(({ source }, b) => {
      const own = replaceUnknown && typeof source === "string" ? pipeline.split(source) : undefined;
      return found[b]!.map((hypothesis): TextAnswer => {
        const tokens = pipeline.tokens(hypothesis, own);
        return { text: pipeline.text(tokens), tokens, found: hypothesis };
      });
    });
  };
  return {
    texts: (sources) => inBatches(pipeline, sources, texts),
    numbers: () => Promise.resolve([]),
    [Symbol.dispose]: () => given ?? searcher.dispose(),
  };
}

/** Steps of answers that are numbers. */
export function stepsOfNumbers({ longest }: PairPipeline, { search: { maxAnswer } }: Pick<DataJob, "search">): number {
  return maxAnswer ?? longest;
}

/** Answers sources of similar lengths together; the answers come in the order of the sources. */
async function inBatches<T>(
  pipeline: PairPipeline,
  asked: readonly Asked[],
  answer: (batch: Sequences, asked: readonly Asked[]) => Promise<T[]>,
): Promise<T[]> {
  const order = [...asked.map((one) => ({ one, side: pipeline.sources([one]) })).entries()]
    .sort(([, a], [, b]) => a.side.lengths[0]! - b.side.lengths[0]!);
  const answers = new Array<T>(asked.length);
  for (let first = 0; first < order.length; first += BATCH) {
    const rows = order.slice(first, first + BATCH), lengths = Int32Array.from(rows, ([, { side }]) => side.lengths[0]!);
    const S = lengths.at(-1)!, size = rows[0]![1].side.data.length / lengths[0]!, n = rows.length * S * size;
    const x = rows[0]![1].side.data instanceof Int32Array ? new Int32Array(n) : new Float32Array(n);
    rows.forEach(([, { side }], b) => x.set(side.data, b * S * size));
    const found = await answer({ x, shape: [rows.length, S, size], lengths }, rows.map(([, { one }]) => one));
    rows.forEach(([row], b) => answers[row] = found[b]!);
  }
  return answers;
}

/** Forecasts in the data's units. */
async function forecasts(
  model: NetworkModel,
  pipeline: PairPipeline,
  batch: Sequences,
  asked: readonly Asked[],
  steps: number,
): Promise<NumberAnswer[]> {
  const { target } = pipeline, S = batch.shape[1]!;
  if (target.unit !== "numbers") return [];
  const { outputs, quantiles, attention } = await forecast(model, batch, { steps, start: pipeline.start(asked) });
  const each = outputs.data.length / asked.length;
  return asked.map((_, b) => {
    const length = batch.lengths![b]!, weights = new Float32Array(steps * length);
    for (let u = 0; u < steps; u++) {
      const at = (b * steps + u) * S;
      weights.set(attention.data.subarray(at, at + length), u * length);
    }
    return {
      steps: target.values(outputs.data.subarray(b * each, (b + 1) * each), quantiles?.length),
      ...quantiles && { quantiles },
      attention: { shape: [steps, length], data: weights },
    };
  });
}

/**
 * How a job's answers are searched for.
 *
 * @throws {UsageError} If that cannot be, of answers such as the pipeline's.
 */
export function searchOptions(pipeline: PairPipeline, { search }: DataJob): SearchOptions {
  const { target } = pipeline, { replaceUnknown: _, prefix, maxAnswer, minAnswer, nBest, width, ...penalties } = search;
  if (target.unit === "numbers") {
    for (const { group, name, flag, spec } of FLAGS) {
      const value = search[name as keyof typeof search];
      if (group !== "search" || name === "maxAnswer" || value === spec.default) continue;
      const given = `--${value === false ? "no-" : ""}${flag}`;
      throw new UsageError(`${given} is for answers that are texts, those of the model are numbers`);
    }
    return {};
  }
  const options = {
    ...penalties,
    width: Math.max(width ?? 1, nBest ?? 1),
    nBest: nBest ?? 1,
    minLength: minAnswer,
    maxLength: maxAnswer ?? 2 * pipeline.longest,
    prefix: prefixOf(target, prefix),
  };
  const { maxLength, minLength = 0 } = options, most = target.size - 2;
  if (options.width > most) {
    const flag = options.width === width ? "beam" : "n-best";
    throw new UsageError(`--${flag} must be at most ${most}, the tokens that answers have, got ${options.width}`);
  }
  if (minLength >= maxLength) {
    throw new UsageError(`--min-answer must be below ${maxLength}, the most tokens of an answer, got ${minLength}`);
  }
  if (options.prefix.length >= maxLength) {
    const problem = `--prefix must have less than ${maxLength} tokens, the most of an answer`;
    throw new UsageError(`${problem}, got ${options.prefix.length}`);
  }
  return options;
}

/** What answers begin with, as numbers. */
function prefixOf(target: Tokenizer, prefix: string | undefined): number[] {
  if (prefix === undefined) return [];
  const tokens = target.split(prefix), numbers = tokens.map((token) => target.number(token));
  const unknown = tokens.find((_, i) => [PAD, 1, START, END].includes(numbers[i]!));
  if (unknown === undefined) return numbers;
  throw new UsageError(`--prefix must be of tokens that answers have, got ${JSON.stringify(unknown)}`);
}
