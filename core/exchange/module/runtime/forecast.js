/** Forecasts: see core/data/windows.ts and forecast.ts. */

import { exp, log } from "../../../math.ts";
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
  const [outputs, attention] = network(x), each = quantiles ?? [0.5];
  const values = Array.from({ length: horizon }, () => ({}));
  targetColumns.forEach((name, c) => {
    each.forEach((quantile, k) => {
      let level = raw(size - 1, c);
      for (let h = 0; h < horizon; h++) {
        const own = outputs[(h * targets + c) * each.length + k] + centers[c];
        const value = scaling ? own * scaling.scale[c] + scaling.mean[c] : own;
        level = transform === "none" ? value : transform === "difference" ? level + value : level * exp(value);
        if (quantiles) (values[h][name] ??= {})[quantile] = level;
        else values[h][name] = level;
      }
    });
  });
  return { values, ...attention && { attention } };
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
