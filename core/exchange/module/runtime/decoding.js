/** What a decoder makes of one source: see core/model/beam.ts, search.ts and free_run.ts. */

import { exp, log } from "../../../math.ts";
import { memory } from "./memory.js";
import { refuse } from "./network.js";

/**
 * A decoder over a source of T steps, which `write` puts in its place.
 *
 * @param own `run`s its parts; `states` there are, of `hidden` numbers each, padded to `padded`; `size` numbers it says.
 */
function decoding(own, T, write) {
  const { states: count, hidden, padded, size } = own;
  let at;
  own.run(T, 0, (places) => {
    at = places;
    write(places);
  });
  const [fed, weights] = at.v, table = at.v[2 + count], all = at.v.slice(2, 2 + count);
  const statesAt = (skip) => all.map((place) => memory.slice(place + skip, place + skip + hidden));
  return {
    first: statesAt(0),
    /** A step from states of before: `feed` writes what it is fed. */
    next(before, feed) {
      own.run(T, 1, () => {
        all.forEach((place, i) => memory.set(before[i], place));
        feed(fed, table);
      });
      return {
        output: memory.slice(at.output, at.output + size),
        weights: memory.slice(weights, weights + T),
        states: statesAt(padded),
      };
    },
  };
}

/** The tokens of a hypothesis as a list of its parts, the first first. */
function partsOf(path) {
  const parts = [];
  for (; path; path = path.before) parts.unshift(path);
  return parts;
}

/** The tokens that would end n tokens in a row which are there already. */
function repeated(path, n) {
  const tokens = partsOf(path).map(({ token }) => token), found = new Set(), last = tokens.length + 1 - n;
  for (let begin = 0; begin < last; begin++) {
    let same = 0;
    while (same < n - 1 && tokens[begin + same] === tokens[last + same]) same++;
    if (same === n - 1) found.add(tokens[begin + n - 1]);
  }
  return found;
}

/** The best continuations, twice as many as the width, the best first. */
function continued(live, length, forced, { width, minLength, noRepeat }) {
  const best = [];
  live.forEach(({ path, output }, at) => {
    let largest = -Infinity, sum = 0;
    for (const x of output) {
      if (x !== x) refuse("the decoder's output is not a number");
      if (x > largest) largest = x;
    }
    for (const x of output) sum += exp(x - largest);
    const before = (path?.sum ?? 0) - largest - log(sum),
      repeats = noRepeat && path ? repeated(path, noRepeat) : undefined;
    for (let token = 0; token < output.length; token++) {
      if (forced === undefined) {
        // PAD and START are never said; END, 3, not too early.
        if (token === 0 || token === 2 || token === 3 && length <= minLength || repeats?.has(token)) continue;
      } else if (token !== forced) continue;
      const total = before + output[token];
      if (best.length === 2 * width && total <= best.at(-1).sum) continue;
      let place = best.length;
      while (place > 0 && best[place - 1].sum < total) place--;
      best.splice(place, 0, { at, token, sum: total });
      if (best.length > 2 * width) best.pop();
    }
  });
  return best;
}

/** The finished hypotheses, the best first. */
function ranked(finished, T, { nBest, lengthPenalty, coveragePenalty }) {
  const all = finished.map(({ path, length, ended: isEnded }) => {
    const parts = partsOf(path), said = isEnded ? parts.slice(0, -1) : parts;
    let covered = 0;
    for (let s = 0; coveragePenalty && s < T; s++) {
      covered += log(Math.min(1, Math.max(parts.reduce((total, { weights }) => total + weights[s], 0), 1e-9)));
    }
    return {
      tokens: said.map(({ token }) => token),
      ended: isEnded,
      sum: path.sum,
      score: path.sum / exp(lengthPenalty * log((5 + length) / 6)) + (coveragePenalty ? coveragePenalty * covered : 0),
      logProbabilities: parts.map(({ sum, before }) => sum - (before?.sum ?? 0)),
      aligned: said.map(({ weights }) => weights.reduce((best, weight, s) => weight > weights[best] ? s : best, 0)),
      attention: parts.map(({ weights }) => [...weights]),
    };
  });
  return all.sort((a, b) => b.score - a.score).slice(0, nBest);
}

