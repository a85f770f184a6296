/** What a model attends to in sequences: a section of a page. */

import { LEFT, leftOf, stops, WIDTH } from "./chart.ts";
import { cut, scaleOf } from "./classes.ts";
import { headOf, saidOf } from "./example_card.ts";
import { type Content, el, type Markup } from "./markup.ts";
import type { AttentionExample, RunReport } from "./run_report.ts";
import { extent, linearAxis, padded, percent, short, shortRange, thin } from "./scale.ts";
import { shade } from "./style.ts";

/** Most characters of a token. */
const NAME = 60;

/** Most sequences, channels of one, columns of its strip, and tokens. */
const SEQUENCES = 24, CHANNELS = 12, COLUMNS = 160, TOKENS = 400;

/** Weights of columns that each take as many steps. */
export interface Columns {
  /** Steps in each but the last. */
  readonly steps: number;
  /** The attention paid to each. */
  readonly weights: readonly number[];
}

/** Weights in at most so many columns: a column's weight is the sum of its steps', so that all still add up to 1. */
export function columnsOf(weights: readonly number[], most: number): Columns {
  const steps = Math.ceil(weights.length / most) || 1;
  const sums = new Array<number>(Math.ceil(weights.length / steps)).fill(0);
  weights.forEach((weight, t) => sums[Math.floor(t / steps)]! += weight);
  return { steps, weights: sums };
}

/** The weight of the strongest shade: the greatest there is, but twice the equal share at least, lest noise looks like a choice. */
export function strongest(weights: readonly number[]): number {
  return Math.max(2 / weights.length, extent(weights)?.[1] ?? 0);
}

/** The section of a page. */
export function attentionSection({ attention = [], attentionNote, metrics }: RunReport): Content {
  if (!attention.length) return undefined;
  const shown = attention.slice(0, SEQUENCES);
  return [
    el("h2", {}, "What the model attends to"),
    el(
      "p",
      { class: "note" },
      "The shade is a step’s share of the attention: ",
      scaleOf("none", "most"),
      ". The strongest shade is the greatest weight of its own sequence, but no less than twice an equal share.",
      attentionNote && ` ${attentionNote}`,
      shown.length < attention.length && ` The first ${SEQUENCES} of ${attention.length} sequences are shown.`,
    ),
    el("div", { class: "grid" }, shown.map((example) => card(example, metrics?.kind === "classification"))),
  ];
}

function card(example: AttentionExample, classes: boolean): Content {
  const { title, prediction, truth, weights, values, tokens, probabilities } = example;
  const right = example.right ?? (truth === undefined || !classes ? undefined : truth === prediction);
  const peak = weights.reduce((best, weight, t) => weight > weights[best]! ? t : best, 0);
  const most = tokens
    ? `most on “${cut(tokens[peak] ?? "", 24)}”, ${percent(weights[peak] ?? NaN)}`
    : `most on step ${peak + 1} of ${weights.length}, ${percent(weights[peak] ?? NaN)}`;
  return el(
    "figure",
    {},
    el(
      "figcaption",
      {},
      headOf(title, right),
      saidOf("predicted", prediction, truth),
      el("p", {}, most),
    ),
    probabilities?.length ? bars(probabilities) : undefined,
    tokens ? text(tokens, weights, example.separator ?? " ") : undefined,
    values ? plot(example, values, most) : undefined,
    !values && !tokens ? plot(example, [], most) : undefined,
  );
}

