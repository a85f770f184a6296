/** Predictions as they are printed: JSON Lines or CSV. */

import { display, displayJson } from "../display.ts";
import { UsageError } from "../job/options.ts";
import type { AnsweredSource, NamedPrediction, NoPrediction, PlainPrediction } from "../job/predictions.ts";
import { digit, digits, json, predictionJson, sumOf } from "../job/prediction_json.ts";
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
    if (!this.#csv) return await this.#json(predictionJson(prediction, this.#attention));
    await this.#row("decoded" in prediction ? this.#namedFields(prediction) : this.#plainFields(prediction));
  }

  /** What is wrong in place of a prediction: as JSON; a row of CSV has the name alone. */
  async writeError({ id, blank }: NoPrediction<NamedPrediction | PlainPrediction>, error: string): Promise<void> {
    if (!this.#csv) return await this.#json(json({ id, error }));
    const fields = "decoded" in blank ? this.#namedFields(blank) : this.#plainFields(blank);
    await this.#row(fields.map(([name], i) => [name, i ? "" : id]));
  }

  /** A line of text for a source; with several answers or attention, of JSON. */
  async #answered(prediction: AnsweredSource): Promise<void> {
    const { id, source, answers: [one] } = prediction;
    if (this.#csv) {
      return await this.#row([["id", id], ["source", source], ["answer", one?.text ?? ""], [
        "log probability",
        one ? sumOf(one) : "",
      ]]);
    }
    const isText = this.#output === "text" || this.#output === undefined && !this.#several && !this.#attention;
    if (isText && this.#several) throw new UsageError("--n-best is for --output jsonl, with a line for each source");
    if (isText) {
      const line = (one?.text ?? "").replace(/[\r\n\u2028\u2029]+/g, " ");
      return await this.#terminal.data(Deno.stdout.isTerminal() ? display(line) : line);
    }
    await this.#json(predictionJson(prediction, this.#attention));
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

  #plainFields({ id, predicts, number, values, weights }: PlainPrediction): Field[] {
    const fields: Field[] = [["id", id]];
    if (number !== undefined) fields.push(["class", number]);
    values.forEach((value, i) => fields.push([`${ONE[predicts]} ${i}`, digit(value)]));
    if (this.#attention) fields.push(["attention", digits(weights).join(" ")]);
    return fields;
  }

  #json(text: string): Promise<void> {
    return this.#terminal.data(displayJson(text));
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
