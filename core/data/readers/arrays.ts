/**
 * Sequences in NumPy's arrays: (N, T) are N sequences of one channel, (N, T, I) of I channels. A `.npz` has them as x, with
 * y (N), or (N, O), for the labels, of steps (N, T) or (N, T, O), and lengths (N) where they vary. A `.npy` has its labels in
 * a file of their own.
 *
 * @module
 */

import { loadFflate } from "../../../deps.ts";
import { checkArgument, fail } from "../../errors.ts";
import { badFile, bare, show } from "./bad_data.ts";
import { Rows, tooLarge } from "./array_rows.ts";
import { ByteReader } from "./bytes.ts";
import { refuseWorkbook } from "./foreign.ts";
import { ended, turned } from "./ends.ts";
import { faulty } from "./faults.ts";
import { type NpyArray, type NpyHead, writeNpy } from "./npy.ts";
import { NumberFormat } from "./number_format.ts";
import { checkFinite } from "./numbers.ts";
import { partsOf } from "./npz_parts.ts";
import { open } from "./open.ts";
import type { Input, ReadOptions, RecordSource, SequenceRecord, Table } from "./record.ts";
import { readZip, unpack, type ZipEntry } from "./zip.ts";

/** The labels of a sequence, or those of its steps. */
type Labels = Pick<SequenceRecord, "labels" | "stepLabels">;

/** What belongs to the sequences. */
interface Parts {
  readonly x: Rows;
  readonly labels?: readonly Labels[];
  readonly lengths?: readonly number[];
  readonly options: ReadOptions;
}

/** Whether channels come before steps. */
const isTurned = ({ layout }: ReadOptions, { shape }: NpyHead) => layout === "nct" && shape.length === 3;

/** Checks the shape of the sequences, and what belongs to them. */
function checkShape({ x, labels, lengths, options }: Parts): { count: number; steps: number; channels: number } {
  const { shape, isText } = x.head, dimensions = shape.length;
  if (isText ? dimensions !== 1 : dimensions !== 2 && dimensions !== 3) {
    const wanted = isText ? "(N) of strings" : "(N, T) or (N, T, I)";
    throw badFile("array-shape", x.name, `shape must be ${wanted}, got [${shape}]`, { value: shape });
  }
  const turned = isTurned(options, x.head);
  const [count, steps, channels] = [shape[0]!, shape[turned ? 2 : 1] ?? 1, shape[turned ? 1 : 2] ?? 1];
  if (!steps || !channels) {
    throw badFile("file-empty", x.name, `sequences must have steps and channels, got shape [${shape}]`);
  }
  for (const [what, list] of [["labels", labels], ["lengths", lengths]] as const) {
    if (list && list.length !== count) {
      throw badFile("row-width", x.name, `there must be as many ${what} as sequences, ${count}, got ${list.length}`);
    }
  }
  for (const [n, length] of lengths?.entries() ?? []) {
    if (!Number.isInteger(length) || length < 1 || length > steps) {
      throw badFile(
        "number-out-of-range",
        x.name,
        `lengths[${n}] must be an integer from 1 to ${steps}, got ${length}`,
      );
    }
  }
  return { count, steps, channels };
}

async function* records(parts: Parts): AsyncGenerator<SequenceRecord, void> {
  const { x, labels, lengths, options } = parts, { count, steps, channels } = checkShape(parts), { name, head } = x;
  const format = new NumberFormat(name, options), channelsFirst = isTurned(options, head), size = steps * channels;
  for (let n = 0; n < count; n++) {
    const view = await x.next(n),
      about = { ...labels?.[n], place: `${name}, sequence ${n + 1}` };
    if (head.isText) {
      yield { text: head.get(view, 0) as string, steps: 0, channels: 0, ...about };
      continue;
    }
    const values = head.isFloat32 ? new Float32Array(view.buffer, 0, size) : new Float64Array(size);
    const where = (t: number, c: number) => `sequence ${n + 1}, step ${t + 1}, channel ${c + 1}`;
    for (let i = 0; i < size; i++) {
      const value = head.isFloat32 ? values[i]! : Number(head.get(view, i * head.size));
      values[i] = format.isMark(value) ? NaN : value;
    }
    const raw = channelsFirst ? { steps: channels, channels: steps } : { steps, channels };
    const record = turned({ values, ...raw, ...about }, channelsFirst), length = lengths?.[n] ?? steps;
    const own = record.values!.subarray(0, length * channels);
    let missing: string | undefined;
    try {
      for (let i = 0; i < own.length; i++) {
        const at = () => where(Math.floor(i / channels), i % channels);
        if (Number.isNaN(own[i])) missing ??= at();
        else checkFinite(name, at, own[i]!);
      }
    } catch (error) {
      yield faulty(error, options, about.place);
      continue;
    }
    const cut = { ...record, values: own, steps: length, ...missing !== undefined && { missing } };
    // Lengths that are given say where a sequence ends.
    yield lengths ? cut : ended(cut);
  }
  await x.end();
}

