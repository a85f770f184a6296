/** Labels as targets, and a model's outputs as labels. */

import { checkArgument, fail } from "../errors.ts";
import { badData } from "./errors.ts";
import { isDecimal, Names, plainLabels } from "./readers/decimals.ts";
import { each, every, filled, type Records } from "./records.ts";
import type { SequenceRecord } from "./readers/record.ts";
import { roundingNotes, Scaling, type ScalingState } from "./scaling.ts";
import { distinctTexts, fields, nullable, oneOf, truth, whole } from "./state.ts";
import { byCodePoint } from "./vocabulary.ts";

/**
 * What is predicted: one of two classes ("binary", by one output), one of several ("multiclass", by one output each), any
 * number of several ("multilabel"), numbers ("regression"), or the numbers to come ("forecast").
 */
export type Task = "binary" | "multilabel" | "multiclass" | "regression" | "forecast";

/** Those that labels are for. */
export type LabelTask = Exclude<Task, "forecast">;

/** All of those. */
export const LABEL_TASKS: readonly LabelTask[] = ["binary", "multilabel", "multiclass", "regression"];

/** A model's output for one sequence, in the data's own words and units. */
export interface Decoded {
  /** The class: "binary" and "multiclass". */
  readonly label?: string;
  /** The classes: "multilabel". */
  readonly labels?: readonly string[];
  /** Of each class, in the order of the pipeline's `labels`: all tasks but "regression". */
  readonly probabilities?: readonly number[];
  /** Of each target, in that order: "regression". */
  readonly values?: readonly number[];
}

/** How labels are read. */
export interface LabelOptions {
  /** The task; undefined: guessed. */
  readonly task?: LabelTask;
  /** Names of the label columns. */
  readonly names?: readonly string[];
  /** Separator of the classes of a "multilabel" record with one label column. */
  readonly separator?: string;
  /** Whether the targets of "multiclass" are rows of 0 and one 1, for the loss "bce". */
  readonly oneHot: boolean;
  /** Whether the targets of "regression" are standardised. */
  readonly standardize: boolean;
}

/** {@linkcode Labels} as JSON. */
export interface LabelState {
  /** The task. */
  readonly task: LabelTask;
  /** Classes or targets. */
  readonly names: readonly string[];
  /** Label columns: 0 where the classes of a record are listed by name. */
  readonly columns: number;
  /** Separator of the names of a list in one column. */
  readonly separator: string | null;
  /** Whether targets of "multiclass" are one-hot rows. */
  readonly oneHot: boolean;
  /** Of the targets of "regression". */
  readonly scaling: ScalingState | null;
}

/** The number in a text, NaN if there is none. */
function numberIn(text: string): number {
  return isDecimal(text) ? Number(text) : NaN;
}

const quote = (texts: readonly string[]) =>
  texts.slice(0, 8).map((text) => JSON.stringify(text)).join(", ") + (texts.length > 8 ? ", …" : "");

/** The labels of a record, which must be there. */
function labelsOf({ labels, place }: SequenceRecord): readonly string[] {
  if (!labels) throw badData("record-unlabeled", `${place}: the label is missing`);
  return labels;
}

/** The different names among labels: the same number is the same name, however it is written. */
function distinctNames(labels: Iterable<readonly string[]>): string[] {
  const all = new Set<string>();
  for (const row of labels) for (const label of row) all.add(label);
  const names = [...all], plain = new Set(plainLabels(names));
  return plain.size < names.length ? [...plain] : names;
}

/** What labels seem to be for, and why. */
function guess(records: Records): { task: LabelTask; why: string } {
  const rows = each(records, labelsOf), width = labelsOf(records.at(0)!).length;
  const even = every(rows, (row) => row.length === width);
  const numbers = every(rows, (row) => row.every((text) => !Number.isNaN(numberIn(text))));
  if (width !== 1 || !even) {
    if (!numbers || !even) {
      return { task: "multilabel", why: "records have lists of labels" };
    }
    const flags = every(rows, (row) => row.every((text) => [0, 1].includes(numberIn(text))));
    return flags
      ? { task: "multilabel", why: `${width} label columns of 0 and 1` }
      : { task: "regression", why: `${width} label columns of numbers` };
  }
  if (numbers && !every(rows, ([text]) => Number.isInteger(numberIn(text!)))) {
    return { task: "regression", why: "labels are numbers, not all whole" };
  }
  const distinct = new Set(distinctNames(rows));
  if (numbers && distinct.size > Math.max(20, records.length / 2)) {
    return { task: "regression", why: `labels are ${distinct.size} different numbers` };
  }
  return { task: "multiclass", why: `${distinct.size} different labels` };
}

/** Knows the classes (sorted as text) or the scale of the targets, from the training records alone. */
export class Labels {
  /** The task. */
  readonly task: LabelTask;
  /** Classes or targets. */
  readonly names: readonly string[];
  /** In words, if the task was guessed: "multiclass: 9 different labels". */
  readonly guess?: string;
  /** Notes about the training records, if there are any. */
  readonly notes: readonly string[];
  readonly #state: LabelState;
  readonly #scaling: Scaling | null;
  readonly #numbers: Names;

