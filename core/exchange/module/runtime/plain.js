/** Models without preprocessing: numbers in, numbers out. */

import { forward, refuse } from "./network.js";

/** A number of a sequence; NaN where there is none. */
export function numberAt(value, place, field) {
  if (value === null || value === undefined) return NaN;
  return typeof value === "number"
    ? value
    : refuse(`${place} must be a number, got ${JSON.stringify(value) ?? String(value)}`, field, TypeError);
}

/**
 * A sequence as numbers one after the other: from those, from rows, or from objects with the numbers' names.
 *
 * @param width Numbers per step.
 * @param names Their names, where there are some.
 */
export function flat(x, width, names) {
  if (ArrayBuffer.isView(x) && x.length >= 0) return x;
  if (!Array.isArray(x)) refuse(`a sequence must be a list of its steps, got ${typeof x}`, "x", TypeError);
  const numbers = [];
  x.forEach((row, t) => {
    if (typeof row !== "object" || row === null) numbers.push(numberAt(row, `number ${t + 1}`, "x"));
    else if (row.length !== undefined) {
      if (row.length !== width) refuse(`step ${t + 1} must have ${width} numbers, got ${row.length}`, "x");
      for (let i = 0; i < width; i++) {
        numbers.push(numberAt(row[i], `step ${t + 1}, number ${i + 1}`, names?.[i] ?? "x"));
      }
    } else {
      if (!names) refuse(`step ${t + 1} must be a list of ${width} numbers: they have no names`, "x", TypeError);
      for (const name of names) {
        if (!(name in row)) refuse(`step ${t + 1} lacks "${name}"`, name);
        numbers.push(numberAt(row[name], `step ${t + 1}, "${name}"`, name));
      }
    }
  });
  return numbers;
}

/** Rows of outputs: one, or one of each step. */
export function rowsOf({ steps, size }, outputs) {
  if (!steps) return outputs;
  return Array.from({ length: outputs.length / size }, (_, t) => outputs.slice(t * size, (t + 1) * size));
}

/**
 * Predicts numbers.
 *
 * @param predicts What they are called: "probabilities", "values", "scores".
 */
export function plain(shape, predicts) {
  return (x, inputs) => {
    const { outputs, weights } = forward(shape, flat(x, shape.width), inputs);
    return { [predicts]: rowsOf(shape, outputs), ...weights && { attention: weights } };
  };
}

/** Sequences that come one step at a time: each says what all steps so far do. */
export function streams(predict) {
  return () => {
    let steps = [];
    return {
      get steps() {
        return steps.length;
      },
      push(sample, inputs) {
        const all = [...steps, sample], prediction = predict(all, inputs);
        steps = all;
        return prediction;
      },
      reset() {
        steps = [];
      },
    };
  };
}