/** All elements of a small array, as rows of texts. */
async function texts(rows: Rows, limit: number): Promise<string[][]> {
  const { head, width, name } = rows, count = head.shape[0]!, found: string[][] = [];
  if (count * width * head.size > limit) {
    throw tooLarge(name, `shape [${head.shape}] is`, limit);
  }
  for (let n = 0; n < count; n++) {
    const view = await rows.next(n);
    found.push(Array.from({ length: width }, (_, i) => String(head.get(view, i * head.size))));
  }
  await rows.end();
  return found;
}

/** Labels (N) or (N, O); of the steps of sequences, where they may have some, (N, T) or (N, T, O). */
async function labelsOf(
  rows: Rows,
  limit: number,
  options: ReadOptions,
  x: NpyHead,
): Promise<Labels[]> {
  const { shape, isText } = rows.head, steps = x.shape[isTurned(options, x) ? 2 : 1];
  const isPerStep = options.labelsPerRow && steps !== undefined && shape[1] === steps;
  if (!rows.width || shape.length > (isPerStep ? 3 : 2)) {
    throw badFile(
      "array-shape",
      rows.name,
      `shape of labels must be (N) or (N, O), of steps (N, T, O), got [${shape}]`,
      { value: shape },
    );
  }
  const checked = (labels: string[], n: number) => {
    if (isText) return labels.includes("") ? undefined : labels;
    if (labels.includes("NaN")) return undefined;
    for (const label of labels) checkFinite(rows.name, () => `label ${n + 1}`, Number(label));
    return labels;
  };
  const size = rows.width / (isPerStep ? steps : 1);
  return (await texts(rows, limit)).map((row, n) => {
    if (!isPerStep) return { labels: checked(row, n) };
    return { stepLabels: Array.from({ length: steps }, (_, t) => checked(row.slice(t * size, (t + 1) * size), n)) };
  });
}

/** Lengths (N). */
async function lengthsOf(rows: Rows, limit: number): Promise<number[]> {
  const { shape, isText } = rows.head;
  if (isText || shape.length !== 1) {
    throw badFile("array-shape", rows.name, `shape must be (N), of numbers, got [${shape}]`, { value: shape });
  }
  return (await texts(rows, limit)).flat().map(Number);
}

/** Holds that there are labels, unless they may be absent. */
function checkLabels(name: string, labels: readonly Labels[] | undefined, input: Input, options: ReadOptions): void {
  if (options.optionalLabels || input.label !== undefined || options.labelColumns?.length === 0) return;
  if (!labels) {
    throw badFile("labels-missing", name, "the file has no labels", {
      option: "labelsFrom",
      advice: "they are y of a .npz, or a .npy of their own (labelsFrom)",
    });
  }
  const none = labels.findIndex(({ labels, stepLabels }) => !labels && !stepLabels);
  if (none >= 0) throw badFile("label-missing", name, `sequence ${none + 1} has no label`);
}

/** Reads sequences from a `.npy`. */
export async function readNpyRecords(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  input: Input,
  options: ReadOptions,
  limit: number,
): Promise<RecordSource> {
  const x = await Rows.open(name, bytes, limit);
  let labels: Labels[] | undefined;
  if (options.labelsFrom) {
    const { bytes, close } = await open(options.labelsFrom);
    try {
      labels = await labelsOf(await Rows.open(options.labelsFrom.name, bytes, limit), limit, options, x.head);
    } finally {
      await close();
    }
  }
  const parts = { x, labels, options };
  checkLabels(name, labels, input, options);
  checkShape(parts);
  return { format: "npy", records: records(parts) };
}