/** The three largest probabilities. */
function bars(probabilities: NonNullable<AttentionExample["probabilities"]>): Content {
  const largest = [...probabilities].sort((a, b) => b[1] - a[1]).slice(0, 3), height = 19;
  const from = 132, to = WIDTH - 58;
  return el(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${largest.length * height + 6}`,
      role: "img",
      class: "chart",
      "aria-label": `Probabilities: ${largest.map(([label, p]) => `${label} ${percent(p)}`).join(", ")}`,
    },
    largest.map(([label, p], i) => [
      el("text", { class: "name", x: from - 8, y: i * height + 13, "text-anchor": "end" }, cut(label, 19)),
      el("rect", { class: "rail", x: from, y: i * height + 5, width: to - from, height: 9, rx: 2 }),
      el("rect", { class: "bar", x: from, y: i * height + 5, width: Math.max(0, (to - from) * p), height: 9, rx: 2 }),
      el("text", { x: to + 8, y: i * height + 13 }, percent(p)),
    ]),
  );
}

function text(tokens: readonly string[], weights: readonly number[], separator: string): Content {
  const shown = tokens.slice(0, TOKENS), top = strongest(weights);
  const share = weights.slice(0, TOKENS).reduce((a, b) => a + b, 0);
  const letters = separator === "";
  return [
    el(
      "div",
      { class: `tokens${letters ? " letters" : ""}` },
      shown.map((token, t) => [
        t > 0 && separator,
        el(
          "span",
          { class: shade(weights[t]! / top), title: percent(weights[t]!) },
          letters && token === " " ? "␣" : cut(token, NAME),
        ),
      ]),
    ),
    shown.length < tokens.length &&
    el(
      "p",
      { class: "note" },
      `The first ${TOKENS} of ${short(tokens.length)} tokens, with ${percent(share)} of the attention.`,
    ),
  ];
}

/** Channels as lines over time, and the attention below on the same axis. */
function plot(
  { weights, channels }: AttentionExample,
  values: NonNullable<AttentionExample["values"]>,
  most: string,
): Markup {
  const T = weights.length, all = values[0]?.length ?? 0, shown = Math.min(all, CHANNELS);
  const row = shown > 6 ? 24 : shown > 2 ? 34 : shown === 2 ? 56 : 96, top = 26, gap = 5, strip = 26;
  const name = (i: number) => channels?.[i] ?? (all > 1 ? `channel ${i + 1}` : "value");
  const rows = Array.from({ length: shown }, (_, i) => {
    const column = values.map((step) => step[i]), range = extent(column) ?? [0, 1];
    return { column, range, label: cut(name(i), 12), ends: row >= 34 ? shortRange(...range) : "" };
  });
  const left = Math.max(
    leftOf(["attention", ...rows.map(({ label }) => label)], 8.4, LEFT + 22),
    leftOf(rows.map(({ ends }) => ends), 6.8),
  );
  const width = WIDTH - left - 12, bottom = top + shown * row;
  const center = (t: number) => left + (t + 0.5) * width / T;
  const columns = columnsOf(weights, COLUMNS), strong = strongest(columns.weights);
  const height = bottom + gap + strip + 22;
  const ticks = linearAxis([1, T], [center(0), center(T - 1)], 7, true).ticks;
  const first = ticks[0]?.value === 1
    ? ticks
    : [{ value: 1, text: "1" }, ...ticks.filter(({ value }) => center(value - 1) > center(0) + 24)];
  const parts = rows.map(({ column, range, label, ends }, i) => {
    const y = top + i * row;
    const axis = linearAxis(range[0] === range[1] ? range : padded(range, 0.04), [y + row - 4, y + 4], 2);
    let d = "", drawing = false;
    for (const t of thin(column, 2 * COLUMNS)) {
      const value = column[t]!;
      d += Number.isFinite(value) ? `${drawing ? "L" : "M"}${center(t).toFixed(1)} ${axis.at(value).toFixed(1)}` : "";
      drawing = Number.isFinite(value);
    }
    return [
      el("line", { class: "g", x1: left, x2: WIDTH - 12, y1: y + row, y2: y + row }),
      ends
        ? [
          el("text", { class: "name", x: left - 8, y: y + row / 2 - 2, "text-anchor": "end" }, label),
          el(
            "text",
            { class: "range", x: left - 8, y: y + row / 2 + 11, "text-anchor": "end" },
            ends,
          ),
        ]
        : el("text", { class: "name", x: left - 8, y: y + row / 2 + 4, "text-anchor": "end" }, label),
      T === 1
        ? el("circle", { class: "dot a", cx: center(0), cy: y + row / 2, r: 3 })
        : el("path", { class: "l thin a", d }),
    ];
  });
  const cell = width * columns.steps / T;
  return el(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${height}`,
      role: "img",
      class: "chart",
      "aria-label": `Attention over ${T} steps${shown ? ` and ${shown} channels` : ""}: ${most}`,
    },
    el(
      "g",
      { class: "legend" },
      el(
        "text",
        { x: LEFT, y: 18 },
        [
          shown < all ? `the first ${shown} of ${all} channels` : "",
          columns.steps > 1 ? `${columns.steps} steps a column, weights summed` : "",
        ].filter(Boolean).join("; "),
      ),
    ),
    parts,
    el(
      "g",
      { class: "strip" },
      el("rect", { class: "h0", x: left, y: bottom + gap, width, height: strip }),
      columns.weights.map((weight, i) => {
        const x = left + i * cell, to = Math.min(left + width, x + cell + 0.5), kind = shade(weight / strong);
        return kind !== "h0" && el("rect", { class: kind, x, y: bottom + gap, width: to - x, height: strip });
      }),
    ),
    el("rect", { class: "frame", x: left, y: bottom + gap, width, height: strip }),
    el("text", { class: "name", x: left - 8, y: bottom + gap + strip / 2 + 4, "text-anchor": "end" }, "attention"),
    first.map(({ value, text }) => el("text", { x: center(value - 1), y: height - 6, "text-anchor": "middle" }, text)),
    stops(
      columns.weights.map((_, i) => Math.min(center(i * columns.steps + (columns.steps - 1) / 2), center(T - 1))),
      top,
      bottom + gap + strip,
      (i) => {
        const from = i * columns.steps + 1, to = Math.min(T, from + columns.steps - 1);
        const read = Array.from(
          { length: columns.steps > 1 || shown > 3 ? 0 : shown },
          (_, c) => `${name(c)} ${short(values[i]![c]!)}`,
        );
        return [
          from === to ? `step ${from}` : `steps ${from}–${to}`,
          `attention ${percent(columns.weights[i]!)}`,
          ...read,
        ];
      },
    ),
  );
}
