/** Everything between the records of a file and a model, fitted on the training part alone. */

import { checkArgument } from "../errors.ts";
import { classificationMetrics } from "./metrics/classification.ts";
import { regressionMetrics } from "./metrics/regression.ts";
import { checkRows, type Rows, validRows } from "./metrics/rows.ts";
import type { TaskMetrics } from "./metrics/summary.ts";
import { decodeRows } from "./quantiles.ts";
import { ownOptions, resolveOptions } from "../options.ts";
import { badData, checkRecords, checkSome } from "./errors.ts";
import { type Decoded, Labels, type LabelTask } from "./labels.ts";
import { type NumberInputs, Numbers } from "./numbers.ts";
import {
  guessUnit,
  inColumns,
  keptOf,
  nothingLeft,
  pack,
  type PreparedDataset,
  type PreparedSequences,
  textOf,
  weightsOf,
} from "./prepared.ts";
import { Columns, each, type Records, select } from "./records.ts";
import { readingState } from "./readers/reading.ts";
import type { Reading, SequenceRecord } from "./readers/record.ts";
import { type FullOptions, PIPELINE_OPTIONS, type PipelineOptions } from "./pipeline_options.ts";
import type { PipelineState, TokenInputs } from "./pipeline_state.ts";
import { type WindowState, windowState } from "./recordings.ts";
import { looksPerStep, stepsOf } from "./step_labels.ts";
import { fields, oneOf, truth, whole } from "./state.ts";
import { PADDING, Vocabulary } from "./vocabulary.ts";

export type { PipelineState, TokenInputs };

/** Width of the embedding of tokens, unless one is chosen. */
const EMBEDDING_SIZE = 32;

/** Steps up to which sequences of any length are packed together, and padded steps that a part has at most. */
const LEAST_STEPS = 16, MOST_STEPS = 2 ** 18;

/**
 * What makes a file's records a model's inputs and targets, and a model's outputs labels or numbers in the data's units.
 * All it knows (classes, means, vocabulary) comes from the training records; as JSON it goes into the checkpoint.
 *
 * Classes are sorted as text. "binary" is one output with the loss "bce": the probability of the second class. Labels that
 * are guessed are never "binary" but "multiclass", two classes too: one output per class with "crossEntropy".
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Pipeline } from "@grutto/grutto";
 *
 * const record = (values: number[], label: string, line: number) => ({
 *   values: Float32Array.from(values), steps: values.length, channels: 1, labels: [label], place: `data.csv, line ${line}`,
 * });
 * const records = [record([1, 2, 3], "up", 1), record([3, 2], "down", 2)];
 * const pipeline = Pipeline.fit(records);
 * assert.deepEqual([pipeline.task, pipeline.labels, pipeline.loss], ["multiclass", ["down", "up"], "crossEntropy"]);
 * const { shape, lengths, targets } = pipeline.dataset(records);
 * assert.deepEqual([shape, [...lengths!], [...targets]], [[2, 3, 1], [3, 2], [1, 0]]);
 * assert.equal(pipeline.decode([0.2, 0.8]).label, "up");
 * const copy = Pipeline.from(JSON.parse(JSON.stringify(pipeline)));
 * assert.deepEqual(copy.dataset(records), pipeline.dataset(records));
 * ```
 */
export class Pipeline {
  /** Guesses made when it was fitted, in words: "task multiclass: 9 different labels". */
  readonly guesses: readonly string[];
  /** Notes about the training records, in words, made when it was fitted. */
  readonly notes: readonly string[];
  /** How the files are read that it was fitted on, as options for reading others; undefined where nobody said. */
  readonly reading: Reading | undefined;
  /** How recordings were cut into the records that it was fitted on; undefined where they were not. */
  readonly windows: WindowState | undefined;
  /** Whether labels, and so outputs, are of every step. */
  readonly everyStep: boolean;
  readonly #inputs: Numbers | Vocabulary;
  readonly #labels: Labels;

  private constructor(
    inputs: Numbers | Vocabulary,
    labels: Labels,
    everyStep: boolean,
    { reading, windows }: Pick<PipelineState, "reading" | "windows">,
    guesses: readonly string[] = [],
    notes: readonly string[] = [],
  ) {
    this.#inputs = inputs;
    this.#labels = labels;
    this.everyStep = everyStep;
    this.reading = reading && readingState(reading, "reading");
    this.windows = windows && windowState(windows, "windows");
    this.guesses = guesses;
    this.notes = [...inputs.notes, ...labels.notes, ...notes];
  }

