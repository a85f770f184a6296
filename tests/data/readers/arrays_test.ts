import assert from "node:assert/strict";
import { readRecords, readTable, writeNpy, writeNpz } from "../../../mod.ts";
import { assertFails, input, read, short } from "./read.ts";

const SAMPLES = new URL("../../testdata/readers/", import.meta.url);

const sample = (name: string) => Deno.readFile(new URL(name, SAMPLES));

const X = [[1, 2, 3, 4, 5, 6], [-1, 0.5, NaN, 7, 8, 9]];

Deno.test("readRecords() reads what NumPy writes: format versions 1 to 3, either byte order", async () => {
  for (const name of ["version1.npy", "version2.npy", "version3.npy"]) {
    const records = await read(name, await sample(name), { optionalLabels: true });
    assert.deepEqual(records.map((record) => [...record.values!]), X);
    const [, { steps, channels, place, missing }] = records as [unknown, typeof records[0]];
    assert.deepEqual([steps, channels, place, missing], [2, 3, `${name}, sequence 2`, "sequence 2, step 1, channel 3"]);
  }
  for (const type of ["u1", "i2", "i4", "i8", "u8"]) {
    const records = await read(`${type}.npy`, await sample(`${type}.npy`), { optionalLabels: true });
    assert.deepEqual(records.map(short), [[[0, 1, 2]], [[3, 4, 5]]]);
  }
  const bits = await read("b1.npy", await sample("b1.npy"), { optionalLabels: true });
  assert.deepEqual(bits.map(short), [[[0, 1, 1]], [[1, 1, 1]]]);
});

Deno.test("readRecords() takes labels of a .npy from a file of their own", async () => {
  const labelsFrom = input("labels.npy", await sample("labels.npy"));
  const records = await read("version1.npy", await sample("version1.npy"), { labelsFrom });
  assert.deepEqual(records.map(({ labels }) => labels), [["a"], ["ç"]]);
  await assertFails("version1.npy", await sample("version1.npy"), /the file has no labels/);
});

Deno.test("readRecords() reads .npz, stored and packed, with lengths and labels", async () => {
  const stored = await read("stored.npz", await sample("stored.npz"));
  assert.deepEqual(stored.map(short), [[X[0], "0.5|1"], [X[1]!.slice(0, 3), "2|3"]]);
  const packed = await read("packed.npz", await sample("packed.npz"));
  assert.deepEqual(packed.map(({ steps, labels }) => [steps, labels]), [[50, ["a"]], [50, ["ç"]]]);
  const other = await read("stored.npz", await sample("stored.npz"), { yKey: "lengths" });
  assert.deepEqual(other.map(({ labels }) => labels), [["2"], ["1"]]);
});

Deno.test("writeNpy() and writeNpz() write what readRecords() reads", async () => {
  const data = [
    Float32Array.of(1.5, -2, 3, 4),
    Float64Array.of(1.5, -2, 3, 4),
    Int32Array.of(1, -2, 3, 4),
    Uint8Array.of(1, 2, 3, 255),
    BigInt64Array.of(1n, -2n, 3n, 4n),
  ];
  for (const array of data) {
    const x = { shape: [2, 2], data: array }, y = { shape: [2], data: Uint8Array.of(7, 8) };
    const numbers = [...array].map(Number), expected = [numbers.slice(0, 2), numbers.slice(2)];
    const npy = await read("a.npy", writeNpy(x), { optionalLabels: true });
    assert.deepEqual(npy.map(({ values }) => [...values!]), expected);
    const npz = await read("a.npz", await writeNpz({ x, y, ["__proto__"]: y }));
    assert.deepEqual(npz.map(short), [[expected[0], "7"], [expected[1], "8"]]);
    const odd = await read("a.npz", await writeNpz({ x, y, ["__proto__"]: y }), { yKey: "__proto__" });
    assert.deepEqual(odd.map(({ labels }) => labels), [["7"], ["8"]]);
  }
  assert.throws(() => writeNpy({ shape: [3], data: Uint8Array.of(1) }), /shape \[3\] must hold its 1 numbers/);
});

