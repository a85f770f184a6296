/** Answers of a model to sources, as texts. */

import type { PairPipeline } from "../data/pair_pipeline.ts";
import { END, PAD, START } from "../model/layers/decoder_options.ts";
import type { NetworkModel } from "../model/model.ts";
import { createSearcher, type Hypothesis, type Searcher, type SearchOptions } from "../model/search.ts";
import type { DataJob } from "./data_options.ts";
import { UsageError } from "./options.ts";

/** An answer. */
export interface TextAnswer {
  readonly text: string;
  readonly tokens: readonly string[];
  /** What the search says of it. */
  readonly found: Hypothesis;
}

/** Sources that are searched at once, sorted by length. */
const BATCH = 256;

/** The answers to each source, the best first. */
export async function answersTo(
  model: NetworkModel,
  pipeline: PairPipeline,
  sources: readonly { readonly source: readonly string[] }[],
  job: DataJob,
): Promise<TextAnswer[][]> {
  using searcher = await openSearcher(model, pipeline, "score");
  return await searchAll(searcher, pipeline, sources.map(({ source }) => source), job);
}

/** A searcher, once the model's vocabularies are found to be the pipeline's. */
export async function openSearcher(model: NetworkModel, pipeline: PairPipeline, action: string): Promise<Searcher> {
  const { layers } = model.network,
    sizes = layers.filter(({ type }) => type === "tokens").map(({ name, options }) =>
      [name, (options as { size: number }).size] as const
    );
  const sized = new Map(sizes);
  pipeline.checkSizes(action, { source: sized.get("source"), target: sized.get("targets") });
  return await createSearcher(model);
}

/** The answers to sources that are tokens, each the best first. */
export async function searchAll(
  searcher: Searcher,
  pipeline: PairPipeline,
  sources: readonly (readonly string[])[],
  { search }: DataJob,
): Promise<TextAnswer[][]> {
  const { replaceUnknown, prefix, maxAnswer, minAnswer, nBest, width, ...penalties } = search;
  const options: SearchOptions = {
    ...penalties,
    width: Math.max(width ?? 1, nBest ?? 1),
    nBest: nBest ?? 1,
    minLength: minAnswer,
    maxLength: maxAnswer ?? 2 * pipeline.longest,
    prefix: prefixOf(pipeline, prefix),
  };
  const numbers = sources.map((source) => source.map((token) => pipeline.source.number(token)));
  const order = numbers.keys().toArray().sort((a, b) => numbers[a]!.length - numbers[b]!.length);
  const answers = new Array<TextAnswer[]>(sources.length);
  for (let first = 0; first < order.length; first += BATCH) {
    const rows = order.slice(first, first + BATCH), T = Math.max(1, numbers[rows.at(-1)!]!.length);
    const x = new Int32Array(rows.length * T), lengths = new Int32Array(rows.length);
    rows.forEach((row, b) => {
      // A source without tokens is an unknown one.
      const own = numbers[row]!.length ? numbers[row]! : [1];
      x.set(own, b * T);
      lengths[b] = own.length;
    });
    const found = await searcher.search({ x, shape: [rows.length, T, 1], lengths }, options);
    rows.forEach((row, b) => {
      answers[row] = found[b]!.map((hypothesis) => {
        const tokens = pipeline.tokens(hypothesis, replaceUnknown ? sources[row] : undefined);
        return { text: pipeline.text(tokens), tokens, found: hypothesis };
      });
    });
  }
  return answers;
}

/** What answers begin with, as numbers. */
function prefixOf({ target }: PairPipeline, prefix: string | undefined): number[] {
  if (prefix === undefined) return [];
  const tokens = target.split(prefix), numbers = tokens.map((token) => target.number(token));
  const unknown = tokens.find((_, i) => [PAD, 1, START, END].includes(numbers[i]!));
  if (unknown === undefined) return numbers;
  throw new UsageError(`--prefix must be of tokens that answers have, got ${JSON.stringify(unknown)}`);
}
