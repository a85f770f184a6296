import assert from "node:assert/strict";
import { formatOf, type ReadOptions, readRecords, readTable } from "../../../mod.ts";
import { assertFails, input, read, short } from "./read.ts";

const HEAD = "# about\n@problemName P\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n";

Deno.test("formatOf() goes by the ending", () => {
  const names = ["a.csv", "A.CSV.GZ", "b/c.ts", "x.ndjson", "x.npz", "x.txt", "x.tsv", "x", "x.__proto__"];
  const formats = ["csv", "csv", "ts", "jsonl", "npz", undefined, undefined, undefined, undefined];
  assert.deepEqual(names.map(formatOf), formats);
});

Deno.test("readRecords() reads .ts: several dimensions, lengths that vary, missing values", async () => {
  const records = await read("a.ts", `${HEAD}1,2,3:4,5,6:a\n\n?,8:9,NaN:b\n`);
  assert.deepEqual(records.map(short), [[[1, 4, 2, 5, 3, 6], "a"], [[NaN, 9, 8, NaN], "b"]]);
  const [, { steps, channels, place, missing }] = records as [unknown, typeof records[0]];
  assert.deepEqual([steps, channels, place, missing], [2, 2, "a.ts, line 9", "line 9, dimension 1, value 1"]);
});

Deno.test("readRecords() reads .ts with time stamps, with targets, and without labels", async () => {
  const stamps = "@timeStamps True\n@targetLabel true\n@data\n" +
    "(2007-01-01 00:00:00,1.5), (2007-01-01 00:01:00,2):(2007-01-01 00:00:00,3),(2007-01-01 00:01:00,?):0.25\n";
  assert.deepEqual((await read("a.ts", stamps)).map(short), [[[1.5, 3, 2, NaN], "0.25"]]);
  const bare = "@timeStamps false\n@classLabel false\n@data\n1,2\n";
  assert.deepEqual((await read("a.ts", bare, { optionalLabels: true })).map(short), [[[1, 2]]]);
  await assertFails("a.ts", bare, "the file has no labels: @classLabel is false");
  await assertFails("a.ts", stamps.replaceAll("00:01", "25:01"), /must be at a time/);
});

Deno.test("readRecords() refuses a .ts file that is wrong, naming line and dimension", async () => {
  await assertFails("a.ts", "", "the file is empty");
  await assertFails("a.ts", "# nothing\n", "there is no @data line");
  await assertFails("a.ts", "1,2:a\n", "line 1 must begin with @ or #: there was no @data line yet");
  await assertFails("a.ts", "@data\n1,2:a\n", "line 1: there is neither @classLabel nor @targetLabel before @data");
  await assertFails("a.ts", "@univariate yes\n", 'line 1: @univariate must be true or false, got "yes"');
  await assertFails("a.ts", HEAD, "there are no sequences");
  await assertFails("a.ts", `${HEAD}1,2:3,4:a\n1,2:a\n`, "line 8 must have 2 dimensions, got 1");
  await assertFails("a.ts", `${HEAD}1,2:3:a\n`, "line 7, dimension 2 must have 2 values as the first, got 1");
  await assertFails("a.ts", `${HEAD}1,2:3,x:a\n`, 'line 7, dimension 2, value 2 must be a number, got "x"');
  await assertFails("a.ts", `${HEAD}:a\n`, "line 7, value 1: there are no values");
  await assertFails("a.ts", `${HEAD}1,2:c\n`, 'line 7: @classLabel does not name class "c"');
  await assertFails("a.ts", `${HEAD}1,2:?\n`, "line 7 ends without a label");
  await assertFails("a.ts", `@dimensions 1\n${HEAD}1,2:3,4:a\n`, "line 8 must have 1 dimensions, got 2");
  await assertFails(
    "a.ts",
    `@equalLength true\n${HEAD}1,2:a\n1:b\n`,
    /line 9 must have 2 values, as @equalLength says/,
  );
});

