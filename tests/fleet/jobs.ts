/** Trainings that any number of processes must end with the same bits. */

import {
  createModel,
  createTrainer,
  type Dataset,
  defineNetwork,
  END,
  evaluate,
  type Fleet,
  formatCheckpoint,
  type NetworkModel,
  parseCheckpoint,
  ragged,
  Training,
  type TrainOptions,
} from "../../mod.ts";
import { isPairs } from "../../core/data/pairs.ts";
import { blockRows } from "../../core/model/block.ts";
import { internalsOf } from "../../core/model/model.ts";
import { Random } from "../../core/random.ts";

/** Where a job computes. */
export interface Place {
  readonly fleet: Fleet;
  readonly threads: number;
}

function numbers(N: number, T: number, I: number, classes?: number): Dataset {
  const random = new Random(13, "data"), x = Float32Array.from({ length: N * T * I }, () => 2 * random.uniform() - 1);
  const lengths = Int32Array.from({ length: N }, () => 1 + random.below(T));
  const targets = classes
    ? Int32Array.from({ length: N }, () => random.below(classes))
    : Float32Array.from({ length: 2 * N }, () => random.below(2));
  return { x, shape: [N, T, I], targets, lengths };
}

function tokens(N: number, T: number, V: number): Dataset {
  const { targets, lengths, shape } = numbers(N, T, 1), random = new Random(14, "data");
  return { x: Int32Array.from({ length: N * T }, () => 1 + random.below(V - 1)), shape, targets, lengths };
}

const CONFIG = { inputSize: 7, hiddenSize: 40, outputSize: 2, dropout: 0.3 };

/** That batches of so many sequences are cut into blocks of 8 or so: one block by itself would prove nothing. */
function requireBlocks(model: NetworkModel, B: number, T: number): void {
  const rows = blockRows(internalsOf(model).session.net.work, B, T);
  if (B > 8 && rows > 16) throw new Error(`a block has ${rows} of ${B} sequences`);
}

/** Trains, and says what came out: the checkpoint, and scores. */
async function ended(model: NetworkModel, dataset: Training["dataset"], options: TrainOptions): Promise<string> {
  requireBlocks(model, options.batchSize!, isPairs(dataset) ? 6 : dataset.shape[1]!);
  const training = new Training(model, dataset, options);
  await training.run();
  const how = { batchSize: 20, metrics: true } as const;
  const scores = isPairs(dataset) ? await evaluate(model, dataset, how) : await evaluate(model, dataset, how);
  return await formatCheckpoint({ model, training }) + JSON.stringify(scores);
}