  private constructor(state: LabelState, scaling: Scaling | null, guess?: string, notes: readonly string[] = []) {
    this.notes = notes;
    this.task = state.task;
    this.names = state.names;
    this.#state = state;
    this.#scaling = scaling;
    this.#numbers = new Names(state.names);
    if (guess !== undefined) this.guess = guess;
  }

  /** From training records. */
  static fit(records: Records, options: LabelOptions): Labels {
    // A label that is missing is told before anything else is.
    for (const record of records) labelsOf(record);
    const guessed = options.task ? undefined : guess(records);
    const task = options.task ?? guessed!.task, { oneHot } = options;
    const separator = task === "multilabel" ? options.separator ?? null : null;
    const first = records.at(0)!, width = labelsOf(first).length, rows = each(records, labelsOf);
    const columns = task === "multilabel"
      ? separator === null && width > 1 &&
          every(rows, (row) => row.length === width && row.every(isFlag))
        ? width
        : 0
      : task === "regression"
      ? width
      : 1;
    const columnNames = options.names?.length === columns && new Set(options.names).size === columns
      ? options.names
      : Array.from({ length: columns }, (_, i) => columns === 1 ? "target" : String(i));
    const draft: LabelState = {
      task,
      names: columnNames,
      columns,
      separator,
      oneHot: task === "multiclass" && oneHot,
      scaling: null,
    };
    const reader = new Labels(draft, null);
    if (task === "regression") {
      if (width === 0) throw badData("record-unlabeled", `${first.place}: the label is missing`);
      const values = each(records, (record) => reader.#values(record)), one = reader.#values(first);
      if (every(values, (row) => row.every((value, i) => value === one[i]))) {
        throw badData("nothing-to-learn", `every record has the target ${one}, so there is nothing to learn`);
      }
      const name = (i: number) => `target ${JSON.stringify(columnNames[i])}`;
      const scaling = options.standardize ? Scaling.fit(values, width, name) : null;
      return new Labels(
        { ...draft, scaling: scaling?.toJSON() ?? null },
        scaling,
        told(guessed),
        scaling ? [] : roundingNotes(values, width, name),
      );
    }
    const used = each(records, (record) => reader.#classes(record));
    const names = columns > 1 ? columnNames : distinctNames(used).sort(byCodePoint);
    if (task === "multilabel") {
      const own = reader.#classes(first),
        listed = (classes: readonly string[]) => [...new Set(plainLabels(classes))].sort(byCodePoint).join("\n");
      let isSame = true;
      for (const classes of used) isSame &&= listed(classes) === listed(own);
      if (isSame) {
        throw badData(
          "nothing-to-learn",
          `every record has the same labels (${quote(own) || "none"}), so there is nothing to learn`,
        );
      }
    } else if (names.length < 2) {
      throw badData(
        "nothing-to-learn",
        `every record has the label ${quote(names)}, from ${first.place} on: there must be two classes at least`,
      );
    } else if (task === "binary" && names.length > 2) {
      throw badData(
        "too-many-classes",
        `the task "binary" takes two classes, got ${names.length} (${quote(names)}); "multiclass" takes more`,
        { count: names.length },
      );
    }
    return new Labels({ ...draft, names }, null, told(guessed));
  }

  /** The loss that fits. */
  get loss(): "bce" | "crossEntropy" | "mse" {
    if (this.task === "regression") return "mse";
    return this.task === "multiclass" && !this.#state.oneHot ? "crossEntropy" : "bce";
  }

  /** Outputs a model needs. */
  get outputSize(): number {
    return this.task === "binary" ? 1 : this.names.length;
  }

  /** Targets of records, as the loss takes them: (N, O), or class numbers (N) for "crossEntropy". */
  encode(records: Records): Float32Array | Int32Array {
    if (this.loss === "crossEntropy") {
      return filled(new Int32Array(records.length), records, (record) => this.#numberOf(record));
    }
    const width = this.outputSize, targets = new Float32Array(records.length * width);
    let i = 0;
    for (const record of records) {
      const row = targets.subarray(i * width, ++i * width);
      if (this.task === "regression") {
        row.set(this.#values(record).map((value, c) => this.#scaling?.apply(value, c) ?? value));
        const bad = row.findIndex((value) => !Number.isFinite(value));
        if (bad >= 0) {
          throw badData("number-out-of-range", `${record.place}: the target ${labelsOf(record)[bad]} is too large`);
        }
      } else if (this.task === "binary") row[0] = this.#numberOf(record);
      else for (const name of this.#classes(record)) row[this.#number(name, record)] = 1;
    }
    return targets;
  }

  /** What one row of probabilities or values (O) says. */
  decode(row: ArrayLike<number>): Decoded {
    checkArgument("decode outputs", "row", row, "numbers");
    const numbers = Array.from(row);
    if (numbers.length !== this.outputSize) {
      throw fail("shape-mismatch", "decode outputs", `there must be ${this.outputSize}, got ${numbers.length}`);
    }
    switch (this.task) {
      case "regression":
        return { values: numbers.map((value, i) => this.#scaling?.undo(value, i) ?? value) };
      case "multilabel":
        return { labels: this.names.filter((_, i) => numbers[i]! > 0.5), probabilities: numbers };
      case "binary":
        return { label: this.names[numbers[0]! > 0.5 ? 1 : 0], probabilities: [1 - numbers[0]!, numbers[0]!] };
      case "multiclass": {
        const best = numbers.reduce((best, value, i) => value > numbers[best]! ? i : best, 0);
        return { label: this.names[best], probabilities: numbers };
      }
    }
  }

  /** As JSON. */
  toJSON(): LabelState {
    return this.#state;
  }

  /** From JSON that anybody may have written. */
  static from(json: unknown, place: string): Labels {
    const state = fields(json, place, ["task", "names", "columns", "separator", "oneHot", "scaling"]);
    const task = oneOf(state.task, `${place}.task`, LABEL_TASKS);
    const names = distinctTexts(state.names, `${place}.names`, task === "binary" || task === "multiclass" ? 2 : 1);
    const columns = whole(state.columns, `${place}.columns`, 0, names.length);
    const separator = nullable(state.separator, (text) => {
      if (typeof text === "string" && text !== "") return text;
      throw fail("file-structure", "load preprocessing", `${place}.separator must be a nonempty string`, {
        name: `${place}.separator`,
      });
    });
    const oneHot = truth(state.oneHot, `${place}.oneHot`);
    const scaling = nullable(state.scaling, (value) => Scaling.from(value, `${place}.scaling`, names.length));
    const fits = task === "multilabel"
      ? columns === 0 || columns === names.length && columns > 1 && separator === null
      : columns === (task === "regression" ? names.length : 1) && separator === null &&
        (task !== "binary" || names.length === 2);
    if (!fits || scaling && task !== "regression" || oneHot && task !== "multiclass") {
      throw fail("file-structure", "load preprocessing", `the fields of ${place} do not fit one another`, {
        name: place,
      });
    }
    return new Labels({ task, names, columns, separator, oneHot, scaling: scaling?.toJSON() ?? null }, scaling);
  }

  /** Numbers of a record of "regression". */
  #values(record: SequenceRecord): number[] {
    return this.#columns(record).map((text) => {
      const value = numberIn(text);
      if (Number.isFinite(value)) return value;
      throw badData("label-out-of-range", `${record.place}: the target must be a number, got ${JSON.stringify(text)}`, {
        value: text,
      });
    });
  }

  /** The classes of a record by name; "multilabel" may have none, in no order, some twice. */
  #classes(record: SequenceRecord): string[] {
    const { columns, separator } = this.#state;
    if (this.task === "multilabel" && columns === 0) {
      const listed = labelsOf(record).flatMap((text) => separator === null ? text : text.split(separator));
      return [...new Set(listed.map((name) => name.trim()).filter((name) => name !== ""))].sort(byCodePoint);
    }
    const texts = this.#columns(record);
    if (this.task !== "multilabel") return texts;
    const strange = texts.find((text) => !isFlag(text));
    if (strange !== undefined) {
      throw badData(
        "label-out-of-range",
        `${record.place}: labels in columns must be 0 or 1, got ${JSON.stringify(strange)}`,
        { value: strange },
      );
    }
    return this.names.filter((_, i) => numberIn(texts[i]!) === 1);
  }

  /** The labels of a record with a fixed number of columns. */
  #columns(record: SequenceRecord): string[] {
    const texts = labelsOf(record), { columns } = this.#state;
    if (texts.length !== columns) {
      throw badData(
        "shape-mismatch",
        `${record.place}: there must be ${columns} label${columns === 1 ? "" : "s"}, got ${texts.length}`,
        { name: "labels" },
      );
    }
    if (texts.some((text) => text.trim() === "")) {
      throw badData("record-unlabeled", `${record.place}: the label is missing`);
    }
    return [...texts];
  }

  /** Whether labels that were taken for classes may be numbers to predict. */
  get #canBeAmounts(): boolean {
    return this.guess !== undefined && this.names.every((name) => Number.isFinite(Number(name)));
  }

  #number(name: string, record: SequenceRecord): number {
    const number = this.#numbers.find(name);
    if (number !== undefined) return number;
    throw badData(
      "label-unknown",
      `${record.place}: the label ${JSON.stringify(name)} was never seen in training, which has ${quote(this.names)}`,
      { name, ...this.#canBeAmounts && { option: "task", advice: 'task "regression" takes labels for amounts' } },
    );
  }

  #numberOf(record: SequenceRecord): number {
    return this.#number(this.#classes(record)[0]!, record);
  }
}

function isFlag(text: string): boolean {
  return [0, 1].includes(numberIn(text));
}

function told(guess?: { task: LabelTask; why: string }): string | undefined {
  return guess && `${guess.task}: ${guess.why}`;
}
