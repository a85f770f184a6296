/**
 * Writes checkpoints in the format of the day, and what must come of them, for the tests that every format ever written
 * keeps loading:
 *
 *     deno run --allow-read=tests/testdata --allow-write=tests/testdata scripts/checkpoint_fixtures.ts tests/testdata/checkpoints/vN
 *
 * Each is of a training that was stopped in the middle of an epoch. Beside it stand, as the program of then computed them
 * with plain SIMD, what its model predicts, and the history and parameters that its training ends with.
 *
 * @module
 */

import { formatCheckpoint, parseCheckpoint, predict, train } from "../mod.ts";
import {
  createModel,
  type Dataset,
  defineNetwork,
  type ModelConfig,
  type Network,
  Training,
  type TrainOptions,
} from "../mod.ts";
import { main } from "../core/cli/main.ts";
import { Random } from "../core/random.ts";
import { commandLine } from "./command_line.ts";

/** Sequences of all lengths, without a function whose last bit is the engine's business. */
export function fixtureData(): Dataset {
  const random = new Random(11, "data"), shape = [21, 6, 5], [N, T, I] = shape as [number, number, number];
  const x = Float32Array.from({ length: N * T * I }, () => 2 * random.uniform() - 1);
  const lengths = Int32Array.from({ length: N }, () => 1 + random.below(T)), targets = new Float32Array(N * 2);
  for (let i = 0; i < N; i++) targets[2 * i + random.below(2)] = 1;
  return { x, shape, targets, lengths };
}

/** The data as a model and a loss want them; `numEmbeddings` is absent or 0 where inputs are numbers. */
export function fixtureTargets(
  loss: TrainOptions["loss"],
  { numEmbeddings }: { readonly numEmbeddings?: number } = {},
): Dataset {
  const own = fixtureData(), [N, T, I] = own.shape as [number, number, number];
  const tokens = (_: unknown, i: number) => Math.floor((own.x[i * I]! + 1) / 2 * numEmbeddings!);
  const data = numEmbeddings ? { ...own, x: Int32Array.from({ length: N * T }, tokens), shape: [N, T, 1] } : own;
  if (loss !== "crossEntropy") return data;
  return { ...data, targets: Int32Array.from({ length: data.shape[0]! }, (_, i) => data.targets[2 * i] ? 0 : 1) };
}

const SMALL: ModelConfig = { inputSize: 5, hiddenSize: 3, outputSize: 2, dropout: 0.5 };
const LARGE: ModelConfig = { ...SMALL, numLayers: 2, layerDropout: 0.25, bidirectional: true };
const SCHEDULE: TrainOptions = { epochs: 4, batchSize: 4, seed: 5 };

/** A network that no config says. */
const NETWORK = defineNetwork(({ numbers, lstm, attention, dropout, mean, concat, layerNorm, linear }) => {
  const { output, state } = lstm("lstm", numbers("x", 5), { hiddenSize: 3, bidirectional: true });
  const { context } = attention("attention", { query: state, keys: output });
  return linear("fc", dropout(layerNorm("norm", concat([mean(output), context])), 0.25), 2);
});

