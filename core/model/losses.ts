/**
 * The table of losses: a row says everything that anybody asks of a loss. Formulas and sources are in
 * core/kernels/loss.ts.
 *
 * @module
 */

import type { TaskBuilder } from "../device/device.ts";
import type { Tensor } from "../device/kernels.ts";
import { quote } from "../display.ts";
import { fail } from "../errors.ts";
import { resolveOptions, type SpecTable } from "../options.ts";

/** The losses, by the names of PyTorch's functions. */
export type LossName = "bce" | "crossEntropy" | "mse" | "mae" | "huber" | "quantile" | "focal" | "binaryFocal";

/** Options of a loss beyond its name; each belongs to certain losses, and is refused by the others. */
export interface LossSettings {
  /** For "huber": where the square ends and the line begins, the `delta` of torch.nn.HuberLoss. Default 1. */
  delta?: number;
  /** For "quantile": the quantiles to predict, each between 0 and 1. Output o·Q + k is quantile k of target o. */
  quantiles?: readonly number[];
  /** For "crossEntropy": share of a target spread over all classes, the `label_smoothing` of PyTorch. Default 0. */
  labelSmoothing?: number;
  /** For "focal" and "binaryFocal": how much less what is right already counts, γ. Default 2. */
  gamma?: number;
  /**
   * For "focal" a constant factor, α, by default 1; for "binaryFocal" α for targets of 1 and 1 − α for those of 0, by default
   * neither.
   */
  alpha?: number;
}

/** A loss, its settings, and what weighs its terms. */
export interface LossOptions extends LossSettings {
  /** The loss to minimize. */
  loss: LossName;
  /**
   * For "crossEntropy": how much a sequence of each class counts (O), from 0, on top of its own weight: the `weight` of
   * torch.nn.CrossEntropyLoss. Default: all 1.
   */
  classWeights?: readonly number[];
  /** For "bce": how much a target of 1 counts for each output (O), as in torch.nn.BCEWithLogitsLoss. Default: all 1. */
  posWeight?: readonly number[];
}

/** The settings of losses: types, defaults, ranges. Defaults are the losses' own. */
export const LOSS_SETTINGS: SpecTable<LossSettings> = {
  delta: { type: "number", optional: true, least: 0, above: true, about: "where huber turns from a square to a line" },
  quantiles: { type: "list", optional: true, least: 0, above: true, below: 1, about: "quantiles to predict" },
  labelSmoothing: { type: "number", optional: true, least: 0, below: 1, about: "label smoothing of crossEntropy" },
  gamma: {
    type: "number",
    optional: true,
    least: 0,
    about: "focusing parameter of focal and binaryFocal",
    flag: "focal-gamma",
  },
  alpha: {
    type: "number",
    optional: true,
    least: 0,
    most: 1,
    about: "weight of focal, balance of binaryFocal",
    flag: "focal-alpha",
  },
};

/** The weights of losses. */
export const WEIGHTS: SpecTable<Pick<LossOptions, "classWeights" | "posWeight">> = {
  classWeights: { type: "list", optional: true, least: 0, about: "how much each class counts in crossEntropy" },
  posWeight: { type: "list", optional: true, least: 0, about: "how much a target of 1 counts in bce, per output" },
};

/** Everything that may be said of a loss. */
const LOSS_OPTIONS = { loss: true, ...LOSS_SETTINGS, ...WEIGHTS };

/** What a loss's kernel reads and writes. Rows are sequences, or all steps of a block with `mask` over them. */
export interface LossTensors {
  readonly stats: Tensor;
  readonly dLogits: Tensor;
  readonly logits: Tensor;
  /** (groups, width, 8), or class numbers. */
  readonly targets: Tensor;
  /** What each row counts; null where all count the same. */
  readonly weights: Tensor | null;
  /** `classWeights` or `posWeight`, where the kernel takes them. */
  readonly outputWeights: Tensor | null;
  /** Quantiles (Q). */
  readonly constants: Tensor | null;
  readonly mask: Tensor | null;
  /** 16 elements of scratch. */
  readonly sums: Tensor;
  readonly rows: number;
  readonly O: number;
  readonly scale: number;
}

