/** Files of each format, what may befall them, and what must come of reading them then. */

import assert from "node:assert/strict";
import { type ReadOptions, readRecords, readTable, type SequenceRecord, writeNpy, writeNpz } from "../../../mod.ts";
import { input } from "./read.ts";

/** A file that is right. */
export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly options: ReadOptions;
  /** Whether it is read as a table of series. */
  readonly isTable?: boolean;
}

const text = (name: string, content: string, options: ReadOptions = {}, isTable = false): Sample => ({
  name,
  bytes: new TextEncoder().encode(content),
  options,
  isTable,
});

const X = { shape: [2, 3, 2], data: Float32Array.from({ length: 12 }, (_, i) => i / 4) };
const Y = { shape: [2], data: Int32Array.of(0, 1) };

/** A file of each kind. */
export async function samples(): Promise<Sample[]> {
  const gzip = new Blob(["a,b,y\n1,2,u\n3,4,v\n"]).stream().pipeThrough(new CompressionStream("gzip"));
  const folder = new URL("../../testdata/readers/", import.meta.url);
  const arrays = ["version2.npy", "labels.npy", "object.npy", "fortran.npy", "stored.npz", "packed.npz"];
  return [
    text("wide.csv", 'a,"b ""c""",w,label\r\n1,2.5,1,u\r\n-3e2,NA,0.5,"v\r\nw"\r\n', { weightColumn: "w" }),
    text("long.csv", "id,t,x1,x2,y\na,2026-01-01,1,2,0\na,2026-01-02 10:00,?,4,0\nb,1,5,6,1\n", {
      sequenceColumn: "id",
      timeColumn: "t",
    }),
    text("table.csv", "date,a,b\n2026-01-01 00:00:00,1,2\n2026-01-01 01:00:00,NaN,4.5\n", { timeColumn: "date" }, true),
    text("texts.csv", 'text,label\n"so, so",a\ngood,b\n', { textColumn: "text" }),
    text(
      "a.jsonl",
      '{"x": [[1, 2], [3, null]], "y": "a", "id": 7}\n{"x": "te}x\\u0074", "y": ["a", 0.5], "weight": 2}\n',
    ),
    text("a.json", '[{"x": [1, 2.5e3, null], "y": true},\n {"x": [[1]], "y": "__proto__"}]\n'),
    text(
      "a.ts",
      "# about\n@problemName P\n@timeStamps false\n@missing true\n@univariate false\n@dimensions 2\n@equalLength false\n" +
        "@classLabel true a b\n@data\n1,2,3:4,5,?:a\n-1.5,NaN:8,9:b\n",
    ),
    text(
      "stamps.ts",
      "@timeStamps true\n@targetLabel true\n@data\n(2007-01-01 00:00:00,1.5),(2007-01-01 00:01:00,2):0.25\n(0,1),(1,?):2\n",
    ),
    text(
      "flat.arff",
      "% about\n@RELATION 'a b'\n@attribute 't 1' numeric\n@attribute t2 REAL\n@attribute class {a, 'b c'}\n@DATA\n" +
        "1,2.5,a\n?, -3 ,'b c'\n1,2,a,{0.5}\n",
    ),
    text(
      "relational.arff",
      "@relation r\n@attribute x relational\n@attribute t1 numeric\n@attribute t2 numeric\n@end x\n" +
        "@attribute y {a,b}\n@data\n'1,2\\n3,?',b\n\"1,2\",a\n",
    ),
    text("ucr.tsv", "1\t0.5\t-2\n-1\t3\tNaN\n"),
    text("ucr.txt", "  1.0000000e+00   0.5  -2\n  2   3 NaN\n"),
    text("text.txt", "so so\t1\nĀé 😀\t0\n"),
    { name: "a.csv.gz", bytes: new Uint8Array(await new Response(gzip).arrayBuffer()), options: {} },
    { name: "a.npy", bytes: writeNpy(X), options: { optionalLabels: true } },
    { name: "table.npy", bytes: writeNpy({ shape: [6, 2], data: X.data }), options: {}, isTable: true },
    {
      name: "a.npz",
      bytes: await writeNpz({ x: X, y: Y, lengths: { shape: [2], data: Int32Array.of(2, 3) } }),
      options: {},
    },
    ...await Promise.all(arrays.map(async (name) => ({
      name,
      bytes: await Deno.readFile(new URL(name, folder)),
      options: { optionalLabels: true },
    }))),
  ];
}

