/** Predictions as JSON: what the command line prints, and a service answers. */

import type { TextAnswer } from "./answers.ts";
import type { NamedArray } from "../model/arrays.ts";
import type { AnsweredNumbers, AnsweredSource, NamedPrediction, PlainPrediction } from "./prediction.ts";

/**
 * A prediction as JSON.
 *
 * @param attention Whether what each step counted is in it; that of a model without names always is.
 */
export function predictionJson(
  prediction: NamedPrediction | PlainPrediction | AnsweredSource | AnsweredNumbers,
  attention: boolean,
): string {
  if ("answers" in prediction) return json(answered(prediction, attention));
  if ("steps" in prediction && !("decoded" in prediction)) {
    return json(numbers(prediction as AnsweredNumbers, attention));
  }
  return "decoded" in prediction
    ? json(named(prediction, attention))
    : JSON.stringify(plain(prediction as PlainPrediction));
}

/** The numbers of an answer, of every step a list; of quantiles by each. */
function numbers({ id, steps, quantiles, attention: weights }: AnsweredNumbers, attention: boolean): object {
  const Q = quantiles?.length ?? 1;
  const of = (k: number) => steps.map((step) => digits(step.filter((_, i) => i % Q === k).map(Math.fround)));
  const said = quantiles ? { quantiles: new Map(quantiles.map((q, k) => [String(q), of(k)])) } : { y: of(0) };
  return { id, ...said, ...attention && weights && { attention: weightsOf(weights) } };
}

/** The answers to a source. */
function answered({ id, source, tokens, answers }: AnsweredSource, attention: boolean): object {
  const each = (answer: TextAnswer) => ({
    text: answer.text,
    logProbability: sumOf(answer),
    score: digit(Math.fround(answer.found.score)),
    ...!answer.found.ended && { cut: true },
    ...attention && {
      tokens: answer.tokens,
      logProbabilities: digits(Float32Array.from(answer.found.logProbabilities)),
      attention: weightsOf(answer.found.attention),
    },
  });
  return { id, source, ...attention && { sourceTokens: tokens }, answers: answers.map(each) };
}

/** The logarithm of an answer's probability. */
export function sumOf({ found }: TextAnswer): number {
  return digit(Math.fround(found.sum));
}

function named(
  { id, rows, row, decoded: { label, labels, values }, known, names, quantiles, weights }: NamedPrediction,
  attention: boolean,
): object {
  return {
    id,
    ...rows && { from: rows[0], to: rows[1] },
    ...row !== undefined && { row },
    ...label !== undefined && { label },
    ...labels && { labels },
    ...values && !quantiles && { values: new Map(names.map((name, i) => [name, digit(values[i]!)])) },
    ...values && quantiles && { quantiles: new Map(names.map((name, i) => [name, quantilesAt(values, quantiles, i)])) },
    ...known && { probabilities: new Map(known.map(([name, p]) => [name, digit(p)])) },
    ...attention && weights && { attention: digits(weights) },
  };
}

/** Of a model without names: class numbers. */
function plain({ predicts, number, values, weights }: PlainPrediction): object {
  const what = { ...number !== undefined && { class: number }, [predicts]: digits(values) };
  return { ...what, attentionWeights: digits(weights) };
}

/** What the attention weighed at each step of an answer, the end of a text too. */
function weightsOf({ shape: [steps, T], data }: NamedArray): number[][] {
  return Array.from({ length: steps! }, (_, u) => digits(data.subarray(u * T!, (u + 1) * T!)));
}

/** The quantiles of the i-th name. */
function quantilesAt(values: readonly number[], quantiles: readonly number[], i: number): Map<string, number> {
  return new Map(quantiles.map((quantile, k) => [String(quantile), digit(values[i * quantiles.length + k]!)]));
}

/** As JSON; maps keep their order, whatever their keys: objects would put numbers first. */
export function json(value: unknown): string {
  const isMap = value instanceof Map;
  if (!isMap && (typeof value !== "object" || value === null || Array.isArray(value))) return JSON.stringify(value);
  const entries: [string, unknown][] = isMap ? [...value] : Object.entries(value as object);
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${json(one)}`).join(",")}}`;
}

/** Where the products of {@linkcode digit} are exact: 24 bits times a power of ten of at most 29 odd bits. */
const EXACT = { least: 1e-4, most: 1e6 };

/** The number whose shortest decimal gives a 32-bit float back, if it is one: else the 64-bit number that it is. */
export function digit(value: number): number {
  if (Math.fround(value) !== value) return value;
  const size = Math.abs(value);
  // Six digits are not more than it takes, but for the smallest numbers, which have fewer bits.
  if (size >= EXACT.least && size < EXACT.most) {
    let power = 1e5;
    for (let bound = 10; size >= bound; bound *= 10) power /= 10;
    for (let bound = 1; size < bound; bound /= 10) power *= 10;
    for (let digits = 6; digits < 9; digits++, power *= 10) {
      const short = Math.round(size * power) / power;
      if (Math.fround(short) === size) return value < 0 ? -short : short;
    }
    return Number(value.toPrecision(9));
  }
  for (let digits = size < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** The same of several. */
export function digits(values: ArrayLike<number>): number[] {
  const found = new Array<number>(values.length);
  for (let i = 0; i < found.length; i++) found[i] = digit(values[i]!);
  return found;
}
