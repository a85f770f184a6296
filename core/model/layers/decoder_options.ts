/** What a decoder is made with, and how wide it is thereby. */

import { fail } from "../../errors.ts";
import type { CellName } from "./cells.ts";
import type { NodeShape } from "./layer.ts";
import type { Node } from "./node.ts";

/** Options of a decoder. */
export interface DecoderOptions {
  /** Numbers in a state, H. */
  hiddenSize: number;
  /** Layers, one on another. Default 1. */
  numLayers?: number;
  /** The recurrent cell. Default "gru". */
  cell?: CellName;
  /** Whether the cells have biases. Default true. */
  bias?: boolean;
  /** Width of the attention's hidden layer. Default: hiddenSize. */
  attentionSize?: number;
  /** Of tokens: numbers of a token's row. */
  embeddingDim?: number;
  /** Of tokens: whether the readout's weight is the embedding's. Default false. */
  tied?: boolean;
  /**
   * Whether it is fed the target of the step before, first START or `start`. Default true. If not it is fed that of the step
   * itself, whatever it is, to take steps one by one from states of before: see `createSearcher`.
   */
  shift?: boolean;
  /** Probability of dropout, of embedded tokens and of what the readout reads, while training. Default 0. */
  dropout?: number;
  /** The same between layers, of what each reads of the one below, as the `dropout` of torch.nn.GRU. Default 0. */
  layerDropout?: number;
}

/** The options with every default filled in. */
export type FullDecoderOptions = Required<Omit<DecoderOptions, "attentionSize" | "embeddingDim">> & DecoderOptions;

/** The token behind a sequence's end. */
export const PAD = 0;
/** The token of what is in no vocabulary. */
export const UNKNOWN = 1;
/** The token that a decoder is fed first. */
export const START = 2;
/** The token at a sequence's end. */
export const END = 3;

/** The widths of a decoder. */
export interface DecoderSizes {
  /** Of its states, the keys, what it is fed, what it puts out, the attention's hidden layer. */
  readonly H: number;
  readonly D: number;
  readonly E: number;
  readonly O: number;
  readonly A: number;
  /** Whether it puts out tokens. */
  readonly tokens: boolean;
}

/** The widths of a decoder. */
export function sizesOf({ inputs, options }: NodeShape<DecoderOptions>): DecoderSizes {
  const { kind, size: O } = inputs.targets!, { hiddenSize: H, attentionSize: A = H } = options;
  return { H, D: inputs.keys!.size, E: kind === "tokens" ? options.embeddingDim! : O, O, A, tokens: kind === "tokens" };
}

/** Refuses decoders whose network gives them what their attention makes of the keys: in a search that is the searcher's. */
export function refuseAnswers(action: string, { name, sources }: Pick<Node, "name" | "sources">): void {
  if (sources.answers === undefined) return;
  const advice = "leave it out: it is computed from the keys";
  throw fail("wiring", action, `layer "${name}" has an input "answers"`, { name, advice });
}