/** The options of a search, filled in, as `limits` say: default, least, most, and whether it is an integer. */
function searchOptions(asked, limits, size) {
  const full = { prefix: asked.prefix ?? [] };
  const other = Object.keys(asked).find((name) => !limits[name] && name !== "prefix");
  if (other !== undefined) refuse(`there is no option "${other}"`, other, TypeError);
  for (const [name, [usual, least, most, whole]] of Object.entries(limits)) {
    const value = full[name] = asked[name] ?? usual ?? full.width;
    if (typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value))) continue;
    refuse(`${name} must be ${whole ? "an integer" : "a number"} from ${least} to ${most}, got ${value}`, name);
  }
  const { width, nBest, minLength, maxLength, prefix } = full;
  if (!Array.isArray(prefix)) refuse("prefix must be a list of tokens", "prefix", TypeError);
  if (width > size - 2) refuse(`width must be at most ${size - 2}, the tokens there are but PAD and START`, "width");
  if (nBest > width) refuse(`nBest must be at most width, ${width}, got ${nBest}`, "nBest");
  if (minLength >= maxLength) refuse(`minLength must be below maxLength, ${maxLength}, got ${minLength}`, "minLength");
  if (prefix.length >= maxLength) refuse(`prefix must be shorter than maxLength, ${maxLength}`, "prefix");
  const bad = prefix.find((token) =>
    !(Number.isInteger(token) && token > 0 && token < size) || token === 2 || token === 3
  );
  if (bad !== undefined) {
    refuse(`prefix must be of tokens from 1 to ${size - 1} but START and END, got ${bad}`, "prefix");
  }
  return full;
}

/** The best answers of a decoder of tokens to a source, the best first. */
export function searched(own, T, write, asked = {}) {
  const options = searchOptions(asked, own.limits, own.size), { width, maxLength, prefix } = options, { row, ld } = own;
  const decoder = decoding(own, T, write), finished = [];
  let live = [{ path: null, token: 2, states: decoder.first }];
  for (let length = 1; live.length; length++) {
    live = live.map(({ path, token, states }) => ({
      path,
      ...decoder.next(states, (fed, table) => memory.copyWithin(fed, table + token * ld, table + token * ld + row)),
    }));
    const found = continued(live, length, prefix[length - 1], options);
    const going = [];
    found.forEach(({ at, token, sum }, i) => {
      const { path: before, weights, states } = live[at], path = { token, before, sum, weights };
      if (token !== 3) going.length < width && going.push({ path, token, states });
      else if (i < width) finished.push({ path, length, ended: true });
    });
    // What nothing may continue ends as it is.
    if (!going.length && !finished.length) {
      for (const { path } of live) path && finished.push({ path, length: length - 1, ended: false });
    }
    const isLast = length === maxLength && finished.length < width;
    if (isLast) { for (const { path } of going) finished.push({ path, length, ended: false }); }
    live = isLast || finished.length >= width ? [] : going;
  }
  return ranked(finished, T, options);
}

/** What a decoder of numbers says of a source, free running: it is fed its own output at every step. */
export function ranFree(own, T, write, steps, begin) {
  if (!(Number.isInteger(steps) && steps >= 1)) refuse(`steps must be an integer from 1, got ${steps}`, "steps");
  const decoder = decoding(own, T, write), outputs = [], attention = [];
  let fed = begin, states = decoder.first;
  for (let u = 0; u < steps; u++) {
    const said = decoder.next(states, (place) => memory.set(fed, place));
    if (!said.output.every((x) => Math.abs(x) < Infinity)) refuse("an output is not finite");
    outputs.push([...fed = said.output]);
    attention.push([...said.weights]);
    ({ states } = said);
  }
  return { outputs, attention };
}
