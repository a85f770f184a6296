/** Networks that tests build by hand, each with a batch and targets of its own. */

import { defineNetwork, type LossName, type Network, type Sequences, type Targets } from "../mod.ts";
import type { Random } from "../core/random.ts";
import { normals } from "./batches.ts";

/** A network, the losses of its outputs, and batches for it. */
export interface Sample {
  readonly network: Network;
  readonly loss: LossName | Record<string, LossName>;
  readonly sequences: (random: Random, B: number, T: number) => Sequences;
  readonly targets: (random: Random, B: number, T: number) => Targets | Record<string, Targets>;
}

function classes(random: Random, n: number, count: number): Int32Array {
  return Int32Array.from({ length: n }, () => random.below(count));
}

function lengths(random: Random, B: number, T: number): Int32Array {
  return Int32Array.from({ length: B }, (_, b) => b ? 1 + random.below(T) : T);
}

/** The networks by name. */
export const NETWORKS: Readonly<Record<string, Sample>> = {
  "the ready-made model by hand": {
    network: defineNetwork(({ numbers, gru, attention, dropout, linear }) => {
      const { output, state } = gru("gru", numbers("x", 5), { hiddenSize: 10 });
      const { context } = attention("attention", { query: state, keys: output });
      return linear("fc", dropout(context, 0.5), 2);
    }),
    loss: "bce",
    sequences: (random, B, T) => ({ x: normals(random, B * T * 5), shape: [B, T, 5], lengths: lengths(random, B, T) }),
    targets: (random, B) => Float32Array.from({ length: B * 2 }, () => random.below(2)),
  },
  "a GRU alone": {
    network: defineNetwork(({ numbers, gru }) =>
      gru("gru", numbers("x", 3), { hiddenSize: 4, bidirectional: true }).output
    ),
    loss: "mse",
    sequences: (random, B, T) => ({ x: normals(random, B * T * 3), shape: [B, T, 3], lengths: lengths(random, B, T) }),
    targets: (random, B, T) => normals(random, B * T * 8),
  },
  "attention alone, over keys from outside": {
    network: defineNetwork(({ numbers, vector, attention }) =>
      attention("attention", { query: vector("query", 3), keys: numbers("keys", 5) }, { size: 7 }).context
    ),
    loss: "mse",
    sequences: (random, B, T) => ({
      x: normals(random, B * T * 5),
      shape: [B, T, 5],
      lengths: lengths(random, B, T),
      inputs: { query: normals(random, B * 3) },
    }),
    targets: (random, B) => normals(random, B * 5),
  },
  "two heads": {
    network: defineNetwork(({ tokens, embedding, lstm, layerNorm, mean, max, concat, tanh, linear }) => {
      const words = embedding("embedding", tokens("words", 11), 6, { paddingIdx: 0 });
      const { output, state } = lstm("lstm", words, { hiddenSize: 5, numLayers: 2, bidirectional: true, dropout: 0.2 });
      const normed = layerNorm("norm", output);
      const pooled = tanh(linear("mix", concat([mean(normed), max(normed), state]), 7));
      return { topic: linear("topic", pooled, 4), level: linear("level", pooled, 2) };
    }),
    loss: { topic: "crossEntropy", level: "huber" },
    sequences: (random, B, T) => ({ x: classes(random, B * T, 11), shape: [B, T, 1], lengths: lengths(random, B, T) }),
    targets: (random, B) => ({ topic: classes(random, B, 4), level: normals(random, B * 2) }),
  },
  "an output at every step": {
    network: defineNetwork(({ numbers, gru, dropout, relu, linear }) => {
      const { output } = gru("encoder.gru", numbers("x", 2), { hiddenSize: 6 });
      return { tags: linear("tagger", relu(dropout(output, 0.25)), 3) };
    }),
    loss: "crossEntropy",
    sequences: (random, B, T) => ({ x: normals(random, B * T * 2), shape: [B, T, 2], lengths: lengths(random, B, T) }),
    targets: (random, B, T) => classes(random, B * T, 3),
  },
};
