/** Models from sequences to sequences of the kinds that modules are made of, with what `createPredictor` says of sources. */

import {
  createModel,
  createPredictor,
  type ModelFile,
  modelFile,
  PairPipeline,
  type PairRecord,
  type Seq2SeqConfig,
} from "../../mod.ts";

/** A model, and what its module must say. */
export interface PairCase {
  readonly name: string;
  readonly file: ModelFile;
  /** Sources as a module takes them, JSON. */
  readonly inputs: readonly unknown[];
  /** The best answers, in the data's own words, JSON. */
  readonly expected: readonly Record<string, unknown>[];
}

const MONTHS = ["January", "February", "March", "April", "May", "June"];

/** Dates as they are written in two ways, to be made of one another. */
const dates = MONTHS.map((month, n): PairRecord => ({
  source: `${month} ${n + 7}, 199${n}`,
  target: `199${n}-0${n + 1}-${10 + n}`,
  place: `dates.tsv, line ${n + 1}`,
}));

const series = [0, 1, 2].map((n): PairRecord => ({
  source: Array.from({ length: 5 + n }, (_, t) => [100 + 7 * n + t, t % 3]),
  target: Array.from({ length: 4 }, (_, t) => [105 + 8 * n + t]),
  place: `series.jsonl, line ${n + 1}`,
}));

const rowsOf = ({ shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array }): number[][] => {
  const [rows, width] = shape.slice(-2) as [number, number];
  return Array.from({ length: rows }, (_, u) => [...data.subarray(u * width, (u + 1) * width)]);
};

async function caseOf(name: string, records: readonly PairRecord[], config: Seq2SeqConfig): Promise<PairCase> {
  const pipeline = PairPipeline.fit(records), { target, longest } = pipeline;
  using model = await createModel(config, { seed: 6, simd: "plain" });
  using predictor = await createPredictor(model);
  const expected = await Promise.all(records.map(async ({ source, place }) => {
    const x = pipeline.sources([{ source, place }]).data;
    if (target.unit === "numbers") {
      const { outputs, attention } = await predictor.forecast(x, { steps: longest });
      return { values: target.values(outputs.data), attention: rowsOf(attention) };
    }
    const [found] = await predictor.search(x, { maxLength: 2 * longest }), split = pipeline.split(source);
    const { ended, score, logProbabilities, sum: logProbability } = found!, tokens = pipeline.tokens(found!, split);
    const said = { text: pipeline.text(tokens), logProbability, ended, score, logProbabilities, tokens };
    return { ...said, attention: rowsOf(found!.attention), sourceTokens: split };
  }));
  const file = await modelFile(model, { preprocessing: pipeline.toJSON() });
  return { name, file, inputs: records.map(({ source }) => source), expected };
}

/** One of texts, one of numbers. */
export async function pairCases(): Promise<PairCase[]> {
  const { source, target } = PairPipeline.fit(dates), sizes = { sourceSize: 6, targetSize: 6, hiddenSize: 12 };
  return [
    await caseOf("dates", dates, {
      task: "seq2seq",
      sourceTokens: source.size,
      targetTokens: target.size,
      ...sizes,
    }),
    await caseOf("series", series, { task: "seq2seq", ...sizes, sourceSize: 2, targetSize: 1, cell: "lstm" }),
  ];
}
