import { fail } from "../errors.ts";
import { type OptionSpec, resolveOptions } from "../options.ts";

/** The learning rate's schedules, by the words of PyTorch's torch.optim.lr_scheduler. */
export type ScheduleName = "constant" | "step" | "cosine" | "plateau";

/** How the learning rate changes in the course of a training. Options that a schedule does not have are refused. */
export interface ScheduleOptions {
  /**
   * "step": times `gamma` after every `stepSize` (StepLR); "cosine": from the learning rate down to `etaMin` over `tMax`
   * (CosineAnnealingLR); "plateau": times `factor` when the monitored value has not improved for more than `patience`
   * epochs (ReduceLROnPlateau). Default "constant".
   */
  name?: ScheduleName;
  /** What "step" and "cosine" count: epochs, or updates. Default "epoch". */
  interval?: "epoch" | "update";
  /** "step": epochs (or updates) at one learning rate. Default 30. */
  stepSize?: number;
  /** "step": the factor of each. Default 0.1. */
  gamma?: number;
  /**
   * "cosine": epochs (or updates) down to `etaMin`. Default: all of the training; one that is gone on with for more epochs
   * then has the cosine of the longer one from there on.
   */
  tMax?: number;
  /** "cosine": the least learning rate. Default 0. */
  etaMin?: number;
  /** "plateau": the factor of each reduction. Default 0.1. */
  factor?: number;
  /** "plateau": epochs without improvement that are borne. Default 10. */
  patience?: number;
  /** "plateau": the share by which a value must be better to count as improved. Default 1e-4. */
  threshold?: number;
  /** "plateau": the least learning rate. Default 0. */
  minLr?: number;
  /**
   * With any schedule: the learning rate rises from 1/`warmupSteps` of what the schedule says to all of it over as many
   * updates (LinearLR). Default 0.
   */
  warmupSteps?: number;
}

const NAMES: readonly ScheduleName[] = ["constant", "step", "cosine", "plateau"];

/** The options of all schedules: types, ranges, and defaults where they are the same for all. */
export const SCHEDULE_OPTIONS: { readonly [Name in keyof Required<ScheduleOptions>]: OptionSpec } = {
  name: { type: "choice", default: "constant", choices: NAMES, about: "how it changes", flag: "schedule" },
  interval: {
    type: "choice",
    optional: true,
    choices: ["epoch", "update"],
    about: "what step and cosine count (default epoch)",
    flag: "schedule-interval",
  },
  stepSize: { type: "integer", optional: true, least: 1, about: "step: epochs between drops (default 30)" },
  gamma: { type: "number", optional: true, least: 0, above: true, about: "step: factor of a drop (default 0.1)" },
  tMax: { type: "integer", optional: true, least: 1, about: "cosine: epochs to the least rate (default: all)" },
  etaMin: { type: "number", optional: true, least: 0, about: "cosine: least learning rate (default 0)" },
  factor: {
    type: "number",
    optional: true,
    least: 0,
    below: 1,
    about: "plateau: factor of a reduction (default 0.1)",
    flag: "plateau-factor",
  },
  patience: {
    type: "integer",
    optional: true,
    least: 0,
    about: "plateau: epochs without improvement (default 10)",
    flag: "plateau-patience",
  },
  threshold: {
    type: "number",
    optional: true,
    least: 0,
    below: 1,
    about: "plateau: share that counts as improvement (default 1e-4)",
    flag: "plateau-threshold",
  },
  minLr: { type: "number", optional: true, least: 0, about: "plateau: least learning rate (default 0)" },
  warmupSteps: {
    type: "integer",
    default: 0,
    least: 0,
    most: 1e9,
    about: "updates in which the learning rate rises to its full size",
  },
};

/** What each schedule has of its own, with PyTorch's defaults; tMax, cosine's own too, has none. */
const DEFAULTS: Record<ScheduleName, ScheduleOptions> = {
  constant: {},
  step: { interval: "epoch", stepSize: 30, gamma: 0.1 },
  cosine: { interval: "epoch", etaMin: 0 },
  plateau: { factor: 0.1, patience: 10, threshold: 1e-4, minLr: 0 },
};

/**
 * A schedule's options with every default filled in; only those it has.
 *
 * @throws {TypeError} If an option is unknown, not one of this schedule, or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveSchedule(given: ScheduleOptions = {}): ScheduleOptions {
  const full = resolveOptions("schedule learning rate", SCHEDULE_OPTIONS, given) as ScheduleOptions;
  const { name, warmupSteps } = full, own = ["name", "warmupSteps", "tMax", ...Object.keys(DEFAULTS[name!])];
  for (const option of Object.keys(full)) {
    if (!own.includes(option) || option === "tMax" && name !== "cosine") {
      throw fail("option-unknown", "schedule learning rate", `"${name}" has no option "${option}"`, { option });
    }
  }
  return { name, warmupSteps, ...DEFAULTS[name!], ...full };
}

/** What a schedule goes by in one epoch. */
export interface ScheduleEpoch {
  /** Epochs finished. */
  readonly epoch: number;
  /** All there will be. */
  readonly epochs: number;
  /** Updates in each. */
  readonly updates: number;
  /** The monitored value of every epoch finished. */
  readonly values: readonly number[];
  /** Whether the greater value is the better one. */
  readonly greater: boolean;
}

/**
 * The learning rates of an epoch: a function of the number of updates done since training began. It depends on its
 * arguments alone, so that a training that is gone on with needs to remember nothing else.
 *
 * @param schedule As `resolveSchedule` returns it.
 * @param base The optimizer's learning rate η.
 */
export function learningRates(
  schedule: ScheduleOptions,
  base: number,
  { epoch, epochs, updates, values, greater }: ScheduleEpoch,
): (update: number) => number {
  const { name, interval, warmupSteps, stepSize, gamma, etaMin } = schedule as Required<ScheduleOptions>;
  const byEpoch = interval !== "update", end = schedule.tMax ?? (byEpoch ? epochs : epochs * updates);
  const reduced = name === "plateau" ? reduceOnPlateau(schedule, base, values, greater) : base;
  const at = (t: number): number => {
    // StepLR: η·γ^⌊t/stepSize⌋
    if (name === "step") return base * gamma ** Math.floor(t / stepSize);
    // CosineAnnealingLR's closed form: ηmin + (η − ηmin)·(1 + cos(π·t/Tmax))/2
    if (name === "cosine") return etaMin + (base - etaMin) * (1 + Math.cos(Math.PI * t / end)) / 2;
    return reduced;
  };
  return (update) => at(byEpoch ? epoch : update) * Math.min(1, (update + 1) / Math.max(1, warmupSteps));
}

/** A reduction that would change the learning rate by no more than this is not made: PyTorch's `eps`. */
const LEAST_CHANGE = 1e-8;

/** ReduceLROnPlateau (threshold_mode "rel", no cooldown) over the values of all epochs so far. */
function reduceOnPlateau(schedule: ScheduleOptions, base: number, values: readonly number[], greater: boolean): number {
  const { factor, patience, threshold, minLr } = schedule as Required<ScheduleOptions>;
  let rate = base, best = greater ? -Infinity : Infinity, bad = 0;
  for (const value of values) {
    const better = greater ? value > best * (1 + threshold) : value < best * (1 - threshold);
    if (better) best = value;
    bad = better ? 0 : bad + 1;
    if (bad <= patience) continue;
    const next = Math.max(rate * factor, minLr);
    if (rate - next > LEAST_CHANGE) rate = next;
    bad = 0;
  }
  return rate;
}
