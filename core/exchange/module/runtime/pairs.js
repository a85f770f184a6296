/** Pairs of texts or numbers in the data's own words and units: see core/data/tokenizer.ts and step_scaler.ts. */

import { refuse } from "./network.js";
import { rowsIn } from "./numbers.js";

/** What splits words into subwords, the merges that were learned first before the others. */
export function subwords(merges) {
  const key = (left, right) => `${left.length} ${left}${right}`;
  const ranks = new Map(merges.map(([left, right], rank) => [key(left, right), rank]));
  return (word) => {
    let pieces = [...word];
    for (;;) {
      let first = Infinity;
      for (let i = 1; i < pieces.length; i++) {
        first = Math.min(first, ranks.get(key(pieces[i - 1], pieces[i])) ?? Infinity);
      }
      if (first === Infinity) return pieces;
      const [left, right] = merges[first], joined = [];
      for (let i = 0; i < pieces.length; i++) {
        if (pieces[i] === left && pieces[i + 1] === right) joined.push(left + pieces[++i]);
        else joined.push(pieces[i]);
      }
      pieces = joined;
    }
  };
}

/** Words with spaces between them, but before some and behind others. */
export function spaced(tokens, before, behind) {
  return tokens.reduce(
    (text, token, u) => text + (!u || behind.includes(tokens[u - 1]) || before.includes(token) ? "" : " ") + token,
    "",
  );
}

/** A hypothesis in words; those of the source stand in for unknown ones, if they are given. */
export function textAnswer({ tokens, aligned, sum, ...found }, known, join, source) {
  const words = tokens.map((token, u) => known[token - 4] ?? source?.[aligned[u]] ?? "<unk>");
  return { text: join(words), logProbability: sum, ...found, tokens: words };
}

/** The options of a search whose prefix is tokens in words. */
export function inNumbers({ replaceUnknown: _, prefix = [], ...options } = {}, known) {
  if (!Array.isArray(prefix)) refuse("prefix must be a list of tokens", "prefix", TypeError);
  const numbers = prefix.map((token) => {
    const at = known.indexOf(token);
    return at < 0
      ? refuse(`prefix must be of tokens that answers have, got ${JSON.stringify(token)}`, "prefix")
      : at + 4;
  });
  return { ...options, prefix: numbers };
}

/** Steps of numbers on the model's scale. */
export function scaledSteps(x, { size, scaling }, field = "x") {
  const numbers = rowsIn(x, size);
  if (!numbers.length || numbers.length % size) refuse(`${field} must have steps of ${size} numbers`, field);
  return Float32Array.from(numbers, (value, i) => {
    const c = i % size,
      own = scaling ? (value - scaling.mean[c]) / scaling.scale[c] : value,
      step = Math.floor(i / size) + 1;
    return Math.abs(Math.fround(own)) < Infinity
      ? own
      : refuse(`${field} must be finite numbers, got ${value} in step ${step}`, field);
  });
}

/** What a decoder is fed first: numbers given on the data's scale, each as often as it has quantiles. */
export function beginning(first, side, each) {
  const { size } = side, asked = first === undefined ? undefined : typeof first === "number" ? [first] : first;
  if (asked && asked.length !== size) {
    refuse(`start must have ${size} numbers, got ${asked.length ?? typeof asked}`, "start");
  }
  const numbers = asked ? scaledSteps([asked], side, "start") : new Float32Array(size);
  return Float32Array.from({ length: size * each }, (_, i) => numbers[Math.floor(i / each)]);
}

/** Numbers of every step, of quantiles by each, in the data's units. */
export function numberAnswer({ outputs, attention }, { scaling }, quantiles) {
  const each = quantiles?.length ?? 1;
  const values = outputs.map((step) =>
    step.map((value, i) => {
      const c = Math.floor(i / each);
      return scaling ? value * scaling.scale[c] + scaling.mean[c] : value;
    })
  );
  if (!quantiles) return { values, attention };
  const of = (k) => values.map((step) => step.filter((_, i) => i % each === k));
  return { quantiles: Object.fromEntries(quantiles.map((q, k) => [q, of(k)])), attention };
}