Deno.test("readRecords() refuses arrays that are wrong", async () => {
  await assertFails("object.npy", await sample("object.npy"), /dtype is object, .*: save texts as \.astype\(str\)/);
  const bytes = writeNpy({ shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }), options = { optionalLabels: true };
  const fails = (bytes: Uint8Array, message: string | RegExp) => assertFails("a.npy", bytes, message, options);
  await fails(new Uint8Array(), "the file is empty");
  await fails(bytes.slice(0, 9), "the file ends within its head");
  await fails(bytes.slice(0, -1), "the file ends in row 2 of 2");
  await fails(Uint8Array.of(...bytes, 0), "the file continues after its 2 rows");
  await fails(writeNpy({ shape: [1, 2], data: Float32Array.of(1, Infinity) }), /step 2, channel 1 must be a finite/);
  await fails(writeNpy({ shape: [1, 2], data: Float64Array.of(1, -1e39) }), /must be a finite float32, got -1e\+39/);
  await fails(
    writeNpy({ shape: [2, 0], data: Float32Array.of() }),
    "sequences must have steps and channels, got shape [2,0]",
  );
  await fails(writeNpy({ shape: [0, 2], data: Float32Array.of() }), "there are no sequences");
  await fails(
    writeNpy({ shape: [2], data: Float32Array.of(1, 2) }),
    /shape must be \(N, T\) or \(N, T, I\), got \[2\]/,
  );
  const replaced = (from: string, to: string) => {
    const text = String.fromCharCode(...bytes).replace(from, to.padEnd(from.length));
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
  };
  await fails(replaced("'<f4'", "'<c8'"), 'dtype must be one of float, int, uint or bool, got "<c8"');
  await fails(replaced("(2, 2), }", "(9,9999999}"), /its head must be a Python dictionary of three fields/);
  // What it claims is far more than there is: no room is made for it.
  await fails(replaced("(2, 2), }   ", "(2, 9999999)}"), "the file ends in row 1 of 2");
  await fails(replaced("(2, 2), }      ", "(2, 9999999999)}"), /is larger than \d+ bytes, the limit: raise maxBytes$/);
});

Deno.test("readRecords() refuses archives that are wrong, zip bombs among them", async () => {
  const x = { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }, y = { shape: [2], data: Int32Array.of(0, 1) };
  const fails = async (
    arrays: Record<string, Parameters<typeof writeNpy>[0]>,
    message: string | RegExp,
    options = {},
  ) => await assertFails("a.npz", await writeNpz(arrays), message, options);
  await fails({ a: x, b: y }, "there is no array x: it has a, b: say which one it is (xKey)");
  await fails({ x, y }, "there is no array z: it has x, y: say which one it is (xKey)", { xKey: "z" });
  await fails({ x }, /the file has no labels/);
  await assert.rejects(
    read("a.npz", await writeNpz({ x, y: { shape: [1], data: Int8Array.of(1) } })),
    /as many labels as/,
  );
  for (const length of [0, 3, -1]) {
    const lengths = { shape: [2], data: Int32Array.of(1, length) };
    await assert.rejects(
      read("a.npz", await writeNpz({ x, y, lengths })),
      (error) => error instanceof RangeError && /lengths\[1\] must be an integer from 1 to 2/.test(error.message),
    );
  }
  await assert.rejects(
    read("a.npz", await writeNpz({ x, y: { shape: [2], data: Float32Array.of(1, NaN) } })),
    /sequence 2 has no label/,
  );
  const zeros = { shape: [1, 100_000], data: new Float32Array(100_000) };
  await fails({ x: zeros, y }, /x\.npy unpacks to \d+ bytes, beyond what is left of the limit/, { maxBytes: 10_000 });
  const archive = await writeNpz({ x: zeros, y: { shape: [1], data: Int8Array.of(1) } });
  await assertFails("a.npz", archive, /the file is larger than 100 bytes/, { maxBytes: 100 });
  await assertFails("a.npz", archive.slice(0, -9), "its zip is damaged or cut off: there is no end record");
  await assertFails("a.npz", new TextEncoder().encode("PK nothing"), /its zip is damaged or cut off/);
  // A bomb that claims to be small: the directory's size of x, 24 bytes into its entry.
  const view = new DataView(archive.buffer),
    entry = archive.findIndex((_, i) => i + 4 < archive.length && view.getUint32(i, true) === 0x02014b50);
  view.setUint32(entry + 24, 1000, true);
  await assertFails("a.npz", archive, "its zip is damaged: x.npy is larger than it claims, 1000 bytes");
  view.setUint32(entry + 24, 0x7fffffff, true);
  await assertFails("a.npz", archive, "its zip is damaged or cut off: the sizes of x.npy cannot both be true");
});

