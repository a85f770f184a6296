/** Forecasts: see core/data/windows.ts and forecast.ts. */

import { exp, log } from "../../../math.ts";
import { byName } from "./answers.js";
import { refuse } from "./network.js";
import { fill, rowsIn } from "./numbers.js";

/**
 * What follows some rows, in the data's units.
 *
 * @param rows Objects or lists; the last ones count.
 * @param own The pipeline, with `columns` and the places of the `features` among them.
 */
export function forecast(rows, own, network) {
  const { columns, targetColumns, features, window, horizon, transform, center, missing, means, scaling, quantiles } =
    own;
  const targets = targetColumns.length, count = columns.length, lag = transform === "none" ? 0 : 1;
  const numbers = rowsIn(rows, count, columns, "row"), size = numbers.length / count, reach = window + lag;
  if (!Number.isInteger(size)) refuse(`a row must have ${count} numbers`, "x");
  if (size < reach) refuse(`a forecast needs ${reach} rows, got ${size}`, "x");
  fill(numbers, missing, means ?? Array(count).fill(0));
  const raw = (row, c) => numbers[row * count + c];
  const place = (row, c) => `row ${row + 1}, "${columns[c]}"`;
  /** A column's number at a row, as it goes in. */
  const scaled = (row, c) => {
    const value = raw(row, c), before = c < targets && lag ? raw(row - 1, c) : 0;
    if (value !== value || before !== before) {
      refuse(`a value is missing at ${place(value === value ? row - 1 : row, c)}`, columns[c]);
    }
    const isLog = c < targets && transform === "logDifference";
    if (isLog && !(value > 0 && before > 0)) {
      const [bad, at] = before > 0 ? [value, row] : [before, row - 1];
      refuse(`${place(at, c)}: "logDifference" needs values above 0, got ${bad}`, columns[c]);
    }
    const change = isLog ? log(value) - log(before) : value - before;
    const result = scaling ? (change - scaling.mean[c]) / scaling.scale[c] : change;
    if (!(Math.abs(Math.fround(result)) < Infinity)) refuse(`${place(row, c)} is too large, got ${value}`, columns[c]);
    return result;
  };
  const centers = targetColumns.map((_, c) => {
    const last = scaled(size - 1, c);
    return center ? last : 0;
  });
  const x = new Float32Array(window * features.length);
  for (let i = 0; i < x.length; i++) {
    const c = features[i % features.length], row = size - window + Math.floor(i / features.length);
    x[i] = scaled(row, c) - (centers[c] ?? 0);
  }
  const [outputs, attention] = network(x), each = quantiles?.length ?? 1;
  const levels = Array.from({ length: targets * each }, (_, i) => raw(size - 1, Math.floor(i / each)));
  const values = Array.from({ length: horizon }, (_, h) => {
    levels.forEach((level, i) => {
      const c = Math.floor(i / each), own = outputs[h * levels.length + i] + centers[c];
      const value = scaling ? own * scaling.scale[c] + scaling.mean[c] : own;
      levels[i] = transform === "none" ? value : transform === "difference" ? level + value : level * exp(value);
    });
    return byName(targetColumns, levels, quantiles);
  });
  return { ...quantiles ? { quantiles: values } : { values }, ...attention && { attention } };
}

/** Rows that come one at a time: each says what follows, once there are enough. */
export function rowStreams(predict, own) {
  const { columns, window, transform, missing } = own, reach = window + (transform === "none" ? 0 : 1);
  return () => {
    let rows = [], steps = 0;
    return {
      get steps() {
        return steps;
      },
      push(row) {
        const numbers = rowsIn([row], columns.length, columns, "row"), before = rows.at(-1);
        if (missing === "last" && before) numbers.forEach((value, c) => value !== value && (numbers[c] = before[c]));
        const all = [...rows.slice(-reach + 1 || reach), numbers];
        const prediction = all.length < reach ? undefined : predict(all);
        rows = all;
        steps++;
        return prediction;
      },
      reset() {
        rows = [];
        steps = 0;
      },
    };
  };
}
