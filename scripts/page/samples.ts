/** Samples to train on: made data, and small files of the tests. */

import moves from "../../tests/testdata/own/moves.csv" with { type: "text" };
import reviews from "../../tests/testdata/own/reviews.txt" with { type: "text" };
import sales from "../../tests/testdata/own/sales.csv" with { type: "text" };
import { PAIR_SAMPLES, samplePath } from "../../core/job/sample_pairs.ts";
import type { Texts } from "./fields.ts";

/** A sample. */
export interface Sample {
  /** Files by their names, as the command line is to be given them. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** What it is trained by, where nothing else is said. */
  readonly texts: Texts;
  /** Its name behind `--sample`, if it has one. */
  readonly flag?: keyof typeof PAIR_SAMPLES;
}

const FOLDER = "tests/testdata/own";
const texts = (options: Record<string, string> = {}): Texts => new Map(Object.entries(options));

/** The samples, by the names that the page's buttons have. */
export const SAMPLES: Readonly<Record<string, Sample>> = {
  sums: { files: [], texts: texts() },
  moves: {
    files: [{ name: `${FOLDER}/moves.csv`, text: moves }],
    texts: texts({ "training.epochs": "60", "optimizer.learningRate": "0.01" }),
  },
  reviews: {
    files: [{ name: `${FOLDER}/reviews.txt`, text: reviews }],
    texts: texts({ "training.epochs": "60", "optimizer.learningRate": "0.005" }),
  },
  sales: {
    files: [{ name: `${FOLDER}/sales.csv`, text: sales }],
    texts: texts({ "training.epochs": "100", "optimizer.learningRate": "0.005" }),
  },
  dates: { files: [], texts: datesTexts(), flag: "dates" },
};

/** The options of the sample of pairs, as texts. */
function datesTexts(): Texts {
  return new Map(
    Object.entries(PAIR_SAMPLES.dates).flatMap(([group, options]) =>
      Object.entries(options).map(([name, value]) => [`${group}.${name}`, String(value)] as const)
    ),
  );
}

/** The path of a sample of pairs. */
export function pathOf(flag: keyof typeof PAIR_SAMPLES, seed: number): string {
  return samplePath(flag, seed);
}
