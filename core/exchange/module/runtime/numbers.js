/** Sequences of numbers as a pipeline prepares them: see core/data/numbers.ts. */

import { refuse } from "./network.js";

/** Whether a value is an object with fields. */
function hasFields(value) {
  return typeof value === "object" && value !== null && value.length === undefined;
}

/** A number; NaN where there is none. */
export function numberAt(value, place, field) {
  if (value === null || value === undefined) return NaN;
  return typeof value === "number"
    ? value
    : refuse(`${place} must be a number, got ${JSON.stringify(value) ?? typeof value}`, field, TypeError);
}

/** The fields of an object, which it must have. */
function fieldsOf(row, names, place) {
  return names.map((name) => {
    if (!Object.hasOwn(row, name)) refuse(`${place} has no "${name}"`, name);
    return numberAt(row[name], `${place}, "${name}"`, name);
  });
}

/**
 * Rows as numbers one after the other: from those, from lists, or from objects with the columns' names.
 *
 * @param width Numbers of a row.
 */
export function rowsIn(x, width, names, what = "step") {
  if (ArrayBuffer.isView(x) && x.length >= 0) return Array.from(x);
  if (!Array.isArray(x)) refuse(`there must be a list of ${what}s, got ${typeof x}`, "x", TypeError);
  return x.flatMap((row, t) => {
    const place = `${what} ${t + 1}`;
    if (hasFields(row)) {
      return names
        ? fieldsOf(row, names, place)
        : refuse(`${place} must be a list: numbers have no names`, "x", TypeError);
    }
    if (row?.length === undefined) return numberAt(row, `number ${t + 1}`, "x");
    if (row.length !== width) refuse(`${place} must have ${width} numbers, got ${row.length}`, "x");
    return Array.from(row, (value, i) => numberAt(value, `${place}, number ${i + 1}`, names?.[i] ?? "x"));
  });
}

/** The same, or one object with a column for each step. */
export function stepsIn(x, columns) {
  return hasFields(x) ? fieldsOf(x, columns, "the row") : rowsIn(x, 1);
}

/** What a channel is called. */
export function channel(names, c) {
  return names ? `"${names[c]}"` : `channel ${c + 1}`;
}

/** Puts numbers where some are missing, in place. */
export function fill(values, missing, means) {
  const channels = means.length;
  for (let i = 0; i < values.length; i++) {
    if (values[i] === values[i]) continue;
    if (missing === "zero") values[i] = 0;
    else if (missing === "last" && i >= channels) values[i] = values[i - channels];
    else if (missing === "mean" || missing === "last") values[i] = means[i % channels];
  }
}

/** Numbers without the steps at their end that have none in any channel: they are padding, unless no step has one. */
function ended(values, channels) {
  let size = values.length;
  while (size && values[size - 1] !== values[size - 1]) size--;
  return size ? values.slice(0, Math.ceil(size / channels) * channels) : values;
}

/** A sequence as the model takes it. */
export function prepare(all, { channels, names, missing, means, patch, maxLength, scaling, precision, window }) {
  if (all.length % channels) refuse(`a step must have ${channels} numbers, got ${all.length} in all`, "x");
  if (window && all.length !== window * channels) {
    refuse(
      `the model takes one window of ${window} steps, got ${all.length / channels}: cut it as info.windows says`,
      "x",
    );
  }
  const values = ended(all, channels), steps = values.length / channels, width = channels * patch;
  if (!steps) refuse("the sequence has no steps", "x");
  if (steps < patch) refuse(`the sequence has ${steps} steps, fewer than a patch of ${patch}`, "x");
  const own = values.slice(0, Math.min(Math.floor(steps / patch), maxLength ?? Infinity) * width);
  const at = (
    i,
  ) => [`step ${Math.floor(i / channels) + 1}, ${channel(names, i % channels)}`, names?.[i % channels] ?? "x"];
  const tooLarge = (i, value) => refuse(`${at(i)[0]} is too large, got ${value}`, at(i)[1]);
  own.forEach((value, i) => Math.abs(value) === Infinity && tooLarge(i, value));
  fill(own, missing, means ?? Array(channels).fill(0));
  return Float32Array.from(own, (value, i) => {
    if (value !== value) refuse(`a value is missing at ${at(i)[0]}`, at(i)[1]);
    const plain = precision ? value : Math.fround(value), c = i % width;
    const scaled = scaling ? (plain - scaling.mean[c]) / scaling.scale[c] : plain;
    return Math.abs(Math.fround(scaled)) < Infinity ? scaled : tooLarge(i, value);
  });
}

/**
 * Steps behind so many as numbers, where one is missing the last before; nothing where the last may be padding.
 *
 * @param numbersOf Steps as numbers.
 */
export function newSteps(steps, before, numbersOf, { channels, missing }) {
  const x = numbersOf(steps.slice(before));
  if (x.slice(-channels).every((value) => value !== value)) return undefined;
  for (let c = 0; c < channels && missing === "last"; c++) {
    for (let t = before; t-- && x[c] !== x[c];) x[c] = numbersOf([steps[t]])[c];
  }
  return x;
}
