/** Answers of a model to sources, right and wrong ones, or beside the truth, as a page shows them. */

import type { PairGroup, PairPipeline } from "../data/pair_pipeline.ts";
import { nearestMedian } from "../data/quantiles.ts";
import type { NamedArray } from "../model/model.ts";
import { inWords, type PairRecord } from "../data/pair_records.ts";
import type { AlignmentExample, ForecastExample, RunReport } from "./run_report.ts";

/** An answer as it was found. */
export interface DescribedAnswer {
  readonly tokens: readonly string[];
  readonly found: { readonly ended: boolean; readonly attention: NamedArray };
}

/** Answers of either kind that are shown. */
const EACH = 6;

/** What the row of the end is called. */
const END = "(end)";

/** Some wrong answers, then some right ones, evenly over the sources. */
export function describeAnswers(
  pipeline: PairPipeline,
  groups: readonly PairGroup[],
  answers: readonly (readonly DescribedAnswer[])[],
): AlignmentExample[] {
  const examples = groups.map(({ source, references, record }, i): AlignmentExample & { readonly right: boolean } => {
    const { tokens, found: { ended, attention: { shape: [U, S], data } } } = answers[i]![0]!;
    const same = (reference: readonly string[]) =>
      reference.length === tokens.length && reference.every((token, u) => token === tokens[u]);
    return {
      source: typeof record.source === "string" ? record.source : record.place,
      prediction: pipeline.text(tokens),
      truth: pipeline.text(references[0]!),
      right: references.some(same),
      sourceTokens: source.length ? source : ["(empty)"],
      tokens: ended ? [...tokens, END] : tokens,
      weights: rowsOf(data, U!, S!),
    };
  });
  return [false, true].flatMap((right) => someOf(examples.filter((example) => example.right === right), EACH));
}

/** Rows of S numbers. */
function rowsOf(data: Float32Array, U: number, S: number): number[][] {
  return Array.from({ length: U }, (_, u) => Array.from(data.subarray(u * S, (u + 1) * S)));
}

/** Some of a list, evenly over it. */
export function someOf<T>(all: readonly T[], most = 2 * EACH): T[] {
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(most, all.length) }, (_, i) => all[Math.floor(i * step)]!);
}

/** An answer of numbers as it was found. */
export interface DescribedNumbers {
  readonly steps: readonly (readonly number[])[];
  readonly quantiles?: readonly number[];
  readonly attention: NamedArray;
}

/** Answers of numbers: the first of each step against the truth, and where the decoder looked. */
export function describeNumbers(
  pipeline: PairPipeline,
  records: readonly PairRecord[],
  answers: readonly DescribedNumbers[],
): Pick<RunReport, "forecasts" | "alignments"> {
  const forecasts: ForecastExample[] = [], alignments: AlignmentExample[] = [];
  records.forEach((record, i) => {
    const { source, target, place } = record, { steps, quantiles, attention: { shape: [U, S], data } } = answers[i]!;
    const median = quantiles ? nearestMedian(quantiles) : 0, truth = target as readonly (readonly number[])[];
    const length = Math.min(truth.length, steps.length), [Q, size] = [quantiles?.length ?? 1, truth[0]!.length];
    const said = steps.map((step) => Array.from({ length: size }, (_, o) => step[o * Q + median]!));
    const isSeries = typeof source !== "string" && source[0]!.length === size;
    forecasts.push({
      name: size > 1 ? `${place}, y[0]` : place,
      truth: truth.slice(0, length).map((step) => step[0]!),
      predicted: said.slice(0, length).map((step) => step[0]!),
      ...isSeries && { context: source.map((step) => step[0]!) },
    });
    alignments.push({
      source: typeof source === "string" ? source : place,
      prediction: said.map(inWords).join(", "),
      sourceTokens: pipeline.split(source),
      tokens: said.map(inWords),
      weights: rowsOf(data, U!, S!),
    });
  });
  return { forecasts, alignments: alignments.slice(0, EACH) };
}
