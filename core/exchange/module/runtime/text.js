/** Texts as tokens: see core/data/vocabulary.ts. */

import { refuse } from "./network.js";

/**
 * The tokens of a text, and their numbers.
 *
 * @param split Its tokens.
 * @param numbers Those of known tokens.
 */
export function tokensOf(text, split, numbers, most) {
  if (typeof text !== "string") refuse(`there must be a text, got ${typeof text}`, "x", TypeError);
  const tokens = split(text).slice(0, most);
  return [tokens, Int32Array.from(tokens.length ? tokens : [""], (token) => numbers.get(token) ?? 1)];
}

/** Numbers of tokens, from 2 on. */
export function numbered(tokens) {
  return new Map(tokens.map((token, i) => [token, i + 2]));
}