/** Reads sequences from a `.npz`. */
export async function readNpzRecords(
  name: string,
  stream: AsyncIterable<Uint8Array>,
  input: Input,
  options: ReadOptions,
  limit: number,
): Promise<RecordSource> {
  const bytes = await new ByteReader(stream).read(limit + 1);
  if (bytes.length > limit) {
    throw tooLarge(name, "the file is", limit);
  }
  const entries = new Map<string, ZipEntry>();
  for (const entry of readZip(name, bytes)) {
    const key = entry.name.replace(/\.npy$/, "");
    if (entries.has(key)) throw badFile("file-malformed", name, `it has two arrays that are called ${bare(key)}`);
    entries.set(key, entry);
  }
  refuseWorkbook(name, [...entries.keys()]);
  const have = [...entries.keys()].slice(0, 8).map(bare).join(", ") || "nothing";
  let left = limit;
  const rows = async (key: string) => {
    const entry = entries.get(key);
    if (!entry) {
      throw badFile("array-missing", name, `there is no array ${bare(key)}: it has ${have}`, {
        name: key,
        ...key === xKey && { option: "xKey", advice: "say which one it is (xKey)" },
      });
    }
    const array = await unpack(name, entry, left);
    left -= array.length;
    return await Rows.open(`${name}, ${bare(key)}`, pieces(array), limit);
  };
  const first = (keys: readonly string[]) => keys.find((key) => entries.has(key));
  const keys = [...entries.keys()], plain = options.xKey ?? first(["x", "X"]);
  const both = partsOf(keys), parts = plain === undefined || plain === both?.train.x ? both : undefined;
  const part = options.part && parts?.[options.part];
  const xKey = part?.x ?? plain ?? (entries.size === 1 ? keys[0]! : undefined);
  if (xKey === undefined) {
    throw badFile("array-missing", name, `there is no array x: it has ${have}`, {
      name: "x",
      option: "xKey",
      advice: "say which one it is (xKey)",
    });
  }
  const given = part && options.yKey === parts?.train.y ? undefined : options.yKey;
  const asked = given ?? (part ? part.y : first(["y", "Y"]));
  const yKey = asked !== undefined && options.optionalLabels && !entries.has(asked) ? undefined : asked;
  const x = await rows(xKey);
  const labels = yKey === undefined ? undefined : await labelsOf(await rows(yKey), limit, options, x.head);
  checkLabels(name, labels, input, options);
  const lengthsKey = part ? part.lengths : first(["lengths"]);
  const lengths = lengthsKey === undefined ? undefined : await lengthsOf(await rows(lengthsKey), limit);
  const all = { x, labels, lengths, options };
  checkShape(all);
  const own = [xKey, yKey, lengthsKey].filter((key) => key !== undefined);
  const used = [own, ...[parts?.train, parts?.test].map((of) => Object.values(of ?? {}))].flat();
  const others = keys.filter((key) => !used.includes(key)).map(bare);
  const read = [`x is ${bare(xKey)}`, ...yKey === undefined ? [] : [`y is ${bare(yKey)}`]].join(", ");
  const rest = others.length ? `; ${others.join(", ")} left out` : "";
  return {
    format: "npz",
    records: records(all),
    ...parts && { hasTest: true },
    notes: part ? [`${name}: ${read}${rest}`] : others.length ? [`${name}: ${others.join(", ")} left out`] : [],
  };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 1 << 18) yield bytes.subarray(at, at + (1 << 18));
}

/** Reads a table from a `.npy` (rows, columns), or (rows); columns are called "0", "1", …. */
export async function readNpyTable(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  options: ReadOptions,
  limit: number,
): Promise<Table> {
  const format = new NumberFormat(name, options);
  const rows = await Rows.open(name, bytes, limit), { shape, isText, get, size } = rows.head;
  if (isText || (shape.length !== 1 && shape.length !== 2) || !rows.width) {
    throw badFile("array-shape", name, `shape must be (rows) or (rows, columns), of numbers, got [${shape}]`, {
      value: shape,
    });
  }
  const count = shape[0]!, columns = Array.from({ length: rows.width }, (_, i) => String(i));
  if (!count) throw badFile("file-empty", name, "there are no rows");
  if (!(count * rows.width * 8 <= limit)) {
    throw tooLarge(name, `shape [${shape}] is`, limit);
  }
  const numbers: number[][] = columns.map(() => []), missing: (string | undefined)[] = columns.map(() => undefined);
  for (let n = 0; n < count; n++) {
    const view = await rows.next(n);
    for (let i = 0; i < rows.width; i++) {
      const read = Number(get(view, i * size)), value = format.isMark(read) ? NaN : read;
      if (value !== value) missing[i] ??= `row ${n + 1}`;
      else checkFinite(name, () => `row ${n + 1}, column ${i}`, value);
      numbers[i]!.push(value);
    }
  }
  await rows.end();
  const values = numbers.map((list) => Float64Array.from(list));
  return { name, columns, values, rows: count, missing, place: (row) => `${name}, row ${row + 1}` };
}

/**
 * Arrays as a `.npz` file, packed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { readRecords, writeNpz } from "@grutto/grutto";
 *
 * const bytes = await writeNpz({
 *   x: { shape: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) },
 *   y: { shape: [1], data: Int32Array.of(7) },
 * });
 * const { records } = await readRecords({ name: "data.npz", stream: () => new Blob([bytes]).stream() });
 * const [record] = await Array.fromAsync(records);
 * assert.deepEqual([record!.steps, record!.channels, record!.labels], [2, 2, ["7"]]);
 * ```
 */
export async function writeNpz(arrays: Readonly<Record<string, NpyArray>>): Promise<Uint8Array<ArrayBuffer>> {
  checkArgument("write arrays", "arrays", arrays, []);
  const { zipSync } = await loadFflate();
  for (const key of Object.keys(arrays)) {
    if (!/^[^/\\]+$/.test(key)) {
      throw fail("argument-type", "write arrays", `a name must have no slash, got ${show(key)}`, { name: key });
    }
  }
  // A list of entries, since "__proto__" may be a name: fflate goes over own properties alone.
  const files = Object.create(null) as Record<string, Uint8Array>;
  for (const [key, array] of Object.entries(arrays)) files[`${key}.npy`] = writeNpy(array);
  return zipSync(files, { mtime: new Date(1980, 0, 1) }) as Uint8Array<ArrayBuffer>;
}
