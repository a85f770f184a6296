/** Records as arrays that a model takes. */

import { defer } from "./dataset.ts";
import { badData, checkSize } from "./errors.ts";
import { missingPlace, type Numbers } from "./numbers.ts";
import type { SequenceRecord } from "./readers/record.ts";
import { type Columns, every, filled, type Records, Scratch, select } from "./records.ts";
import type { TokenUnit } from "./vocabulary.ts";

/** Numbers that are made at once where they come from columns, which stay: 64 MB of float32. */
const MOST_AT_ONCE = 2 ** 24;

/** Sequences as a model takes them, and the records they came from. */
export interface PreparedSequences {
  /** Inputs (N, T, I), row-major; or tokens (N, T). */
  readonly x: Float32Array | Int32Array;
  /** [N, T, I]; of tokens [N, T, 1]. */
  readonly shape: readonly [number, number, number];
  /** Steps of each sequence (N); absent where all have T. */
  readonly lengths?: Int32Array;
  /** The number of the record behind each sequence (N), as missing: "drop" leaves some out. */
  readonly rows: Uint32Array;
}

/** Labelled sequences as a model takes them, and the records they came from. */
export interface PreparedDataset extends PreparedSequences {
  /** Class numbers (N) for "crossEntropy", else rows (N, O); of every step (N, T) or (N, T, O), 0 behind a sequence's length. */
  readonly targets: Float32Array | Int32Array;
  /** True where targets are of every step. */
  readonly targetsPerStep?: true;
  /** How much each sequence counts in the loss (N); absent where all count the same. */
  readonly weights?: Float32Array;
}

/** The text of a record, which must have one. */
export function textOf({ text, place }: SequenceRecord): string {
  if (text === undefined) throw badData("input-kind", `${place}: there must be text, got numbers`);
  return text;
}

/** Words where most texts have several. */
export function guessUnit(texts: Iterable<string>, count: number): TokenUnit {
  let several = 0;
  for (const text of texts) if (/\S\s+\S/.test(text)) several++;
  return several * 2 > count ? "words" : "characters";
}

/** The records that missing values leave in. */
export function keptOf(records: Records, numbers: Numbers): Records {
  if (!numbers.drops) return records;
  const rows = new Uint32Array(records.length);
  let i = 0, count = 0;
  for (const record of records) {
    if (numbers.keeps(record)) rows[count++] = i;
    i++;
  }
  return count === records.length ? records : select(records, rows.subarray(0, count));
}

/** The weights of records, 1 where one has none; undefined where none has. */
export function weightsOf(records: Records): Float32Array | undefined {
  if (every(records, ({ weight }) => weight === undefined)) return undefined;
  const weights = filled(new Float32Array(records.length), records, (record) => {
    const { weight = 1 } = record;
    if (weight >= 0 && Number.isFinite(Math.fround(weight))) return weight;
    throw badData("weight-out-of-range", `${record.place}: the weight must be a number from 0, got ${weight}`, {
      value: weight,
    });
  });
  if (weights.some((weight) => weight > 0)) return weights;
  throw badData("weights-zero", "every record has the weight 0");
}

/**
 * Numbers in columns as sequences. Where they are many, inputs are made a batch at a time, and all of them once somebody
 * asks for `x`.
 */
export function inColumns(records: Columns, inputs: Numbers): PreparedSequences {
  const all = new Uint32Array(records.length), steps = new Int32Array(records.length);
  let row = 0, N = 0;
  for (const record of records) {
    if (inputs.keeps(record)) {
      steps[N] = inputs.check(record);
      all[N++] = row;
    }
    row++;
  }
  if (!N) throw nothingLeft(records);
  const rows = N === row ? all : all.slice(0, N), lengths = N === row ? steps : steps.slice(0, N);
  const T = lengths.reduce((a, b) => Math.max(a, b)),
    { width } = inputs,
    kept = N === row ? records : records.select(rows);
  checkSize(N * T * width, `${N} sequences, all padded to the longest of ${T} steps of ${width},`);
  const take = (places: ArrayLike<number>, steps: number, into?: Float32Array) => {
    const scratch = new Scratch(), size = steps * width, all = places.length * size;
    const x = into?.subarray(0, all).fill(0) ?? new Float32Array(all);
    for (let i = 0; i < places.length; i++) {
      inputs.encodeInto(x.subarray(i * size, (i + 1) * size), kept.at(places[i]!, scratch)!, steps);
    }
    return x;
  };
  const about = { shape: [N, T, width] as const, ...lengths.some((length) => length !== T) && { lengths }, rows };
  if (Math.max(N * T * width, records.size) > MOST_AT_ONCE) return defer(about, take);
  const x = new Float32Array(N * T * width);
  let at = 0;
  for (const record of kept) inputs.encodeInto(x.subarray(at, at += T * width), record, T);
  return { x, ...about };
}

/** Every record is left out. */
export function nothingLeft(records: Records): Error {
  return badData("value-missing", `every record has missing values, the first at ${missingPlace(records.at(0)!)}`);
}

/** Sequences side by side, padded with 0 to the longest. */
export function pack(
  sequences: readonly ArrayLike<number>[],
  width: number,
  empty: (size: number) => Float32Array | Int32Array,
  rows: Uint32Array,
): PreparedSequences {
  const N = sequences.length, lengths = Int32Array.from(sequences, ({ length }) => length / width);
  const T = lengths.reduce((a, b) => Math.max(a, b)), size = N * T * width;
  checkSize(size, `${N} sequences, all padded to the longest of ${T} steps of ${width},`);
  const x = empty(size);
  sequences.forEach((sequence, i) => x.set(sequence, i * T * width));
  const shape = [N, T, width] as const;
  return { x, shape, ...lengths.some((length) => length !== T) && { lengths }, rows };
}
