/** Sequences of numbers: what stands in for missing values, patches, scale. */

import { spell } from "../display.ts";
import { fail } from "../errors.ts";
import { badData } from "./errors.ts";
import { each, type Records } from "./records.ts";
import type { SequenceRecord } from "./readers/record.ts";
import {
  channelMeans,
  fillMissing,
  MISSING_ADVICE,
  MISSING_POLICIES,
  type MissingPolicy,
  roundingNotes,
  Scaling,
  type ScalingState,
  storedMeans,
} from "./scaling.ts";
import { distinctTexts, fields, nullable, oneOf, whole } from "./state.ts";

/** How they are prepared. */
export interface NumberOptions {
  /** Treatment of missing values. */
  readonly missing: MissingPolicy;
  /** Consecutive steps that become one. */
  readonly patch: number;
  /** Steps, after patching, that are taken of a sequence. */
  readonly maxLength?: number;
  /** Whether each channel gets mean 0 and standard deviation 1. */
  readonly standardize: boolean;
}

/** Preprocessing of sequences of numbers, as JSON: missing values, then patches, then scale. */
export interface NumberInputs {
  /** Always "numbers". */
  readonly kind: "numbers";
  /** Numbers per step, before patching. */
  readonly channels: number;
  /** Names of the channels; null where nobody knows them. */
  readonly names: readonly string[] | null;
  /** Names of the columns that a sequence's steps were in, of a wide table; absent where nobody knows them. */
  readonly stepNames?: readonly string[];
  /** Treatment of missing values. */
  readonly missing: MissingPolicy;
  /** Replacement of each channel's missing values; null for none. */
  readonly means: readonly number[] | null;
  /** Consecutive steps that become one. */
  readonly patch: number;
  /** Steps, after patching, that are taken of a sequence; null: all. */
  readonly maxLength: number | null;
  /** Of the channels after patching. */
  readonly scaling: ScalingState | null;
  /** What numbers are until their mean is off. Absent in states of before 0.3: float32, so that their runs resume. */
  readonly precision?: "float64";
}

/** Preprocessing of sequences of numbers. */
export class Numbers {
  readonly #state: NumberInputs;
  readonly #scaling: Scaling | null;
  /** Notes about the training records, if there are any. */
  readonly notes: readonly string[];

  private constructor(state: NumberInputs, scaling: Scaling | null, notes: readonly string[] = []) {
    this.#state = state;
    this.#scaling = scaling;
    this.notes = notes;
  }

  static fit(
    records: Records,
    { missing, patch, maxLength, standardize }: NumberOptions,
    channelNames: readonly string[] = [],
    stepNames?: readonly string[],
  ): Numbers {
    const { channels } = records.at(0)!, fits = new Set(channelNames).size === channels;
    const state: NumberInputs = {
      kind: "numbers",
      channels,
      names: fits && channelNames.length === channels ? [...channelNames] : null,
      ...stepNames?.length && channels === 1 && { stepNames: [...stepNames] },
      missing,
      means: null,
      patch,
      maxLength: maxLength ?? null,
      scaling: null,
      precision: "float64",
    };
    const draft = new Numbers(state, null);
    const kept = draft.drops ? each(records, (record) => draft.keeps(record) ? record : undefined) : records;
    const name = (channel: number) => draft.channel(channel);
    let means: number[] | null = null;
    if (missing === "mean" || missing === "last") {
      means = [...channelMeans(each(kept, (record) => record.values!), channels)];
      const empty = means.findIndex((mean) => !Number.isFinite(mean));
      if (empty >= 0) throw badData("value-missing", `${name(empty)} has no value`, { column: name(empty) });
    }
    const filler = new Numbers({ ...state, means }, null);
    if (kept[Symbol.iterator]().next().done) return filler;
    const filled = each(kept, (record) => filler.#filled(record));
    if (!standardize) return new Numbers({ ...state, means }, null, roundingNotes(filled, channels, name));
    const scaling = Scaling.fit(filled, channels * patch, (channel) => name(channel % channels));
    return new Numbers({ ...state, means, scaling: scaling.toJSON() }, scaling);
  }

  static from(json: unknown, place: string): Numbers {
    const state = fields(json, place, [
      "kind",
      "channels",
      "names",
      "missing",
      "means",
      "patch",
      "maxLength",
      "scaling",
    ], ["stepNames", "precision"]);
    const channels = whole(state.channels, `${place}.channels`, 1, 2 ** 24);
    const patch = whole(state.patch, `${place}.patch`, 1, 65536);
    const missing = oneOf(state.missing, `${place}.missing`, MISSING_POLICIES);
    const scaling = nullable(state.scaling, (value) => Scaling.from(value, `${place}.scaling`, channels * patch));
    return new Numbers({
      kind: "numbers",
      channels,
      names: nullable(state.names, (value) => {
        const names = distinctTexts(value, `${place}.names`, channels);
        if (names.length === channels) return names;
        throw fail("file-structure", "load preprocessing", `${place}.names must be ${channels}, got ${names.length}`, {
          name: `${place}.names`,
        });
      }),
      ...state.stepNames !== undefined && { stepNames: distinctTexts(state.stepNames, `${place}.stepNames`, 1) },
      missing,
      means: storedMeans(state.means, `${place}.means`, missing, channels),
      patch,
      maxLength: nullable(state.maxLength, (value) => whole(value, `${place}.maxLength`, 1)),
      scaling: scaling?.toJSON() ?? null,
      ...state.precision !== undefined &&
        { precision: oneOf(state.precision, `${place}.precision`, ["float64"] as const) },
    }, scaling);
  }

  toJSON(): NumberInputs {
    return this.#state;
  }

  /** Numbers per step. */
  get width(): number {
    return this.#state.channels * this.#state.patch;
  }

  get names(): readonly string[] | undefined {
    return this.#state.names ?? undefined;
  }

  get stepNames(): readonly string[] | undefined {
    return this.#state.stepNames;
  }

  /** A channel, for errors. */
  channel(number: number): string {
    const name = this.#state.names?.[number];
    return name === undefined ? `channel ${number + 1}` : `channel ${JSON.stringify(name)}`;
  }

  /** Whether records that lack a value are left out. */
  get drops(): boolean {
    return this.#state.missing === "drop";
  }

  /** Whether missing values leave the record in. */
  keeps(record: SequenceRecord): boolean {
    return !this.drops || !record.values?.some(Number.isNaN);
  }

  /** The steps of a record as the model takes them: float32 once the mean is off. */
  encode(record: SequenceRecord): Float32Array {
    const values = this.#filled(record), scaled = new Float32Array(values.length);
    this.#scale(record, values, values.length, scaled);
    return scaled;
  }

  /** Writes some of them, at most, in front of an array. */
  encodeInto(target: Float32Array, record: SequenceRecord, steps: number): void {
    const values = this.#filled(record);
    this.#scale(record, values, Math.min(values.length, steps * this.width), target);
  }

  /** Holds that a record can be encoded, and says how many steps that makes. */
  check(record: SequenceRecord): number {
    const values = this.#filled(record);
    this.#scale(record, values, values.length);
    return values.length / this.width;
  }

  #scale(record: SequenceRecord, values: Float32Array | Float64Array, count: number, target?: Float32Array): void {
    const { width } = this, scaling = this.#scaling, rounds = this.#state.precision === undefined;
    for (let i = 0, c = 0; i < count; i++, c = c + 1 === width ? 0 : c + 1) {
      const value = rounds ? Math.fround(values[i]!) : values[i]!;
      const scaled = Math.fround(scaling ? scaling.apply(value, c) : value);
      if (!Number.isFinite(scaled)) throw this.#tooLarge(record.place, i, values[i]!);
      if (target) target[i] = scaled;
    }
  }

