/** Samples of pairs: made data that are read as a file is, so that checkpoints and all commands take them as such. */

import type { Input } from "../data/readers/record.ts";

/** The samples, with what they are trained by where nothing else is said. */
export const PAIR_SAMPLES = {
  dates: {
    preparation: { task: "seq2seq", tokens: "characters" },
    model: { dropout: 0 },
    training: { epochs: 8, batchSize: 32 },
    optimizer: { learningRate: 0.005 },
  },
} as const;

/** What a sample's name as a file is: the sample, and the seed that it is made by. */
const NAME = /^sample:(dates):(\d{1,15})$/;

/** The name of a sample, in place of a file's. */
export function samplePath(name: keyof typeof PAIR_SAMPLES, seed: number): string {
  return `sample:${name}:${seed}`;
}

/** Whether a path is that of a sample, not of a file. */
export function isSample(path: string): boolean {
  return NAME.test(path);
}

/** The sample that a path names; undefined if it is another one's. */
export function sampleInput(path: string): Input | undefined {
  const [, , seed] = NAME.exec(path) ?? [];
  if (seed === undefined) return undefined;
  async function* stream() {
    const { sampleDates } = await import("../data/sample_dates.ts");
    yield new TextEncoder().encode(sampleDates(Number(seed)));
  }
  return { name: path, stream };
}
