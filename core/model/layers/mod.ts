/** The table of layers: every kind of layer that a network may have, by the name it has in files. */

import { ATTENTION } from "./attention.ts";
import { DECODER } from "./decoder.ts";
import { DROPOUT } from "./dropout.ts";
import { CONCAT, RELU, SIGMOID, TANH } from "./elementwise.ts";
import { EMBEDDING, NUMBERS, TOKENS, VECTOR } from "./inputs.ts";
import type { LayerType } from "./layer.ts";
import { LAYER_NORM } from "./layer_norm.ts";
import { LINEAR } from "./linear.ts";
import { LAST, MAX, MEAN } from "./pooling.ts";
import { RECURRENT } from "./recurrent.ts";

/** Every kind of layer. */
export const LAYERS = {
  numbers: NUMBERS,
  vector: VECTOR,
  tokens: TOKENS,
  embedding: EMBEDDING,
  ...RECURRENT,
  attention: ATTENTION,
  decoder: DECODER,
  linear: LINEAR,
  dropout: DROPOUT,
  layerNorm: LAYER_NORM,
  last: LAST,
  mean: MEAN,
  max: MAX,
  concat: CONCAT,
  tanh: TANH,
  relu: RELU,
  sigmoid: SIGMOID,
} as const;

/** The name of a kind of layer. */
export type LayerName = keyof typeof LAYERS;

/** A kind of layer by name; undefined if there is none. */
export function layerType(name: string): LayerType | undefined {
  // deno-lint-ignore no-explicit-any -- each row has options of its own
  return Object.hasOwn(LAYERS, name) ? LAYERS[name as LayerName] as LayerType<any> : undefined;
}

/** The kinds of layer that bring something into a network. */
export const INPUT_LAYERS: readonly string[] = ["numbers", "vector", "tokens"];
