import assert from "node:assert/strict";
import { loadFflate } from "../../../deps.ts";
import { writeNpz } from "../../../core/data/readers/arrays.ts";
import { ForecastPipeline, Pipeline, readLabelsTable, type ReadOptions, readRecords, readTable } from "../../../mod.ts";
import { input } from "./read.ts";

// Made by scripts/fixtures/foreign.py: files as other programs write them, and what those read.
interface Case {
  name: string;
  file: string;
  content: string;
  options: ReadOptions;
  table?: Record<string, (number | null)[]>;
  records: { values?: (number | null)[]; text?: string; steps: number; channels: number; labels?: string[] }[];
  /** Of a table in time: what the windows of v that have no gap forecast first. */
  rows?: number[];
  window?: number;
  x?: number[];
  targets?: number[];
}

const cases = JSON.parse(
  await Deno.readTextFile(new URL("../../testdata/foreign.json", import.meta.url)),
) as Case[];

for (const { name, file, content, options, records, table, rows, window, x, targets } of cases) {
  Deno.test(`a file of another program: ${name}`, async () => {
    const bytes = Uint8Array.fromBase64(content);
    if (table) {
      const whole = await readTable(input(file, bytes, 61), options), { columns, values } = whole;
      const read = Object.fromEntries(
        columns.map((column, c) => [column, Array.from(values[c]!, (v) => v === v ? v : null)]),
      );
      assert.deepEqual(read, table);
      if (!rows) return;
      const windows = ForecastPipeline.fit(whole, { targetColumns: ["v"], window: window! }).dataset(whole);
      assert.deepEqual([...windows.rows], rows);
      assert.equal(windows.leftOut.breaks, whole.rows - window! - rows.length);
      return;
    }
    const source = await readRecords(input(file, bytes, 61), options);
    const read = await Array.fromAsync(source.records);
    assert.deepEqual(
      read.map(({ values, text, steps, channels, labels }) => ({
        ...values && { values: [...values] },
        ...text !== undefined && { text },
        steps,
        channels,
        ...labels && { labels },
      })),
      records.map(({ values, ...rest }) => ({ ...values && { values: values.map((value) => value ?? NaN) }, ...rest })),
    );
    for (const { values, missing } of read) assert.equal(missing !== undefined, values?.some(Number.isNaN) ?? false);
    if (targets) assert.deepEqual([...Pipeline.fit(read, { task: "multiclass" }).dataset(read).targets], targets);
    if (!x) return;
    const labelled = read.map((record, n) => ({ ...record, labels: record.labels ?? [String(n)] }));
    // The deviation has 1e-8 added to it; the rest is one rounding to float32.
    const prepared = Pipeline.fit(labelled).dataset(labelled).x;
    x.forEach((value, i) => assert.ok(Math.abs(prepared[i]! - value) < 2e-6, `${i}: ${prepared[i]} is not ${value}`));
    assert.equal(prepared.length, x.length);
  });
}

Deno.test("files of other kinds are named, not taken for text in some encoding", async () => {
  const kinds: readonly (readonly [name: string, bytes: string, message: RegExp])[] = [
    ["a.parquet", "PAR1\x15\x04", /it is a Parquet file: save its table as \.csv/],
    ["a.csv", "PK\x03\x04\x14\x00\x08\x00", /it is a zip archive, as Excel's files are: save its table as \.csv/],
    ["a.csv", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", /an Excel file of the old kind/],
    ["a.pkl", "\x80\x04\x95\x00\x00\x00\x00", /a pickle of Python/],
    ["a.csv.bz2", "BZh91AY&SY", /packed by bzip2: unpack it first/],
    ["a.csv", "<!DOCTYPE html>\n<html>\n", /a page in HTML or XML/],
    ["a.csv", "\x93NUMPY\x01\x00v\x00", /an array of NumPy: give it the ending \.npy/],
    ["a.json", "%PDF-1.7\n", /it is a PDF/],
  ];
  for (const [name, text, message] of kinds) {
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0)),
      input = { name, stream: () => new Blob([bytes]).stream() };
    await assert.rejects(readRecords(input), message);
    if (!name.endsWith(".json")) await assert.rejects(readTable(input), message);
  }
  const { gzipSync, zipSync } = await loadFflate(), csv = new TextEncoder().encode("a,b,label\n1,2,x\n");
  const twice = {
    name: "a.csv.gz",
    stream: () => new Blob([gzipSync(gzipSync(csv)) as Uint8Array<ArrayBuffer>]).stream(),
  };
  await assert.rejects(readRecords(twice), /it is gzip within gzip: unpack it first/);
  const book = zipSync({ "[Content_Types].xml": csv, "xl/workbook.xml": csv }) as Uint8Array<ArrayBuffer>;
  await assert.rejects(readRecords({ name: "a.xlsx", stream: () => new Blob([book]).stream() }), /file of Excel/);
});

