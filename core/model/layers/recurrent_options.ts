/** What recurrent layers of any cell share: options, names. */

import type { OptionSpec } from "../../options.ts";

/** Options of recurrent layers, those of torch.nn.GRU and torch.nn.LSTM. */
export interface RecurrentOptions {
  /** Numbers in a state, H. */
  hiddenSize: number;
  /** Layers, one on another. Default 1. */
  numLayers?: number;
  /** Probability of dropout between layers while training. Default 0. */
  dropout?: number;
  /** Whether a second direction runs from the end to the start of each sequence. Default false. */
  bidirectional?: boolean;
  /** Whether the cells have biases. Default true. */
  bias?: boolean;
}

/** The options with every default filled in. */
export type FullOptions = Required<RecurrentOptions>;

/** Their table. */
export const OPTIONS: { readonly [Name in keyof FullOptions]: OptionSpec } = {
  hiddenSize: { type: "integer", least: 1, most: 65536, about: "numbers in a state" },
  numLayers: { type: "integer", default: 1, least: 1, most: 64, about: "layers, one on another" },
  dropout: { type: "number", default: 0, least: 0, below: 1, about: "probability of dropout between layers" },
  bidirectional: { type: "boolean", default: false, about: "a second direction from the end to the start" },
  bias: { type: "boolean", default: true, about: "biases in the cells" },
};

/** Suffix of the parameters of one layer and direction: `_l0`, `_l0_reverse`, `_l1`, …. */
export function suffixOf(layer: number, direction: number): string {
  return `_l${layer}${direction ? "_reverse" : ""}`;
}

/** Width of an output: both directions side by side. */
export function widthOf({ hiddenSize, bidirectional }: RecurrentOptions): number {
  return hiddenSize * (bidirectional ? 2 : 1);
}

/** Calls for every layer and direction, in PyTorch's order. */
export function each<T>(
  { numLayers, bidirectional }: FullOptions,
  make: (layer: number, direction: number) => T,
): T[][] {
  const directions = bidirectional ? [0, 1] : [0];
  return Array.from({ length: numLayers }, (_, layer) => directions.map((direction) => make(layer, direction)));
}
