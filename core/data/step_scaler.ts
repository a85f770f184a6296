/** Sequences of numbers on a common scale and back, for sources and targets of sequence-to-sequence models. */

import { checkArgument, checkInteger, fail } from "../errors.ts";
import { badData } from "./errors.ts";
import { Scaling, type ScalingState } from "./scaling.ts";
import { fields, nullable, oneOf, whole } from "./state.ts";

/** A sequence of numbers: as many for every step. */
export type NumberSteps = readonly (readonly number[])[];

/** A {@linkcode StepScaler} as JSON. */
export interface StepScalerState {
  /** Always "numbers". */
  readonly unit: "numbers";
  /** Numbers of a step. */
  readonly size: number;
  /** Mean and standard deviation of each; null: numbers are taken as they are. */
  readonly scaling: ScalingState | null;
}

/** Sequences with where each stands, for errors. */
export interface PlacedSteps {
  /** The numbers. */
  readonly steps: NumberSteps;
  /** Where they stand: "series.jsonl, line 3". */
  readonly place: string;
}

/**
 * Scales the steps of sequences, each of as many numbers: less their mean, divided by their standard deviation, both of the
 * training sequences.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { StepScaler } from "@grutto/grutto";
 *
 * const place = "series.jsonl, line 1", scaler = StepScaler.fit([{ steps: [[1, 10], [3, 30]], place }], "y");
 * assert.deepEqual(scaler.scaled({ steps: [[3, 10]], place }, "y").map(Math.round), Float32Array.of(1, -1));
 * assert.deepEqual(scaler.values(Float32Array.of(0, 0)), [[2, 20]]);
 * ```
 */
export class StepScaler {
  /** Always "numbers". */
  readonly unit = "numbers";
  /** Numbers of a step. */
  readonly size: number;
  readonly #scaling: Scaling | undefined;

  private constructor(size: number, scaling: Scaling | undefined) {
    this.size = size;
    this.#scaling = scaling;
  }

  /**
   * The scaler of training sequences.
   *
   * @param side What errors call the sequences: "x".
   * @param standardize Whether numbers are scaled. Default true.
   * @throws {RangeError} If a step has another count of numbers than the first, or one is not finite.
   */
  static fit(sequences: readonly PlacedSteps[], side: string, standardize = true): StepScaler {
    checkArgument("fit scaler", "sequences", sequences, "objects");
    checkArgument("fit scaler", "side", side, "string");
    const size = sequences[0]?.steps?.[0]?.length ?? 0, as = new StepScaler(size, undefined);
    for (const sequence of sequences) as.#check(sequence, side);
    if (!standardize) return as;
    const parts = function* () {
      for (const { steps } of sequences) yield* steps;
    };
    const again = { [Symbol.iterator]: parts };
    return new StepScaler(size, Scaling.fit(again, size, (channel) => size > 1 ? `${side}[${channel}]` : side));
  }

  /** As JSON. */
  toJSON(): StepScalerState {
    return { unit: this.unit, size: this.size, scaling: this.#scaling?.toJSON() ?? null };
  }

  /** From JSON that anybody may have written. */
  static from(json: unknown, place: string): StepScaler {
    checkArgument("load preprocessing", "place", place, "string");
    const state = fields(json, place, ["unit", "size", "scaling"]);
    oneOf(state.unit, `${place}.unit`, ["numbers"]);
    const size = whole(state.size, `${place}.size`, 1, 65536);
    return new StepScaler(
      size,
      nullable(state.scaling, (value) => Scaling.from(value, `${place}.scaling`, size)) ?? undefined,
    );
  }

  /**
   * The numbers of a sequence, one step after the other, on the common scale.
   *
   * @throws {RangeError} If a step has another count of numbers, or one is not finite: the message names the place.
   */
  scaled(sequence: PlacedSteps, side: string): Float32Array {
    checkArgument("scale numbers", "sequence", sequence, ["steps", "place"]);
    checkArgument("scale numbers", "side", side, "string");
    this.#check(sequence, side);
    const { size } = this, scaled = new Float32Array(sequence.steps.length * size);
    sequence.steps.forEach((step, t) => {
      step.forEach((value, c) => scaled[t * size + c] = this.#scaling?.apply(value, c) ?? value);
    });
    const bad = scaled.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return scaled;
    const problem = `${sequence.place}: ${side}, step ${Math.floor(bad / size) + 1}: a number is too large`;
    throw badData("number-out-of-range", problem, { name: side });
  }

  /**
   * Steps of a model in the data's units.
   *
   * @param data Numbers of the steps, one after the other.
   * @param each How many there are of each: of Q quantiles Q, side by side.
   */
  values(data: ArrayLike<number>, each = 1): number[][] {
    checkArgument("decode outputs", "data", data, "numbers");
    checkInteger("decode outputs", "each", each, 1);
    const width = this.size * each;
    if (data.length % width) {
      const problem = `data must be steps of ${width} numbers, got ${data.length}`;
      throw fail("shape-mismatch", "decode outputs", problem, { name: "data", value: data.length });
    }
    return Array.from({ length: data.length / width }, (_, t) =>
      Array.from({ length: width }, (_, i) => {
        const value = data[t * width + i]!;
        return this.#scaling?.undo(value, Math.floor(i / each)) ?? value;
      }));
  }

  /** Refuses steps that are not of finite numbers, as many as there must be. */
  #check({ steps, place }: PlacedSteps, side: string): void {
    checkArgument("prepare data", `${place}: ${side}`, steps, "lists");
    if (!steps.length) throw badData("text-missing", `${place}: ${side} has no steps`);
    steps.forEach((step, t) => {
      const at = `${place}: ${side}, step ${t + 1}`;
      if (step.length !== this.size) {
        const problem = `${at}: must have ${this.size} number${
          this.size === 1 ? "" : "s"
        }, as those of the first pair, got ${step.length}`;
        throw badData("shape-mismatch", problem, { name: side, value: step.length });
      }
      const bad = step.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw badData("value-missing", `${at}: must be finite numbers, got ${step[bad]}`, { name: side });
      }
    });
  }
}