Deno.test("readRecords() reads JSON, in an array or line by line", async () => {
  const lines =
    '{"x": [[1, 2], [3, null]], "y": "a", "id": 7}\n{"x": [5], "y": 0.5, "weight": 2}\n{"x": "te}xt", "y": ["a", "b"]}\n';
  const expected = [[[1, 2, 3, NaN], "a"], [[5], "0.5"], ["te}xt", "a|b"]];
  const array = `[${lines.trim().replaceAll("\n", ",\n")}]`;
  for (const [name, text] of [["a.jsonl", lines], ["a.json", lines], ["a.json", array], ["-", array], ["-", lines]]) {
    const records = await read(name!, text!);
    assert.deepEqual(records.map(short), expected, name!);
    assert.deepEqual(records.map(({ place }) => place), [1, 2, 3].map((line) => `${name}, line ${line}`));
    assert.deepEqual(records.map(({ id, weight, missing }) => [id, weight, missing]), [
      ["7", undefined, "line 1, x[1][1]"],
      [undefined, 2, undefined],
      [undefined, undefined, undefined],
    ]);
  }
});

Deno.test("readRecords() takes a line of JSON Lines that is a list for its steps", async () => {
  assert.deepEqual((await read("a.jsonl", "[null, 1]\n[[2, 3]]\n")).map(short), [[[NaN, 1]], [[2, 3]]]);
});

