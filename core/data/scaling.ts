/** Numbers on a common scale, and what stands in for numbers that are missing. */

import { fail } from "../errors.ts";
import { badData } from "./errors.ts";
import { fields, nullable, numbers } from "./state.ts";

/** Treatment of missing values. */
export type MissingPolicy = "error" | "drop" | "zero" | "mean" | "last";

/** All of them. */
export const MISSING_POLICIES: readonly MissingPolicy[] = ["error", "drop", "zero", "mean", "last"];

/** What to do where a value is missing and the policy is "error". */
export const MISSING_ADVICE = 'choose missing "drop", "zero", "mean" or "last"';

/** {@linkcode Scaling} as JSON. */
export interface ScalingState {
  /** Subtracted, per channel. */
  readonly mean: readonly number[];
  /** Then divided by, per channel. */
  readonly scale: readonly number[];
}

/**
 * The mean of every channel, or of its squared distance from a centre, over the values that are there, in float64; NaN
 * where there is none.
 *
 * @param parts Rows of as many values as there are channels.
 */
export function channelMeans(
  parts: Iterable<ArrayLike<number>>,
  channels: number,
  centre?: Float64Array,
): Float64Array {
  const sums = new Float64Array(channels), counts = new Float64Array(channels);
  for (const part of parts) {
    for (let i = 0, c = 0; i < part.length; i++, c = c + 1 === channels ? 0 : c + 1) {
      const value = part[i]!;
      if (Number.isNaN(value)) continue;
      sums[c]! += centre ? (value - centre[c]!) ** 2 : value;
      counts[c]!++;
    }
  }
  return sums.map((sum, c) => sum / counts[c]!);
}

/**
 * Each channel less its mean, divided by its standard deviation (of the population, plus 1e-8). A channel that never
 * changes is only shifted: dividing by 1e-8 would blow up the first new value.
 */
export class Scaling {
  readonly #mean: Float64Array;
  readonly #scale: Float64Array;

  private constructor(mean: ArrayLike<number>, scale: ArrayLike<number>) {
    this.#mean = Float64Array.from(mean);
    this.#scale = Float64Array.from(scale);
  }

  /**
   * From rows of as many values as there are channels, in parts; NaN is left out.
   *
   * @param name What errors call a channel.
   * @throws {RangeError} If a channel has no value, or none that float64 can average.
   */
  static fit(parts: Iterable<ArrayLike<number>>, channels: number, name: (channel: number) => string): Scaling {
    const mean = channelMeans(parts, channels), scale = channelMeans(parts, channels, mean).map(Math.sqrt);
    const bad = scale.findIndex((deviation) => !Number.isFinite(deviation));
    if (bad >= 0) {
      throw Number.isNaN(mean[bad])
        ? badData("value-missing", `${name(bad)} has no value`, { column: name(bad) })
        : badData("number-out-of-range", `${name(bad)} has values too large to average`, { column: name(bad) });
    }
    const changes = changing(parts, channels);
    return new Scaling(mean, scale.map((deviation, c) => changes[c] ? deviation + 1e-8 : 1));
  }

  /** As `fit`, from a list of values per channel. */
  static ofColumns(columns: readonly ArrayLike<number>[], name: (channel: number) => string): Scaling {
    const parts = columns.map((column, c) => Scaling.fit([column], 1, () => name(c)));
    return new Scaling(parts.map((part) => part.#mean[0]!), parts.map((part) => part.#scale[0]!));
  }

  /** The value on the common scale. */
  apply(value: number, channel: number): number {
    return (value - this.#mean[channel]!) / this.#scale[channel]!;
  }

  /** The value in the data's units. */
  undo(value: number, channel: number): number {
    return value * this.#scale[channel]! + this.#mean[channel]!;
  }

  /** As JSON. */
  toJSON(): ScalingState {
    return { mean: [...this.#mean], scale: [...this.#scale] };
  }

  /** From JSON that anybody may have written. */
  static from(json: unknown, place: string, channels: number): Scaling {
    const { mean, scale } = fields(json, place, ["mean", "scale"]);
    return new Scaling(numbers(mean, `${place}.mean`, channels), numbers(scale, `${place}.scale`, channels, 0));
  }
}

/** Float32's step at a number: what is nearer to it than half of that becomes it. */
function stepAt(value: number): number {
  return 2 ** (Math.floor(Math.log2(Math.max(Math.abs(value), 2 ** -126))) - 23);
}

/**
 * What rounding to float32 does to numbers whose mean nothing takes off, in words: a note for each channel that moves by
 * less than float32 tells apart.
 *
 * @param parts As of {@linkcode Scaling.fit}.
 */
export function roundingNotes(
  parts: Iterable<ArrayLike<number>>,
  channels: number,
  name: (channel: number) => string,
): string[] {
  const mean = channelMeans(parts, channels), scale = channelMeans(parts, channels, mean).map(Math.sqrt);
  return Array.from(mean).flatMap((level, c) => {
    const step = stepAt(level);
    if (!(scale[c]! > 0 && scale[c]! < step)) return [];
    return `${name(c)} moves by ${scale[c]!.toPrecision(3)} around ${level.toPrecision(7)}, less than float32's step ` +
      `there, ${step.toPrecision(3)}: standardize, or take the mean off first`;
  });
}

/** Whether each channel has two values that differ. */
function changing(parts: Iterable<ArrayLike<number>>, channels: number): readonly boolean[] {
  const first = new Float64Array(channels).fill(NaN), found = new Array<boolean>(channels).fill(false);
  let left = channels;
  for (const part of parts) {
    for (let i = 0, c = 0; i < part.length; i++, c = c + 1 === channels ? 0 : c + 1) {
      const value = part[i]!;
      if (found[c] || Number.isNaN(value)) continue;
      if (Number.isNaN(first[c])) first[c] = value;
      else if (value !== first[c]) {
        found[c] = true;
        left--;
      }
    }
    if (!left) break;
  }
  return found;
}

/**
 * Puts numbers where some are missing, in place: 0, the channel's mean, or the last value before it (the mean where there
 * is none: a later one would tell of the future).
 *
 * @param values Rows of as many values as there are means.
 */
export function fillMissing(
  values: Float64Array,
  policy: MissingPolicy,
  means: ArrayLike<number>,
): void {
  const channels = means.length;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue;
    if (policy === "zero") values[i] = 0;
    else if (policy === "last" && i >= channels) values[i] = values[i - channels]!;
    else if (policy === "mean" || policy === "last") values[i] = means[i % channels]!;
  }
}

/** Stored means: numbers where missing values are filled with them, else null. */
export function storedMeans(value: unknown, place: string, missing: MissingPolicy, count: number): number[] | null {
  if (missing === "mean" || missing === "last") return numbers(value, place, count);
  return nullable(value, () => {
    throw fail("file-structure", "load preprocessing", `${place} must be null where missing is "${missing}"`, {
      name: place,
    });
  });
}
