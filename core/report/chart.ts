/** A chart of lines as SVG: the same for curves over epochs and for forecasts. */

import { type Content, el, type Markup } from "./markup.ts";
import { type Axis, extent, linearAxis, logAxis, padded, short, spread, thin } from "./scale.ts";

/** Width of every picture; pages scale it to their columns, phones to about three quarters. */
export const WIDTH = 480;
const HEIGHT = 258, BOTTOM = 34, RIGHT = 14;

/** Where what is drawn begins, unless what names it needs more room before. */
export const LEFT = 54;

/** Where what is drawn begins, so that names of some size before it have room, on phones too, where letters are larger. */
export function leftOf(names: readonly string[], size = 9.2, least = LEFT): number {
  return Math.max(least, Math.ceil(size * names.reduce((most, name) => Math.max(most, name.length), 0)) + 10);
}

/** Most points of a line, and most places where a pointer shows numbers. */
const POINTS = 480, STOPS = 120;

/** A line. */
export interface Line {
  /** Its name in the legend. */
  readonly name: string;
  /** Its class, which says colour and dashes: "a" to "d". */
  readonly style: string;
  /** One value for each x; the line breaks where there is none. */
  readonly values: readonly (number | undefined)[];
  /** The place from which on a pointer does not read it. */
  readonly readTo?: number;
}

/** What a chart shows. */
export interface Chart {
  /** What it says to who cannot see it. */
  readonly description: string;
  /** From left to right. */
  readonly x: readonly number[];
  /** Name of the x axis. */
  readonly xName: string;
  /** What a place on the x axis is called; default: its number. */
  readonly xText?: (index: number) => string;
  /** Whether `xText` names the ticks too: else they are numbers. */
  readonly namedTicks?: boolean;
  /** The lines; the later cover the earlier. */
  readonly lines: readonly Line[];
  /** Numbers as they are read; default: in about four digits. */
  readonly format?: (value: number) => string;
  /** Numbers at the y axis; default: as they suit its steps. */
  readonly tick?: (value: number) => string;
  /** Whether the y axis is logarithmic. Default false. */
  readonly log?: boolean;
  /** A place on the x axis with a name. */
  readonly mark?: { readonly x: number; readonly text: string };
  /** Points that are ringed. */
  readonly rings?: readonly { readonly x: number; readonly y: number; readonly style: string }[];
}