Deno.test("readTable() reads .npy: columns are called by their numbers", async () => {
  const bytes = writeNpy({ shape: [3, 2], data: Float64Array.of(1, 2, 3, NaN, 5, 6) });
  const table = await readTable(input("t.npy", bytes));
  assert.deepEqual([table.columns, table.values], [["0", "1"], [Float64Array.of(1, 3, 5), Float64Array.of(2, NaN, 6)]]);
  assert.deepEqual([table.missing, table.place!(2)], [[undefined, "row 2"], "t.npy, row 3"]);
});

Deno.test("readRecords() reads .arff: a row a sequence, or a relational attribute", async () => {
  const flat =
    "% about\n@RELATION 'a b'\n@attribute 't 1' numeric\n@attribute t2 REAL\n@attribute class {a, 'b c'}\n\n@DATA\n" +
    "1,2.5,a\n?, -3 ,'b c' \n1\t2\ta\n1,2,a,{0.5}\n";
  const records = await read("a.arff", flat);
  assert.deepEqual(records.map(short), [[[1, 2.5], "a"], [[NaN, -3], "b c"], [[1, 2], "a"], [[1, 2], "a"]]);
  assert.deepEqual(records.map(({ missing, weight }) => [missing, weight]).slice(1), [
    ["line 9, column t 1", undefined],
    [undefined, undefined],
    [undefined, 0.5],
  ]);
  const source = await readRecords(input("a.arff", flat));
  assert.deepEqual([source.format, source.labelNames], ["arff", ["class"]]);
  await source.records[Symbol.asyncIterator]().return?.();
  const relational = "@relation r\n@attribute x relational\n@attribute t1 numeric\n@attribute t2 numeric\n@end x\n" +
    "@attribute y {a,b}\n@data\n'1,2\\n3,4\\n5,?',b\n\"1,2\",a\n";
  const [first, second] = await read("a.arff", relational);
  assert.deepEqual(short(first!), [[1, 3, 5, 2, 4, NaN], "b"]);
  assert.deepEqual([first!.steps, first!.channels, first!.missing], [2, 3, "line 8, dimension 3, value 2"]);
  assert.deepEqual([short(second!), second!.channels], [[[1, 2], "a"], 1]);
  const numeric = "@relation r\n@attribute a numeric\n@attribute b numeric\n@data\n1,2\n";
  assert.deepEqual((await read("a.arff", numeric, { labelColumns: [0] })).map(short), [[[2], "1"]]);
  await assertFails("a.arff", numeric, /the last attribute is no class, and none is called label/);
});

Deno.test("readRecords() refuses an .arff file that is wrong, naming line and column", async () => {
  const head = "@relation r\n@attribute a numeric\n@attribute 'b b' numeric\n@attribute y {u,v}\n@data\n";
  await assertFails("a.arff", "", "the file is empty");
  await assertFails("a.arff", "@relation r\n", "there is no @data line");
  await assertFails("a.arff", "@relation r\nx\n", 'line 2 must be @relation, @attribute or @data, got "x"');
  await assertFails("a.arff", "@attribute a float\n", 'line 1: attribute a has an unknown type, "float"');
  await assertFails("a.arff", head.replace("'b b'", "a"), "line 5 names columns 1 and 2 both a");
  await assertFails("a.arff", head.replace("'b b' numeric", "b string"), /attribute b must be numeric/);
  await assertFails("a.arff", head, "there are no sequences");
  await assertFails("a.arff", `${head}1,2\n`, "line 6 must have 3 columns, got 2");
  await assertFails("a.arff", `${head}1,x,u\n`, 'line 6, column b b must be a number, got "x"');
  await assertFails("a.arff", `${head}1,2,w\n`, 'line 6, column y must be one of its classes, got "w"');
  await assertFails("a.arff", `${head}1,2,?\n`, "line 6, column y has no label");
  await assertFails("a.arff", `${head}{1 2, 2 u}\n`, "line 6 is sparse, in { }: write the rows out in full");
  await assertFails("a.arff", `${head}1,2,'u\n`, /line 6 has a quotation mark in the wrong place/);
  await assertFails(
    "a.arff",
    "@relation r\n@attribute x relational\n@attribute t numeric\n@end x\n@attribute y {u}\n@data\n'1\\n2,3',u\n",
    "line 7, dimension 2 must have 1 values, got 2",
  );
});
