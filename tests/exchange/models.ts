/** Five models of the kinds that modules are made of, each with sequences and what `createPredictor` says of them. */

import {
  createModel,
  createPredictor,
  defineNetwork,
  ForecastPipeline,
  type ModelFile,
  modelFile,
  type NetworkModel,
  Pipeline,
  type PreparedSequences,
  readRecords,
  readTable,
  sampleDataset,
  type SequenceRecord,
  train,
} from "../../mod.ts";

/** A model, and what its module must say. */
export interface ModuleCase {
  readonly name: string;
  readonly file: ModelFile;
  /** Sequences as a module takes them, JSON. */
  readonly inputs: readonly unknown[];
  /** Outputs in the data's own words, with the attention weights, JSON. */
  readonly expected: readonly Record<string, unknown>[];
}

const input = (name: string) => ({
  name,
  stream: async () => new Blob([await Deno.readFile(new URL(`../testdata/own/${name}`, import.meta.url))]).stream(),
});

/** What a predictor says of each sequence: the numbers that are valid. */
async function predictions(model: NetworkModel, sequences: readonly (Float32Array | Int32Array)[]) {
  using predictor = await createPredictor(model);
  return sequences.map((x) => {
    const { outputs, attentionWeights } = predictor.predict(x);
    return { outputs: [...outputs], attention: [...attentionWeights] };
  });
}

/** The sequences of records, each by itself. */
function alone(pipeline: Pipeline, records: readonly SequenceRecord[]): (Float32Array | Int32Array)[] {
  return records.map((record) => {
    const { x }: PreparedSequences = pipeline.sequences([record]);
    return x as Float32Array | Int32Array;
  });
}

const byName = (names: readonly string[], values: readonly number[]) =>
  Object.fromEntries(names.map((name, i) => [name, values[i]]));

async function numbers(): Promise<ModuleCase> {
  const config = { inputSize: 5, hiddenSize: 10, outputSize: 2, dropout: 0.5, loss: "bce" as const };
  using model = await createModel(config, { seed: 1, simd: "plain" });
  const { x } = sampleDataset({ seed: 1 });
  await train(model, sampleDataset({ seed: 2, size: 64 }), { epochs: 2 });
  const sequences = [10, 1, 3, 10].map((steps, i) => x.slice(50 * i, 50 * i + 5 * steps));
  return {
    name: "numbers",
    file: await modelFile(model),
    inputs: sequences.map((own) => [...own]),
    expected: (await predictions(model, sequences)).map(({ outputs, attention }) => ({
      probabilities: outputs,
      attention,
    })),
  };
}

async function moves(): Promise<ModuleCase> {
  const source = await readRecords(input("moves.csv"), {
    sequenceColumn: "id",
    timeColumn: "t",
    labelColumns: ["kind"],
  });
  const records = await Array.fromAsync(source.records);
  const pipeline = Pipeline.fit(records, { channelNames: source.channelNames, missing: "last" });
  const { inputSize, outputSize, loss, labels } = pipeline;
  const config = { inputSize, outputSize, loss, hiddenSize: 13, numLayers: 2, bidirectional: true };
  using model = await createModel(config, { seed: 2, simd: "plain" });
  await train(model, pipeline.dataset(records), { epochs: 2 });
  const some = records.slice(0, 6).map((record, n) => {
    const values = record.values!.slice();
    if (n === 1) values[3] = NaN;
    return { ...record, values };
  });
  const rows = ({ values, steps, channels }: SequenceRecord) =>
    Array.from({ length: steps }, (_, t) =>
      Object.fromEntries(source.channelNames!.map((name, c) => {
        const value = values![t * channels + c]!;
        return [name, Number.isNaN(value) ? null : value];
      })));
  const found = await predictions(model, alone(pipeline, some));
  return {
    name: "moves",
    file: await modelFile(model, { preprocessing: pipeline.toJSON() }),
    inputs: some.map(rows),
    expected: found.map(({ outputs, attention }) => {
      const { label, probabilities } = pipeline.decode(outputs);
      return { label, probabilities: byName(labels, probabilities!), attention };
    }),
  };
}

