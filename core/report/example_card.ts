/** The top of a card that shows one example: what it is, what was predicted, and whether that is right. */

import { type Content, el } from "./markup.ts";

/** Its name, and a badge where it is known to be right or wrong. */
export function headOf(title: string, right: boolean | undefined): Content {
  return el(
    "div",
    { class: "head" },
    el("h3", {}, title),
    right !== undefined && el("span", { class: `badge ${right ? "good" : "bad"}` }, right ? "✓ right" : "✗ wrong"),
  );
}

/** What was predicted, and the truth beside it. */
export function saidOf(verb: string, prediction: string, truth: string | undefined): Content {
  return el(
    "div",
    { class: "said" },
    `${verb} `,
    el("b", {}, prediction),
    truth !== undefined && [" · true ", el("b", {}, truth)],
  );
}
