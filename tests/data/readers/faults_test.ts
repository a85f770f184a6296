/** Rows that cannot be read, where the others are wanted: every reader hands both on, in their order. */

import assert from "node:assert/strict";
import { type ReadOptions, readRecords, writeNpy, writeNpz } from "../../../mod.ts";

const TS = "@problemName p\n@univariate false\n@dimensions 2\n@classLabel true up down\n@data\n";
const ARFF = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute label {up,down}\n@data\n";
const array = { shape: [3, 2], data: Float64Array.of(1, 2, 3, Infinity, 5, 6) };

/** A file, and its records: the first value or text of each, or what is wrong with it. */
const CASES: readonly [
  name: string,
  content: string | Uint8Array,
  wanted: (number | string | RegExp)[],
  ReadOptions?,
][] = [
  ["plain.csv", "label,a,b\nup,1,2\nup,x,2\nup,1,2,3\ndown,3,4\n", [1, /got "x"/, /3 columns, got 4/, 3]],
  [
    "quotes.csv",
    'label,a,b\n"up",1,2\n"up"x,5,2\n"down",3,4\n"up,5,6\n"up",7,"8"\nup,9,10\n',
    [1, /line 3 has a quotation mark in the wrong place/, 3, /line 5 has a quotation mark without/, 7, 9],
  ],
  [
    "lines.csv",
    'label,text\nup,"one\ntwo"\nup,"thr"ee\ndown,"four ""five""\nsix"\n',
    ["one\ntwo", /line 4 has a quotation/, 'four "five"\nsix'],
    { textColumn: "text" },
  ],
  ["last.csv", 'label,text\nup,"one"\nup,"two, three\nup,four\n', ["one", /line 3 .* without its second/, "four"], {
    textColumn: "text",
  }],
  ["first.csv", 'label,text\nup,o"ne\nup,"two"\n', [/line 2 has a quotation mark/, "two"], { textColumn: "text" }],
  [
    "long.csv",
    'id,a,label\ns1,1,up\ns1,"2"x,up\ns1,3,up\ns2,"4",up\ns3,"5\ns4,6,"up"\n',
    [/line 3 has a quotation/, 4, /line 6/, 6],
    { sequenceColumn: "id" },
  ],
  [
    "moves.ts",
    `${TS}1,2:3,4:up\n1,2:up\n1,x:3,4:up\n5,6:7:up\n8,9:1,2:sideways\n1,2\n6,7:8,9:down\n`,
    [1, /must have 2 dimensions, got 1/, /got "x"/, /dimension 2 must/, /does not name class/, /dimensions|colon/, 6],
  ],
  [
    "stamped.ts",
    "@timestamps true\n@univariate true\n@classLabel true up\n@data\n(1,5),(2,6):up\n(1,5),(2:up\n(2,7),(1,8):up\n(3,9):up\n",
    [5, /must begin a \(time,value\)|got/, /time/, 9],
  ],
  [
    "equal.ts",
    "@univariate true\n@equalLength true\n@classLabel true up\n@data\nx,2,3:up\n1,2:up\n3:up\n4,5:up\n",
    [/got "x"/, 1, /must have 2 values/, 4],
  ],
  [
    "weka.arff",
    `${ARFF}1,2,up\n1,up\n'1,2,up\n3,x,up\n4,5,left\n{0 1}\n6,7,down\n`,
    [1, /must have 3 columns, got 2/, /quotation mark/, /got "x"/, /one of its classes/, /sparse/, 6],
  ],
  ["archive.txt", "1 2 3\n2 x 3\n1 2\n2 5 6\n", [2, /got "x"/, /must have 3 columns/, 5]],
  ["lines.jsonl", '{"x":[1]}\n{\n{"x":["a"]}\n{"x":[4]}\n', [1, /line 2 is not JSON/, /must be a number/, 4]],
  ["all.json", '[{"x":[1]},{"x":[]},\n{"x":[3]}]', [1, /x has no steps/, 3]],
  ["x.npy", writeNpy(array), [1, /sequence 2, step 2.*Infinity|finite/, 5]],
  ["x.npz", await writeNpz({ x: array }), [1, /finite|Infinity/, 5]],
  ["text.tsv", "one\tup\n\tno label\t\ntwo\tdown\n", ["one", /no label/, "two"], { format: "text" }],
];

Deno.test("a bad row is a record with its fault, in every format, and the others follow", async () => {
  const needsLabels = new Set(["text.tsv"]);
  for (const [name, content, wanted, options] of CASES) {
    const input = { name, stream: () => new Blob([content as BlobPart]).stream() };
    const optional = { optionalLabels: true, faults: true };
    const { records } = await readRecords(input, { ...optional, ...options });
    const found = await Array.fromAsync(records);
    const shown = found.map(({ fault, text, values }) => fault?.message ?? text ?? values![0]);
    assert.equal(shown.length, wanted.length, `${name}: ${shown.join("; ")}`);
    wanted.forEach((one, i) => {
      if (one instanceof RegExp) assert.match(String(shown[i]), one, `${name}, record ${i}`);
      else assert.equal(shown[i], one, `${name}, record ${i}`);
      assert.equal(found[i]!.fault !== undefined, one instanceof RegExp);
    });
    if (needsLabels.has(name)) continue;
    // Nobody who does not ask for them gets one: the file is refused at the first.
    const strict = await readRecords(input, { optionalLabels: true, ...options });
    const first = wanted.find((one) => one instanceof RegExp) as RegExp;
    await assert.rejects(
      Array.fromAsync(strict.records),
      name === "quotes.csv" || name === "long.csv" ? /quot/ : first,
    );
  }
});

Deno.test("a file of many broken quotes is gone through once", async () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => `up,"${i}`).join("\n");
  const input = { name: "broken.csv", stream: () => new Blob([`label,text\n${rows}\n`]).stream() };
  const { records } = await readRecords(input, { textColumn: "text", faults: true });
  const found = await Array.fromAsync(records);
  assert.ok(found.length >= 19_999 && found.filter(({ fault }) => fault).length >= 19_999, String(found.length));
});
