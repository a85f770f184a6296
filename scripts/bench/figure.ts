/**
 * Draws the README's figure from what `deno task bench --json FILE` wrote: the time of a training step at each size.
 *
 *     deno run --allow-read --allow-write --allow-sys=cpus scripts/bench/figure.ts FILE.json FIGURE.svg
 *
 * @module
 */

import { commandLine, fail } from "../command_line.ts";
import type { BenchResult } from "./main.ts";
import { short } from "./report.ts";
import { COLOURS, decades, element, figure, label, logScale } from "./svg.ts";

const WIDTH = 900, HEIGHT = 400, LEFT = 64, RIGHT = 16, TOP = 76, BOTTOM = 62;

/** Who is shown, in the order of the bars: the best side of each. */
const SHOWN = [
  { peer: "grutto", title: "Grutto", colour: COLOURS.blue },
  { peer: "grutto-wide", title: "Grutto, wide path", colour: COLOURS.sky },
  { peer: "pytorch", title: "PyTorch", colour: COLOURS.orange },
  { peer: "tfjs", title: "tfjs wasm", colour: COLOURS.purple },
  { peer: "jax-js", title: "jax-js wasm", colour: COLOURS.grey },
];

/** A time with as many digits as fit over a bar. */
function brief(ms: number): string {
  return Number(ms.toPrecision(ms < 0.1 ? 2 : 3)).toLocaleString("en");
}

/** The figure of a result. */
export function stepFigure({ sizes, machine, versions, date }: BenchResult): string {
  const groups = Object.entries(sizes);
  const best = (peer: string, i: number) => groups[i]![1].sides[groups[i]![1].best[peer]!]?.ms;
  const shown = SHOWN.filter(({ peer }) => groups.some((_, i) => best(peer, i) !== undefined));
  const all = groups.flatMap((_, i) => shown.flatMap(({ peer }) => best(peer, i) ?? []));
  // The lowest bar still shows: the axis starts below it.
  const ticks = decades(Math.min(...all) / 1.5, Math.max(...all) * 1.2);
  const bottom = HEIGHT - BOTTOM, y = logScale(ticks[0]!, ticks.at(-1)!, bottom, TOP);
  const parts = [label(LEFT - 48, 22, "Time of a training step, ms (logarithmic): shorter is better", { class: "h" })];
  let x = LEFT;
  for (const { title, colour } of shown) {
    parts.push(element("rect", { x, y: 38, width: 12, height: 12, fill: colour }), label(x + 17, 48, title));
    x += 40 + 6.6 * title.length;
  }
  for (const tick of ticks) {
    parts.push(
      element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "g" }),
      label(LEFT - 8, y(tick) + 4, brief(tick), { class: "q", "text-anchor": "end" }),
    );
  }
  const groupWidth = (WIDTH - LEFT - RIGHT) / groups.length, gap = Math.min(24, groupWidth / 6);
  groups.forEach(([name, { size: { B, T, I, H, layers } }], i) => {
    const start = LEFT + i * groupWidth + gap / 2, width = (groupWidth - gap) / shown.length;
    const middle = { "text-anchor": "middle" };
    shown.forEach(({ peer, colour, title }, j) => {
      const value = best(peer, i), left = start + j * width;
      if (value === undefined) {
        parts.push(label(left + width / 2, bottom - 4, "–", { class: "q", ...middle }));
        return;
      }
      const tip = element("title", {}, `${title}, ${name}: ${short(value)} ms`);
      const bar = { x: left + 1, y: y(value), width: width - 2, height: bottom - y(value), fill: colour };
      parts.push(
        element("rect", bar, tip),
        label(left + width / 2, y(value) - 4, brief(value), { class: "v", ...middle }),
      );
    });
    const center = start + (groupWidth - gap) / 2;
    parts.push(
      label(center, bottom + 17, name, middle),
      label(center, bottom + 32, `B ${B} T ${T} I ${I} H ${H}${layers > 1 ? ` ×${layers}` : ""}`, {
        class: "q",
        ...middle,
      }),
    );
  });
  const torch = versions.torch ? `, PyTorch ${versions.torch}` : "";
  const note = `Best number of threads of each, ${machine.cores} cores of ${machine.cpu}; Grutto ${versions.grutto}, ` +
    `Deno ${versions.deno}${torch}; ${date.slice(0, 10)}`;
  parts.push(label(LEFT - 48, HEIGHT - 8, note, { class: "q" }));
  return figure(WIDTH, HEIGHT, "Time of a training step by size, in milliseconds", parts);
}

if (import.meta.main) {
  const command = "deno run --allow-read --allow-write --allow-sys=cpus scripts/bench/figure.ts";
  const { operands } = commandLine(command, "Draws the README's figure.", {}, ["FILE.json", "FIGURE.svg"]);
  const [source, target] = operands as [string, string];
  const result: BenchResult = JSON.parse(await Deno.readTextFile(source));
  if (result.kind !== "grutto-bench") fail(`${source} is no result of \`deno task bench\``);
  await Deno.writeTextFile(target, stepFigure(result));
  console.log(`written: ${target}`);
}
