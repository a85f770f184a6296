/** Models of every kind of data, not trained: what is served is how they are asked. */

import { PairPipeline } from "../../core/data/pair_pipeline.ts";
import { stepNetwork } from "../../core/job/step_network.ts";
import {
  createModel,
  ForecastPipeline,
  type Input,
  Pipeline,
  readRecords,
  readTable,
  type Servable,
} from "../../mod.ts";

const OWN = new URL("../testdata/own/", import.meta.url);

const input = (name: string): Input => ({ name, stream: async () => (await Deno.open(new URL(name, OWN))).readable });
const records = async (...given: Parameters<typeof readRecords>) =>
  await Array.fromAsync((await readRecords(...given)).records);

const SEED = { seed: 1 };

/** Sequences of two channels without names, two classes. */
export async function plain(): Promise<Servable> {
  return { model: await createModel({ inputSize: 2, hiddenSize: 4, outputSize: 2, loss: "crossEntropy" }, SEED) };
}

/** A long CSV with classes. */
export async function moves(
  { missing, everyStep, window, names = ["speed", "turn"] }: {
    missing?: "last";
    everyStep?: true;
    window?: number;
    names?: string[];
  } = {},
): Promise<Servable> {
  const columns = { sequenceColumn: "id", timeColumn: "t", labelColumns: ["kind"] };
  const options = everyStep && { labelEveryStep: true };
  const pipeline = Pipeline.fit(
    await records(input("moves.csv"), { ...columns, ...everyStep && { labelsPerRow: true } }),
    { missing, channelNames: names, ...window && { windows: { window } }, ...options },
  );
  const { inputSize, outputSize, loss } = pipeline, config = { inputSize, hiddenSize: 5, outputSize };
  const job = {
    data: { size: 1000, steps: 10, features: 5 },
    own: {
      files: { data: ["-"] },
      columns: { sequenceColumn: "id", timeColumn: "t", labelColumn: ["kind"] },
      forecast: { window },
    },
    seed: 0,
  };
  return {
    model: everyStep
      ? await createModel(stepNetwork(config), { ...SEED, loss })
      : await createModel({ ...config, loss }, SEED),
    preprocessing: pipeline.toJSON(),
    job,
  };
}

/** Texts with classes. */
export async function reviews(): Promise<Servable> {
  const pipeline = Pipeline.fit(await records(input("reviews.txt"), { format: "text" }), { tokens: "words" });
  const { numEmbeddings, paddingIdx, outputSize, loss } = pipeline;
  return {
    model: await createModel({ inputSize: 6, hiddenSize: 4, outputSize, loss, numEmbeddings, paddingIdx }, SEED),
    preprocessing: pipeline.toJSON(),
  };
}

/** A table of series that goes on. */
export async function sales(): Promise<Servable> {
  const table = await readTable(input("sales.csv")), window = 6;
  const pipeline = ForecastPipeline.fit(table, {
    targetColumns: ["sales"],
    window,
    horizon: 2,
    transform: "difference",
  });
  return {
    model: await createModel({ inputSize: 1, hiddenSize: 4, outputSize: 2, loss: "mse" }, SEED),
    preprocessing: pipeline.toJSON(),
  };
}

/** Texts for texts. */
export async function dates(): Promise<Servable> {
  const pairs = ["1/2/1999", "3/4/2001", "11/12/2020"].map((source, i) => ({
    source,
    target: source.split("/").reverse().join("-"),
    place: `pairs.tsv, line ${i + 1}`,
  }));
  const pipeline = PairPipeline.fit(pairs, { sourceTokens: "characters", targetTokens: "characters" });
  const model = await createModel({
    task: "seq2seq",
    sourceTokens: pipeline.source.size,
    targetTokens: pipeline.target.size,
    sourceSize: 6,
    targetSize: 6,
    hiddenSize: 8,
  }, SEED);
  return { model, preprocessing: pipeline.toJSON() };
}

/** Two numbers a step, or texts, for three steps of two numbers, or texts. */
export async function series(
  { from = "numbers", to = "numbers", quantiles, maxAnswer }: {
    from?: "numbers" | "texts";
    to?: "numbers" | "texts";
    quantiles?: readonly number[];
    maxAnswer?: number;
  } = {},
): Promise<Servable> {
  const numbers = (n: number, steps: number) => Array.from({ length: steps }, (_, t) => [n + t, 10 * n - t]);
  const pairs = [1, 2, 4].map((n) => ({
    source: from === "numbers" ? numbers(n, 3 + n) : `source ${n}`,
    target: to === "numbers" ? numbers(n, 3) : `target ${n}`,
    place: `pairs.jsonl, line ${n}`,
  }));
  const pipeline = PairPipeline.fit(pairs), { source, target } = pipeline;
  const model = await createModel({
    task: "seq2seq",
    ...source.unit === "numbers" ? { sourceSize: source.size } : { sourceTokens: source.size, sourceSize: 5 },
    ...target.unit === "numbers" ? { targetSize: target.size } : { targetTokens: target.size, targetSize: 5 },
    hiddenSize: 7,
  }, { ...SEED, ...quantiles && { loss: "quantile" as const, quantiles } });
  const job = {
    data: { size: 1000, steps: 10, features: 5 },
    own: { files: { data: ["-"] }, search: { maxAnswer } },
    seed: 0,
  };
  return { model, preprocessing: pipeline.toJSON(), ...maxAnswer && { job } };
}

/** One of every kind, by name. */
export async function everyKind(): Promise<Record<string, Servable>> {
  return {
    plain: await plain(),
    moves: await moves(),
    reviews: await reviews(),
    sales: await sales(),
    dates: await dates(),
    series: await series(),
  };
}

/** A request with a body. */
export function asked(path: string, body: unknown, headers: Record<string, string> = {}, method = "POST"): Request {
  return new Request(`http://localhost${path}`, {
    method,
    body: typeof body === "string" || body instanceof Uint8Array ? body as BodyInit : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

/** A request without one. */
export function got(path: string, method = "GET", headers: Record<string, string> = {}): Request {
  return new Request(`http://localhost${path}`, { method, headers });
}