async function reviews(): Promise<ModuleCase> {
  const records = await Array.fromAsync((await readRecords(input("reviews.txt"))).records);
  const pipeline = Pipeline.fit(records), { inputSize, outputSize, numEmbeddings, paddingIdx, loss, labels } = pipeline;
  const config = { inputSize, outputSize, numEmbeddings, paddingIdx, loss, hiddenSize: 9 };
  using model = await createModel(config, { seed: 3, simd: "plain" });
  await train(model, pipeline.dataset(records), { epochs: 2 });
  const texts = [records[0]!.text!, "The film was GOOD :) <3", "zebra", "", "really, really good 👍🏽!?"];
  const some = texts.map((text) => ({ ...records[0]!, text }));
  const found = await predictions(model, alone(pipeline, some));
  return {
    name: "reviews",
    file: await modelFile(model, { preprocessing: pipeline.toJSON() }),
    inputs: texts,
    expected: found.map(({ outputs, attention }, i) => {
      const { label, probabilities } = pipeline.decode(outputs);
      return { label, probabilities: byName(labels, probabilities!), tokens: pipeline.tokens(texts[i]!), attention };
    }),
  };
}

async function sales(): Promise<ModuleCase> {
  const table = await readTable(input("sales.csv"));
  const pipeline = ForecastPipeline.fit(table, {
      targetColumns: ["sales"],
      featureColumns: ["sales", "price"],
      window: 12,
      horizon: 3,
      transform: "logDifference",
      center: true,
    }),
    { inputSize, outputSize } = pipeline;
  const config = { inputSize, outputSize, hiddenSize: 12, cell: "lstm" as const, loss: "mse" as const };
  using model = await createModel(config, { seed: 4, simd: "plain" });
  await train(model, pipeline.dataset(table), { epochs: 2 });
  const columns = ["sales", "price"].map((name) => table.values[table.columns.indexOf(name)]!);
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ sales: columns[0]![from + i]!, price: columns[1]![from + i]! }));
  const ends = [13, 30, table.rows], windows = ends.map((end) => pipeline.inputs(table, end));
  const found = await predictions(model, windows.map(({ x }) => x));
  return {
    name: "sales",
    file: await modelFile(model, { preprocessing: pipeline.toJSON() }),
    inputs: ends.map((end, i) => i ? rows(0, end) : rows(0, end).map(({ sales, price }) => [sales, price])),
    expected: found.map(({ outputs, attention }, i) => ({
      values: [...pipeline.decode(outputs, windows[i]!)].map((value) => ({ sales: value })),
      attention,
    })),
  };
}

async function steps(): Promise<ModuleCase> {
  const record = (n: number): SequenceRecord => {
    const values = Float64Array.from({ length: 16 }, (_, i) => Math.sin(n + i * i) * 30 + 1000);
    const stepLabels = Array.from({ length: 8 }, (_, t) => [values[2 * t]! > 1000 ? "high" : "low"]);
    return { values, steps: 8, channels: 2, stepLabels, labels: ["high"], place: `record ${n}` };
  };
  const records = Array.from({ length: 12 }, (_, n) => record(n));
  const pipeline = Pipeline.fit(records, { labelEveryStep: true, channelNames: ["a", "b"] });
  const network = defineNetwork(({ numbers, gru, linear, layerNorm, relu, concat }) => {
    const { output } = gru("gru", numbers("x", 2), { hiddenSize: 6, bidirectional: true });
    return { logits: linear("fc", concat([layerNorm("norm", output), relu(output)]), 2) };
  });
  using model = await createModel(network, { seed: 5, simd: "plain", loss: "crossEntropy" });
  const found = await predictions(model, alone(pipeline, records.slice(0, 3)));
  return {
    name: "steps",
    file: await modelFile(model, { preprocessing: pipeline.toJSON() }),
    inputs: records.slice(0, 3).map(({ values }) =>
      Array.from({ length: 8 }, (_, t) => [...values!.slice(2 * t, 2 * t + 2)])
    ),
    expected: found.map(({ outputs }) => ({
      steps: Array.from({ length: 8 }, (_, t) => {
        const { label, probabilities } = pipeline.decode(outputs.slice(2 * t, 2 * t + 2));
        return { label, probabilities: byName(pipeline.labels, probabilities!) };
      }),
    })),
  };
}

/** All five. */
export async function moduleCases(): Promise<ModuleCase[]> {
  return [await numbers(), await moves(), await sales(), await reviews(), await steps()];
}
