import { type OptionSpec, resolveOptions } from "../options.ts";

/** When training ends before its last epoch. */
export interface EarlyStoppingOptions {
  /** Epochs in a row without improvement after which it ends. Default 10. */
  patience?: number;
  /** By how much the monitored value must be better to count as improved. Default 0. */
  minDelta?: number;
}

/** The options of early stopping: types and ranges. */
export const EARLY_STOPPING_OPTIONS: { readonly [Name in keyof Required<EarlyStoppingOptions>]: OptionSpec } = {
  patience: {
    type: "integer",
    optional: true,
    least: 1,
    about: "epochs without improvement after which training ends (default: never)",
  },
  minDelta: { type: "number", optional: true, least: 0, about: "what counts as improvement (default: anything)" },
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

/** Whether patience has run out over the monitored values of all epochs so far. */
export function outOfPatience(
  { patience, minDelta }: Required<EarlyStoppingOptions>,
  values: readonly number[],
  greater: boolean,
): boolean {
  let best = greater ? -Infinity : Infinity, bad = 0;
  return values.some((value) => {
    const better = greater ? value > best + minDelta : value < best - minDelta;
    if (better) best = value;
    bad = better ? 0 : bad + 1;
    return bad >= patience;
  });
}
