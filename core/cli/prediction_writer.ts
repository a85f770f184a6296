/** Predictions as they are printed: JSON Lines or CSV. */

import { displayJson } from "../display.ts";
import type { NamedPrediction, PlainPrediction } from "../job/predictions.ts";
import type { Arguments } from "./options.ts";
import { Terminal } from "./terminal.ts";

/** Heads of columns, by what is in them. */
const ONE = { probabilities: "probability", values: "value", scores: "score" } as const;

/** Writes predictions as JSON Lines or CSV. */
export class PredictionWriter {
  readonly #terminal = new Terminal();
  readonly #csv: boolean;
  readonly #attention: boolean;
  #header = false;

  constructor({ output, attention }: Arguments) {
    this.#csv = output === "csv";
    this.#attention = attention;
  }

  /** A line of JSON, or a row with the header before the first. */
  async write(prediction: NamedPrediction | PlainPrediction): Promise<void> {
    await ("decoded" in prediction ? this.#named(prediction) : this.#plain(prediction));
  }

  #named(
    { id, rows, decoded: { label, labels, values }, known, names, quantiles, weights }: NamedPrediction,
  ): Promise<void> {
    const [from, to] = rows ?? [], range = rows && { from: from!, to: to! };
    const attention = this.#attention && weights ? { attention: digits(weights) } : {};
    if (!this.#csv) {
      return this.#json({
        id,
        ...range,
        ...label !== undefined && { label },
        ...labels && { labels },
        ...values && !quantiles && { values: byName(names.map((name, i) => [name, digit(values[i]!)])) },
        ...values && quantiles &&
          { quantiles: byName(names.map((name, i) => [name, quantilesAt(values, quantiles, i)])) },
        ...known && { probabilities: byName(known.map(([name, p]) => [name, digit(p)])) },
        ...attention,
      });
    }
    const fields: [string, string | number][] = [["id", id], ...Object.entries(range ?? {})];
    if (label !== undefined) fields.push(["label", label]);
    if (labels) fields.push(["labels", labels.join("|")]);
    if (values && !quantiles) names.forEach((name, i) => fields.push([name, digit(values[i]!)]));
    if (values && quantiles) {
      const columns = names.flatMap((name) => quantiles.map((quantile) => `${name} ${quantile}`));
      columns.forEach((name, i) => fields.push([name, digit(values[i]!)]));
    }
    for (const [name, p] of known ?? []) fields.push([`probability ${name}`, digit(p)]);
    if (this.#attention) fields.push(["attention", digits(weights ?? []).join(" ")]);
    return this.#row(fields);
  }

  /** Of a model without names: class numbers. */
  #plain({ id, predicts, number, values, weights }: PlainPrediction): Promise<void> {
    const isClass = number !== undefined;
    if (!this.#csv) {
      const what = { ...isClass && { class: number }, [predicts]: digits(values), attentionWeights: digits(weights) };
      return this.#json(what);
    }
    const fields: [string, string | number][] = [["id", id]];
    if (isClass) fields.push(["class", number]);
    values.forEach((value, i) => fields.push([`${ONE[predicts]} ${i}`, digit(value)]));
    if (this.#attention) fields.push(["attention", digits(weights).join(" ")]);
    return this.#row(fields);
  }

  #json(value: object): Promise<void> {
    return this.#terminal.data(displayJson(JSON.stringify(value)));
  }

  async #row(fields: readonly (readonly [string, string | number])[]): Promise<void> {
    const quote = (cell: string | number) =>
      /[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell);
    if (!this.#header) await this.#terminal.data(fields.map(([name]) => quote(name)).join(","));
    this.#header = true;
    await this.#terminal.data(fields.map(([, cell]) => quote(cell)).join(","));
  }
}

/** The quantiles of the i-th name. */
function quantilesAt(values: readonly number[], quantiles: readonly number[], i: number): Record<string, number> {
  return byName(quantiles.map((quantile, k) => [String(quantile), digit(values[i * quantiles.length + k]!)]));
}

/** An object that may have any name for a key. */
function byName<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries);
}

/** The number whose shortest decimal gives a 32-bit float back, if it is one: else the 64-bit number that it is. */
export function digit(value: number): number {
  if (Math.fround(value) !== value) return value;
  // Six digits are not more than it takes, but for the smallest numbers, which have fewer bits.
  for (let digits = Math.abs(value) < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

function digits(values: ArrayLike<number>): number[] {
  return Array.from(values, digit);
}
