/** How records or rows are divided into those to train on, to watch while training, and to test on. */

import { amend } from "../errors.ts";
import { badData } from "./errors.ts";
import type { Task } from "./labels.ts";
import { plainLabels } from "./readers/decimals.ts";
import type { SequenceRecord } from "./readers/record.ts";
import { every, filled, type Records, select } from "./records.ts";
import { everyNth, kFold, randomIndices, stratifiedSplit, walkForward } from "./split.ts";
import type { RowRange } from "./forecast_state.ts";

/** Parts for training, watching and testing. */
export interface Division<Part> {
  /** Which of several: "fold 2". */
  readonly name?: string;
  readonly train: Part;
  /** Absent where nothing is held out for it. */
  readonly validation?: Part;
  /** Absent where nothing is held out for it. */
  readonly test?: Part;
}

/**
 * How records are divided, those of a group always into the same part: shares and numbers are then of groups. `folds`, `testEvery` or `testSplit` hold some back for testing, where no others are given. */
export interface RecordDivision {
  /** Share for testing. Default 0.2. */
  readonly testSplit?: number;
  /** Test on records 0, N, 2N, … of each file; on groups 0, N, 2N, … of all. */
  readonly testEvery?: number;
  /** Cross-validation with so many parts. */
  readonly folds?: number;
  /** Share of those to train on that are watched instead. */
  readonly validationSplit?: number;
  /** Whether every part has the classes' shares. */
  readonly stratify: boolean;
}

/** What is divided. */
export interface Divided<R extends Records> {
  /** For errors. */
  readonly name: string;
  readonly records: R;
  /** The file of each. */
  readonly files: ArrayLike<number>;
  /** Others to test on. */
  readonly test?: R;
  readonly task?: Task;
}

/**
 * Records for one training, or for one after the other.
 *
 * @throws {RangeError} If there are too few.
 */
export function divideRecords<R extends Records>(
  { name, records, files, test: others, task }: Divided<R>,
  { testSplit, testEvery, folds, stratify, validationSplit }: RecordDivision,
  seed: number,
): Division<R>[] {
  const isGrouped = !every(records, ({ group }) => group === undefined);
  const what = { what: name, item: isGrouped ? "group" : "sequence" };
  // What is divided, each in one part: records, or groups of them.
  const unitsOf = (of: R) => isGrouped ? groupsOf(of) : undefined;
  const classesIn = (of: R, units: Units) =>
    stratify ? classesOf(units ? units.map((rows) => shared(rows.map((row) => of.at(row)!))) : of, task) : undefined;
  const pick = (units: Units, numbers: Uint32Array, of: R) =>
    select(of, units ? Array.from(numbers, (unit) => units[unit]!).flat().sort((a, b) => a - b) : numbers) as R;
  const cut = (of: R, option: string, asked: number) => {
    const units = unitsOf(of), classes = classesIn(of, units), count = (units ?? of).length;
    if (isGrouped && count < 2) {
      const why = `${name}: all ${of.length} sequences are of one ${what.item}, which no split parts`;
      throw badData("too-few-items", why, { count, name: what.item, option });
    }
    // Groups are few: at least one, of those there are.
    const share = isGrouped ? Math.min(count - 1, Math.max(1, Math.round(asked * count))) / count : asked;
    const parts = [1 - share, share];
    const rows = dividing(
      { ...what, option },
      () => classes ? stratifiedSplit(classes, parts, seed) : randomIndices(count, parts, seed),
    );
    return rows.map((part) => pick(units, part, of));
  };
  const watched = (division: Division<R>): Division<R> => {
    if (validationSplit === undefined) return division;
    const [train, validation] = cut(division.train, "validationSplit", validationSplit);
    return { ...division, train: train!, validation };
  };
  const units = unitsOf(records), count = (units ?? records).length;
  const parted = (part: Uint32Array) => pick(units, part, records);
  if (folds !== undefined) {
    const classes = classesIn(records, units);
    const parts = dividing({ ...what, option: "folds" }, () => kFold(count, folds, seed, { classes }));
    return parts.map(({ train, test }, i) =>
      watched({ name: `fold ${i + 1}`, train: parted(train), test: parted(test) })
    );
  }
  if (others) return [watched({ train: records, test: others })];
  if (testEvery !== undefined) {
    const { train, test } = dividing(
      { ...what, option: "testEvery" },
      () => everyNth(count, testEvery, units || !files.length ? undefined : files),
    );
    return [watched({ train: parted(train), test: parted(test) })];
  }
  if (testSplit === 0) return [watched({ train: records })];
  const [train, test] = cut(records, "testSplit", testSplit ?? 0.2);
  return [watched({ train: train!, test })];
}

