/** Where a decoder looked for each token that it said: heat maps, a section of a page. */

import { WIDTH } from "./chart.ts";
import { cut, scaleOf } from "./classes.ts";
import { type Content, el, type Markup } from "./markup.ts";
import { headOf, saidOf } from "./example_card.ts";
import type { AlignmentExample, RunReport } from "./run_report.ts";
import { percent } from "./scale.ts";
import { shade } from "./style.ts";

/** Most answers, and tokens of either side. */
const EXAMPLES = 24, TOKENS = 60;

/** Most characters of a token, and the width of one. */
const NAME = 14, LETTER = 7.2;

/** The section of a page. */
export function alignmentsSection({ alignments = [] }: RunReport): Content {
  if (!alignments.length) return undefined;
  const shown = alignments.slice(0, EXAMPLES);
  return [
    el("h2", {}, "Where the decoder looks"),
    el(
      "p",
      { class: "note" },
      "The source stands across, the answer down, and the shade is a source token’s share of the attention when the token of the " +
        "row was said: ",
      scaleOf("none", "all"),
      ". A pointer on a row reads where it points.",
      shown.length < alignments.length && ` The first ${EXAMPLES} of ${alignments.length} answers are shown.`,
    ),
    el("div", { class: "grid" }, shown.map(card)),
  ];
}

function card(example: AlignmentExample): Content {
  const { source, prediction, truth, right = truth === undefined ? undefined : truth === prediction } = example;
  return el(
    "figure",
    {},
    el(
      "figcaption",
      {},
      headOf(source, right),
      saidOf("answered", prediction, right ? undefined : truth),
    ),
    map(example),
  );
}

/** A token as it is seen: spaces too. */
function seen(token: string): string {
  return cut(token.replaceAll(" ", "␣"), NAME);
}

function map({ sourceTokens, tokens, weights }: AlignmentExample): Markup {
  const across = sourceTokens.slice(0, TOKENS), down = tokens.slice(0, TOKENS), S = across.length, U = down.length;
  const longest = (of: readonly string[]) => Math.max(1, ...of.map((token) => [...seen(token)].length));
  const left = 16 + LETTER * longest(down), cell = Math.min(28, (WIDTH - left - 8) / Math.max(1, S));
  const height = Math.min(28, Math.max(17, cell)), upright = longest(across) * LETTER < cell - 1;
  const top = 30 + (upright ? 14 : LETTER * longest(across) + 4), center = (s: number) => left + (s + 0.5) * cell;
  const isCut = S < sourceTokens.length || U < tokens.length;
  return el(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${top + U * height + 8}`,
      role: "img",
      class: "chart",
      "aria-label": `Attention of ${tokens.length} output tokens over ${sourceTokens.length} source tokens`,
    },
    el(
      "g",
      { class: "legend" },
      el("text", { x: 8, y: 16 }, isCut ? `the first ${TOKENS} tokens of either side` : ""),
    ),
    across.map((token, s) =>
      upright ? el("text", { class: "name", x: center(s), y: top - 6, "text-anchor": "middle" }, seen(token)) : el(
        "text",
        { class: "name", transform: `translate(${(center(s) + 4).toFixed(1)} ${top - 6}) rotate(-90)` },
        seen(token),
      )
    ),
    down.map((token, u) =>
      el("text", { class: "name", x: left - 8, y: top + (u + 0.5) * height + 4, "text-anchor": "end" }, seen(token))
    ),
    el(
      "g",
      { class: "strip" },
      down.map((_, u) =>
        across.map((_, s) =>
          el("rect", {
            class: shade(weights[u]![s]!),
            x: left + s * cell,
            y: top + u * height,
            width: cell + 0.5,
            height: height + 0.5,
          })
        )
      ),
    ),
    el("rect", { class: "frame", x: left, y: top, width: S * cell, height: U * height }),
    down.map((token, u) => {
      const row = weights[u]!, order = across.map((_, s) => s).sort((a, b) => row[b]! - row[a]!);
      const y = top + u * height, [most] = order;
      const read = order.slice(0, 3).filter((s) => row[s]! >= 0.05 || s === most)
        .map((s) => `${seen(across[s]!)} ${percent(row[s]!)}`).join(", ");
      return el(
        "g",
        { class: "stop" },
        el("rect", { x: 0, y, width: WIDTH, height }),
        el("path", {
          fill: "none",
          "stroke-width": 2,
          d: `M${(left + most! * cell).toFixed(1)} ${y.toFixed(1)}h${cell.toFixed(1)}v${height.toFixed(1)}h-${
            cell.toFixed(1)
          }z`,
        }),
        el("text", { x: 8, y: 16 }, `${seen(token)} looks at ${read}`),
      );
    }),
  );
}