/** A loss: a row of the table. */
export interface Loss {
  /** "classes": one class number for each row. "numbers": as many as `targetWidth` says. */
  readonly targets: "classes" | "numbers";
  /** Its settings with their defaults; undefined must be given, or means none. */
  readonly settings: Readonly<LossSettings>;
  /** The weights that it takes besides those of sequences. */
  readonly weights: "classWeights" | "posWeight" | null;
  /** What predictions are: probabilities, values as they are, or quantiles of values. */
  readonly predicts: "probabilities" | "values" | "quantiles";
  /** From outputs to predictions; null: as they are. */
  readonly activation: "sigmoid" | "softmax" | null;
  /** The same in ONNX. */
  readonly onnx: "Sigmoid" | "Softmax" | null;
  /** Whether a row is right or wrong. */
  readonly hasAccuracy: boolean;
  /** One line for help. */
  readonly about: string;
  /** Calls its kernel. */
  call(task: TaskBuilder, tensors: LossTensors, settings: Readonly<LossSettings>): void;
}

type Classification = Pick<Loss, "predicts" | "activation" | "onnx" | "hasAccuracy">;
const SIGMOID: Classification = {
  predicts: "probabilities",
  activation: "sigmoid",
  onnx: "Sigmoid",
  hasAccuracy: true,
};
const SOFTMAX: Classification = {
  predicts: "probabilities",
  activation: "softmax",
  onnx: "Softmax",
  hasAccuracy: true,
};
const VALUES: Classification = { predicts: "values", activation: null, onnx: null, hasAccuracy: false };

/** What regression kernels take. */
function plain({ outputWeights: _o, constants: _c, sums: _s, ...rest }: LossTensors) {
  return rest;
}

/** Every loss by name. */
export const LOSSES: Readonly<Record<LossName, Loss>> = {
  bce: {
    ...SIGMOID,
    targets: "numbers",
    settings: {},
    weights: "posWeight",
    about: "each output is a probability by itself",
    call: (task, { outputWeights, ...rest }) =>
      task.call("bceLoss", { ...plain({ outputWeights, ...rest }), posWeight: outputWeights }),
  },
  crossEntropy: {
    ...SOFTMAX,
    targets: "classes",
    settings: { labelSmoothing: 0 },
    weights: "classWeights",
    about: "one of several classes",
    call(task, { outputWeights: classWeights, constants: _, ...rest }, { labelSmoothing: smoothing = 0 }) {
      const { sums, ...others } = rest;
      if (smoothing) task.call("crossEntropySmoothLoss", { ...rest, classWeights, smoothing });
      else task.call("crossEntropyLoss", { ...others, sums });
    },
  },
  mse: {
    ...VALUES,
    targets: "numbers",
    settings: {},
    weights: null,
    about: "numbers, by their squared error",
    call: (task, tensors) => task.call("mseLoss", plain(tensors)),
  },
  mae: {
    ...VALUES,
    targets: "numbers",
    settings: {},
    weights: null,
    about: "numbers, by their absolute error",
    call: (task, tensors) => task.call("maeLoss", plain(tensors)),
  },
  huber: {
    ...VALUES,
    targets: "numbers",
    settings: { delta: 1 },
    weights: null,
    about: "numbers, by squares of small errors and absolute large ones",
    call: (task, tensors, { delta }) => task.call("huberLoss", { ...plain(tensors), delta: delta! }),
  },
  quantile: {
    ...VALUES,
    predicts: "quantiles",
    targets: "numbers",
    settings: { quantiles: undefined },
    weights: null,
    about: "quantiles of numbers, by the pinball loss",
    call: (task, { constants, ...rest }, { quantiles }) => {
      const { O, ...others } = plain({ constants, ...rest }), Q = quantiles!.length;
      task.call("quantileLoss", { ...others, quantiles: constants!, O: O / Q, Q });
    },
  },
  focal: {
    ...SOFTMAX,
    targets: "classes",
    settings: { gamma: 2, alpha: 1 },
    weights: null,
    about: "one of several classes, those that are hard count more",
    call: (task, { outputWeights: _o, constants: _c, ...rest }, { gamma, alpha }) =>
      task.call("focalLoss", { ...rest, gamma: gamma!, alpha: alpha! }),
  },
  binaryFocal: {
    ...SIGMOID,
    targets: "numbers",
    settings: { gamma: 2, alpha: undefined },
    weights: null,
    about: "each output is a probability by itself, those that are hard count more",
    call: (task, tensors, { gamma, alpha = -1 }) =>
      task.call("binaryFocalLoss", { ...plain(tensors), gamma: gamma!, alpha }),
  },
};

/** The names of the losses. */
export const LOSS_NAMES = Object.keys(LOSSES) as readonly LossName[];

