/**
 * Prints a hash of what a training of every layer and loss ends with, for the determinism contract: with plain SIMD it is
 * the same on every machine.
 *
 *     deno run scripts/determinism.ts [plain|relaxed] [THREADS]
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createModel, type Dataset, type EpochRecord, predict, train, type TrainOptions } from "../mod.ts";
import { Random } from "../core/random.ts";
import { commandLine, fail } from "./command_line.ts";

/** Sequences of all lengths, without a function whose last bit is the engine's business. */
function data(N: number, T: number, I: number, tokens?: number): Dataset {
  const random = new Random(13, "data"), targets = new Float32Array(N * 2);
  const x = tokens
    ? Int32Array.from({ length: N * T }, () => random.below(tokens))
    : Float32Array.from({ length: N * T * I }, () => 2 * random.uniform() - 1);
  const lengths = Int32Array.from({ length: N }, () => 1 + random.below(T));
  for (let i = 0; i < N; i++) targets[2 * i + random.below(2)] = 1;
  return { x, shape: [N, T, tokens ? 1 : I], targets, lengths };
}

const JOBS: { hidden: number; layers: number; tokens?: number; options: TrainOptions }[] = [
  { hidden: 37, layers: 2, options: { optimizer: { name: "adamw" }, clipNorm: 1, accumulate: 2 } },
  { hidden: 64, layers: 1, options: { optimizer: { name: "sgd", learningRate: 0.1, momentum: 0.9 }, loss: "mse" } },
  { hidden: 17, layers: 1, tokens: 30, options: { optimizer: { name: "rmsprop" }, posWeight: [1, 2] } },
];

/** A record under the names it had when the hash was written down. */
function formerly({ validationLoss, validationAccuracy, learningRate, gradNorm, ...train }: EpochRecord): object {
  return { ...train, testLoss: validationLoss, testAccuracy: validationAccuracy, learningRate, gradNorm };
}

/** The hash of all parameters, losses and predictions. */
export async function trainedHash(simd: "plain" | "relaxed", threads: number): Promise<string> {
  const hash = createHash("sha256");
  for (const { hidden, layers, tokens, options } of JOBS) {
    const config = { inputSize: 19, hiddenSize: hidden, outputSize: 2, numLayers: layers, dropout: 0.3 };
    using model = await createModel(
      { ...config, bidirectional: layers > 1, ...tokens && { numEmbeddings: tokens, paddingIdx: 0 } },
      { seed: 5, simd, threads },
    );
    if (tokens) await flattenEmbedding(model);
    const dataset = data(96, 24, 19, tokens);
    const history = await train(model, dataset, { epochs: 3, batchSize: 48, validation: dataset, ...options });
    hash.update(JSON.stringify(history.map(formerly)));
    for (const { data } of Object.values(await model.stateDict())) hash.update(data);
    hash.update((await predict(model, dataset)).probabilities.data);
  }
  return hash.digest("hex");
}

/** Embeddings begin with normal numbers, which are the engine's business: uniform ones in their place. */
async function flattenEmbedding(model: Awaited<ReturnType<typeof createModel>>) {
  const dict = await model.stateDict(), { shape, data } = dict["embedding.weight"]!, random = new Random(14, "data");
  const uniform = data.map((value) => value === 0 ? 0 : random.uniform() - 0.5);
  await model.loadStateDict({ ...dict, "embedding.weight": { shape, data: uniform } });
}

if (import.meta.main) {
  const { operands } = commandLine(
    "deno run scripts/determinism.ts",
    "Prints a hash of what a training ends with.",
    {},
    [
      "[plain|relaxed]",
      "[THREADS]",
    ],
  );
  const [simd = "plain", threads = "1"] = operands;
  if (simd !== "plain" && simd !== "relaxed") fail(`instructions must be plain or relaxed, got "${simd}"`, 2);
  console.log(await trainedHash(simd, Number(threads)));
}