  /**
   * A pipeline that knows the training records, and nothing else.
   *
   * @throws {TypeError} If an option is unknown or of the wrong type.
   * @throws {RangeError} If an option is out of range, or the records are none, of one class, without labels, or do not fit
   * one another: the message names the place.
   */
  static fit(records: Records, options: PipelineOptions = {}): Pipeline {
    const { labelNames, channelNames, stepNames, reading, windows, ...rest } = ownOptions("prepare data", options);
    const full = resolveOptions("prepare data", PIPELINE_OPTIONS, rest) as unknown as FullOptions;
    checkSome(records);
    const guesses: string[] = [], first = records.at(0)!, text = first.text !== undefined;
    let kept: Records = records, inputs: Numbers | Vocabulary;
    const { tokens, normalize, minCount, maxLength, patch, labelEveryStep = false } = full;
    if (labelEveryStep && patch > 1) {
      throw badData("option-conflict", "patch makes one step of several, whose labels differ", { option: "patch" });
    }
    const others = text ? { patch: patch > 1, labelEveryStep } : { tokens, normalize, minCount: minCount > 1 };
    const option = Object.entries(others).find(([, value]) => value)?.[0];
    if (option) {
      const [expected, got] = text ? ["numbers", "text"] : ["text", "numbers"], { place } = first;
      const problem = `${option} is for ${expected}, got ${got} in ${place}`;
      throw badData("input-kind", problem, { option, expected, name: place });
    }
    if (text) {
      const texts = each(records, textOf), unit = tokens ?? guessUnit(texts, records.length);
      if (!tokens) guesses.push(`tokens ${unit}: what most texts look like`);
      inputs = Vocabulary.fit(texts, {
        unit,
        normalize: normalize ?? (unit === "words" ? "lower" : "none"),
        minCount,
        maxLength,
      });
    } else {
      const numbers = Numbers.fit(records, full, channelNames, stepNames);
      kept = keptOf(records, numbers);
      inputs = numbers;
      if (!kept.length) throw nothingLeft(records);
    }
    const { task, labelSeparator: separator, oneHot, standardize } = full;
    const cut = windows ?? (first.rows && { window: first.rows[1] - first.rows[0] });
    const isUnclear = full.labelEveryStep === undefined && !labelNames && separator === undefined && !cut;
    const lengthOf = ({ steps, text }: SequenceRecord) =>
      inputs instanceof Vocabulary ? inputs.split(text!).length : steps;
    const notes = [isUnclear ? looksPerStep(kept, lengthOf, text) : undefined].filter((note) => note !== undefined);
    const settings = { task, names: labelNames, separator, oneHot, standardize };
    const labels = Labels.fit(labelEveryStep ? Array.from(kept, (one) => stepsOf(one)).flat() : kept, settings);
    if (labels.guess) guesses.unshift(`task ${labels.guess}`);
    return new Pipeline(inputs, labels, labelEveryStep, { reading, windows: cut }, guesses, notes);
  }

  /**
   * A pipeline as it was stored.
   *
   * @param json What `toJSON` gave; it may come from anybody, and is checked in full.
   * @throws {TypeError} If something is missing, too much, of the wrong type, not finite, or does not fit the rest.
   */
  static from(json: unknown): Pipeline {
    const place = "preprocessing";
    const state = fields(json, place, ["kind", "version", "inputs", "labels"], ["everyStep", "reading", "windows"]);
    oneOf(state.kind, `${place}.kind`, ["sequences"]);
    whole(state.version, `${place}.version`, 1, 1);
    const kind = (state.inputs as Partial<NumberInputs> | null)?.kind;
    const inputs = oneOf(kind, `${place}.inputs.kind`, ["numbers", "tokens"]) === "numbers"
      ? Numbers.from(state.inputs, `${place}.inputs`)
      : Vocabulary.from(
        fields(state.inputs, `${place}.inputs`, ["kind", "vocabulary"]).vocabulary,
        `${place}.inputs.vocabulary`,
      );
    const reading = state.reading === undefined ? undefined : readingState(state.reading, `${place}.reading`);
    const windows = state.windows === undefined ? undefined : windowState(state.windows, `${place}.windows`);
    const everyStep = state.everyStep !== undefined && truth(state.everyStep, `${place}.everyStep`);
    return new Pipeline(inputs, Labels.from(state.labels, `${place}.labels`), everyStep, { reading, windows });
  }