/** What is put into files: what means something to one of the formats. */
export const TOKENS: readonly string[] = [
  ..."\0\t\n\r ,:;'\"()[]{}@%#?\\-+.0189eExX|",
  ..."é\u2028\ufeff😀",
  "\r\n",
  "NaN",
  "null",
  "true",
  "False",
  "Infinity",
  "-inf",
  "1e39",
  "1e-400",
  "0x10",
  "99999999999999999999",
  "-1",
  "__proto__",
  "constructor",
  "@data\n",
  "@end x\n",
  "@attribute y numeric\n",
  "@classLabel false\n",
  "@univariate true\n",
  "'fortran_order': True",
  "'descr': '|O'",
  "(4294967295, 4294967295)",
  "(0, 1)",
  '"x": [[',
  '{"x": [1]}',
  "PK\x01\x02",
  "PK\x03\x04",
  "PK\x05\x06",
  "\u0093NUMPY",
  "\xff\xff\xff\xff",
  ",".repeat(3000),
  "[".repeat(3000),
  '"a\n'.repeat(1001),
  " ".repeat(5000),
];

/** Something that befalls a file; places are shares of its length. */
export interface Mutation {
  readonly kind: typeof KINDS[number];
  readonly at: number;
  readonly to: number;
  /** Bytes that are dropped or doubled; which bit is flipped. */
  readonly size: number;
  readonly token: number;
}

/** The kinds of {@linkcode Mutation}. */
export const KINDS = ["flip", "cut", "drop", "double", "insert", "replace", "move", "number"] as const;

/** What is put in place of numbers. */
const NUMBERS = [
  "0",
  "-1",
  "2",
  "3.5",
  "1e3",
  "?",
  "NaN",
  "",
  "007",
  "1e38",
  "4e38",
  "1e-50",
  "4294967296",
  "2147483648",
  "1 2",
];

const latin1 = (token: string) =>
  // deno-lint-ignore no-control-regex
  /^[\u0000-\u00ff]*$/.test(token) ? Uint8Array.from(token, (c) => c.charCodeAt(0)) : new TextEncoder().encode(token);

/** A file to which some things have happened. */
export function mutate(bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  return mutations.reduce((file, { kind, at, to, size, token }) => {
    const from = Math.floor(at * file.length), end = Math.min(file.length, from + size + 1);
    const piece = file.subarray(from, end),
      there = Math.floor(to * file.length),
      new_ = latin1(TOKENS[token % TOKENS.length]!);
    switch (kind) {
      case "flip":
        return file.map((byte, i) => i === from ? byte ^ (1 << (size & 7)) : byte);
      case "cut":
        return file.slice(0, from);
      case "drop":
        return join(file.subarray(0, from), file.subarray(end));
      case "double":
        return join(file.subarray(0, end), piece, file.subarray(end));
      case "insert":
        return join(file.subarray(0, from), new_, file.subarray(from));
      case "replace":
        return join(file.subarray(0, from), new_, file.subarray(end));
      case "number": {
        const found = [...String.fromCharCode(...file).matchAll(/\d+(\.\d+)?/g)],
          one = found[Math.floor(at * found.length)];
        if (!one) return file;
        const number = latin1(NUMBERS[token % NUMBERS.length]!);
        return join(file.subarray(0, one.index), number, file.subarray(one.index + one[0].length));
      }
      case "move":
        return join(file.subarray(0, there), piece, file.subarray(there));
    }
  }, bytes);
}

function join(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Holds what every record must be. */
function checkRecord(record: SequenceRecord): void {
  const { values, text, steps, channels, labels, weight, place, missing } = record;
  assert.ok(place);
  assert.ok(weight === undefined || (weight > 0 && weight < Infinity));
  assert.ok(labels === undefined || labels.every((label) => typeof label === "string"));
  if (text !== undefined) return assert.deepEqual([typeof text, steps, channels, values], ["string", 0, 0, undefined]);
  assert.ok(steps > 0 && channels > 0 && values!.length === steps * channels);
  assert.ok(values!.every((value) => Number.isFinite(value) || Number.isNaN(value)), "an infinite value");
  assert.equal(values!.some(Number.isNaN), missing !== undefined, "missing says where a value is missing, if one is");
}

/**
 * Holds that reading a file gives records, or one of our errors on one line.
 *
 * @returns Whether it gave records.
 */
export async function checkReading({ name, bytes, options, isTable }: Sample): Promise<boolean> {
  const file = input(name, bytes, 1 + bytes.length % 97), limits = { ...options, maxLineBytes: 2000, maxBytes: 20_000 };
  const before = Object.getOwnPropertyNames(Object.prototype).length;
  try {
    if (isTable) {
      const { rows, values, columns } = await readTable(file, limits);
      assert.ok(rows > 0 && values.length === columns.length && values.every(({ length }) => length === rows));
    } else for await (const record of (await readRecords(file, limits)).records) checkRecord(record);
    return true;
  } catch (error) {
    const { constructor, message } = error as Error;
    const isOurs = [TypeError, RangeError, SyntaxError].some((kind) => constructor === kind) &&
      message.startsWith(`Cannot read ${name}`) && /^[^\n\r\u2028\u2029]{1,400}$/.test(message);
    if (!isOurs) throw error;
    return false;
  } finally {
    assert.equal(Object.getOwnPropertyNames(Object.prototype).length, before, "Object.prototype has changed");
  }
}
