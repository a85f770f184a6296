/** The ready-made network from sequences to sequences: an encoder, a bridge, a decoder that asks the encoder at every step. */

import { quote } from "../display.ts";
import { fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";
import { defineNetwork } from "./define.ts";
import { type CellName, CELLS } from "./layers/cells.ts";
import type { LossName } from "./losses.ts";
import type { Network } from "./network.ts";

/** The options of a model from sequences to sequences. Either side is tokens or numbers. */
export interface Seq2SeqConfig {
  /** Says that it is one. */
  task: "seq2seq";
  /** Tokens in the sources' vocabulary, PAD and UNKNOWN among them. 0: sources are numbers. Default 0. */
  sourceTokens?: number;
  /** Numbers of a source token's row, or of a source's step. */
  sourceSize: number;
  /** Tokens in the targets' vocabulary, PAD, UNKNOWN, START and END among them. 0: targets are numbers. Default 0. */
  targetTokens?: number;
  /** Numbers of a target token's row, or of a target's step. */
  targetSize: number;
  /** Numbers in a state of the decoder, H. */
  hiddenSize: number;
  /** Numbers in a state of the encoder, in each direction. Default: H, of two directions ⌈H / 2⌉. */
  encoderSize?: number;
  /** Recurrent layers of the decoder. Default 1. */
  numLayers?: number;
  /** Those of the encoder. Default: as many as the decoder's. */
  encoderLayers?: number;
  /** Whether the encoder reads from the end to the start too. Default true. */
  bidirectional?: boolean;
  /** The recurrent cell of both. Default "gru". */
  cell?: CellName;
  /** Whether recurrent layers have biases. Default true. */
  bias?: boolean;
  /**
   * What the decoder begins with: "linear", the tanh of a linear layer over the encoder's last state, an LSTM's cells at 0; or
   * "copy", the final states of the encoder, which must have as many layers and be as wide. Default "linear".
   */
  bridge?: "linear" | "copy";
  /** Width of the attention's hidden layer. Default: H. */
  attentionSize?: number;
  /** Of target tokens: whether the readout's weight is their embedding. Default false. */
  tied?: boolean;
  /** Probability of dropout while training: of embedded tokens on both sides, and of what the readout reads. Default 0. */
  dropout?: number;
  /** The same between the layers of either, the `dropout` of torch.nn.GRU. Default: as `dropout`. */
  layerDropout?: number;
}

/** The options of a model from sequences to sequences: types, defaults, ranges. */
export const SEQ2SEQ_OPTIONS: { readonly [Name in Exclude<keyof Seq2SeqConfig, "task">]-?: OptionSpec } = {
  sourceTokens: { type: "integer", default: 0, least: 0, most: 1e8, about: "tokens in the sources' vocabulary" },
  sourceSize: { type: "integer", least: 1, most: 65536, about: "numbers of a source's step, or of its token's row" },
  targetTokens: { type: "integer", default: 0, least: 0, most: 1e8, about: "tokens in the targets' vocabulary" },
  targetSize: { type: "integer", least: 1, most: 65536, about: "numbers of a target's step, or of its token's row" },
  hiddenSize: { type: "integer", least: 1, most: 65536, about: "numbers in a state of the decoder" },
  encoderSize: { type: "integer", optional: true, least: 1, most: 65536, about: "numbers in a state of the encoder" },
  numLayers: { type: "integer", default: 1, least: 1, most: 64, about: "layers of the decoder" },
  encoderLayers: { type: "integer", optional: true, least: 1, most: 64, about: "layers of the encoder" },
  bidirectional: { type: "boolean", default: true, about: "whether the encoder reads both ways" },
  cell: { type: "choice", default: "gru", choices: Object.keys(CELLS), about: "cell of encoder and decoder" },
  bias: { type: "boolean", default: true, about: "biases in the recurrent layers" },
  bridge: { type: "choice", default: "linear", choices: ["linear", "copy"], about: "what the decoder begins with" },
  attentionSize: { type: "integer", optional: true, least: 1, most: 65536, about: "width of the attention" },
  tied: { type: "boolean", default: false, about: "whether the readout's weight is the target embedding" },
  dropout: { type: "number", default: 0, least: 0, below: 1, about: "probability of dropout" },
  layerDropout: { type: "number", optional: true, least: 0, below: 1, about: "the same between layers" },
};

/** Names of the network's inputs, of the targets' time axis and of the decoder. */
const SOURCE = "source", TARGETS = "targets", FIRST = "start", AXIS = "target", DECODER = "decoder";

/** Whether a config is of a model from sequences to sequences. */
export function isSeq2Seq(config: unknown): config is Seq2SeqConfig {
  return typeof config === "object" && config !== null && Object.hasOwn(config, "task");
}

/** The loss of a config's output, where none is said. */
export function seq2seqLoss({ targetTokens }: Seq2SeqConfig): LossName {
  return targetTokens ? "crossEntropy" : "mse";
}

/**
 * The network of a config, as plain data. Its parameters are those of a PyTorch module: encoder.embedding.weight,
 * encoder.gru.weight_ih_l0, …, bridge.weight, bridge.bias, and what the layer `decoder` of `Layers` says. Its inputs are
 * "source", "targets" and of numbers "start".
 *
 * @param quantiles Of numbers: those that each of a target's is predicted by.
 * @throws {TypeError} If an option is unknown, missing or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function seq2seqNetwork(config: Seq2SeqConfig, quantiles: readonly number[] = [0]): Network {
  const action = "create model", { task, ...given } = config;
  if (task !== "seq2seq") {
    const problem = `task must be "seq2seq", got ${quote(task)}`;
    throw fail("option-out-of-range", action, problem, { option: "task", value: task });
  }
  const full = resolveOptions(action, SEQ2SEQ_OPTIONS, given) as unknown as Required<Seq2SeqConfig>;
  const { sourceTokens, sourceSize, targetTokens, targetSize, hiddenSize, numLayers, bidirectional, cell, bias } = full;
  const { bridge, attentionSize, tied, dropout: p, layerDropout = p, encoderLayers = numLayers } = full;
  const directions = bidirectional ? 2 : 1, { encoderSize = Math.ceil(hiddenSize / directions) } = full;
  if (bridge === "copy" && (encoderSize * directions !== hiddenSize || encoderLayers !== numLayers)) {
    const problem =
      `bridge "copy" takes an encoder as deep and as wide as the decoder, ${numLayers} × ${hiddenSize}, ` +
      `got ${encoderLayers} × ${encoderSize * directions}`;
    throw fail("option-conflict", action, `${problem}; "linear" takes any`, { option: "bridge", value: bridge });
  }
  return defineNetwork((layers) => {
    const { tokens, numbers, vector, embedding, dropout, linear, tanh, decoder } = layers;
    const embedded = (V: number) => embedding("encoder.embedding", tokens(SOURCE, V), sourceSize);
    const dropped = (V: number) => p ? dropout(embedded(V), p, "encoder.dropout") : embedded(V);
    const x = sourceTokens ? dropped(sourceTokens) : numbers(SOURCE, sourceSize);
    const sizes = { hiddenSize: encoderSize, numLayers: encoderLayers, bidirectional, bias, dropout: layerDropout };
    const lstm = cell === "lstm" ? layers.lstm("encoder.lstm", x, sizes) : undefined;
    const { output: keys, state, hidden } = lstm ?? layers.gru("encoder.gru", x, sizes);
    const targets = targetTokens
      ? tokens(TARGETS, targetTokens, { axis: AXIS })
      : numbers(TARGETS, targetSize * quantiles.length, { axis: AXIS });
    return decoder(DECODER, {
      keys,
      state: bridge === "copy" ? hidden : tanh(linear("bridge", state, numLayers * hiddenSize)),
      targets,
      ...!targetTokens && { start: vector(FIRST, targetSize * quantiles.length) },
      ...lstm && bridge === "copy" && { cell: lstm.cell },
    }, {
      hiddenSize,
      numLayers,
      cell,
      bias,
      tied,
      dropout: p,
      ...numLayers > 1 && { layerDropout },
      ...targetTokens && { embeddingDim: targetSize },
      ...attentionSize !== undefined && { attentionSize },
    }).output;
  });
}
