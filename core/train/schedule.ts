import { cos, power } from "../math.ts";
import { resolveKind, type SpecTable } from "../options.ts";

/** Schedules of the learning rate, after PyTorch's `torch.optim.lr_scheduler`. */
export type ScheduleName = "constant" | "step" | "cosine" | "plateau";

/** How the learning rate changes during training. Options that a schedule does not have are refused. */
export interface ScheduleOptions {
  /**
   * "step": times `gamma` after every `stepSize` (StepLR); "cosine": from the learning rate down to `etaMin` over `tMax`
   * (CosineAnnealingLR); "plateau": times `factor` when the monitored value has not improved for more than `patience`
   * epochs (ReduceLROnPlateau). Default "constant".
   */
  name?: ScheduleName;
  /** Unit that "step" and "cosine" count: epochs, or updates. Default "epoch". */
  interval?: "epoch" | "update";
  /** "step": epochs (or updates) at one learning rate. Default 30. */
  stepSize?: number;
  /** "step": the factor of each. Default 0.1. */
  gamma?: number;
  /**
   * "cosine": epochs (or updates) down to `etaMin`. Default: the whole training; if it is resumed for more epochs, it
   * continues on the longer cosine.
   */
  tMax?: number;
  /** "cosine": the least learning rate. Default 0. */
  etaMin?: number;
  /** "plateau": the factor of each reduction. Default 0.1. */
  factor?: number;
  /** "plateau": epochs without improvement before a reduction. Default 10. */
  patience?: number;
  /** "plateau": the share by which a value must improve to count as improved. Default 1e-4. */
  threshold?: number;
  /** "plateau": the least learning rate. Default 0. */
  minLr?: number;
  /**
   * With any schedule: over so many updates, the learning rate rises from 1/`warmupSteps` of what the schedule says to all
   * of it (LinearLR). Default 0.
   */
  warmupSteps?: number;
}

/** The options of all schedules, with the schedules that have them. */
export const SCHEDULE_OPTIONS: SpecTable<ScheduleOptions> = {
  name: {
    type: "choice",
    default: "constant",
    choices: ["constant", "step", "cosine", "plateau"],
    about: "how it changes",
    flag: "schedule",
  },
  warmupSteps: {
    type: "integer",
    default: 0,
    least: 0,
    most: 1e9,
    about: "updates in which the learning rate rises to its full size",
  },
  interval: {
    type: "choice",
    optional: true,
    kinds: { step: "epoch", cosine: "epoch" },
    choices: ["epoch", "update"],
    about: "what step and cosine count",
    flag: "schedule-interval",
  },
  stepSize: { type: "integer", optional: true, kinds: { step: 30 }, least: 1, about: "step: epochs between drops" },
  gamma: {
    type: "number",
    optional: true,
    kinds: { step: 0.1 },
    least: 0,
    above: true,
    about: "step: factor of a drop",
  },
  etaMin: { type: "number", optional: true, kinds: { cosine: 0 }, least: 0, about: "cosine: least learning rate" },
  tMax: {
    type: "integer",
    optional: true,
    kinds: { cosine: undefined },
    otherwise: "all",
    least: 1,
    about: "cosine: epochs to the least learning rate",
  },
  factor: {
    type: "number",
    optional: true,
    kinds: { plateau: 0.1 },
    least: 0,
    below: 1,
    about: "plateau: factor of a reduction",
    flag: "plateau-factor",
  },
  patience: {
    type: "integer",
    optional: true,
    kinds: { plateau: 10 },
    least: 0,
    about: "plateau: epochs without improvement",
    flag: "plateau-patience",
  },
  threshold: {
    type: "number",
    optional: true,
    kinds: { plateau: 1e-4 },
    least: 0,
    below: 1,
    about: "plateau: share that counts as improvement",
    flag: "plateau-threshold",
  },
  minLr: { type: "number", optional: true, kinds: { plateau: 0 }, least: 0, about: "plateau: least learning rate" },
};

/**
 * A schedule's options with every default filled in, and no others.
 *
 * @throws {TypeError} If an option is unknown, not one of this schedule, or of the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveSchedule(given: ScheduleOptions = {}): ScheduleOptions {
  return resolveKind("schedule learning rate", SCHEDULE_OPTIONS, given) as ScheduleOptions;
}

/** Plateaus change the learning rate only if it changes by more than this: PyTorch's `eps`. */
const LEAST_CHANGE = 1e-8;

/** How long a training is, and what its monitored values mean. */
export interface TrainingLength {
  /** Epochs in all. */
  readonly epochs: number;
  /** Updates in each. */
  readonly updates: number;
  /** Whether greater monitored values are better. */
  readonly greater: boolean;
}

/**
 * The learning rates of a training. They depend on the schedule and on the monitored values so far, and on nothing else: a
 * training that is resumed has the same ones.
 */
export class LearningRates {
  readonly #schedule: Required<ScheduleOptions>;
  readonly #base: number;
  readonly #length: TrainingLength;
  /** Of "plateau": the rate now, the best value, and the epochs since. */
  #reduced: number;
  #best: number;
  #bad = 0;

  /**
   * @param schedule As `resolveSchedule` returns it.
   * @param base The optimizer's learning rate η.
   */
  constructor(schedule: ScheduleOptions, base: number, length: TrainingLength) {
    this.#schedule = schedule as Required<ScheduleOptions>;
    this.#base = this.#reduced = base;
    this.#length = length;
    this.#best = length.greater ? -Infinity : Infinity;
  }

  /** Takes the monitored value of a finished epoch: ReduceLROnPlateau (threshold_mode "rel", no cooldown). */
  add(value: number): void {
    const { name, factor, patience, threshold, minLr } = this.#schedule, best = this.#best;
    if (name !== "plateau") return;
    const isBetter = this.#length.greater ? value > best * (1 + threshold) : value < best * (1 - threshold);
    if (isBetter) this.#best = value;
    this.#bad = isBetter ? 0 : this.#bad + 1;
    if (this.#bad <= patience) return;
    const next = Math.max(this.#reduced * factor, minLr);
    if (this.#reduced - next > LEAST_CHANGE) this.#reduced = next;
    this.#bad = 0;
  }

  /**
   * The learning rate of an update.
   *
   * @param epoch Epochs finished before it.
   * @param update Updates done before it, in the whole training.
   */
  at(epoch: number, update: number): number {
    const { interval, warmupSteps } = this.#schedule;
    return this.#scheduled(interval === "update" ? update : epoch) *
      Math.min(1, (update + 1) / Math.max(1, warmupSteps));
  }

  /** The rate without warm-up, after t epochs or updates. */
  #scheduled(t: number): number {
    const { name, interval, stepSize, gamma, etaMin, tMax } = this.#schedule, base = this.#base;
    const { epochs, updates } = this.#length;
    switch (name) {
      case "step": // StepLR: η·γ^⌊t/stepSize⌋
        return base * power(gamma, Math.floor(t / stepSize));
      case "cosine": { // The closed form of CosineAnnealingLR: ηmin + (η − ηmin)·(1 + cos(π·t/Tmax))/2
        const end = tMax ?? (interval === "update" ? epochs * updates : epochs);
        return etaMin + (base - etaMin) * (1 + cos(Math.PI * t / end)) / 2;
      }
      default:
        return this.#reduced;
    }
  }
}
