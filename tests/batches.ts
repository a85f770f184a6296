/** Random weights and batches. */

import type { ModelConfig } from "../core/model/config.ts";
import type { LossName } from "../core/model/losses.ts";
import type { NamedArray, StateDict } from "../core/model/arrays.ts";
import type { Sequences, Targets } from "../core/model/batch.ts";
import type { Random } from "../core/random.ts";

/** The losses whose gradients tests/reference.ts computes. */
export const LOSSES = ["bce", "crossEntropy", "mse"] as const satisfies readonly LossName[];

/** `length` numbers of the normal distribution, times `scale`. */
export function normals(random: Random, length: number, scale = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => scale * random.normal());
}

/** Random parameters under the names and shapes of `parameters`, `scale` times as large as a new model's. */
export function randomState(
  random: Random,
  parameters: readonly { name: string; shape: readonly number[]; length: number; bound: number; normal: boolean }[],
  scale = 1,
): StateDict {
  const array = (length: number, bound: number, normal: boolean) =>
    Float32Array.from({ length }, () => (normal ? random.normal() : 2 * random.uniform() - 1) * bound * scale);
  return Object.fromEntries(
    parameters.map(({ name, shape, length, bound, normal }): [string, NamedArray] => [
      name,
      { shape, data: array(length, bound, normal) },
    ]),
  );
}

/** Sequences with lengths and initial states. */
export type RandomSequences = Sequences & Required<Pick<Sequences, "lengths" | "h0">>;

/** A random batch with initial states, and with random lengths if wanted: one of them 1, one of them T. */
export function randomBatch(
  random: Random,
  { inputSize: I, hiddenSize: H, outputSize: O, numLayers = 1, bidirectional = false, numEmbeddings: V = 0 }:
    ModelConfig,
  { B, T, loss, lengths }: { B: number; T: number; loss: LossName; lengths: boolean },
): { sequences: RandomSequences; targets: Targets } {
  const each = Int32Array.from({ length: B }, () => 1 + random.below(T));
  each[random.below(B)] = 1;
  each[random.below(B)] = T;
  const behind = (b: number, t: number) => lengths && t >= each[b]!;
  // Behind a sequence's length stands no token at all.
  const tokens = () =>
    Int32Array.from({ length: B * T }, (_, i) => behind(Math.floor(i / T), i % T) ? -7 : random.below(V));
  const uniform = () => loss === "bce" ? random.uniform() : random.normal();
  return {
    sequences: {
      x: V ? tokens() : normals(random, B * T * I),
      shape: [B, T, V ? 1 : I],
      h0: normals(random, numLayers * (bidirectional ? 2 : 1) * B * H, 0.5),
      lengths: lengths ? each : new Int32Array(B).fill(T),
    },
    targets: loss === "crossEntropy"
      ? Int32Array.from({ length: B }, () => random.below(O))
      : Float32Array.from({ length: B * O }, uniform),
  };
}

/** Weights for a loss: of sequences, some 0, and of classes or positive targets where it takes them. */
export function randomWeights(
  random: Random,
  { outputSize: O }: ModelConfig,
  { B, loss }: { B: number; loss: LossName },
): { weights: Float32Array<ArrayBuffer>; classWeights?: number[]; posWeight?: number[] } {
  const outputs = Array.from({ length: O }, () => 0.2 + 3 * random.uniform());
  return {
    weights: Float32Array.from({ length: B }, (_, i) => i && random.below(4) === 0 ? 0 : 0.1 + 2 * random.uniform()),
    ...loss === "crossEntropy" && { classWeights: outputs },
    ...loss === "bce" && { posWeight: outputs },
  };
}

/** Multipliers of dropout: 0 with probability p, else 1 / (1 − p). */
export function randomMask(random: Random, length: number, p: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => random.uniform() < p ? 0 : 1 / (1 - p));
}