Deno.test("readRecords() refuses JSON that is wrong, naming line and element", async () => {
  const cases: [text: string, message: string | RegExp][] = [
    ["[]", "the file is empty"],
    ['[{"x": [1]}', "the file ends within its array"],
    ['[{"x": [1]', "the file ends within the record that begins in line 1"],
    ['[{"x": [1]} {"x": [1]}]', /line 1: there must be a record here, got "\{/],
    ['[{"x": [1]},]', /there must be a record here/],
    ['[{"x": [1]}] x', /there must be a record here/],
    ["[1, 2]", /there must be a record here/],
    ['\n{"x": [[1], [1, 2]]}', "line 2, x[1] must have 1 channels as x[0], got 2"],
    ['{"x": [[1], 2]}', "line 1, x[1] must be a list of 1, got 2"],
    ['{"x": [[1], ["a"]]}', 'line 1, x[1][0] must be a number or null, got "a"'],
    ['{"x": [1, NaN]}', /line 1 is not JSON: it has no NaN and no Infinity, a missing value is null/],
    ['{"x": [1, 1e39]}', "line 1, x[1] must be a finite float32, got 1e+39"],
    ['{"x": []}', "line 1: x has no steps"],
    ['{"x": [[]]}', "line 1: x[0] has no channels"],
    ['{"y": 1}', "line 1: x must be a list of steps or a text, got nothing"],
    ['{"x": [1], "y": {}}', "line 1: y must be a label or a list of labels, got an object"],
    ['{"x": [1], "weight": -1}', "line 1: weight must be a number above 0, got -1"],
    [`{"x": ${"[".repeat(99)}`, "line 1 nests deeper than a record does"],
    [`{"x": [${"1,".repeat(999)}`, /longer than 1000 bytes, the limit/],
  ];
  for (const [text, message] of cases) await assertFails("a.json", text, message, { maxLineBytes: 1000 });
  await assertFails("a.jsonl", '{"x": [1]}\n{"x": [1}\n', 'line 2 is not JSON, got "{\\"x\\": [1}"');
  await assertFails("a.jsonl", "1\n", "line 1 must be an object with x, got 1");
});

Deno.test("readRecords() takes __proto__ in JSON for a plain name", async () => {
  const [record] = await read("a.jsonl", '{"x": [1], "y": "__proto__", "__proto__": {"weight": 3}}\n');
  assert.deepEqual([record!.labels, record!.weight], [["__proto__"], undefined]);
  await assertFails("a.jsonl", '{"__proto__": {"x": [1]}}\n', /x must be a list/);
});

Deno.test("readRecords() reads the archive's lines: a label, then numbers", async () => {
  const expected = [[[0.5, -2], "1"], [[NaN, 3], "-1"]];
  for (const text of ["  1.0000000e+00   0.5  -2\n -1 NaN 3\n", "1\t0.5\t-2\n-1\tNaN\t3\n", "1,0.5,-2\n-1,NaN,3\n"]) {
    for (const name of ["a.txt", "a.tsv"]) assert.deepEqual((await read(name, text)).map(short), expected);
  }
  await assertFails("a.txt", "1 2 3\n1 2\n", "line 2 must have 3 columns, got 2");
  await assertFails("a.txt", "1 2 3\n1 2 x\n", 'line 2, column 3 must be a number, got "x"');
  await assertFails("a.tsv", "\r\t1\t2\n", String.raw`line 1, column 1 must be a label, got "\r"`);
});

Deno.test("readRecords() reads texts with labels, and files of one class", async () => {
  const records = await read("a.txt", "so\tso\t1\n\nĀé \t 0 \n");
  assert.deepEqual(records.map(short), [["so\tso", "1"], ["Āé ", "0"]]);
  const names = await readRecords(input("Greek.txt", "Pappas\nRallis\n", 3, "Greek"));
  assert.deepEqual((await Array.fromAsync(names.records)).map(short), [["Pappas", "Greek"], ["Rallis", "Greek"]]);
  assert.deepEqual((await read("a.txt", "one\ntwo\n", { optionalLabels: true })).map(short), [["one"], ["two"]]);
  // A tab may be part of a text, and what stands where a label would be part of it too.
  const labeled = async (text: string, options: ReadOptions = {}) =>
    (await read("a.txt", text, { format: "text", ...options })).map((
      { text, labels, line },
    ) => [text, labels?.[0], line]);
  const none = undefined, tabs = "a\tb\t1\nc\t2\n";
  assert.deepEqual(await labeled(tabs), [["a\tb", "1", none], ["c", "2", none]]);
  assert.deepEqual(await labeled(`${tabs}d\n`, { optionalLabels: true }), [
    ["a\tb", "1", "a\tb\t1"],
    ["c", "2", "c\t2"],
    ["d", none, none],
  ]);
  assert.deepEqual(await labeled("1\ta\tb\n2\tc\n", { labelColumns: [0] }), [["a\tb", "1", none], ["c", "2", none]]);
  const columns = { labelColumns: [0], textColumn: 1 };
  await assert.rejects(labeled("1\ta\n2\tc\td\n", columns), /line 2 must have 2 columns, got 3/);
  await assertFails("a.txt", "one\t1\ntwo\n", "line 2 must be a text, a tab and a label: there is no tab");
  await assertFails("a.txt", "one\t\n", "line 1 has no label after its last tab");
});

Deno.test("readTable() reads columns of numbers, and carries dates as text", async () => {
  const text = 'date,a,"b"\r\n2026-01-01 00:00:00,1,NA\r\n2026-01-01 01:00:00,3,4\r\n';
  const table = await readTable(input("t.csv", text), { timeColumn: "date" });
  assert.deepEqual([table.name, table.rows, table.columns], ["t.csv", 2, ["a", "b"]]);
  assert.deepEqual(table.values, [Float64Array.of(1, 3), Float64Array.of(NaN, 4)]);
  assert.deepEqual(table.texts!.get("date"), ["2026-01-01 00:00:00", "2026-01-01 01:00:00"]);
  assert.deepEqual([table.missing, table.place!(1)], [[undefined, "line 2"], "t.csv, line 3"]);
  const some = await readTable(input("t.csv", text), { featureColumns: ["b", "a"] });
  assert.deepEqual(some.columns, ["b", "a"]);
});

Deno.test("rows that are not in time are put in order and it is said, series of several are refused", async () => {
  const days = (from: number, to: number) =>
    Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => `2026-01-${10 + from + i * Math.sign(to - from)}`);
  const file = (head: string, rows: readonly string[]) => input("t.csv", [head, ...rows, ""].join("\n"));
  const falling = await readTable(file("day,v", days(9, 0).map((day, i) => `${day},${i}`)));
  assert.deepEqual([...falling.values[0]!], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  assert.deepEqual([falling.texts!.get("day")![0], falling.place!(0)], ["2026-01-10", "t.csv, line 11"]);
  const note = "t.csv: column day falls from row to row: the rows are taken in reverse, the newest last";
  assert.deepEqual([falling.notes, falling.breaks], [[note], undefined]);
  const compact = await readTable(file("date,v", ["20260201,1", "20260131,2", "20260130,3", "20260129,4"]));
  assert.deepEqual([[...compact.values[1]!], compact.breaks], [[4, 3, 2, 1], undefined]);

  const long = (["a", "b"] as const).flatMap((shop) => days(0, 9).map((day, i) => `${shop},${day},${i}`));
  const restart =
    /column ds starts again in line 12 where column shop changes: these are 2 series.*make a table of each/;
  await assert.rejects(readTable(file("shop,ds,v", long)), restart);
  await assert.rejects(readTable(file("shop,ds,v", long), { timeColumn: "ds" }), restart);
  const numbered = long.map((row) => row.replace("a", "1").replace("b", "2"));
  await assert.rejects(readTable(file("shop,ds,v", numbered)), restart);
  await assert.rejects(readTable(file("shop,ds,v", long.toReversed())), restart);
  const byDay = long.toSorted((a, b) => a.slice(2) < b.slice(2) ? -1 : 1);
  const beside = /column ds has several rows for a time, which column shop tells apart: these are 2 series/;
  await assert.rejects(readTable(file("shop,ds,v", byDay)), beside);

  // Dates that are about the rows and tell no time, and hours beside a date, are none of this.
  const born = ["1980-05-01", "1999-01-01", "1960-03-03", "1971-01-09"].map((date, i) => `${date},${i}`);
  assert.deepEqual([...(await readTable(file("born,v", born))).values[0]!], [0, 1, 2, 3]);
  const halves = days(0, 5).flatMap((day, i) => [`${day},am,${i}`, `${day},pm,${i}`]);
  assert.equal((await readTable(file("date,hour,v", halves))).rows, 12);
});

Deno.test("readTable() refuses a table that is wrong, naming line and column", async () => {
  const cases: [text: string, message: RegExp, options?: object][] = [
    ["", /the file is empty$/],
    ["a,b\n", /there are no rows$/],
    ["a,b\n1,2\n1\n", /line 3 must have 2 columns, got 1$/],
    ["a,b\n1,2\n1,x\n", /line 3, column b must be a number, got "x"$/],
    ["a,b\nx,2\n", /line 2, column a must be a number, got "x"$/, { featureColumns: ["a"] }],
    ["a,a\n1,2\n", /names columns 1 and 2 both a$/],
    ["a,b\n2,2\n1,1.5\n2,1\n3,1\n", /line 3, column a: the time goes back, to "1": steps must/, { timeColumn: "a" }],
    ["a,b\n2,2\n", /there is no column c, only a, b: featureColumns asks for it$/, { featureColumns: ["c"] }],
  ];
  for (const [text, message, options] of cases) await assert.rejects(readTable(input("t.csv", text), options), message);
});

Deno.test("a step of JSON may have a label of its own, or several, or none", async () => {
  const lines = '{"x":[1,2,3],"y":["a","b",null]}\n{"x":[[1,2],[3,4]],"y":[[1,"u"],[2,"v"]]}\n' +
    '{"x":[1,2,3],"y":["a","b"]}\n{"x":[5],"y":"a"}\n';
  const labelsPerRow = true, records = await read("a.jsonl", lines, { labelsPerRow });
  assert.deepEqual(records.slice(0, 2).map(({ stepLabels }) => stepLabels), [
    [["a"], ["b"], undefined],
    [["1", "u"], ["2", "v"]],
  ]);
  assert.deepEqual(records.map(({ labels }) => labels), [undefined, undefined, ["a", "b"], ["a"]]);
  // Channels first: a label for each of three steps. Steps that are padding have none.
  const turned = '{"x":[[1,2,3],[4,5,6]],"y":["a","b","c"]}';
  const [record] = await read("a.jsonl", turned, { labelsPerRow, layout: "nct" });
  assert.deepEqual([record!.steps, record!.stepLabels], [3, [["a"], ["b"], ["c"]]]);
});
