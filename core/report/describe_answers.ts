/** Answers of a model to sources, right and wrong ones, as a page shows them. */

import type { PairGroup, PairPipeline } from "../data/pair_pipeline.ts";
import type { NamedArray } from "../model/model.ts";
import type { AlignmentExample } from "./run_report.ts";

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
      source: record.source,
      prediction: pipeline.text(tokens),
      truth: pipeline.text(references[0]!),
      right: references.some(same),
      sourceTokens: source.length ? source : ["(empty)"],
      tokens: ended ? [...tokens, END] : tokens,
      weights: Array.from({ length: U! }, (_, u) => Array.from(data.subarray(u * S!, (u + 1) * S!))),
    };
  });
  const some = (right: boolean) => {
    const own = examples.filter((example) => example.right === right), step = Math.max(1, own.length / EACH);
    return Array.from({ length: Math.min(EACH, own.length) }, (_, i) => own[Math.floor(i * step)]!);
  };
  return [...some(false), ...some(true)];
}
