import { fail } from "../errors.ts";
import { type OptionSpec, ownOptions, resolveOptions } from "../options.ts";
import { defineNetwork } from "./define.ts";
import { type CellName, CELLS } from "./layers/cells.ts";
import { LOSS_NAMES, LOSS_SETTINGS, type LossName } from "./losses.ts";
import type { Network } from "./network.ts";

/** The options of a model, under PyTorch's words. */
export interface ModelConfig {
  /** Numbers per time step, I; with `numEmbeddings` the width of an embedding. */
  inputSize: number;
  /** Numbers in a state of the recurrent layers, H. */
  hiddenSize: number;
  /** Numbers the model puts out, O. */
  outputSize: number;
  /** The recurrent layers' cell. Default "gru". */
  cell?: CellName;
  /** Recurrent layers, one on another. Default 1. */
  numLayers?: number;
  /** Probability of dropout on the attention's context while training, 0 ≤ p < 1. Default 0. */
  dropout?: number;
  /** Probability of dropout between recurrent layers while training, the `dropout` of torch.nn.GRU. Default: as `dropout`. */
  layerDropout?: number;
  /** Whether a second direction runs from the end to the start of each sequence. Default false. */
  bidirectional?: boolean;
  /** Whether the recurrent layers have biases; attention and output always do. Default true. */
  bias?: boolean;
  /**
   * Tokens in the vocabulary, V: inputs are then token numbers from 0 to V − 1, each standing for a learned row of
   * "embedding.weight" (V, I), as in torch.nn.Embedding. 0: inputs are numbers. Default 0.
   */
  numEmbeddings?: number;
  /** Token whose embedding begins as 0 and gets no gradient, the `padding_idx` of torch.nn.Embedding. Default: none. */
  paddingIdx?: number;
  /** The loss it is trained with, which says what its outputs mean. Default: not known until it has a trainer. */
  loss?: LossName;
  /** For the loss "quantile": the quantiles it predicts; output o·Q + k is quantile k of target o. */
  quantiles?: readonly number[];
}

/** A model's options with all defaults filled in; only `paddingIdx`, `loss` and `quantiles` may be absent. */
export type FullConfig =
  & Required<Omit<ModelConfig, "paddingIdx" | "loss" | "quantiles">>
  & Pick<ModelConfig, "paddingIdx" | "loss" | "quantiles">;

/** The options of a model: types, defaults, ranges. */
export const MODEL_OPTIONS: { readonly [Name in keyof Required<ModelConfig>]: OptionSpec } = {
  inputSize: { type: "integer", least: 1, most: 65536, about: "numbers per time step" },
  hiddenSize: { type: "integer", least: 1, most: 65536, about: "numbers in a state" },
  outputSize: { type: "integer", least: 1, most: 2 ** 20, about: "numbers the model puts out" },
  cell: { type: "choice", default: "gru", choices: Object.keys(CELLS), about: "cell of the recurrent layers" },
  numLayers: { type: "integer", default: 1, least: 1, most: 64, about: "recurrent layers, one on another" },
  dropout: { type: "number", default: 0, least: 0, below: 1, about: "probability of dropout on the context" },
  layerDropout: {
    type: "number",
    optional: true,
    least: 0,
    below: 1,
    about: "the same between layers (default: as --dropout)",
  },
  bidirectional: { type: "boolean", default: false, about: "a second direction from the end to the start" },
  bias: { type: "boolean", default: true, about: "biases in the recurrent layers" },
  numEmbeddings: { type: "integer", default: 0, least: 0, most: 1e8, about: "tokens in the vocabulary" },
  paddingIdx: { type: "integer", optional: true, least: 0, about: "token whose embedding stays 0" },
  loss: { type: "choice", optional: true, choices: LOSS_NAMES, about: "loss" },
  quantiles: LOSS_SETTINGS.quantiles,
};

/**
 * A config with every option filled in.
 *
 * @throws {TypeError} If an option is unknown, missing or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveConfig(config: ModelConfig): FullConfig {
  const own = ownOptions("create model", config ?? {} as ModelConfig);
  const given = { ...own, layerDropout: own.layerDropout ?? own.dropout ?? 0 };
  const full = resolveOptions("create model", MODEL_OPTIONS, given) as unknown as FullConfig;
  const { numEmbeddings, paddingIdx } = full;
  if (paddingIdx !== undefined && paddingIdx >= numEmbeddings) {
    throw fail(
      "option-out-of-range",
      "create model",
      `paddingIdx must be below numEmbeddings, ${numEmbeddings}, got ${paddingIdx}`,
      { option: "paddingIdx", value: paddingIdx },
    );
  }
  return full;
}

/** The ready-made network of a config: recurrent layers, attention with their final state as the query, a linear output. */
export function classifier(config: FullConfig): Network {
  const { inputSize, hiddenSize, outputSize, cell, numLayers, dropout, layerDropout, bidirectional, bias } = config;
  const { numEmbeddings, paddingIdx } = config;
  return defineNetwork((layers) => {
    const x = numEmbeddings
      ? layers.embedding("embedding", layers.tokens("x", numEmbeddings), inputSize, { paddingIdx })
      : layers.numbers("x", inputSize);
    const options = { hiddenSize, numLayers, dropout: layerDropout, bidirectional, bias };
    const { output: keys, state: query } = layers[cell](cell, x, options);
    const { context } = layers.attention("attention", { query, keys });
    return { [LOGITS]: layers.linear("fc", layers.dropout(context, dropout), outputSize) };
  });
}

/** Name of the ready-made network's output. */
export const LOGITS = "logits";

/** The network of a model as files keep it: of its config, or as it is. */
export function networkOf({ config, network }: { config?: ModelConfig; network?: Network }): Network {
  return network ?? classifier(resolveConfig(config as ModelConfig));
}
