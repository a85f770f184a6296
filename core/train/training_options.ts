import { resolveOptions, type SpecTable, withFormerNames } from "../options.ts";
import { type EarlyStoppingOptions, resolveEarlyStopping } from "./early_stopping.ts";
import { resolveSchedule, type ScheduleOptions } from "./schedule.ts";
import { resolveTeacher, type TeacherOptions } from "./teacher.ts";

/** How a training runs over epochs: what a checkpoint keeps of it besides the options of the trainer. */
export interface TrainingSettings {
  /** Passes over the data. Default 100. */
  epochs?: number;
  /** Sequences per batch; the last batch of an epoch may be smaller. Default 32. */
  batchSize?: number;
  /** Whether every epoch takes the sequences in a new random order. Default true. */
  shuffle?: boolean;
  /**
   * Batches per update: their gradients add up to that of one large batch. The last update of an epoch may have fewer.
   * Default 1.
   */
  accumulate?: number;
  /** How the learning rate changes. Default: not at all. */
  schedule?: ScheduleOptions;
  /**
   * What makes one epoch better than another, for `best`, early stopping and "plateau": the loss or the accuracy on the
   * validation data, or on the training data if there are no validation data. Default "loss".
   */
  monitor?: "loss" | "accuracy";
  /** Ends training when `monitor` has stopped improving. Default: never. */
  earlyStopping?: EarlyStoppingOptions;
  /** Whether the model ends with the parameters of the best epoch. Default: only with `earlyStopping`. */
  restoreBest?: boolean;
  /**
   * What the validation loss is the mean of: the batches' losses, as in the usual PyTorch loop, or all sequences by their
   * weights, whatever the batches. Default "batches".
   */
  validationReduction?: "batches" | "sequences";
  /** @deprecated Since 0.3.0: use `validationReduction`. */
  validationLoss?: "batches" | "sequences";
  /** Trains one epoch of one batch, and validates on one, to see whether everything works. Default false. */
  fastDevRun?: boolean;
  /**
   * Checks every parameter after every update; if a loss, gradient or parameter is not finite, says which tensor was the
   * first, and where in it. Changes no result, but takes time: a GPU waits for every step. Default false.
   */
  detectAnomaly?: boolean;
  /**
   * Of pairs: batches of similar lengths, sorted among so many batches' worth of pairs at a time: see
   * {@linkcode PairLoaderOptions}. Default: 1, batches in random order.
   */
  buckets?: number;
  /** Of pairs: how often the decoder is fed targets rather than its own output. Default: always. */
  teacher?: TeacherOptions;
}

/** The settings of a training, all filled in; `earlyStopping` is absent if training never stops early. */
export interface TrainingOptions
  extends
    Readonly<Required<Omit<TrainingSettings, "earlyStopping" | "validationLoss" | "buckets" | "teacher">>>,
    Readonly<Pick<TrainingSettings, "buckets" | "teacher">> {
  /** When training ends early; absent: never. */
  readonly earlyStopping?: Required<EarlyStoppingOptions>;
  /** @deprecated Since 0.3.0: use `validationReduction`. Not enumerable. */
  readonly validationLoss?: "batches" | "sequences";
}

/** Settings that have tables of their own. */
type OwnTables = "schedule" | "earlyStopping" | "teacher";

/** The settings but those with tables of their own: types, defaults, ranges. */
export const TRAIN_OPTIONS: SpecTable<Omit<TrainingSettings, OwnTables | "validationLoss">> = {
  epochs: { type: "integer", default: 100, least: 1, most: 1e9, about: "passes over the data" },
  batchSize: { type: "integer", default: 32, least: 1, most: 1e6, about: "sequences per batch" },
  shuffle: {
    type: "boolean",
    default: true,
    about: "a new random order in every epoch",
    off: "keep the sequences in the data's order",
  },
  accumulate: { type: "integer", default: 1, least: 1, most: 1e6, about: "batches per update" },
  monitor: {
    type: "choice",
    default: "loss",
    choices: ["loss", "accuracy"],
    about: "what makes an epoch the best",
  },
  restoreBest: {
    type: "boolean",
    optional: true,
    otherwise: "with early stopping",
    about: "end with the best epoch's parameters",
  },
  validationReduction: {
    type: "choice",
    default: "batches",
    choices: ["batches", "sequences"],
    about: "what the validation loss is the mean of",
    formerly: "validationLoss",
  },
  fastDevRun: { type: "boolean", default: false, about: "one batch of everything: does it work?" },
  detectAnomaly: { type: "boolean", default: false, about: "name the first tensor that is not finite" },
  buckets: {
    type: "integer",
    optional: true,
    otherwise: "none",
    least: 1,
    most: 1e6,
    about: "of pairs: batches that are sorted by length at a time",
  },
};

/** Every name that `resolveTraining` takes. */
const NAMES: ReadonlySet<string> = new Set([
  ...Object.entries(TRAIN_OPTIONS).flatMap(([name, { formerly = name }]) => [name, formerly]),
  "schedule",
  "earlyStopping",
  "teacher",
]);

/** Divides options into those of a training and the rest: those of its trainer, and unknown ones. */
export function divideOptions(
  options: object,
): { readonly training: Record<string, unknown>; readonly rest: Record<string, unknown> } {
  const training: Record<string, unknown> = {}, rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) (NAMES.has(name) ? training : rest)[name] = value;
  return { training, rest };
}

/**
 * The settings with every default filled in.
 *
 * @throws {TypeError | RangeError} If an option is unknown, missing or wrong.
 */
export function resolveTraining({ schedule, earlyStopping, teacher, ...given }: TrainingSettings): TrainingOptions {
  // Its place is the same whether it is given or not: checkpoints are compared byte by byte.
  const usual: Pick<TrainingSettings, "restoreBest"> = { restoreBest: earlyStopping !== undefined };
  const flat = { ...usual, ...resolveOptions("train", TRAIN_OPTIONS, given) } as Omit<TrainingOptions, "schedule">;
  return withFormerNames({
    ...flat,
    ...flat.fastDevRun && { epochs: 1 },
    schedule: resolveSchedule(schedule),
    ...earlyStopping && { earlyStopping: resolveEarlyStopping(earlyStopping) },
    ...teacher && { teacher: resolveTeacher(teacher) },
  }, { validationLoss: "validationReduction" });
}