/** The losses that may stand in for one: they take the same targets, and say something of the same kind. */
export function lossesLike(loss: LossName): LossName[] {
  const kind = ({ targets, predicts }: Loss) => `${targets} ${predicts === "probabilities"}`;
  return LOSS_NAMES.filter((name) => kind(LOSSES[name]) === kind(LOSSES[loss]));
}

/** The quantiles that a model's first output predicts, if it does. */
export function quantilesOf(
  { meanings }: { readonly meanings: Readonly<Record<string, LossSettings>> },
): readonly number[] | undefined {
  return Object.values(meanings)[0]?.quantiles;
}

/** Numbers per row of targets, given those of the outputs. */
export function targetWidth(loss: LossName, outputs: number, { quantiles }: LossSettings): number {
  return LOSSES[loss].targets === "classes" ? 1 : quantiles ? outputs / quantiles.length : outputs;
}

/** Terms of a loss's mean for each row. */
export function lossTerms(loss: LossName, outputs: number): number {
  return LOSSES[loss].targets === "classes" ? 1 : outputs;
}

/** Whether row weights hold a class's weight already: with label smoothing the kernel weighs classes itself. */
export function weighsClassesItself(loss: LossName, { labelSmoothing }: LossSettings): boolean {
  return loss === "crossEntropy" && (labelSmoothing ?? 0) > 0;
}

/**
 * Refuses what is no loss.
 *
 * @throws {TypeError} With the losses there are.
 */
export function checkLoss(loss: LossName, action = "run model"): void {
  if (typeof loss === "string" && Object.hasOwn(LOSSES, loss)) return;
  const names = LOSS_NAMES.map((l) => `"${l}"`).join(", ");
  throw fail("loss-unknown", action, `loss must be one of ${names}, got ${quote(loss)}`, { value: loss });
}

/** A loss with its settings filled in, and its weights. */
export type ResolvedLoss = LossOptions & { readonly settings: Readonly<LossSettings> };

/**
 * A loss with every setting filled in.
 *
 * @throws {TypeError} If there is no such loss, or a setting or weight belongs to another.
 * @throws {RangeError} If a number is out of range, or does not fit the outputs.
 */
export function resolveLoss(action: string, options: LossOptions, outputs: number): ResolvedLoss {
  const { loss, classWeights, posWeight } = options;
  checkLoss(loss, action);
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(LOSS_OPTIONS, name));
  if (unknown !== undefined) throw fail("option-unknown", action, `unknown option "${unknown}"`, { option: unknown });
  const row = LOSSES[loss], given: Record<string, unknown> = {};
  for (const name of Object.keys(LOSS_SETTINGS) as (keyof LossSettings)[]) {
    if (options[name] === undefined) continue;
    if (!Object.hasOwn(row.settings, name)) throw belongsTo(action, name, loss);
    given[name] = options[name];
  }
  const settings: LossSettings = { ...row.settings, ...resolveOptions(action, LOSS_SETTINGS, given) };
  const { quantiles } = settings;
  if (loss === "quantile") checkQuantiles(action, quantiles, outputs);
  const check = (name: "classWeights" | "posWeight", weights: readonly number[] | undefined) => {
    if (weights === undefined) return;
    if (row.weights !== name) throw belongsTo(action, name, loss);
    resolveOptions(action, WEIGHTS, { [name]: weights });
    if (weights.length !== outputs) {
      const problem = `${name} must have ${outputs} numbers, one for each output, got ${weights.length}`;
      throw fail("argument-out-of-range", action, problem, { name, value: weights.length });
    }
  };
  check("classWeights", classWeights);
  check("posWeight", posWeight);
  return { ...options, settings };
}

function belongsTo(action: string, name: string, loss: LossName): TypeError {
  const owners = LOSS_NAMES.filter((other) => LOSSES[other].weights === name || name in LOSSES[other].settings);
  const problem = `${name} belongs to ${owners.map((owner) => `"${owner}"`).join(" and ")}, got "${loss}"`;
  return fail("option-conflict", action, problem, { option: name, value: loss });
}

function checkQuantiles(action: string, quantiles: readonly number[] | undefined, outputs: number): void {
  if (!quantiles?.length) {
    throw fail("option-missing", action, `"quantile" needs quantiles, such as [0.1, 0.5, 0.9]`, {
      option: "quantiles",
    });
  }
  if (outputs % quantiles.length === 0) return;
  const problem = `the model's ${outputs} outputs must be a multiple of the ${quantiles.length} quantiles`;
  throw fail("option-conflict", action, problem, { option: "quantiles", value: quantiles });
}