  #tooLarge(place: string, i: number, value: number): RangeError {
    const { channels } = this.#state, where = `step ${Math.floor(i / channels) + 1}, ${this.channel(i % channels)}`;
    return badData("number-out-of-range", `${place}: ${where} is too large, got ${spell(value)}`, { value });
  }

  /** The steps of a record that are taken, in the data's units; none is missing. */
  #filled(record: SequenceRecord): Float32Array | Float64Array {
    const { channels, missing, means, patch, maxLength } = this.#state, { width } = this;
    const { values, steps, place } = record;
    if (!values) throw badData("input-kind", `${place}: there must be numbers, got text`);
    if (record.channels !== channels) {
      throw badData(
        "shape-mismatch",
        `${place}: there must be ${channels} channel${channels === 1 ? "" : "s"}, got ${record.channels}`,
        {
          name: "channels",
          value: record.channels,
          ...(steps === channels || record.channels > 4 * steps) && {
            option: "layout",
            advice: "steps and channels may be the other way round (layout)",
          },
        },
      );
    }
    if (values.length !== steps * channels) {
      throw badData(
        "shape-mismatch",
        `${place}: ${steps} steps of ${channels} numbers must be ${steps * channels}, got ${values.length}`,
      );
    }
    if (steps === 0) throw badData("empty", `${place}: the sequence has no steps`);
    if (steps < patch) {
      throw badData("sequence-too-short", `${place}: the sequence has ${steps} steps, fewer than a patch of ${patch}`, {
        count: steps,
      });
    }
    const taken = Math.min(Math.floor(steps / patch), maxLength ?? Infinity) * width;
    const own = values.subarray(0, taken);
    let lacks = false;
    for (let i = 0; i < own.length; i++) {
      const value = own[i]!;
      if (value !== value) lacks = true;
      else if (value === Infinity || value === -Infinity) throw this.#tooLarge(place, i, value);
    }
    if (!lacks) return own;
    if (missing === "error" || missing === "drop") {
      throw badData("value-missing", `a value is missing at ${missingPlace(record)}`, {
        option: "missing",
        advice: MISSING_ADVICE,
      });
    }
    const filled = Float64Array.from(own);
    fillMissing(filled, missing, means ?? new Float64Array(channels));
    return filled;
  }
}

/** Where the first missing value of a record stands. */
export function missingPlace(record: SequenceRecord): string {
  if (record.missing !== undefined) {
    // Both may begin with the line, or the sequence.
    const [where, ...rest] = record.missing.split(", ");
    return record.place.endsWith(`, ${where}`)
      ? [record.place, ...rest].join(", ")
      : `${record.place} (${record.missing})`;
  }
  const at = record.values?.findIndex(Number.isNaN) ?? -1;
  return at < 0
    ? record.place
    : `${record.place}, step ${Math.floor(at / record.channels) + 1}, channel ${at % record.channels + 1}`;
}