  /** As JSON can hold it; numbers to the bit. */
  toJSON(): PipelineState {
    const inputs = this.#inputs instanceof Vocabulary
      ? { kind: "tokens" as const, vocabulary: this.#inputs.toJSON() }
      : this.#inputs.toJSON();
    const { reading, everyStep, windows } = this;
    return {
      kind: "sequences",
      version: 1,
      inputs,
      labels: this.#labels.toJSON(),
      ...everyStep && { everyStep },
      ...reading && { reading },
      ...windows && { windows },
    };
  }

  /** The task. */
  get task(): LabelTask {
    return this.#labels.task;
  }

  /** The loss that fits the task. */
  get loss(): "bce" | "crossEntropy" | "mse" {
    return this.#labels.loss;
  }

  /** Names of the classes, or of the targets of "regression". */
  get labels(): readonly string[] {
    return this.#labels.names;
  }

  /** Whether each sequence is taken for the one of more than two classes with the highest output. */
  get choosesClass(): boolean {
    return this.loss === "crossEntropy" && this.labels.length > 2 && !this.everyStep;
  }

  /** Numbers per step, I; for tokens 32, the width that their embedding gets unless another is chosen. */
  get inputSize(): number {
    return this.#inputs instanceof Vocabulary ? EMBEDDING_SIZE : this.#inputs.width;
  }

  /** Outputs, O. */
  get outputSize(): number {
    return this.#labels.outputSize;
  }

  /** Tokens, padding and unknown included, V; 0: inputs are numbers. */
  get numEmbeddings(): number {
    return this.#inputs instanceof Vocabulary ? this.#inputs.size : 0;
  }

  /** The token of padding; undefined: inputs are numbers. */
  get paddingIdx(): number | undefined {
    return this.#inputs instanceof Vocabulary ? PADDING : undefined;
  }

  /** Names of the channels, where their reader knew them. */
  get channelNames(): readonly string[] | undefined {
    return this.#inputs instanceof Vocabulary ? undefined : this.#inputs.names;
  }

  /**
   * Names of the columns that the steps of a sequence were in, where they came from a wide table: `featureColumns` for
   * reading another one.
   */
  get stepNames(): readonly string[] | undefined {
    return this.#inputs instanceof Vocabulary ? undefined : this.#inputs.stepNames;
  }

  /** The tokens of a text, as they stand in the sequence; none for numbers. */
  tokens(text: string): string[] {
    checkArgument("prepare data", "text", text, "string");
    return this.#inputs instanceof Vocabulary ? this.#inputs.split(text) : [];
  }

  /** The tokens of records that the vocabulary lacks, each with its count, the most frequent first; none for numbers. */
  unknownTokens(records: Records): ReadonlyMap<string, number> {
    checkRecords(records);
    return this.#inputs instanceof Vocabulary ? this.#inputs.unknown(each(records, textOf)) : new Map();
  }

  /** Whether a record stays in: with missing: "drop", one that lacks a value does not. */
  keeps(record: SequenceRecord): boolean {
    checkArgument("prepare data", "record", record, []);
    return this.#inputs instanceof Vocabulary || this.#inputs.keeps(record);
  }

  /**
   * Records as labelled sequences.
   *
   * @returns `x` (N, T, I) standardised and padded with 0, or tokens (N, T); `targets` as the loss takes them; `weights`
   * where a record has one.
   * @throws {RangeError} If a record does not fit those of the training: a label that is missing or was never seen there,
   * another number of channels, a missing or infinite value. The message names the place.
   */
  dataset(records: Records): PreparedDataset {
    const sequences = this.sequences(records), { rows } = sequences;
    const kept = rows.length === records.length ? records : select(records, rows), weights = weightsOf(kept);
    if (this.everyStep) {
      const targets = this.#stepTargets(kept, sequences);
      return Object.assign(sequences, { targets, targetsPerStep: true as const, ...weights && { weights } });
    }
    // Assigned: x may be made only where somebody asks for it.
    return Object.assign(sequences, { targets: this.#labels.encode(kept), ...weights && { weights } });
  }

  /** Targets of every step (N, T, …). */
  #stepTargets(records: Records, { shape: [N, T], lengths }: PreparedSequences) {
    const encoded = Array.from(records, (record, n) => this.#labels.encode(stepsOf(record, lengths?.[n] ?? T)));
    const width = encoded[0]!.length / (lengths?.[0] ?? T), size = N * T * width;
    const targets = encoded[0] instanceof Int32Array ? new Int32Array(size) : new Float32Array(size);
    encoded.forEach((own, n) => targets.set(own, n * T * width));
    return targets;
  }

  /**
   * Records as sequences, for prediction: labels are not looked at.
   *
   * @throws {RangeError} As `dataset`.
   */
  sequences(records: Records): PreparedSequences {
    checkSome(records);
    if (this.#inputs instanceof Numbers && records instanceof Columns) return inColumns(records, this.#inputs);
    const { encoded, rows } = this.#encode(records);
    return this.#pack(encoded, rows);
  }

  /**
   * The same in parts of similar lengths, as many sequences to a part as are predicted well together: padding takes no
   * more room than the sequences, whatever their lengths.
   *
   * @throws {RangeError} As `dataset`.
   */
  parts(records: Records): PreparedSequences[] {
    checkSome(records);
    const { encoded, rows } = this.#encode(records), width = this.#width;
    const parts = new Map<number, number[]>(), full: number[][] = [];
    encoded.forEach(({ length }, i) => {
      const steps = Math.max(LEAST_STEPS, 2 ** Math.ceil(Math.log2(length / width))), part = parts.get(steps) ?? [];
      part.push(i);
      if (part.length * steps < MOST_STEPS) parts.set(steps, part);
      else if (full.push(part)) parts.delete(steps);
    });
    return [...full, ...parts.values()].map((part) =>
      this.#pack(part.map((i) => encoded[i]!), Uint32Array.from(part, (i) => rows[i]!))
    );
  }

  /** Numbers of a step as it is stored: 1 for tokens. */
  get #width(): number {
    return this.#inputs instanceof Vocabulary ? 1 : this.#inputs.width;
  }

  /** What goes into a model of each record that stays in, and their numbers. */
  #encode(records: Records): { encoded: (Float32Array | Int32Array)[]; rows: Uint32Array } {
    const inputs = this.#inputs, rows: number[] = [], encoded: (Float32Array | Int32Array)[] = [];
    let row = 0;
    for (const record of records) {
      if (this.keeps(record)) {
        encoded.push(
          inputs instanceof Vocabulary ? Int32Array.from(inputs.encode(textOf(record))) : inputs.encode(record),
        );
        rows.push(row);
      }
      row++;
    }
    if (!rows.length) throw nothingLeft(records);
    return { encoded, rows: Uint32Array.from(rows) };
  }

  #pack(encoded: readonly (Float32Array | Int32Array)[], rows: Uint32Array): PreparedSequences {
    const isText = this.#inputs instanceof Vocabulary;
    return pack(encoded, this.#width, (size) => isText ? new Int32Array(size) : new Float32Array(size), rows);
  }

  /**
   * What a model's output for one sequence says.
   *
   * @param row Probabilities, or values for "regression" (O), as `predict` gives them.
   * @throws {RangeError} If they are not O numbers.
   */
  decode(row: ArrayLike<number>): Decoded {
    return this.#labels.decode(row);
  }

  /**
   * Outputs of "regression" in the data's units (N, O).
   *
   * @param outputs As `predict` gives them; quantiles are (N, O·Q), and stay so.
   * @param quantiles Which they are (Q).
   */
  values(outputs: ArrayLike<number>, quantiles?: readonly number[]): Float64Array {
    if (this.task !== "regression") throw badData("input-kind", `values are of regression, got ${this.task}`);
    return decodeRows(outputs, this.outputSize, quantiles?.length ?? 1, (row) => this.decode(row).values!);
  }

  /**
   * What a model's outputs are worth, by the task; numbers in the data's units.
   *
   * @param outputs As `evaluate` gives them with `metrics` (N, O); quantiles are (N, O·Q).
   * @param dataset What `dataset` made.
   * @param options The quantiles, if they are predicted.
   * @throws {RangeError} If they do not fit one another.
   */
  score(
    outputs: Rows,
    dataset: Pick<PreparedDataset, "targets" | "lengths">,
    options: { quantiles?: readonly number[] } = {},
  ): TaskMetrics {
    checkRows(outputs, "outputs");
    checkArgument("compute metrics", "dataset", dataset, ["targets"]);
    const { task, labels } = this, { shape, data } = outputs, { targets, lengths } = dataset;
    const { quantiles } = ownOptions("compute metrics", options, { quantiles: true });
    if (shape.length === 3) {
      const valid = validRows({ shape, data: data as Float32Array }, targets, lengths);
      return this.score(valid.outputs, { targets: valid.targets }, { quantiles });
    }
    if (task !== "regression") {
      return classificationMetrics({ shape, data }, targets, { labels, multilabel: task === "multilabel" });
    }
    const truth = { shape: [shape[0]!, this.outputSize], data: this.values(targets) };
    return regressionMetrics({ shape, data: this.values(data, quantiles) }, truth, { quantiles });
  }
}
