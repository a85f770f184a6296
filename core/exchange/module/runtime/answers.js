/** Outputs in the data's own words and units: see core/data/labels.ts. */

/** Values by name; their quantiles by quantile, where there are some. */
export function byName(names, values, quantiles) {
  const count = quantiles?.length;
  return Object.fromEntries(names.map((name, i) => [
    name,
    count ? Object.fromEntries(quantiles.map((q, k) => [q, values[i * count + k]])) : values[i],
  ]));
}

/** One of several classes. */
export function oneClass(outputs, { names }) {
  const best = outputs.reduce((best, value, i) => value > outputs[best] ? i : best, 0);
  return { label: names[best], probabilities: byName(names, outputs) };
}

/** One of two, by one output. */
export function eitherClass([p], { names }) {
  return { label: names[p > 0.5 ? 1 : 0], probabilities: byName(names, [1 - p, p]) };
}

/** Any of several. */
export function anyClasses(outputs, { names }) {
  return { labels: names.filter((_, i) => outputs[i] > 0.5), probabilities: byName(names, outputs) };
}

/** Numbers, which may be quantiles, in the data's units. */
export function amounts(outputs, { names, scaling, quantiles }) {
  const count = quantiles?.length ?? 1;
  const own = byName(
    names,
    outputs.map((value, i) => {
      const o = Math.floor(i / count);
      return scaling ? value * scaling.scale[o] + scaling.mean[o] : value;
    }),
    quantiles,
  );
  return quantiles ? { quantiles: own } : { values: own };
}