/** The chart, and in words what was left out of it. */
export function lineChart(chart: Chart): Markup {
  const { x, lines, format = short } = chart;
  const xRange = extent(x) ?? [0, 1], yRange = extent(lines.flatMap(({ values }) => values)) ?? [0, 1];
  // Above stand the legend, or what a pointer reads, and the name of the mark.
  const top = chart.mark ? 46 : lines.length > 1 ? 36 : 28;
  const up = [HEIGHT - BOTTOM, top] as const;
  const yAxis = chart.log
    ? logAxis([yRange[0] * 0.9, yRange[1] * 1.1], up, 5)
    : linearAxis(yRange[0] === yRange[1] ? yRange : padded(yRange), up, 5);
  const yTicks = yAxis.ticks.map(({ value, text }) => ({ value, text: chart.tick?.(value) ?? text }));
  const left = leftOf(yTicks.map(({ text }) => text)), across = [left, WIDTH - RIGHT] as const;
  const xAxis = chart.namedTicks
    ? { ...linearAxis(xRange, across, 5, true), ticks: [] }
    : linearAxis(xRange, across, 7, true);
  const named = chart.namedTicks
    ? spread(x.length, roomFor(x.map((_, i) => chart.xText!(i)))).map((i) => ({ value: x[i]!, text: chart.xText!(i) }))
    : xAxis.ticks;
  return el(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": chart.description, class: "chart" },
    el("desc", {}, chart.description),
    yTicks.map(({ value, text }) => {
      const y = yAxis.at(value);
      return [
        el("line", { class: "g", x1: left, x2: WIDTH - RIGHT, y1: y, y2: y }),
        el("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, text),
      ];
    }),
    named.map(({ value, text }, i) =>
      el("text", {
        x: xAxis.at(value),
        y: HEIGHT - BOTTOM + 16,
        "text-anchor": !chart.namedTicks ? "middle" : i === 0 ? "start" : i === named.length - 1 ? "end" : "middle",
      }, text)
    ),
    el("text", { x: (across[0] + across[1]) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, chart.xName),
    chart.mark && mark(xAxis.at(chart.mark.x), top, chart.mark.text, left),
    lines.map(({ style, values }) => el("path", { class: `l ${style}`, d: path(x, values, xAxis, yAxis) })),
    lines.map(({ style, values }) => dots(x, values, style, xAxis, yAxis)),
    chart.rings?.map(({ x, y, style }) =>
      el("circle", { class: `ring ${style}`, cx: xAxis.at(x), cy: yAxis.at(y), r: 4.5 })
    ),
    lines.length > 1 && legend(lines),
    stops(x.map((value) => xAxis.at(value)), top, HEIGHT - BOTTOM, (i) => {
      const known = lines.filter(({ values, readTo = Infinity }) => i < readTo && Number.isFinite(values[i]));
      const place = chart.xText?.(i) ?? `${chart.xName} ${short(x[i]!)}`;
      return [place, ...known.map(({ name, style, values }) => [style, `${name} ${format(values[i]!)}`] as const)];
    }),
  );
}

/** How many names stand beside each other below the axis: two at least, five at most. */
function roomFor(names: readonly string[]): number {
  const longest = names.reduce((most, name) => Math.max(most, name.length), 1);
  return Math.max(2, Math.min(5, Math.floor((WIDTH - LEFT - RIGHT) / (7 * longest + 20))));
}

function mark(x: number, top: number, text: string, first: number): Content {
  const anchor = x > WIDTH - 60 ? "end" : x < first + 30 ? "start" : "middle";
  return [
    el("line", { class: "m", x1: x, x2: x, y1: top - 6, y2: HEIGHT - BOTTOM }),
    el("text", { x: anchor === "end" ? WIDTH - RIGHT : x, y: top - 10, "text-anchor": anchor }, text),
  ];
}

function path(x: readonly number[], values: Line["values"], xAxis: Axis, yAxis: Axis): string {
  let drawing = false, d = "";
  for (const i of thin(values, POINTS)) {
    const value = values[i];
    if (value === undefined || !Number.isFinite(value)) {
      drawing = false;
      continue;
    }
    d += `${drawing ? "L" : "M"}${xAxis.at(x[i]!).toFixed(1)} ${yAxis.at(value).toFixed(1)}`;
    drawing = true;
  }
  return d;
}

/** A point by itself is no line: it is drawn as a dot. */
function dots(x: readonly number[], values: Line["values"], style: string, xAxis: Axis, yAxis: Axis): Content {
  const known = (i: number) => Number.isFinite(values[i]);
  return values.flatMap((value, i) =>
    known(i) && !known(i - 1) && !known(i + 1)
      ? el("circle", { class: `dot ${style}`, cx: xAxis.at(x[i]!), cy: yAxis.at(value!), r: 3 })
      : []
  );
}

function legend(lines: readonly Line[]): Content {
  let at = LEFT;
  return el(
    "g",
    { class: "legend" },
    lines.map(({ name, style }) => {
      const start = at;
      at += 46 + 6.8 * name.length;
      return [
        el("path", { class: `l ${style}`, d: `M${start} 14h22` }),
        el("text", { x: start + 28, y: 18 }, name),
      ];
    }),
  );
}

/**
 * Places where a pointer shows numbers in place of the legend, without a script: each column of the picture is a group that
 * shows its line and text while the pointer is over it.
 *
 * @param at Places along the x axis, rising.
 * @param words What is read there: the place, then texts with the class of their colour.
 */
export function stops(
  at: readonly number[],
  top: number,
  bottom: number,
  words: (index: number) => readonly (string | readonly [style: string, text: string])[],
): Content {
  const chosen = spread(at.length, STOPS);
  return chosen.map((index, i) => {
    const before = chosen[i - 1], after = chosen[i + 1], x = at[index]!;
    const left = before === undefined ? x - 12 : (at[before]! + x) / 2;
    const right = after === undefined ? x + 12 : (at[after]! + x) / 2;
    return el(
      "g",
      { class: "stop" },
      el("rect", { x: left, y: 0, width: Math.max(right - left, 0.1), height: bottom }),
      el("path", { d: `M${Number(x.toFixed(1))} ${top}V${bottom}` }),
      el(
        "text",
        { x: LEFT, y: 18 },
        words(index).map((word, i) =>
          typeof word === "string"
            ? `${i ? "  " : ""}${word}`
            : ["  ", el("tspan", { class: word[0] }, "●"), ` ${word[1]}`]
        ),
      ),
    );
  });
}
