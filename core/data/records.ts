/**
 * Records in columns. A sequence by itself, an object with an array of its own, takes 300 bytes beside its numbers.
 *
 * @module
 */

import { NumberStore, PackedNumbers } from "./packed.ts";
import { placeAt, type Places, placesOf } from "./places.ts";
import type { SequenceRecord } from "./readers/record.ts";

/** Sequences in an order: a list of them, or something that makes them as they are asked for. */
export interface Records extends Iterable<SequenceRecord> {
  /** How many. */
  readonly length: number;
  /** One of them, by its number from 0. */
  at(index: number): SequenceRecord | undefined;
}

/** Some of them, by their numbers: of a list a list. */
export function select(records: Records, rows: ArrayLike<number>): Records {
  if (records instanceof Columns) return records.select(rows);
  return Array.from(rows, (row) => records.at(row)!);
}

/** Something of each record, made anew each time it is gone through; what is undefined is passed over. */
export function each<T>(records: Iterable<SequenceRecord>, of: (record: SequenceRecord) => T | undefined): Iterable<T> {
  return {
    *[Symbol.iterator]() {
      for (const record of records) {
        const found = of(record);
        if (found !== undefined) yield found;
      }
    },
  };
}

/** Whether all are such. Stops at the first that is not. */
export function every<T>(items: Iterable<T>, is: (item: T) => boolean): boolean {
  for (const item of items) if (!is(item)) return false;
  return true;
}

/** An array with a number of each record. Arrays are not made of what is gone through: that takes room for a list first. */
export function filled<A extends Float32Array | Int32Array | Uint32Array>(
  array: A,
  records: Iterable<SequenceRecord>,
  of: (record: SequenceRecord) => number,
): A {
  let i = 0;
  for (const record of records) array[i++] = of(record);
  return array;
}

/** Most records and numbers of a block. */
const BLOCK_RECORDS = 2048, BLOCK_NUMBERS = 1 << 16;

/** Most lists of labels that are kept once, however many records have them. */
const MOST_LABELS = 1 << 17;

/** Fields that are kept as text, those of a block together. */
const TEXTS = ["text", "weight", "id", "missing", "labels", "group", "rows"] as const;

const FIELDS: ReadonlySet<string> = new Set([...TEXTS, "values", "steps", "channels", "place"]);

/** Lists of labels by number. */
class LabelLists {
  readonly lists: (readonly string[])[] = [];
  readonly #single = new Map<string, number>();
  readonly #several = new Map<string, number>();

  /** The number of a list, -1 for none; undefined where there are too many. */
  numberOf(labels: readonly string[] | undefined): number | undefined {
    if (!labels) return -1;
    const isSingle = labels.length === 1, known = isSingle ? this.#single : this.#several;
    const key = isSingle ? labels[0]! : JSON.stringify(labels), number = known.get(key);
    if (number !== undefined || this.lists.length === MOST_LABELS) return number;
    // Parsed, so that it is no part of the text of a whole file.
    const own = JSON.parse(JSON.stringify(labels)) as string[];
    known.set(isSingle ? own[0]! : key, this.lists.length);
    return this.lists.push(own) - 1;
  }
}

/** What the blocks of columns share. */
class Shared {
  readonly lists = new LabelLists();
  readonly store = new NumberStore();
  /** The numbers of the block that is being made. */
  readonly scratch = new Scratch();
}

/** Consecutive records in columns, or as they came where they have more than columns hold. */
class Block {
  readonly first: number;
  readonly count: number;
  readonly #plain?: readonly SequenceRecord[];
  readonly #numbers?: PackedNumbers;
  /** How many numbers each record has, or where each one's begin and the last one's end. */
  readonly #starts: number | Uint32Array = 0;
  readonly #steps: number | Int32Array = 0;
  readonly #channels: number | Int32Array = 0;
  readonly #places: Places = "";
  /** Names that end with numbers, as "s12" does: those of many sequences take more room than their numbers. */
  readonly #ids?: Exclude<Places, string>;
  readonly #labels?: Int8Array | Int16Array | Int32Array;
  readonly #lists: LabelLists;
  /** Lists of JSON. */
  readonly #texts = new Map<string, string>();

