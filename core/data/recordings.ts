/** Recordings: long sequences, cut into windows, each with a label of its own. */

import { checkArgument } from "../errors.ts";
import { resolveOptions, type SpecTable } from "../options.ts";
import { badData } from "./errors.ts";
import { isDecimal, plainLabels } from "./readers/decimals.ts";
import type { SequenceRecord } from "./readers/record.ts";
import { fields, oneOf, whole } from "./state.ts";

/** Which of the labels of a window's steps is the window's. */
export type WindowLabel = "majority" | "last" | "same";

const WINDOW_LABELS: readonly WindowLabel[] = ["majority", "last", "same"];

/** How recordings are cut into windows. */
export interface RecordingOptions {
  /** Steps of a window. */
  window: number;
  /** Steps from the start of a window to that of the next. Default: `window`, so that none overlap. */
  stride?: number;
  /**
   * Which of its steps' labels a window has: that of most ("majority"; of several with as many the first in order, as
   * `mode()[0]` of pandas), of its "last" step, or of all: windows with several are left out ("same"). Default "majority".
   */
  windowLabel?: WindowLabel;
  /** Whether a window keeps the labels of its steps; windows that lack one are left out. Default false. */
  labelEveryStep?: boolean;
}

/** The options of windows over recordings: types, defaults, ranges. */
export const RECORDING_OPTIONS: SpecTable<RecordingOptions> = {
  window: { type: "integer", least: 1, most: 1e6, about: "steps of a window" },
  stride: {
    type: "integer",
    optional: true,
    least: 1,
    most: 1e6,
    about: "steps from one window to the next",
    otherwise: "the window: none overlap",
  },
  windowLabel: {
    type: "choice",
    default: "majority",
    choices: WINDOW_LABELS,
    about: "which of its steps' labels a window has",
  },
  labelEveryStep: { type: "boolean", default: false, about: "windows keep the labels of their steps" },
};

/** How recordings are cut, all but whether steps keep their labels. */
export type WindowState = Readonly<Pick<RecordingOptions, "window" | "stride" | "windowLabel">>;

/** How recordings were cut, as it was stored. */
export function windowState(value: unknown, place: string): WindowState {
  const state = fields(value, place, ["window"], ["stride", "windowLabel"]), { stride, windowLabel } = state;
  return {
    window: whole(state.window, `${place}.window`, 1, 1e6),
    ...stride !== undefined && { stride: whole(stride, `${place}.stride`, 1, 1e6) },
    ...windowLabel !== undefined && { windowLabel: oneOf(windowLabel, `${place}.windowLabel`, WINDOW_LABELS) },
  };
}

/**
 * Cuts recordings into windows, and counts what does not come into any. No window reaches across a break of the time.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readRecords, RecordingWindows } from "@grutto/grutto";
 *
 * const rows = ["a,0,1.5,walk", "a,1,1.7,walk", "a,2,4.1,run", "a,3,4.0,run"];
 * const csv = new TextEncoder().encode(["id,t,speed,activity", ...rows].join("\n"));
 * const { records } = await readRecords({ name: "moves.csv", stream: () => new Blob([csv]).stream() }, {
 *   sequenceColumn: "id",
 *   timeColumn: "t",
 *   labelColumns: ["activity"],
 *   labelsPerRow: true,
 * });
 * const windows = new RecordingWindows({ window: 2, stride: 1, windowLabel: "same" });
 * for await (const recording of records) {
 *   const cut = [...windows.of(recording)];
 *   assert.deepEqual(cut.map(({ rows, labels }) => [...rows!, labels![0]]), [[0, 2, "walk"], [2, 4, "run"]]);
 * }
 * assert.deepEqual(windows.notes, ["1 window left out: the rows have different labels"]);
 * ```
 */
export class RecordingWindows {
  readonly #window: number;
  readonly #stride: number;
  readonly #label: WindowLabel;
  readonly #everyStep: boolean;
  #short = 0;
  #breaks = 0;
  #unlabeled = 0;
  #mixed = 0;
  #rest = 0;

  /**
   * Takes the options of the windows.
   *
   * @throws {TypeError | RangeError} If an option is wrong.
   */
  constructor(options: RecordingOptions) {
    const full = resolveOptions<RecordingOptions>("cut recordings", RECORDING_OPTIONS, options), { window } = full;
    this.#window = window;
    this.#stride = full.stride ?? window;
    this.#label = full.windowLabel!;
    this.#everyStep = full.labelEveryStep!;
  }

