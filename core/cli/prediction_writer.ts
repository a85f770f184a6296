/** Predictions as they are printed: JSON Lines or CSV. */

import { display, displayJson } from "../display.ts";
import type { TextAnswer } from "../job/answers.ts";
import { UsageError } from "../job/options.ts";
import type { AnsweredSource, NamedPrediction, NoPrediction, PlainPrediction } from "../job/predictions.ts";
import type { Arguments } from "./options.ts";
import { Terminal } from "./terminal.ts";

/** Heads of columns, by what is in them. */
const ONE = { probabilities: "probability", values: "value", scores: "score" } as const;

/** Writes predictions as JSON Lines or CSV. */
export class PredictionWriter {
  readonly #terminal = new Terminal();
  readonly #output: Arguments["output"];
  readonly #csv: boolean;
  readonly #several: boolean;
  readonly #attention: boolean;
  #header = false;

  constructor({ output, attention, given }: Arguments) {
    this.#output = output;
    this.#csv = output === "csv";
    this.#several = (given.search.nBest ?? 1) > 1;
    this.#attention = attention;
  }

  /** A line of JSON, or a row with the header before the first. */
  async write(prediction: NamedPrediction | PlainPrediction | AnsweredSource): Promise<void> {
    if ("answers" in prediction) return await this.#answered(prediction);
    if (this.#output === "text") throw new UsageError("--output text is for the answers of seq2seq, not for labels");
    await ("decoded" in prediction ? this.#named(prediction) : this.#plain(prediction));
  }

  /** What is wrong in place of a prediction: as JSON; a row of CSV has the name alone. */
  async writeError({ id, blank }: NoPrediction<NamedPrediction | PlainPrediction>, error: string): Promise<void> {
    if (!this.#csv) return await this.#json({ id, error });
    const fields = "decoded" in blank ? this.#namedFields(blank) : this.#plainFields(blank);
    await this.#row(fields.map(([name], i) => [name, i ? "" : id]));
  }

  /** A line of text for a source; with several answers or attention, of JSON. */
  async #answered({ id, source, tokens, answers }: AnsweredSource): Promise<void> {
    const one = answers[0], sum = ({ found }: TextAnswer) => digit(Math.fround(found.sum));
    if (this.#csv) {
      return await this.#row([["id", id], ["source", source], ["answer", one?.text ?? ""], [
        "log probability",
        one ? sum(one) : "",
      ]]);
    }
    const isText = this.#output === "text" || this.#output === undefined && !this.#several && !this.#attention;
    if (isText && this.#several) throw new UsageError("--n-best is for --output jsonl, with a line for each source");
    if (isText) {
      const line = (one?.text ?? "").replace(/[\r\n\u2028\u2029]+/g, " ");
      return await this.#terminal.data(Deno.stdout.isTerminal() ? display(line) : line);
    }
    const each = (answer: TextAnswer) => ({
      text: answer.text,
      logProbability: sum(answer),
      score: digit(Math.fround(answer.found.score)),
      ...!answer.found.ended && { cut: true },
      ...this.#attention && {
        tokens: answer.tokens,
        logProbabilities: digits(Float32Array.from(answer.found.logProbabilities)),
        attention: rowsOf(answer),
      },
    });
    const sources = this.#attention ? { sourceTokens: tokens } : {};
    await this.#json({ id, source, ...sources, answers: answers.map(each) });
  }

  #named(prediction: NamedPrediction): Promise<void> {
    if (this.#csv) return this.#row(this.#namedFields(prediction));
    const { id, rows, row, decoded: { label, labels, values }, known, names, quantiles, weights } = prediction;
    return this.#json({
      id,
      ...rows && { from: rows[0], to: rows[1] },
      ...row !== undefined && { row },
      ...label !== undefined && { label },
      ...labels && { labels },
      ...values && !quantiles && { values: new Map(names.map((name, i) => [name, digit(values[i]!)])) },
      ...values && quantiles &&
        { quantiles: new Map(names.map((name, i) => [name, quantilesAt(values, quantiles, i)])) },
      ...known && { probabilities: new Map(known.map(([name, p]) => [name, digit(p)])) },
      ...this.#attention && weights && { attention: digits(weights) },
    });
  }

  #namedFields({ id, rows, row, decoded, known, names, quantiles, weights }: NamedPrediction): Field[] {
    const { label, labels, values } = decoded, fields: Field[] = [["id", id]];
    if (rows) fields.push(["from", rows[0]], ["to", rows[1]]);
    if (row !== undefined) fields.push(["row", row]);
    if (label !== undefined) fields.push(["label", label]);
    if (labels) fields.push(["labels", labels.join("|")]);
    if (values && !quantiles) names.forEach((name, i) => fields.push([name, digit(values[i]!)]));
    if (values && quantiles) {
      const columns = names.flatMap((name) => quantiles.map((quantile) => `${name} ${quantile}`));
      columns.forEach((name, i) => fields.push([name, digit(values[i]!)]));
    }
    for (const [name, p] of known ?? []) fields.push([`probability ${name}`, digit(p)]);
    if (this.#attention) fields.push(["attention", digits(weights ?? []).join(" ")]);
    return fields;
  }

  /** Of a model without names: class numbers. */
  #plain(prediction: PlainPrediction): Promise<void> {
    if (this.#csv) return this.#row(this.#plainFields(prediction));
    const { predicts, number, values, weights } = prediction;
    const what = { ...number !== undefined && { class: number }, [predicts]: digits(values) };
    return this.#json({ ...what, attentionWeights: digits(weights) });
  }

  #plainFields({ id, predicts, number, values, weights }: PlainPrediction): Field[] {
    const fields: Field[] = [["id", id]];
    if (number !== undefined) fields.push(["class", number]);
    values.forEach((value, i) => fields.push([`${ONE[predicts]} ${i}`, digit(value)]));
    if (this.#attention) fields.push(["attention", digits(weights).join(" ")]);
    return fields;
  }

  #json(value: object): Promise<void> {
    return this.#terminal.data(displayJson(json(value)));
  }

  async #row(fields: readonly Field[]): Promise<void> {
    const quote = (cell: string | number) =>
      /[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell);
    if (!this.#header) await this.#terminal.data(fields.map(([name]) => quote(name)).join(","));
    this.#header = true;
    await this.#terminal.data(fields.map(([, cell]) => quote(cell)).join(","));
  }
}

/** A cell of CSV and the name of its column. */
type Field = readonly [name: string, cell: string | number];
/** What the attention weighed at each token of an answer, its end too. */
function rowsOf({ found: { attention: { shape: [steps, T], data } } }: TextAnswer): number[][] {
  return Array.from({ length: steps! }, (_, u) => digits(data.subarray(u * T!, (u + 1) * T!)));
}

/** The quantiles of the i-th name. */
function quantilesAt(values: readonly number[], quantiles: readonly number[], i: number): Map<string, number> {
  return new Map(quantiles.map((quantile, k) => [String(quantile), digit(values[i * quantiles.length + k]!)]));
}

/** As JSON; maps keep their order, whatever their keys: objects would put numbers first. */
function json(value: unknown): string {
  const isMap = value instanceof Map;
  if (!isMap && (typeof value !== "object" || value === null || Array.isArray(value))) return JSON.stringify(value);
  const entries: [string, unknown][] = isMap ? [...value] : Object.entries(value as object);
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${json(one)}`).join(",")}}`;
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