/** The records of each group; undefined where records are divided one by one. */
type Units = readonly number[][] | undefined;

/** The records of each group, in the order of the groups' first records; one without a group is one by itself. */
function groupsOf(records: Records): number[][] {
  const groups = new Map<string | number, number[]>();
  let row = 0;
  for (const { group = undefined } of records) {
    const key = group ?? row, rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
    row++;
  }
  return [...groups.values()];
}

/** What records of a group have in common: one of them if all have the same labels, else one without. */
function shared(records: readonly SequenceRecord[]): SequenceRecord {
  const [first] = records as [SequenceRecord], text = (record: SequenceRecord) => JSON.stringify(record.labels);
  if (records.every((record) => text(record) === text(first))) return first;
  return { steps: first.steps, channels: first.channels, place: first.place };
}

/** The class of each record by its number, where they are classes: few names, each more than once. */
function classesOf(records: Records, task?: Task): Uint32Array | undefined {
  if (task === "regression" || task === "multilabel") return undefined;
  const numbers = new Map<string, number>();
  for (const { labels } of records) {
    if (labels?.length !== 1) return undefined;
    if (!numbers.has(labels[0]!)) numbers.set(labels[0]!, numbers.size);
  }
  const names = plainLabels([...numbers.keys()]), classes = new Map([...new Set(names)].map((name, i) => [name, i]));
  if (classes.size > records.length / 2) return undefined;
  const own = names.map((name) => classes.get(name)!);
  return filled(new Uint32Array(records.length), records, ({ labels }) => own[numbers.get(labels![0]!)!]!);
}

/** How the rows of a table are divided in time. */
export interface RowDivision {
  /** Share for testing, the last rows. Default 0.2. */
  readonly testSplit?: number;
  /** Rows to test on, in place of a share. */
  readonly test?: RowRange;
  /** Rows to train on. Default: all before those to test on. */
  readonly train?: RowRange;
  /** Share of those to train on that are watched instead, the last ones. */
  readonly validationSplit?: number;
  /** Cross-validation forward in time, in so many steps. */
  readonly walkForward?: number;
}

/**
 * Rows for one training, or for one after the other: to train, to watch and to test on, always in that order.
 *
 * @throws {RangeError} If there are too few.
 */
export function divideRows(
  { name, rows }: { readonly name: string; readonly rows: number },
  { testSplit = 0.2, test, train, validationSplit, walkForward: folds }: RowDivision,
): Division<RowRange>[] {
  const watched = ({ train: [from, to], ...rest }: Division<RowRange>): Division<RowRange> => {
    if (validationSplit === undefined) return { train: [from, to], ...rest };
    const at = to - Math.max(1, Math.round((to - from) * validationSplit));
    return { ...rest, train: [from, at], validation: [at, to] };
  };
  if (folds !== undefined) {
    const parts = dividing({ what: name, item: "row", option: "walkForward" }, () => walkForward(rows, folds));
    return parts.map(({ trainRows, testRows }, i) =>
      watched({ name: `fold ${i + 1}`, train: trainRows, test: testRows })
    );
  }
  const held = test ?? (testSplit > 0 ? [Math.round(rows * (1 - testSplit)), rows] as const : undefined);
  return [watched({ train: train ?? [0, held?.[0] ?? rows], test: held })];
}

/** Divides data; errors say what is divided into what, and which option asks for it. */
function dividing<T>({ what, item, option }: Record<"what" | "item" | "option", string>, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw amend(error, { action: `divide ${what}`, name: item, option });
  }
}