  /** The options, for `Pipeline.fit`. */
  get options(): WindowState {
    return { window: this.#window, stride: this.#stride, windowLabel: this.#label };
  }

  /**
   * The windows of a recording, in order; they share its numbers. Windows of a recording have a `group` in common, so
   * that no split parts them: that of the recording, or its name.
   *
   * @throws {RangeError} If it is text, or the label is that of most steps and labels are amounts: numbers that are no
   * integers.
   */
  *of(recording: SequenceRecord): Generator<SequenceRecord, void> {
    checkArgument("cut recordings", "recording", recording, ["place"]);
    const { values, steps, channels, stepLabels, breaks = [], missing: _m, ...about } = recording;
    if (about.fault) return yield recording;
    const id = about.id ?? about.place, window = this.#window;
    if (!values) throw badData("input-kind", `${about.place}: windows are cut from numbers, got text`);
    if (stepLabels && !this.#everyStep && this.#label === "majority") refuseAmounts(stepLabels, about.place);
    if (steps < window) this.#short++;
    else if (this.#stride <= window) this.#rest += (steps - window) % this.#stride;
    for (let from = 0; from + window <= steps; from += this.#stride) {
      const to = from + window;
      if (breaks.some((at) => at > from && at < to)) {
        this.#breaks++;
        continue;
      }
      const own = stepLabels?.slice(from, to);
      if (this.#everyStep && own?.includes(undefined)) {
        this.#unlabeled++;
        continue;
      }
      const labels = this.#everyStep ? undefined : own ? labelsOf(own, this.#label) : about.labels;
      if (own && !labels && !this.#everyStep) {
        if (own.some((label) => label)) this.#mixed++;
        else this.#unlabeled++;
        continue;
      }
      const part = values.subarray(from * channels, to * channels), at = part.findIndex(Number.isNaN);
      yield {
        ...about,
        values: part,
        steps: window,
        channels,
        labels,
        ...this.#everyStep && own && { stepLabels: own },
        id,
        group: about.group ?? id,
        rows: [from, to],
        place: `${about.place}, rows ${from} to ${to} of ${JSON.stringify(id)}`,
        ...at >= 0 && { missing: `row ${from + Math.floor(at / channels)}, channel ${at % channels + 1}` },
      };
    }
  }

  /** What was left out so far, in words. */
  get notes(): readonly string[] {
    const count = (n: number, one: string, why: string) => n ? [`${n} ${one}${n === 1 ? "" : "s"} ${why}`] : [];
    const left = (n: number, one: string, why: string) => count(n, one, `left out: ${why}`);
    return [
      ...left(this.#short, "recording", `shorter than the window of ${this.#window} rows`),
      ...count(this.#rest, "row", "at the ends of recordings in no window"),
      ...left(this.#breaks, "window", "the time breaks within"),
      ...left(this.#unlabeled, "window", this.#everyStep ? "a row has no label" : "no row has a label"),
      ...left(
        this.#mixed,
        "window",
        this.#label === "same" ? "the rows have different labels" : "the last row has no label",
      ),
    ];
  }
}

/** Amounts have no majority. */
function refuseAmounts(steps: NonNullable<SequenceRecord["stepLabels"]>, place: string): void {
  const isAmount = (label: string) => isDecimal(label) && !Number.isInteger(Number(label));
  const amount = steps.find((labels) => labels?.some(isAmount))?.find(isAmount);
  if (amount === undefined) return;
  throw badData("label-out-of-range", `${place}: the label ${amount} is an amount, of which most rows have another`, {
    option: "windowLabel",
    advice: 'windowLabel "last" takes that of the last',
  });
}

/** The labels of a window; undefined where it has none. */
function labelsOf(
  steps: readonly (readonly string[] | undefined)[],
  which: WindowLabel,
): readonly string[] | undefined {
  if (which === "last") return steps.at(-1);
  const known = steps.filter((labels) => labels !== undefined), [first] = known;
  if (!first) return undefined;
  if (which === "same") {
    const isOne = (column: number) => new Set(plainLabels(known.map((labels) => labels[column]!))).size === 1;
    return first.every((_, column) => isOne(column)) ? first : undefined;
  }
  return first.map((_, column) => mode(known.map((labels) => labels[column]!)));
}

/** The label that occurs most often; of several the first in order: of numbers, the least. */
function mode(labels: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const label of plainLabels(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const most = Math.max(...counts.values()), best = [...counts.keys()].filter((label) => counts.get(label) === most);
  const order = best.every(isDecimal)
    ? (a: string, b: string) => Number(a) - Number(b)
    : (a: string, b: string) => a < b ? -1 : 1;
  return best.sort(order)[0]!;
}