/** The trainings by name. */
export const JOBS: Readonly<Record<string, (place: Place) => Promise<string>>> = {
  async "dropout, clipping, accumulation, a last batch of few"(place) {
    using model = await createModel(CONFIG, { ...place, seed: 4 });
    const data = numbers(130, 21, 7), options = { epochs: 2, batchSize: 60, accumulate: 2, clipNorm: 0.1 };
    return await ended(model, data, { ...options, shuffle: true, validation: numbers(50, 21, 7) });
  },
  async "two layers in both directions, adamw, a schedule by plateau"(place) {
    const config = { ...CONFIG, numLayers: 2, bidirectional: true, layerDropout: 0.2, cell: "lstm" as const };
    using model = await createModel(config, { ...place, seed: 5 });
    const schedule = { name: "plateau", patience: 0, factor: 0.5 } as const;
    const optimizer = { name: "adamw", learningRate: 0.05 } as const;
    return await ended(model, numbers(72, 16, 7), {
      epochs: 4,
      batchSize: 72,
      optimizer,
      schedule,
      validation: numbers(40, 16, 7),
    });
  },
  async "tokens with an embedding, class weights, sequences that count differently"(place) {
    const config = { ...CONFIG, numEmbeddings: 30, paddingIdx: 0 };
    using model = await createModel(config, { ...place, seed: 6 });
    const weights = Float32Array.from({ length: 90 }, (_, i) => 1 + i % 3);
    return await ended(model, { ...tokens(90, 21, 30), weights }, { epochs: 3, batchSize: 40, posWeight: [1, 2] });
  },
  async "early stopping, the best epoch's parameters"(place) {
    using model = await createModel({ ...CONFIG, outputSize: 3 }, { ...place, seed: 7 });
    const options = { epochs: 9, batchSize: 32, loss: "crossEntropy", optimizer: { learningRate: 0.1 } } as const;
    const earlyStopping = { patience: 1 }, validation = numbers(45, 21, 7, 3);
    return await ended(model, numbers(64, 21, 7, 3), {
      ...options,
      earlyStopping,
      restoreBest: true,
      classWeights: [1, 2, 0.5],
      validation,
    });
  },
  async "batches smaller than the processes"(place) {
    using model = await createModel(CONFIG, { ...place, seed: 8 });
    return await ended(model, numbers(20, 21, 7), {
      epochs: 2,
      batchSize: 3,
      optimizer: { name: "sgd", momentum: 0.9 },
    });
  },
  async "an output at every step of your own network"(place) {
    const network = defineNetwork(({ numbers, gru, layerNorm, linear }) =>
      linear("fc", layerNorm("norm", gru("gru", numbers("x", 7), { hiddenSize: 40 }).output), 2)
    );
    using model = await createModel(network, { ...place, seed: 9, loss: "mse" });
    const { x, shape, lengths } = numbers(70, 30, 7),
      targets = Float32Array.from({ length: 70 * 30 * 2 }, (_, i) => i % 5);
    return await ended(model, { x, shape, lengths, targets, targetsPerStep: true }, { epochs: 2, batchSize: 33 });
  },
  async "two outputs with a loss each, step by step"(place) {
    const network = defineNetwork(({ numbers, gru, last, linear }) => {
      const { output } = gru("gru", numbers("x", 7), { hiddenSize: 40 }), row = last(output);
      return { kind: linear("kind", row, 3), amount: linear("amount", row, 1) };
    });
    using model = await createModel(network, { ...place, seed: 10 });
    const losses = { kind: { loss: "crossEntropy", weight: 0.3 }, amount: { loss: "huber" } } as const;
    const trainer = createTrainer(model, { losses, clipNorm: 0.5 }), { x, shape } = numbers(50, 30, 7), said = [];
    const kind = Int32Array.from({ length: 50 }, (_, i) => i % 3), amount = Float32Array.from(kind, (k) => k - 1);
    for (let step = 0; step < 4; step++) said.push(await trainer.step({ x, shape }, { kind, amount }));
    return JSON.stringify(said) + await formatCheckpoint({ model, trainer });
  },
  async "your own loss"(place) {
    using model = await createModel({ ...CONFIG, outputSize: 1 }, { ...place, seed: 11 });
    const trainer = createTrainer(model), { x, shape } = numbers(50, 30, 7), said = [];
    for (let step = 0; step < 3; step++) {
      said.push(
        await trainer.step({ x, shape }, ({ values }) => {
          const errors = values.logits!.data.map((y) => y - 3);
          return { loss: errors.reduce((sum, e) => sum + e * e, 0), dOutputs: errors.map((e) => 2 * e) };
        }),
      );
    }
    return JSON.stringify(said) + await formatCheckpoint({ model, trainer });
  },
  async "pairs of sequences, with a schedule of the teacher"(place) {
    const sizes = { sourceTokens: 12, sourceSize: 16, targetTokens: 14, targetSize: 16, hiddenSize: 40 };
    using model = await createModel({ task: "seq2seq", ...sizes, dropout: 0.2 }, { ...place, seed: 12 });
    const random = new Random(15, "data");
    const sources = Array.from(
      { length: 60 },
      () => Array.from({ length: 1 + random.below(12) }, () => 2 + random.below(9)),
    );
    const pairs = { sources: ragged(sources), targets: ragged(sources.map((s) => [...s.map((t) => t + 2), END])) };
    const teacher = { name: "linear", last: 0.5 } as const;
    return await ended(model, pairs, { epochs: 2, batchSize: 40, validation: pairs, teacher });
  },
  async "pairs of numbers, quantiles of every step, a decoder of two layers that is fed its own"(place) {
    const sizes = { sourceSize: 3, targetSize: 1, hiddenSize: 40, numLayers: 2, layerDropout: 0.2 };
    const loss = { loss: "quantile", quantiles: [0.1, 0.5, 0.9] } as const;
    using model = await createModel({ task: "seq2seq", ...sizes }, { ...place, ...loss, seed: 14 });
    const random = new Random(16, "data");
    const values = (steps: number) => Array.from({ length: steps }, () => 2 * random.uniform() - 1);
    const sources = Array.from({ length: 60 }, () => values(3 * (1 + random.below(12))));
    const targets = sources.map(() => values(1 + random.below(5)));
    const pairs = { sources: ragged(sources, 3), targets: ragged(targets, 1), start: Float32Array.from(values(60)) };
    return await ended(model, pairs, { epochs: 2, batchSize: 40, validation: pairs, teacher: { ratio: 0.5 } });
  },
  async "a graph of your own: two inputs, LSTM both ways, attention, embedding, pooling"(place) {
    const network = defineNetwork((layers) => {
      const { embedding, attention, concat, mean, max, relu, dropout, linear } = layers;
      const { output: keys, state: query } = layers.lstm("lstm", layers.numbers("x", 7), {
        hiddenSize: 40,
        bidirectional: true,
      });
      const words = embedding("embedding", layers.tokens("words", 30), 12);
      const { output } = layers.gru("gru", words, { hiddenSize: 40 });
      const { context } = attention("attention", { query, keys });
      return linear("fc", dropout(relu(linear("hidden", concat([context, mean(output), max(keys)]), 24)), 0.2), 3);
    });
    using model = await createModel(network, { ...place, seed: 15, loss: "crossEntropy" });
    const { x, shape, lengths, targets } = numbers(50, 30, 7, 3), { x: words } = tokens(50, 30, 30), said = [];
    const trainer = createTrainer(model, { clipNorm: 0.5 });
    for (let step = 0; step < 4; step++) {
      said.push(await trainer.step({ x, shape, lengths, inputs: { words } }, targets));
    }
    return JSON.stringify(said) + await formatCheckpoint({ model, trainer });
  },
  async "a resumed training"(place) {
    using model = await createModel(CONFIG, { ...place, seed: 13 });
    const data = numbers(100, 21, 7), training = new Training(model, data, { epochs: 2, batchSize: 44 });
    await training.run();
    const loaded = await parseCheckpoint(await formatCheckpoint({ model, training }), "it", place);
    using _model = loaded.model;
    const resumed = loaded.resume(data, { epochs: 4 });
    await resumed.run();
    return await formatCheckpoint({ model: loaded.model, training: resumed });
  },
};