const CASES: Record<string, { config: ModelConfig | Network; options: TrainOptions; stopAt: number }> = {
  adam: { config: LARGE, options: { clipNorm: 1, optimizer: { name: "adam", weightDecay: 1e-3 } }, stopAt: 8 },
  amsgrad: { config: SMALL, options: { loss: "crossEntropy", optimizer: { amsgrad: true } }, stopAt: 7 },
  adamw: { config: SMALL, options: { clipValue: 0.1, optimizer: { name: "adamw", betas: [0.7, 0.77] } }, stopAt: 3 },
  sgd: { config: { ...SMALL, bias: false }, options: { loss: "mse", optimizer: { name: "sgd" } }, stopAt: 14 },
  momentum: {
    config: { ...LARGE, numLayers: 1 },
    options: { shuffle: false, optimizer: { name: "sgd", learningRate: 0.05, momentum: 0.9, nesterov: true } },
    stopAt: 9,
  },
  best: {
    config: LARGE,
    options: {
      accumulate: 2,
      restoreBest: true,
      earlyStopping: { patience: 2 },
      schedule: { name: "plateau", patience: 0, warmupSteps: 3 },
      optimizer: { learningRate: 0.05 },
    },
    stopAt: 16,
  },
  tokens: {
    config: { ...SMALL, numEmbeddings: 9, paddingIdx: 0 },
    options: { loss: "crossEntropy", classWeights: [1, 2], schedule: { name: "step", stepSize: 2 } },
    stopAt: 10,
  },
  network: { config: NETWORK, options: { loss: "crossEntropy", labelSmoothing: 0.1 }, stopAt: 9 },
  rmsprop: { config: LARGE, options: { optimizer: { name: "rmsprop", alpha: 0.9 } }, stopAt: 20 },
};

/** What stands for a pipeline. */
const PREPROCESSING = { kind: "fixture", mean: [0.1, -0.2], words: { "": 0, __proto__2: 1, "é": 2 } };

/** Base64 of the little-endian bytes. */
function base64(data: Float32Array): string {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).toBase64();
}

/** What a checkpoint's model predicts, and what its training ends with; the model is used up. */
export async function outcome(text: string): Promise<unknown> {
  const { model, trainer, training } = await parseCheckpoint(text, "fixture", { simd: "plain" });
  using _model = model;
  const data = fixtureTargets(trainer!.options.loss, model.config);
  const { probabilities, attentionWeights } = await predict(model, data);
  const { options, state, bestParameters } = training!;
  const history = await train(model, data, { ...options, state, bestParameters, trainer: trainer!, validation: data });
  const parameters = Object.entries(await model.stateDict()).map(([name, { data }]) => [name, base64(data)]);
  return {
    probabilities: base64(probabilities.data),
    attentionWeights: base64(attentionWeights.data),
    history: history.map(({ epoch, trainLoss, trainAccuracy, validationLoss, validationAccuracy }) => ({
      epoch,
      trainLoss,
      trainAccuracy,
      validationLoss,
      validationAccuracy,
    })),
    parameters: Object.fromEntries(parameters),
  };
}

async function stopped({ config, options, stopAt }: (typeof CASES)[string]): Promise<string> {
  using model = await createModel(config as ModelConfig, { seed: 3, simd: "plain" });
  const abort = new AbortController(), data = fixtureTargets(options.loss, "layers" in config ? undefined : config);
  let batches = 0;
  const training = new Training(model, data, {
    ...SCHEDULE,
    ...options,
    validation: data,
    signal: abort.signal,
    onBatch: () => ++batches === stopAt && abort.abort("stop"),
  });
  await training.run().catch((error) => {
    if (error !== "stop") throw error;
  });
  return await formatCheckpoint({ model, training, job: { kind: "fixture" }, preprocessing: PREPROCESSING });
}

if (import.meta.main) {
  const start = "deno run --allow-read=tests/testdata --allow-write=tests/testdata scripts/checkpoint_fixtures.ts";
  const { operands: [folder] } = commandLine(start, "Writes checkpoints in the format of the day.", {}, ["FOLDER"]);
  await Deno.mkdir(folder!, { recursive: true });
  for (const [name, job] of Object.entries(CASES)) {
    const text = await stopped(job);
    await Deno.writeTextFile(`${folder}/${name}.json`, text);
    await Deno.writeTextFile(`${folder}/${name}.expected.json`, `${JSON.stringify(await outcome(text), null, 2)}\n`);
  }
  using model = await createModel(LARGE, { seed: 7, simd: "plain" });
  await Deno.writeTextFile(`${folder}/model.json`, await formatCheckpoint({ model }));
  const command = "--size 20 --steps 3 --hidden-size 3 --batch-size 8 --epochs 2 --simd plain --quiet";
  await main(["train", ...command.split(" "), "--checkpoint", `${folder}/command.json`]);
}
