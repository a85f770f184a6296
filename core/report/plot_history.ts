import { ownOptions } from "../options.ts";
import { type EpochRecord, epochRecords } from "../train/history.ts";
import { type Curve, curvesOf, leastLoss } from "./curves.ts";
import { type Axis, extent, linearAxis, logAxis, percent, short } from "./scale.ts";
import { cutTo, pad, widthOf } from "./text.ts";

/** How {@linkcode plotHistory} draws. */
export interface PlotOptions {
  /** Characters across. Default 80. */
  columns?: number;
  /** Lines, with titles, axes and the legend. Default 16. */
  rows?: number;
  /** Whether lines have the colours of a terminal. They differ without, too. Default false. */
  color?: boolean;
  /** What the data are called that were looked at after every epoch: "test". Default "validation". */
  validationName?: string;
  /** Whether to draw with ASCII characters instead of braille. Default false. */
  ascii?: boolean;
}

/** Width from which two plots stand beside each other, and height from which they stand above each other. */
const BESIDE = 64, ABOVE = 18;

/** Least size of anything that is a picture. */
const LEAST_COLUMNS = 24, LEAST_ROWS = 7;

type Kind = "train" | "validation";

/** Cyan and yellow; the colour-blind tell them apart. */
const COLOURS = { train: "\x1b[36m", validation: "\x1b[33m", none: "\x1b[39m" };

/**
 * Curves of loss and accuracy for a terminal, drawn with braille dots: validation as a line, training dotted, or as a line where it is alone.
 *
 * @returns Lines of at most `columns` characters, at most `rows` of them, without a line break at the end. Below 24 columns
 * or 7 rows there is no room for a picture: then one line with the last values.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { plotHistory } from "@grutto/grutto";
 *
 * const history = [1, 2, 3].map((epoch) => ({ epoch, trainLoss: 1 / epoch, trainAccuracy: 0 }));
 * const lines = plotHistory(history, { columns: 40, rows: 10 }).split("\n");
 * assert.equal(lines.length, 10);
 * assert.equal(lines[0], "loss");
 * ```
 */
export function plotHistory(records: readonly EpochRecord[], options: PlotOptions = {}): string {
  const { columns = 80, rows = 16, color = false, ascii = false, validationName: other = "validation" } = ownOptions(
    "plot history",
    options,
    { columns: true, rows: true, color: true, ascii: true, validationName: true },
  );
  const history = epochRecords("plot history", records), best = leastLoss(history);
  if (!best) return "";
  const curves = curvesOf(history).filter(({ name }) => name === "loss" || name === "accuracy");
  if (columns < LEAST_COLUMNS || rows < LEAST_ROWS) return cutTo(summary(curves, other), Math.max(1, columns));
  const x = history.map(({ epoch }) => epoch), style = { color, ascii };
  const beside = curves.length > 1 && columns >= BESIDE, above = curves.length > 1 && !beside && rows >= ABOVE;
  const width = beside ? (columns - 3) >> 1 : columns, height = above ? (rows - 2) >> 1 : rows - 1;
  const panels = curves.slice(0, beside || above ? 2 : 1).map((curve) => panel(curve, x, width, height, style));
  const [first, second] = panels as [string[], string[]?];
  const picture = beside
    ? first.map((line, i) => `${pad(line, width)}   ${second![i]}`)
    : panels.length > 1
    ? [...first, "", ...second!]
    : first;
  const validated = curves[0]!.validation.length > 0;
  const [dots, line] = ascii ? ["...", "***"] : x.length > 1 ? ["⠄⠠ ⠄", "⠤⠤⠤"] : ["●", "○"];
  const paint = (text: string, kind: Kind) => color ? `${COLOURS[kind]}${text}${COLOURS.none}` : text;
  const legend = [
    `${paint(validated || x.length === 1 ? dots! : line!, "train")} training`,
    ...validated ? [`${paint(line!, "validation")} ${other}`] : [],
    `best: epoch ${best.epoch}, ${validated ? `${other} ` : ""}loss ${short(best.validationLoss ?? best.trainLoss)}`,
  ];
  while (legend.length > 1 && widthOf(legend.join("   ")) > columns) legend.pop();
  const text = [...picture, legend.join("   ")].map((line) => line.trimEnd()).join("\n");
  return ascii ? text.replaceAll("−", "-") : text;
}

function summary(curves: readonly Curve[], other: string): string {
  return curves.map(({ name, train, validation }) => {
    const format = name === "accuracy" ? percent : short, last = validation.at(-1);
    return `${name} ${format(train.at(-1) ?? NaN)}${last === undefined ? "" : `, ${other} ${format(last)}`}`;
  }).join("; ");
}

