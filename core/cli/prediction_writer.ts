/** Predictions as they are printed: JSON Lines or CSV. */

import { display, displayJson } from "../display.ts";
import { UsageError } from "../job/options.ts";
import type {
  AnsweredNumbers,
  AnsweredSource,
  NamedPrediction,
  NoPrediction,
  PlainPrediction,
} from "../job/predictions.ts";
import { digit, digits, json, predictionJson, sumOf } from "../job/prediction_json.ts";
import type { Arguments } from "./options.ts";
import { Terminal } from "./terminal.ts";

/** What is written. */
type Written = NamedPrediction | PlainPrediction | AnsweredSource | AnsweredNumbers;

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
  async write(prediction: Written): Promise<void> {
    if ("answers" in prediction) return await this.#answered(prediction);
    if (this.#output === "text") throw new UsageError("--output text is for answers that are texts, not for these");
    if (!this.#csv) return await this.#json(predictionJson(prediction, this.#attention));
    for (const fields of this.#rows(prediction)) await this.#row(fields);
  }

  /** What is wrong in place of a prediction: as JSON; a row of CSV has the name alone; a line of text is empty. */
  async writeError({ id, blank }: NoPrediction<Written>, error: string): Promise<void> {
    if ("answers" in blank && this.#isText) return await this.#terminal.data("");
    if (!this.#csv) return await this.#json(json({ id, error }));
    const [fields] = this.#rows(blank);
    await this.#row(fields!.map(([name], i) => [name, i ? "" : id]));
  }

  /** Rows of CSV: of numbers one for each step, else one. */
  #rows(prediction: Written): Field[][] {
    if ("answers" in prediction) return [this.#answeredFields(prediction)];
    if ("decoded" in prediction) return [this.#namedFields(prediction)];
    if ("predicts" in prediction) return [this.#plainFields(prediction)];
    const { id, steps, quantiles = [], attention } = prediction,
      Q = quantiles.length || 1,
      S = attention?.shape[1] ?? 0;
    return steps.map((step, u): Field[] => {
      const name = (i: number) => `value ${Math.floor(i / Q)}${quantiles.length ? ` ${quantiles[i % Q]}` : ""}`;
      const weights = digits(attention?.data.subarray(u * S, (u + 1) * S) ?? []).join(" ");
      return [
        ["id", id],
        ["step", u],
        ...step.map((value, i): Field => [name(i), digit(Math.fround(value))]),
        ...this.#attention ? [["attention", weights] satisfies Field] : [],
      ];
    });
  }

  /** Whether answers that are texts are lines of text. */
  get #isText(): boolean {
    return this.#output === "text" || this.#output === undefined && !this.#several && !this.#attention;
  }

  /** A line of text for a source; with several answers or attention, of JSON. */
  async #answered(prediction: AnsweredSource): Promise<void> {
    if (this.#csv) return await this.#row(this.#answeredFields(prediction));
    if (this.#isText && this.#several) {
      throw new UsageError("--n-best is for --output jsonl, with a line for each source");
    }
    if (this.#isText) {
      const line = (prediction.answers[0]?.text ?? "").replace(/[\r\n\u2028\u2029]+/g, " ");
      return await this.#terminal.data(Deno.stdout.isTerminal() ? display(line) : line);
    }
    await this.#json(predictionJson(prediction, this.#attention));
  }

  #answeredFields({ id, source, answers: [one] }: AnsweredSource): Field[] {
    return [["id", id], ["source", source], ["answer", one?.text ?? ""], ["log probability", one ? sumOf(one) : ""]];
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