  constructor(first: number, records: readonly SequenceRecord[], { lists, store, scratch }: Shared) {
    this.first = first;
    this.count = records.length;
    this.#lists = lists;
    const hasNumbers = records[0]!.values !== undefined;
    if (!records.every((record) => fits(record, hasNumbers))) {
      this.#plain = records;
      return;
    }
    if (hasNumbers) {
      const starts = new Uint32Array(this.count + 1), size = records[0]!.values!.length;
      records.forEach(({ values }, i) => starts[i + 1] = starts[i]! + values!.length);
      this.#starts = records.every(({ values }) => values!.length === size) ? size : starts;
      const all = scratch.of(starts[this.count]!);
      let at = 0;
      for (const { values } of records) for (let i = 0; i < values!.length; i++) all[at++] = values![i]!;
      this.#numbers = new PackedNumbers(all, store);
    }
    this.#steps = alike(records.map(({ steps }) => steps));
    this.#channels = alike(records.map(({ channels }) => channels));
    this.#places = placesOf(records.map(({ place }) => place));
    const labels = Int32Array.from(records, ({ labels }) => lists.numberOf(labels) ?? -2);
    if (!labels.includes(-2)) {
      const most = labels.reduce((a, b) => Math.max(a, b));
      this.#labels = new (most < 128 ? Int8Array : most < 32768 ? Int16Array : Int32Array)(labels);
    }
    const ids = records.every(({ id }) => typeof id === "string") ? placesOf(records.map(({ id }) => id!)) : "";
    if (typeof ids !== "string") this.#ids = ids;
    for (const field of TEXTS) {
      if (
        field === "labels" && this.#labels || field === "id" && this.#ids ||
        records.every((record) => record[field as "id"] === undefined)
      ) {
        continue;
      }
      this.#texts.set(field, JSON.stringify(records.map((record) => record[field as "id"])));
    }
  }

  /** One of its records. */
  record(index: number, whole?: WholeBlock, scratch?: Scratch): SequenceRecord {
    return this.#plain ? this.#plain[index]! : new StoredRecord(this, index, whole, scratch);
  }

  /** How many numbers it has. */
  get size(): number {
    return this.#startOf(this.count);
  }

  /** All of its numbers. */
  numbers(): Float64Array<ArrayBuffer> | undefined {
    return this.#numbers?.slice(0, this.#startOf(this.count));
  }

  #startOf(index: number): number {
    return typeof this.#starts === "number" ? this.#starts * index : this.#starts[index]!;
  }

  values(index: number, all?: Float64Array<ArrayBuffer>, scratch?: Scratch): Float64Array<ArrayBuffer> | undefined {
    const start = this.#startOf(index), end = this.#startOf(index + 1);
    if (scratch && this.#numbers) {
      const own = scratch.of(end - start);
      this.#numbers.copy(start, end, own);
      return own;
    }
    return all ? all.subarray(start, end) : this.#numbers?.slice(start, end);
  }

  steps(index: number): number {
    return typeof this.#steps === "number" ? this.#steps : this.#steps[index]!;
  }

  channels(index: number): number {
    return typeof this.#channels === "number" ? this.#channels : this.#channels[index]!;
  }

  place(index: number): string {
    return typeof this.#places === "string" ? JSON.parse(this.#places)[index] : placeAt(this.#places, index);
  }

  /** The name of a record, where it is not among the texts. */
  id(index: number): string | undefined {
    return this.#ids && placeAt(this.#ids, index);
  }

  /** The list of labels, where lists are kept once; null: where they are among the texts. */
  labels(index: number): readonly string[] | undefined | null {
    return this.#labels ? this.#lists.lists[this.#labels[index]!] : null;
  }

  /** A field of all records, null where one has none; undefined where none has. */
  texts(field: string): unknown[] | undefined {
    const text = this.#texts.get(field);
    return text === undefined ? undefined : JSON.parse(text);
  }
}

/** What is kept of the block that is being gone through. */
class WholeBlock {
  readonly #block: Block;
  readonly #texts = new Map<string, unknown[] | undefined>();
  #numbers: Float64Array<ArrayBuffer> | undefined;

  constructor(block: Block) {
    this.#block = block;
  }

  get numbers(): Float64Array<ArrayBuffer> | undefined {
    return this.#numbers ??= this.#block.numbers();
  }

  texts(field: string): unknown[] | undefined {
    if (!this.#texts.has(field)) this.#texts.set(field, this.#block.texts(field));
    return this.#texts.get(field);
  }
}

/** Room for the numbers of one record at a time: an array of its own for each of many takes more than they do. */
export class Scratch {
  #room = new Float64Array(64);

  of(size: number): Float64Array<ArrayBuffer> {
    if (size > this.#room.length) this.#room = new Float64Array(2 * size);
    return this.#room.subarray(0, size);
  }
}

/** A record that is made of its block's columns as it is asked. */
class StoredRecord implements SequenceRecord {
  readonly #block: Block;
  readonly #index: number;
  readonly #whole: WholeBlock | undefined;
  readonly #scratch: Scratch | undefined;

  constructor(block: Block, index: number, whole?: WholeBlock, scratch?: Scratch) {
    this.#block = block;
    this.#index = index;
    this.#whole = whole;
    this.#scratch = scratch;
  }

