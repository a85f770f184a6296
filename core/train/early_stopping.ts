import { resolveOptions, type SpecTable } from "../options.ts";

/** When training ends before its last epoch. */
export interface EarlyStoppingOptions {
  /** Epochs in a row without improvement after which training ends. Default 10. */
  patience?: number;
  /** By how much the monitored value must improve to count as improved. Default 0. */
  minDelta?: number;
}

/** The options of early stopping: types and ranges. */
export const EARLY_STOPPING_OPTIONS: SpecTable<EarlyStoppingOptions> = {
  patience: {
    type: "integer",
    optional: true,
    otherwise: "never",
    least: 1,
    about: "epochs without improvement after which training ends",
  },
  minDelta: { type: "number", optional: true, otherwise: "anything", least: 0, about: "what counts as improvement" },
};

/**
 * The options with their defaults filled in.
 *
 * @throws {TypeError | RangeError} If an option is unknown or wrong.
 */
export function resolveEarlyStopping(given: EarlyStoppingOptions): Required<EarlyStoppingOptions> {
  const { patience = 10, minDelta = 0 } = resolveOptions("stop early", EARLY_STOPPING_OPTIONS, given);
  return { patience, minDelta } as Required<EarlyStoppingOptions>;
}

/** Counts the epochs without improvement. */
export class EarlyStopping {
  readonly #options: Required<EarlyStoppingOptions>;
  readonly #greater: boolean;
  #best: number;
  #bad = 0;
  #isOver = false;

  /** @param greater Whether greater values are better. */
  constructor(options: Required<EarlyStoppingOptions>, greater: boolean) {
    this.#options = options;
    this.#greater = greater;
    this.#best = greater ? -Infinity : Infinity;
  }

  /** Whether patience has run out; it stays so. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Takes the monitored value of the next epoch. */
  add(value: number): void {
    const { patience, minDelta } = this.#options, best = this.#best;
    const isBetter = this.#greater ? value > best + minDelta : value < best - minDelta;
    if (isBetter) this.#best = value;
    this.#bad = isBetter ? 0 : this.#bad + 1;
    this.#isOver ||= this.#bad >= patience;
  }
}