/** A plot with its title and axes. */
function panel(
  { name, train, validation, log }: Curve,
  x: readonly number[],
  width: number,
  height: number,
  style: { readonly color: boolean; readonly ascii: boolean },
): string[] {
  const lines = height - 3, { ascii } = style, [across, down] = ascii ? [1, 1] : [2, 4];
  const range = extent([...train, ...validation]) ?? [0, 1];
  const up = [lines * down - 1, 0] as const, count = Math.max(2, Math.min(5, lines >> 1));
  const yAxis = log ? logAxis(range, up, count) : linearAxis(range, up, count);
  const ticks = new Map(
    yAxis.ticks.map(({ value, text }) => [
      Math.floor(Math.round(yAxis.at(value)) / down),
      name === "accuracy" ? `${Number((100 * value).toFixed(2))}%` : text,
    ]),
  );
  const labels = Math.max(...[...ticks.values()].map((text) => text.length)), inner = width - labels - 2;
  const xAxis = linearAxis(extent(x)!, [0, inner * across - 1], Math.max(1, Math.floor(inner / 8)), true);
  const canvas = new Canvas(inner, lines, style);
  // Training is dotted: it is the noisier of the two, and dots let the other be seen.
  canvas.line(x, train, xAxis, yAxis, "train", validation.length > 0);
  canvas.line(x, validation, xAxis, yAxis, "validation", false);
  const [bar, tick, corner, rule, below] = ascii ? ["|", "+", "+", "-", "+"] : ["│", "┤", "└", "─", "┬"];
  const base = new Array<string>(inner).fill(rule!), names = new Array<string>(inner + 1).fill(" ");
  let free = -1;
  for (const { value, text } of xAxis.ticks) {
    const column = Math.round(xAxis.at(value) / across), place = Math.min(column, inner - 1);
    const start = Math.max(0, Math.min(inner - text.length, place - (text.length >> 1)));
    if (start <= free) continue;
    base[place] = below!;
    [...text].forEach((character, i) => names[start + i] = character);
    free = start + text.length;
  }
  const title = `${name}${log ? ", logarithmic" : ""}`;
  return [
    title,
    ...canvas.rows().map((row, i) => `${(ticks.get(i) ?? "").padStart(labels)} ${ticks.has(i) ? tick : bar}${row}`),
    `${" ".repeat(labels + 1)}${corner}${base.join("")}`,
    `${" ".repeat(labels + 2)}${names.join("")}`.slice(0, width),
  ];
}

/** Bits of the dots in a character of braille, by line and column. */
const DOTS = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]] as const;

/** Characters that are made up of dots. */
class Canvas {
  readonly #columns: number;
  readonly #lines: number;
  readonly #style: { readonly color: boolean; readonly ascii: boolean };
  readonly #dots: { readonly train: Uint8Array; readonly validation: Uint8Array };
  /** Whether there are two lines to tell apart. */
  #both = false;
  /** Points that belong to no line. */
  readonly #points = new Map<number, Kind>();

  constructor(columns: number, lines: number, style: { readonly color: boolean; readonly ascii: boolean }) {
    this.#columns = columns;
    this.#lines = lines;
    this.#style = style;
    this.#dots = { train: new Uint8Array(columns * lines), validation: new Uint8Array(columns * lines) };
  }

  /** A line through the values that there are. */
  line(x: readonly number[], values: Curve["train"], xAxis: Axis, yAxis: Axis, kind: Kind, dotted: boolean): void {
    let last: [number, number] | undefined, walked = 0;
    this.#both ||= dotted;
    values.forEach((value, i) => {
      if (value === undefined) return last = undefined;
      const to: [number, number] = [Math.round(xAxis.at(x[i]!)), Math.round(yAxis.at(value))];
      const from = last ?? to, steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
      for (let step = last ? 1 : 0; step <= steps; step++) {
        const at = (k: 0 | 1) => Math.round(from[k] + (to[k] - from[k]) * step / steps);
        if (!dotted || this.#style.ascii || walked++ % 3 === 0) this.#dot(at(0), at(1), kind);
      }
      if (last === undefined && values[i + 1] === undefined) this.#points.set(this.#cell(...to), kind);
      last = to;
    });
  }

  #cell(x: number, y: number): number {
    const { ascii } = this.#style;
    return (ascii ? y : y >> 2) * this.#columns + (ascii ? x : x >> 1);
  }

  #dot(x: number, y: number, kind: Kind): void {
    this.#dots[kind][this.#cell(x, y)]! |= DOTS[y & 3]![x & 1 as 0 | 1]!;
  }

  rows(): string[] {
    return Array.from({ length: this.#lines }, (_, line) => {
      let text = "", colour = COLOURS.none;
      for (let column = 0; column < this.#columns; column++) {
        const cell = line * this.#columns + column;
        const [train, validation] = [this.#dots.train[cell]!, this.#dots.validation[cell]!];
        const wanted = validation ? COLOURS.validation : train ? COLOURS.train : COLOURS.none;
        if (this.#style.color && wanted !== colour && (train || validation)) text += colour = wanted;
        text += this.#character(train, validation, this.#points.get(cell));
      }
      return this.#style.color && colour !== COLOURS.none ? text.trimEnd() + COLOURS.none : text;
    });
  }

  #character(train: number, validation: number, point?: Kind): string {
    if (!train && !validation) return " ";
    if (this.#style.ascii) return validation || !this.#both ? "*" : ".";
    if (point) return point === "train" ? "●" : "○";
    return String.fromCodePoint(0x2800 + (train | validation));
  }
}