  #text(field: typeof TEXTS[number]): unknown {
    return (this.#whole ?? this.#block).texts(field)?.[this.#index] ?? undefined;
  }

  get values(): Float64Array<ArrayBuffer> | undefined {
    return this.#block.values(this.#index, this.#whole?.numbers, this.#scratch);
  }
  get text(): string | undefined {
    return this.#text("text") as string | undefined;
  }
  get steps(): number {
    return this.#block.steps(this.#index);
  }
  get channels(): number {
    return this.#block.channels(this.#index);
  }
  get labels(): readonly string[] | undefined {
    const kept = this.#block.labels(this.#index);
    return kept === null ? this.#text("labels") as string[] | undefined : kept;
  }
  get weight(): number | undefined {
    return this.#text("weight") as number | undefined;
  }
  get id(): string | undefined {
    return this.#block.id(this.#index) ?? this.#text("id") as string | undefined;
  }
  get group(): string | undefined {
    return this.#text("group") as string | undefined;
  }
  get rows(): readonly [number, number] | undefined {
    return this.#text("rows") as [number, number] | undefined;
  }
  get place(): string {
    return this.#block.place(this.#index);
  }
  get missing(): string | undefined {
    return this.#text("missing") as string | undefined;
  }
}

/** Whether columns hold all there is to a record. */
function fits(record: SequenceRecord, hasNumbers: boolean): boolean {
  for (const key in record) if (!FIELDS.has(key) && record[key as "id"] !== undefined) return false;
  return (record.values !== undefined) === hasNumbers;
}

/** Integers, or the one that all of them are. */
function alike(numbers: readonly number[]): number | Int32Array {
  return numbers.every((number) => number === numbers[0]) ? numbers[0]! : Int32Array.from(numbers);
}

/** Records in columns: those that were pushed, or some of them. */
export class Columns implements Records {
  readonly #blocks: Block[];
  readonly #shared: Shared;
  readonly #rows: Uint32Array | undefined;
  #open: SequenceRecord[] = [];
  #openNumbers = 0;
  #count = 0;

  private constructor(blocks: Block[], shared: Shared, rows?: Uint32Array) {
    this.#blocks = blocks;
    this.#shared = shared;
    this.#rows = rows;
  }

  /** Without any. */
  static empty(): Columns {
    return new Columns([], new Shared());
  }

  /** Adds one. */
  push(record: SequenceRecord): void {
    const size = (record.values ?? record.text)?.length ?? 0;
    if (this.#open.length === BLOCK_RECORDS || this.#open.length > 0 && this.#openNumbers + size > BLOCK_NUMBERS) {
      this.#seal();
    }
    this.#open.push(record);
    this.#openNumbers += size;
    this.#count++;
  }

  #seal(): void {
    if (!this.#open.length) return;
    this.#blocks.push(new Block(this.#count - this.#open.length, this.#open, this.#shared));
    this.#open = [];
    this.#openNumbers = 0;
  }

  get length(): number {
    return this.#rows?.length ?? this.#count;
  }

  /** Numbers in memory, those of records that were not selected too. */
  get size(): number {
    this.#seal();
    return this.#blocks.reduce((sum, { size }) => sum + size, 0);
  }

  /** Some of them, by their numbers. */
  select(rows: ArrayLike<number>): Columns {
    this.#seal();
    const own = this.#rows;
    if (!own && rows instanceof Uint32Array) return new Columns(this.#blocks, this.#shared, rows);
    const all = new Uint32Array(rows.length);
    for (let i = 0; i < all.length; i++) all[i] = own ? own[rows[i]!]! : rows[i]!;
    return new Columns(this.#blocks, this.#shared, all);
  }

  /** The place of the block that holds a record. */
  #blockOf(row: number): number {
    let low = 0, high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle]!.first <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** @param scratch Where its numbers are until the next record's are. Default: in an array of their own. */
  at(index: number, scratch?: Scratch): SequenceRecord | undefined {
    this.#seal();
    if (!(index >= 0 && index < this.length)) return undefined;
    const row = this.#rows ? this.#rows[index]! : index, block = this.#blocks[this.#blockOf(row)]!;
    return block.record(row - block.first, undefined, scratch);
  }

  *[Symbol.iterator](): Generator<SequenceRecord, void> {
    this.#seal();
    let block: Block | undefined, whole: WholeBlock | undefined;
    for (let i = 0; i < this.length; i++) {
      const row = this.#rows ? this.#rows[i]! : i;
      if (!block || row < block.first || row >= block.first + block.count) {
        block = this.#blocks[this.#blockOf(row)]!;
        whole = new WholeBlock(block);
      }
      yield block.record(row - block.first, whole);
    }
  }
}