Deno.test("lines may end in CR alone, and a first line of data is not taken for names", async () => {
  const read = async (text: string, options: ReadOptions = {}) =>
    await Array.fromAsync(
      (await readRecords({ name: "a.csv", stream: () => new Blob([text]).stream() }, options)).records,
    );
  const rows = await read("a,b,label\r1,2,x\r3,4,y\r");
  assert.deepEqual(rows.map(({ values, labels, place }) => [[...values!], labels, place]), [
    [[1, 2], ["x"], "a.csv, line 2"],
    [[3, 4], ["y"], "a.csv, line 3"],
  ]);
  assert.equal((await read('a,"b\rc",label\n1,2,x\n')).length, 1);
  const classes = Array.from({ length: 8 }, (_, i) => `${i % 2 ? "ham" : "spam"},text ${i}`).join("\n");
  const columns: ReadOptions = { labelColumns: [0], textColumn: 1 };
  await assert.rejects(read(classes, columns), /looks like data, not like names of columns: "spam" stands below too/);
  assert.equal((await read(classes, { ...columns, header: false })).length, 8);
  assert.equal((await read(classes, { ...columns, header: true })).length, 7);
  // Numbers as names, and a head that comes again, are none of these.
  assert.equal((await read("0,1,label\n0,1,x\n0,0,y\n0,1,x\n0,1,y\n")).length, 4);
  await assert.rejects(
    read("a,b,label\n1,2,x\n1,3,y\na,b,label\n1,2,x\na,b,label\n"),
    /line 4, column a must be a number/,
  );
});

Deno.test("a column that holds no numbers shows the cell, arrays that are left out are named, labels are a table", async () => {
  const table = await readTable({ name: "a.csv", stream: () => new Blob(["y,z\n1,2\n-,3\n4,5\n"]).stream() }).then(
    () => undefined,
    (error) => error,
  );
  assert.match(String(table), /line 3, column y must be a number, got "-": if it marks a missing value, say so/);
  const dashes = await readTable({ name: "a.csv", stream: () => new Blob(["y,z\n-,2\n1,3\n4,5\n6,7\n"]).stream() });
  assert.throws(
    () => ForecastPipeline.fit(dashes, { targetColumns: ["y"], window: 1 }),
    /column "y" holds no numbers \(a\.csv, line 2: "-"\); columns of numbers: "z": if it marks a missing value/,
  );
  const x = { shape: [4, 2], data: new Float64Array(8) }, y = { shape: [4], data: Int32Array.of(0, 1, 0, 1) };
  const bytes = await writeNpz({ x, y, x_test: x, mean: y });
  const source = await readRecords({ name: "a.npz", stream: () => new Blob([bytes]).stream() });
  await Array.fromAsync(source.records);
  assert.deepEqual(source.notes, ["a.npz: x_test, mean left out"]);
  const list = { name: "l.json", stream: () => new Blob(['[{"id":"a","label":"x"}]']).stream() };
  await assert.rejects(readLabelsTable(list, "id", {}), /a table of labels must be csv, got json/);
});
