/** Inputs and results of models. */

import { fail } from "../errors.ts";
import type { NamedArray } from "./arrays.ts";
import type { Targets } from "./batch.ts";
import type { LossName, LossOptions } from "./losses.ts";

/** Outputs of a network for a batch. */
export interface NetworkOutputs {
  /**
   * Every output of the network by its name, and by "layer.port" all attention weights (B, T), of decoders (B, U, T), and final states
   * (layers·directions, B, H), and what else was asked for.
   */
  readonly values: Readonly<Record<string, NamedArray>>;
}

/** Outputs of the ready-made model for a batch. */
export interface Outputs extends NetworkOutputs {
  /** Scores before sigmoid or softmax (B, O). */
  readonly logits: NamedArray;
  /** How much each step counts (B, T); every row sums to 1, and is 0 behind a sequence's length. */
  readonly attentionWeights: NamedArray;
  /** The recurrent layers' outputs weighted so (B, D), D = H·directions. */
  readonly context: NamedArray;
  /** The last layer's output at every step (B, T, D); 0 behind a sequence's length. */
  readonly output: NamedArray;
  /** The final states (layers·directions, B, H). */
  readonly hidden: NamedArray;
}

/** Result of {@linkcode NetworkModel.gradients}. */
export interface NetworkGradients {
  /** The mean loss of the batch; of several losses their weighted sum; 0 where gradients came from outside. */
  readonly loss: number;
  /** As `forward` gives. */
  readonly outputs: NetworkOutputs;
  /** The loss's gradient by every parameter, under its name. */
  readonly parameters: Record<string, NamedArray>;
  /**
   * The loss's gradient by the inputs under their names, of tokens by the embedded ones (B, T, I), and by initial states
   * under theirs: "gru.h0" (layers·directions, B, H).
   */
  readonly inputs: Readonly<Record<string, NamedArray>>;
}

/** Result of {@linkcode Model.gradients}. */
export interface Gradients extends NetworkGradients {
  /** As {@linkcode Model.forward} gives. */
  readonly outputs: Outputs;
  /** The loss's gradient by the inputs, or by the embedded tokens, (B, T, I) and by the initial states (layers·directions, B, H). */
  readonly inputs: Readonly<Record<string, NamedArray>> & { readonly x: NamedArray; readonly h0: NamedArray };
}

/** Options of {@linkcode NetworkModel.gradients}. */
export interface GradientOptions extends Omit<LossOptions, "loss"> {
  /** The loss to minimize. Default: the model's. */
  loss?: LossName;
  /** Losses by output, in place of the options of one. */
  losses?: Readonly<Record<string, LossOptions & { weight?: number }>>;
  /** In place of a loss: the gradient of each output, by name, (B, O) or (B, T, O). */
  outputGradients?: Readonly<Record<string, Float32Array>>;
  /** Multipliers to use as the mask of the first dropout layer: of the ready-made model (B, D), of the context. */
  dropoutMask?: Float32Array;
  /**
   * Multipliers of dropout by name: "dropout.mask"; of a decoder "decoder.targetMask" (B, U, E), "decoder.readoutMask", and
   * between layers "decoder.layerMask1" (B, U, H), …
   */
  dropoutMasks?: Readonly<Record<string, Float32Array>>;
  /** How much each sequence counts in the loss (B), from 0: 2 counts as two of it. Default: all 1. */
  weights?: Float32Array;
}

/** Targets of an only output, or of several by name. */
export type AnyTargets = Targets | Readonly<Record<string, Targets>>;

/**
 * Targets by output.
 *
 * @throws {TypeError} If one array is given for several losses.
 */
export function byOutput(
  targets: AnyTargets | null,
  losses: readonly { readonly output: string }[],
): Readonly<Record<string, Targets>> | undefined {
  if (targets === null) return undefined;
  if (!ArrayBuffer.isView(targets) && typeof targets === "object") return targets;
  if (losses.length === 1) return { [losses[0]!.output]: targets as Targets };
  const problem = `targets must be given by output, { ${losses.map(({ output }) => output).join(", ")} }`;
  throw fail("batch-type", "run model", problem, { name: "targets" });
}
