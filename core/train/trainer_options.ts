/** How a model is trained, and what may differ from step to step. */

import type { WeightedLoss } from "../model/internals.ts";
import { LOSS_NAMES, LOSS_SETTINGS, type LossName, type LossSettings, WEIGHTS } from "../model/losses.ts";
import type { SpecTable } from "../options.ts";
import type { OptimizerOptions } from "./optimizer.ts";

/** How a model is trained, step by step. */
export interface TrainerOptions extends LossSettings {
  /** The loss to minimize. Default: the model's, or "bce" if it has none. If the model has one, it must be the same. */
  loss?: LossName;
  /** For a network with several outputs, their losses by name. The means are added up, times their `weight`s. */
  losses?: Readonly<Record<string, WeightedLoss>>;
  /** How parameters are updated. Default: Adam with PyTorch's defaults. */
  optimizer?: OptimizerOptions;
  /** Largest norm of the whole gradient, which is scaled down to it (clip_grad_norm_). Default: no limit. */
  clipNorm?: number;
  /** Largest absolute value in the gradient (clip_grad_value_), applied after `clipNorm`. Default: no limit. */
  clipValue?: number;
  /** Seed of the dropout masks, an integer from 0 to 2⁵³ − 1. Default: the model's. */
  seed?: number;
  /** For "crossEntropy": how much a sequence of each class counts (O), from 0. Default: all 1. */
  classWeights?: readonly number[];
  /** For "bce": how much a target of 1 counts for each output (O), from 0. Default: all 1. */
  posWeight?: readonly number[];
}

/** Options of one step. */
export interface StepOptions {
  /** The mask of the first dropout layer, as multipliers; no other dropout is applied in this step. Default: random. */
  dropoutMask?: Float32Array;
  /** How much each sequence counts in the loss (B), from 0: 2 counts as two of it. Default: all 1. */
  weights?: Float32Array;
  /** Of this step. Default: the optimizer's. */
  learningRate?: number;
  /**
   * Whether to update the parameters. If not, the gradient is kept for the next step that does: several batches count as
   * one large batch, whose gradient is clipped and applied once. Default true.
   */
  update?: boolean;
  /**
   * Of a network with a decoder: how likely it is at each step to be fed the target of the step before rather than its own
   * output, 0 to 1, drawn by the trainer's seed. Default: as `inputs["NAME.teacher"]` of the batch say, else 1.
   */
  teacherRatio?: number;
}

/** The options of a trainer besides its optimizer: types, defaults, ranges. */
export const TRAINER_OPTIONS: SpecTable<Omit<TrainerOptions, "optimizer" | "losses">> = {
  loss: { type: "choice", default: "bce", choices: LOSS_NAMES, about: "loss" },
  ...LOSS_SETTINGS,
  clipNorm: { type: "number", optional: true, least: 0, above: true, about: "largest norm of the gradient" },
  clipValue: { type: "number", optional: true, least: 0, above: true, about: "largest absolute value in the gradient" },
  seed: {
    type: "integer",
    optional: true,
    least: 0,
    most: Number.MAX_SAFE_INTEGER,
    about: "seed of everything random",
  },
  ...WEIGHTS,
};

/** What may be said of a step, and of one that is computed again. */
export const STEP_OPTIONS = {
  dropoutMask: true,
  weights: true,
  learningRate: true,
  update: true,
  teacherRatio: true,
} as const;
export const REPLAY_OPTIONS = { weights: true, step: true, rows: true, teacherRatio: true } as const;

/** What memory is asked for. */
export const PURPOSE = { purpose: { type: "choice", choices: ["step", "evaluate"], about: "what for" } } as const;
